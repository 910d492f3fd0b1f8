"""Runtimes: quantiles, also of counts in buckets, and what is slower."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.rules import runtimes


@pytest.mark.parametrize(
    ("newest", "before", "expected"),
    [
        ([100] * 20, [100] * 19, None),
        ([100] * 19, [100] * 80, None),
        ([100] * 20, [100] * 20, False),
        ([125] * 20, [100] * 80, False),
        ([126] * 20, [100] * 80, True),
        ([126] * 10 + [100] * 10, [100] * 80, False),  # the lower median
        ([126] * 11 + [9] * 9, [100] * 80, True),
        ([1_000_000] * 9 + [100] * 11, [100] * 80, False),  # outliers now
        ([126] * 20, [100] * 60 + [1_000_000] * 20, True),  # outliers then
        ([160] * 20, [80, 100, 120] * 20, False),  # within three deviations of 20
        ([161] * 20, [80, 100, 120] * 20, True),
        ([1] * 20, [0] * 20, True),
        ([50] * 20, [100] * 80, False),
    ],
)
def test_is_slower(newest: list[int], before: list[int], expected: bool | None) -> None:
    assert runtimes.is_slower(newest, before) is expected


@pytest.mark.parametrize(
    ("times", "place"),
    [
        ([200] * 30 + [100] * 70, 29),
        ([200] * 30 + [100] + [200] * 5 + [100] * 64, 35),  # one fast run among slow ones
        ([200] * 30 + [100] * 10 + [200] * 3 + [100] * 57, 29),  # a few slow ones before
        ([100, 200] + [200] * 20 + [100] * 20, 21),
        ([150] * 40, 0),
    ],
)
def test_when_a_test_became_slower(times: list[int], place: int) -> None:
    assert runtimes.slower_since(times, 100, 200) == place


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=300), st.sampled_from([1, 50, 95, 100]))
def test_counted_runtimes_give_quantiles_within_one_percent(times: list[int], percent: int) -> None:
    exact = sorted(times)[math.ceil(len(times) * percent / 100) - 1]
    assert runtimes.quantile(sorted(times), percent) == exact
    counts: dict[int, int] = {}
    for time in times:
        bucket = runtimes.runtime_bucket(time)
        counts[bucket] = counts.get(bucket, 0) + 1
    found = runtimes.bucket_quantile(sorted(counts.items()), percent)
    assert found is not None and abs(found - exact) <= 0.01 * exact
    assert runtimes.bucket_quantile([], percent) is None is runtimes.quantile([], percent)
