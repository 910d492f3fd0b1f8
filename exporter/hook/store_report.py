"""The report of `exporter status`: how fresh a store is, what it holds, which requests are waiting.

Two times are different. The manifest has the time of the last *change*: an export that finds nothing to change does
not write it. The spool has the time of the last *success*: freshness is measured by that time, where it is known.
"""

import datetime
import pathlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from exporter import paths
from exporter.errors import StoreError
from exporter.hook import last_export
from exporter.hook.last_export import ExportResult
from exporter.hook.queue import Requests
from exporter.paths import stored
from exporter.publish.lease import LEASE, moment
from exporter.publish.manifest import Pending, decode_manifest, decode_pending
from exporter.publish.publisher import Publisher
from exporter.publish.store import Store

_COUNTS = ("runs", "results", "samples", "regression_tests", "documents", "bytes")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True, slots=True)
class Writing:
    """The export that `pending.json` describes: whether it is alive, and when it last renewed its lease."""

    alive: bool
    heard_at: float


@dataclass(frozen=True, slots=True)
class Report:
    """The state of a store. Times are seconds since 1970, ages seconds.

    Args:
        changed_at: when the present state was published.
        snapshot: the state digest.
        latest_run_id: the highest; None if there are no runs.
        counts: of `runs`, `results`, `samples`, `regression_tests`, `documents` and `bytes`.
        writing: the export that is publishing, or that died while publishing; None: there is none.
        requests: number of requests of the hook that are waiting.
        oldest_request: when the oldest was recorded; None: there is none.
        last: how the last export on this machine ended; None: not known.
    """

    store: str
    now: float
    changed_at: float
    snapshot: str
    latest_run_id: int | None
    counts: dict[str, int]
    writing: Writing | None
    requests: int
    oldest_request: float | None
    last: ExportResult | None

    @property
    def source(self) -> Literal["spool", "manifest"]:
        """Where the time of the last success comes from. Another machine may have published after our last export."""
        return "spool" if self.last and (self.last.succeeded_at or 0) >= self.changed_at else "manifest"

    @property
    def succeeded_at(self) -> float:
        """When the last export that is known to have succeeded ended."""
        return max(self.changed_at, (self.last and self.last.succeeded_at) or 0)

    @property
    def age(self) -> float:
        """Seconds since then, never below 0."""
        return max(0.0, self.now - self.succeeded_at)

    @property
    def error(self) -> str | None:
        """The message of the last export if it failed; None if it succeeded, or is not known."""
        return self.last.message or f"exit code {self.last.exit_code}" if self.last and self.last.exit_code else None


def read(store: Store, spool: pathlib.Path | None) -> Report:
    """Make the report of a store, and of the spool that belongs to it, if there is one.

    Raises:
        StoreError: nothing is published there, or it cannot be read.
        OSError: the spool cannot be read.
    """
    last = last_export.read(spool) if spool else None
    requests = Requests(spool) if spool else None
    published, pending = store.get(stored(paths.MANIFEST)), store.get(stored(paths.PENDING))
    if published is None:
        why = f"; the last export failed: {last.message}" if last and last.exit_code else ""
        raise StoreError(f"{store.name}: nothing is published there{why or '; run exporter export'}")
    manifest, shown = decode_manifest(published.data), orjson.loads(published.data)
    return Report(
        store=store.name,
        now=time.time(),
        changed_at=_seconds(shown["generated_at"]),
        snapshot=manifest.snapshot,
        latest_run_id=manifest.latest_run_id,
        counts={name: shown["counts"][name] for name in _COUNTS},
        writing=_writing(store, decode_pending(pending.data)) if pending else None,
        requests=len(requests.names()) if requests else 0,
        oldest_request=requests.oldest() if requests else None,
        last=last,
    )


def _writing(store: Store, pending: Pending) -> Writing:
    lease = Publisher(store).lease
    alive = lease.alive(pending) and lease.plausible(pending)  # a look at one moment cannot see it renewed
    return Writing(alive, min(time.time(), _seconds(pending.expires_at) - LEASE.total_seconds()))


def _seconds(text: str) -> float:
    return datetime.datetime.strptime(text, _MOMENT).replace(tzinfo=datetime.UTC).timestamp()


def _time(seconds: float) -> str:
    return moment(datetime.datetime.fromtimestamp(seconds, datetime.UTC))


