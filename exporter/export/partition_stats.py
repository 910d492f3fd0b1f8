"""What is computed of a partition's rows before any document is made: its statistics and its history summaries."""

from collections import Counter
from collections.abc import Sequence

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.builders.feeds import facet_values, run_feeds, run_lists
from exporter.builders.partition import EvaluatedRun
from exporter.builders.results import documented
from exporter.export.dependencies import shown
from exporter.rules.lineage import (
    Lineage,
    Lineages,
    MainLine,
    ReferenceRun,
    Row,
    all_results,
    is_commit_lineage,
    lineages_of,
    summaries,
)
from exporter.rules.outcomes import Pair
from exporter.rules.result_matrix import Matrix
from exporter.rules.status import runtime_bucket
from exporter.rules.verdicts import is_finished
from exporter.source.catalog import Catalog
from exporter.state.posting_lists import PartitionStats


def partition_stats(
    partition: int, runs: Sequence[EvaluatedRun], catalog: Catalog, options: DocumentOptions
) -> PartitionStats:
    """A partition's statistics. Changes of the main line are not counted yet: they depend on earlier partitions."""
    counts: Counter[str] = Counter()
    values: dict[str, Counter[str]] = {facet: Counter() for facet in paths.RUN_FACETS}
    tests: dict[str | None, Counter[int]] = {}
    diffs: dict[str, Pair] = {}
    for _, run, results in runs:
        counts.update(run_feeds(run))
        counts.update(run_lists(run))
        if run["platform"] is not None:
            counts[paths.grid(run["platform"])] += 1
        counts.update(lineages_of(run, options.main))
        for facet, value in facet_values(run):
            values[facet][value] += 1
        tests.setdefault(run["platform"], Counter()).update([outcome.test_id for outcome, _ in results])
        for outcome, _ in results:
            if outcome.diffs and documented(outcome.status, options.result_documents):
                diffs.update(outcome.diffs)
    for platform, of_test in tests.items():
        for test_id, count in of_test.items():
            test = catalog.tests.get(test_id)
            if test is not None and test.sample_id is not None:
                counts[paths.sample_history(test.sample_id)] += count
            if test is not None and platform is not None:
                counts[paths.recent_chain(test_id, platform)] += count
    counts.update(dict.fromkeys(diffs, 1))
    counts.update(dict.fromkeys(shown([one.rows for one in runs], catalog), 1))
    return PartitionStats(
        partition=partition,
        runs=len(runs),
        results=sum(len(one.results) for one in runs),
        latest=max((one.facts["run_id"] for one in runs), default=0),
        counts=dict(sorted(counts.items())),
        values={facet: dict(sorted(of_facet.items())) for facet, of_facet in values.items()},
        diffs=dict(sorted(diffs.items())),
    )


def partition_lineages(runs: Sequence[EvaluatedRun], matrix: Matrix, main: MainLine) -> Lineages:
    """The history summaries of a partition's runs, of every lineage that it has runs of; `matrix` is its matrix."""
    lineages: Lineages = {}
    rows: dict[str, list[Row]] = {}
    times: dict[str, Counter[tuple[int, int]]] = {}
    for _, run, results in runs:
        run_id, row = run["run_id"], {outcome.test_id: outcome for outcome, _ in results}
        reference = ReferenceRun(run_id, matrix.digest(run_id)) if is_finished(run) else None
        for name in lineages_of(run, main):
            lineage = lineages.setdefault(name, Lineage())
            lineage.finished = reference or lineage.finished
            if not is_commit_lineage(name):
                rows.setdefault(name, []).append((run_id, row))
        if run["platform"] is not None:
            times.setdefault(all_results(run["platform"]), Counter()).update(
                (outcome.test_id, runtime_bucket(runtime)) for outcome, runtime in results if runtime is not None
            )
    for name, of_lineage in rows.items():
        lineages[name].tests = summaries(of_lineage)
    for name, counted in times.items():
        for (test, bucket), count in counted.items():
            lineages[name].runtimes.setdefault(test, {})[bucket] = count
    return lineages
