"""Lines: sequences of results of the same tests on one platform, and what they say of a test at their end.

A *line* is what a failure is held against: the main line, or the runs of one pull request or of one branch of one
repository; all results of a platform are such a sequence as well. What a stretch of a line says of a test is a
`HistorySummary`, and two stretches that follow each other join to one. So the state of a line before a partition is
folded from the partitions before it, a step each, and whatever was folded once is remembered.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import orjson

from exporter import paths
from exporter.documents.runs import RunFacts
from exporter.rules.status import WINDOW, ResultStatus, state_changes

LETTERS: dict[ResultStatus, str] = {"pass": "p", "fail": "f", "missing_output": "m"}
STATUSES: dict[str, ResultStatus] = {letter: status for status, letter in LETTERS.items()}


class Evaluated(Protocol):
    """How a test ended: its status, and what tells one failure from another; None if it passed."""

    @property
    def status(self) -> ResultStatus:
        """Its status."""

    @property
    def how(self) -> str | None:
        """How it failed."""


Row = tuple[int, Mapping[int, Evaluated]]
"""A run's id, and regression test id → how it ended."""


class HistorySummary(NamedTuple):
    """What a stretch of one test's results on a line says; runs are ids.

    Args:
        results: how many there are.
        passed: how many of them passed.
        last_run: of the newest result.
        how: how the newest result failed (`outcomes.Outcome.how`); None if it passed.
        last_pass: the newest run that passed.
        since: the first run of the failing streak at its end; None if it ends with a pass.
        first_failure: the oldest run that did not pass.
        last_failure: the newest run that did not pass.
        changes: how often it changed between pass and anything else.
        lead: the length of the streak that it begins with.
        trail: the length of the streak that it ends with.
        longest_pass: of all streaks of passes.
        longest_fail: of all streaks of other results.
        newest: the letters of the newest 20 results, oldest first.
    """

    results: int
    passed: int
    last_run: int
    how: str | None
    last_pass: int | None
    since: int | None
    first_failure: int | None
    last_failure: int | None
    changes: int
    lead: int
    trail: int
    longest_pass: int
    longest_fail: int
    newest: str

    @property
    def passes(self) -> bool:
        """Whether it ends with a pass."""
        return self.since is None

    @property
    def status(self) -> ResultStatus:
        """The newest result's."""
        return STATUSES[self.newest[-1]]


def summary_of(runs: Sequence[int], letters: str, how: str | None) -> HistorySummary:
    """A stretch from its results, oldest first; there is at least one."""
    passed = letters.count("p")
    count = len(letters)
    last = runs[-1]
    newest = letters[-WINDOW:]
    if passed == count:
        return HistorySummary(count, passed, last, how, last, None, None, None, 0, count, count, count, 0, newest)
    states = "".join("p" if letter == "p" else "f" for letter in letters)
    failing = states.rstrip("f")
    trail = count - len(failing) or count - len(states.rstrip("p"))
    return HistorySummary(
        results=count,
        passed=passed,
        last_run=last,
        how=how,
        last_pass=runs[states.rindex("p")] if passed else None,
        since=runs[len(failing)] if len(failing) < count else None,
        first_failure=runs[states.index("f")],
        last_failure=runs[states.rindex("f")],
        changes=state_changes(states),
        lead=count - len(states.lstrip(states[0])),
        trail=trail,
        longest_pass=max(map(len, states.split("f"))),
        longest_fail=max(map(len, states.split("p"))),
        newest=newest,
    )


def summaries(rows: Sequence[Row]) -> dict[int, HistorySummary]:
    """Regression test id → its stretch, of the runs of one line, oldest first.

    Nearly all results pass, and tests that passed in the same runs share their segment.
    """
    everywhere = set(rows[0][1])
    for _, row in rows[1:]:
        everywhere &= row.keys()
    failing = {test for _, row in rows for test, one in row.items() if one.how is not None}
    steady = everywhere - failing
    found = dict.fromkeys(steady, summary_of([run for run, _ in rows], "p" * len(rows), None)) if steady else {}
    for test in {test for _, row in rows for test in row} - steady:
        one = stretch(rows, test)
        assert one is not None
        found[test] = one
    return found


