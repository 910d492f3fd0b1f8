"""What a worker of a Dask cluster does for an export: the tasks of `Worker`, with all that it needs sent along.

Workers share no disk with each other or with the pipeline. A partition's rows, documents and manifest stay in the work
dir of the worker that made them; files of the partition store are sent with a task and come back with its answer. A
worker that lacks rows or documents, because another one had them and was lost, makes them anew: from rows that it reads
again, and whose digest must be that of the rows that were read first.

Only `Message`s travel: Dask shows its tasks' arguments and results in logs and on its dashboard, and a message shows a
label.
"""

import asyncio
import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import logging
import os
import pathlib
import pickle
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import distributed
from isal import igzip

import exporter
from exporter import logs, paths, templating
from exporter.documents.encoding import digest
from exporter.errors import ConflictError, ExporterError
from exporter.export.job import Job
from exporter.export.work_dir import work_dir
from exporter.export.worker import BuildTask, BuiltPartition, Worker
from exporter.publish.open_store import on_this_machine
from exporter.source.sample_repository import SampleRepository
from exporter.state.partition_store import StateLostError
from exporter.state.state_file import Kind

LOOK = 10.0
"""Seconds between two looks whether the export that a worker keeps files for is still there."""

ANSWERED: Mapping[str, tuple[Kind, ...]] = {"read": ("matrix", "own_lineages"), "build": ("summary",)}
"""Task → the kinds of file in the partition store that it makes and that come back with its answer."""


class Message:
    """A value on its way, compressed; logs and dashboards show its label."""

    __slots__ = ("_data", "label")

    def __init__(self, label: str, value: Any) -> None:
        self.label = label
        self._data = igzip.compress(pickle.dumps(value, protocol=5), 1)

    def open(self) -> Any:
        """The value."""
        return pickle.loads(igzip.decompress(self._data))  # noqa: S301 - Dask itself runs what it is sent

    def __repr__(self) -> str:
        return self.label


class Versions(NamedTuple):
    """What must be the same in the pipeline and in its workers, so that all make the same bytes."""

    exporter: str
    code: str
    python: str
    distributed: str


@functools.cache
def versions() -> Versions:
    """The versions that this process runs; `code` is a digest of the exporter's modules and templates."""
    package = pathlib.Path(exporter.__file__).parent
    code = hashlib.sha256()
    for file in (*sorted(package.rglob("*.py")), *sorted(templating.folder().rglob("*"))):
        if file.is_file():
            code.update(file.name.encode() + b"\0" + file.read_bytes())
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Versions(exporter.__version__, code.hexdigest()[:12], python, importlib.metadata.version("distributed"))


class SentJob(NamedTuple):
    """What a worker gets once: the job of an export, the least level of logs that it shows, and its versions."""

    job: Job
    level: int
    versions: Versions


@dataclass(frozen=True, slots=True)
class RemoteTask:
    """A task with all that its worker may lack.

    Args:
        method: name of the method of `Worker` that does it.
        task: its argument.
        partition: the partition whose rows or documents it needs; None: none's.
        files: files of the partition store that it reads.
        rows: digest of the rows that the partition's statistics were computed from.
        part: digest of the partition's manifest that documents belong to.
        remake: how to build these documents anew; None: say that they are missing.
        share: of the writes that the store may take, by this worker.
        whole: whether `files` has all that there is; if not, the worker says what else it wants.
        round: counts how often rows were found changed: what a worker has from another round is not valid.
    """

    method: str
    task: Any
    partition: int | None = None
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    rows: str = ""
    part: str = ""
    remake: BuildTask | None = None
    share: float = 1.0
    whole: bool = False
    round: int = 0

    @property
    def label(self) -> str:
        """What logs and dashboards show."""
        of = "" if self.partition is None else f" of partition {self.partition}"
        return f"{self.method}{of}" if self.method != "read" else f"read partition {self.task}"


class LogLine(NamedTuple):
    """A line that the exporter logged during a remote task."""

    logger: str
    level: int
    message: str


