"""The exit code of a failed command, and the one line that says why."""

import errno
import logging

from exporter.errors import ExporterError

log = logging.getLogger(__name__)

_DISK = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}


def explain(error: BaseException) -> tuple[int, str]:
    """The exit code of a failure and one line that says why."""
    match error:
        case ExporterError():
            return error.exit_code, str(error)
        case KeyboardInterrupt():
            return 130, "interrupted; what was published is intact, and the next export goes on from here"
        case OSError():
            what = _DISK.get(error.errno or 0, error.strerror or "input or output failed")
            return 1, f"{what}: {error.filename}" if error.filename else what
        case MemoryError():
            return 1, "the memory is used up; what was published is intact. Give it more memory, or fewer --workers"
    return 1, (
        f"internal error ({type(error).__name__}); what was published is intact. "
        "Please report it with the output of --log-level debug"
    )


def report(error: BaseException) -> int:
    """Log in one line why a command failed; returns the exit code."""
    code, message = explain(error)
    log.error("%s", message)
    if not isinstance(error, ExporterError | OSError | KeyboardInterrupt):
        log.debug("%s", error, exc_info=error)
    return code
