"""The table of the platform's read API: paths, parameters, and what is in each answer; OpenAPI is made of it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from exporter.documents.files import LogLine
from exporter.documents.json_schema import Schema, Schemas, name_of
from exporter.documents.regression_tests import Category, RegressionTestDocument, RegressionTestItem, Tag
from exporter.documents.results import ErrorGroup, ErrorItem, HistoryEntry, ResultItem
from exporter.documents.runs import InfrastructureError, Progress, RunDocument, RunItem, Summary
from exporter.documents.samples import SampleDocument, SampleItem
from exporter.paths import PLATFORMS
from exporter.rules.status import RESULT_STATUSES, RUN_STATUSES
from exporter.server import platform_answers as answers
from exporter.server import platform_endpoints as endpoints
from exporter.server.platform_parameters import ID, PAGE, Parameter, choice, moment, text, whole

ROOT = "/api/v1"


class Endpoint(NamedTuple):
    """An endpoint of the platform's read API.

    Args:
        shape: the published shape that the answer, or each item of its list, has fields of.
        fields: these fields.
        more: name → schema of fields that the shape does not have.
    """

    answer: endpoints.Answer
    summary: str
    shape: Any
    fields: Sequence[str]
    parameters: tuple[Parameter, ...] = ()
    listed: bool = False
    more: Mapping[str, Schema] = {}


_WINDOW = (moment("created_after", "Not before this time."), moment("created_before", "Not after this time."))
_TAG = text("tag", "The sample has this tag.")
_PLATFORM = text("platform", f"The platform: {', '.join(PLATFORMS)}.")
_BRANCH = text("branch", "The branch.")
_RUNS = (
    text("status", f"The run's status: {', '.join(RUN_STATUSES)}."),
    _PLATFORM,
    _BRANCH,
    text("commit_sha", "The commit."),
    text("repository", "The repository, as in runs."),
    *_WINDOW,
    choice("sort", tuple(endpoints.RUN_ORDERS), "The order.", "-run_id"),
    *PAGE,
)
_RESULTS = (
    choice("status", RESULT_STATUSES, "The result's status."),
    text("name", "A part of the sample's name."),
    _TAG,
    text("category", "A category of the regression test."),
    *PAGE,
)
_GROUPS = (choice("group_by", endpoints.GROUPINGS, "The field that items of a group agree in.", "type"), *PAGE)
_DIFF = (
    choice("format", ("structured", "unified"), "Hunks of lines, or one text.", "structured"),
    whole(
        "context_lines",
        (0, 2**31),
        f"Lines of context around a change; of more than {answers.CONTEXT}, there are {answers.CONTEXT}, and the "
        "answer's `context_lines` says so.",
        answers.CONTEXT,
    ),
)
_LOGS = (
    text("level", "The line's level."),
    text("source", "The line's source."),
    text("contains", "A part of the line."),
    whole("limit", (1, 1000), "Lines of a page.", 50),
    whole("cursor", (0, 2**31), "`next_cursor` of the page before.", 0),
)
_SAMPLES = (
    text("name", "A part of the sample's name."),
    text("sha256", "The sample's hash."),
    _TAG,
    text("extension", "The file's extension."),
    choice("status", ("active", "inactive"), "Whether an active regression test has the sample."),
    *PAGE,
)
_HISTORY = (
    _PLATFORM,
    _BRANCH,
    text("status", f"The result's status: {', '.join(RESULT_STATUSES)}."),
    whole("regression_test", ID, "The regression test."),
    whole("regression_test_id", ID, "The same."),
    *_WINDOW,
    *PAGE,
)
_TESTS = (
    choice("active", ("true", "false"), "Whether the test is active.", "true"),
    text("category", "A category of the test."),
    _TAG,
    whole("sample_id", ID, "The test's sample."),
    *PAGE,
)

_RUN, _ONE_TEST, _SAMPLE = "/runs/{run}", "/regression-tests/{test}", "/samples/{sample}"
_NULL: Schema = {"type": "null"}
_ANY_OBJECT: Schema = {"type": "object"}

ENDPOINTS: Mapping[str, Endpoint] = {
    "/runs": Endpoint(endpoints.runs, "Runs", RunItem, answers.RUN, _RUNS, listed=True),
    _RUN: Endpoint(endpoints.run, "A run", RunItem, answers.RUN),
    f"{_RUN}/summary": Endpoint(
        endpoints.run_summary,
        "How a run went, in numbers",
        Summary,
        tuple(Summary.__annotations__),
        more={"run_id": {"type": "integer"}, "status": {"type": "string", "enum": list(RUN_STATUSES)}},
    ),
    f"{_RUN}/progress": Endpoint(
        endpoints.run_progress, "The progress of a run", Progress, tuple(Progress.__annotations__), PAGE, listed=True
    ),
    f"{_RUN}/config": Endpoint(
        endpoints.run_config,
        "What a run was to test",
        RunDocument,
        ("run_id", "platform", "branch", "commit_sha"),
        more={"regression_test_ids": {"type": "array", "items": {"type": ["integer", "null"]}}},
    ),
    f"{_RUN}/samples": Endpoint(endpoints.results, "Results", ResultItem, answers.RESULT, _RESULTS, listed=True),
    f"{_RUN}/samples/{{test}}": Endpoint(endpoints.result, "A result", ResultItem, answers.RESULT),
    f"{_RUN}/samples/{{sample}}{_ONE_TEST}/outputs/{{output}}/diff": Endpoint(
        endpoints.diff,
        "The expected output of a result against the actual one",
        None,
        (),
        _DIFF,
        more={
            **{name: {"type": ["integer", "null"]} for name in ("run_id", "sample_id", "regression_id", "output_id")},
            "format": {"type": "string"},
        },
    ),
    f"{_RUN}/errors": Endpoint(endpoints.errors, "Errors of a run", ErrorItem, answers.ERROR, PAGE, listed=True),
    f"{_RUN}/error-summary": Endpoint(
        endpoints.error_summary, "Groups of a run's errors", ErrorGroup, answers.ERROR_GROUP, _GROUPS, listed=True
    ),
    f"{_RUN}/infrastructure-errors": Endpoint(
        endpoints.infrastructure_errors,
        "What went wrong around a run",
        InfrastructureError,
        answers.INFRASTRUCTURE_ERROR,
        PAGE,
        listed=True,
    ),
    f"{_RUN}/logs": Endpoint(
        endpoints.logs,
        "Lines of a run's build log",
        LogLine,
        ("level", "source", "message"),
        _LOGS,
        listed=True,
        more={"run_id": {"type": "integer"}, "sample_id": _NULL, "timestamp": _NULL},
    ),
    "/samples": Endpoint(endpoints.samples, "Samples", SampleItem, answers.SAMPLE, _SAMPLES, listed=True),
    _SAMPLE: Endpoint(endpoints.sample, "A sample", SampleItem, answers.SAMPLE),
    f"{_SAMPLE}/details": Endpoint(
        endpoints.sample_details,
        "A sample in full; media information is not published",
        SampleDocument,
        answers.SAMPLE_DETAILS,
        more={"media_info": _NULL},
    ),
    f"{_SAMPLE}/history": Endpoint(
        endpoints.history, "Results with a sample", HistoryEntry, answers.HISTORY_ENTRY, _HISTORY, listed=True
    ),
    "/regression-tests": Endpoint(
        endpoints.regression_tests,
        "Regression tests",
        RegressionTestItem,
        answers.REGRESSION_TEST,
        _TESTS,
        listed=True,
    ),
    _ONE_TEST: Endpoint(
        endpoints.regression_test,
        "A regression test",
        RegressionTestDocument,
        (*answers.REGRESSION_TEST, "outputs"),
    ),
    "/categories": Endpoint(endpoints.categories, "Categories", Category, answers.CATEGORY, PAGE, listed=True),
    "/tags": Endpoint(endpoints.tags, "Tags", Tag, answers.TAG, PAGE, listed=True),
    "/system/queue": Endpoint(
        endpoints.queue, "Runs that wait or are at work", RunItem, answers.RUN, PAGE, listed=True
    ),
}
"""Path below `ROOT` → endpoint. The parameters in paths are ids."""


def openapi() -> dict[str, Any]:
    """OpenAPI 3.1 of the live API."""
    schemas = Schemas("#/components/schemas/")
    operations = {ROOT + path: {"get": _operation(path, one, schemas)} for path, one in ENDPOINTS.items()}
    return {
        "openapi": "3.1.1",
        "info": {
            "title": "CCExtractor Sample Platform, read from the published tree",
            "version": "1",
            "description": "The platform's own read API. What no published document holds is answered with 501, or by "
            "the platform if the server names one.",
        },
        "paths": operations,
        "components": {
            "schemas": {
                **schemas.definitions,
                "Error": {
                    "type": "object",
                    "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "details": _ANY_OBJECT},
                    "required": ["code", "message", "details"],
                },
            },
        },
    }


def _operation(path: str, one: Endpoint, schemas: Schemas) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", path)
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answer = {"application/json": {"schema": _body(one, schemas)}}
    id_schema = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
    return {
        "operationId": one.answer.__name__,
        "summary": one.summary,
        "parameters": [
            *({"name": name, "in": "path", "required": True, "schema": id_schema} for name in names),
            *(
                {"name": name, "in": "query", "schema": schema, "description": description}
                for name, schema, description in one.parameters
            ),
        ],
        "responses": {
            "200": {"description": one.summary, "content": answer},
            **({"400": {"description": "A parameter cannot be so.", "content": error}} if one.parameters else {}),
            **({"404": {"description": "There is none.", "content": error}} if names else {}),
            "502": {"description": "The published tree cannot be read now.", "content": error},
        },
    }


def _body(one: Endpoint, schemas: Schemas) -> Schema:
    """The schema of an answer."""
    item = _item(one, schemas)
    if not one.listed:
        return item
    by_cursor = one.answer is endpoints.logs
    following = {"next_cursor": ["string", "null"]} if by_cursor else {"next_offset": ["integer", "null"]}
    return {
        "type": "object",
        "properties": {
            "data": {"type": "array", "items": item},
            "pagination": {
                "type": "object",
                "properties": {
                    "limit": {"type": "integer"},
                    **{name: {"type": types} for name, types in following.items()},
                },
                "required": ["limit", *following],
            },
            "meta": _ANY_OBJECT,
        },
        "required": ["data", "pagination"],
    }


def _item(one: Endpoint, schemas: Schemas) -> Schema:
    """The schema of an answer, or of an item of its list: fields of a published shape, and more."""
    properties: dict[str, Any] = dict(one.more)
    if one.shape is not None:
        schemas.of(one.shape)
        published = schemas.definitions[name_of(one.shape)]["properties"]
        properties |= {name: _as_there(name, published[name]) for name in one.fields}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _as_there(name: str, schema: Schema) -> Schema:
    """The schema of a published field as the platform has it: some of its times end with `+00:00`."""
    if name not in answers.OFFSET_TIMES:
        return schema
    return {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}
