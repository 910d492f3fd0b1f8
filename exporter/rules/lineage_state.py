"""What the runs of a lineage say of all its tests: the state that is remembered, joined and fingerprinted."""

import functools
import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from exporter.rules.history import HistorySummary, Row, concat, single, summaries, turn
from exporter.rules.lineage import MainCommits, RunFacts, commit_lineage, is_all_results, is_main_lineage

Tests = tuple[int, ...]


class ReferenceRun(NamedTuple):
    """A run to compare with, as documents show it, and whether it is partial."""

    run_id: int
    platform: str | None
    test_type: str | None
    repository: str
    branch: str | None
    commit_sha: str | None
    pr_number: int | None
    partial: bool


class CommitRun(NamedTuple):
    """A run of a commit, the digest of its results, and the tests that have one, ascending."""

    reference: ReferenceRun
    digest: str
    tests: Tests


class NewestCommit(NamedTuple):
    """The commit that a lineage is at."""

    sha: str | None


def reference_run(run: RunFacts) -> ReferenceRun:
    """A run as one to compare with."""
    return ReferenceRun(
        run.run_id,
        run.platform,
        run.test_type,
        run.repository,
        run.branch,
        run.commit_sha,
        run.pr_number,
        run.partial,
    )


def preferred(older: ReferenceRun | None, newer: ReferenceRun | None) -> ReferenceRun | None:
    """Which of two runs to compare with: the newer one, unless it alone is partial. Associative."""
    if older is None or newer is None:
        return older or newer
    return older if newer.partial and not older.partial else newer


def newest_reference(runs: Iterable[RunFacts]) -> ReferenceRun | None:
    """The newest run that is not partial, or the newest if all are, of runs from the oldest one on."""
    return functools.reduce(preferred, map(reference_run, runs), None)


@dataclass(slots=True)
class Lineage:
    """What a part of a lineage says; which fields are filled depends on the lineage.

    Args:
        tests: regression test id → its results; not of a commit's runs.
        outputs: of tests with a shared summary: regression test id → its output.
        reference: the newest run that is not partial, or the newest if all are; not of a commit's runs.
        commit: the commit of the newest run; of a main lineage only.
        commits: its counted runs, also those that do not extend it, and their commits; of a main lineage's part only.
        runs: of a commit: newest first, those in which a test has its newest result, or that is not partial.
        on_main: of a commit: whether it was counted on the main line.
        uncounted: of all results: tests with a result in a run that is not counted; of a part only.
        runtimes: of all results: regression test id → `runtime_bucket` → number of results.
    """

    tests: dict[int, HistorySummary] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    reference: ReferenceRun | None = None
    commit: NewestCommit | None = None
    commits: tuple[tuple[int, str | None], ...] = ()
    runs: tuple[CommitRun, ...] = ()
    on_main: bool = False
    uncounted: Tests = ()
    runtimes: dict[int, dict[int, int]] = field(default_factory=dict)

    def of_test(self, test: int) -> HistorySummary | None:
        """What it says of a test; None: it has no result."""
        found = self.tests.get(test)
        return found.with_output(self.outputs[test]) if found is not None and found.is_shared else found

    def output_of(self, test: int) -> str:
        """The output of a test's newest result; it has one."""
        return self.outputs.get(test) or self.tests[test].output

    def followed_by(self, other: "Lineage") -> "Lineage":
        """What this part and a later one say together."""
        tests, outputs = (dict(self.tests), dict(self.outputs)) if self.tests else (other.tests, other.outputs)
        joined: dict[tuple[int, int], HistorySummary] = {}
        for test, b in other.tests.items() if self.tests else ():
            a = self.tests.get(test)
            if a is None:
                tests[test] = b
                if b.is_shared:
                    outputs[test] = other.outputs[test]
            elif a.is_shared and b.is_shared and self.outputs[test] == other.outputs[test]:
                pair = id(a), id(b)  # most tests share their summaries, and those live as long as the lineages
                if pair not in joined:
                    joined[pair] = _joined(a, b)
                tests[test] = joined[pair]
            else:
                outputs.pop(test, None)
                a = a.with_output(self.outputs[test]) if a.is_shared else a
                tests[test] = _joined(a, b.with_output(other.outputs[test]) if b.is_shared else b)
        return Lineage(
            tests,
            outputs,
            preferred(self.reference, other.reference),
            other.commit or self.commit,
            runs=_newest_runs((*other.runs, *self.runs)),
            on_main=self.on_main or other.on_main,
            runtimes=_added(self.runtimes, other.runtimes) if other.runtimes else self.runtimes,
        )

    def shown_for(self, tests: Container[int]) -> "Lineage":
        """What documents of runs of these tests show of it: these tests, and those that fail."""
        kept = {test: one for test, one in self.tests.items() if test in tests or not one.passes}
        outputs = {test: output for test, output in self.outputs.items() if test in kept}
        return Lineage(kept, outputs, self.reference, self.commit, runs=self.runs, on_main=self.on_main)


