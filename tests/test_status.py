"""The status rules, case by case."""

from typing import Any

import pytest

from exporter import status
from exporter.status import ResultFile

A, B, C = "a" * 64, "b" * 64, "c" * 64
SENTINEL = ResultFile(-1, "", "error")


@pytest.mark.parametrize(
    ("got", "variants", "match"),
    [(None, [], "exact"), (A, [A], "variant"), (A, [B], "different"), ("", [A], "different"), (A, [], "different")],
)
def test_output_match(got: str | None, variants: list[str], match: str) -> None:
    assert status.output_match(got, variants) == match


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "pass"),
        ({"matches": ["exact", "variant"]}, "pass"),
        ({"matches": ["exact", "different"]}, "fail"),
        ({"exit_code": 1}, "fail"),
        ({"exit_code": None}, "fail"),
        ({"expected_rc": None}, "fail"),
        ({"exit_code": None, "expected_rc": None}, "pass"),
        ({"exit_code": 10, "expected_rc": 10}, "pass"),
        ({"missing": True, "exit_code": 139}, "missing_output"),
        ({"sentinel_only": True, "matches": ["different"]}, "missing_output"),
    ],
)
def test_result_status_is_the_first_rule_that_applies(facts: dict[str, Any], expected: str) -> None:
    rule = {"missing": False, "sentinel_only": False, "exit_code": 0, "expected_rc": 0, "matches": []}
    assert status.result_status(**(rule | facts)) == expected


@pytest.mark.parametrize(
    ("last", "results", "expected"),
    [
        (None, [], "queued"),
        ("preparation", [], "running"),
        ("testing", ["fail"], "running"),
        ("canceled", ["pass"], "canceled"),
        ("completed", [], "error"),
        ("completed", ["pass", "pass"], "pass"),
        ("completed", ["pass", "missing_output"], "fail"),
        ("exploded", ["pass"], "incomplete"),
    ],
)
def test_run_status(last: str | None, results: list[Any], expected: str) -> None:
    assert status.run_status(last, results) == expected


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
    assert status.failure_signature(result, files, exit_code, 0) == expected


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("VM creation failed", "vm_provisioning"),
        ("the VM is gone", "vm_provisioning"),
        ("Instance lost its connection", "vm_provisioning"),
        ("git clone: build", "checkout"),
        ("merge CONFLICT in build", "merge"),
        ("cmake failed", "build"),
        ("connection lost", "worker"),
        ("GCS quota", "storage"),
        ("", "worker"),
    ],
)
def test_infrastructure_error_type_is_the_first_word_found(message: str, kind: str) -> None:
    assert status.infrastructure_error_type(message) == kind


@pytest.mark.parametrize(
    ("progress", "message", "expected"),
    [
        ("canceled", "VM lost", True),
        ("canceled", "Canceled via API by somebody", False),
        ("canceled", None, True),
        ("completed", "VM lost", False),
    ],
)
def test_what_is_an_infrastructure_error(progress: str, message: str | None, expected: bool) -> None:
    assert status.is_infrastructure_error(progress, message) is expected
