"""The views of a diff: hunks, unified text, patch.

All are bounded by counts of hunks, lines and characters. Where removed and added lines that stand together are too
many, both sides are shown in part; a long line is cut around its first difference.
"""

import bisect
import difflib
from collections.abc import Sequence
from itertools import accumulate

from exporter.builders.compared_text import Side, name_ends, some_end_differs, split_runs, unended_runs
from exporter.builders.line_matching import Opcode
from exporter.documents.files import Diff, DiffLine, Hunk, LineKind
from exporter.source.text_decoding import displayable

MAX_HUNKS = 500
MAX_UNIFIED_LINES = 10_000
MAX_HUNK_LINES = 20_000
"""Lines of all hunks together: twice those of `unified`, which one hunk can reach."""
MAX_LINE = 10_000
"""Characters of a line that are shown."""
MAX_TEXT = 2_000_000
"""Characters of all hunks, and of `unified`, together."""

_CONTEXT = 3
_LEAD = 100
"""Characters of a long line that are shown before its first difference."""
_ENDS: dict[str, str] = {"lf": "\n", "crlf": "\r\n", "none": "\n\\ No newline at end of file\n"}
_MARKS = {"context": " ", "removed": "-", "added": "+"}

Group = list[Opcode]
"""The opcodes of a hunk."""


def grouped(opcodes: Sequence[Opcode]) -> list[Group]:
    """The hunks: changes with their context."""
    matcher = difflib.SequenceMatcher[str]()
    matcher.opcodes = list(opcodes)  # type: ignore[attr-defined]  # it cuts them in place
    return [list(group) for group in matcher.get_grouped_opcodes(_CONTEXT)]


def hunks(groups: list[Group], a: Sequence[str], b: Sequence[str]) -> tuple[list[Hunk], bool]:
    """The hunks within the limits, the last one perhaps in part; and whether lines were left out."""
    found: list[Hunk] = []
    room = _Room(MAX_HUNK_LINES, MAX_TEXT)
    for group in groups[:MAX_HUNKS]:
        lines, complete = _shown(group, a, b, room)
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        hunk: Hunk = {"expected_start": i1 + (i2 > i1), "actual_start": j1 + (j2 > j1), "lines": lines}
        if lines:
            found.append(hunk)
        if not complete:
            hunk["omitted_removed"] = sum(i2 - i1 for tag, i1, i2, _, _ in group if tag != "equal")
            hunk["omitted_removed"] -= sum(line["kind"] == "removed" for line in lines)
            hunk["omitted_added"] = sum(j2 - j1 for tag, _, _, j1, j2 in group if tag != "equal")
            hunk["omitted_added"] -= sum(line["kind"] == "added" for line in lines)
            return found, True
    return found, len(groups) > MAX_HUNKS


def unified(groups: list[Group], a: Sequence[str], b: Sequence[str], complete: list[Hunk] | None) -> tuple[str, bool]:
    """The diff in the unified format within the limits; and whether lines were left out.

    `complete` are the hunks, if all of their lines are shown.
    """
    shown = ["--- expected", "+++ actual"]
    room = _Room(MAX_UNIFIED_LINES, MAX_TEXT - 2 * MAX_UNIFIED_LINES)  # a mark and an LF a line
    if complete is not None:
        for group, hunk in zip(groups, complete, strict=True):
            shown.append(_head(group))
            shown += [_MARKS[line["kind"]] + line["text"] for line in hunk["lines"]]
        text = "\n".join(shown)
        if len(shown) <= room.lines and len(text) <= room.text:
            return text, False
        del shown[2:]
    room.lines -= len(shown)
    for group in groups:
        head = _head(group)
        room.lines -= 1
        room.text -= len(head)
        if min(room.lines, room.text) < 0:
            return "\n".join(shown), True
        lines, whole = _shown(group, a, b, room)
        shown += [head, *(_MARKS[line["kind"]] + line["text"] for line in lines)]
        if not whole:
            return "\n".join(shown), True
    return "\n".join(shown), False


def patch(groups: list[Group], opcodes: Sequence[Opcode], document: Diff, a: Side, b: Side) -> str | None:
    r"""What makes the actual bytes of the expected ones, for `patch`; None where no text can, or lines are left out.

    Both sides have to be UTF-8, with or without a byte order mark, and without NUL or a CR that no LF follows; matched
    lines have to end alike, or the patch would hold all of them. A last one that has an end on one side alone is a
    removed and an added line. Written as UTF-8 the patch has the line ends that the outputs have, and `\ No newline at
    end of file` as `diff` writes it.

    Args:
        groups: the hunks.
        opcodes: how all lines match.
        document: the diff, nothing left out, in whose hunks ends are named.
        a: the expected output.
        b: the actual output.
    """
    if not {a.text.encoding, b.text.encoding} <= {"ascii", "utf-8"}:
        return None
    if any("\0" in side.text.content or side.has_cr for side in (a, b)) or some_end_differs(a, b, opcodes):
        return None
    found = document["hunks"]
    if runs := list(unended_runs(a, b, opcodes)):
        groups = grouped(split_runs(opcodes, runs))
        found, left_out = hunks(groups, a.lines, b.lines)
        if left_out or any("cut" in line for hunk in found for line in hunk["lines"]):
            return None
        name_ends(found, a, b)
    elif all(_is_plain(side) for side in (a, b)):
        return document["unified"] + "\n"
    pieces = ["--- expected\n+++ actual\n"]
    for group, hunk in zip(groups, found, strict=True):
        pieces += (_head(group), "\n")
        for line in hunk["lines"]:
            if (number := line["expected_line"]) is not None:
                side, end = a, line.get("expected_end")
            else:
                side, end, number = b, line.get("actual_end"), line["actual_line"] or 0
            end_text = _ENDS[end or side.format["line_ends"]]
            pieces += (_MARKS[line["kind"]], "\ufeff" * side.has_mark(number - 1), line["text"], end_text)
    return "".join(pieces)


