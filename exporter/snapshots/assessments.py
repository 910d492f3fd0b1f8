"""Assesses the runs of a snapshot against the runs before them, by the rules and summaries that an export uses.

An export reads the lineages before a partition from its partition store. A snapshot reads every partition in ascending
order, so it keeps the lineages after the last one in memory, encoded: a few kilobytes each.
"""

from collections.abc import Iterator, Sequence

import orjson

from exporter.builders.evaluated_runs import EvaluatedRun
from exporter.export.partition_stats import partition_lineages
from exporter.rules import lineage_state
from exporter.rules.lineage import MainLine, RunFacts, compared_lineages, is_all_results, lineages_of
from exporter.rules.lineage_state import Lineages
from exporter.rules.prior_history import Assessment, PriorHistory
from exporter.rules.result_matrix import matrix


class Assessor:
    """Assesses partitions in ascending order."""

    def __init__(self, main: MainLine) -> None:
        self._main = main
        self._lineages: dict[str, bytes] = {}

    def assess(self, runs: Sequence[EvaluatedRun]) -> list[Assessment]:
        """The assessments of a partition's runs, oldest first."""
        results = matrix((one.facts, one.results) for one in runs)
        own = partition_lineages(runs, results, self._main, _lineages_of)
        before: Lineages = {}
        for name in compared_lineages(own):
            if name in self._lineages:
                before |= lineage_state.decode(orjson.loads(self._lineages[name]))
        found = lineage_state.step(
            own, before, lambda ids: [(results.runs[run_id].run, results.row(run_id)) for run_id in ids]
        )
        history = PriorHistory(found.before, self._main)
        assessments = [history.assess(one.facts, one.results) for one in runs]
        for name, lineage in found.after.items():
            self._lineages[name] = orjson.dumps(lineage_state.encode({name: lineage}), default=tuple)
        return assessments


def _lineages_of(run: RunFacts, main: MainLine) -> Iterator[str]:
    """The lineages of a run that verdicts depend on: not all results of its platform."""
    return (name for name in lineages_of(run, main) if not is_all_results(name))
