"""What the exporter remembers in `_state/` so as not to build what has not changed.

`plan.json` says from which rows each published part was built, and names what is remembered of each partition
(`shelf`) and of where feeds end (`ends`). It is written after the manifest: if an export dies in between, it speaks of
an older snapshot than the one that is published, and only what still agrees with that is believed. Without it
everything is built again, and nothing is lost.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import orjson

from exporter import paths, templating
from exporter.builders.dependencies import DependencyFingerprints
from exporter.builders.partition import Rules
from exporter.publish.store import ABSENT, Store

Kind = Literal["record", "matrix", "stretch", "lines", "told", "past"]
"""The kinds of value that the partition store keeps for each partition: its `PartitionNode`; its `Matrix`; its history
summaries of each lineage that it has runs of; the state of those lineages after it; its `PartitionSummary`; and, only
while an export builds it, the state of the lineages before it."""

KINDS: tuple[Kind, ...] = ("record", "matrix", "stretch", "lines", "told")
"""Those that are remembered."""


class PartitionState(NamedTuple):
    """What is remembered of a partition.

    Args:
        manifest: digest of its part of the manifest, to which the rest belongs.
        rows: fingerprint of the rows that it was built from.
        past: fingerprint of what its documents tell of the runs before it.
        shelf: digests of what the shelf holds of it, in the order of `KINDS`.
        runs: number of its runs.
        results: number of its results.
        latest: the highest run id.
    """

    manifest: str
    rows: str
    past: str
    shelf: tuple[str, ...]
    runs: int
    results: int
    latest: int


@dataclass(frozen=True, slots=True)
class State:
    """All that is remembered. `made_by` tells code and options: what others have built is built again."""

    made_by: str
    snapshot: str
    partitions: Mapping[int, PartitionState]
    views: DependencyFingerprints
    subjects: DependencyFingerprints
    ends: tuple[str, ...]
    """Digests of the pieces of `ends.ListHeads`; empty where one is."""
    values: Mapping[str, Mapping[str, int]]
    """As `feeds.Feeds` has them."""
    incomplete: tuple[str, ...]
    """Paths of comparisons of contents of which one was not there: it may come."""

    def files(self) -> Iterator[str]:
        """The paths, below the state's root, of all that it names."""
        for number, one in self.partitions.items():
            for kind, name in zip(KINDS, one.shelf, strict=True):
                yield paths.state_record(number, kind, name)
        for piece, name in enumerate(self.ends):
            if name:
                yield paths.state_list_heads(piece, name)

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
        ends, incomplete = tuple(value.pop("ends")), tuple(value.pop("incomplete"))
        if len(ends) != paths.LIST_HEAD_SHARDS:
            return None
        return State(partitions=partitions, ends=ends, incomplete=incomplete, **value)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def _partition(fields: Iterable[Any]) -> PartitionState:
    manifest, rows, past, shelf, *counts = fields
    return PartitionState(manifest, rows, past, tuple(shelf), *counts)


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


@functools.cache
def made_by(rules: Rules) -> str:
    """What documents depend on beside the rows: CODE/RULES/RESULT-DOCUMENTS/FILES.

    Digests of the exporter's own code and templates and of the rules; of these, for messages, which results have
    documents, and `files` with a sample repository.
    """
    package = pathlib.Path(__file__).parent.parent
    code = hashlib.sha256()
    templates = (file for file in templating.folder().rglob("*") if file.is_file())
    for file in (*sorted(package.rglob("*.py")), *sorted(templates)):
        code.update(file.read_bytes())
    digests = code.hexdigest()[:16], hashlib.sha256(repr(rules).encode()).hexdigest()[:8]
    return "/".join((*digests, rules.result_documents, "files" if rules.files else ""))
