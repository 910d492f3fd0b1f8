"""Assesses the runs of a snapshot against the runs before them, by the rules and summaries that an export uses.

An export reads the lineages before a partition from its partition store. A snapshot reads every partition in ascending
order, so it keeps the lineages after the last one in memory, encoded: a few kilobytes each.
"""

from collections.abc import Sequence

import orjson

from exporter.builders.partition import EvaluatedRun
from exporter.export.partition_stats import partition_lineages
from exporter.rules.lineage import Lineages, MainLine, compared_lineages, decode
from exporter.rules.result_matrix import matrix
from exporter.rules.verdicts import Assessment, PriorHistory


class Assessor:
    """Assesses partitions in ascending order.

    Args:
        main: the main line.
    """

    def __init__(self, main: MainLine) -> None:
        self._main = main
        self._lineages: dict[str, bytes] = {}

    def assess(self, runs: Sequence[EvaluatedRun]) -> list[Assessment]:
        """The assessments of a partition's runs, oldest first; links in them are null."""
        own = partition_lineages(runs, matrix((one.facts, one.results) for one in runs), self._main)
        before: Lineages = {
            name: decode(orjson.loads(self._lineages[name]))
            for name in compared_lineages(own)
            if name in self._lineages
        }
        history = PriorHistory(before, self._main, "none")
        assessments = [history.judge(one.facts, one.results) for one in runs]
        for name, lineage in own.items():
            after = before[name].followed_by(lineage) if name in before else lineage
            after.runtimes.clear()  # verdicts do not depend on them
            self._lineages[name] = orjson.dumps(after.encoded(), default=tuple)
        return assessments
