"""Feeds: lists that grow with every run, sealed a hundred runs at a time.

A feed has a head (`runs.json`) and one archive page for each partition that has items of it. This module makes both
from items, and says which feeds and lists hold a run. Which partitions have items of which feed is not known here: the
builders ask a `FeedIndex`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol

from exporter import paths
from exporter.documents.encoding import Document, Encoded, encode, fragment
from exporter.documents.lists import listing
from exporter.documents.runs import Run, RunBase


class NewestPartitions(NamedTuple):
    """The newest partitions that have items of a feed, newest first, and the newest one that is left out."""

    partitions: list[int]
    next: int | None


class FeedIndex(Protocol):
    """Which partitions have items of which list; every list is known by its name."""

    @property
    def facet_counts(self) -> Mapping[str, Mapping[str, int]]:
        """Facet of the run feed → value → number of runs."""

    def names(self) -> Iterable[str]:
        """The names of all lists that have an item."""

    def total(self, name: str) -> int:
        """The number of items of a list."""

    def last(self, name: str) -> int | None:
        """The newest partition that has an item of a list."""

    def partitions(self, name: str) -> Iterator[int]:
        """All partitions that have an item of a list, newest first."""

    def newest(self, names: Iterable[str], least: int) -> dict[str, NewestPartitions]:
        """For each list the newest partitions that together hold at least `least` items, or all of them."""

    def heads(self, names: Iterable[str]) -> dict[str, NewestPartitions]:
        """For each feed the partitions whose items its head holds."""

    def head(self, name: str) -> NewestPartitions:
        """The partitions whose items the head of a feed holds."""


def facet_values(run: RunBase, repositories: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The (facet, value) pairs that a run is listed under; a null is listed under none.

    `repositories` as `runs.listed_repositories` has them.
    """
    for name in paths.RUN_FACETS:
        value = run[name]  # type: ignore[literal-required]
        if value is not None:
            yield name, repositories.get(value, value) if name == "repository" else value


def run_feeds(run: RunBase, repositories: Mapping[str, str]) -> Iterator[str]:
    """The names of the feeds that list a run; arguments as of `facet_values`."""
    yield paths.RUNS
    for name, value in facet_values(run, repositories):
        yield paths.facet_list(paths.RUNS, name, value)


def run_lists(run: RunBase) -> Iterator[str]:
    """The names of the numbered lists that list a run: of its commit and of its pull request."""
    if run["commit_sha"] is not None:
        yield paths.runs_of_commit(run["commit_sha"])
    if run["pr_number"] is not None:
        yield paths.runs_of_pull_request(run["pr_number"])


def archive_page(name: str, partition: int, items: list[Any], next_partition: int | None) -> Document:
    """A feed's archive page of one partition; `next_partition` is that of the next older page."""
    path = paths.archive(name, partition)
    return path, encode(listing(items, {"next": _next(path, name, next_partition)}))


def head_page(name: str, items: list[Any], total: int, next_partition: int | None) -> Document:
    """A feed's head; `next_partition` is that of the newest archive page whose items the head does not hold."""
    path = paths.document(name)
    return path, encode(listing(items, {"total": total, "next": _next(path, name, next_partition)}))


def _next(path: str, name: str, partition: int | None) -> str | None:
    return None if partition is None else paths.relative(path, paths.archive(name, partition))


def linked(runs: Iterable[Run], path: str) -> list[Encoded]:
    """Runs as items of the list at `path`, each with a link to its document."""
    return [fragment({**run, "href": paths.relative(path, paths.run(run["run_id"]))}) for run in runs]
