"""A run as JUnit XML, for the tools that show test results: one suite per category, one case per regression test.

Valid by the schema of Ant's JUnit task and by that of Jenkins' xUnit plugin: what these have no attribute for (verdict,
standing on the main line, links) is in the suite's properties and in the text of the failure.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal
from xml.etree import ElementTree as ET  # only written here, never read

Passes = Literal["count", "list"]
"""Whether results that pass are counted alone, or listed as well."""

CRASHES = frozenset({"SEGFAULT", "ABORT", "TIMEOUT", "KILLED"})
"""Codes of tests that did not end by themselves: JUnit's `error`; the others are its `failure`."""

_NO_CATEGORY = "uncategorised"
_FORBIDDEN = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold (section 2.2)."""


def junit(
    run: Mapping[str, Any],
    results: Iterable[Mapping[str, Any]],
    failures: Mapping[int, Mapping[str, Any]],
    passes: Passes = "count",
) -> bytes:
    """The XML of one run.

    Args:
        run: as `runs/ID.json` has it.
        results: every result of the run, as `runs/ID/samples.json` has them.
        failures: regression test id → the result, as `runs/ID/failures.json` has it.
        passes: whether results that pass are listed.
    """
    suites: dict[str, list[Mapping[str, Any]]] = {}
    for result in results:
        suites.setdefault(_category(result), []).append(result)
    listed = [item for category in sorted(suites) for item in suites[category]]
    root = ET.Element("testsuites", _counts(listed, failures))
    root.set("name", _clean(f"run {run['run_id']} on {run['platform'] or 'unknown platform'}"))
    for number, category in enumerate(sorted(suites)):
        suite = ET.Element("testsuite", {"name": _clean(category), "id": str(number), "package": "ccextractor"})
        _fill(suite, run, suites[category], failures, passes)
        root.append(suite)
    ET.indent(root)
    xml: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return xml + b"\n"


def _category(result: Mapping[str, Any]) -> str:
    return str(next(iter(result["categories"]), _NO_CATEGORY))


def _counts(results: Sequence[Mapping[str, Any]], failures: Mapping[int, Mapping[str, Any]]) -> dict[str, str]:
    codes = [_code(failures[one["regression_test_id"]]) for one in results if one["regression_test_id"] in failures]
    errors = sum(code in CRASHES for code in codes)
    return {
        "tests": str(len(results)),
        "failures": str(len(codes) - errors),
        "errors": str(errors),
        "time": _seconds(sum(one["runtime_ms"] or 0 for one in results)),
    }


def _fill(
    suite: ET.Element,
    run: Mapping[str, Any],
    results: Sequence[Mapping[str, Any]],
    failures: Mapping[int, Mapping[str, Any]],
    passes: Passes,
) -> None:
    """Give a suite its counts, properties and cases."""
    for name, value in _counts(results, failures).items():
        suite.set(name, value)
    suite.set("timestamp", (run["completed_at"] or run["started_at"] or "1970-01-01T00:00:00Z").removesuffix("Z"))
    suite.set("hostname", run["platform"] or "unknown")
    properties = ET.SubElement(suite, "properties")
    facts = {name: run[name] for name in ("run_id", "repository", "branch", "commit_sha", "pr_number")}
    for name, value in facts.items():
        _property(properties, name, value)
    for result in results:
        failure = failures.get(result["regression_test_id"])
        if failure is not None:
            for name, value in _standing(failure).items():
                _property(properties, f"{_name(result)}.{name}", value)
        if failure is not None or passes == "list":
            suite.append(_case(result, failure))
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")


def _case(result: Mapping[str, Any], failure: Mapping[str, Any] | None) -> ET.Element:
    case = ET.Element(
        "testcase",
        {
            "classname": _clean(f"ccextractor.{_category(result)}"),
            "name": _name(result),
            "time": _seconds(result["runtime_ms"] or 0),
        },
    )
    if failure is not None:
        code = _code(failure)
        outcome = ET.SubElement(case, "error" if code in CRASHES else "failure")
        outcome.set("type", code)
        outcome.set("message", _clean(failure["classification"]["reason"]))
        lines = {
            "command": failure["command"],
            "sample": failure["sample_name"],
            "exit code": f"{failure['exit_code']} (expected {failure['expected_rc']})",
            **_standing(failure),
            "document": failure["href"],
        }
        outcome.text = _clean("\n".join(f"{name}: {value}" for name, value in lines.items() if value is not None))
    return case


def _standing(failure: Mapping[str, Any]) -> dict[str, Any]:
    """How a failure stands to earlier results: its verdict, and its state on the main line."""
    main = failure["verdict"].get("main")
    return {"verdict": failure["verdict"]["code"], "main": main["state"] if main else None}


def _name(result: Mapping[str, Any]) -> str:
    """A name that does not change when the test's command or its sample's name does."""
    return f"regression-test-{result['regression_test_id']}"


def _code(failure: Mapping[str, Any]) -> str:
    return str(failure["classification"]["code"])


def _property(properties: ET.Element, name: str, value: object) -> None:
    if value is not None:
        ET.SubElement(properties, "property", {"name": _clean(name), "value": _clean(str(value))})


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", text)
