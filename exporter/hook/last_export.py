"""How the last export ended: one line and an exit code for whoever ran it, `last.json` for `exporter status`.

An export that finds nothing to change leaves the store as it is, so the store cannot tell when the last one ran.
`last.json` does. It stands in the *spool*, a folder of this machine that belongs to one store, beside what `hook.py`
keeps there.
"""

import contextlib
import dataclasses
import errno
import hashlib
import logging
import os
import pathlib
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson

from exporter import logs
from exporter.errors import ExporterError, UsageError

log = logging.getLogger(__name__)

_LAST = "last.json"
_DISK = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


def default_spool(store: str) -> pathlib.Path:
    """The spool of a store, for which none is named: below the user's state home, by the store's name.

    Raises:
        UsageError: the user has no home.
    """
    name = store.rstrip("/") if "://" in store else os.path.realpath(store)
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    try:
        state = pathlib.Path(home).expanduser()
    except RuntimeError:
        raise UsageError("this user has no home: name a folder with --spool") from None
    return state / "exporter" / hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12]


def existing_spool(store: str) -> pathlib.Path | None:
    """The default spool of a store if there is one, for those who can do without."""
    with contextlib.suppress(UsageError, OSError):
        spool = default_spool(store)
        return spool if spool.is_dir() else None
    return None


def tell(error: BaseException) -> int:
    """Log in one line why an export, or another command, failed; give the exit code."""
    code, message = _explained(error)
    if message:
        log.error("%s", message)
    if not isinstance(error, ExporterError | OSError | KeyboardInterrupt):
        log.debug("%s", error, exc_info=error)
    return code


def _explained(error: BaseException) -> tuple[int, str]:
    match error:
        case ExporterError():
            return error.exit_code, str(error)
        case KeyboardInterrupt():
            return 130, "interrupted; what was published is intact, and the next export goes on from here"
        case BrokenPipeError():  # whoever reads our output has seen enough
            return 1, ""
        case OSError():
            what = _DISK.get(error.errno or 0, error.strerror or "input or output failed")
            return 1, f"{what}: {error.filename}" if error.filename else what
    return 1, (
        f"internal error ({type(error).__name__}); what was published is intact. "
        "Please report it with the output of --log-level debug"
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an export ended. Times are seconds since 1970.

    Args:
        finished_at: when.
        exit_code: 0 if it ended well.
        message: what went wrong, in one line without secrets; empty if nothing did.
        runs: those that it looked around; None: it looked at everything.
        succeeded_at: when one ended well last, this one or one before it; None: none has.
        full_succeeded_at: the same of those that looked at everything.
    """

    finished_at: float
    exit_code: int
    message: str
    runs: tuple[int, ...] | None
    succeeded_at: float | None
    full_succeeded_at: float | None


def read(spool: pathlib.Path) -> Outcome | None:
    """How the last export ended; None if that is not known.

    Raises:
        OSError: it cannot be read.
    """
    try:
        last = Outcome(**orjson.loads((spool / _LAST).read_bytes()))
        return dataclasses.replace(last, runs=tuple(last.runs) if last.runs is not None else None)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError):  # damaged: the next export writes it anew
        return None


@contextlib.contextmanager
def noted(spool: pathlib.Path | None, runs: Sequence[int] | None) -> Iterator[None]:
    """Note in the spool how the export in this block ends. No spool: nothing is noted; one is made if need be.

    That it cannot be noted does not make an export fail.
    """
    try:
        yield
    except BaseException as error:
        _note(spool, *_explained(error), runs)
        raise
    _note(spool, 0, "", runs)


def _note(spool: pathlib.Path | None, code: int, message: str, runs: Sequence[int] | None) -> None:
    if spool is None:
        return
    try:
        spool.mkdir(parents=True, exist_ok=True)
        before, now = read(spool), time.time()
        succeeded, full = (before.succeeded_at, before.full_succeeded_at) if before else (None, None)
        if code == 0:
            succeeded, full = now, now if runs is None else full
        last = Outcome(now, code, logs.clean(message), tuple(runs) if runs is not None else None, succeeded, full)
        write_durably(spool / _LAST, orjson.dumps(dataclasses.asdict(last)))
    except OSError as error:
        log.warning("how the export ended could not be noted: %s: %s", error.strerror, error.filename or spool)


def write_durably(path: pathlib.Path, data: bytes) -> None:
    """Write a file that appears whole or not at all, and that is there after a power cut once this has returned.

    Raises:
        OSError: it cannot be written; what stood there is as it was.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
