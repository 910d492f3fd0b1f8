"""The retry policy: how long to wait, when to give up, what a server may ask for."""

import random

import pytest

from exporter.retry import Backoff, RetryPolicy, retry_after, retrying

NOW = 1_700_000_000.0
"""2023-11-14T22:13:20Z."""


class Clock:
    """A clock that goes on only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance gives the longest pause each time."""
    monkeypatch.setattr(random, "uniform", lambda least, most: most)


def test_pauses_double_up_to_the_longest(longest: None) -> None:
    backoff = Backoff(RetryPolicy(deadline=1000, first_pause=0.5, longest_pause=3))
    assert [backoff.pause() for _ in range(5)] == [0.5, 1, 2, 3, 3]


def test_pauses_are_spread_by_chance() -> None:
    pauses = [Backoff(RetryPolicy(first_pause=8)).pause() for _ in range(200)]
    assert all(pause is not None and 0 <= pause <= 8 for pause in pauses)
    assert len(set(pauses)) > 190 and min(filter(None, pauses)) < 2 and max(filter(None, pauses)) > 6


@pytest.mark.parametrize(("attempts", "pauses"), [(1, 0), (2, 1), (5, 4)])
def test_attempts_are_limited(attempts: int, pauses: int) -> None:
    backoff = Backoff(RetryPolicy(attempts=attempts))
    assert [backoff.pause() is None for _ in range(pauses + 1)] == [False] * pauses + [True]


def test_no_attempt_begins_after_the_deadline(longest: None) -> None:
    clock = Clock()
    backoff = Backoff(RetryPolicy(deadline=10, first_pause=4, longest_pause=4), clock)
    while (pause := backoff.pause()) is not None:
        clock.sleep(pause)
    assert clock.slept == [4, 4]


@pytest.mark.parametrize(("asked", "waited"), [(0, 1), (0.5, 1), (7, 7), (60, 60), (60.5, None), (3600, None)])
def test_what_the_server_asks_for_is_waited_unless_it_exceeds_the_deadline(
    asked: float, waited: float | None, longest: None
) -> None:
    assert Backoff(RetryPolicy(deadline=60, first_pause=1), Clock()).pause(asked) == waited


def test_many_failures_do_not_overflow() -> None:
    backoff = Backoff(RetryPolicy(), Clock())
    assert all(0 <= (backoff.pause() or 0) <= 30 for _ in range(3000))


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, 0),
        ("", 0),
        ("0", 0),
        ("7", 7),
        (" 120 ", 120),
        ("-1", 0),
        ("1.5", 0),
        ("soon", 0),
        ("9" * 30, 0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:12:20 GMT", 0),
        ("Tue, 99 Nov 2023 22:14:20 GMT", 0),
        ("Tue, 14 Nov 999999999999 22:14:20 GMT", 0),
    ],
)
def test_retry_after(header: str | None, seconds: float) -> None:
    assert retry_after(header, lambda: NOW) == seconds


def test_a_function_is_called_until_it_returns() -> None:
    clock, failures = Clock(), [ValueError("1"), ValueError("2")]

    def function(value: int, *, more: int) -> int:
        if failures:
            raise failures.pop()
        return value + more

    assert retrying(RetryPolicy(), lambda error: 7.0, clock.sleep)(function)(1, more=2) == 3
    assert clock.slept == [7, 7]


def test_a_final_error_is_raised_at_once() -> None:
    clock, calls = Clock(), []

    def function() -> None:
        calls.append(1)
        raise KeyError("final")

    with pytest.raises(KeyError, match="final"):
        retrying(RetryPolicy(), lambda error: None if isinstance(error, KeyError) else 0.0, clock.sleep)(function)()
    assert (len(calls), clock.slept) == (1, [])


def test_the_last_error_is_raised_when_the_policy_ends() -> None:
    numbers = iter(range(100))

    def function() -> None:
        raise ValueError(next(numbers))

    with pytest.raises(ValueError, match=r"\A2\Z"):
        retrying(RetryPolicy(attempts=3), lambda error: 0.0, Clock().sleep)(function)()
