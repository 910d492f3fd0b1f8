"""Feeds: lists that grow with every run, sealed a hundred runs at a time.

The statistics of a partition are its `PartitionStats`. `Feeds` holds the `ListHead` of every feed: its total and its
newest partition; each partition's `PartitionNode` leads from there to the one before. So the pages that one changed
partition affects are found by walking a few links, however long the history; no result row is read for it.

Not every such chain has pages of its own. A regression test's results on one platform are one: it tells where the
newest ones are; so are the lines (`lines`), the lists of a commit's runs, and what partitions show (`dependencies`).
"""

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from exporter import paths
from exporter.documents.encoding import Document, Encoded, encode, fragment
from exporter.documents.lists import listing
from exporter.documents.runs import Run, RunFacts


@dataclass(frozen=True, slots=True)
class PartitionStats:
    """What the rest needs to know of one partition at any time; `matrix` and `lines` hold more.

    Args:
        partition: its number.
        runs: the number of its runs.
        results: the number of its results.
        latest: the highest run id.
        counts: name of a feed or chain → how many of its items are the partition's.
        values: facet of the run feed → value → number of its runs.
        diffs: path → the contents compared there, as `outcomes.Pair`.
    """

    partition: int
    runs: int
    results: int
    latest: int
    counts: dict[str, int]
    values: dict[str, dict[str, int]]
    diffs: dict[str, tuple[str, str, str]]


@dataclass(slots=True)
class PartitionNode:
    """A partition's digest, and for each of its feeds that has one the partition of the page before."""

    digest: PartitionStats
    before: dict[str, int] = field(default_factory=dict)


class ListHead(NamedTuple):
    """Where a feed or chain ends: the newest partition that has an item, and the number of items of all."""

    last: int
    total: int


class Newest(NamedTuple):
    """The newest partitions of a feed, newest first, and the one before them."""

    partitions: list[int]
    before: int | None


@dataclass(slots=True)
class Feeds:
    """All feeds and chains.

    Args:
        records: of every partition; one that was changed is put back.
        ends: name → its end.
        values: facet of the run feed → value → number of runs.
        ended: the names of those that have lost their last item.
    """

    records: MutableMapping[int, PartitionNode]
    ends: MutableMapping[str, ListHead]
    values: dict[str, dict[str, int]] = field(default_factory=lambda: {name: {} for name in paths.RUN_FACETS})
    ended: set[str] = field(default_factory=set)

    def replace(self, partition: int, new: PartitionStats | None) -> set[int]:
        """Put a partition's new digest in the place of the one it had, if it had one; None: it has no run any more.

        Gives the other partitions whose page of some feed now leads to another page.
        """
        old = self.records.get(partition)
        relinked: set[int] = set()
        was, is_ = old.digest.counts if old else {}, new.counts if new else {}
        before = old.before if old else {}
        record = PartitionNode(new, {name: to for name, to in before.items() if name in is_}) if new else None
        for name in {**was, **is_}:
            more = is_.get(name, 0) - was.get(name, 0)
            if not more:  # most of a partition's: their ends need not even be read
                continue
            moved: set[int] = set()
            if name not in was:
                assert record is not None
                moved = self._link(name, record)
            elif name not in is_:
                moved = self._unlink(name, partition, before.get(name))
            if _has_pages(name):
                relinked |= moved
            self._count(name, more)
        for values, sign in ((old.digest.values if old else {}, -1), (new.values if new else {}, 1)):
            for facet, counts in values.items():
                _add(self.values[facet], counts, sign)
        if record is not None:
            self.records[partition] = record
        elif old:
            del self.records[partition]
        return relinked

    def extend(self, partition: int, names: Iterable[str]) -> None:
        """Put a partition into further chains, each with one item."""
        record = self.records[partition]
        for name in sorted(set(names) - record.digest.counts.keys()):
            record.digest.counts[name] = 1
            self._link(name, record)
            self._count(name, 1)
        self.records[partition] = record

    def last(self, name: str) -> int | None:
        """The newest partition that has an item."""
        end = self.ends.get(name)
        return end.last if end else None

    def before(self, name: str, partition: int) -> int | None:
        """The newest partition before this one that has an item."""
        here = self.records.get(partition)
        if here is not None and name in here.digest.counts:  # most often: then nothing newer need be looked at
            return here.before.get(name)
        return next((found for found in self.chain(name) if found < partition), None)

    def chain(self, name: str) -> Iterator[int]:
        """All partitions that have an item, newest first."""
        found = self.last(name)
        while found is not None:
            yield found
            found = self.records[found].before.get(name)

    def _count(self, name: str, more: int) -> None:
        """Count a name's items; one that has none any more has ended."""
        end = self.ends[name]
        if end.total + more:
            self.ends[name] = ListHead(end.last, end.total + more)
        else:
            del self.ends[name]
            self.ended.add(name)

    def _link(self, name: str, record: PartitionNode) -> set[int]:
        """Put a partition into a chain; give the one that now leads to it."""
        partition = record.digest.partition
        end = self.ends.get(name, ListHead(partition, 0))
        after, before = None, end.last if end.total else None
        while before is not None and before > partition:
            after, before = before, self.records[before].before.get(name)
        if before is not None:
            record.before[name] = before
        if after is None:
            self.ends[name] = ListHead(partition, end.total)
            self.ended.discard(name)
            return set()
        self._lead(after, name, partition)
        return {after}

    def _unlink(self, name: str, partition: int, before: int | None) -> set[int]:
        """Take a partition out of a chain; give the one that led to it."""
        end = self.ends[name]
        after, here = None, end.last
        while here != partition:
            after, here = here, self.records[here].before[name]
        if after is not None:
            self._lead(after, name, before)
            return {after}
        if before is not None:
            self.ends[name] = ListHead(before, end.total)
        return set()

    def _lead(self, partition: int, name: str, before: int | None) -> None:
        """Let a partition lead to another one in a chain; None: to none."""
        record = self.records[partition]
        if before is None:
            del record.before[name]
        else:
            record.before[name] = before
        self.records[partition] = record

    def newest(self, names: Iterable[str], least: int) -> dict[str, Newest]:
        """The newest partitions of each feed that together hold at least so many items, or all of them.

        The feeds are followed side by side, so that each record is looked at once.
        """
        found = {name: Newest([], None) for name in names}
        held = dict.fromkeys(found, 0)
        here: dict[int, list[str]] = {}

        def go_on(name: str, partition: int | None) -> None:
            if partition is None or held[name] >= least:
                found[name] = Newest(found[name].partitions, partition)
            else:
                here.setdefault(partition, []).append(name)

        for name in found:
            go_on(name, self.last(name))
        while here:
            partition = max(here)
            record = self.records[partition]
            for name in here.pop(partition):
                found[name].partitions.append(partition)
                held[name] += record.digest.counts[name]
                go_on(name, record.before.get(name))
        return found

    def heads(self, names: Iterable[str]) -> dict[str, Newest]:
        """What the heads of feeds hold, and where their `next` leads to."""
        return self.newest(names, paths.PER_PAGE)

    def head(self, name: str) -> Newest:
        """The same of one feed."""
        return self.heads([name])[name]

    def total(self, name: str) -> int:
        """The number of a feed's items."""
        end = self.ends.get(name)
        return end.total if end else 0


