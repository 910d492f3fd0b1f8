"""A run's build log: the pages of `runs/ID/log.json`, and the lines in which it names a sample."""

import functools
import re
from collections.abc import Collection, Hashable, Iterator, Mapping
from typing import NamedTuple, TypeVar

from exporter import paths
from exporter.documents.encoding import Document, encode
from exporter.documents.files import LogCut, LogLine
from exporter.documents.lists import listing
from exporter.source import text_decoding
from exporter.source.catalog import SampleRow
from exporter.source.redaction import Redactor
from exporter.source.sample_repository import Log

LINES_PER_PAGE = 1_000
MAX_MESSAGE = 10_000
"""Characters of a line that are shown."""
MAX_EXCERPT = 20
"""Lines of an excerpt."""

_LEVELS = ("CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG")
_SOURCES = ("orchestrator", "worker", "build", "test_runner", "web")

_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*+[ -/]*+[@-~]?"  # CSI: colours, movements
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\r\n]*+(?:\x07|\x1b\\|\x9c)?"  # strings: titles, links
    r"|\x1b[ -/]*+[0-~]?"
)
"""Control sequences of ECMA-48, also such as a line's end cuts off."""
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]+")
_COLUMN_ONE = re.compile(r"(?:\x1b\[|\x9b)[01]?G")
"""A movement to the line's beginning, as CR."""
_ERASE_LINE = re.compile(r"(?:\x1b\[|\x9b)2[JK]")
_ERASE_REST = re.compile(r"(?:\x1b\[|\x9b)0?[JK]")
_BACK = re.compile(r"(\x08++|(?:\x1b\[|\x9b)[0-9]*+D)")
"""Movements by characters."""


class LogLines(NamedTuple):
    """A log, line by line, of which `cut` says what is missing.

    Attributes:
        messages: the lines without their ends, escape sequences and control characters.
        cut: what was left out in the middle, if the log is too long.
    """

    messages: list[str]
    cut: LogCut | None

    def line(self, index: int) -> LogLine:
        """The line at an index, from 0, as it is published."""
        message = self.messages[index]
        upper, lower = message.upper(), message.lower()
        line: LogLine = {
            "line": index + 1 if self.cut is None or index < self.cut["after_line"] else None,
            "level": next((level.lower() for level in _LEVELS if level in upper), "info"),
            "source": next((source for source in _SOURCES if source in lower), "web"),
            "message": message[:MAX_MESSAGE],
        }
        if len(message) > MAX_MESSAGE:
            line["cut"] = True
        return line


def parse(log: Log, redactor: Redactor | None = None) -> LogLines:
    """Split a log into lines, which end with LF, CR LF or CR CR LF; blank ones are lines like any other.

    A CR elsewhere returns to the line's beginning and BS a character back, as on a terminal: what follows replaces what
    was there. Of a log whose middle was left out, the incomplete lines next to the gap are left out as well.
    """
    redactor = redactor or Redactor()
    if log.tail is None:
        return LogLines(_messages(text_decoding.decode(log.head).content, redactor), None)
    encoding, size = text_decoding.unit(log.head)
    line_feed = b"\n" if encoding is None else "\n".encode(encoding)
    start = -(log.size - len(log.tail)) % size  # of the first whole code unit
    last, first = log.head.rfind(line_feed), log.tail.find(line_feed, start)
    while last >= 0 and last % size:
        last = log.head.rfind(line_feed, 0, last + len(line_feed) - 1)
    while first >= 0 and (first - start) % size:
        first = log.tail.find(line_feed, first + 1)
    head = log.head[: last + len(line_feed)] if last >= 0 else log.head
    tail = log.tail[first + len(line_feed) if first >= 0 else start :]
    messages = _messages(text_decoding.decode(head).content, redactor)
    omitted = log.size - len(head) - len(tail)
    cut: LogCut = {"after_line": len(messages), "omitted_bytes": omitted, "size": log.size}
    if encoding is None or size == 1:
        return LogLines(messages + _messages(text_decoding.decode(tail).content, redactor), cut)
    return LogLines(messages + _messages(text_decoding.decode_units(tail, encoding, size), redactor), cut)


def _messages(content: str, redactor: Redactor) -> list[str]:
    """The lines of a log as they are published, but not cut: whatever looks at messages looks at these.

    Secrets are looked for in what is shown: a control sequence within one would hide it.
    """
    content = content.replace("\r\r\n", "\n").replace("\r\n", "\n").replace("\t", " ")
    if "\x1b" in content or "\x9b" in content:
        content = _COLUMN_ONE.sub("\r", content)
    if "\r" in content or _BACK.search(content):
        content = "\n".join(_last_shown(line, redactor) for line in content.split("\n"))
    return text_decoding.split_lines(redactor.text(text_decoding.displayable(_printable(content))))


