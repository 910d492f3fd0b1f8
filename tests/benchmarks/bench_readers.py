"""Verify, mirror, snapshot and download, each beside its limit: reading once all that it must read, and hashing it."""

import pathlib
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tests.benchmarks import measure
from tests.benchmarks.measure import Figure, Options

READ = """
import hashlib, os, sys
size = files = 0
folders = sys.argv[1:]
while folders:
    for entry in os.scandir(folders.pop()):
        if entry.is_dir():
            folders.append(entry.path)
            continue
        with open(entry.path, "rb") as file:
            data = file.read()
        hashlib.sha256(data).digest()
        size += len(data)
        files += 1
print(f"{files:,} files, {size / 1e6:,.0f} MB")
"""
"""Reads all files below folders, one after another, and hashes each."""


class Row(NamedTuple):
    """A command, its limit, and what both took in each round."""

    what: str
    limit: str
    took: list[Figure]
    least: list[Figure]


def lines(options: Options) -> Iterator[str]:
    """The section of the page. A command and its limit take turns, so that what else the machine does hits both."""
    runs = options.runs[0]
    url = measure.database(runs)
    folder = measure.folder()
    store = folder / "store"
    measure.exporter("export", "--database-url", url, "--store", str(store), "--workers", measure.WORKERS)
    rows = list(_rows(url, folder, store, options.rounds))
    yield f"| {runs:,} runs | wall, s | its limit | wall, s | × its limit | peak MB of a process | it said |"
    yield "|---|--:|---|--:|--:|--:|---|"
    for row in rows:
        took, least = measure.middle(row.took), measure.middle(row.least)
        yield (
            f"| {row.what} | {took.wall:.2f} | {row.limit}{least.said and f' ({least.said})'} | {least.wall:.2f} "
            f"| {took.wall / least.wall:.1f} | {took.memory} | {took.said.replace(f'{folder}/', '')} |"
        )
    yield ""
    yield f"- Medians of {options.rounds}; all is read from the page cache, and a process's start is part of each."
    yield "- Mirror and download read a `file:` URL: what a server and a network cost comes on top."
    yield "- Who mirrors for the first time writes each document besides; the limit only reads and hashes."


def _rows(url: str, folder: pathlib.Path, store: pathlib.Path, rounds: int) -> Iterator[Row]:
    served, snapshots = (store / "v1").as_uri() + "/", store / "v1" / "snapshots"
    everything = "reading and hashing all documents"

    def read(*folders: pathlib.Path) -> Figure:
        return measure.run(sys.executable, "-c", READ, *map(str, folders))

    def row(what: str, limit: str, command: Callable[[int], Figure], least: Callable[[], Figure]) -> Row:
        pairs = [(least(), command(number)) for number in range(rounds)]
        return Row(what, limit, [took for _, took in pairs], [one for one, _ in pairs])

    def mirror(number: int) -> Figure:
        return measure.exporter("mirror", served, str(folder / f"copy-{number}"))

    def snapshot(_: int) -> Figure:
        return measure.exporter("snapshot", "--database-url", url, "--store", str(store))

    def download(number: int) -> Figure:
        return measure.exporter("download", served, str(folder / f"data-{number}"))

    def documents() -> Figure:
        return read(store / "v1")

    yield row("`exporter verify`", everything, lambda _: measure.exporter("verify", str(store)), documents)
    yield row("`exporter mirror`, first", everything, mirror, documents)
    manifests = store / "v1" / "manifests"
    yield row("`exporter mirror`, nothing new", "reading and hashing manifests", mirror, lambda: read(manifests))
    yield row("`exporter snapshot`", "`mariadb-dump` of the main tables", snapshot, lambda: measure.dump(url))
    newest = max(one for one in snapshots.iterdir() if one.is_dir())
    yield row("`exporter download`", "reading and hashing the snapshot", download, lambda: read(newest))
