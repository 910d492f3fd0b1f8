"""The contract for machines: OpenAPI 3.1 of all documents, and the JSON Schema of each kind. Constant, no row in it."""

import functools
import re
from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from exporter import paths
from exporter.cache_control import cache_control
from exporter.documents.analysis import (
    Change,
    ChangeFeedHead,
    ComparedResult,
    ReferenceName,
    RunComparison,
    SlowerTest,
    Standing,
)
from exporter.documents.encoding import Document, encode
from exporter.documents.fields import Platform, RegressionTestId, RunId, SampleId
from exporter.documents.files import Diff, LogPage
from exporter.documents.json_schema import Schema, Schemas, document, name_of
from exporter.documents.lists import FacetValue, FeedHead, FeedPage, ListPage
from exporter.documents.manifests import ManifestDocument, ManifestPartDocument, PendingDocument, SchemaIndex
from exporter.documents.regression_tests import Category, RegressionTestDocument, RegressionTestItem, Tag
from exporter.documents.results import ErrorListPage, FailureItem, HistoryEntry, ResultDocument, ResultItem
from exporter.documents.runs import CommitRunsPage, GridHead, GridPage, RunDocument, RunItem
from exporter.documents.samples import SampleDocument, SampleItem
from exporter.documents.search import SearchIndex
from exporter.documents.snapshots import Snapshot, SnapshotIndex
from exporter.media_types import JSON, media_type
from exporter.rules.comparison import Bucket
from exporter.rules.status import RunStatus

OPENAPI_VERSION = "3.1.1"

LICENSE = {"name": "MIT", "identifier": "MIT"}

DESCRIPTION = """\
What the CCExtractor Sample Platform knows of runs, results, samples and regression tests, as static documents.

- Every field of a shape is always there; what is unknown is null. Documents, fields, enum values and links may be
  added within `v1`: ignore what you don't know.
- Times are UTC, durations milliseconds, hashes lower-case hex.
- Links are relative references from the document in which they stand: the fields named `href` and `diff`, the values
  of `links`, and `first`, `prev`, `next`, `last` in `pagination`. Take them rather than making paths.
- A *numbered* list is in pages of 100 items. A *feed* has the newest first: walk `next` from its head.
- Ask again with `If-None-Match`: what has not changed is answered with 304.
"""

_TAGS = {
    "Manifests": "What is published, for mirrors and pollers.",
    "Runs": "Runs of the platform, their results, failures and errors.",
    "Samples": "Media files that are tested, and every result with them.",
    "Regression tests": "What runs do with the samples, and what should come of it.",
    "Categories and tags": "What regression tests and samples are sorted by.",
    "Snapshots": "All rows as files, if the platform publishes such; the index is always there.",
}


class Parameter(NamedTuple):
    """A path's parameter; `everywhere`: whether each store has documents for the example."""

    type: Any
    description: str
    example: int | str
    everywhere: bool = False


_KEY = "Facet key of the value: mostly the value itself. Take it from the index's `href`."
_PARAMETERS = {
    "run_id": Parameter(RunId, "A run's id.", 9301),
    "regression_test_id": Parameter(RegressionTestId, "A regression test's id.", 17),
    "sample_id": Parameter(SampleId, "A sample's id.", 7),
    "number": Parameter(int, "Number of a pull request.", 907),
    "page": Parameter(int, "Number of the page, from 2.", 2),
    "partition": Parameter(int, "The page holds what belongs to the runs with ids 100·K to 100·K + 99.", 93),
    "key": Parameter(str, _KEY, "master"),
    "pair": Parameter(
        str, "The hashes of both, as the `diff` of a result's output has them.", f"{'0' * 64}-{'1' * 64}.srt"
    ),
    "platform": Parameter(Platform, "A platform.", paths.PLATFORMS[0], everywhere=True),
    "reference": Parameter(ReferenceName, "What the run is compared with, as in its comparison.", "main"),
    "bucket": Parameter(Bucket, "A bucket of the comparison.", "broken"),
    "part": Parameter(str, "The part's name and digest, as the manifest's `href` has them.", "catalog-0123456789ab"),
    "platform_key": Parameter(Platform, "A platform.", paths.PLATFORMS[0], everywhere=True),
    "run_status_key": Parameter(RunStatus, "A run's status.", "pass", everywhere=True),
    "sample_status_key": Parameter(Literal["active", "inactive"], "A sample's status.", "active", everywhere=True),
    "active_key": Parameter(Literal["true", "false"], "Whether tests are active.", "true", everywhere=True),
}
"""Name of a path's parameter → what it is; those named `…_key` are the key of a facet whose values are closed."""

_CLOSED = {
    paths.facet(paths.RUNS, "platform"): "platform_key",
    paths.facet(paths.RUNS, "status"): "run_status_key",
    paths.facet(paths.SAMPLES, "status"): "sample_status_key",
    paths.facet(paths.REGRESSION_TESTS, "active"): "active_key",
}
"""Facet whose values every store has lists of → the parameter that is their key."""


