"""A snapshot of production-size data beside `mariadb-dump | gzip` of the same tables, in the same run.

`python -m tests.benchmarks.bench_snapshot [--runs N]` prints a table of wall seconds and peak memory, and the sizes of
the files. Needs the server that `make bench` needs.
"""

import argparse
import os
import pathlib
import shlex
import tempfile

import sqlalchemy as sa

from tests.benchmarks.__main__ import DUMPED, alone, database, exporter


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9400)
    url = database(parser.parse_args().runs)
    with tempfile.TemporaryDirectory(prefix="exporter-bench-") as name:
        folder = pathlib.Path(name)
        parsed = sa.make_url(url)
        dump = ["mariadb-dump", f"-h{parsed.host}", f"-P{parsed.port or 3306}", f"-u{parsed.username}"]
        if parsed.password:
            dump.append(f"-p{parsed.password}")
        command = f"{shlex.join([*dump, str(parsed.database), *DUMPED])} | gzip > {folder}/dump.gz"
        limit = alone("sh", "-c", command)
        figure = exporter("snapshot", "--database-url", url, "--store", str(folder / "store"))
        print(f"load {os.getloadavg()[0]:.1f}")
        print("| what | wall, s | × dump | peak MB of a process |\n|---|--:|--:|--:|")
        print(f"| `mariadb-dump \\| gzip` of the eight main tables | {limit.wall:.1f} | 1.0 | {limit.memory} |")
        print(f"| `exporter snapshot` | {figure.wall:.1f} | {figure.wall / limit.wall:.1f} | {figure.memory} |")
        print("\n| file | bytes |\n|---|--:|")
        for file in (folder / "dump.gz", *sorted((folder / "store/v1/snapshots").glob("2*/*"))):
            print(f"| {file.name} | {file.stat().st_size:,} |")


if __name__ == "__main__":
    main()
