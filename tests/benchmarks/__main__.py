"""`make bench`: what an export costs, beside a dump of the same database in the same run.

Each figure is of a whole process: wall seconds, and the peak memory of its largest process. The table is printed and
written to `docs/benchmarks.md`. Needs a MariaDB server on which databases can be made: `EXPORTER_BENCH_MARIADB_URL`,
else the one at 127.0.0.1:3306. The databases are kept for the next time.
"""

import argparse
import os
import pathlib
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from exporter.demo import add_run, create_demo
from tests.benchmarks import bench_bucket
from tests.publish import emulator

SERVER = os.environ.get("EXPORTER_BENCH_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306")
ROOT = pathlib.Path(__file__).parent.parent.parent
WORKERS = 2
TESTS = 237
DUMPED = (
    *("test", "test_progress", "test_result", "test_result_file"),
    *("customized_test", "regression_test", "regression_test_output", "sample"),
)
"""The eight main tables."""

BUILD = """
import sys
from exporter import pipeline
if __name__ == "__main__":
    report = pipeline.export(pipeline.Settings(sys.argv[1], None, int(sys.argv[2])))
    print(report.manifest.counts["results"])
"""


@dataclass(frozen=True)
class Figure:
    """Wall seconds and peak MB of the largest process of a command, and the last line that it printed."""

    wall: float
    memory: int
    said: str


