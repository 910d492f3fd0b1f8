"""The platform's rules for what passed and what did not. Pure functions, no I/O.

The rules are those of `docs/contract.md`, "Status rules"; the functions take rows' values and know no document.
"""

from collections.abc import Collection, Iterable
from typing import Literal, NamedTuple, get_args

ResultStatus = Literal["pass", "fail", "missing_output"]
RESULT_STATUSES: tuple[ResultStatus, ...] = get_args(ResultStatus)
RunStatus = Literal["queued", "running", "canceled", "error", "fail", "pass", "incomplete"]
Match = Literal["exact", "variant", "different", "missing"]

RUN_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)

SENTINEL_OUTPUT_ID = -1
SENTINEL_GOT = "error"

UNKNOWN_INFRASTRUCTURE_ERROR = "Unknown infrastructure error"
"""The message of an infrastructure error whose row has none."""

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
    *, missing: bool, sentinel_only: bool, exit_code: int | None, expected_rc: int | None, matches: Iterable[Match]
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


def is_infrastructure_error(progress_status: str | None, message: str | None) -> bool:
    """Whether a progress row reports a failure of the platform itself, and not that somebody canceled the run."""
    return progress_status == "canceled" and "via API" not in (message or "")


def infrastructure_error_type(message: str) -> str:
    """The kind of an infrastructure error, by the first word that its message holds."""
    lowered = message.lower()
    return next((kind for words, kind in _INFRASTRUCTURE if any(word in lowered for word in words)), "worker")
