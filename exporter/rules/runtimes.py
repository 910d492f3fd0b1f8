"""Runtimes: quantiles, counted in buckets where there are too many, and whether a test has become slower."""

import functools
import math
from collections.abc import Iterable, Sequence

from exporter.rules.history import WINDOW


def median(values: Iterable[int]) -> int | None:
    """The lower median, a value that was measured; None of nothing."""
    return quantile(sorted(values), 50)


def quantile(ascending: Sequence[int], percent: int) -> int | None:
    """The nearest-rank quantile: the least value that so many percent of all do not exceed; None of nothing."""
    return ascending[max(0, -(-len(ascending) * percent // 100) - 1)] if ascending else None


_GAMMA = 1.01


@functools.lru_cache(maxsize=65536)
def runtime_bucket(runtime: int) -> int:
    """The bucket of a runtime in ms: bounds grow by 1 %, so that a bucket's rounded value is right to within 1 %.

    After Masson, Rim and Lee, "DDSketch", VLDB 2019: the value is wrong by 0.5 % at most; rounding adds half a
    millisecond, which is another 0.5 % from 100 ms on, and below that each millisecond has a bucket of its own.
    """
    return math.ceil(math.log(runtime, _GAMMA)) if runtime > 0 else -1


def bucket_quantile(counts: Sequence[tuple[int, int]], percent: int) -> int | None:
    """The nearest-rank quantile in ms, to within 1 %, of ascending buckets with their counts; None of nothing."""
    rank = max(1, -(-sum([count for _, count in counts]) * percent // 100))
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
    if now <= then * 1.25:
        return False
    deviation = median([abs(value - then) for value in before]) or 0
    return now - then > 3 * deviation


def slower_since(times: Sequence[int], before: int, after: int) -> int:
    """Where among runtimes, newest first, a test began to be slower: the place of the first slow one.

    It is the place that sets most runtimes nearer to `after` than to `before` on the newer side, and most others on the
    older one; of several the newest.
    """
    best, place, gain = 0, 0, 0
    for index, time in enumerate(times):
        gain += 1 if 2 * time > before + after else -1
        if gain > best:
            best, place = gain, index
    return place
