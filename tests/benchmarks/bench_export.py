"""Exports of one history to a folder: everything, nothing new, one new run, a variant accepted."""

import os
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import orjson

from exporter.publish.manifest import decode_manifest
from tests.benchmarks import bench_variant, measure
from tests.benchmarks.measure import Demand, Figure, Options
from tests.support.demo_runs import add_run
from tests.support.platform import Api

_FILES, _SIZE = 100_000, 1_300
_PLAIN = """
import os, sys
root, files, size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
data = b"x" * size
os.mkdir(root)
for number in range(files):
    folder = f"{root}/{number // 237}"
    if number % 237 == 0:
        os.mkdir(folder)
    file = os.open(f"{folder}/{number % 237}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    os.write(file, data)
    os.close(file)
"""


class Row(NamedTuple):
    """A line of the table: median of how many."""

    what: str
    figure: Figure
    times: int = 1


def lines(options: Options) -> Iterator[str]:
    """The section of the page."""
    runs = options.runs[1]
    url = measure.database(runs)
    folder = measure.folder()
    store = folder / "store"
    rows, reached = _measure(url, store, runs, options.rounds)
    dump = rows[0].figure.wall
    yield from measure.demands(reached)
    yield ""
    yield f"| {runs:,} runs | median of | wall, s | × dump | peak MB of a process | of all | it said |"
    yield "|---|--:|--:|--:|--:|--:|---|"
    for what, figure, times in rows:
        yield (
            f"| {what} | {times} | {figure.wall:.2f} | {figure.wall / dump:.1f} | {figure.memory} "
            f"| {figure.together} | {figure.said} |"
        )
    yield ""
    yield "- A full build writes nothing: it reads all rows, works out every document and its digest."
    yield "- `--run ID` looks at one partition's rows, whatever the history; the full plan at the fingerprints of all."
    yield "- Objects are all files that an export writes, `pending.json`, which is deleted in the end, among them."


def _measure(url: str, store: pathlib.Path, runs: int, rounds: int) -> tuple[list[Row], list[Demand]]:
    export = ("export", "--database-url", url, "--store", str(store), "--workers", measure.WORKERS)
    full = measure.build(url)
    first = measure.exporter(*export)
    os.sync()  # a million files are still on their way to the disk, and who writes waits for them
    plain = _plain_files(store.parent)
    dumps, idle = [], []
    since = time.time()
    for _ in range(rounds):
        dumps.append(measure.dump(url))
        idle.append(measure.exporter(*export))
    touched = len(_written(store, since))
    planned, quick = [], []
    for seed in range(rounds):
        add_run(url, seed=seed)
        planned.append(measure.exporter(*export))
    for seed in range(rounds):
        run = add_run(url, seed=rounds + seed)
        since = time.time()
        quick.append(measure.exporter(*export, "--run", str(run)))
    objects = _objects(store, run, since)
    accepted, variant = bench_variant.measured(url, store, export)
    dump, same, new, asked = map(measure.middle, (dumps, idle, planned, quick))
    limit = max(full.memory, first.memory), max(full.together, first.together)
    return [
        Row("`mariadb-dump` of the eight main tables", dump, rounds),
        Row("full build of every document, no store", full),
        Row("first export to a folder", first),
        Row(f"{_FILES:,} files of {_SIZE:,} bytes, made by two processes that do nothing else", plain),
        Row("export with nothing changed", same, rounds),
        Row("one new run, full plan", new, rounds),
        Row("one new run, `--run ID`", asked, rounds),
        Row("a variant accepted for one test", accepted),
    ], [
        Demand(
            "full build of every document, no store",
            "at most 7 × the dump",
            f"{full.wall:.1f} s of {dump.wall:.2f} s: {full.wall / dump.wall:.1f} ×",
            full.wall <= 7 * dump.wall,
        ),
        Demand(
            "first export to a folder",
            "at most 1.8 × the full build",
            f"{first.wall:.1f} s of {full.wall:.1f} s: {first.wall / full.wall:.1f} ×; so many plain files would take "
            f"{plain.wall * measure.documents_written(first) / _FILES:.0f} s",
            first.wall <= 1.8 * full.wall,
        ),
        Demand(
            f"no change, full plan, {runs:,} runs",
            "at most 2 × the dump, nothing written",
            f"{same.wall:.2f} s of {dump.wall:.2f} s: {same.wall / dump.wall:.2f} ×; {touched} objects written",
            same.wall <= 2 * dump.wall and not touched,
        ),
        measure.share("one new run, full plan", full, 6, new),
        measure.share("one new run, `--run ID`", full, 15, asked),
        Demand(
            "the same",
            "at most 0.4 × the dump",
            f"{asked.wall:.2f} s of {dump.wall:.2f} s: {asked.wall / dump.wall:.2f} ×",
            asked.wall <= 0.4 * dump.wall,
        ),
        objects,
        *variant,
        *(_memory(what, limit, one) for what, one in (("no change", same), ("full plan", new), ("`--run ID`", asked))),
    ]


def _plain_files(folder: pathlib.Path) -> Figure:
    """What the disk takes for files like those of results: the limit of a first export."""
    processes = [
        subprocess.Popen([sys.executable, "-c", _PLAIN, str(folder / f"plain{one}"), str(_FILES // 2), str(_SIZE)])
        for one in range(2)
    ]
    begun = time.perf_counter()
    if any(process.wait() for process in processes):
        raise SystemExit("plain files could not be made")
    figure = Figure(time.perf_counter() - begun, 0, 0, ())
    os.sync()
    return figure


def _memory(what: str, limit: tuple[int, int], figure: Figure) -> Demand:
    largest, together = limit
    return Demand(
        f"memory of all processes, {what}",
        f"as in a full build: {together} MB (largest process {largest})",
        f"{figure.together} MB (largest process {figure.memory})",
        figure.together <= together,
    )


def _written(store: pathlib.Path, since: float) -> list[str]:
    """The files that have been written since."""
    command = ["find", str(store), "-type", "f", "-newermt", f"@{since:.3f}"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def _objects(store: pathlib.Path, run: int, since: float) -> Demand:
    """What was written for one new run, and what may be: its own documents, 1.5 × samples and tests, and 40."""
    manifest = decode_manifest((store / "v1/manifest.json").read_bytes())
    documents = orjson.loads((store / "v1" / manifest.parts[str(run // 100)].href).read_bytes())["documents"]
    own = sum(path == f"runs/{run}.json" or path.startswith(f"runs/{run}/") for path in documents)
    results = Api(store).items(f"runs/{run}/samples.json")
    subjects = len({item["sample_id"] for item in results}) + len({item["regression_test_id"] for item in results})
    allowed = own + 1.5 * subjects + 40
    written = len(_written(store, since)) + 1
    return Demand(
        f"objects written for that run of {len(results)} results",
        f"its own documents ({own}) + 1.5 × the samples and tests it touched ({subjects}) + 40: {allowed:.0f}",
        str(written),
        written <= allowed,
    )