def _joined(a: HistorySummary, b: HistorySummary) -> HistorySummary:
    found = concat(a, b)
    assert found is not None
    return found


def _added(a: Mapping[int, Mapping[int, int]], b: Mapping[int, Mapping[int, int]]) -> dict[int, dict[int, int]]:
    runtimes = {test: dict(counts) for test, counts in a.items()}
    for test, counts in b.items():
        merged = runtimes.setdefault(test, {})
        for bucket, count in counts.items():
            merged[bucket] = merged.get(bucket, 0) + count
    return runtimes


def _newest_runs(runs: Sequence[CommitRun]) -> tuple[CommitRun, ...]:
    """Those in which a test has its newest result, and the newest that is not partial; newest first."""
    if len(runs) < 2:
        return tuple(runs)
    kept, seen, whole = [], set[int](), False
    for run in runs:
        partial = run.reference.partial
        if not seen.issuperset(run.tests) or not (whole or partial):
            kept.append(run)
        seen.update(run.tests)
        whole = whole or not partial
    return tuple(kept)


Lineages = dict[str, Lineage]
"""Name of a lineage → what a part of it says."""


def reruns(
    commits: Iterable[tuple[int, str | None]], newest: str | None, was_counted: Callable[[str], bool]
) -> frozenset[int]:
    """Which counted runs of the main line, oldest first, are reruns of old commits; the rest as of `MainCommits`."""
    known = MainCommits(newest, was_counted)
    return frozenset(run_id for run_id, sha in commits if not known.extend(sha))


def local_reruns(commits: Iterable[tuple[int, str | None]]) -> frozenset[int]:
    """The same as if there were no runs before them."""
    return reruns(commits, None, lambda _: False)


def main_part(rows: Sequence[tuple[RunFacts, Row]], excluded: Container[int]) -> Lineage:
    """What counted runs of the main line say, oldest first; `excluded` are those that are reruns of old commits."""
    extending = [(run, row) for run, row in rows if run.run_id not in excluded]
    found = part([row for _, row in extending])
    found.reference = newest_reference(run for run, _ in extending)
    found.commit = NewestCommit(extending[-1][0].commit_sha) if extending else None
    found.commits = tuple((run.run_id, run.commit_sha) for run, _ in rows)
    return found


def part(rows: Sequence[Row]) -> Lineage:
    """What some runs of a lineage say of their tests, oldest first."""
    return Lineage(*summaries(rows))


def turns(rows: Iterable[Row], part_of: Lineage, prior: Lineage) -> int:
    """How many changes of the main line a part of it makes.

    Args:
        rows: its runs, oldest first.
        part_of: what they say.
        prior: the main lineage before them.
    """
    changing = [
        test
        for test, one in part_of.tests.items()
        if one.passed not in (0, one.results)
        or ((before := prior.tests.get(test)) is not None and before.passes != one.first_passes)
    ]
    states = {test: prior.of_test(test) for test in changing}
    count = 0
    for run_id, commit, results in rows if changing else ():
        for test in changing:
            if (one := results.get(test)) is not None:
                past = states[test]
                count += past is not None and turn(past, one) is not None
                states[test] = concat(past, single(run_id, commit, one))
    return count


class Step(NamedTuple):
    """A partition in the history.

    Args:
        own: what its own runs say of each lineage.
        before: the lineages before it, as its documents show them.
        after: the lineages after it that it has runs of.
    """

    own: Lineages
    before: Lineages
    after: Lineages


def step(own: Lineages, before: Lineages, rows_of: Callable[[Sequence[int]], list[tuple[RunFacts, Row]]]) -> Step:
    """The lineages after a partition.

    Which runs of the main line are reruns of old commits depends on the runs before them. So what a partition says of
    a main lineage is computed again where the lineages before it say otherwise than the partition alone.

    Args:
        own: what its own runs say, as if there were no run before them.
        before: the lineages before it.
        rows_of: returns runs of the partition, by id, with their results.
    """
    tests = tests_of(own)
    settled = {
        name: _settled(name, one, before, rows_of) if is_main_lineage(name) else one for name, one in own.items()
    }
    return Step(
        settled,
        {name: one.shown_for(tests) for name, one in before.items()},
        {name: before.get(name, _NOTHING).followed_by(one) for name, one in settled.items()},
    )


def _settled(
    name: str, own: Lineage, before: Lineages, rows_of: Callable[[Sequence[int]], list[tuple[RunFacts, Row]]]
) -> Lineage:
    excluded = reruns_after(name, own, before)
    return (
        own if excluded == local_reruns(own.commits) else main_part(rows_of([run for run, _ in own.commits]), excluded)
    )