@dataclass(slots=True)
class Reply:
    """What came of a remote task.

    Args:
        error: what it raised instead.
        without_job: whether the worker lacks the job, and did nothing.
        missing: whether the worker lacks the documents, and did nothing.
        wants: partitions whose matrix the worker lacks; it did nothing.
        changed: whether the worker lacked the rows, read them again and found others; it built nothing.
        files: files of the partition store that it made.
        rows: digest of the rows that it read.
    """

    answer: Any = None
    error: Exception | None = None
    without_job: bool = False
    missing: bool = False
    wants: tuple[int, ...] = ()
    changed: bool = False
    files: Mapping[str, bytes] = dataclasses.field(default_factory=dict)
    rows: str = ""
    worker: str = ""
    lines: tuple[LogLine, ...] = ()


class WorkerError(Exception):
    """A defect that showed in a worker: its type, message and traceback."""


def perform(remote: Message, key: str, job: Message | None) -> Message:
    """Do a remote task of an export on this worker.

    Args:
        remote: the remote task.
        key: the name of a task that the cluster knows as long as the export is there.
        job: the export's; None: the worker should have it.
    """
    worker = distributed.get_worker()
    collector = _Collector()
    root = logging.getLogger(exporter.__name__)
    root.addHandler(collector)
    try:
        session = _session(key, job, worker)
        reply = session.perform(remote.open()) if session else Reply(without_job=True)
    except Exception as error:
        reply = Reply(error=_portable(error, worker.address))
    finally:
        root.removeHandler(collector)
    reply.worker, reply.lines = worker.address, tuple(collector.lines)
    return Message(f"reply to {remote.label}", reply)


class _Collector(logging.Handler):
    """Keeps what this thread logs."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[LogLine] = []
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.lines.append(LogLine(record.name, record.levelno, logs.clean(record.getMessage())))


def _portable(error: Exception, address: str) -> Exception:
    """An error as the pipeline can take it: without this machine's secrets."""
    if isinstance(error, StateLostError):
        return error
    if isinstance(error, ExporterError):
        return type(error)(logs.clean(f"{error} (Dask worker {address})"))
    if isinstance(error, OSError) and error.strerror:
        return ExporterError(
            logs.clean(f"Dask worker {address}: {error.strerror}: {error.filename or ''}").rstrip(": ")
        )
    lines = "".join(traceback.format_exception(error)).splitlines()
    return WorkerError("\n".join(logs.clean(line) for line in lines))


_sessions: dict[str, "_Session"] = {}
_opening = threading.Lock()


def _session(key: str, job: Message | None, worker: "distributed.Worker") -> "_Session | None":
    """This worker's session of an export, opened for its first task; None: there is neither session nor job."""
    with _opening:
        if key not in _sessions:
            if job is None:
                return None
            _sessions[key] = _Session(job.open())
            threading.Thread(target=_sessions[key].watch, args=(key, worker), daemon=True).start()
        return _sessions[key]


