"""The list of paths to be deleted: what is due, and that no entry of another export is lost."""

import datetime

import orjson
import pytest

from exporter.errors import ConflictError, StoreError
from exporter.publish.deletions import Deletions
from tests.support.memory_store import MemoryStore

PATH = "_state/deletions.json"
NOON = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.UTC)
MINUTE = datetime.timedelta(minutes=1)


def test_a_path_keeps_the_time_since_when_nothing_names_it() -> None:
    deletions = Deletions.load(MemoryStore())
    deletions.add(["a", "b"], NOON)
    deletions.add(["b", "c"], NOON + MINUTE)
    first, second = "2026-01-02T12:00:00Z", "2026-01-02T12:01:00Z"
    assert deletions.since == {"a": first, "b": first, "c": second}
    deletions.drop(["a", "unknown"])
    assert deletions.since == {"b": first, "c": second}
    deletions.add(["a"], NOON + 2 * MINUTE)
    assert deletions.since["a"] == "2026-01-02T12:02:00Z"


@pytest.mark.parametrize(
    ("grace", "minutes", "due"),
    [
        (0, 0, ["a"]),
        (0, 1, ["a", "b"]),
        (60, 0, []),
        (60, 1, ["a"]),
        (120, 1, []),
        (120, 2, ["a"]),
        (120, 3, ["a", "b"]),
    ],
)
def test_a_path_is_due_when_its_grace_period_is_over(grace: int, minutes: int, due: list[str]) -> None:
    deletions = Deletions.load(MemoryStore(grace=grace))
    deletions.add(["a"], NOON)
    deletions.add(["b"], NOON + MINUTE)
    assert deletions.due(NOON + minutes * MINUTE) == due
    assert deletions.due(NOON - MINUTE) == []


def test_the_list_is_saved_in_order_and_loaded() -> None:
    store = MemoryStore()
    deletions = Deletions.load(store)
    deletions.save()
    assert store.effects == []
    deletions.add(["b", "a"], NOON)
    deletions.save()
    assert list(orjson.loads(store.objects[PATH].data)) == ["a", "b"]
    assert Deletions.load(store).since == deletions.since
    deletions.save()
    assert store.effects == [("replace", PATH)], "nothing is written if nothing has changed"
    deletions.drop(["a"])
    deletions.save()
    assert Deletions.load(store).since == {"b": "2026-01-02T12:00:00Z"}
    deletions.drop(["b"])
    deletions.save()
    assert store.objects == {} and store.effects[-1] == ("delete", PATH)
    deletions.add(["c"], NOON)
    deletions.save()
    assert list(Deletions.load(store).since) == ["c"]


def test_two_exports_do_not_lose_each_others_entries() -> None:
    store = MemoryStore()
    one, other = Deletions.load(store), Deletions.load(store)
    one.add(["a"], NOON)
    one.save()
    other.add(["b"], NOON)
    with pytest.raises(ConflictError):
        other.save()
    assert list(Deletions.load(store).since) == ["a"]


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"7", b"{"])
def test_a_damaged_list(data: bytes) -> None:
    store = MemoryStore()
    store.write([(PATH, data)])
    with pytest.raises(StoreError, match=r"_state/deletions\.json is damaged: delete it"):
        Deletions.load(store)


def test_documents_of_the_list_by_part() -> None:
    deletions = Deletions.load(MemoryStore())
    deletions.add(
        [
            *("v1/runs/7.json", "v1/runs/7/log.json", "v1/runs/299.json", "v1/samples/1.json", "docs/index.html"),
            *("v1/manifests/0-0123456789ab.json",),
        ],
        NOON,
    )
    assert deletions.by_part() == {
        "0": {"runs/7.json", "runs/7/log.json"},
        "2": {"runs/299.json"},
        "catalog": {"samples/1.json"},
        "site": {"/docs/index.html"},
    }
