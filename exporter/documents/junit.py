"""A run as JUnit XML, for the tools that show test results: one suite per category, one case per regression test.

Valid by the schema of Ant's JUnit task and by that of Jenkins' xUnit plugin: what these have no attribute for (verdict,
standing on the main line, links) is in the suite's properties and in the text of the failure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """A result that is listed: its test, its runtime in ms, and why it failed, if it did."""

    regression_test_id: int
    runtime_ms: int | None
    failure: Failure | None

    @property
    def name(self) -> str:
        """A name that does not change when the test's command or its sample's name does."""
        return f"regression-test-{self.regression_test_id}"


@dataclass(slots=True)
class Suite:
    """The results of the tests with this first category: how many, the ms that they took, and those listed."""

    category: str
    tests: int = 0
    milliseconds: int = 0
    listed: list[Case] = field(default_factory=list)


def count(suites: dict[str, Suite], category: str | None, runtime_ms: int | None) -> Suite:
    """Count one more result in the suite of its test's first category, a new one if need be; return the suite."""
    suite = suites.get(category or "")
    if suite is None:
        suite = suites[category or ""] = Suite(category or "")
    suite.tests += 1
    suite.milliseconds += runtime_ms or 0
    return suite


def junit(run: Mapping[str, Any], suites: Iterable[Suite]) -> bytes:
    """The XML of one run; `run` is as lists of runs have it."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<testsuites>"]
    properties = _properties(
        {name: run[name] for name in ("run_id", "repository", "branch", "commit_sha", "pr_number")}
    )
    time = (run["completed_at"] or run["started_at"] or xml_text.NO_TIME).removesuffix("Z")
    of_run = xml_text.attributes(
        {"package": "ccextractor", "timestamp": time, "hostname": run["platform"] or "unknown"}
    )
    for number, suite in enumerate(sorted(suites, key=lambda suite: suite.category)):
        name = printable(suite.category).strip() or _NO_CATEGORY
        failed = [(case, case.failure) for case in suite.listed if case.failure is not None]
        counts = _counts(suite, [failure.code in CRASHES for _, failure in failed])
        lines.append(f"  <testsuite{xml_text.attributes({'name': name, 'id': number})}{of_run}{counts}>")
        lines += ["    <properties>", *properties]
        for case, failure in failed:
            lines += _properties({f"{case.name}.{key}": value for key, value in failure.standing.items()})
        lines.append("    </properties>")
        lines += [_case(case, name) for case in suite.listed]
        lines += ["    <system-out/>", "    <system-err/>", "  </testsuite>"]
    return "\n".join([*lines, "</testsuites>", ""]).encode()


def _counts(suite: Suite, crashed: Sequence[bool]) -> str:
    """The attributes of a suite that count its cases; `crashed` has an item for each that failed."""
    errors = sum(crashed)
    failures, time = len(crashed) - errors, _seconds(suite.milliseconds)
    return f' tests="{suite.tests}" failures="{failures}" errors="{errors}" time="{time}"'


def _properties(values: Mapping[str, object]) -> list[str]:
    return [
        f"      <property{xml_text.attributes({'name': name, 'value': value})}/>"
        for name, value in values.items()
        if value is not None
    ]


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
