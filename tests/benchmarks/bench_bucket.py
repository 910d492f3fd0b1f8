"""What writing to a bucket costs: the ways to write documents against the local sink, and exports to the emulator.

`python -m tests.benchmarks.bench_bucket [--objects N] [--rounds N] [--plain-http] [--database-url URL]` prints a row
for each way, and for each export of a database if one is named. A round runs all ways after one another, each in a
process of its own, so that what else the machine does hits them alike.
"""

import argparse
import multiprocessing
import os
import pathlib
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from exporter.publish.gcs import bulk_upload
from exporter.publish.gcs.bucket_store import GcsStore
from tests.benchmarks import sink
from tests.support import emulator

ROOT = pathlib.Path(__file__).parent.parent.parent
SIZE = 4096
"""Bytes of a body on the wire."""


class Way(NamedTuple):
    """A way to write: by the client library's threads or the bulk path, and that with which event loop."""

    name: str
    plain: bool = False
    uvloop: bool = True
    share: float = 1.0
    """Of the objects, so that a slow way does not take for ever."""


WAYS = (
    Way("client library, 64 threads", plain=True, share=0.25),
    Way("bulk path, asyncio", uvloop=False),
    Way("bulk path, uvloop"),
)


class Measured(NamedTuple):
    """What one run of a way took."""

    objects_per_second: float
    cpu_ms_per_object: float


def documents(folder: str, count: int) -> Iterator[tuple[str, bytes]]:
    """Documents that compression doesn't make smaller, so that `SIZE` bytes and a few are sent of each."""
    body = random.Random(0).randbytes(SIZE)
    for number in range(count):
        yield f"v1/{folder}/{number // 250}/samples/{number % 250}.json", body + b"%d" % number


def measure(environment: dict[str, str], way: Way, folder: str, count: int) -> Measured:
    """Write `count` documents to a new folder, all of it: asking what is there, hashing, compressing, sending."""
    os.environ.update(environment)
    if not way.uvloop:
        bulk_upload._loop_factory = lambda: None
    store = GcsStore("sink", plain=way.plain, max_writes_per_second=1_000_000)
    store.write(documents(f"{folder}-first", 100))
    wall, cpu = time.perf_counter(), time.process_time()
    store.write(documents(folder, count))
    return Measured(count / (time.perf_counter() - wall), (time.process_time() - cpu) / count * 1000)


def rounds(number: int, count: int, *, tls: bool = True, ways: Sequence[Way] = WAYS) -> Iterator[list[Measured]]:
    """What each way took, round by round."""
    with sink.running(tls=tls) as server, multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for round_ in range(number):
            yield [
                pool.apply(measure, (server.environment(), way, f"{round_}-{place}", int(count * way.share)))
                for place, way in enumerate(ways)
            ]


class Row(NamedTuple):
    """The medians of a way, and all that was measured."""

    way: Way
    speed: float
    cpu: float
    runs: list[Measured]


def rows(number: int, count: int, *, tls: bool = True) -> Iterator[Row]:
    """A row for each way, after so many rounds of so many objects."""
    for way, measured in zip(WAYS, zip(*rounds(number, count, tls=tls), strict=True), strict=True):
        speed = statistics.median(one.objects_per_second for one in measured)
        yield Row(way, speed, statistics.median(one.cpu_ms_per_object for one in measured), list(measured))


class Export(NamedTuple):
    """What one export to the emulator took; the CPU is that of all its processes."""

    what: str
    wall: float
    cpu: float
    said: str

    @property
    def objects_per_second(self) -> float:
        """Documents written, by the whole of the time."""
        found = re.search(r"([0-9]+) documents written", self.said)
        return int(found[1]) / self.wall if found else 0.0


EXPORTS = (
    ("every result", "all"),
    ("every result, nothing changed", "all"),
    ("failed results only", "failures"),
    ("no single results", "none"),
)


def exports(database_url: str, workers: int = 2) -> Iterator[Export]:
    """Exports of a database to empty buckets at the emulator, and one with nothing to do."""
    with emulator.running() as server, tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"STORAGE_EMULATOR_HOST": server.url, "XDG_STATE_HOME": folder}
        buckets = {kind: server.new_bucket() for _, kind in EXPORTS}
        for what, kind in EXPORTS:
            command = [sys.executable, "-m", "exporter", "export", "--database-url", database_url]
            command += ["--store", f"gs://{buckets[kind]}/api", "--result-documents", kind]
            command += ["--workers", str(workers), "--max-writes-per-second", "100000"]
            wall, cpu = time.perf_counter(), _children()
            ended = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
            if ended.returncode:
                raise SystemExit(ended.stderr)
            said = ended.stderr.splitlines()[-1].partition("Z ")[2]
            yield Export(what, time.perf_counter() - wall, _children() - cpu, said)


def _children() -> float:
    """Seconds of processors that ended children have taken."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plain-http", action="store_true")
    parser.add_argument("--database-url", help="whose exports to measure, too")
    options = parser.parse_args()
    for way, speed, cpu, measured in rows(options.rounds, options.objects, tls=not options.plain_http):
        runs = " ".join(f"{one.objects_per_second:.0f}/{one.cpu_ms_per_object:.2f}" for one in measured)
        print(f"{way.name:28}{speed:7.0f} objects/s{cpu:8.3f} ms CPU each   ({runs})", flush=True)
    for one in exports(options.database_url) if options.database_url else ():
        rate = f"{one.objects_per_second:7.0f} objects/s"
        print(f"{one.what:30}{one.wall:7.1f} s{one.cpu:7.1f} s CPU{rate}   {one.said}", flush=True)
    print("load", *(f"{load:.1f}" for load in os.getloadavg()))


if __name__ == "__main__":
    main()
