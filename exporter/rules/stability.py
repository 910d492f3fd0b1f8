"""Stability: how steady a regression test's results are on one platform. Pure functions.

The rules are those of `docs/contract.md`, "Stability"; only counted results are looked at.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from exporter.rules.flakiness import is_flaky, state_changes
from exporter.rules.history import WINDOW, HistorySummary
from exporter.rules.result_matrix import Found
from exporter.rules.runtimes import bucket_quantile, is_slower, median, quantile, slower_since
from exporter.rules.status import ResultStatus

NEWEST = 100
"""Results of a test on a platform that its stability looks at one by one."""


class Window(NamedTuple):
    """Some newest results: how many, how many passed, and the quantiles of their runtimes in ms."""

    results: int
    passed: int
    median: int | None
    p95: int | None

    @property
    def pass_rate(self) -> float | None:
        """To four places: a rate is for people."""
        return round(self.passed / self.results, 4) if self.results else None


class Slowdown(NamedTuple):
    """How much slower a test has become: medians in ms of the runtimes before and now; the first slow run."""

    before: int
    after: int
    since_run: int


class Stability(NamedTuple):
    """How steady results are.

    Args:
        windows: of the newest 20, 100 and all results.
        state_changes_20: changes among the newest 20.
        flaky: whether the test is flaky on the main lineage.
        slower: whether its runtimes have become longer; None: there are too few.
        slowdown: by how much and since when; None unless it has become slower.
    """

    windows: Mapping[str, Window]
    state_changes_20: int
    flaky: bool
    slower: bool | None
    slowdown: Slowdown | None


def stability(
    newest: Sequence[Found], whole: HistorySummary | None, main: HistorySummary | None, runtimes: Mapping[int, int]
) -> Stability:
    """A test's stability on a platform.

    Args:
        newest: its newest 100 counted results there, or all, newest first.
        whole: all its counted results there; None if there are none.
        main: those of the main lineage.
        runtimes: `runtime_bucket` → number of them.
    """
    statuses = [outcome.status for _, outcome, _ in newest]
    measured = [runtime for _, _, runtime in newest]
    times, buckets = _known(measured), sorted(runtimes.items())
    slower = is_slower(times[:WINDOW], times[WINDOW:NEWEST])
    count, passed = (whole.results, whole.passed) if whole else (0, 0)
    return Stability(
        {
            "20": _window(statuses[:WINDOW], measured[:WINDOW]),
            "100": _window(statuses[:NEWEST], measured[:NEWEST]),
            "all": Window(count, passed, bucket_quantile(buckets, 50), bucket_quantile(buckets, 95)),
        },
        state_changes(whole.newest) if whole else 0,
        main is not None and is_flaky(main.newest),
        slower,
        slowdown(newest) if slower else None,
    )


def slowdown(newest: Sequence[Found]) -> Slowdown | None:
    """By how much and since when a test is slower; None if it is not. From its newest 100 results, newest first."""
    times = _known([runtime for _, _, runtime in newest])
    if not is_slower(times[:WINDOW], times[WINDOW:NEWEST]):
        return None
    runs = [run.run_id for run, _, runtime in newest if runtime is not None]
    before, after = median(times[WINDOW:NEWEST]), median(times[:WINDOW])
    assert before is not None and after is not None
    return Slowdown(before, after, runs[slower_since(times, before, after)])


def _known(runtimes: Sequence[int | None]) -> list[int]:
    """The runtimes that are known: mostly all."""
    return [runtime for runtime in runtimes if runtime is not None] if None in runtimes else [*runtimes]  # type: ignore[list-item]


def _window(statuses: Sequence[ResultStatus], runtimes: Sequence[int | None]) -> Window:
    times = sorted(_known(runtimes))
    return Window(len(statuses), statuses.count("pass"), quantile(times, 50), quantile(times, 95))
