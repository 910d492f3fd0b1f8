"""Writing to a bucket: the ways to do so against the local sink, and whole exports to the emulator."""

import os
import re
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.benchmarks import bench_bucket, measure
from tests.benchmarks.measure import Options
from tests.support import emulator, faulty_proxy
from tests.support.demo_runs import add_run
from tests.support.round_trips import chain


def lines(options: Options) -> Iterator[str]:
    """The section of the page."""
    yield "| to a bucket | objects a second | CPU of the client, ms an object | wall, s | it said |"
    yield "|---|--:|--:|--:|---|"
    for way, speed, cpu, _ in bench_bucket.rows(options.rounds, options.objects):
        yield f"| {way.name}, to a local sink by TLS, 40 ms | {speed:,.0f} | {cpu:.2f} | | |"
    try:
        yield from _exports(options.runs[0])
    except pytest.skip.Exception as missing:
        yield f"| exports to the emulator | | | | not measured: {missing.msg} |"
    yield ""
    yield "| operations | class A | class B | free | round trips in sequence |"
    yield "|---|--:|--:|--:|--:|"
    try:
        yield from _operations(options.runs[0])
    except pytest.skip.Exception as missing:
        yield f"| not measured: {missing.msg} | | | | |"
    yield ""
    yield "- The sink checks each CRC32C and answers after 40 ms; the client's figures hold all it does for an object."
    yield "- Uploads and listings are operations of class A, reads of class B, and deletions are free."
    yield "- The emulator (fake-gcs-server, files) shares the machine with the export, and takes most of its time."


def _exports(runs: int) -> Iterator[str]:
    url = measure.database(runs)
    with emulator.running() as server:
        os.environ["STORAGE_EMULATOR_HOST"] = server.url
        store = ("--store", f"gs://{server.new_bucket()}/api", "--max-writes-per-second", "100000")
        for what in ("first export", "export with nothing changed"):
            figure = measure.exporter("export", "--database-url", url, *store, "--workers", measure.WORKERS)
            found = re.search(r"([0-9]+) documents written", figure.said)
            speed = int(found[1]) / figure.wall if found else 0
            yield f"| {what} of {runs:,} runs to the emulator | {speed:,.0f} | | {figure.wall:.1f} | {figure.said} |"
        del os.environ["STORAGE_EMULATOR_HOST"]


def _operations(runs: int) -> Iterator[str]:
    """What the requests of a first export and of one new run are billed as; the service answers after 40 ms."""
    url = measure.database(runs)
    with emulator.running() as server:
        store = ("--store", f"gs://{server.new_bucket()}/api", "--max-writes-per-second", "100000")
        export = ("export", "--database-url", url, *store, "--workers", measure.WORKERS)
        for what, options in ((f"first export of {runs:,} runs", ()), ("one new run, `--run ID`", ("--run",))):
            new = (str(add_run(url, seed=runs)),) if options else ()
            plan: faulty_proxy.Plan = (lambda _: "stall") if options else (lambda _: None)
            with faulty_proxy.running(server.url, plan, 0.04) as proxy:
                os.environ["STORAGE_EMULATOR_HOST"] = proxy.url
                measure.exporter(*export, *options, *new)
            classes = Counter(_class(line) for line in proxy.lines)
            counts = " | ".join(f"{classes[name]:,}" for name in ("A", "B", "free"))
            yield f"| {what} | {counts} | {len(chain(proxy.answered)) if options else ''} |"
        del os.environ["STORAGE_EMULATOR_HOST"]


def _class(line: str) -> str:
    """The class of operation that Google bills a request as, by its line."""
    if line.startswith("DELETE "):
        return "free"
    return "A" if line.startswith("POST /upload/") or re.match(r"GET /storage/v1/b/[^/]+/o\?", line) else "B"