class Published(NamedTuple):
    """A kind of documents: their path with parameters, their shape, what they hold, and what they are sorted under.

    Without a shape they are text or XML, as their path says.
    """

    path: str
    shape: Any
    summary: str
    tag: str


def published() -> Iterator[Published]:
    """Every kind of document, as the contract's table has them."""
    yield Published("manifest.json", ManifestDocument, "What is published", "Manifests")
    yield Published("pending.json", PendingDocument, "What is just being published", "Manifests")
    yield Published("manifests/{part}.json", ManifestPartDocument, "The documents of one part", "Manifests")
    yield Published(paths.SCHEMA_INDEX, SchemaIndex, "The JSON Schema of each kind of document", "Manifests")
    yield Published(paths.DOCUMENTATION, None, "What to read first: what is published, and where to start", "Manifests")
    yield from _runs()
    yield from _grid()
    yield from _samples()
    yield from _regression_tests()
    yield from _list("categories", ListPage[Category], "Every category, by name", "Categories and tags")
    yield from _list("tags", ListPage[Tag], "Every tag, by name", "Categories and tags")
    yield Published(paths.SNAPSHOT_INDEX, SnapshotIndex, "The snapshots, newest first", "Snapshots")
    yield Published(paths.LATEST_SNAPSHOT, Snapshot, "The newest snapshot", "Snapshots")


def _list(name: str, shape: Any, summary: str, tag: str) -> Iterator[Published]:
    yield Published(f"{name}.json", shape, summary, tag)
    yield Published(f"{name}/page/{{page}}.json", shape, f"{summary}: a further page", tag)


def _feed(name: str, head: Any, page: Any, summary: str, tag: str) -> Iterator[Published]:
    yield Published(f"{name}.json", head, f"{summary}, newest first", tag)
    yield Published(f"{name}/archive/{{partition}}.json", page, f"{summary}: an archive page", tag)


def _indexes(family: str, facets: Iterable[str], tag: str) -> Iterator[Published]:
    for facet in facets:
        yield from _list(paths.facet(family, facet), ListPage[FacetValue], f"The values of the facet {facet}", tag)


def _runs() -> Iterator[Published]:
    tag, one = "Runs", "runs/{run_id}"
    run_feed = FeedHead[RunItem], FeedPage[RunItem]
    yield from _feed("runs", *run_feed, "Every run", tag)
    yield from _indexes("runs", paths.RUN_FACETS, tag)
    for facet in paths.RUN_FACETS:
        yield from _feed(f"{paths.facet('runs', facet)}/{{key}}", *run_feed, f"The runs of one {facet}", tag)
    yield from _list("runs/by-commit/{key}", CommitRunsPage, "The runs of one commit, newest first", tag)
    yield from _list("runs/by-pr/{number}", ListPage[RunItem], "The runs of one pull request, newest first", tag)
    yield Published(f"{one}.json", RunDocument, "A run", tag)
    yield Published(f"{one}/comparison.json", RunComparison, "A run against what was known before it", tag)
    yield from _list(
        f"{one}/comparison/{{reference}}/{{bucket}}",
        ListPage[ComparedResult],
        "The tests of a bucket of more than 100",
        tag,
    )
    yield from _list(f"{one}/samples", ListPage[ResultItem], "Every result of a run, by regression test", tag)
    yield from _list(f"{one}/failures", ListPage[FailureItem], "Every result that is not `pass`", tag)
    yield from _list(f"{one}/errors", ErrorListPage, "Each way in which a result is not as expected", tag)
    yield Published(f"{one}/samples/{{regression_test_id}}.json", ResultDocument, "A result", tag)
    yield from _list(f"{one}/log", LogPage, "A run's build log", tag)
    yield Published(f"{one}/junit.xml", None, "A run that ended with results, as JUnit XML", tag)
    yield Published("diffs/{pair}.json", Diff, "Expected against actual output", tag)
    yield from _feed(
        "regressions",
        ChangeFeedHead,
        FeedPage[Change],
        "What broke and what was fixed on the main line",
        tag,
    )
    yield Published(
        "regressions/archive/{partition}/page/{page}.json",
        FeedPage[Change],
        "A further part of an archive page of more than 1,000 changes",
        tag,
    )
    yield Published(paths.REGRESSIONS_FEED, None, "The newest of these, as an Atom feed", tag)


def _grid() -> Iterator[Published]:
    grid = "What every test gave in every run of a platform"
    yield from _feed("grid/{platform}", GridHead, GridPage, grid, "Runs")
    yield Published("search.json", SearchIndex, "Samples and regression tests in few words", "Samples")


def _samples() -> Iterator[Published]:
    tag = "Samples"
    listed = ListPage[SampleItem]
    yield from _list("samples", listed, "Every sample, by id", tag)
    yield from _indexes("samples", paths.SAMPLE_FACETS, tag)
    for facet in paths.SAMPLE_FACETS:
        yield from _list(f"{paths.facet('samples', facet)}/{{key}}", listed, f"The samples of one {facet}", tag)
    yield Published("samples/by-sha/{key}.json", SampleItem, "The sample with one hash", tag)
    yield Published("samples/{sample_id}.json", SampleDocument, "A sample", tag)
    yield from _feed(
        "samples/{sample_id}/history",
        FeedHead[HistoryEntry],
        FeedPage[HistoryEntry],
        "Every result of a sample's tests",
        tag,
    )


