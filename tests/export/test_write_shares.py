"""Shares of writes: together never more than the whole, and nobody waits who need not."""

import random
import threading
import time

import pytest

from exporter.export.worker_slots import WorkerSlots
from exporter.export.write_shares import WriteShares


def test_shares_follow_as_writers_come_and_go() -> None:
    shares = WriteShares()
    with shares.of("a", 1) as alone:
        assert alone == 1.0
    with shares.of("a", 2) as first, shares.of("b", 2) as second:
        assert (first, second) == (0.5, 0.5)
    with shares.of("a", 4) as first, shares.of("b", 2) as second:
        assert (first, second) == (0.25, 0.75)


@pytest.mark.parametrize("seed", range(3))
def test_at_every_moment_the_sum_is_at_most_the_whole(seed: int) -> None:
    chance = random.Random(seed)
    shares, held, lock, most, turns = WriteShares(), dict[str, float](), threading.Lock(), [0.0], [0]

    def write(worker: str, pauses: list[float], counts: list[int]) -> None:
        for pause, count in zip(pauses, counts, strict=True):
            with shares.of(worker, count) as share:
                with lock:
                    assert worker not in held
                    held[worker] = share
                    most[0], turns[0] = max(most[0], sum(held.values())), turns[0] + 1
                time.sleep(pause)
                with lock:
                    del held[worker]

    writers = [
        threading.Thread(
            target=write,
            args=(
                f"{number % 7}",
                [chance.random() / 500 for _ in range(20)],
                [chance.randint(1, 7) for _ in range(20)],
            ),
        )
        for number in range(14)
    ]
    for one in writers:
        one.start()
    for one in writers:
        one.join(30)
    assert turns == [14 * 20], "nobody waits for ever"
    assert 0.99 < most[0] <= 1.0 + 1e-9


def test_a_worker_has_two_tasks_at_most_and_one_that_is_avoided_or_gone_has_none() -> None:
    known = {"a", "b"}
    slots = WorkerSlots(lambda: frozenset(known), avoided_for=0.5)
    with slots.slot("a") as one, slots.slot("a") as two, slots.slot(None) as three, slots.slot(None) as four:
        assert (one, two, three, four) == ("a", "a", "b", "b")
        got: list[str] = []

        def wait() -> None:
            with slots.slot("a") as worker:
                got.append(worker)

        waiting = threading.Thread(target=wait)
        waiting.start()
        time.sleep(0.1)
        assert got == []
        known.add("c")
        known.remove("a")
        waiting.join(10)
        assert got == ["c"]
    known.add("a")
    slots.avoid("a")
    with slots.slot("a") as other:
        assert other != "a"
    slots.avoid("b")
    slots.avoid("c")
    with slots.slot("a") as back:
        assert back == "a", "where all are avoided, none is"
    time.sleep(0.6)
    assert slots.usable() == known