def _printable(content: str) -> str:
    return content if content.isprintable() else _CONTROLS.sub("", _ESCAPES.sub("", content))


def _last_shown(line: str, redactor: Redactor) -> str:
    """What a terminal shows of a line in the end: text after a CR replaces as many characters as it has.

    Secrets go before they are replaced in part: what is left of one may not be known for one.
    """
    if "\r" not in line and not _BACK.search(line):
        return line
    shown: list[str] = []
    for part in line.split("\r"):
        *erased, last = _ERASE_LINE.split(part)
        if erased:
            shown.clear()
        text = redactor.text(_overtyped(last, redactor))
        shown[: len(text)] = text
        if _ERASE_REST.search(last):
            del shown[len(text) :]
    return "".join(shown)


def _overtyped(part: str, redactor: Redactor) -> str:
    """What stands between two CRs, in which BS and movements to the left have moved back."""
    pieces = _BACK.split(part)
    if len(pieces) == 1:
        return _printable(part)
    shown: list[str] = []
    at = 0
    for piece in pieces:
        if piece.startswith("\b"):
            at -= len(piece)
        elif _BACK.fullmatch(piece):
            at -= int(piece.strip("\x1b[\x9bD")[:9] or 1)
        else:
            at = max(0, at)
            text = redactor.text(_printable(piece))
            shown[at : at + len(text)] = text
            at += len(text)
            if _ERASE_REST.search(piece):
                del shown[at:]
    return "".join(shown)


def documents(run_id: int, log: LogLines) -> Iterator[Document]:
    """The pages of a run's log: one, empty, for an empty log."""
    meta = {} if log.cut is None else {"cut": log.cut}
    total = len(log.messages)
    for page in paths.pages(paths.run_list(run_id, "log"), total, LINES_PER_PAGE):
        lines = [log.line(index) for index in range(*page.items.indices(total))]
        yield page.path, encode({**listing(lines, page.pagination), "meta": meta})


Key = TypeVar("Key", bound=Hashable)

# No possessive group: Python 3.11.2, of Debian bookworm, lets one keep what its last, failed round took.
_TOKEN = re.compile(r"[\w-]+(?:\.+[\w-]+)*")


def excerpts(log: LogLines, names: Mapping[Key, Collection[str]]) -> dict[Key, list[LogLine]]:
    r"""The first lines, at most `MAX_EXCERPT` each, that name a thing by one of its names; no entry without any.

    A name counts where it stands alone: not next to a letter, digit, `_` or `-`, nor joined to one by dots, so that
    `a.ts` is named by `/data/a.ts:` and not by `ba.ts`, `b-a.ts` or `a.ts.bak`. Names without a letter, digit, `_`
    or `-` are never found.
    """
    wanted: dict[str, dict[Key, list[re.Pattern[str]]]] = {}
    for key, alternatives in names.items():
        for token, pattern in filter(None, map(_pattern, alternatives)):
            wanted.setdefault(token, {}).setdefault(key, []).append(pattern)
    found: dict[Key, list[LogLine]] = {}
    full: set[Key] = set()
    for index, message in enumerate(log.messages):
        named = {
            key: None
            for token in dict.fromkeys(_TOKEN.findall(message))
            if token in wanted
            for key, patterns in wanted[token].items()
            if key not in full and any(pattern.search(message) for pattern in patterns)
        }
        for key in named:
            lines = found.setdefault(key, [])
            lines.append(log.line(index))
            if len(lines) == MAX_EXCERPT:
                full.add(key)
    return found


@functools.lru_cache(maxsize=4096)
def _pattern(name: str) -> tuple[str, re.Pattern[str]] | None:
    """A token that each line with this name holds, and what then finds the name; None for a name without any."""
    if token := _TOKEN.search(name):
        return token[0], re.compile(rf"(?<![\w.-])\.*?{re.escape(name)}(?!\.*[\w-])")
    return None


def sample_names(sample: SampleRow) -> list[str]:
    """The names by which a log may call a sample: the name it was uploaded with, and the name it is kept under."""
    extension = f".{sample.extension}" if sample.extension else ""
    bare = [name for name in (sample.original_name, sample.sha) if name]
    return sorted({name for one in bare for name in (one, one + extension)})
