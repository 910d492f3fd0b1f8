"""Which lines of two texts are the same: the platform's diff where that is about minimal, else a smaller one.

The platform's diff is that of Python's `difflib.SequenceMatcher`. It is not minimal: it takes the longest run of equal
lines first and passes over lines that are frequent in 200 or more. So the diff of libgit2 (Myers' algorithm, as `git
diff` has it) replaces it where `difflib` leaves more than 11 lines unmatched for each 10 of libgit2's, or needs too
many steps. In texts that are too long for libgit2 as well, lines that are unique in both are matched, with their equal
neighbours, or only the common beginning and end. The bounds count lines and steps, never time, so the same contents
give the same document everywhere.
"""

import bisect
import contextlib
import difflib
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import accumulate, count
from typing import NamedTuple, TypeVar

MAX_STEPS = 3_000_000
"""Steps of `difflib`: lines visited, and their places in the other content."""
MAX_DIFFLIB_LINES = 400_000
"""Lines, of both contents, for which `difflib` is tried at all: its preparations take time and space as well."""
MAX_LIBGIT2_LINES = 200_000
"""Lines, of both contents and between what these begin and end with alike, that libgit2 compares as a whole."""
MAX_ANCHORED_LINES = 600_000
"""Lines, likewise, among which unique ones are looked for."""
WINDOW = 20_000
"""Lines of each content that libgit2 compares at a time, in longer ones."""
MAX_UNMATCHED_LINES = 400_000
"""Lines that windows leave unmatched before no more windows are compared."""

Opcode = tuple[str, int, int, int, int]
"""`equal`, `replace`, `delete` or `insert`, with its range of expected and of actual lines, counted from 0."""
Lines = list[str]
Item = TypeVar("Item", bound=Hashable)
_Blocks = list[difflib.Match]
_Run = tuple[int, int, int]
"""An equal run: where in a, where in b, how many lines."""


class Matching(NamedTuple):
    """How two lists of lines match.

    Attributes:
        opcodes: what makes the second list of the first, as `difflib` has it: all lines of both, in order.
        coarse: whether the lists were too long for a diff that is about minimal.
    """

    opcodes: Sequence[Opcode]
    coarse: bool


def match(a: Lines, b: Lines) -> Matching:
    """Match the lines of two texts."""
    theirs: list[Opcode] | None = None
    if len(a) + len(b) <= MAX_DIFFLIB_LINES:
        with contextlib.suppress(TooMuchError):
            theirs = list(Matcher(a, b).get_opcodes())
    if theirs is not None and 10 * _unmatched(theirs) <= 11 * _least_unmatched(a, b, theirs):
        return Matching(theirs, coarse=False)
    blocks, coarse = smaller_blocks(a, b)
    ours = list(opcodes(a, b, blocks))
    if theirs is not None and 10 * _unmatched(theirs) <= 11 * _unmatched(ours):
        return Matching(theirs, coarse=False)
    return Matching(ours, coarse)


def _unmatched(found: list[Opcode]) -> int:
    return sum(i2 - i1 + j2 - j1 for tag, i1, i2, j1, j2 in found if tag != "equal")


def _least_unmatched(a: Lines, b: Lines, found: list[Opcode]) -> int:
    """The number of lines that no diff matches, because the other text has fewer of them.

    Lines that are matched count for both texts alike.
    """
    counts: dict[str, int] = {}
    for tag, i1, i2, j1, j2 in found:
        if tag != "equal":
            for line in a[i1:i2]:
                counts[line] = counts.get(line, 0) + 1
            for line in b[j1:j2]:
                counts[line] = counts.get(line, 0) - 1
    return sum(map(abs, counts.values()))


def opcodes(a: Sequence[Item], b: Sequence[Item], blocks: _Blocks) -> Iterator[Opcode]:
    """What makes b of a, by the runs that are equal."""
    i = j = 0
    for block in [*blocks, difflib.Match(len(a), len(b), 0)]:
        if i < block.a or j < block.b:
            tag = "insert" if i == block.a else "delete" if j == block.b else "replace"
            yield tag, i, block.a, j, block.b
        i, j = block.a + block.size, block.b + block.size
        if block.size:
            yield "equal", block.a, i, block.b, j


class TooMuchError(Exception):
    """`difflib` needs more than `MAX_STEPS`."""


