"""Standard output and standard error as every command has them, whatever they were opened as."""

import io
import os
import sys
from typing import Any, TextIO


class _Output(io.FileIO):
    """A standard stream. What is written after its reader, such as `head`, has gone is dropped."""

    unread = False

    def write(self, data: Any) -> int:
        """Write some bytes; returns how many of them need not be written again."""
        try:
            return super().write(data)
        except BrokenPipeError:
            self.unread = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.fileno())
            return len(data)


def prepare() -> None:
    """Drop output where it was closed or nobody reads it; show by number what its encoding lacks."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:  # or a file of ours would become standard output
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    sys.stdout = _text(1, sys.stdout, lines=os.isatty(1))
    sys.stderr = _text(2, sys.stderr, lines=True)


def _text(descriptor: int, before: TextIO | None, *, lines: bool) -> TextIO:
    buffer = io.BufferedWriter(_Output(descriptor, "w", closefd=False))
    encoding = before.encoding if before else "utf-8"
    return io.TextIOWrapper(buffer, encoding, "backslashreplace", line_buffering=lines)


def is_read() -> bool:
    """Whether anybody may still read standard output; a list that nobody reads need not be finished."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return not (isinstance(raw, _Output) and raw.unread)