class _Session:
    """One export on this worker: its `Worker`, and a work dir that lasts as long as the export."""

    def __init__(self, sent: SentJob) -> None:
        if sent.versions != versions():
            mine = ", ".join(f"{name} {value}" for name, value in versions()._asdict().items())
            theirs = ", ".join(f"{name} {value}" for name, value in sent.versions._asdict().items())
            raise ExporterError(
                f"a Dask worker does not run what this export runs ({theirs}), but {mine}: "
                "install the same versions on all"
            )
        logging.getLogger(exporter.__name__).setLevel(sent.level)
        self._ended = threading.Event()
        self._lock = threading.Lock()  # a `Worker` does one task at a time
        self._built: dict[int | None, str] = {}
        self._round = 0
        with contextlib.ExitStack() as opened:
            self._job = dataclasses.replace(_here(sent.job), work_dir=opened.enter_context(work_dir()))
            self._worker = Worker(self._job)
            opened.callback(self._worker.close)
            self._opened = opened.pop_all()

    def watch(self, key: str, worker: "distributed.Worker") -> None:
        """Close the session soon after the cluster knows its export no more: it has ended, or its process died."""
        known = True
        while known:
            if self._ended.wait(LOOK):
                return
            with contextlib.suppress(Exception):  # a scheduler that does not answer now
                asked = worker.scheduler.get_task_status(keys=[key])
                loop = worker.loop.asyncio_loop  # type: ignore[attr-defined]
                known = asyncio.run_coroutine_threadsafe(asked, loop).result(LOOK)[key] is not None
        with _opening:
            _sessions.pop(key, None)
        with self._lock:
            self._ended.set()
            self._opened.close()

    def perform(self, remote: RemoteTask) -> Reply:
        """Do a remote task."""
        with self._lock:
            if self._ended.is_set():
                raise ConflictError("the export that asks for this has ended")
            if self._job.store is not None:
                self._job.store.limit(remote.share)
            if remote.method == "build":
                return self._build(remote, remote.task)
            if remote.part and self._built.get(remote.partition) != remote.part:
                if remote.remake is None:
                    return Reply(missing=True)
                reply = self._build(remote, remote.remake)
                if reply.wants:
                    return reply
                if self._built.get(remote.partition) != remote.part:
                    raise ConflictError(
                        f"a Dask worker was lost with its documents of partition {remote.partition}, and rows or a "
                        "log of these have changed since"
                    )
            return self._done(remote, getattr(self._worker, remote.method)(remote.task))

    def _build(self, remote: RemoteTask, task: BuildTask) -> Reply:
        """Build a partition; not if the worker lacks matrices that it can be sent, or its rows have changed."""
        number, partitions = task.partition, self._worker.partitions
        if remote.round != self._round:
            self._round = remote.round
            partitions.drop_files("matrix")
        if not self._has_rows(number, remote.rows):
            return Reply(changed=True)
        partitions.put_files(remote.files)
        lineages = partitions.lineages_before(number).values()
        others = {paths.partition_of(run.reference.run_id) for one in lineages for run in one.runs}
        wants = tuple(sorted(other for other in others if not partitions.get_files([(other, "matrix")])))
        if wants and not remote.whole:
            return Reply(wants=wants)
        built = self._worker.build(task)
        assert isinstance(built, BuiltPartition)
        self._built[number] = built.part.part.digest
        return self._done(dataclasses.replace(remote, method="build", task=task), built)

    def _has_rows(self, number: int, rows: str) -> bool:
        """Whether the work dir has a partition's rows with this digest; if it has none, they are read again."""
        file = self._job.work_dir.rows(number)
        if not file.exists() or digest(file.read_bytes()) != rows:
            self._worker.read(number)
        return digest(file.read_bytes()) == rows

    def _done(self, remote: RemoteTask, answer: Any) -> Reply:
        kinds = ANSWERED.get(remote.method, ())
        if not kinds:
            return Reply(answer)
        number = remote.task if remote.method == "read" else remote.task.partition
        files = self._worker.partitions.get_files((number, kind) for kind in kinds)
        rows = digest(self._job.work_dir.rows(number).read_bytes()) if remote.method == "read" else remote.rows
        return Reply(answer, files=files, rows=rows)


def _here(job: Job) -> Job:
    """A job as this machine does it: its own environment says where the database, the files and the credentials are.

    Raises:
        ExporterError: something is missing.
    """
    url = os.environ.get("EXPORTER_DATABASE_URL") or job.database_url
    if not url:
        raise ExporterError(
            "the database URL has a password, and the connection to the Dask scheduler is not encrypted: give each "
            "worker EXPORTER_DATABASE_URL in its own environment, or use tls://"
        )
    logs.hide_url(url)
    repository = job.sample_repository
    if repository is not None:
        repository = pathlib.Path(os.environ.get("EXPORTER_SAMPLE_REPOSITORY") or repository)
        if not repository.is_dir():
            raise ExporterError(
                f"there is no sample repository at {repository}: mount it there for each worker, or give each worker "
                "EXPORTER_SAMPLE_REPOSITORY"
            )
        SampleRepository(repository).check()
    named = os.environ.get("EXPORTER_CREDENTIALS")
    store = on_this_machine(job.store, pathlib.Path(named) if named else None) if job.store is not None else None
    return dataclasses.replace(job, database_url=url, sample_repository=repository, store=store)
