"""The status rules, case by case."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rules import status
from exporter.rules.status import ResultFile

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
    ("output_id", "got", "expected"), [(-1, "error", True), (-1, A, False), (-1, None, False), (7, "error", False)]
)
def test_a_sentinel_has_both_marks(output_id: int, got: str | None, expected: bool) -> None:
    assert ResultFile(output_id, "", got).is_sentinel is expected


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


CODES = {
    "SEGFAULT": (139, -11, -1073741819),
    "ABORT": (134, -6, -1073740791),
    "TIMEOUT": (124, 143, -15, 137),
}
CRASHES = [(code, exit_code) for code, exit_codes in CODES.items() for exit_code in exit_codes]


@pytest.mark.parametrize("result", ["fail", "missing_output"])
@pytest.mark.parametrize(("code", "exit_code"), CRASHES)
def test_a_crash_is_named_whatever_was_written(code: str, exit_code: int, result: Any) -> None:
    found = status.classification(result, exit_code, 0, 1, 1)
    assert found is not None and found[0] == code
    assert found[1].startswith(f"The test ended with exit code {exit_code}, which means a") and found[1].endswith(".")
    assert status.classification("pass", exit_code, exit_code, 0, 0) is None


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
    assert status.classification(*facts) == expected


@pytest.mark.parametrize(
    ("newest", "expected"),
    [
        ("", False),
        ("p", False),
        ("pfpf", False),  # three changes
        ("pfpfp", True),
        ("mpfpm", True),
        ("fmfmfmfmfm", False),  # ways of failing are no changes
        ("pfpf" + "p" * 4, True),
        ("pfpf" + "p" * 5, False),  # the fourth lasts
        ("pfpf" + "fmfmf", False),
        ("fpfp" + "fmfmf", False),  # a failure lasts, in whatever ways
        ("pfpfpf" + "f" * 4, True),  # the fifth lasts, four are left
        ("pfpfp" + "f" * 5, True),
        ("pfpf" + "p" * 20, False),  # long ago
        ("pfpf" + "p" * 16 + "f", True),
        ("pfpf" + "p" * 17 + "f", False),
        ("f" * 20 + "p" * 5, False),
        ("ppppffffppppffffpppp", True),
        ("ppppffffpppffffppppp", False),
    ],
)
def test_is_flaky(newest: str, expected: bool) -> None:
    assert status.is_flaky(newest) is expected


@pytest.mark.parametrize(
    ("newest", "before", "expected"),
    [
        ([100] * 20, [100] * 19, None),
        ([100] * 19, [100] * 80, None),
        ([100] * 20, [100] * 20, False),
        ([125] * 20, [100] * 80, False),
        ([126] * 20, [100] * 80, True),
        ([126] * 10 + [100] * 10, [100] * 80, False),  # the lower median
        ([126] * 11 + [9] * 9, [100] * 80, True),
        ([1_000_000] * 9 + [100] * 11, [100] * 80, False),  # outliers now
        ([126] * 20, [100] * 60 + [1_000_000] * 20, True),  # outliers then
        ([160] * 20, [80, 100, 120] * 20, False),  # within three deviations of 20
        ([161] * 20, [80, 100, 120] * 20, True),
        ([1] * 20, [0] * 20, True),
        ([50] * 20, [100] * 80, False),
    ],
)
def test_is_slower(newest: list[int], before: list[int], expected: bool | None) -> None:
    assert status.is_slower(newest, before) is expected


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=300), st.sampled_from([1, 50, 95, 100]))
def test_counted_runtimes_give_quantiles_within_one_percent(times: list[int], percent: int) -> None:
    exact = sorted(times)[math.ceil(len(times) * percent / 100) - 1]
    assert status.quantile(sorted(times), percent) == exact
    counts: dict[int, int] = {}
    for time in times:
        bucket = status.runtime_bucket(time)
        counts[bucket] = counts.get(bucket, 0) + 1
    found = status.bucket_quantile(sorted(counts.items()), percent)
    assert found is not None and abs(found - exact) <= 0.01 * exact + 0.5
    assert status.bucket_quantile([], percent) is None is status.quantile([], percent)
