"""How the last export on this machine ended: `last.json` in the spool, for `exporter status`.

An export that finds nothing to change leaves the store as it is, so the store cannot tell when the last one ran.
"""

import contextlib
import dataclasses
import logging
import pathlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import orjson

from exporter import logs
from exporter.hook.spool import Spool, write_durably

log = logging.getLogger(__name__)

Explain = Callable[[BaseException], tuple[int, str]]
"""Gives the exit code of a failure and its message in one line."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """How an export ended. Times are seconds since 1970.

    Args:
        exit_code: 0 if the export succeeded.
        message: what went wrong, in one line without secrets; empty if nothing did.
        runs: the runs around which the export looked for changes; None: it looked everywhere.
        succeeded_at: when an export last succeeded, this one or an earlier one; None: none has.
        full_succeeded_at: the same of exports that looked everywhere.
    """

    finished_at: float
    exit_code: int
    message: str
    runs: tuple[int, ...] | None
    succeeded_at: float | None
    full_succeeded_at: float | None


def read(spool: pathlib.Path) -> ExportResult | None:
    """How the last export ended; None if that is not known.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        last = ExportResult(**orjson.loads(Spool(spool).last.read_bytes()))
        return dataclasses.replace(last, runs=tuple(last.runs) if last.runs is not None else None)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # damaged: the next export writes it anew
        return None


@contextlib.contextmanager
def noted(spool: pathlib.Path | None, runs: Sequence[int] | None, explain: Explain) -> Iterator[None]:
    """Note in the spool how the export in this block ends, and make the folder if need be.

    An export does not fail because its end cannot be noted. Without a spool nothing is noted; `runs` as in
    `ExportResult`.
    """
    try:
        yield
    except BaseException as error:
        _note(spool, *explain(error), runs)
        raise
    _note(spool, 0, "", runs)


def _note(spool: pathlib.Path | None, code: int, message: str, runs: Sequence[int] | None) -> None:
    if spool is None:
        return
    try:
        spool.mkdir(parents=True, exist_ok=True)
        previous, now = read(spool), time.time()
        succeeded, full = (previous.succeeded_at, previous.full_succeeded_at) if previous else (None, None)
        if code == 0:
            succeeded, full = now, now if runs is None else full
        last = ExportResult(now, code, logs.clean(message), tuple(runs) if runs is not None else None, succeeded, full)
        write_durably(Spool(spool).last, orjson.dumps(dataclasses.asdict(last)))
    except OSError as error:
        log.warning("the end of the export could not be noted: %s: %s", error.strerror, error.filename or spool)
