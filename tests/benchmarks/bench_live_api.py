"""The live API over a history of production's size: how long each kind of request takes, once documents are in memory.

`python -m tests.benchmarks.bench_live_api STORE` measures a store that is there.
"""

import contextlib
import itertools
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import httpx

from exporter.demo import create_demo
from tests.benchmarks import measure
from tests.benchmarks.measure import Demand, Options

MOST = 20.0
"""Milliseconds that half of the requests of each kind may take at most."""
TIMES = 60
"""Requests of each kind that are measured."""
LINES = 20_000
"""Lines of a log that is long."""


class Kind(NamedTuple):
    """A kind of request: what it is called, its path, and the parameters that its requests take in turn."""

    name: str
    path: str
    queries: tuple[str, ...] = ("",)


class Ids(NamedTuple):
    """What is asked for: a result of a run with a log, an output of it that differs, and a run with a long log."""

    run: int
    sample: int
    test: int
    output: int
    long: int


def kinds(ids: Ids) -> list[Kind]:
    """One kind for each endpoint and each filter; ids exist in the store."""
    run, sample, test, output, long = ids
    statuses = ("status=fail", "status=pass", "status=missing_output")
    diff = f"/runs/{run}/samples/{sample}/regression-tests/{test}/outputs/{output}/diff"
    logs = ("limit=50", "level=error", "source=web&limit=1000", "limit=100&cursor=150")
    contained = ("contains=exit%20code", "contains=Tests", "contains=nothing&level=info")
    return [
        Kind("runs", "/runs", ("limit=50", "limit=100&offset=4000")),
        Kind("runs by status and platform", "/runs", ("status=fail&platform=linux", "status=pass&platform=windows")),
        Kind("runs by branch, oldest first", "/runs", ("branch=master&sort=created_at", "branch=nothing")),
        Kind("runs in a window", "/runs", ("created_after=2026-01-01&created_before=2026-06-01T12:00:00Z",)),
        Kind("a run", f"/runs/{run}"),
        Kind("its summary", f"/runs/{run}/summary"),
        Kind("its progress", f"/runs/{run}/progress"),
        Kind("its configuration", f"/runs/{run}/config"),
        Kind("its results", f"/runs/{run}/samples", ("limit=100", "status=fail", "name=a&category=DVB")),
        Kind("a result", f"/runs/{run}/samples/{test}"),
        Kind("its errors", f"/runs/{run}/errors"),
        Kind("groups of its errors", f"/runs/{run}/error-summary", ("group_by=type", "group_by=sample_id")),
        Kind("its infrastructure errors", f"/runs/{run}/infrastructure-errors"),
        Kind("a difference", diff, ("", "context_lines=0", "context_lines=2")),
        Kind("a difference as one text", diff, ("format=unified",)),
        Kind("its log", f"/runs/{run}/logs", logs),
        Kind("lines of its log that contain a text", f"/runs/{run}/logs", contained),
        Kind("a long log", f"/runs/{long}/logs", (*logs, f"limit=1000&cursor={LINES // 2}")),
        Kind("lines of a long log that contain a text", f"/runs/{long}/logs", contained),
        Kind("samples", "/samples", ("limit=100", "name=a", "extension=ts&status=active")),
        Kind("a sample", f"/samples/{sample}"),
        Kind("a sample in full", f"/samples/{sample}/details"),
        Kind("a history", f"/samples/{sample}/history", ("limit=50", "limit=100&offset=3000")),
        Kind("a history by status", f"/samples/{sample}/history", statuses),
        Kind(
            "a history by status, platform and time",
            f"/samples/{sample}/history",
            tuple(f"{status}&platform=linux&created_after=2026-01-01" for status in statuses),
        ),
        Kind("regression tests", "/regression-tests", ("limit=100", "active=false", f"sample_id={sample}")),
        Kind("a regression test", f"/regression-tests/{test}"),
        Kind("categories", "/categories"),
        Kind("tags", "/tags"),
        Kind("the queue", "/system/queue"),
    ]


