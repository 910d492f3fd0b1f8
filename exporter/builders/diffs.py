"""The difference between an expected and an actual output: `diffs/EXPECTED-GOT.json`.

Up to a bounded amount of work the diff is that of Python's `difflib.SequenceMatcher` over lines, as the platform shows
it. Beyond, lines that are unique in both contents are matched, beyond that only the common beginning and end. That
coarser match is also taken where it leaves less than half as many lines unmatched: `difflib` passes over lines that
are frequent in 200 or more, and so takes a hundred thousand equal lines and one other for all different. The bounds
count lines and steps, never time, so the same contents give the same document everywhere.
"""

import bisect
import difflib
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate

from exporter.documents.files import Diff, DiffLine, DiffStatus, DiffSummary, Hunk, LineKind
from exporter.source.sample_repository import Content

MAX_SIZE = 10 * 1024 * 1024
"""Bytes of a content that is compared; a larger one is `too_large` (issue 5)."""
MAX_HUNKS = 500
MAX_UNIFIED_LINES = 10_000
MAX_HUNK_LINES = 20_000
"""Lines of all hunks together: twice those of `unified`, which one hunk can reach."""
MAX_LINE = 10_000
"""Characters of a line that are shown."""
MAX_TEXT = 2_000_000
"""Characters of all hunks, and of `unified`, together."""
MAX_STEPS = 3_000_000
"""Steps of `difflib`: lines visited, and their places in the other content."""
MAX_DIFFLIB_LINES = 400_000
"""Lines, of both contents, for which `difflib` is tried at all: its preparations take time and space as well."""
MAX_ANCHORED_LINES = 600_000
"""Lines, of both contents, among which unique ones are looked for."""

_CONTEXT = 3

_Group = list[tuple[str, int, int, int, int]]
"""A hunk, as `difflib` has it: tags, each with its range of expected and of actual lines, counted from 0."""


def document(expected: Content | None, actual: Content | None) -> Diff:
    """Compare two contents; None is a file that is not there (or cannot be read)."""
    sizes = (expected and expected.size, actual and actual.size)
    if expected is None:
        return _document("missing_expected", sizes)
    if actual is None:
        return _document("missing_actual", sizes)
    if expected.data is None or actual.data is None or max(expected.size, actual.size) > MAX_SIZE:
        return _document("too_large", sizes)
    if expected.data == actual.data:
        return _document("identical", sizes, same_bytes=True)
    a, b = text_lines(expected.data), text_lines(actual.data)
    if a == b:
        return _document("identical", sizes, same_bytes=False)
    matcher = _Matcher(a, b)
    groups: list[_Group] = [list(group) for group in matcher.get_grouped_opcodes(_CONTEXT)]
    result = _document("different", sizes, same_bytes=False)
    result["summary"] = _summary(groups)
    truncated = result["truncated"]
    truncated["comparison"] = matcher.coarse
    result["hunks"], truncated["hunks"] = _hunks(groups, a, b)
    result["unified"], truncated["unified"] = _unified(groups, a, b)
    truncated["text"] = any("cut" in line for hunk in result["hunks"] for line in hunk["lines"])
    return result


def _document(status: DiffStatus, sizes: tuple[int | None, int | None], *, same_bytes: bool | None = None) -> Diff:
    return {
        "status": status,
        "expected_size": sizes[0],
        "actual_size": sizes[1],
        "same_bytes": same_bytes,
        "summary": {"added_lines": 0, "removed_lines": 0, "changed_hunks": 0},
        "hunks": [],
        "unified": "",
        "truncated": {"comparison": False, "hunks": False, "text": False, "unified": False},
    }


def text_lines(data: bytes) -> list[str]:
    """The lines of a text, without their ends: LF, CR LF or CR, no other.

    The text is UTF-8, else Windows-1252 with U+FFFD for the bytes that it leaves undefined.
    """
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not lines[-1]:
        del lines[-1]
    return lines


class _TooMuchError(Exception):
    """`difflib` needs more than `MAX_STEPS`."""


