"""Writing to a bucket: the ways to do so against the local sink, and whole exports to the emulator."""

import os
import re
from collections.abc import Iterator

import pytest

from tests.benchmarks import bench_bucket, measure
from tests.benchmarks.measure import Options
from tests.support import emulator


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
    yield "- The sink checks each CRC32C and answers after 40 ms; the client's figures hold all it does for an object."
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