def _regression_tests() -> Iterator[Published]:
    tag, family = "Regression tests", paths.REGRESSION_TESTS
    listed = ListPage[RegressionTestItem]
    yield from _list(family, listed, "Every regression test, by id", tag)
    yield from _indexes(family, paths.REGRESSION_TEST_FACETS, tag)
    for facet in paths.REGRESSION_TEST_FACETS:
        yield from _list(f"{paths.facet(family, facet)}/{{key}}", listed, f"The tests of one {facet}", tag)
    yield from _list(f"{family}/flaky", ListPage[Standing], "The flaky tests of the main line", tag)
    yield from _list(f"{family}/failing", ListPage[Standing], "The failing tests of the main line", tag)
    yield from _list(f"{family}/slower", ListPage[SlowerTest], "The tests that have become slower", tag)
    yield Published(f"{family}/{{regression_test_id}}.json", RegressionTestDocument, "A regression test", tag)


def openapi() -> dict[str, Any]:
    """OpenAPI of every document: paths relative to the API root, where it stands itself."""
    schemas = Schemas("#/components/schemas/")
    operations = {f"/{one.path}": {"get": _operation(one, schemas)} for one in published()}
    return {
        "openapi": OPENAPI_VERSION,
        "info": {
            "title": "CCExtractor Sample Platform results",
            "version": paths.API_VERSION,
            "description": DESCRIPTION,
            "license": LICENSE,
        },
        "servers": [{"url": ".", "description": "Where this document was read."}],
        "security": [],
        "tags": [{"name": name, "description": description} for name, description in _TAGS.items()],
        "paths": operations,
        "components": {
            "schemas": schemas.definitions,
            "parameters": {
                "IfNoneMatch": {
                    "name": "If-None-Match",
                    "in": "header",
                    "description": "The ETag of what is known already.",
                    "schema": {"type": "string"},
                },
                **{name: _parameter(name, one, schemas) for name, one in _PARAMETERS.items()},
            },
            "headers": {
                "ETag": {"description": "Names these bytes; for `If-None-Match`.", "schema": {"type": "string"}},
            },
            "responses": {
                "NotModified": {"description": "These bytes are known already."},
                "NotFound": {"description": "There is no such document. The body is the host's."},
            },
        },
    }


def _parameter(name: str, one: Parameter, schemas: Schemas) -> dict[str, Any]:
    """A parameter; its example is named by whether there is such a document everywhere."""
    summary = "Every store has it." if one.everywhere else "Its form; take values from documents."
    return {
        "name": "key" if name.endswith("_key") else name,
        "in": "path",
        "required": True,
        "description": one.description,
        "schema": schemas.of(one.type),
        "examples": {"everywhere" if one.everywhere else "form": {"summary": summary, "value": one.example}},
    }


def _operation(one: Published, schemas: Schemas) -> dict[str, Any]:
    facet = one.path.partition("/{key}")[0]
    names = [_CLOSED.get(facet, name) if name == "key" else name for name in re.findall(r"{(\w+)}", one.path)]
    caching = cache_control(paths.API_ROOT + re.sub(r"{\w+}", "1", one.path))
    return {
        "operationId": re.sub(r"\W+", "_", one.path.removesuffix(".json")).strip("_"),
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in (*names, "IfNoneMatch")],
        "responses": {
            "200": {
                "description": one.summary,
                "headers": {
                    "ETag": {"$ref": "#/components/headers/ETag"},
                    "Cache-Control": {
                        "description": "How long the document may be kept.",
                        "schema": {"type": "string"},
                        "example": caching,
                    },
                },
                "content": {JSON: {"schema": schemas.of(one.shape)}}
                if one.shape
                else {media_type(one.path): {"schema": {"type": "string"}}},
            },
            "304": {"$ref": "#/components/responses/NotModified"},
            "404": {"$ref": "#/components/responses/NotFound"},
        },
    }


def json_schemas() -> dict[str, Schema]:
    """Name → JSON Schema of each kind of document; each needs no other one."""
    return {name_of(one.shape): document(one.shape) for one in published() if one.shape}


def schema_index() -> SchemaIndex:
    """The kinds of documents, by name."""
    found: dict[str, list[str]] = {}
    for one in published():
        if one.shape:
            found.setdefault(name_of(one.shape), []).append(one.path)
    return {
        "schemas": [
            {"name": name, "href": paths.relative(paths.SCHEMA_INDEX, paths.schema(name)), "documents": found[name]}
            for name in sorted(found)
        ]
    }


@functools.cache
def documents() -> tuple[Document, ...]:
    """The documents of the contract: the same for every export of this version."""
    return (
        (paths.OPENAPI, encode(openapi())),
        (paths.SCHEMA_INDEX, encode(schema_index())),
        *((paths.schema(name), encode(schema)) for name, schema in json_schemas().items()),
    )