@contextlib.contextmanager
def _serving(*command: str) -> Iterator[tuple[httpx.Client, int]]:
    """A client of a server, and the server's process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", *command, "--port", str(port), "--log-level", "error"], cwd=measure.ROOT
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    client.get("/")
                    break
                time.sleep(0.1)
            yield client, process.pid
    finally:
        process.terminate()
        process.wait(30)


def _processor_time(process: int) -> float:
    """Milliseconds of processor time that a process has used."""
    fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * 1000 / os.sysconf("SC_CLK_TCK")


def _took(client: httpx.Client, path: str, queries: tuple[str, ...]) -> list[float]:
    """Milliseconds of each of `TIMES` requests, after one of each query."""
    took = []
    for number, query in enumerate(itertools.islice(itertools.cycle(queries), TIMES + len(queries))):
        begun = time.perf_counter()
        answer = client.get(f"{path}?{query}" if query else path)
        if number >= len(queries):
            took.append((time.perf_counter() - begun) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{path}?{query}: {answer.status_code} {answer.text}")
    return took


def _ids(client: httpx.Client, long: int | None) -> Ids:
    """The newest failing run with a log and an output that differs."""

    def get(path: str) -> Any:
        return client.get(f"/v1/runs{path}.json").json()

    for run in (one["run_id"] for one in get("")["data"] if one["status"] == "fail"):
        if get(f"/{run}")["links"]["log"] is None:
            continue
        for result in get(f"/{run}/failures")["data"]:
            for output in result["outputs"]:
                if output["match"] == "different":
                    return Ids(run, result["sample_id"], result["regression_test_id"], output["output_id"], long or run)
    raise SystemExit("the store has no log, or no output that differs: it lacks its sample repository")


def measured(store: pathlib.Path, long: int | None = None) -> Iterator[str]:
    """The tables for a store; `long`: a run whose log is long."""
    with _serving("serve", str(store)) as (client, _):
        ids = _ids(client, long)
        static = statistics.median(_took(client, f"/v1/runs/{ids.run}.json", ("",)))
    rows = []
    with _serving("live-api", str(store)) as (client, process):
        for kind in kinds(ids):
            _took(client, "/api/v1" + kind.path, kind.queries)  # now its documents are in memory
            before = _processor_time(process)
            took = sorted(_took(client, "/api/v1" + kind.path, kind.queries))
            used = (_processor_time(process) - before) / (TIMES + len(kind.queries))
            rows.append((kind.name, statistics.median(took), took[int(len(took) * 0.95)], used))
    slowest = max(rows, key=lambda row: row[1])
    yield from measure.demands(
        [
            Demand(
                "median of each kind of request, warm, loopback",
                f"at most {MOST:g} ms",
                f"slowest: {slowest[0]}, {slowest[1]:.1f} ms",
                slowest[1] <= MOST,
            )
        ]
    )
    yield ""
    yield f"| request | median, ms | 95 %, ms | mean processor time, ms | × a static read ({static:.1f} ms) |"
    yield "|---|--:|--:|--:|--:|"
    for name, median, high, used in rows:
        yield f"| {name} | {median:.1f} | {high:.1f} | {used:.1f} | {median / static:.1f} |"


def _lengthen(files: pathlib.Path) -> int:
    """Repeat the lines of the newest log, and return its run."""
    newest = max((files / "LogFiles").iterdir(), key=lambda file: int(file.stem))
    lines = newest.read_text().splitlines(keepends=True)
    newest.write_text("".join(itertools.islice(itertools.cycle(lines), LINES)))
    return int(newest.stem)


def lines(options: Options) -> Iterator[str]:
    """The section of the page, for a database and a sample repository of this part's own."""
    runs = options.runs[1]
    folder = measure.folder()
    url, files, store = (
        f"sqlite:///{folder}/platform.sqlite",
        folder / "files",
        folder / "store",
    )
    create_demo(url, runs=runs, tests=measure.TESTS, seed=1, sample_repository=files)
    long = _lengthen(files)
    source = ("--database-url", url, "--sample-repository", str(files), "--workers", measure.WORKERS)
    measure.exporter("export", *source, "--store", str(store), "--result-documents", "failures")
    yield from measured(store, long)
    yield ""
    yield (
        f"{runs:,} runs of {measure.TESTS} tests, with logs of some 280 lines and a long one of {LINES:,}. Decoded "
        "documents of 64 MB of JSON at most stay in memory."
    )


if __name__ == "__main__":
    print("\n".join(measured(pathlib.Path(sys.argv[1]))))