def reruns_after(name: str, own: Lineage, before: Lineages) -> frozenset[int]:
    """The reruns of old commits among a partition's runs of a main lineage, given the lineages before it."""
    newest = before.get(name, _NOTHING).commit
    platform = name.split("/")[1]
    return reruns(
        own.commits,
        newest.sha if newest else None,
        lambda sha: before.get(commit_lineage(platform, sha), _NOTHING).on_main,
    )


_NOTHING = Lineage()


def tests_of(parts: Lineages) -> set[int]:
    """The tests with a result in a partition, from its parts of lineages."""
    return {test for one in parts.values() for tests in (one.tests, one.uncounted) for test in tests}


def fingerprint(lineages: Mapping[str, Lineage]) -> str:
    """Fingerprint of the prior history as documents show it.

    Equal if and only if rebuilding the partition would give equal documents.
    """
    shown = [
        [name, one.reference, one.commit, one.on_main, one.runs, list(_shown_tests(name, one))]
        for name, one in sorted(lineages.items())
    ]
    return hashlib.blake2b(orjson.dumps(shown, default=tuple), digest_size=8).hexdigest()


def _shown_tests(name: str, lineage: Lineage) -> Iterator[list[Any]]:
    for test, one in sorted(lineage.tests.items(), key=lambda item: item[0]):
        if is_all_results(name):
            yield [test, one.last_run, one.status]
        else:
            failures = one.failures if is_main_lineage(name) else ()
            output = lineage.output_of(test)
            last = [one.last_run, one.status, output, one.failure_code]
            yield [test, *last, one.last_pass, one.since, one.newest, failures]


def encode(lineages: Mapping[str, Lineage]) -> dict[str, Any]:
    """As JSON. Sets of tests, and the outputs that most lineages agree on, stand there once."""
    places: dict[Tests, int] = {}
    usual: dict[int, str] = {}
    for one in lineages.values():
        usual = one.outputs | usual

    def place(tests: Iterable[int]) -> int:
        return places.setdefault(tuple(tests), len(places))

    encoded = {name: _encoded(one, place, usual) for name, one in lineages.items()}
    return {"sets": list(places), "outputs": [list(usual), list(usual.values())], "lineages": encoded}


def _encoded(one: Lineage, place: Any, usual: Mapping[int, str]) -> list[Any]:
    groups: dict[int, tuple[HistorySummary, list[int]]] = {}  # by identity first: hashing a summary takes long
    for test, summary in one.tests.items():
        if (group := groups.get(id(summary))) is None:
            group = groups[id(summary)] = summary, []
        group[1].append(test)
    shared: dict[HistorySummary, list[int]] = {}
    for summary, tests in groups.values():
        shared.setdefault(summary, []).extend(tests)
    outputs = sorted([(test, output) for test, output in one.outputs.items() if usual[test] != output])
    return [
        sorted(([*summary, place(sorted(tests))] for summary, tests in shared.items()), key=lambda row: row[-1]),
        [[test for test, _ in outputs], [output for _, output in outputs]],
        one.reference,
        one.commit,
        one.commits,
        [[run.reference, run.digest, place(run.tests)] for run in one.runs],
        one.on_main,
        one.uncounted,
        [[test, *counts, *counts.values()] for test, counts in one.runtimes.items()],
    ]


def decode(value: Mapping[str, Any]) -> Lineages:
    """The inverse of `encode`."""
    sets = [tuple(tests) for tests in value["sets"]]
    usual = dict(zip(*value["outputs"], strict=True))

    @functools.cache  # most lineages have the same few sets
    def usual_of(place: int) -> dict[int, str]:
        return {test: usual[test] for test in sets[place]}

    return {name: _decoded(one, sets, usual_of) for name, one in value["lineages"].items()}


def _decoded(value: Sequence[Any], sets: Sequence[Tests], usual_of: Callable[[int], Mapping[int, str]]) -> Lineage:
    rows, exceptions, reference, commit, commits, runs, on_main, uncounted, runtimes = value
    tests: dict[int, HistorySummary] = {}
    outputs: dict[int, str] = {}
    for *fields, failures, place in rows:
        summary = HistorySummary._make((*fields, tuple(map(tuple, failures))))
        tests |= dict.fromkeys(sets[place], summary)
        if summary.is_shared:
            outputs |= usual_of(place)
    return Lineage(
        tests,
        outputs | dict(zip(*exceptions, strict=True)),
        ReferenceRun(*reference) if reference else None,
        NewestCommit(*commit) if commit else None,
        tuple((run_id, sha) for run_id, sha in commits),
        tuple(CommitRun(ReferenceRun(*run), digest, sets[place]) for run, digest, place in runs),
        on_main,
        tuple(uncounted),
        {test: dict(zip(row[: len(row) // 2], row[len(row) // 2 :], strict=True)) for test, *row in runtimes},
    )
