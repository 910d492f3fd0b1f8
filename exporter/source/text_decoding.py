"""Text of outputs and logs: bytes to lines, in the encodings that CCExtractor and build machines write.

A byte order mark decides: UTF-8, UTF-16 or UTF-32. A file without one is UTF-8 if all of it is; else each line alone
is UTF-8 or, where it isn't, Windows-1252. Decoding loses nothing: two texts of the same encoding, byte order mark and
line ends are equal if and only if their bytes are. A byte that its encoding does not define becomes a lone surrogate
(U+DC00 + byte) or, where that could be one of the file's own, two surrogates; `displayable` replaces them.
"""

import codecs
import re
from typing import Literal, NamedTuple

Encoding = Literal["ascii", "utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "windows-1252", "mixed"]
"""`ascii` is UTF-8 and Windows-1252 alike; `mixed` has lines in UTF-8 and others in Windows-1252."""
LineEnd = Literal["lf", "crlf", "cr", "none"]
LineEnds = Literal[LineEnd, "mixed"]

_BYTE_ORDER_MARKS: tuple[tuple[bytes, Encoding, int], ...] = (
    (codecs.BOM_UTF8, "utf-8", 1),
    (codecs.BOM_UTF32_LE, "utf-32-le", 4),  # begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be", 4),
    (codecs.BOM_UTF16_LE, "utf-16-le", 2),
    (codecs.BOM_UTF16_BE, "utf-16-be", 2),
)
_LINE_END = re.compile(r"\r\n|\r|\n")
_LINE_ENDS: dict[str, LineEnd] = {"\n": "lf", "\r\n": "crlf", "\r": "cr"}
_LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\r|\n|\Z)")
_LONE = re.compile("[\ud800-\udfff]")
_SURROGATES = re.compile("[\ud800-\udbff]?[\udc00-\udfff]|[\ud800-\udbff]")


class Text(NamedTuple):
    """A decoded file.

    Attributes:
        content: its characters, without a byte order mark, with the line ends as they are.
        encoding: how they were encoded.
        bom: whether a byte order mark stood at the beginning.
        windows_1252: the lines, counted from 0, that are Windows-1252 in a file without a byte order mark.
    """

    content: str
    encoding: Encoding
    bom: bool
    windows_1252: frozenset[int] = frozenset()

    @property
    def lines(self) -> list[str]:
        """The lines without their ends. A byte order mark alone is one empty line."""
        return split_lines(self.content) or [""] * self.bom

    @property
    def line_ends(self) -> LineEnds:
        """Which line ends there are."""
        if "\r" not in self.content:
            return "lf" if "\n" in self.content else "none"
        found = [name for name, count in self.line_end_counts.items() if count]
        return "mixed" if len(found) > 1 else found[0]

    @property
    def line_end_counts(self) -> dict[LineEnd, int]:
        """How many lines have which end."""
        crlf = self.content.count("\r\n")
        return {"lf": self.content.count("\n") - crlf, "crlf": crlf, "cr": self.content.count("\r") - crlf}

    def ends(self) -> list[LineEnd]:
        """The end of each line."""
        found = [_LINE_ENDS[end] for end in _LINE_END.findall(self.content)]
        return found if self.final_newline else [*found, "none"]

    @property
    def final_newline(self) -> bool:
        """Whether the last line has an end; an empty file has no line."""
        return self.content.endswith(("\n", "\r"))


def unit(data: bytes) -> tuple[Encoding | None, int]:
    """The encoding that a byte order mark names, or None without one, and the bytes of its code unit."""
    for mark, encoding, size in _BYTE_ORDER_MARKS:
        if data.startswith(mark) and (size < 4 or _is_utf_32(data, encoding)):
            return encoding, size
    return None, 1


def _is_utf_32(data: bytes, encoding: Encoding) -> bool:
    """Whether data with the byte order mark of UTF-32 is UTF-32, and not UTF-16 that begins with a NUL."""
    try:
        data[: len(data) // 4 * 4].decode(encoding, "surrogatepass")
    except UnicodeDecodeError:
        return False
    return True


def decode(data: bytes) -> Text:
    """Decode a file."""
    encoding, size = unit(data)
    if encoding is not None and size > 1:
        return Text(decode_units(data, encoding, size)[1:], encoding, bom=True)
    bom = encoding is not None
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        content = data.decode("utf-8")
    except UnicodeDecodeError:
        return _decode_lines(data, bom=bom)
    return Text(content, "ascii" if content.isascii() and not bom else "utf-8", bom)


def decode_units(data: bytes, encoding: Encoding, size: int) -> str:
    """Decode UTF-16 or UTF-32, or a part of it, whose code unit has `size` bytes; the last one may be incomplete."""
    whole = len(data) // size * size
    try:
        content = data[:whole].decode(encoding, "surrogatepass")
    except UnicodeDecodeError:  # a part of UTF-32 that is none
        content = data[:whole].decode(encoding, "replace")
    if size > 2:
        content = _LONE.sub(lambda found: _pair(ord(found[0])), content)
    return content + "".join(map(_pair, data[whole:]))


def _pair(number: int) -> str:
    """Two surrogates for a byte, or a lone surrogate of UTF-32: no decoded UTF-16 or UTF-32 has them side by side."""
    return chr(0xD800 + (number >> 10)) + chr(0xDC00 + (number & 0x3FF))


def _decode_lines(data: bytes, *, bom: bool) -> Text:
    pieces: list[str] = []
    odd: set[int] = set()
    beyond_ascii = False
    for number, line in enumerate(_LINE.findall(data)):
        try:
            piece = line.decode("utf-8")
            beyond_ascii = beyond_ascii or not piece.isascii()
        except UnicodeDecodeError:
            piece = line.decode("cp1252", "surrogateescape")
            odd.add(number)
        pieces.append(piece)
    return Text("".join(pieces), "mixed" if beyond_ascii or bom else "windows-1252", bom, frozenset(odd))


def split_lines(content: str) -> list[str]:
    """The lines of a text without their ends, which are LF, CR LF and CR, and no other."""
    lines = content.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        del lines[-1]
    return lines


def displayable(line: str) -> str:
    """A line as documents show it: U+FFFD stands for what its encoding does not define."""
    return line if line.isascii() else _SURROGATES.sub("\ufffd", line)
