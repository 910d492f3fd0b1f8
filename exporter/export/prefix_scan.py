"""The prefix scan: the history before each partition, from what is kept of the partitions before it, in their order.

A partition's history summaries are appended to those of the partitions before it with `history.concat`, an associative
operation. So the lineages after a partition are those before it and its own, and one step per partition gives them all.
"""

import dataclasses
from collections.abc import Iterable

from exporter import paths
from exporter.paths import PLATFORMS
from exporter.rules.history import Row
from exporter.rules.lineage import RunFacts, compared_lineages, main_lineage
from exporter.rules.lineage_state import Lineage, Lineages, Step, fingerprint, reruns_after, step, turns
from exporter.state.partition_store import PartitionStore, StateLostError
from exporter.state.posting_lists import PartitionStats, PostingLists

_NEWEST = 2048
"""Lineages whose state after their newest partition stays in memory: 1 kB for a commit, 20 kB for any other.

A branch or a pull request pauses for some partitions. To read one again, for one lineage, takes longer than its step.
"""


class PrefixScan:
    """Scans partitions, in ascending order, from the first one that has changed on.

    Args:
        lists: the posting lists before the scan; it updates them.
        partitions: the partition store; it gets the lineages before and after each partition.

    Attributes:
        dirty_lists: the names of all posting lists that a replaced or removed partition was or is on.
    """

    def __init__(self, lists: PostingLists, partitions: PartitionStore) -> None:
        self.lists, self._partitions = lists, partitions
        self.dirty_lists: set[str] = set()
        self._newest: dict[str, tuple[int, Lineage]] = {}

    def replace(self, number: int, stats: PartitionStats) -> set[int]:
        """Scan a partition that was read, whose own lineages are in the partition store.

        Returns:
            The other partitions whose archive page of some feed now links to another page.
        """
        self._expect(number, stats)
        found = self._step(number)
        self._partitions.put("lineages_before", number, found.before)
        self._partitions.put("lineages_after", number, found.after)
        changes = sum(self._changes(number, found, platform) for platform in PLATFORMS)
        counts = {name: count for name, count in stats.counts.items() if name != paths.REGRESSIONS}
        if changes:
            counts[paths.REGRESSIONS] = changes
        # A new object: `stats` may be the very one that it replaces.
        return self._replace(number, dataclasses.replace(stats, counts=dict(sorted(counts.items()))))

    def rescan(self, number: int) -> set[int]:
        """Scan a partition that was read before, because the history before it has changed."""
        return self.replace(number, self.lists.nodes[number].stats)

    def remove(self, number: int) -> set[int]:
        """Remove a partition that has no run any more."""
        return self._replace(number, None)

    def pass_by(self, number: int) -> str:
        """Scan a partition that was not read; return the fingerprint of its prior history."""
        found = self._step(number)
        if found.after != self._partitions.lineages_after(number):
            self._partitions.put("lineages_after", number, found.after)
        return fingerprint(found.before)

    def _replace(self, number: int, stats: PartitionStats | None) -> set[int]:
        if number in self.lists.nodes:
            self.dirty_lists.update(self.lists.nodes[number].stats.counts)
        if stats is not None:
            self.dirty_lists.update(stats.counts)
        return self.lists.replace(number, stats)

    def _expect(self, number: int, stats: PartitionStats) -> None:
        """Ask a distant store for the list heads that replacing a partition's statistics reads."""
        node = self.lists.nodes.get(number)
        before = node.stats.counts if node else {}
        changed = {name for name in {**before, **stats.counts} if before.get(name) != stats.counts.get(name)}
        self.lists.expect(changed | set(compared_lineages(self._partitions.own_lineages(number))) - before.keys())

    def _step(self, number: int) -> Step:
        own = self._partitions.own_lineages(number)
        before: Lineages = {}
        to_read = []
        for name in compared_lineages(own):
            previous, newest = self.lists.previous(name, number), self._newest.get(name)
            if newest is not None and newest[0] == previous:
                before[name] = newest[1]
            elif previous is not None:
                to_read.append((previous, name))
                self._partitions.expect("lineages_after", previous)
        for previous, name in sorted(to_read):
            lineages = self._partitions.lineages_after(previous)  # read once for all lineages that were there last
            if name not in lineages:
                raise StateLostError
            before[name] = lineages[name]
        found = step(own, before, lambda runs: self._rows(number, runs))
        for name, after in found.after.items():
            self._newest.pop(name, None)  # to the end, as the one used last
            self._newest[name] = number, after
        while len(self._newest) > _NEWEST:
            del self._newest[next(iter(self._newest))]
        return found

    def _rows(self, number: int, runs: Iterable[int]) -> list[tuple[RunFacts, Row]]:
        """Runs of a partition with their results."""
        matrix = self._partitions.matrix(number)
        return [(matrix.runs[run_id].run, matrix.row(run_id)) for run_id in runs]

    def _changes(self, number: int, found: Step, platform: str) -> int:
        """The number of changes of the main line that a partition's runs make."""
        name = main_lineage(platform)
        if name not in found.own:
            return 0
        own = found.own[name]
        excluded = reruns_after(name, own, found.before)
        extending = [run_id for run_id, _ in own.commits if run_id not in excluded]
        rows = (row for _, row in self._rows(number, extending))
        return turns(rows, own, found.before.get(name, Lineage()))