class _Matcher(difflib.SequenceMatcher[str]):
    """`difflib`'s matcher, which counts its steps and gives way to a coarser match before they are too many.

    Attributes:
        coarse: whether it did.
        b2j: `difflib`'s own: where each line of b is, but for the frequent ones.
        bpopular: those, which it matches only beside other ones; none in less than 200 lines.
    """

    b2j: dict[str, list[int]]
    bpopular: set[str]

    def __init__(self, a: list[str], b: list[str]) -> None:
        self.coarse = len(a) + len(b) > MAX_DIFFLIB_LINES
        if not self.coarse:
            super().__init__(None, a, b)
            places = self.b2j
            # What a search in a[i:j] costs at most is _costs[j] - _costs[i].
            self._costs = [0, *accumulate(1 + len(places.get(line, ())) for line in a)]
            self._steps = MAX_STEPS
            try:
                matched = sum(block.size for block in self.get_matching_blocks())
            except _TooMuchError:
                self.coarse = True
        if self.coarse or self.bpopular:
            blocks = coarse_blocks(a, b)
            unmatched = len(a) + len(b) - 2 * sum(block.size for block in blocks)
            if self.coarse or 2 * unmatched < len(a) + len(b) - 2 * matched:
                self.coarse = True
                super().__init__()
                self.a, self.b = a, b
                self.matching_blocks = [*blocks, difflib.Match(len(a), len(b), 0)]

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        end = len(self.a) if ahi is None else ahi
        self._steps -= self._costs[end] - self._costs[alo]
        if self._steps < 0:
            raise _TooMuchError
        return super().find_longest_match(alo, ahi, blo, bhi)


def coarse_blocks(a: list[str], b: list[str]) -> list[difflib.Match]:
    """Equal runs of lines, ascending in both and never adjacent, found in little more than linear time.

    They are the common beginning and end and, unless more than `MAX_ANCHORED_LINES` are between these, the longest
    common subsequence of the lines there that are unique in both, each with its equal neighbours.
    """
    start = _common(a, b, 0, len(a), 0, len(b))
    end = _common_end(a, b, start, len(a), start, len(b))
    a_end, b_end = len(a) - end, len(b) - end
    fixed = [(i, j, 1) for i, j in _anchors(a, b, start, a_end, b_end)]
    runs = [(0, 0, start)]
    i = j = start
    for next_i, next_j, size in [*fixed, (a_end, b_end, end)]:
        before = _common(a, b, i, next_i, j, next_j)
        back = _common_end(a, b, i + before, next_i, j + before, next_j)
        runs += [(i, j, before), (next_i - back, next_j - back, back + size)]
        i, j = next_i + size, next_j + size
    blocks: list[difflib.Match] = []
    for i, j, size in runs:
        if blocks and (last := blocks[-1]).a + last.size == i and last.b + last.size == j:
            blocks[-1] = difflib.Match(last.a, last.b, last.size + size)
        elif size:
            blocks.append(difflib.Match(i, j, size))
    return blocks


def _anchors(a: list[str], b: list[str], start: int, a_end: int, b_end: int) -> list[tuple[int, int]]:
    """The longest common subsequence of the lines that are unique in both ranges: their places, ascending in both."""
    if a_end + b_end - 2 * start > MAX_ANCHORED_LINES:
        return []
    places: dict[str, int | None] = {}
    for j in range(start, b_end):
        places[b[j]] = None if b[j] in places else j
    counts = Counter(a[start:a_end])
    pairs: list[tuple[int, int]] = []
    for i in range(start, a_end):
        place = places.get(a[i])
        if place is not None and counts[a[i]] == 1:
            pairs.append((i, place))
    # Patience: the smallest end of an ascending sequence of each length, and from each pair to the one before it.
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for n, (_, j) in enumerate(pairs):
        length = bisect.bisect_left(ends, j)
        before.append(last[length - 1] if length else -1)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [n]
    found = []
    n = last[-1] if last else -1
    while n >= 0:
        found.append(pairs[n])
        n = before[n]
    return found[::-1]


_CHUNK = 4096


