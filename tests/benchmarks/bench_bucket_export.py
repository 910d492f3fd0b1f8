"""Writing to a bucket as it is: the ways to do so, and exports, to a local sink by TLS that answers after 40 ms."""

import os
import re
import statistics
import time
from collections import Counter
from collections.abc import Iterator

from tests.benchmarks import bench_bucket, measure, sink
from tests.benchmarks.measure import Options
from tests.support import faulty_proxy
from tests.support.demo_runs import add_run
from tests.support.round_trips import chain

DELAY = 0.04
SLOW = 0.3
"""Seconds: much more than an export needs to send all that it sends together, so that what is in sequence shows."""
MANY = 100_000
"""Documents that one process writes."""
STORE = ("--store", "gs://bench/api", "--max-writes-per-second", "100000", "--workers", measure.WORKERS)


def lines(options: Options) -> Iterator[str]:
    """The section of the page."""
    yield "| to a bucket | objects a second | CPU of the client, ms an object |"
    yield "|---|--:|--:|"
    for way, speed, cpu, _ in bench_bucket.rows(options.rounds, options.objects):
        yield f"| {way.name} | {speed:,.0f} | {cpu:.2f} |"
    many = next(bench_bucket.rounds(1, MANY, ways=bench_bucket.WAYS[-1:]))[0]
    row = f"| {MANY:,} documents, {bench_bucket.WAYS[-1].name} |"
    yield f"{row} {many.objects_per_second:,.0f} | {many.cpu_ms_per_object:.2f} |"
    yield ""
    yield "| exports to a bucket | wall, s | visible after, s | documents a second |"
    yield "|---|--:|--:|--:|"
    yield from _exports(options)
    yield ""
    yield "| operations | class A | class B | free | answers in sequence until visible | … until the end |"
    yield "|---|--:|--:|--:|--:|--:|"
    yield from _operations(options.runs[0])
    yield ""
    yield "- The bucket is a process of this machine that checks each CRC32C, and takes processor time of its own."
    yield "- The client's figures hold all it does for an object; an export's all it does, its start included."
    yield "- Uploads and listings are operations of class A, reads of class B, and deletions are free."


def _exports(options: Options) -> Iterator[str]:
    """A first export, one with nothing to do, and the median of several new runs."""
    runs = options.runs[0]
    url = measure.database(runs)
    with sink.running(DELAY) as bucket:
        before = dict(os.environ)
        os.environ.update(bucket.environment())
        export = ("export", "--database-url", url, *STORE)
        begun = time.monotonic()
        first = measure.exporter(*export)
        visible = bucket.published() - begun
        found = re.search(r"([0-9]+) documents written", first.said)
        speed = f"{int(found[1]) / first.wall:,.0f}" if found else ""
        yield f"| first export of {runs:,} runs | {first.wall:.1f} | {visible:.1f} | {speed} |"
        yield f"| export with nothing changed | {measure.exporter(*export).wall:.2f} | | |"
        walls, seen = list[float](), list[float]()
        for number in range(max(3, options.rounds)):
            new = str(add_run(url, seed=runs + number))
            begun = time.monotonic()
            walls.append(measure.exporter(*export, "--run", new).wall)
            seen.append(bucket.published() - begun)
        yield f"| one new run, `--run ID` | {statistics.median(walls):.2f} | {statistics.median(seen):.2f} | |"
        os.environ.clear()
        os.environ.update(before)


def _operations(runs: int) -> Iterator[str]:
    """What the requests of a first export and of one new run are billed as."""
    url = measure.database(runs)
    with sink.running(0, tls=False) as bucket:
        for what, options in ((f"first export of {runs:,} runs", ()), ("one new run, `--run ID`", ("--run",))):
            new = (str(add_run(url, seed=runs)),) if options else ()
            plan: faulty_proxy.Plan = (lambda _: "stall") if options else (lambda _: None)
            with faulty_proxy.running(bucket.url, plan, SLOW) as proxy:
                os.environ["STORAGE_EMULATOR_HOST"] = proxy.url
                measure.exporter("export", "--database-url", url, *STORE, *options, *new)
            classes = Counter(_class(line) for line in proxy.lines)
            counts = " | ".join(f"{classes[name]:,}" for name in ("A", "B", "free"))
            seen = [one.uploaded for one in proxy.answered].index("api/v1/manifest.json") + 1
            sequence = (len(chain(proxy.answered[:seen])), len(chain(proxy.answered))) if options else ("", "")
            yield f"| {what} | {counts} | {sequence[0]} | {sequence[1]} |"
        del os.environ["STORAGE_EMULATOR_HOST"]


def _class(line: str) -> str:
    """The class of operation that Google bills a request as, by its line."""
    if line.startswith("DELETE "):
        return "free"
    return "A" if line.startswith("POST /upload/") or re.match(r"GET /storage/v1/b/[^/]+/o\?", line) else "B"
