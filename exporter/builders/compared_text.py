"""The two sides of a diff as texts: in what they differ beside their characters, and in which lines."""

from collections.abc import Iterable, Iterator

from exporter.builders.line_matching import Opcode
from exporter.documents.files import Diff, DiffAspect, DiffSummary, Hunk, TextFormat
from exporter.source.text_decoding import decode


class Side:
    """An output: its text, its lines without their ends, and how it is written."""

    def __init__(self, data: bytes) -> None:
        self.text = text = decode(data)
        self.lines = text.lines
        self.format: TextFormat = {
            "encoding": text.encoding,
            "bom": text.bom,
            "line_ends": text.line_ends,
            "final_newline": text.final_newline,
        }
        if self.format["line_ends"] == "mixed":
            counts = text.line_end_counts
            self.format["line_end_counts"] = {"lf": counts["lf"], "crlf": counts["crlf"], "cr": counts["cr"]}

    @property
    def wide(self) -> bool:
        """Whether also ASCII characters have several bytes."""
        return self.text.encoding.startswith(("utf-16", "utf-32"))

    @property
    def has_cr(self) -> bool:
        """Whether a line ends with CR."""
        counts = self.format.get("line_end_counts")
        return counts["cr"] > 0 if counts else self.format["line_ends"] == "cr"

    def encoding(self, index: int) -> str:
        """How a line with characters beyond ASCII is encoded."""
        if self.text.encoding == "mixed":
            return "windows-1252" if index in self.text.windows_1252 else "utf-8"
        return self.text.encoding

    def has_mark(self, index: int) -> bool:
        """Whether the byte order mark stands before a line."""
        return index == 0 and self.text.bom

    def is_ended(self, index: int) -> bool:
        """Whether a line has an end."""
        return index < len(self.lines) - 1 or self.format["final_newline"]


_Run = tuple[int, int, int]
"""Matched lines: where in the expected output they begin and end, and where in the actual one they begin."""


def recoded_runs(a: Side, b: Side, opcodes: Iterable[Opcode]) -> Iterator[_Run]:
    """The matched lines whose bytes differ, but for their ends."""
    all_differ = (a.wide or b.wide) and a.text.encoding != b.text.encoding
    none_differ = a.text.encoding == b.text.encoding != "mixed" or "ascii" in (a.text.encoding, b.text.encoding)
    for tag, i1, i2, j1, _ in opcodes:
        if tag != "equal":
            continue
        if all_differ:
            yield i1, i2, j1
            continue
        shift = j1 - i1
        found = {i for i in (0, -shift) if i1 <= i < i2 and a.has_mark(i) != b.has_mark(i + shift)}
        if not none_differ:
            lines = a.lines
            odd = (i for i in range(i1, i2) if not lines[i].isascii())
            found.update(i for i in odd if a.encoding(i) != b.encoding(i + shift))
        yield from _consecutive(sorted(found), shift)


def unended_runs(a: Side, b: Side, opcodes: Iterable[Opcode]) -> Iterator[_Run]:
    """The matched lines of which one alone has no end: last ones."""
    for tag, i1, i2, j1, _ in opcodes:
        shift = j1 - i1
        lasts = sorted({len(a.lines) - 1, len(b.lines) - 1 - shift}) if tag == "equal" else []
        yield from _consecutive([i for i in lasts if i1 <= i < i2 and a.is_ended(i) != b.is_ended(i + shift)], shift)


def some_end_differs(a: Side, b: Side, opcodes: Iterable[Opcode]) -> bool:
    """Whether two matched lines have other ends; a last line without any does not count."""
    kinds = {a.format["line_ends"], b.format["line_ends"]} - {"none"}
    if len(kinds) < 2 and "mixed" not in kinds:
        return False
    ours, theirs = a.text.ends(), b.text.ends()
    pairs = (zip(ours[i1:i2], theirs[j1:j2], strict=True) for tag, i1, i2, j1, j2 in opcodes if tag == "equal")
    return any(one != other != "none" != one for some in pairs for one, other in some)


def _consecutive(found: Iterable[int], shift: int) -> Iterator[_Run]:
    """Lines, ascending, as runs."""
    start = end = -1
    for i in found:
        if i != end:
            if end > start:
                yield start, end, start + shift
            start = i
        end = i + 1
    if end > start:
        yield start, end, start + shift


def split_runs(opcodes: Iterable[Opcode], runs: Iterable[_Run]) -> list[Opcode]:
    """Opcodes in which the runs are replaced; neighbours that are not equal become one."""
    left = iter([*runs, (-1, -1, -1)])
    start, end, other = next(left)
    found: list[Opcode] = []

    def add(tag: str, i1: int, i2: int, j1: int, j2: int) -> None:
        if found and tag != "equal" != found[-1][0]:
            _, i1, _, j1, _ = found.pop()
            tag = "replace"
        if i2 > i1 or j2 > j1:
            found.append((tag, i1, i2, j1, j2))

    for tag, i1, i2, j1, j2 in opcodes:
        i, j = i1, j1
        while tag == "equal" and i1 <= start < i2:
            add("equal", i, start, j, other)
            i, j = end, other + end - start
            add("replace", start, i, other, j)
            start, end, other = next(left)
        add(tag, i, i2, j, j2)
    return found


def count_reencoded(summary: DiffSummary, a: Side, b: Side, runs: Iterable[_Run]) -> None:
    """Count in the summary which lines and characters of the runs are encoded differently."""
    for start, end, other in runs:
        for i in range(start, end):
            line = a.lines[i]
            if a.wide or b.wide:
                characters = len(line)
            elif line.isascii() or a.encoding(i) == b.encoding(other + i - start):
                continue  # only the byte order mark differs
            else:
                characters = sum(not character.isascii() for character in line)
            summary["reencoded_lines"] += 1
            summary["reencoded_characters"] += characters


def name_ends(hunks: Iterable[Hunk], a: Side, b: Side) -> None:
    """Say of lines in hunks how they end, where that is not how all lines of their output do."""
    ends, other_ends = (side.text.ends() if side.format["line_ends"] == "mixed" else None for side in (a, b))
    for hunk in hunks:
        for line in hunk["lines"]:
            number, other = line["expected_line"], line["actual_line"]
            if number is not None and (ends or not a.is_ended(number - 1)):
                line["expected_end"] = ends[number - 1] if ends else "none"
            if other is not None and (other_ends or not b.is_ended(other - 1)):
                line["actual_end"] = other_ends[other - 1] if other_ends else "none"


def differs_in(result: Diff, a: Side, b: Side, matched: Iterable[Opcode], *, same_text: bool) -> Iterator[DiffAspect]:
    """In what two outputs differ.

    Args:
        result: their diff.
        a: the expected one.
        b: the actual one.
        matched: how their lines match.
        same_text: whether all lines have the same characters.
    """
    if not same_text:
        yield "text"
    encodings = {a.text.encoding, b.text.encoding}
    if result["summary"]["reencoded_lines"] or (len(encodings) > 1 and (a.wide or b.wide or "ascii" not in encodings)):
        yield "encoding"
    if a.text.bom != b.text.bom:
        yield "bom"
    ends = {a.format["line_ends"], b.format["line_ends"]}
    if ends == {"mixed"} or (same_text and "mixed" in ends):
        if some_end_differs(a, b, matched):
            yield "line_ends"
    elif len(ends - {"none"}) > 1:
        yield "line_ends"
    if a.lines and b.lines and a.format["final_newline"] != b.format["final_newline"]:
        yield "final_newline"
