"""A snapshot beside `mariadb-dump | gzip` of the eight main tables, in the same run."""

import shlex
from collections.abc import Iterator

from tests.benchmarks import measure
from tests.benchmarks.measure import Demand, Figure, Options

SLOWER = 3
LARGEST_PARQUET = 25_000_000
MOST_MEMORY = 300


def lines(options: Options) -> Iterator[str]:
    """The section of the page. Dumps and snapshots take turns, so that what else the machine does hits them alike."""
    runs = options.runs[1]
    url = measure.database(runs)
    dumps: list[Figure] = []
    made: list[Figure] = []
    folder = measure.folder()
    packed = folder / "dump.gz"
    for number in range(options.rounds):
        command = shlex.join(measure.dumping(url))
        dumps.append(measure.run("sh", "-c", f"{command} | gzip > {packed}"))
        store = folder / str(number)
        made.append(measure.exporter("snapshot", "--database-url", url, "--store", str(store)))
    sizes = {file.name: file.stat().st_size for file in sorted((store / "v1/snapshots").glob("2*/*"))}
    dumped = packed.stat().st_size
    dump, snapshot = measure.middle(dumps), measure.middle(made)
    ratio = snapshot.wall / dump.wall
    largest = max(sizes, key=lambda file: sizes[file])
    memory = max(figure.memory for figure in made)
    parquet = sizes["results.parquet"]
    yield from measure.demands(
        [
            Demand(
                f"`exporter snapshot`, {runs:,} runs",
                f"at most {SLOWER} × `mariadb-dump \\| gzip`",
                f"{snapshot.wall:.1f} s of {dump.wall:.1f} s: {ratio:.1f} ×",
                ratio <= SLOWER,
            ),
            Demand("its memory", f"under {MOST_MEMORY} MB", f"{memory} MB", memory < MOST_MEMORY),
            Demand("`results.parquet`", "at most 25 MB", f"{parquet / 1e6:.1f} MB", parquet <= LARGEST_PARQUET),
            Demand(
                "each file",
                f"smaller than the dump ({dumped / 1e6:.1f} MB)",
                f"the largest, `{largest}`: {sizes[largest] / 1e6:.1f} MB",
                sizes[largest] < dumped,
            ),
        ]
    )
    yield ""
    yield "| what | wall, s | all of them |"
    yield "|---|--:|---|"
    for what, figure, every in (("`mariadb-dump \\| gzip`", dump, dumps), ("`exporter snapshot`", snapshot, made)):
        yield f"| {what} | {figure.wall:.1f} | {', '.join(f'{one.wall:.1f}' for one in every)} |"
    yield ""
    yield "| file | bytes |"
    yield "|---|--:|"
    for file, size in {"the dump": dumped, **sizes}.items():
        yield f"| {file} | {size:,} |"
