"""JUnit XML of a run, read back by a reader of JUnit that is not ours."""

import io
from typing import Any

import pytest
from junitparser import Error, Failure, JUnitXml

from exporter.documents.junit import Passes, junit

RUN: dict[str, Any] = {
    "run_id": 7,
    "platform": "linux",
    "repository": "CCExtractor/ccextractor",
    "branch": "master",
    "commit_sha": "a" * 40,
    "pr_number": None,
    "completed_at": "2026-06-01T10:00:00Z",
    "started_at": None,
}


def result(number: int, runtime: int | None = 1500, category: str | None = "DVB") -> dict[str, Any]:
    return {"regression_test_id": number, "runtime_ms": runtime, "categories": [category] if category else []}


def failure(number: int, code: str, **more: Any) -> dict[str, Any]:
    return {
        "regression_test_id": number,
        "command": "--out=srt",
        "sample_name": "a.ts",
        "exit_code": 1,
        "expected_rc": 0,
        "classification": {"code": code, "reason": "It failed."},
        "verdict": {"code": "new_regression", "main": {"state": "broken"}},
        "href": "7/samples/1.json",
        **more,
    }


RESULTS = [result(1), result(2), result(3, None), result(4, 250, None)]
FAILURES = {2: failure(2, "SEGFAULT"), 3: failure(3, "OUTPUT_DIFF")}


def parsed(xml: bytes) -> JUnitXml:
    return JUnitXml.fromroot(JUnitXml.fromfile(io.BytesIO(xml))._elem)


@pytest.mark.parametrize(("passes", "listed"), [("count", [2, 3]), ("list", [1, 2, 3, 4])])
def test_counts_are_those_of_all_results(passes: Passes, listed: list[int]) -> None:
    xml = parsed(junit(RUN, RESULTS, FAILURES, passes))
    assert (xml.tests, xml.failures, xml.errors, xml.time) == (4, 1, 1, 3.25)
    cases = [case for suite in xml for case in suite]
    assert sorted(case.name for case in cases) == [f"regression-test-{number}" for number in listed]
    assert sum(suite.tests for suite in xml) == 4 and sum(suite.errors for suite in xml) == 1


def test_a_crash_is_an_error_and_a_difference_a_failure() -> None:
    xml = parsed(junit(RUN, RESULTS, FAILURES))
    told = {case.name: case.result[0] for suite in xml for case in suite}
    assert isinstance(told["regression-test-2"], Error) and told["regression-test-2"].type == "SEGFAULT"
    assert isinstance(told["regression-test-3"], Failure) and told["regression-test-3"].message == "It failed."
    assert "main: broken" in told["regression-test-3"].text
    properties = {one.name: one.value for suite in xml for one in suite.properties()}
    assert properties["regression-test-2.verdict"] == "new_regression"


def test_what_xml_cannot_hold_is_replaced() -> None:
    hostile = "\x00\x1b[31m]]><script>&\ud800\ufffe"
    run = {**RUN, "branch": hostile}
    failures = {1: failure(1, "OUTPUT_DIFF", command=hostile, sample_name=hostile)}
    xml = parsed(junit(run, [result(1, category=hostile)], failures))
    (suite,) = xml
    assert suite.name == "\ufffd\ufffd[31m]]><script>&\ufffd\ufffd"


def test_an_empty_run_has_no_suite() -> None:
    assert list(parsed(junit(RUN, [], {}))) == []
