"""Histories: what a sequence of one test's results on one platform says, and what two such sequences say together.

A sequence is a lineage (`lineage.py`), or all results of a platform; only counted results are in it. What a part of it
says of a test is a `HistorySummary`, and `concat` gives the summary of two parts of which the second follows the first.
So the state of a lineage before a partition is computed from the partitions before it, one step each, and what is
remembered grows with tests and not with results. The rules are those of `docs/contract.md`, "Verdicts".
"""

import functools
import hashlib
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from exporter.rules.failures import FailureCode
from exporter.rules.status import ResultStatus

WINDOW = 20
"""The newest results that tell whether a test is flaky."""

MOST_FAILURES = 10
"""Distinct failures of a test that a summary holds."""

ChangeKind = Literal["regression", "fix", "expectation"]

_STANDING = 2

_LETTERS: dict[FailureCode | None, str] = {
    None: "p",
    "OUTPUT_DIFF": "d",
    "EXIT_CODE_MISMATCH": "e",
    "MISSING_OUTPUT": "m",
    "TIMEOUT": "t",
    "KILLED": "k",
    "ABORT": "a",
    "SEGFAULT": "s",
}
_KEY = 8
_ENTRY = 1 + 2 * _KEY
_SHARED = "=" * _KEY
UNKNOWN_COMMIT = "-" * _KEY
"""The key of a commit that no row names: it is never the same commit as another."""


class Evaluated(Protocol):
    """A result as far as later ones are compared with it."""

    @property
    def status(self) -> ResultStatus:
        """Its status."""

    @property
    def code(self) -> FailureCode | None:
        """The code of its classification; None if it passed."""

    @property
    def output(self) -> str:
        """Equal for two results of the test with the same exit code and the same produced contents."""

    @property
    def accepted(self) -> bool:
        """Whether all that was written is accepted by the catalogue."""


class Row(NamedTuple):
    """A run's results by regression test id, and the `commit_key` of its commit."""

    run_id: int
    commit: str
    results: Mapping[int, Evaluated]


