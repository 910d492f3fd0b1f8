"""Failures, case by case: their codes, how grave they are, what tells one from another."""

import itertools
from typing import Any

import pytest

from exporter.rules import failures
from exporter.rules.failures import FailureCode
from exporter.rules.status import ResultFile

A, B, C = "a" * 64, "b" * 64, "c" * 64
SENTINEL = ResultFile(-1, "", "error")


@pytest.mark.parametrize(
    ("result", "files", "exit_code", "expected"),
    [
        ("pass", [ResultFile(1, A, None)], 0, None),
        ("missing_output", [ResultFile(1, A, B)], 1, "missing_output"),
        ("fail", [ResultFile(1, A, None), ResultFile(2, A, B), ResultFile(3, A, C)], 1, "diff_mismatch:output:2"),
        ("fail", [ResultFile(1, A, "")], 0, "diff_mismatch:output:1"),
        ("fail", [SENTINEL, ResultFile(4, A, B)], 0, "diff_mismatch:output:4"),
        ("fail", [SENTINEL], 139, "exit_code_mismatch:rc:139"),
        ("fail", [], None, "exit_code_mismatch:rc:None"),
        ("fail", [SENTINEL], 0, None),
    ],
)
def test_failure_signature(result: Any, files: list[ResultFile], exit_code: int | None, expected: str | None) -> None:
    assert failures.failure_signature(result, files, exit_code, 0) == expected


CODES = {
    "SEGFAULT": (139, -11, -1073741819),
    "ABORT": (134, -6, -1073740791),
    "KILLED": (137, -9),
    "TIMEOUT": (124, 143, -15),
}
CRASHES = [(code, exit_code) for code, exit_codes in CODES.items() for exit_code in exit_codes]


@pytest.mark.parametrize("result", ["fail", "missing_output"])
@pytest.mark.parametrize(("code", "exit_code"), CRASHES)
def test_a_crash_is_named_whatever_was_written(code: str, exit_code: int, result: Any) -> None:
    found = failures.classification(result, exit_code, 0, 1, 1)
    assert found is not None and found[0] == code
    assert found[1].startswith(f"The test ended with exit code {exit_code}, which means ") and found[1].endswith(".")
    assert failures.classification("pass", exit_code, exit_code, 0, 0) is None


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (("pass", 0, 0, 0, 0), None),
        (("pass", None, None, 0, 0), None),
        (("missing_output", 0, 0, 1, 0), ("MISSING_OUTPUT", "The test did not write an output that was expected.")),
        (("missing_output", 1, 0, 2, 1), ("MISSING_OUTPUT", "The test did not write 2 outputs that were expected.")),
        (("missing_output", 0, 0, 0, 0), ("MISSING_OUTPUT", "The test did not write any output.")),
        (("fail", 1, 0, 0, 1), ("EXIT_CODE_MISMATCH", "The test ended with exit code 1 instead of 0.")),
        (("fail", None, 0, 0, 0), ("EXIT_CODE_MISMATCH", "The test ended with exit code None instead of 0.")),
        (("fail", 0, 10, 0, 0), ("EXIT_CODE_MISMATCH", "The test ended with exit code 0 instead of 10.")),
        (("fail", 0, 0, 0, 1), ("OUTPUT_DIFF", "1 output differs from all that is accepted.")),
        (("fail", 10, 10, 0, 3), ("OUTPUT_DIFF", "3 outputs differ from all that is accepted.")),
        (
            ("fail", 139, 139, 0, 1),
            ("SEGFAULT", "The test ended with exit code 139, which means a segmentation fault."),
        ),
    ],
)
def test_classification_is_the_first_rule_that_applies(facts: Any, expected: Any) -> None:
    assert failures.classification(*facts) == expected


GRAVITY: list[tuple[FailureCode, ...]] = [
    ("OUTPUT_DIFF",),
    ("EXIT_CODE_MISMATCH",),
    ("MISSING_OUTPUT",),
    ("TIMEOUT", "KILLED"),
    ("ABORT",),
    ("SEGFAULT",),
]
"""Codes from the least grave ones on."""


def test_failures_are_graver_in_this_order() -> None:
    places = {code: place for place, codes in enumerate(GRAVITY) for code in codes}
    assert places.keys() == set(failures.FAILURE_CODES)
    for code, earlier in itertools.product(places, places):
        assert failures.is_graver(code, earlier) is (places[code] > places[earlier])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((0, [ResultFile(1, A, None)]), (0, [ResultFile(1, A, None)]), True),
        ((0, [ResultFile(1, A, B)]), (0, [ResultFile(1, B, None)]), True),  # what was expected is what was written
        ((0, [ResultFile(1, A, B)]), (0, [ResultFile(1, C, B)]), True),
        ((0, [ResultFile(1, A, None)]), (1, [ResultFile(1, A, None)]), False),
        ((0, [ResultFile(1, A, None)]), (0, [ResultFile(2, A, None)]), False),
        ((0, [ResultFile(1, A, None)]), (0, []), False),
        ((0, [ResultFile(1, A, "")]), (0, [ResultFile(1, A, None)]), False),
        ((0, [ResultFile(1, A, None)]), (0, [SENTINEL, ResultFile(1, A, None)]), False),
        ((None, []), (0, []), False),
    ],
)
def test_results_of_the_same_output(one: Any, other: Any, same: bool) -> None:
    assert (failures.output_fingerprint(*one) == failures.output_fingerprint(*other)) is same
