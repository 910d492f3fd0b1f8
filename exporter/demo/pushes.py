"""What happens again and again: pushes, the runs that test them, and what the runs find."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from exporter.demo.suite import FORK_OWNERS, Fault, Symptom, Test
from exporter.paths import PLATFORMS

LAST_PUSH = datetime(2026, 6, 30, 18, 4, 11)

Faults = dict[str, dict[int, Fault]]
"""What the code under test breaks: platform → id of the test → fault."""

_DEFECTS: tuple[Symptom, ...] = (
    "different",
    "different",
    "different",
    "missing",
    "no captions",
    "crash",
    "abort",
    "slow",
)
_EXIT_CODES: dict[Symptom, dict[str, int]] = {
    "no captions": {"linux": 10, "windows": 10},
    "crash": {"linux": 139, "windows": -1073741819},
    "abort": {"linux": 134, "windows": 3},
    "timeout": {"linux": 124, "windows": 124},
}
_SLOWER_PUSHES = 25
"""Of how many of the newest pushes some tests are slower: of more than the twenty newest results that are compared."""

_TESTS_PER_SLOWER = 60

_BRANCHES = (
    "release/0.96",
    "rust-port-xds",
    "fix/dvb-timing",
    "dependabot/cargo/src/rust/libc-0.2.171",
    "gsoc-2025",
)
# What a branch may legally be called, and what careless software trips over.
_AWKWARD_BRANCHES = ("feature/<b>x</b>", 'fix-100%-cpu-&-"quotes"', "bugfix/ümläute")
# How a run dies: how far it came (0: not even started, 1: preparing, 2: testing), and what it says.
_DEATHS = (
    (0, "VM creation failed (ZONE_RESOURCE_POOL_EXHAUSTED). Please contact the administrator."),
    (0, "VM creation failed (QUOTA_EXCEEDED). Please contact the administrator."),
    (0, "GCP operation timed out. The test will be retried automatically."),
    (0, "No build available: workflow never ran"),
    (0, "Cancelling tests as Github Action(s) failed"),
    (0, "PR is closed"),
    (0, "Canceled by jhendricks via API: superseded by a newer push"),
    (1, "Build failed: make: *** [Makefile:1180: all-recursive] Error 1"),
    (1, "Could not check out the commit: git fetch returned exit code 128"),
    (1, "Merge conflict with master, please rebase"),
    (2, "Could not complete test, time limit exceeded"),
    (2, "Could not complete test, time limit exceeded"),
    (2, "Connection to the worker was lost"),
    (2, "Could not store the results: no space left on disk"),
    (2, "Canceled by an administrator via API"),
)


@dataclass(slots=True)
class Push:
    """A commit to test: once on Linux, once on Windows."""

    number: int
    at: datetime
    test_type: str
    fork_id: int | None
    branch: str
    commit: str
    pr_nr: int
    faults: Faults


@dataclass(slots=True)
class Run:
    """A run and all that it writes; `progress` holds (status, time, message)."""

    id: int
    platform: str
    progress: list[tuple[str, datetime, str]] = field(default_factory=list)
    limited_to: list[int] = field(default_factory=list)
    results: list[tuple[int, int, int, int, int]] = field(default_factory=list)
    files: list[tuple[int, int, int, str, str | None]] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)


class _Regression(NamedTuple):
    until: int
    faults: Faults


@dataclass(slots=True)
class _PullRequest:
    number: int
    fork_id: int
    pushes_left: int
    faults: Faults


def push_times(rng: random.Random, count: int) -> list[datetime]:
    """Return when the pushes came: the last at a fixed time, six a day lately, fewer long ago."""
    # Seven years at most, however many pushes there are.
    gap = min(4.0, 7 * 365 * 24 / (2.5 * count))
    hours, times = 0.0, []
    for back in range(count):
        times.append(LAST_PUSH - timedelta(seconds=round(3_600 * hours)))
        hours += rng.expovariate(1.0) * gap * (1 + 3 * back / count)
    return times[::-1]


def pushes(rng: random.Random, tests: Sequence[Test], count: int) -> Iterator[Push]:
    """Yield the pushes, oldest first, with the regressions that live on master and the defects of pull requests."""
    starts = [*itertools.accumulate([rng.randint(6, 20), *(rng.randint(30, 110) for _ in range(count // 30))])]
    # One is still open at the end, as there always is.
    starts = [start for start in starts if start < count - 40] + [max(0, count - 14)]
    regressions: list[_Regression] = []
    open_prs: list[_PullRequest] = []
    next_pr = max(500, 2_000 - 2 * count // 5)
    for number, at in enumerate(push_times(rng, count)):
        now = [test.id for test in tests if test.first * count <= number < test.last * count] or [tests[0].id]
        push = Push(number, at, "commit", 1, "master", f"{rng.getrandbits(160):040x}", 0, {})
        kind = rng.random()
        if kind < 0.35:
            regressions = [regression for regression in regressions if regression.until > number]
            if starts and starts[0] <= number:
                still_open = len(starts) == 1
                del starts[0]
                until = count if still_open else number + rng.randint(10, 30)
                regressions.append(_Regression(until, _defect(rng, now, 10)))
        elif kind < 0.43:
            push.branch, push.fork_id = rng.choice(_BRANCHES), rng.choice((1, 1, 2, 3, 4))
        else:
            if len(open_prs) < 3 or rng.random() < 0.25:
                faults = _defect(rng, now, 8) if rng.random() < 0.3 else {}
                next_pr += rng.randint(1, 4)
                open_prs.append(_PullRequest(next_pr, rng.randint(2, len(FORK_OWNERS) + 1), rng.randint(1, 7), faults))
            pr = rng.choice(open_prs)
            push = Push(number, at, "pr", pr.fork_id, "pull_request", push.commit, pr.number, pr.faults)
            pr.pushes_left -= 1
            if pr.pushes_left <= 0:
                open_prs.remove(pr)
        if number % 97 == 41:
            push = Push(number, at, "commit", 4, _AWKWARD_BRANCHES[number // 97 % 3], push.commit, 0, {})
        elif number % 701 == 59:
            # The fork has been deleted since.
            push.fork_id = None
        push.faults = _merged([*(regression.faults for regression in regressions), push.faults])
        yield push


def _defect(rng: random.Random, test_ids: Sequence[int], most: int) -> Faults:
    """Something that breaks one to `most` tests in the same way."""
    symptom, wrong = rng.choice(_DEFECTS), rng.randrange(2)
    broken = rng.sample(test_ids, min(len(test_ids), rng.randint(1, most)))
    platforms = rng.choice((PLATFORMS, PLATFORMS, PLATFORMS, ("linux",), ("windows",)))
    return {platform: {test_id: Fault(symptom, wrong) for test_id in broken} for platform in platforms}


def _merged(several: Sequence[Faults]) -> Faults:
    merged: Faults = {platform: {} for platform in PLATFORMS}
    for faults in several:
        for platform, broken in faults.items():
            merged[platform].update(broken)
    return merged


def run_pair(rng: random.Random, push: Push, tests: Sequence[Test], runs: int, pushes: int) -> Iterator[Run]:
    """Yield the runs of a push: of the tests that exist at its time.

    `runs` and `pushes` are how many there are in all. The newest few runs are running or queued; the highest id is
    `runs`.
    """
    tests = [test for test in tests if test.first * pushes <= push.number < test.last * pushes]
    if pushes - push.number <= _SLOWER_PUSHES:
        tests = [
            replace(test, typical_ms=1.6 * test.typical_ms) if test.id % _TESTS_PER_SLOWER == 36 else test
            for test in tests
        ]
    limited_to: list[int] = []
    if tests and rng.random() < 0.03:
        limited_to = sorted(rng.sample([test.id for test in tests], rng.randint(1, max(1, len(tests) // 5))))
        tests = [test for test in tests if test.id in set(limited_to)]
    for run_id, platform in enumerate(PLATFORMS, start=2 * push.number + 1):
        # Very small demos have better use for their runs than to leave the newest four unfinished.
        newer_runs = runs - run_id if runs >= 20 else 20
        if run_id <= runs:
            yield _run(rng, push, Run(run_id, platform, limited_to=limited_to), tests, newer_runs)


def _run(rng: random.Random, push: Push, run: Run, tests: Sequence[Test], newer_runs: int) -> Run:
    if newer_runs < 2:
        return run
    clock = push.at + timedelta(seconds=rng.randint(90, 1_500))
    reached, message = 3, ""
    if newer_runs < 4:
        reached = 1 if newer_runs == 2 else 2
    elif rng.random() < 0.045:
        reached, message = rng.choice([death for death in _DEATHS if push.pr_nr or "PR" not in death[1]])
    if reached >= 1:
        run.progress.append(
            ("preparation", clock, "Loaded variables, created log file and checking for build artifact")
        )
        clock += timedelta(seconds=rng.randint(150, 420) * (2 if run.platform == "windows" else 1))
    if reached >= 2:
        run.progress.append(("testing", clock, "Running tests"))
        share = 1.0 if reached == 3 else rng.uniform(0.1, 0.9)
        clock += execute(rng, run, tests[: round(share * len(tests))], push.faults[run.platform])
    if reached == 3:
        run.progress.append(("completed", clock, "Ran all tests"))
    elif message:
        run.progress.append(("canceled", clock + timedelta(seconds=rng.randint(30, 900)), message))
    return run


def execute(rng: random.Random, run: Run, tests: Sequence[Test], broken: dict[int, Fault]) -> timedelta:
    """Add the rows of tests, some of them broken by the code under test, to a run; returns how long it took."""
    slowness = rng.lognormvariate(0.0, 0.08) * (1.35 if run.platform == "windows" else 1.0)
    noise = rng.lognormvariate
    total = 0
    for test in tests:
        fault = broken.get(test.id)
        if fault is None and (habit := test.habits.get(run.platform)) and rng.random() < habit[1]:
            fault = habit[0]
        runtime = 5 + int(test.typical_ms * slowness * noise(0.0, 0.06))
        if fault is None:
            run.results.append((run.id, test.id, runtime, test.expected_rc, test.expected_rc))
            for output in test.outputs:
                run.files.append((run.id, test.id, output.id, output.correct, None))
            run.passed.append(test.id)
        else:
            runtime = _fail(run, test, fault, runtime)
        total += runtime
    return timedelta(seconds=total // 1_000 + 20)


def _fail(run: Run, test: Test, fault: Fault, runtime: int) -> int:
    """Add the rows of a test with a fault; returns its runtime in milliseconds."""
    code = test.expected_rc
    files: list[tuple[int, int, int, str, str | None]] = []
    if fault.symptom in _EXIT_CODES:
        code = _EXIT_CODES[fault.symptom][run.platform]
    if fault.symptom == "timeout":
        runtime = 180_000
    elif fault.symptom == "slow":
        runtime *= 3
    # An abort comes at the very end: everything has been written by then.
    if fault.symptom in ("different", "variant", "slow", "abort"):
        for output in test.outputs:
            got = None
            if fault.symptom == "different":
                got = output.wrong[fault.wrong % len(output.wrong)]
            elif fault.symptom == "variant" and output.variants:
                got = output.variants[0]
            files.append((run.id, test.id, output.id, output.correct, got))
    run.results.append((run.id, test.id, runtime, code, test.expected_rc))
    run.files += files
    wrong = fault.symptom == "different" if files else test.must_write
    if code == test.expected_rc and not wrong:
        run.passed.append(test.id)
    return runtime
