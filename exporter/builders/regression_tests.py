"""Regression tests, categories and tags: their lists, facets and documents."""

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any

from exporter import paths
from exporter.builders import targets
from exporter.builders.facets import lists, numbered
from exporter.documents.catalog import ExpectedOutput, RegressionTest
from exporter.documents.encoding import Document, encode
from exporter.rules.lineage import Lineage
from exporter.rules.outcomes import category_names
from exporter.rules.result_matrix import Found, entry
from exporter.rules.stability import stability
from exporter.rules.status import PLATFORMS
from exporter.source.catalog import Catalog, Named, OutputRow, TestRow

RECENT = 50
"""Results per platform in a regression test's document."""

_ACTIVE = {True: "true", False: "false", None: None}


def _item(test: TestRow, catalog: Catalog) -> RegressionTest:
    sample = catalog.samples[test.sample_id] if test.sample_id is not None else None
    return {
        "regression_test_id": test.id,
        "sample_id": test.sample_id,
        "sample_name": sample.original_name if sample else None,
        "command": test.command,
        "input_type": test.input_type,
        "output_type": test.output_type,
        "expected_rc": test.expected_rc,
        "active": test.active,
        "categories": category_names(catalog, test),
        "description": test.description,
    }


def _output(output: OutputRow) -> ExpectedOutput:
    return {
        "id": output.id,
        "correct": output.correct,
        "correct_extension": output.correct_extension,
        "expected_filename": output.expected_filename,
        "ignore": output.ignore,
        "variants": [{"id": id_, "hash": hash_} for id_, hash_ in output.variants],
    }


Recent = Callable[[int, str], list[Found]]
"""Gives a regression test's newest 100 results on a platform, or all, newest first."""


def documents(
    catalog: Catalog, touched: Container[str], recent: Recent, lines: Mapping[str, Lineage]
) -> Iterator[Document]:
    """Every list and facet of the regression tests, and the documents of those that were touched.

    Args:
        catalog: the catalogue.
        touched: the subjects that may have changed.
        recent: gives newest results.
        lines: platform → the sequence of all results there.
    """
    items = [_item(test, catalog) for test in catalog.tests.values()]

    def show(item: RegressionTest, path: str) -> dict[str, Any]:
        return {**item, "href": paths.relative(path, paths.regression_test(item["regression_test_id"]))}

    def tags(item: RegressionTest) -> list[str | None]:
        sample = item["sample_id"]
        return [] if sample is None else [catalog.tags[tag].name for tag in catalog.samples[sample].tags]

    family = paths.REGRESSION_TESTS
    yield from numbered(family, items, show)
    yield from lists(family, "active", items, lambda item: [_ACTIVE[item["active"]]], show, always=("true", "false"))
    yield from lists(family, "category", items, lambda item: item["categories"], show)
    yield from lists(family, "tag", items, tags, show)
    for item, test in zip(items, catalog.tests.values(), strict=True):
        if targets.regression_test(test.id) in touched:
            yield _document(item, test, recent, lines)


def _document(item: RegressionTest, test: TestRow, recent: Recent, lines: Mapping[str, Lineage]) -> Document:
    path = paths.regression_test(test.id)
    sample = item["sample_id"]
    found = {platform: recent(test.id, platform) for platform in PLATFORMS}
    history = None if sample is None else paths.document(paths.sample_history(sample))
    return (
        path,
        encode(
            {
                **item,
                "outputs": [_output(output) for output in test.outputs],
                "last_passed_on_linux": test.last_passed_on_linux,
                "last_passed_on_windows": test.last_passed_on_windows,
                "recent": {platform: list(map(entry, newest[:RECENT])) for platform, newest in found.items()},
                "stability": {
                    platform: stability(
                        newest, lines[platform].tests.get(test.id), lines[platform].runtimes.get(test.id, {})
                    )
                    for platform, newest in found.items()
                },
                "links": {
                    "sample": None if sample is None else paths.relative(path, paths.sample(sample)),
                    "history": None if history is None else paths.relative(path, history),
                },
            }
        ),
    )


def named_documents(catalog: Catalog) -> Iterator[Document]:
    """The lists of categories and tags, by name."""

    def by_name(row: Named) -> tuple[bool, str, str, int]:
        name = row.name or ""
        return row.name is None, name.casefold(), name, row.id

    def tag(row: Named, _path: str) -> dict[str, Any]:
        return {"id": row.id, "name": row.name, "description": row.description}

    def category(row: Named, path: str) -> dict[str, Any]:
        return {**tag(row, path), "test_count": catalog.test_counts.get(row.id, 0)}

    yield from numbered(paths.CATEGORIES, sorted(catalog.categories.values(), key=by_name), category)
    yield from numbered(paths.TAGS, sorted(catalog.tags.values(), key=by_name), tag)
