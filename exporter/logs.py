"""Logs and progress: plain lines or JSON lines on standard error, and a bar on a terminal. No secret gets in."""

import contextlib
import datetime
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, TypeVar

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

log = logging.getLogger(__name__)

T = TypeVar("T")

Format = Literal["plain", "json"]

_secrets: set[str] = set()


def hide(secret: str | None) -> None:
    """Keep a text out of everything that is logged from now on."""
    if secret:
        _secrets.add(secret)


def clean(text: str) -> str:
    """A message without secrets and on one line."""
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return " ".join(text.split())


def configure(format_: Format, level: str) -> None:
    """Send all logs to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if format_ == "json" else _Plain())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)


class _Plain(logging.Formatter):
    """`2026-06-30T12:00:00Z INFO message`; what is routine has no level."""

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"{_time(record)} {level}{clean(record.getMessage())}"


class _Json(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`."""

    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps(
            {
                "time": _time(record),
                "level": record.levelname.lower(),
                "logger": record.name,
                "message": clean(record.getMessage()),
            }
        ).decode()


def _time(record: logging.LogRecord) -> str:
    return f"{datetime.datetime.fromtimestamp(record.created, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


@contextlib.contextmanager
def bar(stage: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a stage is, as a bar on a terminal; gives the function that says how far it is."""
    console = Console(stderr=True)
    if not console.is_terminal or isinstance(logging.getLogger().handlers[0].formatter, _Json):
        yield lambda completed: None
        log.debug("%s: done", stage)
        return
    columns = TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task(stage, total=total)
        yield lambda completed: shown.update(task, completed=completed)


def progress(stage: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Give items on, showing how many of the total are done."""
    with bar(stage, total) as show:
        for number, item in enumerate(items, 1):
            yield item
            show(number)
