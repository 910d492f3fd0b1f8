"""Stability: how steady a regression test's results are on one platform."""

from collections.abc import Mapping

from exporter.documents.analysis import Stability, Window
from exporter.rules.lineage import HistorySummary
from exporter.rules.result_matrix import Found
from exporter.rules.status import WINDOW, bucket_quantile, is_flaky, is_slower, quantile, state_changes

NEWEST = 100
"""Results of a test on a platform that its stability looks at one by one."""


def stability(newest: list[Found], whole: HistorySummary | None, runtimes: Mapping[int, int]) -> Stability:
    """A test's stability on a platform.

    Args:
        newest: its newest 100 results there, or all, newest first.
        whole: all its results there; None if there are none.
        runtimes: `runtime_bucket` → number of them.
    """
    times, buckets = _times(newest), sorted(runtimes.items())
    count, passed = (whole.results, whole.passed) if whole else (0, 0)
    return {
        "windows": {
            "20": _window(newest[:WINDOW]),
            "100": _window(newest[:NEWEST]),
            "all": {
                "results": count,
                "passed": passed,
                "pass_rate": _rate(passed, count),
                "runtime_ms": {"median": bucket_quantile(buckets, 50), "p95": bucket_quantile(buckets, 95)},
            },
        },
        "state_changes": whole.changes if whole else 0,
        "state_changes_20": state_changes(whole.newest[-WINDOW:]) if whole else 0,
        "flaky": whole is not None and is_flaky(whole.newest),
        "longest_pass_streak": whole.longest_pass if whole else 0,
        "longest_fail_streak": whole.longest_fail if whole else 0,
        "first_failure_run": whole.first_failure if whole else None,
        "last_failure_run": whole.last_failure if whole else None,
        "slower": is_slower(times[:WINDOW], times[WINDOW:NEWEST]),
    }


def _times(results: list[Found]) -> list[int]:
    """The runtimes that are known, newest first."""
    return [runtime for _, _, _, runtime in results if runtime is not None]


def _window(results: list[Found]) -> Window:
    times = sorted(_times(results))
    passed = sum(ending.status == "pass" for _, _, ending, _ in results)
    return {
        "results": len(results),
        "passed": passed,
        "pass_rate": _rate(passed, len(results)),
        "runtime_ms": {"median": quantile(times, 50), "p95": quantile(times, 95)},
    }


def _rate(passed: int, results: int) -> float | None:
    """To four places: a rate is for people."""
    return round(passed / results, 4) if results else None
