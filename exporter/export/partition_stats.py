"""What is computed of a partition's rows before any document is made: its statistics and its history summaries."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.builders.evaluated_runs import EvaluatedRun
from exporter.builders.feeds import facet_values, run_feeds, run_lists
from exporter.builders.results import documented
from exporter.builders.runs import listed_repositories
from exporter.export.dependencies import shown
from exporter.rules.history import Row, commit_key
from exporter.rules.lineage import MainLine, RunFacts, all_results, is_commit_lineage, is_main_lineage, lineages_of
from exporter.rules.lineage_state import (
    CommitRun,
    Lineage,
    Lineages,
    local_reruns,
    main_part,
    newest_reference,
    part,
    reference_run,
)
from exporter.rules.outcomes import Pair
from exporter.rules.result_matrix import Matrix
from exporter.rules.runtimes import runtime_bucket
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
    repositories = listed_repositories(catalog)
    for one in runs:
        item, facts, results = one.item, one.facts, one.results
        counts.update(run_feeds(item, repositories))
        counts.update(run_lists(item))
        if facts.platform is not None:
            counts[paths.grid(facts.platform)] += 1
        counts.update(lineages_of(facts, options.main))
        for facet, value in facet_values(item, repositories):
            values[facet][value] += 1
        tests.setdefault(facts.platform, Counter()).update([outcome.test_id for outcome, _ in results])
    for outcome in {outcome for one in runs for outcome, _ in one.results}:
        if documented(outcome.status, options.result_documents):
            diffs.update((paths.diff(*pair), pair) for pair in outcome.pairs)
    for platform, of_test in tests.items():
        for test_id, count in of_test.items():
            test = catalog.tests.get(test_id)
            if test is not None and test.sample_id is not None:
                counts[paths.sample_history(test.sample_id)] += count
            if test is not None and platform is not None:
                counts[paths.recent_results(test_id, platform)] += count
    counts.update(dict.fromkeys(diffs, 1))
    counts.update(dict.fromkeys(shown([one.rows for one in runs], catalog), 1))
    return PartitionStats(
        partition=partition,
        runs=len(runs),
        results=sum(len(one.results) for one in runs),
        latest=max((one.facts.run_id for one in runs), default=0),
        counts=dict(sorted(counts.items())),
        values={facet: dict(sorted(of_facet.items())) for facet, of_facet in values.items()},
        diffs=dict(sorted(diffs.items())),
    )


def partition_lineages(
    runs: Sequence[EvaluatedRun],
    matrix: Matrix,
    main: MainLine,
    names_of: Callable[[RunFacts, MainLine], Iterable[str]] = lineages_of,
) -> Lineages:
    """What a partition's runs say of every lineage that it has runs of.

    Lineages of runs that do not count are there too, empty: their documents show what was before them.

    Args:
        runs: the runs, oldest first.
        matrix: the partition's.
        main: the main line.
        names_of: returns the names of a run's lineages; others are left out.
    """
    names = {one.facts.run_id: list(names_of(one.facts, main)) for one in runs}
    rows: dict[str, list[tuple[RunFacts, Row]]] = {name: [] for of_run in names.values() for name in of_run}
    for one in runs:
        if one.facts.is_counted:
            results = {outcome.test_id: outcome for outcome, _ in one.results}
            row = Row(one.facts.run_id, commit_key(one.facts.commit_sha), results)
            for name in names[one.facts.run_id]:
                rows[name].append((one.facts, row))
    lineages = {name: _lineage(name, of_lineage, matrix, main) for name, of_lineage in rows.items()}
    for platform in {one.facts.platform for one in runs} - {None}:
        assert platform is not None
        if all_results(platform) not in lineages:
            continue
        of_platform = [one for one in runs if one.facts.platform == platform]
        lineage = lineages[all_results(platform)]
        lineage.runtimes = _runtimes(one for one in of_platform if one.facts.is_counted)
        uncounted = (one for one in of_platform if not one.facts.is_counted)
        lineage.uncounted = tuple(sorted({outcome.test_id for one in uncounted for outcome, _ in one.results}))
    return lineages


def _lineage(name: str, rows: Sequence[tuple[RunFacts, Row]], matrix: Matrix, main: MainLine) -> Lineage:
    """What counted runs say of a lineage, oldest first."""
    if is_main_lineage(name):
        return main_part(rows, local_reruns((run.run_id, run.commit_sha) for run, _ in rows))
    if is_commit_lineage(name):
        found = Lineage(on_main=any(main.holds(run) for run, _ in rows))
        for run, row in rows:
            tests = matrix.tests_of(run.run_id)
            commit_run = CommitRun(reference_run(run), matrix.digest(row.run_id), tests)
            found = found.followed_by(Lineage(runs=(commit_run,), on_main=found.on_main))
        return found
    found = part([row for _, row in rows])
    found.reference = newest_reference(run for run, _ in rows)
    return found


def _runtimes(runs: Iterable[EvaluatedRun]) -> dict[int, dict[int, int]]:
    """Regression test id → bucket → number of results."""
    times = Counter(
        (outcome.test_id, runtime_bucket(runtime))
        for one in runs
        for outcome, runtime in one.results
        if runtime is not None
    )
    found: dict[int, dict[int, int]] = {}
    for (test, bucket), count in times.items():
        found.setdefault(test, {})[bucket] = count
    return found