def stretch(rows: Iterable[Row], test: int) -> HistorySummary | None:
    """One test's stretch of the runs of one line, oldest first; None if it has no result in them."""
    found = [(run, row[test]) for run, row in rows if test in row]
    if not found:
        return None
    return summary_of([run for run, _ in found], "".join(LETTERS[one.status] for _, one in found), found[-1][1].how)


def concat(a: HistorySummary | None, b: HistorySummary | None) -> HistorySummary | None:
    """The stretch that two make of which the second follows the first; None is an empty one."""
    if a is None or b is None:
        return a or b
    begins_passing = b.first_failure is None or (b.passed > 0 and _begins_passing(b))
    alike = a.passes == begins_passing
    across = a.trail + b.lead if alike else 0
    return HistorySummary(
        results=a.results + b.results,
        passed=a.passed + b.passed,
        last_run=b.last_run,
        how=b.how,
        last_pass=a.last_pass if b.last_pass is None else b.last_pass,
        since=a.since if b.since is not None and not b.passed and a.since is not None else b.since,
        first_failure=b.first_failure if a.first_failure is None else a.first_failure,
        last_failure=a.last_failure if b.last_failure is None else b.last_failure,
        changes=a.changes + b.changes + (not alike),
        lead=a.lead + b.lead if alike and a.lead == a.results else a.lead,
        trail=a.trail + b.trail if alike and b.trail == b.results else b.trail,
        longest_pass=max(a.longest_pass, b.longest_pass, across if a.passes else 0),
        longest_fail=max(a.longest_fail, b.longest_fail, 0 if a.passes else across),
        newest=(a.newest + b.newest)[-WINDOW:],
    )


def _begins_passing(one: HistorySummary) -> bool:
    """Whether a stretch that holds both begins with a pass: each change turns it, and its end is known."""
    return one.passes == (one.changes % 2 == 0)


class ReferenceRun(NamedTuple):
    """A run that others are compared with, and the digest of how its tests ended."""

    run_id: int
    digest: str


@dataclass(slots=True)
class Lineage:
    """A stretch of a line.

    Args:
        tests: regression test id → its results.
        finished: the newest run that ended with results.
        runtimes: regression test id → `runtime_bucket` → number of results; only of all results of a platform.
    """

    tests: dict[int, HistorySummary] = field(default_factory=dict)
    finished: ReferenceRun | None = None
    runtimes: dict[int, dict[int, int]] = field(default_factory=dict)

    def followed_by(self, other: "Lineage") -> "Lineage":
        """The stretch that this one and a later one make."""
        known: dict[tuple[int, int], HistorySummary | None] = {}
        tests = dict(self.tests)
        for test, b in other.tests.items():
            a = self.tests.get(test)
            pair = id(a), id(b)  # most tests share their segments, and those live as long as the lines
            if pair not in known:
                known[pair] = concat(a, b)
            tests[test] = known[pair]  # type: ignore[assignment]
        runtimes = dict(self.runtimes)
        for test, counts in other.runtimes.items():
            merged = dict(runtimes.get(test, ()))
            for bucket, count in counts.items():
                merged[bucket] = merged.get(bucket, 0) + count
            runtimes[test] = merged
        return Lineage(tests, other.finished or self.finished, runtimes)

    def of(self, tests: Iterable[int]) -> "Lineage":
        """The same of these tests alone, without runtimes."""
        return Lineage({test: self.tests[test] for test in tests if test in self.tests}, self.finished)

    def encoded(self) -> dict[str, Any]:
        """As JSON: tests with the same segment share it. Runtimes keep the order in which they were met."""
        groups: dict[int, tuple[HistorySummary, list[int]]] = {}  # by identity first: a segment's hash takes long
        for test, one in self.tests.items():
            group = groups.get(id(one))
            if group is None:
                groups[id(one)] = (one, [test])
            else:
                group[1].append(test)
        shared: dict[HistorySummary, list[int]] = {}
        for one, tests in groups.values():
            shared.setdefault(one, []).extend(tests)
        return {
            "tests": sorted(([*one, sorted(tests)] for one, tests in shared.items()), key=lambda row: row[-1][0]),
            "finished": self.finished,
            "runtimes": [[test, *counts, *counts.values()] for test, counts in self.runtimes.items()],
        }


