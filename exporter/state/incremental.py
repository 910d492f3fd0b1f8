"""What is remembered of a store, as far as it may be believed, and what is to be remembered from now on."""

import logging
import pathlib
from collections.abc import Collection, Mapping

from exporter import paths
from exporter.builders.dependencies import DependencyFingerprints
from exporter.builders.feeds import Feeds
from exporter.builders.partition import Rules
from exporter.documents.encoding import digest
from exporter.publish.publisher import NewState, PublishedState
from exporter.publish.store import Store
from exporter.state import state_file as states
from exporter.state.list_heads import ListHeads
from exporter.state.partition_store import PartitionNodes, PartitionStore
from exporter.state.state_file import KINDS, PartitionState, State

log = logging.getLogger(__name__)


class IncrementalState:
    """What is remembered, as far as it may be believed.

    It is `consistent` if it speaks of the very snapshot that is published and no export has died since: then what did
    not change need not even be looked at. Otherwise what it says of partitions may still be right.

    Args:
        store: whose; None: nothing is remembered.
        rules: those of this export; what was made by others is not believed.
        base: what is published.
        folder: the export's spool.
        believe: whether to believe anything at all.
    """

    def __init__(
        self, store: Store | None, rules: Rules, base: PublishedState, folder: pathlib.Path, *, believe: bool
    ) -> None:
        self._rules, self._folder = rules, folder
        self._found = states.load(store) if store is not None else states.NOTHING
        self.state: State | None = None
        state = self._found.state
        if store is not None and state is not None and state.made_by != states.made_by(rules):
            _warn(store, state.made_by, rules)
        elif believe and base.manifest is not None:
            self.state = state
        self.consistent = (
            self.state is not None
            and base.manifest is not None
            and base.pending is None
            and self.state.snapshot == base.manifest.snapshot
        )
        self.partitions: Mapping[int, PartitionState] = self.state.partitions if self.state else {}
        self.shelf = PartitionStore(folder, store, self.partitions)
        self._ends = ListHeads(store, self.state.ends if self.state else ())
        self.feeds = Feeds(PartitionNodes(self.shelf, iter(self.partitions)), self._ends)
        if self.state is not None:
            self.feeds.values |= {facet: dict(counts) for facet, counts in self.state.values.items()}

    @property
    def version(self) -> str:
        """The version of the store's plan."""
        return self._found.version

    def update(
        self, built: Mapping[int, str], gone: Collection[int], rows: Mapping[int, str], pasts: Mapping[int, str]
    ) -> tuple[dict[int, PartitionState], dict[str, pathlib.Path]]:
        """What is to be remembered of all partitions; and path below the state's root → file, of what of it is new.

        Args:
            built: partition → the digest of its part of the manifest, of those that were built.
            gone: the partitions that have no run any more.
            rows: partition → the fingerprint of its rows, of those that were looked at.
            pasts: partition → the fingerprint of what came before it, of those for which it was worked out.
        """
        partitions: dict[int, PartitionState] = {}
        files: dict[str, pathlib.Path] = {}
        fresh = self.shelf.fresh()
        for number in sorted({*self.partitions, *built}.difference(gone)):
            old = self.partitions.get(number)
            shelf = list(old.shelf if old else [""] * len(KINDS))
            for kind, file in fresh.get(number, {}).items():
                name = digest(file.read_bytes())
                if shelf[KINDS.index(kind)] != name:
                    shelf[KINDS.index(kind)] = name
                    files[paths.state_record(number, kind, name)] = file
            past = pasts.get(number, old.past if old else "")
            if number in built:
                about = self.feeds.records[number].digest
                # What was not looked at before it was read, the next full plan looks at.
                found, counts = rows.get(number, ""), (about.runs, about.results, about.latest)
                partitions[number] = PartitionState(built[number], found, past, tuple(shelf), *counts)
            elif old is not None:
                partitions[number] = old._replace(past=past, shelf=tuple(shelf))
        return partitions, files

    def plan(
        self,
        snapshot: str,
        partitions: Mapping[int, PartitionState],
        files: Mapping[str, pathlib.Path],
        views: tuple[DependencyFingerprints, DependencyFingerprints],
        incomplete: Collection[str],
        *,
        quick: bool,
    ) -> NewState:
        """What the store is to remember.

        Args:
            snapshot: the manifest's, to which it belongs.
            partitions: of each partition.
            files: the new files of that.
            views: what partitions, and what subjects, show of the catalogue.
            incomplete: as in `State`.
            quick: whether to trust that nothing stands there but what is remembered.
        """
        ends, pieces = self._ends.put(self._folder)
        state = State(
            states.made_by(self._rules),
            snapshot,
            partitions,
            *views,
            ends,
            self.feeds.values,
            tuple(sorted(incomplete)),
        )
        data, named = state.encode(), frozenset(state.files())
        return NewState(
            # What could not be believed is written again, with all that it names, though it be the same.
            plan=None if self.state is not None and data == self._found.data else data,
            version=self.version,
            files={**files, **pieces},
            named=named,
            stale=frozenset(self.state.files()) - named if quick and self.state else None,
        )


def _warn(store: Store, made_by: str, rules: Rules) -> None:
    """Say so if the store was last exported with other options, so that thousands of documents come or go."""
    *_, before, files = made_by.split("/")
    if before != rules.result_documents:
        log.warning(
            "%s was exported with --result-documents %s, this is with %s: all is built again, and a document for "
            "each result comes or goes; if that is not wanted, give %s to every export and hook",
            store.name,
            before,
            rules.result_documents,
            before,
        )
    if files and not rules.files:
        log.warning(
            "%s was exported with --sample-repository, this is without: all is built again, and all diffs and logs go; "
            "if that is not wanted, give it to every export and hook",
            store.name,
        )
