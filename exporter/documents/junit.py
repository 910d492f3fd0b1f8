"""A run as JUnit XML, for the tools that show test results: one suite per category, one case per regression test.

Valid by the schema of Ant's JUnit task and by that of Jenkins' xUnit plugin: what these have no attribute for (verdict,
standing on the main line, links) is in the suite's properties and in the text of the failure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from exporter.documents import xml_text
from exporter.templating import printable

CRASHES = frozenset({"SEGFAULT", "ABORT", "TIMEOUT", "KILLED"})
"""Codes of tests that did not end by themselves: JUnit's `error`; the others are its `failure`."""

_NO_CATEGORY = "uncategorised"


class Failure(NamedTuple):
    """Why a case failed.

    Args:
        verdict: the code of the verdict.
        main: how it stands to the main line; None for a run of the main line.
        facts: name → value of what else is shown of it; a None is left out.
    """

    code: str
    reason: str
    verdict: str
    main: str | None
    facts: Mapping[str, object]

    @property
    def standing(self) -> dict[str, object]:
        """How it stands to earlier results."""
        return {"verdict": self.verdict, "main": self.main}


def facts(
    command: str | None, sample: str | None, exit_codes: tuple[int | None, int | None], document: str | None
) -> dict[str, object]:
    """`Failure.facts`: the test's command and sample, its exit code and the expected one, its document's URL."""
    code, expected = exit_codes
    return {"command": command, "sample": sample, "exit code": f"{code} (expected {expected})", "document": document}


class Case(NamedTuple):
    """A result: its test, the first of the test's categories, its runtime in ms, and why it failed, if it did."""

    regression_test_id: int
    category: str | None
    runtime_ms: int | None
    failure: Failure | None

    @property
    def name(self) -> str:
        """A name that does not change when the test's command or its sample's name does."""
        return f"regression-test-{self.regression_test_id}"


def junit(run: Mapping[str, Any], cases: Iterable[Case], *, passes: bool) -> bytes:
    """The XML of one run.

    Args:
        run: as lists of runs have it.
        cases: every result of the run.
        passes: whether those that passed are listed, or only counted.
    """
    suites: dict[str, list[Case]] = {}
    for case in cases:
        suites.setdefault(case.category or "", []).append(case)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    properties = _properties(
        {name: run[name] for name in ("run_id", "repository", "branch", "commit_sha", "pr_number")}
    )
    suite = {
        "package": "ccextractor",
        "timestamp": (run["completed_at"] or run["started_at"] or xml_text.NO_TIME).removesuffix("Z"),
        "hostname": run["platform"] or "unknown",
    }
    for number, category in enumerate(sorted(suites)):
        name = printable(category).strip() or _NO_CATEGORY
        lines.append(
            f"  <testsuite{xml_text.attributes({'name': name, 'id': number, **suite, **_counts(suites[category])})}>"
        )
        lines += _contents(name, suites[category], properties, passes=passes)
    return "\n".join([*lines, "</testsuites>", ""]).encode()


def _counts(cases: Sequence[Case]) -> dict[str, object]:
    failed = [case.failure for case in cases if case.failure is not None]
    errors = sum(failure.code in CRASHES for failure in failed)
    return {
        "tests": len(cases),
        "failures": len(failed) - errors,
        "errors": errors,
        "time": _seconds(sum([case.runtime_ms or 0 for case in cases])),
    }


def _properties(values: Mapping[str, object]) -> list[str]:
    return [
        f"      <property{xml_text.attributes({'name': name, 'value': value})}/>"
        for name, value in values.items()
        if value is not None
    ]


def _contents(name: str, cases: Sequence[Case], properties: Iterable[str], *, passes: bool) -> Iterator[str]:
    """What stands in a suite; `properties` are those that all suites of the run share."""
    yield "    <properties>"
    yield from properties
    for case in cases:
        if case.failure is not None:
            standing = case.failure.standing.items()
            yield from _properties({f"{case.name}.{property_name}": value for property_name, value in standing})
    yield "    </properties>"
    for case in cases:
        if passes or case.failure is not None:
            yield _case(case, name)
    yield "    <system-out/>"
    yield "    <system-err/>"
    yield "  </testsuite>"


def _case(case: Case, category: str) -> str:
    of_case = xml_text.attributes(
        {"classname": f"ccextractor.{category}", "name": case.name, "time": _seconds(case.runtime_ms or 0)}
    )
    if case.failure is None:
        return f"    <testcase{of_case}/>"
    failure = case.failure
    outcome = "error" if failure.code in CRASHES else "failure"
    shown = {**failure.facts, **failure.standing}
    text = "\n".join(f"{name}: {xml_text.text(value)}" for name, value in shown.items() if value is not None)
    message = xml_text.attributes({"type": failure.code, "message": failure.reason})
    return f"    <testcase{of_case}>\n      <{outcome}{message}>{text}</{outcome}>\n    </testcase>"


def _seconds(milliseconds: int) -> str:
    """Seconds, never below 0: a clock that was set back makes runtimes that no schema has."""
    return f"{max(milliseconds, 0) / 1000:.3f}"
