"""The spool: a folder of this machine that belongs to one store. Its file names stand here and nowhere else.

SPOOL/requests/*.json   runs to publish: NANOSECONDS-RANDOM.json, {"runs": [ID, …]} (`queue.py`)
SPOOL/lock              locked by the worker, or by the hook that is about to start one (`queue.py`)
SPOOL/hook.log          what workers log (`queue_worker.py`)
SPOOL/last.json         how the last export ended (`last_export.py`)
"""

import contextlib
import hashlib
import os
import pathlib
import secrets
from dataclasses import dataclass

from exporter.errors import UsageError


@dataclass(frozen=True, slots=True)
class Spool:
    """The paths of a spool; nothing is read or made yet."""

    folder: pathlib.Path

    @property
    def requests(self) -> pathlib.Path:
        """The folder of requests."""
        return self.folder / "requests"

    @property
    def lock(self) -> pathlib.Path:
        """The file that the worker locks."""
        return self.folder / "lock"

    @property
    def log(self) -> pathlib.Path:
        """The log of all workers."""
        return self.folder / "hook.log"

    @property
    def last(self) -> pathlib.Path:
        """How the last export ended."""
        return self.folder / "last.json"


def default_spool(store: str) -> pathlib.Path:
    """The spool of a store where no other is named: below the user's state home, by the store's name.

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
    """The default spool of a store if it exists, for commands that work without one."""
    with contextlib.suppress(UsageError, OSError):
        spool = default_spool(store)
        return spool if spool.is_dir() else None
    return None


def write_durably(path: pathlib.Path, data: bytes) -> None:
    """Write a file that appears whole or not at all, and that survives a power cut once this has returned.

    Raises:
        OSError: the file cannot be written; the file at this path is as it was.
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
