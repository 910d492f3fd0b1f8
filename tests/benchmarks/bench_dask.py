"""A first export on a Dask cluster of one worker and of two, to the local sink: how it scales, and the parts of it.

python -m tests.benchmarks.bench_dask --runs 1000 --latency 0.15
"""

import argparse
import os
import pathlib
import re
import tempfile
import time

from tests.benchmarks import measure, sink
from tests.support import dask_cluster


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--latency", type=float, default=0.04, help="seconds after which the sink answers")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--database-url", help="a database in the place of the benchmarks' own")
    parser.add_argument("--rate", default="100000", help="--max-writes-per-second")
    chosen = parser.parse_args()
    url = chosen.database_url or measure.database(chosen.runs)
    print("| workers | wall, s | CPU of pipeline, s | CPU of workers, s | load | it said |\n|--:|--:|--:|--:|--:|---|")
    for _ in range(chosen.rounds):
        for workers in (1, 2):
            with sink.running(chosen.latency) as bucket:
                print(_row(url, workers, bucket, chosen.rate), flush=True)


def _row(url: str, workers: int, bucket: sink.Sink, rate: str) -> str:
    environment = bucket.environment()
    os.environ.update(environment)
    with (
        tempfile.TemporaryDirectory() as folder,
        dask_cluster.running(pathlib.Path(folder), workers, **environment) as cluster,
    ):
        before = [_cpu(one.pid) for name, one in cluster.processes.items() if name != "scheduler"]
        options = ("--executor", "dask", "--dask-scheduler", cluster.address, "--max-writes-per-second", rate)
        children, begun = os.times(), time.perf_counter()
        figure = measure.exporter("export", "--database-url", url, "--store", "gs://bench/api", *options)
        wall, ended = time.perf_counter() - begun, os.times()
        after = [_cpu(one.pid) for name, one in cluster.processes.items() if name != "scheduler"]
    own = ended.children_user + ended.children_system - children.children_user - children.children_system
    load = os.getloadavg()[0]
    said = re.sub(r"^.*?published", "published", figure.said)
    return f"| {workers} | {wall:.1f} | {own:.1f} | {sum(after) - sum(before):.1f} | {load:.1f} | {said} |"


def _cpu(process: int) -> float:
    """Seconds of processors that a process has taken."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
