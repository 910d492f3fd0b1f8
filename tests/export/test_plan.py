"""The plan: which partitions are built, and why."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from exporter.export import plan
from exporter.export.dependencies import SHOWS
from exporter.export.plan import Examined, Plan, make_plan
from exporter.paths import manifest_part
from exporter.publish.manifest import Manifest, Part, Pending
from exporter.publish.publisher import PublishedState
from exporter.state.posting_lists import PartitionStats, PostingLists
from exporter.state.state_file import PartitionState, State

CATALOG, SITE = (Part(name, manifest_part(name, "c" * 64), "c" * 64, 1, 1) for name in ("catalog", "site"))


def _part(number: int, digest: str = "a") -> Part:
    return Part(str(number), manifest_part(str(number), digest * 64), digest * 64, 1, 1)


def _base(*numbers: int, pending: tuple[str, ...] = ()) -> PublishedState:
    manifest = Manifest(CATALOG, SITE, tuple(map(_part, numbers)), None, {})
    return PublishedState(manifest, "1", Pending("owner", "", pending) if pending else None, "1")


def _state(*numbers: int, shown: Mapping[str, str] | None = None) -> State:
    partitions = {number: PartitionState("a" * 64, f"rows {number}", "prior", (), 1, 1, 1) for number in numbers}
    return State("code", "snapshot", partitions, shown or {}, {}, (), {}, ())


def _lists(shows: Mapping[str, tuple[int, ...]] | None = None) -> PostingLists:
    lists = PostingLists({}, {})
    for number in sorted({number for numbers in (shows or {}).values() for number in numbers}):
        counts = {name: 1 for name, numbers in (shows or {}).items() if number in numbers}
        lists.replace(number, PartitionStats(number, 1, 1, 1, counts, {}, {}))
    return lists


def _examined(*numbers: int, **fields: Any) -> Examined:
    return dataclasses.replace(Examined({number: f"rows {number}" for number in numbers}, {}), **fields)


def test_nothing_has_changed() -> None:
    assert make_plan(_base(1, 2), _state(1, 2), _lists(), _examined(1, 2)) == Plan({})


@pytest.mark.parametrize(
    ("base", "state", "examined", "expected"),
    [
        pytest.param(_base(1), _state(1), _examined(1, 2), Plan({2: plan.NEW}), id="a new partition"),
        pytest.param(
            _base(1, 2),
            _state(1, 2),
            _examined(1, 2, rows={1: "rows 1", 2: "other"}),
            Plan({2: plan.ROWS_CHANGED}),
            id="other rows",
        ),
        pytest.param(_base(1, 2), _state(1, 2), _examined(2), Plan({}, (1,)), id="runs are gone"),
        pytest.param(_base(1, 2), _state(2), _examined(2), Plan({}, (1,)), id="gone, and not remembered"),
        pytest.param(_base(2), _state(1, 2), _examined(2), Plan({}, (1,)), id="gone, and not published"),
        pytest.param(_base(1), _state(1, 2), _examined(1, 2), Plan({2: plan.NOT_PUBLISHED}), id="not published"),
        pytest.param(
            dataclasses.replace(_base(1), manifest=Manifest(CATALOG, SITE, (_part(1, "b"),), None, {})),
            _state(1),
            _examined(1),
            Plan({1: plan.NOT_PUBLISHED}),
            id="another manifest is published",
        ),
        pytest.param(
            _base(1, 2, pending=(_part(2, "b").href,)),
            _state(1, 2),
            _examined(1, 2),
            Plan({2: plan.DIED}),
            id="an export died over it",
        ),
        pytest.param(
            _base(1, 2, pending=(_part(2).href,)), _state(1, 2), _examined(1, 2), Plan({}), id="it published it"
        ),
        pytest.param(_base(1), None, _examined(2, 1), Plan(dict.fromkeys((2, 1), plan.NOT_REMEMBERED)), id="no state"),
        pytest.param(_base(1, 2), None, _examined(1), Plan({1: plan.NOT_REMEMBERED}, (2,)), id="no state, gone"),
        pytest.param(PublishedState(None, "", None, ""), None, _examined(1), Plan({1: plan.NEW}), id="a new store"),
        pytest.param(
            _base(1, 2),
            None,
            _examined(1, differences="--x (a, now b)"),
            Plan({1: "changed since the last export: --x (a, now b)"}, (2,)),
            id="other options",
        ),
    ],
)
def test_why(base: PublishedState, state: State | None, examined: Examined, expected: Plan) -> None:
    assert make_plan(base, state, _lists(), examined) == expected


@pytest.mark.parametrize(
    ("chosen", "rows", "expected"),
    [
        pytest.param({1}, {1: "rows 1"}, Plan({}), id="unchanged"),
        pytest.param({1}, {1: "other"}, Plan({1: plan.ROWS_CHANGED}), id="changed"),
        pytest.param({1}, {}, Plan({}, (1,)), id="gone"),
        pytest.param({9}, {9: "rows"}, Plan({9: plan.NEW}), id="new"),
        pytest.param({9}, {}, Plan({}), id="a run that there never was"),
    ],
)
def test_partitions_that_were_not_examined_are_not_gone(chosen: set[int], rows: dict[int, str], expected: Plan) -> None:
    assert make_plan(_base(1, 2, 3), _state(1, 2, 3), _lists(), Examined(rows, {}, chosen)) == expected


SHOWN = Plan(dict.fromkeys((1, 3), "it shows what has changed: test 7"), (), frozenset({1, 3}))


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("x", "x", Plan({}), id="the same"),
        pytest.param("x", "y", SHOWN),
        pytest.param("x", None, SHOWN),
        pytest.param(None, "y", SHOWN),
    ],
)
def test_what_is_shown_of_the_catalogue(old: str | None, new: str | None, expected: Plan) -> None:
    key = f"{SHOWS}test 7"
    lists = _lists({key: (1, 3), f"{SHOWS}test 8": (2,)})
    state = _state(1, 2, 3, shown={key: old} if old else {})
    examined = _examined(1, 2, 3, shown={key: new} if new else {})
    assert make_plan(_base(1, 2, 3), state, lists, examined) == expected


def test_a_partition_has_one_reason_and_is_rebuilt_whole_if_it_shows_what_has_changed() -> None:
    key = f"{SHOWS}test 7"
    lists = _lists({key: (1, 2, 3)})
    examined = Examined({1: "other", 3: "rows 3"}, {key: "new"})
    made = make_plan(_base(1, 2, 3), _state(1, 2, 3), lists, examined)
    assert made == Plan(
        {1: plan.ROWS_CHANGED, 3: "it shows what has changed: test 7"}, (2,), force_rebuild=frozenset({1, 3})
    )
    assert list(made.build) == [1, 3]
