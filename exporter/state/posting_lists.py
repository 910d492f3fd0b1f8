"""Posting lists: which partitions have items of which list, and how many.

Every list that goes over partitions has one: each feed, the runs of each commit and pull request, the results of each
regression test on each platform, each lineage, each pair of compared contents, and each thing of the catalogue that
documents show (`export.dependencies`). A posting list has a `ListHead`: its newest partition and its total. Each
partition's `PartitionNode` holds, for every posting list that it is on, the number of its items (`PartitionStats`) and
the partition before it. So the archive pages that one changed partition affects are found by following a few links,
however long the history is; no result row is read for that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter import paths
from exporter.builders.feeds import NewestPartitions


@dataclass(frozen=True, slots=True)
class PartitionStats:
    """What other partitions and the aggregate need to know of a partition beside its matrix and lineages.

    Args:
        latest: the highest run id.
        counts: name of a list → how many of its items are the partition's.
        values: facet of the run feed → value → number of its runs.
        diffs: path → the contents compared there, as `outcomes.Pair`.
    """

    partition: int
    runs: int
    results: int
    latest: int
    counts: dict[str, int]
    values: dict[str, dict[str, int]]
    diffs: dict[str, tuple[str, str | None, str]]


@dataclass(slots=True)
class PartitionNode:
    """A partition on its posting lists: its statistics, and name → the partition before it, where there is one."""

    stats: PartitionStats
    previous: dict[str, int] = field(default_factory=dict)


class ListHead(NamedTuple):
    """The beginning of a posting list: its newest partition, and the number of items of all its partitions."""

    last: int
    total: int


@dataclass(slots=True)
class PostingLists:
    """All posting lists.

    Args:
        nodes: partition → its node; a node that was changed is assigned again.
        list_heads: name → head, of every list that has an item.
        facet_counts: facet of the run feed → value → number of runs.
        emptied: the names of the lists that have lost their last item.
        expect: called with the names of lists whose heads are going to be read.
    """

    nodes: MutableMapping[int, PartitionNode]
    list_heads: MutableMapping[str, ListHead]
    facet_counts: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in paths.RUN_FACETS})
    emptied: set[str] = field(default_factory=set)
    expect: Callable[[Iterable[str]], None] = lambda _: None

    def replace(self, partition: int, stats: PartitionStats | None) -> set[int]:
        """Replace a partition's statistics, or add them; None removes a partition that has no run any more.

        Returns:
            The other partitions whose archive page of some feed now links to another page.
        """
        old = self.nodes.get(partition)
        old_counts, counts = old.stats.counts if old else {}, stats.counts if stats else {}
        previous = old.previous if old else {}
        node = PartitionNode(stats, {name: to for name, to in previous.items() if name in counts}) if stats else None
        relinked: set[int] = set()
        for name in {**old_counts, **counts}:
            difference = counts.get(name, 0) - old_counts.get(name, 0)
            if not difference:  # true of most: their heads need not even be read
                continue
            moved: set[int] = set()
            if name not in old_counts:
                assert node is not None
                moved = self._link(name, node)
            elif name not in counts:
                moved = self._unlink(name, partition, previous.get(name))
            if _has_pages(name):
                relinked |= moved
            self._count(name, difference)
        for values, sign in ((old.stats.values if old else {}, -1), (stats.values if stats else {}, 1)):
            for facet, of_facet in values.items():
                _add(self.facet_counts[facet], of_facet, sign)
        if node is not None:
            self.nodes[partition] = node
        elif old:
            del self.nodes[partition]
        return relinked

    def extend(self, partition: int, names: Iterable[str]) -> None:
        """Put a partition on further lists, with one item each."""
        node = self.nodes[partition]
        for name in sorted(set(names) - node.stats.counts.keys()):
            node.stats.counts[name] = 1
            self._link(name, node)
            self._count(name, 1)
        self.nodes[partition] = node

    def names(self) -> Iterable[str]:
        """The names of all lists that have an item."""
        return self.list_heads

    def total(self, name: str) -> int:
        """The number of items of a list."""
        head = self.list_heads.get(name)
        return head.total if head else 0

    def last(self, name: str) -> int | None:
        """The newest partition that has an item of a list."""
        head = self.list_heads.get(name)
        return head.last if head else None

    def previous(self, name: str, partition: int) -> int | None:
        """The newest partition before this one that has an item of a list."""
        node = self.nodes.get(partition)
        if node is not None and name in node.stats.counts:  # most often: then no newer node need be read
            return node.previous.get(name)
        return next((found for found in self.partitions(name) if found < partition), None)

    def partitions(self, name: str) -> Iterator[int]:
        """All partitions that have an item of a list, newest first."""
        found = self.last(name)
        while found is not None:
            yield found
            found = self.nodes[found].previous.get(name)

    def newest(self, names: Iterable[str], least: int) -> dict[str, NewestPartitions]:
        """For each list the newest partitions that together hold at least `least` items, or all of them.

        The lists are followed side by side, so that each node is read once.
        """
        found = {name: NewestPartitions([], None) for name in names}
        self.expect(found)
        items = dict.fromkeys(found, 0)
        waiting: dict[int, list[str]] = {}

        def go_on(name: str, partition: int | None) -> None:
            if partition is None or items[name] >= least:
                found[name] = NewestPartitions(found[name].partitions, partition)
            else:
                waiting.setdefault(partition, []).append(name)

        for name in found:
            go_on(name, self.last(name))
        while waiting:
            partition = max(waiting)
            node = self.nodes[partition]
            for name in waiting.pop(partition):
                found[name].partitions.append(partition)
                items[name] += node.stats.counts[name]
                go_on(name, node.previous.get(name))
        return found

    def heads(self, names: Iterable[str]) -> dict[str, NewestPartitions]:
        """For each feed the partitions whose items its head holds."""
        return self.newest(names, paths.PER_PAGE)

    def head(self, name: str) -> NewestPartitions:
        """The partitions whose items the head of a feed holds."""
        return self.heads([name])[name]

    def _count(self, name: str, difference: int) -> None:
        """Add to a list's total; a list without an item has no head."""
        head = self.list_heads[name]
        if head.total + difference:
            self.list_heads[name] = ListHead(head.last, head.total + difference)
        else:
            del self.list_heads[name]
            self.emptied.add(name)

    def _link(self, name: str, node: PartitionNode) -> set[int]:
        """Put a partition on a list; return the partition that now links to it."""
        partition = node.stats.partition
        head = self.list_heads.get(name, ListHead(partition, 0))
        following, previous = None, head.last if head.total else None
        while previous is not None and previous > partition:
            following, previous = previous, self.nodes[previous].previous.get(name)
        if previous is not None:
            node.previous[name] = previous
        if following is None:
            self.list_heads[name] = ListHead(partition, head.total)
            self.emptied.discard(name)
            return set()
        self._set_previous(following, name, partition)
        return {following}

    def _unlink(self, name: str, partition: int, previous: int | None) -> set[int]:
        """Take a partition off a list; return the partition that linked to it."""
        head = self.list_heads[name]
        following, here = None, head.last
        while here != partition:
            following, here = here, self.nodes[here].previous[name]
        if following is not None:
            self._set_previous(following, name, previous)
            return {following}
        if previous is not None:
            self.list_heads[name] = ListHead(previous, head.total)
        return set()

    def _set_previous(self, partition: int, name: str, previous: int | None) -> None:
        node = self.nodes[partition]
        if previous is None:
            del node.previous[name]
        else:
            node.previous[name] = previous
        self.nodes[partition] = node


_PAGED = (
    *(f"{paths.facet(paths.RUNS, name)}/" for name in paths.RUN_FACETS),
    f"{paths.SAMPLES}/",
    f"{paths.GRID}/",
)


def _has_pages(name: str) -> bool:
    """Whether a list is a feed, whose archive pages link to each other."""
    return name in (paths.RUNS, paths.REGRESSIONS) or name.startswith(_PAGED)


def _add(counts: dict[str, int], more: Mapping[str, int], sign: int) -> None:
    """Add counts, or subtract them with a negative sign; a value whose count becomes 0 is removed."""
    for value, count in more.items():
        counts[value] = counts.get(value, 0) + sign * count
        if not counts[value]:
            del counts[value]
