"""Samples: their lists, facets and documents."""

from collections.abc import Callable, Container, Iterator
from typing import Any

from exporter import paths
from exporter.builders import targets
from exporter.builders.facets import Facet, lists, numbered
from exporter.documents.encoding import Document, encode
from exporter.documents.samples import Sample, Upload
from exporter.paths import PLATFORMS
from exporter.rules.status import ResultStatus
from exporter.source.catalog import Catalog, SampleRow

Newest = Callable[[int, str], ResultStatus | None]
"""Gives the status of a regression test's newest result on a platform."""


_STATUSES = ("active", "inactive")


def _item(sample: SampleRow, catalog: Catalog, tests: list[int]) -> Sample:
    active = sum(1 for test in tests if catalog.tests[test].active)
    extension = f".{sample.extension}" if sample.extension else ""
    return {
        "sample_id": sample.id,
        "sha": sample.sha,
        "extension": sample.extension,
        "original_name": sample.original_name,
        "filename": None if sample.sha is None else sample.sha + extension,
        "tags": catalog.tag_names(sample),
        "regression_test_count": active,
        "active": active > 0,
    }


def _upload(sample: SampleRow) -> Upload | None:
    if not sample.uploads:
        return None
    upload = sample.uploads[0]
    return {
        "platform": upload.platform,
        "parameters": upload.parameters,
        "notes": upload.notes,
        "version": upload.version,
        "version_released": upload.version_released,
    }


def documents(catalog: Catalog, dirty: Container[str], newest: Newest) -> Iterator[Document]:
    """Every list and facet of the samples, and the documents of those that are dirty targets."""
    tests_of = catalog.tests_of_sample
    items = [_item(sample, catalog, tests_of.get(sample.id, [])) for sample in catalog.samples.values()]

    def show(item: Sample, path: str) -> dict[str, Any]:
        return {**item, "href": paths.relative(path, paths.sample(item["sample_id"]))}

    yield from numbered(paths.SAMPLES, items, show)
    facets: list[Facet[Sample]] = [
        Facet(paths.SAMPLES, "tag", lambda item: item["tags"]),
        Facet(paths.SAMPLES, "extension", lambda item: [item["extension"]]),
        Facet(paths.SAMPLES, "status", lambda item: [_STATUSES[not item["active"]]], _STATUSES),
    ]
    for facet in facets:
        yield from lists(facet, items, show)
    for item, row in zip(items, catalog.samples.values(), strict=True):
        if item["sha"] is not None:
            path = paths.sample_by_sha(item["sha"])
            yield path, encode(show(item, path))
        if targets.sample(row.id) in dirty:
            yield _document(item, row, catalog, tests_of.get(row.id, []), newest)


def _document(item: Sample, row: SampleRow, catalog: Catalog, tests: list[int], newest: Newest) -> Document:
    """A sample in full.

    Of its tests' newest results only the status stands here: it seldom changes, so that a new run does not
    rewrite the documents of all samples; the rest is one link away.
    """
    path = paths.sample(row.id)
    document = {
        **item,
        "upload": _upload(row),
        "extra_files": [
            {"id": extra.id, "original_name": extra.original_name, "extension": extra.extension}
            for extra in row.extra_files
        ],
        "regression_tests": [
            {
                "regression_test_id": test,
                "command": catalog.tests[test].command,
                "active": catalog.tests[test].active,
                "newest": {platform: newest(test, platform) for platform in PLATFORMS},
                "href": paths.relative(path, paths.regression_test(test)),
            }
            for test in tests
        ],
        "issues": [
            {
                "issue_id": issue.issue_id,
                "title": issue.title,
                "status": issue.status,
                "created_at": issue.created_at,
            }
            for issue in row.issues
        ],
        "links": {"history": paths.relative(path, paths.document(paths.sample_history(row.id)))},
    }
    return path, encode(document)
