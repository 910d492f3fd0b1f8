"""One new run by `--run ID`, with a short, a long and a very long history behind it.

Without documents of single results: so the very long one can be exported in a few minutes, and the others alike.
"""

from collections.abc import Iterator

from tests.benchmarks import measure
from tests.benchmarks.measure import Demand, Figure, Options
from tests.support.demo_runs import add_run

SPREAD = 1.15
"""How far apart time, and memory, may be."""


def lines(options: Options) -> Iterator[str]:
    """The section of the page. The histories take turns, so that what else the machine does hits them alike."""
    urls = {runs: measure.database(runs) for runs in options.runs}
    took: dict[int, list[Figure]] = {runs: [] for runs in options.runs}
    folder = measure.folder()
    exports = {
        runs: (
            *("export", "--database-url", url, "--store", str(folder / str(runs))),
            *("--workers", measure.WORKERS, "--result-documents", "none"),
        )
        for runs, url in urls.items()
    }
    first = {runs: measure.exporter(*export) for runs, export in exports.items()}
    for seed in range(options.rounds):
        for runs, url in urls.items():
            run = add_run(url, seed=seed)
            took[runs].append(measure.exporter(*exports[runs], "--run", str(run)))
    medians = {runs: measure.middle(figures) for runs, figures in took.items()}
    runs_each = " and ".join(f"{runs:,}" for runs in options.runs)
    yield from measure.demands(
        Demand(
            f"{what} of one new run, `--run ID`, {runs_each} runs",
            f"the same within {SPREAD - 1:.0%}",
            f"{', '.join(f'{value:.4g} {unit}' for value in values)}: {max(values) / min(values) - 1:.0%} apart",
            max(values) <= SPREAD * min(values),
        )
        for what, unit, values in (
            ("time", "s", [figure.wall for figure in medians.values()]),
            ("memory", "MB", [figure.memory for figure in medians.values()]),
        )
    )
    yield ""
    yield "| runs | first export, wall s | peak MB of a process | of all | `--run ID`, median, wall s | all of them " \
        "| peak MB of a process | of all |"  # fmt: skip
    yield "|--:|--:|--:|--:|--:|---|--:|--:|"
    for runs, figure in medians.items():
        every = ", ".join(f"{one.wall:.2f}" for one in took[runs])
        yield (
            f"| {runs:,} | {first[runs].wall:.1f} | {first[runs].memory} | {first[runs].together} "
            f"| {figure.wall:.2f} | {every} | {figure.memory} | {figure.together} |"
        )
    yield ""
    yield "All with `--result-documents none`."
