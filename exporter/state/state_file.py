"""`_state/plan.json`: what is remembered of the store and of each partition, so that only changes are built.

It says from which rows each published part was built, and names the files of the partition store and the shards of
list heads. It is written after the manifest: if an export dies in between, it belongs to an older manifest than the
published one, and only what still agrees with that is used. Without it everything is built again, and nothing is lost.
"""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from exporter import paths
from exporter.publish.store import ABSENT, Store

DependencyFingerprints = Mapping[str, str]
"""Key, as `export.dependencies` makes it → fingerprint of what documents show of it."""

Kind = Literal["node", "matrix", "own_lineages", "lineages_after", "summary", "lineages_before"]
"""The kinds of value that the partition store keeps for each partition: its `PartitionNode`; its `Matrix`; the history
summaries of its own runs, of each lineage that it has runs of; the state of those lineages after it; its
`PartitionSummary`; and, only while an export builds it, the state of the lineages before it."""

KINDS: tuple[Kind, ...] = ("node", "matrix", "own_lineages", "lineages_after", "summary")
"""Those that are remembered."""

LIST_HEAD_SHARDS = 257
"""Shards of the list heads of all posting lists."""


class PartitionState(NamedTuple):
    """What is remembered of a partition.

    Args:
        manifest: digest of its part of the manifest, to which the rest belongs.
        rows: fingerprint of the rows that it was built from.
        prior: fingerprint of the prior history as its documents show it.
        files: digests of its files in the partition store, in the order of `KINDS`.
        runs: number of its runs.
        results: number of its results.
        latest: the highest run id.
    """

    manifest: str
    rows: str
    prior: str
    files: tuple[str, ...]
    runs: int
    results: int
    latest: int


@dataclass(frozen=True, slots=True)
class State:
    """All that is remembered.

    Args:
        made_by: fingerprint of code and options (`made_by.made_by`): what others have built is built again.
        snapshot: the state digest of the manifest that it belongs to.
        partitions: partition → what is remembered of it.
        shown: dependency fingerprints of partitions.
        targets: dependency fingerprints of targets.
        list_heads: digests of the shards of `list_heads.ListHeads`; empty for an empty shard.
        facet_counts: as `posting_lists.PostingLists` has them.
        incomplete: paths of the comparisons of which a content was missing: it may come.
    """

    made_by: str
    snapshot: str
    partitions: Mapping[int, PartitionState]
    shown: DependencyFingerprints
    targets: DependencyFingerprints
    list_heads: tuple[str, ...]
    facet_counts: Mapping[str, Mapping[str, int]]
    incomplete: tuple[str, ...]

    def files(self) -> Iterator[str]:
        """The paths, below the state's root, of all files that it names."""
        for number, one in self.partitions.items():
            for kind, name in zip(KINDS, one.files, strict=True):
                yield paths.state_partition_file(number, kind, name)
        for shard, name in enumerate(self.list_heads):
            if name:
                yield paths.state_list_heads(shard, name)

    def encode(self) -> bytes:
        """The bytes of `plan.json`."""
        value = {**{f.name: getattr(self, f.name) for f in dataclasses.fields(self)}, "layout": paths.LAYOUT_VERSION}
        value["partitions"] = {str(number): one for number, one in sorted(self.partitions.items())}
        return orjson.dumps(value, default=tuple, option=orjson.OPT_SORT_KEYS)


def decode(data: bytes) -> State | None:
    """Read a `plan.json`; None if it is damaged."""
    try:
        value: dict[str, Any] = orjson.loads(data)
        del value["layout"]
        partitions = {int(number): _partition(one) for number, one in value.pop("partitions").items()}
        list_heads, incomplete = tuple(value.pop("list_heads")), tuple(value.pop("incomplete"))
        if len(list_heads) != LIST_HEAD_SHARDS:
            return None
        return State(partitions=partitions, list_heads=list_heads, incomplete=incomplete, **value)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _partition(fields: Iterable[Any]) -> PartitionState:
    manifest, rows, prior, files, *counts = fields
    return PartitionState(manifest, rows, prior, tuple(files), *counts)


class Found(NamedTuple):
    """A store's plan: the state in it, unless there is none or it is damaged; its bytes, and its version."""

    state: State | None
    data: bytes | None
    version: str


NOTHING = Found(None, None, ABSENT)


def load(store: Store) -> Found:
    """The plan of a store."""
    found = store.get(paths.STATE_PLAN)
    return NOTHING if found is None else Found(decode(found.data), found.data, found.version)


def named_files(store: Store) -> frozenset[str]:
    """The paths, below the state's root, of the files that the plan of a store names."""
    state = load(store).state
    return frozenset(state.files()) if state else frozenset()