class Matcher(difflib.SequenceMatcher[str]):
    """`difflib`'s matcher, which counts its steps, and takes a short cut to the same matches.

    A line that is unique in both texts, an *anchor*, has one place to match. So of the matches with an anchor each is
    one of the *runs* around anchors, and one without is no longer than the widest gap between anchors. A run that is
    longer than that is the longest match, whatever else there is.

    Raises:
        TooMuchError: when opcodes are asked for that need too many steps.
    """

    a: Lines
    b: Lines
    b2j: dict[str, list[int]]  # where each line of b is, but for the frequent ones
    bpopular: set[str]  # those

    def __init__(self, a: Lines, b: Lines) -> None:
        super().__init__(None, a, b)
        places = self.b2j
        self._steps = MAX_STEPS
        # What a search in a[i:j] costs at most is _costs[j] - _costs[i]; in short texts all searches may cost the most.
        self._costs: list[int] | None = None
        if len(a) * (1 + max(map(len, places.values()), default=0)) * (2 * min(len(a), len(b)) + 1) > MAX_STEPS:
            self._costs = [0, *accumulate([1 + len(places.get(line, ())) for line in a])]
        self._find_runs()

    def _find_runs(self) -> None:
        a, b = self.a, self.b
        counts = Counter(a)
        kinds = list(map(self.b2j.get, a))
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._shifts: list[int] = []  # from a place in a to that in b
        self._widest = gap = end = shift = 0
        for i, found in enumerate(kinds):
            if found is None:
                gap = 0
            elif len(found) > 1 or counts[a[i]] > 1:
                gap += 1
                if gap > self._widest:
                    self._widest = gap
            else:
                gap = 0
                if i < end and found[0] - i == shift:
                    continue
                shift = found[0] - i
                start, end = i, i + 1
                while start and start + shift and kinds[start - 1] and a[start - 1] == b[start + shift - 1]:
                    start -= 1
                most = min(len(a), len(b) - shift)
                while end < most and kinds[end] and a[end] == b[end + shift]:
                    end += 1
                self._starts.append(start)
                self._ends.append(end)
                self._shifts.append(shift)

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> difflib.Match:
        """Find what `difflib` does."""
        a, b = self.a, self.b
        ahi, bhi = len(a) if ahi is None else ahi, len(b) if bhi is None else bhi
        if self._costs is not None:
            self._steps -= self._costs[ahi] - self._costs[alo]
            if self._steps < 0:
                raise TooMuchError
        at, size, shift = -1, self._widest, 0  # the longest run in this part of the texts
        starts, ends, shifts = self._starts, self._ends, self._shifts
        for n in range(bisect.bisect_right(ends, alo), bisect.bisect_left(starts, ahi)):
            to = shifts[n]
            start, end = max(starts[n], alo, blo - to), min(ends[n], ahi, bhi - to)
            if end - start > size or (end - start == size and start < at):
                at, size, shift = start, end - start, to
        if at < 0:
            if self._widest:
                return super().find_longest_match(alo, ahi, blo, bhi)
            at, size, shift = alo, 0, blo - alo
        end = at + size
        if self.bpopular:  # frequent lines are matched beside others
            back = _common_end(a, b, (alo, at, blo, at + shift))
            at, end = at - back, end + _common(a, b, (end, ahi, end + shift, bhi))
        return difflib.Match(at, at + shift, end - at)


def smaller_blocks(a: Sequence[Item], b: Sequence[Item]) -> tuple[_Blocks, bool]:
    """Equal runs, ascending in both and never adjacent, and whether they are coarse: perhaps not about the most."""
    start = _common(a, b, (0, len(a), 0, len(b)))
    end = _common_end(a, b, (start, len(a), start, len(b)))
    a_end, b_end = len(a) - end, len(b) - end
    lines = a_end + b_end - 2 * start
    if not (coarse := lines > MAX_LIBGIT2_LINES):
        runs = [(0, 0, start), *_libgit2_runs(a, b, (start, a_end, start, b_end)), (a_end, b_end, end)]
    else:
        anchors = _anchors(a, b, start, a_end, b_end) if lines <= MAX_ANCHORED_LINES else []
        runs = [(0, 0, start), *_anchored_runs(a, b, start, [*anchors, (a_end, b_end)]), (a_end, b_end, end)]
    blocks: _Blocks = []
    for i, j, size in runs:
        if blocks and (last := blocks[-1]).a + last.size == i and last.b + last.size == j:
            blocks[-1] = difflib.Match(last.a, last.b, last.size + size)
        elif size:
            blocks.append(difflib.Match(i, j, size))
    return blocks, coarse


