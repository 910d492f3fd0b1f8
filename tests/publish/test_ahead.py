"""What is asked of a bucket ahead of its use."""

import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from exporter.errors import ConflictError
from exporter.publish.gcs.ahead import PAGE, Ahead, Looked, Seen, look

STATE, CONTROL = "_state/partitions/7/node-0123456789ab.json", "_state/plan.json"


def test_answers_are_asked_for_together_and_taken_once() -> None:
    together = threading.Barrier(20, timeout=10)  # raises unless twenty ask at once
    ahead = Ahead[str]()
    names = [f"{STATE}{number}" for number in range(20)]
    ahead.ask(lambda name: f"{together.wait() >= 0} {name}", names)
    for name in names:
        found = ahead.take(name)
        assert found is not None and found.result(10) == f"True {name}"
        assert ahead.take(name) is None


@pytest.mark.parametrize(("name", "asked"), [(STATE, ["first"]), (CONTROL, ["first", "second"])])
def test_only_what_names_its_content_is_not_asked_for_again(name: str, asked: list[str]) -> None:
    ahead = Ahead[str]()
    for which in ("first", "second"):
        ahead.ask(lambda _, which=which: which, [name])  # type: ignore[misc]
    found = ahead.take(name)
    assert found is not None and found.result(10) == asked[-1]


def test_an_error_is_raised_to_whoever_takes_the_answer() -> None:
    ahead = Ahead[str]()

    def fail(*_: str) -> str:
        raise ConflictError("no")

    ahead.ask(fail, ["a"])
    found = ahead.take("a")
    assert found is not None
    with pytest.raises(ConflictError):
        found.result(10)


@pytest.mark.parametrize("there", [0, 5, PAGE - 1, PAGE, 3 * PAGE])
@pytest.mark.parametrize("asked", [1, 11, 12, 500, 2500])
def test_a_look_finds_what_is_there_by_few_requests(there: int, asked: int) -> None:
    """Every second object exists; what is asked for lies among them, together."""
    blobs = {f"{2 * n:05}": SimpleNamespace(name=f"{2 * n:05}", generation=n, metadata=None) for n in range(there)}
    names = [f"{n:05}" for n in range(asked)]
    requests = 0

    def listed(start: str, end: str) -> Iterator[Any]:
        nonlocal requests
        requests += 1
        return iter([blob for name, blob in blobs.items() if start <= name < end])

    def singly(name: str) -> Any:
        nonlocal requests
        requests += 1
        return blobs.get(name)

    found = look(names, listed, singly)
    assert found == {name: (blobs[name].generation, None) for name in names if name in blobs}
    assert requests <= 12 + asked / PAGE * 2


def test_one_check_comes_when_all_looks_are_over() -> None:
    """Whichever is asked about first, and though threads write at the same time."""
    slow, events = threading.Event(), list[str]()

    def ask(names: Any) -> dict[str, Seen]:
        if "slow" in names:
            slow.wait(10)
        events.append(f"seen {names[0]}")
        return dict.fromkeys(names, (1, None))

    looked = Looked(ask, [["a", "b"], ["slow"], []], ["new"])
    writers = [threading.Thread(target=looked.check, args=(lambda: events.append("check"),)) for _ in range(5)]
    for one in writers:
        one.start()
    assert looked.at(["a", "other"]) is None, "what was not asked for takes a look of its own"
    assert "check" not in events
    slow.set()
    for one in writers:
        one.join(10)
    assert events[-1] == "check" and sorted(events[:-1]) == ["seen a", "seen slow"] and len(events) == 3
    assert looked.at(["b", "new"]) == dict.fromkeys(("a", "b", "slow"), (1, None))


def test_a_check_that_failed_is_made_again_and_a_look_that_failed_is_raised() -> None:
    looked, calls = Looked(lambda names: dict.fromkeys(names, (1, None)), [["a"]], ()), list[int]()

    def fail() -> None:
        calls.append(1)
        raise ConflictError("taken over")

    for _ in range(2):
        with pytest.raises(ConflictError):
            looked.check(fail)
    assert len(calls) == 2

    def broken(_: object) -> dict[str, Seen]:
        raise ConflictError("no answer")

    for call in (lambda looked: looked.at(["a"]), lambda looked: looked.check(fail)):
        with pytest.raises(ConflictError, match="no answer"):
            call(Looked(broken, [["a"]], ()))


@pytest.mark.parametrize(("count", "together"), [(0, 0), (1, 1), (50, 1), (51, 2), (860, 18)])
def test_many_names_are_looked_at_by_several_listings_at_once(count: int, together: int) -> None:
    asked = list[int]()
    names = [f"{number:05}" for number in range(count)]
    looked = Looked(lambda part: asked.append(len(part)) or dict.fromkeys(part, (1, None)), [names], ())  # type: ignore[func-returns-value]
    assert looked.at(names) == dict.fromkeys(names, (1, None))
    assert len(asked) == together and max(asked, default=0) <= 50
