"""What the exporter remembers in `_state/` so as not to build what has not changed.

`plan.json` says from which rows each published part was built, and names each partition's record. It is written after
the manifest: if an export dies in between, it speaks of an older snapshot than the one that is published, and only
what still agrees with that is believed. Without it everything is built again, and nothing is lost.
"""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from exporter import layout
from exporter.builders.dependencies import Views
from exporter.builders.feeds import Digest, Feeds, Record
from exporter.documents import digest
from exporter.publish.store import ABSENT, Store


class StateLostError(Exception):
    """Something that the state names is not there, or not as it should be."""


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What is remembered of a partition.

    Args:
        manifest: digest of its part of the manifest, to which the rest belongs.
        rows: fingerprint of the rows that it was built from.
        record: path of its record, below the state's root.
        runs: number of its runs.
        results: number of its results.
        latest: the highest run id.
    """

    manifest: str
    rows: str
    record: str
    runs: int
    results: int
    latest: int


@dataclass(frozen=True, slots=True)
class State:
    """All that is remembered. `made_by` tells code and options: what others have built is built again."""

    made_by: str
    snapshot: str
    partitions: Mapping[int, PartitionState]
    views: Views
    subjects: Views
    last: Mapping[str, int] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def encode(self) -> bytes:
        """The bytes of `plan.json`."""
        value = {**{f.name: getattr(self, f.name) for f in dataclasses.fields(self)}, "layout": layout.LAYOUT_VERSION}
        value["partitions"] = {str(number): dataclasses.astuple(one) for number, one in sorted(self.partitions.items())}
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def decode(data: bytes) -> State | None:
    """Read a `plan.json`; None if it is damaged."""
    try:
        value: dict[str, Any] = orjson.loads(data)
        del value["layout"]
        partitions = {int(number): PartitionState(*one) for number, one in value.pop("partitions").items()}
        return State(partitions=partitions, **value)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


def load(store: Store, result_documents: str) -> tuple[State | None, bytes | None, str]:
    """The state, if this code made it with these options; its bytes; and the version to replace."""
    found = store.get(layout.STATE_PLAN)
    if found is None:
        return None, None, ABSENT
    state = decode(found.data)
    if state is not None and state.made_by != made_by(result_documents):
        state = None
    return state, found.data, found.version


@functools.cache
def made_by(result_documents: str) -> str:
    """What documents depend on beside the rows: the exporter's own code, and its options."""
    package = pathlib.Path(__file__).parent
    code = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        code.update(file.read_bytes())
    return f"{code.hexdigest()[:16]}/{result_documents}"


def encode_record(record: Record) -> tuple[str, bytes]:
    """A record's path below the state's root, and its bytes."""
    value = {"before": dict(sorted(record.before.items())), "digest": dataclasses.asdict(record.digest)}
    data = orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS)  # unsorted: runs keep the order of a document's keys
    return layout.state_record(record.digest.partition, digest(data)), data


class Records(dict[int, Record]):
    """The records of partitions, each read when it is first asked for."""

    def __init__(self, store: Store, partitions: Mapping[int, PartitionState]) -> None:
        super().__init__()
        self._store, self._partitions = store, dict(partitions)

    def __contains__(self, number: object) -> bool:
        return super().__contains__(number) or number in self._partitions

    def __delitem__(self, number: int) -> None:
        self.pop(number, None)
        self._partitions.pop(number, None)

    def __missing__(self, number: int) -> Record:
        path = self._partitions[number].record
        found = self._store.get(layout.STATE_ROOT + path)
        if found is None or path != layout.state_record(number, digest(found.data)):
            raise StateLostError
        try:
            value = orjson.loads(found.data)
            value["digest"]["orphans"] = {int(test): one for test, one in value["digest"]["orphans"].items()}
            record = Record(Digest(**value["digest"]), value["before"])
        except (ValueError, TypeError, KeyError):
            raise StateLostError from None
        self[number] = record
        return record


def feeds(store: Store, state: State) -> Feeds:
    """The feeds as they were when the state was written."""
    values = {facet: dict(counts) for facet, counts in state.values.items()}
    return Feeds(Records(store, state.partitions), dict(state.last), dict(state.totals), values)
