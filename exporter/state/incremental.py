"""The incremental state: what is remembered of a store, as far as it is valid, and what to remember from now on."""

import logging
import pathlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.documents.encoding import digest
from exporter.publish.published_state import PublishedState
from exporter.publish.publisher import NewState
from exporter.publish.store import Store
from exporter.state import state_file
from exporter.state.list_heads import ListHeads
from exporter.state.made_by import differences, made_by, settings_of
from exporter.state.partition_store import PartitionNodes, PartitionStore
from exporter.state.posting_lists import PostingLists
from exporter.state.state_file import KINDS, DependencyFingerprints, PartitionState, State

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Folders:
    """Where an export puts files that are to be remembered: two empty folders that hold nothing else."""

    partition_store: pathlib.Path
    list_heads: pathlib.Path


class NewPartitions(NamedTuple):
    """What is to be remembered of all partitions, and path below the state's root → file, of each new file of that."""

    partitions: Mapping[int, PartitionState]
    files: Mapping[str, pathlib.Path]


class Shown(NamedTuple):
    """Dependency fingerprints of partitions and of targets, and the paths of incomplete comparisons, as in `State`."""

    partitions: DependencyFingerprints
    targets: DependencyFingerprints
    incomplete: Collection[str]


class IncrementalState:
    """What is remembered of a store, as far as it is valid.

    Attributes:
        state: what `plan.json` says; None: nothing is remembered, or other code or options made it.
        valid: whether it belongs to the very manifest that is published, and no export has died since: then what has
            not changed need not even be read. Otherwise what it says of single partitions may still hold.
        partitions: the partition store.
        lists: the posting lists.
    """

    def __init__(
        self,
        store: Store | None,
        options: DocumentOptions,
        base: PublishedState,
        folders: Folders,
        *,
        use_state: bool = True,
    ) -> None:
        self._options, self._folders = options, folders
        self._found = state_file.load(store) if store is not None else state_file.NOTHING
        self.state: State | None = None
        self.differences = ""
        """The options, or the version, that differ from those of the published documents; empty: none do."""
        state = self._found.state
        if store is not None and state is not None and state.made_by != made_by(options):
            _warn_of_options(store, state.made_by, options)
            self.differences = differences(state.made_by, options)
        elif use_state and base.manifest is not None:
            self.state = state
        self.valid = (
            self.state is not None
            and base.manifest is not None
            and base.pending is None
            and self.state.snapshot == base.manifest.snapshot
        )
        self.partitions = PartitionStore(folders.partition_store, store, self.remembered)
        self._list_heads = ListHeads(store, self.state.list_heads if self.state else ())
        nodes = PartitionNodes(self.partitions, self.remembered)
        self.lists = PostingLists(nodes, self._list_heads, expect=self._list_heads.expect)
        if self.state is not None:
            self.lists.facet_counts |= {facet: dict(counts) for facet, counts in self.state.facet_counts.items()}

    @property
    def remembered(self) -> Mapping[int, PartitionState]:
        """What is remembered of each partition."""
        return self.state.partitions if self.state else {}

    @property
    def version(self) -> str:
        """The version of the store's `plan.json`."""
        return self._found.version

    def expect(self, number: int) -> None:
        """Ask a distant store for what is remembered that building a partition and what is about all of them takes."""
        if self.state is not None:
            for kind in KINDS:
                self.partitions.expect(kind, number if kind != "lineages_after" else number - 1)
            self.lists.expect([paths.RUNS])

    def new_partitions(
        self, manifests: Mapping[int, str], gone: Collection[int], rows: Mapping[int, str], priors: Mapping[int, str]
    ) -> NewPartitions:
        """What is to be remembered of all partitions.

        Args:
            manifests: partition → the digest of its part of the manifest, of the partitions that were built.
            gone: the partitions that have no run any more.
            rows: partition → the fingerprint of its rows, of the partitions that were examined.
            priors: partition → the fingerprint of its prior history, of the partitions for which it was computed.
        """
        partitions: dict[int, PartitionState] = {}
        files: dict[str, pathlib.Path] = {}
        new_files = self.partitions.new_files()
        for number in sorted({*self.remembered, *manifests}.difference(gone)):
            old = self.remembered.get(number)
            names = list(old.files if old else [""] * len(KINDS))
            for kind, file in new_files.get(number, {}).items():
                name = digest(file.read_bytes())
                if names[KINDS.index(kind)] != name:
                    names[KINDS.index(kind)] = name
                    files[paths.state_partition_file(number, kind, name)] = file
            prior = priors.get(number, old.prior if old else "")
            if number in manifests:
                stats = self.lists.nodes[number].stats
                # A partition that was not examined before it was read is examined by the next full export.
                counts = (stats.runs, stats.results, stats.latest)
                partitions[number] = PartitionState(
                    manifests[number], rows.get(number, ""), prior, tuple(names), *counts
                )
            elif old is not None:
                partitions[number] = old._replace(prior=prior, files=tuple(names))
        return NewPartitions(partitions, files)

    def new_state(self, snapshot: str, new: NewPartitions, shown: Shown, *, trusts_state: bool) -> NewState:
        """What the store is to remember.

        Args:
            snapshot: the state digest of the manifest that it belongs to.
            new: what is to be remembered of partitions.
            shown: what is to be remembered beside them.
            trusts_state: whether to trust that the store's state holds no file but those that `plan.json` names.
        """
        list_heads, shards = self._list_heads.save(self._folders.list_heads)
        state = State(
            made_by=made_by(self._options),
            snapshot=snapshot,
            partitions=new.partitions,
            shown=shown.partitions,
            targets=shown.targets,
            list_heads=list_heads,
            facet_counts=self.lists.facet_counts,
            incomplete=tuple(sorted(shown.incomplete)),
        )
        data, named = state.encode(), frozenset(state.files())
        return NewState(
            # A state that was not valid is written again with all that it names, even if it is the same.
            plan=None if self.state is not None and data == self._found.data else data,
            version=self.version,
            files={**new.files, **shards},
            named=named,
            stale=frozenset(self.state.files()) - named if trusts_state and self.state else None,
        )


def _warn_of_options(store: Store, fingerprint: str, options: DocumentOptions) -> None:
    """Warn if the store was last exported with other options, so that thousands of documents come or go."""
    before = settings_of(fingerprint)
    result_documents = before.get("--result-documents", options.result_documents)
    if result_documents != options.result_documents:
        log.warning(
            "%s was exported with --result-documents %s, this is with %s: all is built again, and a document for "
            "each result comes or goes; if that is not wanted, give %s to every export and hook",
            store.name,
            result_documents,
            options.result_documents,
            result_documents,
        )
    if before.get("--sample-repository") == "given" and not options.files:
        log.warning(
            "%s was exported with --sample-repository, this is without: all is built again, and all diffs and logs go; "
            "if that is not wanted, give it to every export and hook",
            store.name,
        )