_PAGED = (
    *(f"{paths.facet(paths.RUNS, name)}/" for name in paths.RUN_FACETS),
    f"{paths.SAMPLES}/",
    f"{paths.GRID}/",
)


def _has_pages(name: str) -> bool:
    """Whether a feed or chain has archive pages that lead to each other."""
    return name in (paths.RUNS, paths.REGRESSIONS) or name.startswith(_PAGED)


def _add(counts: dict[str, int], more: Mapping[str, int], sign: int) -> None:
    """Add counts, or take them away with a negative sign; what comes to nothing is gone."""
    for value, count in more.items():
        counts[value] = counts.get(value, 0) + sign * count
        if not counts[value]:
            del counts[value]


def facet_values(run: RunFacts) -> Iterator[tuple[str, str]]:
    """The (facet, value) pairs that a run is listed under; a null stands under none."""
    for name in paths.RUN_FACETS:
        value = run[name]  # type: ignore[literal-required]
        if value is not None:
            yield name, value


def run_feeds(run: RunFacts) -> Iterator[str]:
    """The names of the feeds that list a run."""
    yield paths.RUNS
    for name, value in facet_values(run):
        yield paths.facet_list(paths.RUNS, name, value)


def run_lists(run: RunFacts) -> Iterator[str]:
    """The names of the numbered lists that list a run: of its commit and of its pull request."""
    if run["commit_sha"] is not None:
        yield paths.runs_of_commit(run["commit_sha"])
    if run["pr_number"] is not None:
        yield paths.runs_of_pull_request(run["pr_number"])


def archive_page(name: str, partition: int, items: list[Any], before: int | None) -> Document:
    """A feed's archive page of one partition; `before` is the partition of the next older page."""
    path = paths.archive(name, partition)
    return path, encode(listing(items, {"next": _next(path, name, before)}))


def head_page(name: str, items: list[Any], total: int, before: int | None) -> Document:
    """A feed's head; `before` is the partition of the newest page that it does not hold."""
    path = paths.document(name)
    return path, encode(listing(items, {"total": total, "next": _next(path, name, before)}))


def _next(path: str, name: str, before: int | None) -> str | None:
    return None if before is None else paths.relative(path, paths.archive(name, before))


def linked(runs: Iterable[Run], path: str) -> list[Encoded]:
    """Runs as items of the list that stands at `path`, each with a link to its document."""
    return [fragment({**run, "href": paths.relative(path, paths.run(run["run_id"]))}) for run in runs]
