"""Failures: the code of each, how grave it is, and in what two differ. Pure functions.

The rules are those of `docs/contract.md`, "Classification" and "History".
"""

import hashlib
from collections.abc import Sequence
from typing import Literal, get_args

import orjson

from exporter.rules.status import ResultFile, ResultStatus

FailureCode = Literal["SEGFAULT", "ABORT", "KILLED", "TIMEOUT", "MISSING_OUTPUT", "EXIT_CODE_MISMATCH", "OUTPUT_DIFF"]
FAILURE_CODES: tuple[FailureCode, ...] = get_args(FailureCode)

_CRASHES: tuple[tuple[FailureCode, str, frozenset[int]], ...] = (
    ("SEGFAULT", "a segmentation fault", frozenset({139, -11, -1073741819})),
    ("ABORT", "an abort", frozenset({134, -6, -1073740791})),
    ("KILLED", "that it was killed, for want of memory most often", frozenset({137, -9})),
    ("TIMEOUT", "a time limit", frozenset({124, 143, -15})),
)

_GRAVITY: dict[FailureCode, int] = {
    "OUTPUT_DIFF": 0,
    "EXIT_CODE_MISMATCH": 1,
    "MISSING_OUTPUT": 2,
    "TIMEOUT": 3,
    "KILLED": 3,
    "ABORT": 4,
    "SEGFAULT": 5,
}


def is_graver(code: FailureCode, earlier: FailureCode) -> bool:
    """Whether a failure of one code is graver than one of another."""
    return _GRAVITY[code] > _GRAVITY[earlier]


def classification(
    status: ResultStatus, exit_code: int | None, expected_rc: int | None, missing: int, different: int
) -> tuple[FailureCode, str] | None:
    """Why a result is not `pass`, by the first that applies, with the reason in a sentence; None if it is.

    Args:
        status: the result's.
        exit_code: what the test exited with; on Windows a crash's NTSTATUS as a signed number.
        expected_rc: what it should have exited with.
        missing: number of outputs that were expected and not written.
        different: number of outputs that differ from all that is accepted.
    """
    if status == "pass":
        return None
    for code, what, exit_codes in _CRASHES:
        if exit_code in exit_codes:
            return code, f"The test ended with exit code {exit_code}, which means {what}."
    if status == "missing_output":
        outputs = "an output that was" if missing == 1 else f"{missing} outputs that were" if missing else "any output"
        return "MISSING_OUTPUT", f"The test did not write {outputs}{' expected' if missing else ''}."
    if exit_code != expected_rc:
        return "EXIT_CODE_MISMATCH", f"The test ended with exit code {exit_code} instead of {expected_rc}."
    outputs = "1 output differs" if different == 1 else f"{different} outputs differ"
    return "OUTPUT_DIFF", f"{outputs} from all that is accepted."


def failure_signature(
    status: ResultStatus, files: Sequence[ResultFile], exit_code: int | None, expected_rc: int | None
) -> str | None:
    """The platform's signature of a failure; `files` by ascending output id."""
    if status == "missing_output":
        return "missing_output"
    if status == "fail":
        for file in files:
            if file.got is not None and not file.is_sentinel:
                return f"diff_mismatch:output:{file.output_id}"
        if exit_code != expected_rc:
            return f"exit_code_mismatch:rc:{exit_code}"
    return None


def output_fingerprint(exit_code: int | None, files: Sequence[ResultFile]) -> str:
    """Equal for two results of a test if and only if their exit code and all that was written are the same.

    Where nothing else was written than expected, the expected content is what was written. A failure's output
    fingerprint is its failure fingerprint.
    """
    produced = [[file.output_id, file.expected if file.got is None else file.got] for file in files]
    return hashlib.blake2b(orjson.dumps([exit_code, produced]), digest_size=6).hexdigest()
