"""The partition store: what was put is found, by this export, by its workers, and by the next one."""

import pathlib
from typing import Any

import pytest

from exporter import paths
from exporter.builders.partition_summary import PartitionSummary
from exporter.documents.encoding import digest
from exporter.rules.history import Row
from exporter.rules.lineage import RunFacts
from exporter.rules.lineage_state import CommitRun, Lineage, NewestCommit, part, reference_run
from exporter.rules.result_matrix import Matrix, MatrixRow, ResultOutcome
from exporter.state import partition_store
from exporter.state.partition_store import PartitionNodes, PartitionStore, StateLostError
from exporter.state.posting_lists import PartitionNode, PartitionStats
from exporter.state.state_file import KINDS, Kind, PartitionState
from tests.support.memory_store import MemoryStore

RUN = RunFacts(301, "fail", "linux", "commit", "o/r", "master", "c" * 40, None, None, False, False)
RESULTS = [
    ResultOutcome(1, "fail", 1, "signature", "OUTPUT_DIFF", "o" * 12, False),
    ResultOutcome(2, "pass", 0, None, None, "p" * 12, True),
]
_PART = part([Row(301, "c" * 8, {one.test_id: one for one in RESULTS})])
_PART.reference, _PART.commit, _PART.commits = reference_run(RUN), NewestCommit("c" * 40), ((301, "c" * 40),)
LINEAGES = {
    "lines/linux/main": _PART,
    "commits/linux/c": Lineage(runs=(CommitRun(reference_run(RUN), "digest", (1, 2)),), on_main=True),
    "results/linux": Lineage(uncounted=(3,), runtimes={1: {3: 4}}),
}
VALUES: dict[Kind, Any] = {
    "node": PartitionNode(
        PartitionStats(3, 2, 9, 301, {"runs": 2}, {"platform": {"linux": 2}}, {"diffs/x.json": ("a", "b", ".srt")}),
        {"runs": 1},
    ),
    "matrix": Matrix(RESULTS, {301: MatrixRow(RUN, [0, 1], [5, None])}),
    "own_lineages": LINEAGES,
    "lineages_after": LINEAGES,
    "lineages_before": LINEAGES,
    "summary": PartitionSummary([], [], {"301": [1, 2]}, ["fingerprint"], ["statuses"], {"r": "R"}),
}


def _read(store: PartitionStore, kind: Kind, number: int) -> Any:
    return getattr(store, kind)(number)


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_is_found_by_another_process(kind: Kind, tmp_path: pathlib.Path) -> None:
    PartitionStore(tmp_path, None, {}).put(kind, 3, VALUES[kind])
    assert _read(PartitionStore(tmp_path, None, {}), kind, 3) == VALUES[kind]


def _remember(store: PartitionStore, memory: MemoryStore) -> dict[int, PartitionState]:
    """Put what is new into a store, as an export does when it publishes."""
    states = {}
    for number, files in store.new_files().items():
        assert tuple(sorted(files)) == tuple(sorted(KINDS))
        names = [digest(files[kind].read_bytes()) for kind in KINDS]
        for kind, name in zip(KINDS, names, strict=True):
            path = paths.STATE_ROOT + paths.state_partition_file(number, kind, name)
            memory.write([(path, files[kind].read_bytes())])
        states[number] = PartitionState("manifest", "rows", "prior", tuple(names), 1, 1, 1)
    return states


@pytest.fixture
def memory() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
def states(memory: MemoryStore, tmp_path: pathlib.Path) -> dict[int, PartitionState]:
    (tmp_path / "old").mkdir()
    store = PartitionStore(tmp_path / "old", None, {})
    for kind, value in VALUES.items():
        store.put(kind, 3, value)
    return _remember(store, memory)


@pytest.mark.parametrize("kind", KINDS)
def test_a_value_is_found_by_the_next_export(
    kind: Kind, memory: MemoryStore, states: dict[int, PartitionState], tmp_path: pathlib.Path
) -> None:
    assert _read(PartitionStore(tmp_path, memory, states), kind, 3) == VALUES[kind]


def test_what_is_only_needed_while_it_is_built_is_not_remembered(
    memory: MemoryStore, states: dict[int, PartitionState], tmp_path: pathlib.Path
) -> None:
    with pytest.raises(StateLostError):
        PartitionStore(tmp_path, memory, states).lineages_before(3)


def test_a_new_value_hides_the_remembered_one_but_not_the_previous_one(
    memory: MemoryStore, states: dict[int, PartitionState], tmp_path: pathlib.Path
) -> None:
    store = PartitionStore(tmp_path, memory, states)
    store.put("summary", 3, PartitionSummary())
    store.put("own_lineages", 3, {})
    assert (store.summary(3), store.own_lineages(3)) == (PartitionSummary(), {})
    assert (store.previous_summary(3), store.previous_own_lineages(3)) == (VALUES["summary"], LINEAGES)
    assert (store.previous_summary(4), store.previous_own_lineages(4)) == (None, {})


@pytest.mark.parametrize("data", [None, b"", b"{}", b"[]", b"null"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_lost_or_damaged_file_is_a_lost_state(
    kind: Kind, data: bytes | None, memory: MemoryStore, states: dict[int, PartitionState], tmp_path: pathlib.Path
) -> None:
    path = paths.STATE_ROOT + paths.state_partition_file(3, kind, states[3].files[KINDS.index(kind)])
    memory.delete([path])
    if data is not None:
        memory.write([(path, data)])
    store = PartitionStore(tmp_path, memory, states)
    with pytest.raises(StateLostError):
        _read(store, kind, 3)
    with pytest.raises(StateLostError):
        _read(store, kind, 4)


def test_what_another_process_replaced_is_read_again_when_told(tmp_path: pathlib.Path) -> None:
    mine, other = PartitionStore(tmp_path, None, {}), PartitionStore(tmp_path, None, {})
    mine.put("summary", 3, PartitionSummary())
    mine.put("summary", 4, PartitionSummary())
    other.put("summary", 3, VALUES["summary"])
    other.put("summary", 4, VALUES["summary"])
    assert mine.summary(3) == PartitionSummary()
    mine.invalidate(3)
    assert (mine.summary(3), mine.summary(4)) == (VALUES["summary"], PartitionSummary())


def test_only_the_latest_values_stay_in_memory(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(partition_store._IN_MEMORY, "summary", 2)
    store = PartitionStore(tmp_path, None, {})
    for number in (1, 2, 3):
        store.put("summary", number, PartitionSummary())
    assert store.summary(2) is store.summary(2)
    for file in tmp_path.iterdir():
        file.unlink()
    store.summary(2), store.summary(3)
    with pytest.raises(StateLostError):
        store.summary(1)


def test_nodes_are_those_of_the_partitions_that_there_are(tmp_path: pathlib.Path) -> None:
    store = PartitionStore(tmp_path, None, {})
    nodes = PartitionNodes(store, ())
    for number in (5, -1, 3):
        nodes[number] = PartitionNode(PartitionStats(number, 1, 1, 1, {}, {}, {}))
    del nodes[5]
    assert list(nodes) == [-1, 3] and len(nodes) == 2 and 5 not in nodes and nodes.get(5) is None
    store.invalidate(3)
    assert nodes[3].stats.partition == 3
    assert list(PartitionNodes(store, iter([3]))) == [3]
