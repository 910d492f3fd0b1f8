"""What the documents over all partitions need of one partition's documents."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from exporter import paths
from exporter.builders.feeds import run_feeds, run_lists
from exporter.documents.analysis import Change
from exporter.documents.runs import Run


@dataclass(frozen=True)
class PartitionSummary:
    """What the documents over all partitions need of one partition's documents; immutable.

    Args:
        runs: its runs as lists show them, newest first.
        changes: changes of the main line, newest first.
        compared_tests: run id in decimal → the tests that its comparison shows though the run has no result of them.
        fingerprints: the fingerprints of its runs' rows and logs, oldest run first.
        statuses: digests of the statuses of its runs' results, oldest run first.
        repositories: of its runs, as `runs.listed_repositories` has them.
    """

    runs: Sequence[Run] = ()
    changes: Sequence[Change] = ()
    compared_tests: Mapping[str, Sequence[int]] = field(default_factory=dict)
    fingerprints: Sequence[str] = ()
    statuses: Sequence[str] = ()
    repositories: Mapping[str, str] = field(default_factory=dict)

    @functools.cached_property
    def _lists(self) -> Mapping[str, Sequence[Run]]:
        lists: dict[str, list[Run]] = {}
        for run in self.runs:
            for name in (*run_feeds(run, self.repositories), *run_lists(run)):
                lists.setdefault(name, []).append(run)
        return lists

    def listings(self) -> dict[int, tuple[Run, str, str]]:
        """Run id → the run, the repository it is listed under, and the digest of its results' statuses."""
        return {
            run["run_id"]: (run, self.repositories.get(run["repository"], run["repository"]), statuses)
            for run, statuses in zip(reversed(self.runs), self.statuses, strict=True)
        }

    def listed(self, name: str) -> Sequence[Run]:
        """The runs that a feed, or the list of a commit or pull request, holds, newest first."""
        return self._lists.get(name, ())

    def on(self, platform: str) -> Sequence[Run]:
        """The runs on a platform, newest first."""
        return [run for run in self.runs if run["platform"] == platform]

    def oldest(self, count: int) -> "PartitionSummary":
        """The same of its `count` oldest runs alone."""
        runs = self.runs[len(self.runs) - count :]
        ids = {run["run_id"] for run in runs}
        return PartitionSummary(
            runs,
            [change for change in self.changes if change["run_id"] in ids],
            {run: tests for run, tests in self.compared_tests.items() if int(run) in ids},
            self.fingerprints[:count],
            self.statuses[:count],
            self.repositories,
        )

    def encoded(self) -> dict[str, Any]:
        """As JSON; `PartitionSummary(**value)` is the inverse."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def changed_lists(old: PartitionSummary | None, new: PartitionSummary | None) -> set[str]:
    """The dirty targets between two summaries of a partition; None: it had, or has, no run.

    The names of feeds and lists of runs and of changes, as `targets.of_document` has them.
    """
    old, new = old or PartitionSummary(), new or PartitionSummary()
    old_runs, new_runs = old.listings(), new.listings()
    names: set[str] = set()
    for run_id in old_runs.keys() | new_runs.keys():
        before, after = old_runs.get(run_id), new_runs.get(run_id)
        if before != after:
            shown_differently = before is None or after is None or before[:2] != after[:2]
            for summary, found in ((old, before), (new, after)):
                if found is not None:
                    names.update(run_lists(found[0]))
                    names.update(run_feeds(found[0], summary.repositories) if shown_differently else ())
    if list(old.changes) != list(new.changes):
        names.add(paths.REGRESSIONS)
    return names