def measure(*command: str, output: int | None = subprocess.PIPE) -> Figure:
    """Run a command to its end."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, cwd=ROOT)
    said, errors = process.communicate()
    wall = time.perf_counter() - begun
    lines = (said or b"").decode().splitlines() + errors.decode().splitlines()
    if process.returncode:
        raise SystemExit(f"{command}: {lines}")
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    return Figure(wall, memory, lines[-1] if lines else "")


def alone(*command: str, output: int | None = subprocess.PIPE) -> Figure:
    """Run a command from a fresh process, so that its peak memory is not an earlier one's."""
    read, write = os.pipe()
    if (child := os.fork()) == 0:
        figure = measure(*command, output=output)
        os.write(write, repr((figure.wall, figure.memory, figure.said)).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        text = answer.read()
    os.waitpid(child, 0)
    if not text:
        raise SystemExit(f"{command} failed")
    wall, memory, said = eval(text)
    return Figure(wall, memory, said)


def database(runs: int) -> str:
    """The URL of a demo database of so many runs, made if it is not there."""
    url = f"{SERVER}/exporter_bench_{runs}"
    engine = sa.create_engine(SERVER)
    with engine.connect() as connection:
        there = connection.scalar(
            sa.text(
                "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = :name AND table_name = 'test'"
            ),
            {"name": f"exporter_bench_{runs}"},
        )
    if not there:
        print(f"making a database of {runs} runs …", file=sys.stderr)
        create_demo(url, runs=runs, tests=TESTS, seed=1)
    return url


def dump(url: str) -> Figure:
    """`mariadb-dump` of the main tables to nowhere: the limit."""
    parsed = sa.make_url(url)
    program = shutil.which("mariadb-dump") or shutil.which("mysqldump") or "mariadb-dump"
    arguments = [f"-h{parsed.host}", f"-P{parsed.port or 3306}", f"-u{parsed.username}", str(parsed.database), *DUMPED]
    if parsed.password:
        arguments.insert(0, f"-p{parsed.password}")
    return alone(program, *arguments, output=subprocess.DEVNULL)


def exporter(*arguments: str) -> Figure:
    """One command of the exporter."""
    return alone(sys.executable, "-m", "exporter", *arguments)


def rows(history: int, folder: pathlib.Path) -> Iterator[tuple[str, Figure, Figure]]:
    """(what, figure, the dump's figure) at one length of history."""
    url = database(history)
    limit = dump(url)
    store = str(folder / str(history))
    export = ("export", "--database-url", url, "--store", store, "--workers", str(WORKERS))
    yield "`mariadb-dump` of the eight main tables", limit, limit
    yield "full build of every document, no store", alone(sys.executable, "-c", BUILD, url, str(WORKERS)), limit
    yield "first export to a folder", exporter(*export), limit
    yield "export with nothing changed", exporter(*export), limit
    add_run(url, seed=1)
    yield "one new run, full plan", exporter(*export), limit
    run = add_run(url, seed=2)
    yield "one new run, `--run ID`", exporter(*export, "--run", str(run)), limit
    shutil.rmtree(store)


def bucket_rows(runs: int, objects: int) -> Iterator[str]:
    """The table about buckets: the bulk path and the plain client against the local sink, and an export."""
    yield "| to a bucket | objects a second | CPU of the client, ms an object | wall, s | it said |"
    yield "|---|--:|--:|--:|---|"
    for way, speed, cpu, _ in bench_bucket.rows(3, objects):
        yield f"| {way.name}, to a local sink by TLS, 40 ms | {speed:,.0f} | {cpu:.2f} | | |"
    url = database(runs)
    with emulator.running() as server:
        os.environ["STORAGE_EMULATOR_HOST"] = server.url
        options = ("--workers", str(WORKERS), "--max-writes-per-second", "100000")
        export = ("export", "--database-url", url, "--store", f"gs://{server.new_bucket()}/api", *options)
        for what in ("first export", "export with nothing changed"):
            figure = exporter(*export)
            said = figure.said.partition("Z ")[2] or figure.said
            found = re.search(r"([0-9]+) documents written", said)
            speed = int(found[1]) / figure.wall if found else 0
            yield f"| {what} of {runs:,} runs to the emulator | {speed:,.0f} | | {figure.wall:.1f} | {said} |"
        del os.environ["STORAGE_EMULATOR_HOST"]


def main() -> None:
    """Measure, print, write down."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--runs", type=int, nargs="+", default=[1000, 9400], help="lengths of history")
    arguments.add_argument("--objects", type=int, default=8000, help="written to the local sink in each round")
    chosen = arguments.parse_args()
    lines = ["| runs | what | wall, s | × dump | peak MB of a process | it said |", "|--:|---|--:|--:|--:|---|"]
    print("\n".join(lines))
    with tempfile.TemporaryDirectory(prefix="exporter-bench-") as folder:
        for history in chosen.runs:
            for what, figure, limit in rows(history, pathlib.Path(folder)):
                said = figure.said.partition("Z ")[2] or figure.said
                lines.append(
                    f"| {history:,} | {what} | {figure.wall:.1f} | {figure.wall / limit.wall:.1f} "
                    f"| {figure.memory} | {said} |"
                )
                print(lines[-1], flush=True)
    bucket = []
    for line in bucket_rows(min(chosen.runs), chosen.objects):
        bucket.append(line)
        print(line, flush=True)
    PAGE.write_text(
        HEAD.format(
            machine=f"{platform.machine()}, {os.cpu_count()} processors",
            python=platform.python_version(),
            load=", ".join(f"{load:.1f}" for load in os.getloadavg()),
            workers=WORKERS,
            table="\n".join(lines),
            bucket="\n".join(bucket),
        )
    )


PAGE = ROOT / "docs" / "benchmarks.md"

HEAD = """# Benchmarks

Written by `make bench`: all of one run on one machine ({machine}, Python {python}; load at the end {load}), against
MariaDB on the same machine, with {workers} workers. Each figure is of a whole process, its start included; the memory
is the peak of the largest process. The dump, `mariadb-dump` of the eight main tables to nowhere, is the measure: what
reading everything once costs.

{table}

- A full build writes nothing: it reads all rows, works out every document and its digest.
- `--run ID` looks at one partition's rows, whatever the history; the full plan at the fingerprints of all.

{bucket}

- The sink checks each CRC32C and answers after 40 ms; the client's figures hold all that it does for an object.
- The emulator (fake-gcs-server, files) shares the machine with the export, and takes most of its time.
"""


if __name__ == "__main__":
    main()