def decode(value: Mapping[str, Any]) -> Lineage:
    """The inverse of `Line.encoded`."""
    tests: dict[int, HistorySummary] = {}
    for *fields, ids in value["tests"]:
        tests |= dict.fromkeys(ids, HistorySummary(*fields))
    return Lineage(
        tests,
        ReferenceRun(*value["finished"]) if value["finished"] else None,
        {test: dict(zip(row[: len(row) // 2], row[len(row) // 2 :], strict=True)) for test, *row in value["runtimes"]},
    )


def fingerprint(lines: Mapping[str, Lineage]) -> str:
    """The same for two states of the lines before a partition exactly if its documents tell the same of them."""
    told = []
    for name, line in sorted(lines.items()):
        if name.startswith(_ALL):
            tests: list[Any] = [[test, one.last_run, one.newest[-1]] for test, one in sorted(line.tests.items())]
        else:
            tests = [
                [test, one.last_run, one.how, one.last_pass, one.since, one.newest]
                for test, one in sorted(line.tests.items())
            ]
        told.append([name, line.finished, tests])
    return hashlib.blake2b(orjson.dumps(told, default=tuple), digest_size=8).hexdigest()


Lineages = dict[str, Lineage]
"""Name of a line, as the functions below give it → a stretch of it."""


@dataclass(frozen=True, slots=True)
class MainLine:
    """The main line: runs of type `commit` of this repository's branch."""

    repository: str = "CCExtractor/ccextractor"
    branch: str = "master"

    def holds(self, run: RunFacts) -> bool:
        """Whether a run is one of the main line."""
        return (run["test_type"], run["repository"], run["branch"]) == ("commit", self.repository, self.branch)


_ALL = "results/"


def main_lineage(platform: str) -> str:
    """The name of the main line on a platform."""
    return f"lines/{platform}/main"


def all_results(platform: str) -> str:
    """The name of the sequence of all results on a platform."""
    return _ALL + platform


def commit_lineage(platform: str, sha: str) -> str:
    """The name of the runs of a commit on a platform."""
    return f"commits/{platform}/{sha}"


def lineage_of(run: RunFacts, main: MainLine) -> str | None:
    """The name of a run's own line; None where the row does not say on which platform it ran.

    A pull request's runs are a line of their own, whatever fork they came from: forks are where pull requests come
    from, and the number says which belong together. Other runs belong with those of their repository and branch.
    """
    if run["platform"] is None:
        return None
    if main.holds(run):
        return main_lineage(run["platform"])
    if run["test_type"] == "pr" and run["pr_number"] is not None:
        return f"lines/{run['platform']}/pr/{run['pr_number']}"
    # Keys hold no slash, so that a null branch and one called "None" are two, as are `a/b` of `c` and `b` of `c/a`.
    key = paths.facet_key
    branch = "" if run["branch"] is None else f"/{key(run['branch'])}"
    return f"lines/{run['platform']}/branch/{key(run['repository'])}{branch}"


def lineages_of(run: RunFacts, main: MainLine) -> Iterator[str]:
    """The names of all lines that a run is on: its own, all of its platform, its commit's."""
    own, platform = lineage_of(run, main), run["platform"]
    if own is not None and platform is not None:
        yield own
        yield all_results(platform)
        if run["commit_sha"] is not None:
            yield commit_lineage(platform, run["commit_sha"])


def compared_lineages(names: Iterable[str]) -> set[str]:
    """The lines that the documents of runs on these tell of: these, the main lines, the commits' other platforms."""
    told = set(names)
    for name in names:
        kind, platform, *rest = name.split("/", 2)
        told.add(main_lineage(platform))
        other = other_platform(platform)
        if kind == "commits" and other:
            told.add(commit_lineage(other, rest[0]))
    return told


def is_commit_lineage(name: str) -> bool:
    """Whether a line is a commit's: of those only the newest finished run is told."""
    return name.startswith("commits/")


def other_platform(platform: str) -> str | None:
    """The platform that a run's commit may have run on before."""
    return {"linux": "windows", "windows": "linux"}.get(platform)