def _anchored_runs(a: Sequence[Item], b: Sequence[Item], start: int, anchors: list[tuple[int, int]]) -> Iterator[_Run]:
    """What is matched between anchors, window by window, until `MAX_UNMATCHED_LINES` were not; and the anchors."""
    left = MAX_UNMATCHED_LINES
    i = j = start
    for next_i, next_j in anchors:
        size = _common(a, b, (i, next_i, j, next_j))
        yield i, j, size
        i, j = i + size, j + size
        while i < next_i and j < next_j and left > 0:
            i_end, j_end = min(next_i, i + WINDOW), min(next_j, j + WINDOW)
            window = [run for run in _libgit2_runs(a, b, (i, i_end, j, j_end)) if run[2]]
            if i_end < next_i or j_end < next_j:
                # What the ends of a window match may belong to lines beyond it.
                i_end, j_end = i + (i_end - i) * 3 // 4, j + (j_end - j) * 3 // 4
                window = [run for run in window if run[0] <= i_end and run[1] <= j_end]
                if window and (last := window[-1]):
                    i_end, j_end = last[0] + last[2], last[1] + last[2]
            yield from window
            left -= i_end - i + j_end - j - 2 * sum(run[2] for run in window)
            i, j = i_end, j_end
        back = _common_end(a, b, (i, next_i, j, next_j))
        yield next_i - back, next_j - back, back
        i, j = next_i, next_j


def _libgit2_runs(a: Sequence[Item], b: Sequence[Item], within: tuple[int, int, int, int]) -> list[_Run]:
    """The runs that libgit2's diff matches within a[i:i_end] and b[j:j_end]."""
    i, i_end, j, j_end = within
    sides = a[i:i_end], b[j:j_end]
    if set(sides[0]).isdisjoint(sides[1]):
        return []
    import pygit2

    numbers: dict[Item, int] = {}  # in the place of lines: these hold CR and NUL characters, and may be long
    texts = [b"".join([b"%x\n" % numbers.setdefault(line, len(numbers)) for line in side]) for side in sides]
    patch = pygit2.Patch.create_from(texts[0], texts[1], flag=pygit2.enums.DiffOption.FORCE_TEXT, context_lines=0)
    runs: list[_Run] = []
    for hunk in patch.hunks:
        # An empty range is named by the line before it.
        next_i = within[0] + hunk.old_start - bool(hunk.old_lines)
        next_j = within[2] + hunk.new_start - bool(hunk.new_lines)
        runs.append((i, j, next_i - i))
        i, j = next_i + hunk.old_lines, next_j + hunk.new_lines
    return [*runs, (i, j, i_end - i)]


def _anchors(a: Sequence[Item], b: Sequence[Item], start: int, a_end: int, b_end: int) -> list[tuple[int, int]]:
    """The longest common subsequence of the lines that are unique in both ranges: their places, ascending in both."""
    ours, theirs = a[start:a_end], b[start:b_end]
    places, other_places = (dict(zip(lines, count(start), strict=False)) for lines in (ours, theirs))
    others = Counter(theirs)
    pairs = [
        (places[line], other_places[line]) for line, times in Counter(ours).items() if times == 1 == others.get(line)
    ]
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


_Region = tuple[int, int, int, int]
"""i, i_end, j, j_end: the lines a[i:i_end] and b[j:j_end]."""


def _common(a: Sequence[Item], b: Sequence[Item], region: _Region) -> int:
    """How many lines at the beginnings of both sides of a region are equal."""
    i, i_end, j, j_end = region
    most = size = min(i_end - i, j_end - j)
    for at in range(0, most, _CHUNK):
        step = min(_CHUNK, most - at)
        if a[i + at : i + at + step] != b[j + at : j + at + step]:
            size = at
            break
    while size < most and a[i + size] == b[j + size]:
        size += 1
    return size


def _common_end(a: Sequence[Item], b: Sequence[Item], region: _Region) -> int:
    """How many lines at the ends of both sides of a region are equal."""
    i, i_end, j, j_end = region
    most = size = min(i_end - i, j_end - j)
    for at in range(0, most, _CHUNK):
        step = min(_CHUNK, most - at)
        if a[i_end - at - step : i_end - at] != b[j_end - at - step : j_end - at]:
            size = at
            break
    while size < most and a[i_end - 1 - size] == b[j_end - 1 - size]:
        size += 1
    return size
