"""The prefix scan: the history before each partition, from what is kept of the partitions before it, in their order.

A partition's history summaries are appended to those of the partitions before it with `lineage.concat`, an associative
operation. So the lineages after a partition are those before it and its own, and one step per partition gives them all.
"""

import dataclasses

from exporter import paths
from exporter.rules.lineage import Lineages, compared_lineages, fingerprint, main_lineage
from exporter.rules.status import PLATFORMS
from exporter.state.partition_store import PartitionStore, StateLostError
from exporter.state.posting_lists import PartitionStats, PostingLists


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

    def replace(self, number: int, stats: PartitionStats) -> set[int]:
        """Scan a partition that was read, whose own lineages are in the partition store.

        Returns:
            The other partitions whose archive page of some feed now links to another page.
        """
        before, after = self._step(number)
        self._partitions.put("lineages_before", number, before)
        self._partitions.put("lineages_after", number, after)
        own = self._partitions.own_lineages(number)
        changes = sum(_changes(own, before, after, main_lineage(platform)) for platform in PLATFORMS)
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
        before, after = self._step(number)
        if after != self._partitions.lineages_after(number):
            self._partitions.put("lineages_after", number, after)
        return fingerprint(before)

    def _replace(self, number: int, stats: PartitionStats | None) -> set[int]:
        if number in self.lists.nodes:
            self.dirty_lists.update(self.lists.nodes[number].stats.counts)
        if stats is not None:
            self.dirty_lists.update(stats.counts)
        return self.lists.replace(number, stats)

    def _step(self, number: int) -> tuple[Lineages, Lineages]:
        """The lineages before a partition as its documents show them, and those after it that it has runs of."""
        own = self._partitions.own_lineages(number)
        tests = {test for lineage in own.values() for test in lineage.tests}
        before: Lineages = {}
        after = dict(own)
        for name in sorted(compared_lineages(own)):
            previous = self.lists.previous(name, number)
            if previous is not None:
                lineages = self._partitions.lineages_after(previous)
                if name not in lineages:
                    raise StateLostError
                before[name] = lineages[name].of(tests)
                if name in own:
                    after[name] = lineages[name].followed_by(own[name])
        return before, after


def _changes(own: Lineages, before: Lineages, after: Lineages, name: str) -> int:
    """How often tests have changed between pass and failure in a partition's runs of a lineage."""
    if name not in own:
        return 0
    tests = before[name].tests if name in before else {}
    return sum(
        after[name].tests[test].changes - (tests[test].changes if test in tests else 0) for test in own[name].tests
    )
