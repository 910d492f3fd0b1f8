"""JUnit XML of a run: valid by the schemas that are in use, and read back by a reader of JUnit that is not ours."""

import io
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from junitparser import Error, JUnitXml
from junitparser import Failure as FailureElement

from exporter.documents.junit import Case, Failure, Suite, count, junit
from tests.support.junit_rules import faults, faults_by_rules, faults_by_schemas, schemas

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


def failure(code: str, command: str = "--out=srt") -> Failure:
    return Failure(code, "It failed.", "new_regression", "broken", {"command": command, "document": None})


CASES = [
    ("DVB", Case(1, 1500, None)),
    ("DVB", Case(2, 1500, failure("SEGFAULT"))),
    ("DVB", Case(3, None, failure("OUTPUT_DIFF"))),
    (None, Case(4, 250, None)),
]


def suites_of(*cases: tuple[str | None, Case], passes: bool = False) -> Iterable[Suite]:
    suites: dict[str, Suite] = {}
    for category, case in cases:
        suite = count(suites, category, case.runtime_ms)
        if passes or case.failure:
            suite.listed.append(case)
    return suites.values()


def parsed(xml: bytes) -> list[Any]:
    assert list(faults(xml)) == []
    return list(JUnitXml.fromroot(JUnitXml.fromfile(io.BytesIO(xml))._elem))


@pytest.mark.parametrize(("passes", "listed"), [(False, [2, 3]), (True, [1, 2, 3, 4])])
def test_counts_are_those_of_all_results(passes: bool, listed: list[int]) -> None:
    suites = parsed(junit(RUN, suites_of(*CASES, passes=passes)))
    assert [(one.name, one.tests, one.failures, one.errors, one.time) for one in suites] == [
        ("uncategorised", 1, 0, 0, 0.25),
        ("DVB", 3, 1, 1, 3.0),
    ]
    cases = [case for suite in suites for case in suite]
    assert sorted(case.name for case in cases) == [f"regression-test-{number}" for number in listed]


def test_a_crash_is_an_error_and_a_difference_a_failure() -> None:
    suites = parsed(junit(RUN, suites_of(*CASES)))
    told = {case.name: case.result[0] for suite in suites for case in suite}
    assert isinstance(told["regression-test-2"], Error) and told["regression-test-2"].type == "SEGFAULT"
    assert isinstance(told["regression-test-3"], FailureElement) and told["regression-test-3"].message == "It failed."
    assert told["regression-test-3"].text == "command: --out=srt\nverdict: new_regression\nmain: broken"
    properties = {one.name: one.value for suite in suites for one in suite.properties()}
    assert properties["regression-test-2.verdict"] == "new_regression" and properties["branch"] == "master"


def test_reporters_of_gitlab_and_github_find_what_they_show() -> None:
    """GitLab tells cases by class and name, GitHub's reporters show message and text; both take time for seconds."""
    cases = list(ET.fromstring(junit(RUN, suites_of(*CASES, passes=True))).iter("testcase"))
    named = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(set(named)) == len(CASES) and all(all(names) for names in named)
    assert [float(case.get("time", "")) for case in cases] == [0.25, 1.5, 1.5, 0]
    failed = [one for case in cases for one in case]
    assert [one.tag for one in failed] == ["error", "failure"]
    assert all(one.get("message") and (one.text or "").startswith("command: ") for one in failed)


HOSTILE = "\x00\x1b[31m]]></failure><script>&\ud800\ufffe\"'\n\u202e\u00a0é"


def test_what_xml_cannot_hold_and_what_nobody_sees_is_replaced() -> None:
    run = {**RUN, "branch": HOSTILE, "repository": HOSTILE}
    xml = junit(run, suites_of((HOSTILE, Case(1, -5, failure("OUTPUT_DIFF", HOSTILE)))))
    (suite,) = parsed(xml)
    shown = "\ufffd\ufffd[31m]]></failure><script>&\ufffd\ufffd\"'\ufffd\ufffd\ufffdé"
    assert suite.name == shown and {one.value for one in suite.properties() if one.name == "branch"} == {shown}
    (case,) = suite
    assert case.result[0].text.splitlines()[0] == f"command: {shown}" and case.time == 0


@pytest.mark.parametrize("category", ["", " ", "\t"])
def test_a_suite_has_a_name(category: str) -> None:
    assert parsed(junit(RUN, suites_of((category, Case(1, 1, None)))))[0].name not in ("", None)


def test_an_empty_run_has_no_suite() -> None:
    assert parsed(junit(RUN, [])) == []


def mutants() -> Iterator[ET.Element]:
    """Copies of a document with one thing wrong in each, or left out that may be."""
    whole = junit(RUN, suites_of(*CASES, passes=True))
    for place in range(len(list(ET.fromstring(whole).iter()))):
        yield (made := ET.fromstring(whole))
        for name in list(made.iter())[place].attrib:
            for value in (None, "x", "", "-1", "1,5", "2026-06-01T10:00:00Z"):
                one = list((made := ET.fromstring(whole)).iter())[place]
                one.attrib.pop(name) if value is None else one.set(name, value)
                yield made
        one = list((made := ET.fromstring(whole)).iter())[place]
        one[:] = reversed(one)
        yield made
        ET.SubElement(list((made := ET.fromstring(whole)).iter())[place], "other")
        yield made
        list((made := ET.fromstring(whole)).iter())[place].set("other", "1")
        yield made


def test_the_schemas_accept_ours_and_the_table_is_as_strict() -> None:
    assert schemas().keys() == {"JUnit.xsd", "jenkins-junit.xsd", "junit-10.xsd"}
    found = [(list(faults_by_rules(data)), list(faults_by_schemas(data))) for data in map(ET.tostring, mutants())]
    lax = [by_schemas for by_rules, by_schemas in found if by_schemas and not by_rules]
    assert not lax, "what a schema finds wrong the table finds wrong"
    refused = sum(bool(by_schemas) for _, by_schemas in found)
    assert refused > 100 and any(by_schemas == [] for _, by_schemas in found)
