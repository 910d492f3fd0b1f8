"""Which lines of two texts match: runs that are equal, about as many as there can be."""

import difflib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.builders import line_matching

LINES = st.lists(st.sampled_from("abc") | st.integers(0, 30).map(str), max_size=60)


@given(LINES, LINES, st.sampled_from([0, 10**6]), st.sampled_from([0, 10**6]), st.sampled_from([0, 5, 10**6]))
def test_blocks_are_equal_runs_that_ascend_and_do_not_touch(
    a: list[str], b: list[str], whole: int, anchored: int, unmatched: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_matching, "MAX_LIBGIT2_LINES", whole)
        patch.setattr(line_matching, "MAX_ANCHORED_LINES", anchored)
        patch.setattr(line_matching, "MAX_UNMATCHED_LINES", unmatched)
        patch.setattr(line_matching, "WINDOW", 7)
        blocks, coarse = line_matching.smaller_blocks(a, b)
    assert not coarse or not whole
    i = j = -1
    for block in blocks:
        assert block.size > 0
        assert block.a >= i
        assert block.b >= j
        assert (block.a, block.b) != (i, j)
        i, j = block.a + block.size, block.b + block.size
        assert a[block.a : i] == b[block.b : j]


def longest(a: list[str], b: list[str]) -> int:
    """How many lines a common subsequence can have."""
    row = [0] * (len(b) + 1)
    for line in a:
        diagonal = 0
        for j, other in enumerate(b):
            diagonal, row[j + 1] = row[j + 1], diagonal + 1 if line == other else max(row[j + 1], row[j])
    return row[-1]


@given(LINES, LINES)
def test_at_most_a_tenth_more_is_unmatched_than_has_to_be(a: list[str], b: list[str]) -> None:
    opcodes = line_matching.match(a, b).opcodes
    unmatched = sum(i2 - i1 + j2 - j1 for tag, i1, i2, j1, j2 in opcodes if tag != "equal")
    assert 10 * unmatched <= 11 * (len(a) + len(b) - 2 * longest(a, b))


@given(LINES, LINES)
def test_the_platform_s_diff_stays_where_it_is_about_minimal(a: list[str], b: list[str]) -> None:
    theirs = difflib.SequenceMatcher(None, a, b).get_opcodes()
    unmatched = sum(i2 - i1 + j2 - j1 for tag, i1, i2, j1, j2 in theirs if tag != "equal")
    if 10 * unmatched <= 11 * (len(a) + len(b) - 2 * longest(a, b)):
        assert list(line_matching.match(a, b).opcodes) == theirs


def edited(random_: random.Random, lines: list[str]) -> list[str]:
    """Lines after some edits: gone, new, moved and repeated ones."""
    lines = list(lines)
    for _ in range(random_.choice([1, 2, 20])):
        at, other, size = random_.randrange(len(lines)), random_.randrange(len(lines)), random_.randrange(1, 20)
        match random_.randrange(4):
            case 0:
                del lines[at + 1 : at + size]
            case 1:
                lines[at:at] = [str(random_.randrange(99)) for _ in range(size)]
            case 2:
                lines[at:at] = lines[other : other + size]
            case _:
                moved = lines[other : other + size]
                del lines[other + 1 : other + size]
                lines[at:at] = moved
    return lines


@pytest.mark.parametrize("size", [30, 250])
@pytest.mark.parametrize("distinct", [1, 20, 10**6])
def test_the_short_cut_leads_to_what_difflib_finds(size: int, distinct: int) -> None:
    random_ = random.Random(size + distinct)
    for _ in range(50):
        a = [str(random_.randrange(distinct)) if random_.random() < 0.8 else "" for _ in range(size)]
        b = edited(random_, a)
        assert line_matching.Matcher(a, b).get_opcodes() == difflib.SequenceMatcher(None, a, b).get_opcodes()


@pytest.mark.parametrize("distinct", [50, 10**6])
def test_windows_find_edits_far_apart(distinct: int) -> None:
    random_ = random.Random(1)
    a = [str(random_.randrange(distinct)) for _ in range(400_000)]
    b = [line for n, line in enumerate(a) if n % 40_009]
    b[200_000:200_000] = ["new"] * 100
    blocks, coarse = line_matching.smaller_blocks(a, b)
    assert coarse
    assert len(a) + len(b) - 2 * sum(block.size for block in blocks) == 10 + 100
