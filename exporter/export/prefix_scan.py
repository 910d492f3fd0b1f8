"""The fold: what came before each partition, from what is remembered of the partitions before it, in their order."""

import dataclasses

from exporter import paths
from exporter.builders.feeds import Feeds, PartitionStats
from exporter.rules.lineage import Lineages, compared_lineages, fingerprint, main_lineage
from exporter.rules.status import PLATFORMS
from exporter.state.partition_store import PartitionStore, StateLostError


class PrefixScan:
    """Folds partitions into the feeds and lines. They must come in ascending order, from the first that changed on.

    Args:
        feeds: as they are before.
        shelf: what is remembered of partitions; gets the lines before and after each.
    """

    def __init__(self, feeds: Feeds, shelf: PartitionStore) -> None:
        self.feeds, self._shelf = feeds, shelf
        self.touched: set[str] = set()
        """The names of all feeds and chains that had or have items in a partition that was folded in or out."""

    def replace(self, number: int, digest: PartitionStats) -> set[int]:
        """Fold in a partition that was read, in the place of what it was; its stretches are on the shelf.

        Gives the other partitions whose page of some feed now leads to another page.
        """
        past, lines = self._step(number)
        self._shelf.put("past", number, past)
        self._shelf.put("lines", number, lines)
        changes = sum(_changes(self._shelf.stretch(number), past, lines, main_lineage(one)) for one in PLATFORMS)
        counts = {name: count for name, count in digest.counts.items() if name != paths.REGRESSIONS}
        if changes:
            counts[paths.REGRESSIONS] = changes
        # A new one: the other may be the very one whose place it takes.
        return self._put(number, dataclasses.replace(digest, counts=dict(sorted(counts.items()))))

    def again(self, number: int) -> set[int]:
        """The same for a partition that was read already, because of what now comes before it."""
        return self.replace(number, self.feeds.records[number].digest)

    def remove(self, number: int) -> set[int]:
        """Fold out a partition that has no run any more."""
        return self._put(number, None)

    def keep(self, number: int) -> str:
        """Fold in again a partition that was not read; give the fingerprint of what came before it."""
        past, lines = self._step(number)
        if lines != self._shelf.lines(number):
            self._shelf.put("lines", number, lines)
        return fingerprint(past)

    def _put(self, number: int, digest: PartitionStats | None) -> set[int]:
        for counts in (
            self.feeds.records[number].digest.counts if number in self.feeds.records else {},
            digest.counts if digest else {},
        ):
            self.touched.update(counts)
        return self.feeds.replace(number, digest)

    def _step(self, number: int) -> tuple[Lineages, Lineages]:
        """The lines before a partition as its documents tell of them, and those after it that it has runs of."""
        stretches = self._shelf.stretch(number)
        tests = {test for stretch in stretches.values() for test in stretch.tests}
        past: Lineages = {}
        after = dict(stretches)
        for name in sorted(compared_lineages(stretches)):
            before = self.feeds.before(name, number)
            if before is not None:
                lines = self._shelf.lines(before)
                if name not in lines:
                    raise StateLostError
                past[name] = lines[name].of(tests)
                if name in stretches:
                    after[name] = lines[name].followed_by(stretches[name])
        return past, after


def _changes(stretches: Lineages, past: Lineages, lines: Lineages, name: str) -> int:
    """How often tests have turned in a stretch of a line, its first results included."""
    if name not in stretches:
        return 0
    before = past[name].tests if name in past else {}
    return sum(
        lines[name].tests[test].changes - (before[test].changes if test in before else 0)
        for test in stretches[name].tests
    )
