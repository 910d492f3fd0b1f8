"""How network operations are repeated: exponential back-off with full jitter, and `Retry-After` honoured.

Each caller has a `RetryPolicy` of its own: `publish/gcs/session.py` for uploads, `client/http.py` for readers,
`source/database.py` for lost connections.

`Backoff` decides, its caller sleeps, so that threads and event loops share the policy; `retrying` is the loop for plain
functions. Full jitter (a random pause between nothing and the exponential limit) spreads clients that failed together:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import datetime
import email.utils
import functools
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

TRANSIENT_STATUSES: Final = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP statuses after which the same request may succeed."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and for how long, a failed operation is repeated.

    Args:
        deadline: seconds after the first attempt after which no other begins.
        attempts: how many there are at most; None: as many as the deadline allows.
        first_pause: seconds that the first pause may take.
        longest_pause: seconds that any pause may take, unless the server asks for a longer one.
    """

    deadline: float = 300.0
    attempts: int | None = None
    first_pause: float = 0.5
    longest_pause: float = 30.0


@dataclass(slots=True)
class Backoff:
    """The pauses of one operation, which begins when this is created. `clock` returns seconds: for tests."""

    policy: RetryPolicy
    clock: Callable[[], float] = time.monotonic
    failures: int = field(default=0, init=False)
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def pause(self, at_least: float = 0.0) -> float | None:
        """Count a failed attempt and return the seconds to wait before the next; None if there is to be none.

        `at_least`: seconds that the server asked to wait.
        """
        self.failures += 1
        if self.policy.attempts is not None and self.failures >= self.policy.attempts:
            return None
        # The exponent is limited because a float overflows at 2 ** 1024.
        limit = min(self.policy.longest_pause, self.policy.first_pause * 2.0 ** min(self.failures - 1, 64))
        pause = max(at_least, random.uniform(0, limit))  # noqa: S311
        return None if self.clock() - self._began + pause > self.policy.deadline else pause


Verdict = Callable[[Exception], float | None]
"""Whether an error is transient: the seconds to wait at least before the next attempt, or None if it is final."""


def retrying(
    policy: RetryPolicy, verdict: Verdict, sleep: Callable[[float], None] = time.sleep
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """A decorator that calls a function until it returns, its error is final, or the policy ends.

    Raises:
        Exception: the function's last error, as it was raised.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def repeated(*args: P.args, **kwargs: P.kwargs) -> T:
            backoff = Backoff(policy)
            while True:
                try:
                    return function(*args, **kwargs)
                except Exception as error:
                    at_least = verdict(error)
                    pause = None if at_least is None else backoff.pause(at_least)
                    if pause is None:
                        raise
                sleep(pause)

        return repeated

    return decorate


def retry_after(value: str | None, now: Callable[[], float] = time.time) -> float:
    """The seconds that a `Retry-After` header asks to wait (RFC 9110, 10.2.3); 0 if absent, past or malformed."""
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", value):
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, moment.replace(tzinfo=moment.tzinfo or datetime.UTC).timestamp() - now())