def _is_plain(side: Side) -> bool:
    """Whether all lines end with LF, and none has a byte order mark."""
    plain = side.format["line_ends"] == "lf" and side.format["final_newline"]
    return (plain or not side.lines) and not side.text.bom


class _Room:
    """How many lines and characters may still be shown."""

    def __init__(self, lines: int, text: int) -> None:
        self.lines, self.text = lines, text

    def take(self, removed: list[DiffLine], added: list[DiffLine]) -> list[DiffLine]:
        """As many of these lines as there is room for: half of it for each of the two, unless one needs less."""
        size = sum([len(line["text"]) for line in removed]) + sum([len(line["text"]) for line in added])
        if len(removed) + len(added) <= self.lines and size <= self.text:
            self.lines -= len(removed) + len(added)
            self.text -= size
            return removed + added
        counts = _share(len(removed), len(added), self.lines)
        sides = removed[: counts[0]], added[: counts[1]]
        sums = [list(accumulate(len(line["text"]) for line in side)) for side in sides]
        sizes = _share(sums[0][-1] if sums[0] else 0, sums[1][-1] if sums[1] else 0, self.text)
        taken = [
            line
            for side, until, most in zip(sides, sums, sizes, strict=True)
            for line in side[: bisect.bisect_right(until, most)]
        ]
        self.lines -= len(taken)
        self.text -= sum(len(line["text"]) for line in taken)
        return taken


def _share(one: int, other: int, most: int) -> tuple[int, int]:
    """Two amounts as they are or, if they are more than `most` together, cut to that."""
    if one + other <= most:
        return one, other
    first = min(one, max(most // 2, most - other))
    return first, most - first


def _shown(group: Group, a: Sequence[str], b: Sequence[str], room: _Room) -> tuple[list[DiffLine], bool]:
    """The lines of a hunk for which there is room, and whether that is all of them."""
    shown: list[DiffLine] = []
    for tag, i1, i2, j1, j2 in group:
        most = room.lines + 1
        olds, news = range(i1, min(i2, i1 + most)), range(j1, min(j2, j1 + most))
        if tag == "equal":
            taken = room.take([_line("context", i + 1, j + 1, a[i]) for i, j in zip(olds, news, strict=True)], [])
            wanted = i2 - i1
        else:
            starts = [_start(a[i], b[j]) for i, j in zip(olds, news, strict=False)]
            starts += [0] * max(len(olds), len(news))
            taken = room.take(
                [_line("removed", i + 1, None, a[i], start) for i, start in zip(olds, starts, strict=False)],
                [_line("added", None, j + 1, b[j], start) for j, start in zip(news, starts, strict=False)],
            )
            wanted = i2 - i1 + j2 - j1
        shown += taken
        if len(taken) < wanted:
            return shown, False
    return shown, True


def _line(kind: LineKind, expected_line: int | None, actual_line: int | None, text: str, start: int = 0) -> DiffLine:
    """A line; of a long one the part from `start`."""
    line: DiffLine = {"kind": kind, "expected_line": expected_line, "actual_line": actual_line, "text": text}
    if len(text) > MAX_LINE:
        line["text"] = text[start : start + MAX_LINE]
        line["cut"] = True
        line["omitted_before"] = start
        line["omitted_after"] = max(0, len(text) - start - MAX_LINE)
    line["text"] = displayable(line["text"])
    return line


def _start(one: str, other: str) -> int:
    """Where the part begins that is shown of two lines that stand for each other, if they are long."""
    longer = max(len(one), len(other))
    if longer <= MAX_LINE:
        return 0
    low, high = 0, min(len(one), len(other))  # how many characters are the same at their beginning
    while low < high:
        middle = (low + high + 1) // 2
        if one.startswith(other[low:middle], low):
            low = middle
        else:
            high = middle - 1
    return max(0, min(low - _LEAD, longer - MAX_LINE))


def _head(group: Group) -> str:
    (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
    return f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@"


def _range(start: int, end: int) -> str:
    """A range of lines in a hunk's head: one line is its number alone, an empty range has that of the line before."""
    size = end - start
    return f"{start + 1}" if size == 1 else f"{start + 1 if size else start},{size}"
