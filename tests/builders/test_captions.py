"""Cues that differ between two caption files."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.builders import captions

Cues = list[tuple[str, str, str]]


def srt(cues: Cues) -> list[str]:
    return [
        line
        for n, (start, end, text) in enumerate(cues, 1)
        for line in (str(n), f"{start} --> {end}", *text.split("|"), "")
    ]


def vtt(cues: Cues, name: str = "") -> list[str]:
    lines = ["WEBVTT", "", "NOTE made by hand", ""]
    for start, end, text in cues:
        lines += [
            *([name] * bool(name)),
            f"{start.replace(',', '.')} --> {end.replace(',', '.')} align:start",
            *text.split("|"),
            "",
        ]
    return lines


def at(second: int, text: str, shift: int = 0) -> tuple[str, str, str]:
    return f"00:00:{second:02},{shift:03}", f"00:00:{second:02},{shift + 500:03}", text


BASE = [at(n, f"text {n}|more") for n in range(20)]


def edited(**cues: tuple[str, str, str] | None) -> Cues:
    changed = {int(name[1:]): cue for name, cue in cues.items()}
    return [cue for n, old in enumerate(BASE) if (cue := changed.get(n, old)) is not None]


@pytest.mark.parametrize(
    ("actual", "counts"),
    [
        (BASE, (0, 0, 0, 0)),
        (edited(_3=None), (0, 1, 0, 0)),
        (edited(_0=None, _7=None, _19=None), (0, 3, 0, 0)),
        ([*BASE[:5], at(4, "new", 600), *BASE[5:]], (1, 0, 0, 0)),
        (edited(_3=at(3, "other")), (0, 0, 1, 0)),
        (edited(_3=at(3, "text 3|more", 40)), (0, 0, 0, 1)),
        (edited(_3=at(3, "other", 40)), (0, 0, 1, 1)),
        ([at(n, f"text {n}|more", 100) for n in range(20)], (0, 0, 0, 20)),
        ([at(n + 1, f"text {n}|more") for n in range(20)], (0, 0, 0, 20)),  # each has the time of the next
        ([at(n, f"TEXT {n}|MORE") for n in range(20)], (0, 0, 20, 0)),
        (edited(_3=None, _9=at(9, "other"), _15=at(15, "text 15|more", 7)), (0, 1, 1, 1)),
        ([], (0, 20, 0, 0)),
        ([at(n, f"else {n}") for n in range(30, 40)], (10, 20, 0, 0)),
    ],
)
def test_changes(actual: Cues, counts: tuple[int, int, int, int]) -> None:
    assert captions.changes(srt(BASE), srt(actual)) == counts
    assert captions.changes(vtt(BASE), vtt(actual)) == counts
    assert captions.changes(vtt(BASE, "name"), vtt(actual, "other name")) == counts
    added, removed, *rest = counts
    assert captions.changes(srt(actual), srt(BASE)) == (removed, added, *rest)


@pytest.mark.parametrize(
    "times",
    [
        "-00:00:01,500 --> 00:00:02,000",
        "00:00:-1,-500 --> 00:00:02,000",
        "1193:02:47,295 --> 1193:02:49,295",
        "0:0:1,5 --> 0:0:2,0",
    ],
)
@pytest.mark.parametrize("cue", [0, 1])
def test_odd_times_are_times(times: str, cue: int) -> None:
    lines = ["1", "00:00:01,000 --> 00:00:02,000", "a", "", "2", "00:00:03,000 --> 00:00:04,000", "b"]
    odd = list(lines)
    odd[1 + 4 * cue] = times
    assert captions.changes(lines, odd) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    "lines",
    [
        ["text", "without times"],
        ["1", "2", "00:00:01,000 --> 00:00:02,000"],
        ["<tt>", "00:00:01,000 --> 00:00:02,000"],
        ["00:00:01,000|00:00:02,000|TTXT", "text --> arrow"],
    ],
)
def test_what_is_no_caption_file(lines: list[str]) -> None:
    assert not captions.is_captions(lines)
    assert captions.changes(srt(BASE), lines) is None
    assert captions.changes(lines, lines) is None


@pytest.mark.parametrize(
    ("lines", "texts"),
    [
        (
            ["1", "00:00:01,000 --> 00:00:02,000", "a", "", "b", "", "2", "00:00:03,000 --> 00:00:04,000", "2"],
            [("a", "", "b"), ("2",)],
        ),
        (["00:00:01,000 --> 00:00:02,000", "a", "2", "00:00:03,000 --> 00:00:04,000"], [("a",), ()]),
        (["", "1", "00:00:01,000 --> 00:00:02,000", "", "2", "00:00:03,000 --> 00:00:04,000", "", ""], [(), ()]),
        (["1", "00:00:01,000 --> 00:00:02,000", "a --> b", ""], [("a --> b",)]),
        (["WEBVTT"], []),
    ],
)
def test_cues(lines: list[str], texts: list[tuple[str, ...]]) -> None:
    assert captions.is_captions(lines)
    assert [cue.text for cue in captions.cues(lines)] == texts


@given(st.lists(st.integers(0, 40), unique=True).map(sorted), st.lists(st.integers(0, 40), unique=True).map(sorted))
def test_lines_known_to_be_the_same_change_no_count(old: list[int], new: list[int]) -> None:
    a, b = ([*srt([at(n, f"text {n % 3}||more") for n in cues]), "end"] for cues in (old, new))
    start = next((n for n, (one, other) in enumerate(zip(a, b, strict=False)) if one != other), min(len(a), len(b)))
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    assert captions.changes(a, b, start, end) == captions.changes(a, b)


def test_comments_of_webvtt_are_no_text_of_cues() -> None:
    old = vtt(BASE[:3])
    new = [*old[: old.index("") + 1], "STYLE", "::cue {}", "", *old[4:8], "NOTE new", "on two lines", "", *old[8:]]
    assert captions.changes(old, new) == (0, 0, 0, 0)


@pytest.mark.parametrize("blank", [[], [""], ["", " "]])
def test_a_file_without_text_has_no_cue(blank: list[str]) -> None:
    lines = srt(BASE)
    assert captions.changes(lines, blank, 0, len(blank[:1])) == (0, 20, 0, 0)
    assert captions.changes(blank, lines, 0, len(blank[:1])) == (20, 0, 0, 0)
    assert captions.changes(blank, blank) is None