def _common(a: list[str], b: list[str], i: int, i_end: int, j: int, j_end: int) -> int:
    """How many lines at the beginnings of a[i:i_end] and b[j:j_end] are equal."""
    most = size = min(i_end - i, j_end - j)
    for at in range(0, most, _CHUNK):
        step = min(_CHUNK, most - at)
        if a[i + at : i + at + step] != b[j + at : j + at + step]:
            size = at
            break
    while size < most and a[i + size] == b[j + size]:
        size += 1
    return size


def _common_end(a: list[str], b: list[str], i: int, i_end: int, j: int, j_end: int) -> int:
    """How many lines at the ends of a[i:i_end] and b[j:j_end] are equal."""
    most = size = min(i_end - i, j_end - j)
    for at in range(0, most, _CHUNK):
        step = min(_CHUNK, most - at)
        if a[i_end - at - step : i_end - at] != b[j_end - at - step : j_end - at]:
            size = at
            break
    while size < most and a[i_end - 1 - size] == b[j_end - 1 - size]:
        size += 1
    return size


def _summary(groups: list[_Group]) -> DiffSummary:
    changes = [opcode for group in groups for opcode in group if opcode[0] != "equal"]
    return {
        "added_lines": sum(j2 - j1 for _, _, _, j1, j2 in changes),
        "removed_lines": sum(i2 - i1 for _, i1, i2, _, _ in changes),
        "changed_hunks": len(groups),
    }


def _lines(group: _Group, a: list[str], b: list[str]) -> Iterator[DiffLine]:
    """The lines of a hunk."""
    for tag, i1, i2, j1, j2 in group:
        if tag == "equal":
            for i, j in zip(range(i1, i2), range(j1, j2), strict=True):
                yield _line("context", i + 1, j + 1, a[i])
        else:
            for i in range(i1, i2):
                yield _line("removed", i + 1, None, a[i])
            for j in range(j1, j2):
                yield _line("added", None, j + 1, b[j])


def _line(kind: LineKind, expected_line: int | None, actual_line: int | None, text: str) -> DiffLine:
    line: DiffLine = {
        "kind": kind,
        "expected_line": expected_line,
        "actual_line": actual_line,
        "text": text[:MAX_LINE],
    }
    if len(text) > MAX_LINE:
        line["cut"] = True
    return line


def _hunks(groups: list[_Group], a: list[str], b: list[str]) -> tuple[list[Hunk], bool]:
    """The hunks within the limits, the last one perhaps in part; and whether lines were left out."""
    hunks: list[Hunk] = []
    lines_left, text_left = MAX_HUNK_LINES, MAX_TEXT
    for group in groups[:MAX_HUNKS]:
        lines: list[DiffLine] = []
        hunks.append({"expected_start": group[0][1] + 1, "actual_start": group[0][3] + 1, "lines": lines})
        for line in _lines(group, a, b):
            lines_left -= 1
            text_left -= len(line["text"])
            if min(lines_left, text_left) < 0:
                return (hunks if lines else hunks[:-1]), True
            lines.append(line)
    return hunks, len(groups) > MAX_HUNKS


_MARKS = {"context": " ", "removed": "-", "added": "+"}


def _unified(groups: list[_Group], a: list[str], b: list[str]) -> tuple[str, bool]:
    """The diff in the unified format within the limits; and whether lines were left out."""
    shown: list[str] = []
    text_left = MAX_TEXT
    for line in _unified_lines(groups, a, b):
        text_left -= len(line)
        if len(shown) == MAX_UNIFIED_LINES or text_left < 0:
            return "\n".join(shown), True
        shown.append(line)
    return "\n".join(shown), False


def _unified_lines(groups: list[_Group], a: list[str], b: list[str]) -> Iterator[str]:
    yield from ("--- expected", "+++ actual")
    for group in groups:
        (_, i1, _, j1, _), (_, _, i2, _, j2) = group[0], group[-1]
        yield f"@@ -{_range(i1, i2)} +{_range(j1, j2)} @@"
        for line in _lines(group, a, b):
            yield _MARKS[line["kind"]] + line["text"]


def _range(start: int, end: int) -> str:
    """A range of lines in a hunk's head: one line is its number alone, an empty range has that of the line before."""
    size = end - start
    return f"{start + 1}" if size == 1 else f"{start + 1 if size else start},{size}"
