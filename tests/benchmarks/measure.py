"""What a command takes, as a process of its own; the databases that all parts share; tables of what came out."""

import atexit
import os
import pathlib
import re
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sqlalchemy as sa

from exporter.demo import create_demo

SERVER = os.environ.get("EXPORTER_BENCH_MARIADB_URL", "mysql+pymysql://root@127.0.0.1:3306")
ROOT = pathlib.Path(__file__).parent.parent.parent
WORKERS = "2"
TESTS = 237
DUMPED = (
    *("test", "test_progress", "test_result", "test_result_file"),
    *("customized_test", "regression_test", "regression_test_output", "sample"),
)
"""The eight main tables."""

BUILD = """
import pathlib, sys
from exporter.export import pipeline
if __name__ == "__main__":
    files = pathlib.Path(sys.argv[3]) if sys.argv[3:] else None
    report = pipeline.export(
        pipeline.Settings(database_url=sys.argv[1], store=None, workers=int(sys.argv[2]), sample_repository=files)
    )
    print("built", report.manifest.counts["results"], "results")
"""


class Options(NamedTuple):
    """How much to measure: three lengths of history, the middle one for what is measured at one; and how often."""

    runs: tuple[int, int, int]
    rounds: int
    objects: int


@dataclass(frozen=True)
class Figure:
    """What a command took.

    Args:
        wall: seconds, the process's start included.
        memory: MB at the peak of its largest process.
        together: MB of the peaks of all its processes, which need not have been at the same time.
        lines: what it printed.
    """

    wall: float
    memory: int
    together: int
    lines: tuple[str, ...]

    @property
    def said(self) -> str:
        """The last line, without its time."""
        last = self.lines[-1] if self.lines else ""
        return last.partition("Z ")[2] or last


def run(*command: str, discard: bool = False) -> Figure:
    """Run a command to its end."""
    with tempfile.TemporaryFile() as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL if discard else output, stderr=output, cwd=ROOT)
        ended = os.pidfd_open(process.pid)
        peaks: dict[int, int] = {}
        while not select.select([ended], [], [], 0.02)[0]:
            peaks.update(_peaks(process.pid))
        wall = time.perf_counter() - begun
        os.close(ended)
        output.seek(0)
        lines = tuple(output.read().decode().splitlines())
        if process.wait():
            raise SystemExit(f"{' '.join(command)}: {lines}")
    sizes = [size // 1024 for size in peaks.values()] or [0]
    return Figure(wall, max(sizes), sum(sizes), lines)


def _peaks(process: int) -> Iterator[tuple[int, int]]:
    """A process and those that it has begun, with the kB that each has had at most."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
        children = pathlib.Path(f"/proc/{process}/task/{process}/children").read_text().split()
    except OSError:  # it has just ended
        return
    peak = status.partition("VmHWM:")[2].split()
    if peak:
        yield process, int(peak[0])
    for child in children:
        yield from _peaks(int(child))


def folder() -> pathlib.Path:
    """A new folder, which is removed when this process ends.

    Not before: for five minutes ext4 gives no new file the inode of one that was just deleted, but looks at each, so
    that after a store of a million files was removed a file takes ten times as long.
    """
    made = pathlib.Path(tempfile.mkdtemp(prefix="exporter-bench-"))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def exporter(*arguments: str) -> Figure:
    """One command of the exporter."""
    return run(sys.executable, "-m", "exporter", *arguments)


def documents_written(figure: Figure) -> int:
    """How many an export said that it has written."""
    found = re.search(r"(\d+) documents written", figure.said)
    assert found
    return int(found[1])


def build(url: str, files: pathlib.Path | None = None) -> Figure:
    """All documents, built and thrown away; with those of a sample repository."""
    return run(sys.executable, "-c", BUILD, url, WORKERS, *([str(files)] if files else []))


def dump(url: str) -> Figure:
    """`mariadb-dump` of the main tables to nowhere: what reading everything once costs."""
    return run(*dumping(url), discard=True)


def dumping(url: str) -> list[str]:
    """The command of a dump of the main tables."""
    parsed = sa.make_url(url)
    program = shutil.which("mariadb-dump") or shutil.which("mysqldump") or "mariadb-dump"
    arguments = [f"-h{parsed.host}", f"-P{parsed.port or 3306}", f"-u{parsed.username}", str(parsed.database), *DUMPED]
    if parsed.password:
        arguments.insert(0, f"-p{parsed.password}")
    return [program, *arguments]


def database(runs: int) -> str:
    """The URL of a demo database of so many runs, made if it is not there, and kept: it gains runs as it is used."""
    name = f"exporter_bench_{runs}"
    url = f"{SERVER}/{name}"
    there = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = :name AND table_name = 'test'"
    engine = sa.create_engine(SERVER, poolclass=sa.NullPool)
    with engine.connect() as connection:
        if not connection.scalar(sa.text(there), {"name": name}):
            print(f"making a database of {runs} runs …", file=sys.stderr)
            create_demo(url, runs=runs, tests=TESTS, seed=1)
        elif connection.scalar(sa.text(f"SELECT COUNT(*) FROM {name}.test")) < runs:
            raise SystemExit(f"{name} lacks runs: it is being made, or its making was interrupted (then drop it)")
    return url


def middle(figures: Sequence[Figure]) -> Figure:
    """The one of median wall time."""
    wall = statistics.median_low(figure.wall for figure in figures)
    return next(figure for figure in figures if figure.wall == wall)


class Demand(NamedTuple):
    """A figure that must reach something."""

    figure: str
    reach: str
    measured: str
    met: bool


def demands(rows: Iterable[Demand]) -> Iterator[str]:
    """The table of these."""
    yield "| figure | must reach | measured | met |"
    yield "|---|---|---|---|"
    for row in rows:
        yield f"| {row.figure} | {row.reach} | {row.measured} | {'yes' if row.met else '**no**'} |"


def share(figure: str, of: Figure, divisor: float, took: Figure) -> Demand:
    """A command that may take a part of the time of another."""
    reach = f"at most 1/{divisor:g} of the full build"
    return Demand(figure, reach, f"{took.wall:.2f} s of {of.wall:.1f} s: 1/{of.wall / took.wall:.1f}",
                  took.wall * divisor <= of.wall)  # fmt: skip
