"""What differing outputs and logs cost: a build with the sample repository beside one without."""

import pathlib
import shutil
import time
from collections.abc import Iterator

import sqlalchemy as sa

from exporter.builders import diffs
from exporter.demo import create_demo
from exporter.source.sample_repository import SampleRepository
from tests.benchmarks import measure
from tests.benchmarks.measure import Demand, Options

_DIFFERING = """
    SELECT file.expected, file.got, COALESCE(output.correct_extension, ''), COUNT(*)
    FROM test_result_file file LEFT JOIN regression_test_output output ON output.id = file.regression_test_output_id
    WHERE file.got IS NOT NULL AND file.regression_test_output_id <> -1 GROUP BY 1, 2, 3
"""


def lines(options: Options) -> Iterator[str]:
    """The section of the page."""
    runs = options.runs[0]
    folder = measure.folder()
    url, files = f"sqlite:///{folder}/platform.sqlite", folder / "files"
    create_demo(url, runs=runs, tests=measure.TESTS, seed=1, sample_repository=files)
    pairs, results, alone = _compare(url, files)
    everything = measure.build(url, files)
    shutil.rmtree(files / "LogFiles")
    rounds = [(measure.build(url, files), measure.build(url)) for _ in range(options.rounds)]
    outputs, nothing = map(measure.middle, zip(*rounds, strict=True))
    extra = outputs.wall - nothing.wall
    yield from measure.demands(
        [
            Demand(
                f"diffs of {results:,} outputs that differ, {pairs:,} distinct pairs",
                "what the distinct pairs cost, not the results",
                f"{extra:.2f} s more than without; each pair once takes {alone:.2f} s, "
                f"each result would {alone * results / pairs:.1f} s",
                extra < max(2 * alone, 0.1 * nothing.wall),
            )
        ]
    )
    yield ""
    yield f"| {runs:,} runs, SQLite, no store | wall, s | peak MB of a process |"
    yield "|---|--:|--:|"
    for what, figure in (("no sample repository", nothing), ("outputs", outputs), ("outputs and logs", everything)):
        yield f"| full build, {what} | {figure.wall:.2f} | {figure.memory} |"


def _compare(url: str, files: pathlib.Path) -> tuple[int, int, float]:
    """The number of distinct pairs, of results that share them, and the seconds that comparing each pair once takes."""
    with sa.create_engine(url).connect() as connection:
        rows = connection.execute(sa.text(_DIFFERING)).all()
    repository = SampleRepository(files)
    begun = time.perf_counter()
    for expected, got, extension, _ in rows:
        contents = [repository.output(one, extension, diffs.MAX_SIZE) for one in (expected, got)]
        diffs.document(*contents)
    return len(rows), sum(count for *_, count in rows), time.perf_counter() - begun
