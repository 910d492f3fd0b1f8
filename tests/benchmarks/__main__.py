"""`make bench`: what an export costs, beside a dump of the same database in the same run.

Each part prints its tables and takes the place of its section in `docs/benchmarks.md`; the other sections stay. Needs
a MariaDB server on which databases can be made: `EXPORTER_BENCH_MARIADB_URL`, else the one at 127.0.0.1:3306. The
databases are kept for the next time.
"""

import argparse
import compileall
import datetime
import os
import pathlib
import platform
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.benchmarks import (
    bench_bucket_export,
    bench_diffs,
    bench_export,
    bench_history,
    bench_live_api,
    bench_readers,
    bench_snapshot,
)
from tests.benchmarks.measure import ROOT, WORKERS, Options, database

PAGE = ROOT / "docs" / "benchmarks.md"


class Part(NamedTuple):
    """A section of the page: its heading, and what measures and gives its lines."""

    heading: str
    lines: Callable[[Options], Iterator[str]]


PARTS = {
    "export": Part("Exports to a folder", bench_export.lines),
    "history": Part("One new run, and the length of history", bench_history.lines),
    "diffs": Part("Diffs and logs", bench_diffs.lines),
    "live": Part("The live API", bench_live_api.lines),
    "readers": Part("Verifying, mirroring, downloading", bench_readers.lines),
    "snapshot": Part("Snapshots", bench_snapshot.lines),
    "bucket": Part("Writing to a bucket", bench_bucket_export.lines),
}


def main() -> None:
    """Measure, print, write down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=PARTS, nargs="+", default=[*PARTS], help="measure these parts")
    parser.add_argument("--runs", type=int, nargs=3, default=[1000, 9400, 94000], help="lengths of history")
    parser.add_argument("--rounds", type=int, default=3, help="how often what takes seconds is measured")
    parser.add_argument("--objects", type=int, default=8000, help="written to the local sink in each round")
    parser.add_argument("--page", type=pathlib.Path, default=PAGE, help="where the tables go")
    chosen = parser.parse_args()
    short, medium, long_ = sorted(chosen.runs)
    options = Options((short, medium, long_), chosen.rounds, chosen.objects)
    compileall.compile_dir(ROOT / "exporter", quiet=1)  # as an installation is
    for runs in options.runs if "history" in chosen.only else options.runs[1:2]:
        database(runs)  # before anything is measured
    for name in chosen.only:
        heading, lines = PARTS[name]
        section = [_where(), ""]
        print(f"## {heading}\n", flush=True)
        for line in lines(options):
            section.append(line)
            print(line, flush=True)
        put(chosen.page, heading, "\n".join(section))


def _where() -> str:
    load = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    return (
        f"Measured on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}: {platform.machine()}, {os.cpu_count()} "
        f"processors, Python {platform.python_version()}, {WORKERS} workers; load before {load}."
    )


def put(page: pathlib.Path, heading: str, text: str) -> None:
    """Put a section in the place of the one with its heading, or at the end."""
    head, *sections = (page.read_text() if page.exists() else "# Benchmarks").split("\n## ")
    new = f"{heading}\n\n{text}\n"
    at = next((n for n, one in enumerate(sections) if one.partition("\n")[0] == heading), len(sections))
    sections[at : at + 1] = [new]
    page.write_text("\n## ".join([head.rstrip("\n") + "\n", *(one.rstrip("\n") + "\n" for one in sections)]))


if __name__ == "__main__":
    main()
