"""Regression tests, categories and tags: their lists, facets and documents."""

from collections.abc import Callable, Container, Iterator, Mapping
from typing import Any, NamedTuple

from exporter import paths
from exporter.builders import targets
from exporter.builders.facets import Facet, lists, numbered
from exporter.builders.sample_history import NewestResults, entry
from exporter.documents.analysis import Slowdown as SlowdownDocument
from exporter.documents.analysis import SlowerTest, TestedOn
from exporter.documents.analysis import Stability as StabilityDocument
from exporter.documents.analysis import Window as WindowDocument
from exporter.documents.encoding import Document, encode
from exporter.documents.regression_tests import ExpectedOutput, RegressionTest
from exporter.paths import PLATFORMS
from exporter.rules.history import HistorySummary
from exporter.rules.lineage import MainLine
from exporter.rules.lineage_state import Lineage
from exporter.rules.outcomes import category_names, sample_of
from exporter.rules.stability import Slowdown, Stability, Window, slowdown, stability
from exporter.source.catalog import Catalog, Named, OutputRow, TestRow

RECENT = 50
"""Results per platform in a regression test's document."""

_ACTIVE = {True: "true", False: "false", None: None}


def _item(test: TestRow, catalog: Catalog) -> RegressionTest:
    sample = sample_of(catalog, test.id)
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


Recent = Callable[[int, str], NewestResults]
"""Returns a regression test's newest 100 results on a platform, or all."""


class Histories(NamedTuple):
    """What documents of regression tests show of results.

    Args:
        all_results: platform → all counted results there.
        main: platform → the main lineage there.
        main_line: which runs it is made of.
    """

    recent: Recent
    all_results: Mapping[str, Lineage]
    main: Mapping[str, Lineage]
    main_line: MainLine


NO_HISTORIES = Histories(
    lambda test, platform: NewestResults([], []),
    {platform: Lineage() for platform in PLATFORMS},
    {platform: Lineage() for platform in PLATFORMS},
    MainLine(),
)
"""Of a catalogue without results."""


def documents(catalog: Catalog, dirty: Container[str], histories: Histories) -> Iterator[Document]:
    """Every list and facet of the regression tests, and the documents of those that are dirty targets."""
    items = [_item(test, catalog) for test in catalog.tests.values()]

    def show(item: RegressionTest, path: str) -> dict[str, Any]:
        return {**item, "href": paths.relative(path, paths.regression_test(item["regression_test_id"]))}

    def tags(item: RegressionTest) -> list[str]:
        sample = item["sample_id"]
        return [] if sample is None else catalog.tag_names(catalog.samples[sample])

    family = paths.REGRESSION_TESTS
    yield from numbered(family, items, show)
    facets: list[Facet[RegressionTest]] = [
        Facet(family, "active", lambda item: [_ACTIVE[item["active"]]], ("true", "false")),
        Facet(family, "category", lambda item: item["categories"]),
        Facet(family, "tag", tags),
    ]
    for facet in facets:
        yield from lists(facet, items, show)
    for item, test in zip(items, catalog.tests.values(), strict=True):
        if targets.regression_test(test.id) in dirty:
            yield _document(item, test, histories)


def _document(item: RegressionTest, test: TestRow, histories: Histories) -> Document:
    path = paths.regression_test(test.id)
    sample = item["sample_id"]
    found = {platform: histories.recent(test.id, platform) for platform in PLATFORMS}
    history = None if sample is None else paths.document(paths.sample_history(sample))
    document = {
        **item,
        "outputs": [_output(output) for output in test.outputs],
        "last_passed_on_linux": test.last_passed_on_linux,
        "last_passed_on_windows": test.last_passed_on_windows,
        "recent": {
            platform: [entry(one, histories.main_line.holds(one[0])) for one in newest.all[:RECENT]]
            for platform, newest in found.items()
        },
        "stability": {
            platform: _stability(test.id, newest, histories.all_results[platform], histories.main[platform])
            for platform, newest in found.items()
        },
        "links": {
            "sample": None if sample is None else paths.relative(path, paths.sample(sample)),
            "history": None if history is None else paths.relative(path, history),
        },
    }
    return path, encode(document)


def _stability(test: int, newest: NewestResults, whole: Lineage, main: Lineage) -> StabilityDocument:
    """A test's stability on a platform."""
    summary: HistorySummary | None = whole.of_test(test)
    found: Stability = stability(newest.counted, summary, main.of_test(test), whole.runtimes.get(test, {}))
    return {
        "windows": {name: _window(window) for name, window in found.windows.items()},  # type: ignore[misc]
        "state_changes": summary.changes if summary else 0,
        "state_changes_20": found.state_changes_20,
        "flaky": found.flaky,
        "longest_pass_streak": summary.longest_pass if summary else 0,
        "longest_fail_streak": summary.longest_fail if summary else 0,
        "first_failure_run": summary.first_failure if summary else None,
        "last_failure_run": summary.last_failure if summary else None,
        "slower": found.slower,
        "slowdown": found.slowdown and _slowdown(found.slowdown),
    }


def _slowdown(found: Slowdown) -> SlowdownDocument:
    return {"before_ms": found.before, "after_ms": found.after, "since_run": found.since_run}


def tested_on(test: TestRow, platform: str, catalog: Catalog) -> TestedOn:
    """A test on a platform, as lists of such show it."""
    sample = sample_of(catalog, test.id)
    return {
        "regression_test_id": test.id,
        "platform": platform,
        "sample_id": test.sample_id,
        "sample_name": sample.original_name if sample else None,
        "command": test.command,
        "categories": category_names(catalog, test),
    }


def slower(catalog: Catalog, recent: Recent) -> list[SlowerTest]:
    """The active tests that have become slower, by test and platform."""
    return [
        {
            **tested_on(test, platform, catalog),
            **_slowdown(found),
            "href": "",
        }
        for test in catalog.tests.values()
        if test.active
        for platform in PLATFORMS
        if (found := slowdown(recent(test.id, platform).counted))
    ]


def _window(window: Window) -> WindowDocument:
    return {
        "results": window.results,
        "passed": window.passed,
        "pass_rate": window.pass_rate,
        "runtime_ms": {"median": window.median, "p95": window.p95},
    }


def named_documents(catalog: Catalog) -> Iterator[Document]:
    """The lists of categories and tags, by name."""

    def by_name(row: Named) -> tuple[bool, str, str, int]:
        name = row.name or ""
        return row.name is None, name.casefold(), name, row.id

    def tag(row: Named, _path: str) -> dict[str, Any]:
        return {"id": row.id, "name": row.name, "description": row.description or ""}

    def category(row: Named, _path: str) -> dict[str, Any]:
        shown = {"id": row.id, "name": row.name, "description": row.description}
        return {**shown, "test_count": catalog.test_counts.get(row.id, 0)}

    yield from numbered(paths.CATEGORIES, sorted(catalog.categories.values(), key=by_name), category)
    yield from numbered(paths.TAGS, sorted(catalog.tags.values(), key=by_name), tag)
