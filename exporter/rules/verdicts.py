"""Verdicts: whether a failure is news, from the results of the same test before it. Pure functions.

The rules are those of `docs/contract.md`, "Verdicts".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from exporter.rules.failures import FailureCode, is_graver
from exporter.rules.flakiness import is_flaky
from exporter.rules.history import Evaluated, HistorySummary, failed_with
from exporter.rules.status import ResultStatus

VerdictCode = Literal["new_regression", "still_failing", "never_passed", "flaky", "no_history"]
VERDICT_CODES: tuple[VerdictCode, ...] = get_args(VerdictCode)

MainState = Literal["broken", "same", "different", "no_reference"]
MainCount = Literal["broken", "flaky", "same", "different", "no_reference", "worse"]
MAIN_COUNTS: tuple[MainCount, ...] = get_args(MainCount)

_SUSPECT_TESTS = 20
_SUSPECT_PERCENT = 30


class MainStanding(NamedTuple):
    """How a failure stands to the test's newest result on the main line.

    Args:
        state: `broken`: that passed, with another output; `same`: it has the same output; `different`: it failed
            otherwise; `no_reference`: there is none.
        run_id: the run of that result.
        status: that result's.
        same_failure_run_id: where the state is `broken`, the newest run of the main line that failed exactly so.
        worse: whether the failure is graver than the newest earlier one: on its own lineage, else on the main line.
    """

    state: MainState
    run_id: int | None
    status: ResultStatus | None
    same_failure_run_id: int | None
    worse: bool


class Verdict(NamedTuple):
    """Whether a failure is news; fields as in `documents.results.Verdict`, runs are ids."""

    code: VerdictCode
    line: Literal["own", "main"] | None
    since_run: int | None
    last_pass_run: int | None
    previous_run: int | None
    signature_changed: bool | None
    flaky_test: bool
    main: MainStanding | None


@dataclass(frozen=True, slots=True)
class Past:
    """A test's results before a run.

    Args:
        own: on the run's own lineage; None: that is the main lineage, or it has none.
        main: on the main lineage.
        on_main: whether the run is of the main line.
        is_rerun: whether it is a rerun of an old commit of the main line.
    """

    own: HistorySummary | None = None
    main: HistorySummary | None = None
    on_main: bool = False
    is_rerun: bool = False

    def flaky_windows(self) -> list[str]:
        """The newest results on each lineage by which the test is flaky."""
        found = [] if self.main is None or not is_flaky(self.main.newest) else [self.main.newest]
        if self.own is not None and is_flaky(self.own.newest, within_commits=True):
            found.append(self.own.newest)
        return found


def verdict(past: Past, code: FailureCode, one: Evaluated) -> Verdict:
    """The verdict on a failure of this code."""
    windows = past.flaky_windows()
    standing = None if past.on_main else _against_main(past, code, one)
    reference = past.own or past.main
    if reference is None:
        return Verdict("no_history", None, None, None, None, None, False, standing)
    last_pass = reference.last_pass
    if last_pass is None and past.main is not None:
        last_pass = past.main.last_pass
    found: VerdictCode = "still_failing"
    if last_pass is None:
        found = "never_passed"
    elif any(failed_with(window, code) for window in windows):
        found = "flaky"
    elif reference.passes and reference.output != one.output and not past.is_rerun:
        found = "new_regression"
    return Verdict(
        code=found,
        line="own" if past.own else "main",
        since_run=_since(past, reference),
        last_pass_run=last_pass,
        previous_run=reference.last_run,
        signature_changed=None if reference.passes else reference.output != one.output,
        flaky_test=bool(windows),
        main=standing,
    )


def _since(past: Past, reference: HistorySummary) -> int | None:
    """The first run of the failing streak; a lineage that never passed the test may have inherited the failure."""
    main = past.main.since if past.main is not None else None
    if past.own is not None and not past.own.passed and main is not None and reference.since is not None:
        return min(reference.since, main)
    return reference.since


def _against_main(past: Past, code: FailureCode, one: Evaluated) -> MainStanding:
    main = past.main
    earlier = next((part.failure_code for part in (past.own, main) if part and part.failure_code), None)
    worse = earlier is not None and is_graver(code, earlier)
    if main is None:
        return MainStanding("no_reference", None, None, None, worse)
    if main.output == one.output:
        return MainStanding("same", main.last_run, main.status, None, worse)
    if not main.passes:
        return MainStanding("different", main.last_run, main.status, None, worse)
    return MainStanding("broken", main.last_run, main.status, dict(main.failures).get(one.output), worse)


def main_counts(verdicts: Iterable[Verdict]) -> dict[MainCount, int]:
    """How a run's failures stand to the main line; `broken` without those whose verdict is `flaky`."""
    counts = dict.fromkeys(MAIN_COUNTS, 0)
    for one in verdicts:
        if one.main is not None:
            counts["flaky" if (one.main.state, one.code) == ("broken", "flaky") else one.main.state] += 1
            counts["worse"] += one.main.worse
    return counts


def suspect(
    codes: Mapping[int, FailureCode], verdicts: Mapping[int, Verdict], results: int
) -> tuple[FailureCode, int] | None:
    """The code with which so many tests newly fail that it looks like the machine, and how many; None: there is none.

    Args:
        codes: regression test id → the code of its failure.
        verdicts: of these.
        results: number of the run's results.
    """
    new = Counter(code for test, code in codes.items() if verdicts[test].code == "new_regression")
    found = [
        (count, code)
        for code, count in new.items()
        if count >= _SUSPECT_TESTS and 100 * count >= _SUSPECT_PERCENT * results
    ]
    if not found:
        return None
    count, code = max(found, key=lambda one: one[0])
    return code, count
