"""The status rules, case by case."""

from typing import Any

import pytest

from exporter.rules import status
from exporter.rules.status import ResultFile

A, B = "a" * 64, "b" * 64


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
    ("output_id", "got", "expected"), [(-1, "error", True), (-1, A, False), (-1, None, False), (7, "error", False)]
)
def test_a_sentinel_has_both_marks(output_id: int, got: str | None, expected: bool) -> None:
    assert ResultFile(output_id, "", got).is_sentinel is expected


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
        # Each kind comes before the next one, whatever stands first in the message.
        ("fetch failed on the instance", "vm_provisioning"),
        ("merge failed after checkout", "checkout"),
        ("cannot compile: conflict", "merge"),
        ("timeout of the build", "build"),
        ("disk full on the worker", "worker"),
        ("storage: connection refused", "worker"),
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
        ("canceled", "canceled via api", True),  # the API writes its name in capitals
        ("canceled", "Canceled Via API", True),
        ("completed", "VM lost", False),
    ],
)
def test_what_is_an_infrastructure_error(progress: str, message: str | None, expected: bool) -> None:
    assert status.is_infrastructure_error(progress, message) is expected
