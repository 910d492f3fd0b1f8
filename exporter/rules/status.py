"""The platform's rules for what passed and what did not. Pure functions, no I/O.

The rules are those of `docs/contract.md`, "Status rules"; the functions take rows' values and know no document.
"""

import functools
import itertools
import math
from collections.abc import Collection, Iterable, Sequence
from typing import Literal, NamedTuple, get_args

ResultStatus = Literal["pass", "fail", "missing_output"]
RunStatus = Literal["queued", "running", "canceled", "error", "fail", "pass", "incomplete"]
Match = Literal["exact", "variant", "different", "missing"]
FailureCode = Literal["SEGFAULT", "ABORT", "TIMEOUT", "MISSING_OUTPUT", "EXIT_CODE_MISMATCH", "OUTPUT_DIFF"]
VerdictCode = Literal["new_regression", "still_failing", "never_passed", "flaky", "no_history"]

RUN_STATUSES: tuple[RunStatus, ...] = ("queued", "running", "canceled", "error", "fail", "pass", "incomplete")
PLATFORMS = ("linux", "windows")
FAILURE_CODES: tuple[FailureCode, ...] = get_args(FailureCode)
VERDICT_CODES: tuple[VerdictCode, ...] = get_args(VerdictCode)

SENTINEL_OUTPUT_ID = -1
SENTINEL_GOT = "error"

WINDOW = 20
"""The newest results that tell whether a test is flaky."""

_FLAKY_CHANGES = 4
_LASTING = 5

_CRASHES: tuple[tuple[FailureCode, str, frozenset[int]], ...] = (
    ("SEGFAULT", "a segmentation fault", frozenset({139, -11, -1073741819})),
    ("ABORT", "an abort", frozenset({134, -6, -1073740791})),
    ("TIMEOUT", "a time limit", frozenset({124, 143, -15, 137})),
)

_INFRASTRUCTURE = (
    (("provisioning", "vm ", "instance"), "vm_provisioning"),
    (("checkout", "git clone", "fetch"), "checkout"),
    (("merge", "conflict"), "merge"),
    (("build", "compile", "make"), "build"),
    (("worker", "timeout", "connection"), "worker"),
    (("storage", "disk", "gcs"), "storage"),
)


class ResultFile(NamedTuple):
    """A row of `test_result_file`, of one result."""

    output_id: int
    expected: str | None
    got: str | None

    @property
    def is_sentinel(self) -> bool:
        """Whether the row only says that the test wrote nothing at all."""
        return self.output_id == SENTINEL_OUTPUT_ID and self.got == SENTINEL_GOT


def output_match(got: str | None, variants: Collection[str]) -> Match:
    """How a result file's content stands to what was expected; an empty `got` is a content like any other."""
    if got is None:
        return "exact"
    return "variant" if got in variants else "different"


def result_status(
    *,
    missing: bool,
    sentinel_only: bool,
    exit_code: int | None,
    expected_rc: int | None,
    matches: Iterable[Match],
) -> ResultStatus:
    """The status of one result, by the first rule that applies.

    Args:
        missing: an output that the test expects and does not ignore has no result file.
        sentinel_only: the test has no outputs at all, and a sentinel row.
        exit_code: what the test exited with; null counts as a value.
        expected_rc: what it should have exited with.
        matches: of every result file, the sentinel's included.
    """
    if missing or sentinel_only:
        return "missing_output"
    if exit_code != expected_rc or "different" in matches:
        return "fail"
    return "pass"


def run_status(last_progress: str | None, results: Collection[ResultStatus]) -> RunStatus:
    """The status of a run from its progress row with the highest id (None: it has none) and its results."""
    match last_progress:
        case None:
            return "queued"
        case "preparation" | "testing":
            return "running"
        case "canceled":
            return "canceled"
        case "completed":
            if not results:
                return "error"
            return "pass" if set(results) == {"pass"} else "fail"
        case _:
            return "incomplete"


def failure_signature(
    status: ResultStatus, files: Sequence[ResultFile], exit_code: int | None, expected_rc: int | None
) -> str | None:
    """What tells one way of failing from another; `files` by ascending output id."""
    if status == "missing_output":
        return "missing_output"
    if status == "fail":
        for file in files:
            if file.got is not None and not file.is_sentinel:
                return f"diff_mismatch:output:{file.output_id}"
        if exit_code != expected_rc:
            return f"exit_code_mismatch:rc:{exit_code}"
    return None


def is_infrastructure_error(progress_status: str | None, message: str | None) -> bool:
    """Whether a progress row tells of a failure of the platform itself, and not of somebody's wish to cancel."""
    return progress_status == "canceled" and "via API" not in (message or "")


def infrastructure_error_type(message: str) -> str:
    """The kind of an infrastructure error, by the first word that its message holds."""
    lowered = message.lower()
    return next((kind for words, kind in _INFRASTRUCTURE if any(word in lowered for word in words)), "worker")


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


def state_changes(passed: str) -> int:
    """How often results changed between pass (`p`) and anything else, in a sequence of letters, oldest first."""
    states = [letter == "p" for letter in passed]
    return sum(a != b for a, b in itertools.pairwise(states))


def is_flaky(newest: str) -> bool:
    """Whether a test is flaky, from the letters (`p`: pass) of its newest results, oldest first.

    It is if the newest 20 results have at least four state changes. The last change does not count if at least five
    results have been alike since: that is a change that lasts, such as a regression or its fix.
    """
    window = newest[-WINDOW:]
    changes = state_changes(window)
    lasting = len(window) > _LASTING and len({letter == "p" for letter in window[-_LASTING:]}) == 1
    return changes - (1 if lasting and changes else 0) >= _FLAKY_CHANGES


def median(values: Iterable[int]) -> int | None:
    """The lower median, a value that was measured; None of nothing."""
    return quantile(sorted(values), 50)


def quantile(ascending: Sequence[int], percent: int) -> int | None:
    """The nearest-rank quantile: the least value that so many percent of all do not exceed; None of nothing."""
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)] if ascending else None


_GAMMA = 1.02


@functools.lru_cache(maxsize=65536)
def runtime_bucket(runtime: int) -> int:
    """The bucket of a runtime in ms: bounds grow by 2 %, so that a bucket's value is right to within 1 %.

    After Masson, Rim and Lee, "DDSketch", VLDB 2019.
    """
    return math.ceil(math.log(runtime, _GAMMA)) if runtime > 0 else -1


def bucket_quantile(counts: Sequence[tuple[int, int]], percent: int) -> int | None:
    """The nearest-rank quantile in ms, to within 1 %, of ascending buckets with their counts; None of nothing."""
    rank = max(1, -(-sum(count for _, count in counts) * percent // 100))
    for bucket, count in counts:
        rank -= count
        if rank <= 0:
            return 0 if bucket < 0 else round(2 * _GAMMA**bucket / (_GAMMA + 1))
    return None


def is_slower(newest: Sequence[int], before: Sequence[int]) -> bool | None:
    """Whether a test has become slower, from its newest 20 runtimes in ms and the (at most 80) before them.

    It has if the median rose by more than a quarter and by more than three times the earlier ones' median absolute
    deviation: one slow machine or a few outliers move neither. None with fewer than 20 of either.
    """
    now, then = median(newest), median(before)
    if now is None or then is None or len(newest) < WINDOW or len(before) < WINDOW:
        return None
    deviation = median([abs(value - then) for value in before]) or 0
    return now > then * 1.25 and now - then > 3 * deviation