@functools.lru_cache(maxsize=65536)
def commit_key(sha: str | None) -> str:
    """A short text that is the same exactly for the same commit."""
    return (
        hashlib.blake2b(sha.encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
        if sha is not None
        else UNKNOWN_COMMIT
    )


class HistorySummary(NamedTuple):
    """What a part of one test's results in a lineage says; runs are ids.

    Tests whose results of a part all passed with one output share their summary: `output` and `first_output` are then
    empty, and `with_output` fills them in.

    Args:
        results: how many there are.
        passed: how many of them passed.
        first_passes: whether the oldest result passed.
        first_output: `Evaluated.output` of the oldest result.
        last_run: of the newest result.
        status: of the newest result.
        output: `Evaluated.output` of the newest result.
        last_pass: the newest run that passed.
        since: the first run of the failing streak at its end; None if it ends with a pass.
        first_failure: the oldest run that did not pass.
        last_failure: the newest run that did not pass.
        failure_code: of that run's result.
        changes: how often it changed between pass and anything else, with another output.
        lead: the length of the streak that it begins with.
        trail: the length of the streak that it ends with.
        longest_pass: of all streaks of passes.
        longest_fail: of all streaks of other results.
        newest: the newest 20 results, oldest first, as `_entry` has them.
        failures: (output, newest run) of the newest 10 distinct failures, newest first.
    """

    results: int
    passed: int
    first_passes: bool
    first_output: str
    last_run: int
    status: ResultStatus
    output: str
    last_pass: int | None
    since: int | None
    first_failure: int | None
    last_failure: int | None
    failure_code: FailureCode | None
    changes: int
    lead: int
    trail: int
    longest_pass: int
    longest_fail: int
    newest: str
    failures: tuple[tuple[str, int], ...]

    @property
    def passes(self) -> bool:
        """Whether it ends with a pass."""
        return self.since is None

    @property
    def is_shared(self) -> bool:
        """Whether tests with other outputs may have the same summary."""
        return not self.output

    def with_output(self, output: str) -> "HistorySummary":
        """The summary of a test that wrote this in all results, from one that tests share."""
        newest = self.newest.replace(_SHARED, output[:_KEY])
        return self._replace(first_output=output, output=output, newest=newest)


def _entry(code: FailureCode | None, commit: str, output: str) -> str:
    """A result in `HistorySummary.newest`: the letter of its code, its commit, its output."""
    return _LETTERS[code] + commit + output[:_KEY]


def single(run_id: int, commit: str, one: Evaluated) -> HistorySummary:
    """The summary of one result."""
    passes = one.status == "pass"
    failure = None if passes else run_id
    return HistorySummary(
        results=1,
        passed=int(passes),
        first_passes=passes,
        first_output=one.output,
        last_run=run_id,
        status=one.status,
        output=one.output,
        last_pass=run_id if passes else None,
        since=failure,
        first_failure=failure,
        last_failure=failure,
        failure_code=one.code,
        changes=0,
        lead=1,
        trail=1,
        longest_pass=int(passes),
        longest_fail=int(not passes),
        newest=_entry(one.code, commit, one.output),
        failures=() if passes else ((one.output, run_id),),
    )


def _all_passed(runs: Sequence[tuple[int, str]]) -> HistorySummary:
    """The summary that tests share which passed in all these (run, commit) with one output."""
    count, last = len(runs), runs[-1][0]
    return HistorySummary(
        results=count,
        passed=count,
        first_passes=True,
        first_output="",
        last_run=last,
        status="pass",
        output="",
        last_pass=last,
        since=None,
        first_failure=None,
        last_failure=None,
        failure_code=None,
        changes=0,
        lead=count,
        trail=count,
        longest_pass=count,
        longest_fail=0,
        newest="".join(_LETTERS[None] + commit + _SHARED for _, commit in runs[-WINDOW:]),
        failures=(),
    )


def summaries(rows: Sequence[Row]) -> tuple[dict[int, HistorySummary], dict[int, str]]:
    """The summaries of some runs of one lineage, oldest first.

    Returns: regression test id → its summary; and of those tests whose summary is shared → their output.
    """
    if not rows:
        return {}, {}
    steady = {test: one.output for test, one in rows[0].results.items() if one.status == "pass"}
    for row in rows[1:]:
        found = row.results
        steady = {
            test: output
            for test, output in steady.items()
            if (one := found.get(test)) is not None and one.output == output and one.status == "pass"
        }
    shared = dict.fromkeys(steady, _all_passed([(row.run_id, row.commit) for row in rows])) if steady else {}
    for test in {test for row in rows for test in row.results.keys() - steady.keys()}:
        summary = summary_of(rows, test)
        assert summary is not None
        shared[test] = summary
    return shared, steady


def summary_of(rows: Iterable[Row], test: int) -> HistorySummary | None:
    """One test's summary of some runs of one lineage, oldest first; None if it has no result in them."""
    found = [(run_id, commit, one) for run_id, commit, results in rows if (one := results.get(test)) is not None]
    if len(found) < 2:
        return single(*found[0]) if found else None
    states = "".join(["p" if one.status == "pass" else "f" for _, _, one in found])
    failing = [(run_id, one) for run_id, _, one in found if one.status != "pass"]
    passes = states[-1] == "p"
    count, trail = len(states), len(states) - len(states.rstrip(states[-1]))
    failures: dict[str, int] = {}
    for run_id, one in reversed(failing):
        failures.setdefault(one.output, run_id)
    return HistorySummary(
        results=count,
        passed=count - len(failing),
        first_passes=states[0] == "p",
        first_output=found[0][2].output,
        last_run=found[-1][0],
        status=found[-1][2].status,
        output=found[-1][2].output,
        last_pass=found[states.rindex("p")][0] if len(failing) < count else None,
        since=None if passes else found[count - trail][0],
        first_failure=failing[0][0] if failing else None,
        last_failure=failing[-1][0] if failing else None,
        failure_code=failing[-1][1].code if failing else None,
        changes=_changes_between([one for _, _, one in found]) if 0 < len(failing) < count else 0,
        lead=count - len(states.lstrip(states[0])),
        trail=trail,
        longest_pass=max(map(len, states.split("f"))),
        longest_fail=max(map(len, states.split("p"))),
        newest="".join([_entry(one.code, commit, one.output) for _, commit, one in found[-WINDOW:]]),
        failures=tuple(failures.items())[:MOST_FAILURES],
    )


def _changes_between(results: Sequence[Evaluated]) -> int:
    """How often neighbours are a pass and a failure of another output."""
    return sum(
        a.output != b.output and (a.status == "pass") != (b.status == "pass") for a, b in itertools.pairwise(results)
    )


def concat(a: HistorySummary | None, b: HistorySummary | None) -> HistorySummary | None:
    """The summary of two parts of which the second follows the first; None is that of an empty one. Associative.

    If one of them is shared, both must be, and the test's output in both the same.
    """
    if a is None or b is None:
        return a or b
    alike = a.passes == b.first_passes
    across = a.trail + b.lead if alike else 0
    known = {output for output, _ in b.failures}
    older = tuple(failure for failure in a.failures if failure[0] not in known) if a.failures else ()
    return HistorySummary(
        results=a.results + b.results,
        passed=a.passed + b.passed,
        first_passes=a.first_passes,
        first_output=a.first_output,
        last_run=b.last_run,
        status=b.status,
        output=b.output,
        last_pass=a.last_pass if b.last_pass is None else b.last_pass,
        since=a.since if b.since is not None and not b.passed and a.since is not None else b.since,
        first_failure=b.first_failure if a.first_failure is None else a.first_failure,
        last_failure=a.last_failure if b.last_failure is None else b.last_failure,
        failure_code=a.failure_code if b.failure_code is None else b.failure_code,
        changes=a.changes + b.changes + (not alike and a.output != b.first_output),
        lead=a.lead + b.lead if alike and a.lead == a.results else a.lead,
        trail=a.trail + b.trail if alike and b.trail == b.results else b.trail,
        longest_pass=max(a.longest_pass, b.longest_pass, across if a.passes else 0),
        longest_fail=max(a.longest_fail, b.longest_fail, 0 if a.passes else across),
        newest=(a.newest + b.newest)[-WINDOW * _ENTRY :],
        failures=(b.failures + older)[:MOST_FAILURES],
    )


def turn(past: HistorySummary, one: Evaluated) -> ChangeKind | None:
    """What a result changes on the main line, whose earlier results are `past`; None if it changes nothing.

    A pass and a fail of the same output are a change of expectation. It is reported if the output is accepted by the
    catalogue, or if the status before stood for at least two results: where the expectation alternates from run to run
    (CCExtractor/sample-platform#1173), neither the test nor anybody's mind has changed.
    """
    passes = one.status == "pass"
    if past.passes == passes:
        return None
    if past.output != one.output:
        return "fix" if passes else "regression"
    return "expectation" if one.accepted or past.trail >= _STANDING else None


class Entry(NamedTuple):
    """A result of `HistorySummary.newest`: the letter of its code, the keys of its commit and output."""

    letter: str
    commit: str
    output: str

    @property
    def passes(self) -> bool:
        """Whether it is a pass."""
        return self.letter == "p"


def entries(newest: str) -> list[Entry]:
    """The results that `HistorySummary.newest` holds, oldest first."""
    return [
        Entry(newest[at], newest[at + 1 : at + 1 + _KEY], newest[at + 1 + _KEY : at + _ENTRY])
        for at in range(0, len(newest), _ENTRY)
    ]


def is_steady(newest: str) -> bool:
    """Whether all of `HistorySummary.newest` passed, or none did."""
    letters = newest[::_ENTRY]
    return letters.count("p") in (0, len(letters))


def with_result(newest: str, commit: str, one: Evaluated) -> str:
    """The newest results, with one more."""
    return (newest + _entry(one.code, commit, one.output))[-WINDOW * _ENTRY :]


def failed_with(newest: str, code: FailureCode) -> bool:
    """Whether a failure of this code stands among the newest results."""
    return any(newest[at] == _LETTERS[code] for at in range(0, len(newest), _ENTRY))
