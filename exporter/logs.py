"""Logs and progress: plain lines or JSON lines on standard error, and a bar on a terminal. No secret gets in."""

import contextlib
import datetime
import logging
import re
import sys
import time
import traceback
import urllib.parse
from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple, TextIO, TypeVar

import orjson

log = logging.getLogger(__name__)

T = TypeVar("T")

Format = Literal["plain", "json"]

EVERY = 30.0
"""Seconds between the lines that say how far a stage is where there is no terminal."""

_PASSWORD = re.compile(r"[\w+.-]+://[^:/@]*:([^@]*)@")
"""The password of a database URL, where SQLAlchemy looks for it."""

_secrets: set[str] = set()


_SHORTEST = 4
"""Characters of a secret that is hidden: a shorter one stands in many words, and stars in all of them would tell it."""


def hide(secret: str | None) -> None:
    """Keep a text out of everything that is logged from now on, unless it is shorter than four characters."""
    if secret and len(secret) >= _SHORTEST:
        _secrets.add(secret)


def hide_url(url: str) -> None:
    """Keep a database's URL, and the password in it, out of everything that is logged from now on."""
    if "://" in url:  # else it is no URL, and may be a word of any message
        hide(url)
    if found := _PASSWORD.match(url):
        hide(found[1])
        hide(urllib.parse.unquote(found[1]))


def has_password(url: str) -> bool:
    """Whether a database's URL holds a password."""
    found = _PASSWORD.match(url)
    return bool(found and found[1]) or "pass" in url.partition("?")[2].lower()


def clean(text: str) -> str:
    """A message without secrets and on one line."""
    return " ".join(_without_secrets(text).split()).encode("utf-8", "backslashreplace").decode()


def configure(format_: Format, level: str) -> None:
    """Send all logs to standard error."""
    handler = _Handler()
    handler.setFormatter(_Json() if format_ == "json" else _Plain())
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells of every request, with its whole URL


class Setup(NamedTuple):
    """How a process logs, to be repeated in its workers."""

    format: Format
    level: str
    secrets: frozenset[str]


def setup() -> Setup | None:
    """How this process logs; None if it was not `configure` that said so."""
    root = logging.getLogger()
    if not root.handlers or not isinstance(root.handlers[0], _Handler):
        return None
    format_: Format = "json" if _in_json() else "plain"
    return Setup(format_, logging.getLevelName(root.level), frozenset(_secrets))


def repeat(setup: Setup | None) -> None:
    """Log as another process does."""
    if setup is not None:
        _secrets.update(setup.secrets)
        configure(setup.format, setup.level)


class _Handler(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the moment: while a bar is shown, lines go above it."""

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, _stream: TextIO) -> None:
        pass


class _Plain(logging.Formatter):
    """`2026-06-30T12:00:00Z message`; what is not routine has its level before the message."""

    def format(self, record: logging.LogRecord) -> str:
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return "\n".join((f"{_time(record)} {level}{clean(record.getMessage())}", *_traceback(record)))


class _Json(logging.Formatter):
    """One object a line: `time`, `level`, `logger`, `message`, and `traceback` where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, str | list[str]] = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": clean(record.getMessage()),
        }
        if lines := _traceback(record):
            line["traceback"] = lines
        return orjson.dumps(line).decode()


def _without_secrets(text: str) -> str:
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _time(record: logging.LogRecord) -> str:
    return f"{datetime.datetime.fromtimestamp(record.created, datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info:
        return []
    lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
    return [_without_secrets(line).encode("utf-8", "backslashreplace").decode() for line in lines]


def _in_json() -> bool:
    return any(isinstance(handler.formatter, _Json) for handler in logging.getLogger().handlers)


@contextlib.contextmanager
def bar(stage: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how far a stage is: a bar on a terminal, elsewhere now and then a line.

    Gives the function that says how far it is.
    """
    if _in_json() or not sys.stderr.isatty():
        yield _lines(stage, total)
        log.debug("%s: done", stage)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description:>16}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        task = shown.add_task(stage, total=total)
        yield lambda completed: shown.update(task, completed=completed)


Amount = Callable[[int, int, int], None]
"""Is called with the number of documents and bytes transferred, and of all bytes."""


@contextlib.contextmanager
def transfer(stage: str) -> Iterator[Amount]:
    """Show how far a transfer is, in documents and bytes, with a rate: a bar on a terminal, else now and then a line.

    Gives the function that says how far it is.
    """
    began = time.monotonic()
    if _in_json() or not sys.stderr.isatty():
        shown = began

        def line(documents: int, size: int, of_size: int) -> None:
            nonlocal shown
            if (now := time.monotonic()) - shown >= EVERY:
                shown = now
                log.info("%s: %s", stage, amount(documents, size, now - began) + f", of {megabytes(of_size)}")

        yield line
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar_:
        task = bar_.add_task(stage, total=None)

        def update(documents: int, size: int, of_size: int) -> None:
            bar_.update(task, completed=size, total=of_size, description=f"{stage} ({documents:,})")

        yield update


def amount(documents: int, size: int, seconds: float) -> str:
    """How much was transferred, and at which rate."""
    per = max(seconds, 1e-3)
    return f"{documents:,} documents, {megabytes(size)} ({documents / per:,.0f} documents/s, {megabytes(size / per)}/s)"


def megabytes(size: float) -> str:
    """A number of bytes for people: `0.3 MB`, `12 MB`."""
    return f"{size / 1e6:,.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"


def _lines(stage: str, total: int) -> Callable[[int], None]:
    last = time.monotonic()

    def tell(completed: int) -> None:
        nonlocal last
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            log.info("%s: %d of %d", stage, completed, total)

    return tell


def progress(stage: str, items: Iterable[T], total: int) -> Iterator[T]:
    """Give items on, showing how many of the total are done."""
    with bar(stage, total) as show:
        for number, item in enumerate(items, 1):
            yield item
            show(number)
