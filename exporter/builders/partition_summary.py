"""What the documents over all partitions need of one partition's documents."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from exporter import paths
from exporter.builders.feeds import run_feeds, run_lists
from exporter.documents.analysis import Change
from exporter.documents.runs import Run
from exporter.rules.lineage import MainLine


@dataclass(frozen=True)
class PartitionSummary:
    """What the documents over all partitions need of one partition's documents; immutable.

    Args:
        runs: its runs as lists show them, newest first.
        changes: changes of the main line, newest first.
        compared_tests: run id in decimal → the tests that its comparison shows though the run has no result of them.
        fingerprints: the fingerprints of its runs' rows and logs, oldest run first.
    """

    runs: Sequence[Run] = ()
    changes: Sequence[Change] = ()
    compared_tests: Mapping[str, Sequence[int]] = field(default_factory=dict)
    fingerprints: Sequence[str] = ()

    @functools.cached_property
    def _lists(self) -> Mapping[str, Sequence[Run]]:
        lists: dict[str, list[Run]] = {}
        for run in self.runs:
            for name in (*run_feeds(run), *run_lists(run)):
                lists.setdefault(name, []).append(run)
        return lists

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
        )

    def encoded(self) -> dict[str, Any]:
        """As JSON; `PartitionSummary(**value)` is the inverse."""
        return {
            "runs": self.runs,
            "changes": self.changes,
            "compared_tests": self.compared_tests,
            "fingerprints": self.fingerprints,
        }


def changed_lists(old: PartitionSummary | None, new: PartitionSummary | None, main: MainLine) -> set[str]:
    """The dirty targets between two summaries of a partition; None: it had, or has, no run.

    The names of feeds and lists of runs and of changes, as `targets.of_document` has them; and of the badges.
    """
    old_runs, new_runs = ({run["run_id"]: run for run in summary.runs} if summary else {} for summary in (old, new))
    differ = [run for run in old_runs.keys() | new_runs.keys() if old_runs.get(run) != new_runs.get(run)]
    names: set[str] = set()
    for run in (runs[run_id] for run_id in differ for runs in (old_runs, new_runs) if run_id in runs):
        names.update(run_feeds(run), run_lists(run))
        if main.holds(run):
            names.add(paths.BADGES)
    if list(old.changes if old else ()) != list(new.changes if new else ()):
        names.add(paths.REGRESSIONS)
    return names
