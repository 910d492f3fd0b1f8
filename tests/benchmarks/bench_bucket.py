"""Objects a second and client CPU per object of the ways to write documents to a bucket, against the local sink.

`python -m tests.benchmarks.bench_bucket [--objects N] [--rounds N] [--plain-http]` prints a row for each way. A round
runs all ways after one another, each in a process of its own, so that what else the machine does hits them alike.
"""

import argparse
import multiprocessing
import os
import random
import statistics
import time
from collections.abc import Iterator
from typing import NamedTuple

from exporter.publish import bulk
from exporter.publish.gcs import GcsStore
from tests.benchmarks import sink

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


def documents(count: int) -> Iterator[tuple[str, bytes]]:
    """Documents that compression doesn't make smaller, so that `SIZE` bytes and a few are sent of each."""
    body = random.Random(0).randbytes(SIZE)
    for number in range(count):
        yield f"v1/runs/{number // 250}/samples/{number % 250}.json", body + b"%d" % number


def measure(environment: dict[str, str], way: Way, count: int) -> Measured:
    """Write `count` documents, all of it: asking what is there, hashing, compressing, sending."""
    os.environ.update(environment)
    if not way.uvloop:
        bulk._loop_factory = lambda: None
    store = GcsStore("sink", plain=way.plain, max_writes_per_second=1_000_000)
    store.write(documents(100))
    wall, cpu = time.perf_counter(), time.process_time()
    store.write(documents(count))
    return Measured(count / (time.perf_counter() - wall), (time.process_time() - cpu) / count * 1000)


def rounds(number: int, count: int, *, tls: bool = True) -> Iterator[list[Measured]]:
    """What each of `WAYS` took, round by round."""
    with sink.running(tls=tls) as server, multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        for _ in range(number):
            yield [pool.apply(measure, (server.environment(), way, int(count * way.share))) for way in WAYS]


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


def main() -> None:
    """Print the rows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--objects", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--plain-http", action="store_true")
    options = parser.parse_args()
    for way, speed, cpu, measured in rows(options.rounds, options.objects, tls=not options.plain_http):
        runs = " ".join(f"{one.objects_per_second:.0f}/{one.cpu_ms_per_object:.2f}" for one in measured)
        print(f"{way.name:28}{speed:7.0f} objects/s{cpu:8.3f} ms CPU each   ({runs})")


if __name__ == "__main__":
    main()
