"""What differs between two caption files, by cues: SubRip and WebVTT.

Cues are what stands after lines with times. Their numbers do not count, so a cue that is gone is one change, and not
one of all cues after it.
"""

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from itertools import islice, pairwise
from operator import attrgetter
from typing import NamedTuple

from exporter.builders.line_matching import opcodes, smaller_blocks

MAX_LINES = 400_000
"""Lines, of both files, in which cues are looked for."""

_TIME = r"(?:(-?\d{1,9}):)?(-?\d{1,2}):(-?\d{1,2})[,.](-?\d{1,9})"
"""Also as programs write it whose clock ran wrong: below zero, or with as many hours as it takes."""
_TIMES = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(.*)", re.ASCII)


Lines = Sequence[str]


class Cue(NamedTuple):
    """A caption: when it is shown, as the file has it, with WebVTT settings; its lines of text."""

    time: str
    text: tuple[str, ...]

    @property
    def milliseconds(self) -> tuple[int, int]:
        """When it begins and ends."""
        found = _TIMES.fullmatch(self.time)
        assert found
        numbers = found.groups(default="0")
        return _milliseconds(numbers[:4]), _milliseconds(numbers[4:8])


class CueChanges(NamedTuple):
    """How many cues differ; one whose text and time differ counts in both."""

    added: int
    removed: int
    changed_text: int
    changed_time: int


def changes(expected: Lines, actual: Lines, same_start: int = 0, same_end: int = 0) -> CueChanges | None:
    """Count the cues that differ between the lines of two files; None unless both are captions, and not too long.

    Cues are the same that have the same text or the same times, in their order; of the cues that are left between
    these, such as overlap in time. A file without any text is captions if the other one is. `same_start` lines at the
    beginnings, and `same_end` at the ends, are known to be the same.
    """
    if len(expected) + len(actual) > MAX_LINES:
        return None
    written = [side for side in (expected, actual) if any(map(str.strip, side))]
    if not written or not all(map(is_captions, written)):
        return None
    a, b = (cues(_between(side, same_start, same_end), webvtt=_is_webvtt(side)) for side in (expected, actual))
    removed = added = changed_text = changed_time = 0
    for old, new in _aligned(a, b, lambda cue: cue)[1]:
        pairs = _paired(old, new)
        removed += len(old) - len(pairs)
        added += len(new) - len(pairs)
        changed_text += sum(one.text != other.text for one, other in pairs)
        changed_time += sum(one.time != other.time for one, other in pairs)
    return CueChanges(added, removed, changed_text, changed_time)


def is_captions(lines: Lines) -> bool:
    """Whether a file begins like SubRip or WebVTT."""
    head = list(islice(filter(str.strip, islice(lines, 100)), 2))
    if not head:
        return False
    numbered = head[0].strip().isdecimal()
    return _is_webvtt(head) or _is_times("".join(head[numbered : numbered + 1]))


def _is_webvtt(lines: Lines) -> bool:
    first = next(filter(str.strip, lines), "")
    return first.startswith("WEBVTT")


def _is_times(line: str) -> bool:
    return "-->" in line and _TIMES.fullmatch(line) is not None


def _between(lines: Lines, same_start: int, same_end: int) -> Lines:
    """The lines of cues that may differ: from the last times before these to the first times after them."""
    start = next((at for at in range(same_start - 1, -1, -1) if _is_times(lines[at])), 0)
    end = next((at + 1 for at in range(len(lines) - same_end, len(lines)) if _is_times(lines[at])), len(lines))
    return lines[start:end]


def cues(lines: Lines, *, webvtt: bool = False) -> list[Cue]:
    """The cues of a caption file."""
    times = [at for at, line in enumerate(lines) if _is_times(line)]
    return [
        Cue(lines[at].strip(), _text(lines[at + 1 : end], last=end == len(lines), webvtt=webvtt))
        for at, end in pairwise([*times, len(lines)])
    ]


def _text(lines: Lines, *, last: bool, webvtt: bool) -> tuple[str, ...]:
    """A cue's text; `lines` are those after its times, up to those of the next cue.

    In WebVTT an empty line ends it, and comments may follow. In SubRip, as programs write it, it may be part of it.
    """
    if webvtt and "" in lines:
        return tuple(lines[: lines.index("")])
    end = len(lines)
    if not last and end and (lines[-1].isdecimal() or (end > 1 and not lines[-2].strip())):
        end -= 1  # the number or name of the next cue
    while end and not lines[end - 1].strip():
        end -= 1
    return tuple(lines[:end])


def _milliseconds(parts: Sequence[str]) -> int:
    hours, minutes, seconds, rest = parts
    fraction = int(rest.removeprefix("-").ljust(3, "0")[:3])
    total = ((abs(int(hours)) * 60 + abs(int(minutes))) * 60 + abs(int(seconds))) * 1000 + fraction
    return -total if any(part.startswith("-") for part in parts) else total


_Pairs = list[tuple[Cue, Cue]]
_text_of, _time_of = attrgetter("text"), attrgetter("time")


def _paired(old: list[Cue], new: list[Cue]) -> _Pairs:
    """Which cues are the same, of such as differ in something."""
    by_text, by_time = (_aligned(old, new, key) for key in (_text_of, _time_of))
    (pairs, gaps), key = (by_text, _time_of) if len(by_text[0]) >= len(by_time[0]) else (by_time, _text_of)
    for gap in gaps:
        more, rest = _aligned(*gap, key)
        pairs += more
        for left in rest:
            pairs += _overlapping(*left)
    return pairs


def _aligned(
    old: list[Cue], new: list[Cue], key: Callable[[Cue], Hashable]
) -> tuple[_Pairs, list[tuple[list[Cue], list[Cue]]]]:
    """Pairs of the same key, in order; and what is left between these."""
    if not (old and new):
        return [], [(old, new)]
    pairs: _Pairs = []
    gaps = []
    a, b = list(map(key, old)), list(map(key, new))
    for tag, i1, i2, j1, j2 in opcodes(a, b, smaller_blocks(a, b)[0]):
        if tag == "equal":
            pairs += zip(old[i1:i2], new[j1:j2], strict=True)
        else:
            gaps.append((old[i1:i2], new[j1:j2]))
    return pairs, gaps


def _overlapping(old: list[Cue], new: list[Cue]) -> Iterator[tuple[Cue, Cue]]:
    """Pairs that overlap in time, in order."""
    i = j = 0
    while i < len(old) and j < len(new):
        (start, end), (other_start, other_end) = old[i].milliseconds, new[j].milliseconds
        if end <= other_start:
            i += 1
        elif other_end <= start:
            j += 1
        else:
            yield old[i], new[j]
            i, j = i + 1, j + 1