def span(seconds: float) -> str:
    """A time span for people: `35 s`, `12 min`, `5 h`, `3 d`."""
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def as_text(report: Report) -> str:
    """A table of names and values."""

    def ago(then: float) -> str:
        return f"{_time(then)}, {span(report.now - then)} ago"

    counts = {name: f"{report.counts[name]:,}" for name in _COUNTS}
    last, writing = report.last, report.writing
    rows = {
        "store": report.store,
        "last success": ago(report.succeeded_at)
        + ("" if report.source == "spool" else " (the last change; later exports are not noted here)"),
        "last full export": ago(last.full_succeeded_at) if last and last.full_succeeded_at else "not noted here",
        "last error": f"{ago(last.finished_at)}: {report.error}" if last and report.error else "none",
        "last change": ago(report.changed_at),
        "published": "{runs} runs, {results} results, {samples} samples, {regression_tests} regression tests".format(
            **counts
        ),
        "": f"{counts['documents']} documents of {counts['bytes']} bytes, state {report.snapshot[:12]}",
        "latest run": "none" if report.latest_run_id is None else str(report.latest_run_id),
        "being written": "no"
        if writing is None
        else f"yes, last heard of {ago(writing.heard_at)}"
        if writing.alive
        else f"an export died about {ago(writing.heard_at)}; the next one completes it",
        "hook requests": "none"
        if report.oldest_request is None
        else f"{report.requests}, the oldest recorded {ago(report.oldest_request)}",
    }
    return "\n".join(f"{name:<17} {value}" for name, value in rows.items())


def as_json(report: Report, max_age: float | None) -> str:
    """One JSON object. `fresh` is null without a `max_age`, which is in seconds."""
    last, writing = report.last, report.writing
    value: dict[str, Any] = {
        "store": report.store,
        "fresh": None if max_age is None else report.age <= max_age,
        "last_success": {
            "at": _time(report.succeeded_at),
            "age_seconds": round(report.age, 1),
            "source": report.source,
        },
        "last_full_success": _time(last.full_succeeded_at) if last and last.full_succeeded_at else None,
        "last_error": {"at": _time(last.finished_at), "exit_code": last.exit_code, "message": report.error}
        if last and report.error
        else None,
        "published": {
            "changed_at": _time(report.changed_at),
            "snapshot": report.snapshot,
            "latest_run_id": report.latest_run_id,
            **report.counts,
        },
        "writing": {"alive": writing.alive, "heard_at": _time(writing.heard_at)} if writing else None,
        "hook_requests": {
            "count": report.requests,
            "oldest_age_seconds": _age(report, report.oldest_request),
        },
    }
    return orjson.dumps(value).decode()


def _age(report: Report, then: float | None) -> float | None:
    return None if then is None else round(max(0.0, report.now - then), 1)


def as_prometheus(report: Report) -> str:
    """Prometheus' text exposition format; unknown values are left out. All are gauges, labelled with the store."""
    label = report.store.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return "".join(
        f'# HELP exporter_{name} {help_}\n# TYPE exporter_{name} gauge\nexporter_{name}{{store="{label}"}} {value!r}\n'
        for name, help_, value in _metrics(report)
        if value is not None
    )


def _metrics(report: Report) -> Iterator[tuple[str, str, float | None]]:
    last, writing = report.last, report.writing
    yield "last_success_timestamp_seconds", "When an export last succeeded.", report.succeeded_at
    yield (
        "last_full_success_timestamp_seconds",
        "When an export of everything last succeeded on this machine.",
        last.full_succeeded_at if last else None,
    )
    yield "last_change_timestamp_seconds", "When the published state last changed.", report.changed_at
    yield "last_exit_code", "The exit code of the last export on this machine.", last.exit_code if last else None
    for name in _COUNTS:
        yield f"published_{name}", f"Number of published {name.replace('_', ' ')}.", report.counts[name]
    yield "latest_run_id", "The highest id of a published run.", report.latest_run_id
    yield "writing", "Whether an export is writing.", int(writing is not None and writing.alive)
    yield "died_writing", "Whether an export died while writing.", int(writing is not None and not writing.alive)
    yield "hook_requests", "Number of requests of the hook that are waiting.", report.requests
    yield "hook_oldest_request_age_seconds", "Age of the oldest of these.", _age(report, report.oldest_request) or 0
