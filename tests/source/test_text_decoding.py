"""Decoding of outputs and logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.source.text_decoding import decode, displayable


@pytest.mark.parametrize(
    ("data", "lines", "encoding"),
    [
        (b"", [], "ascii"),
        (b"\n", [""], "ascii"),
        (b"a\r\r\nb", ["a", "", "b"], "ascii"),
        (b"a\x0bb\x0cc\x1cd\xc2\x85e\xe2\x80\xa8f", ["a\x0bb\x0cc\x1cd\x85e\u2028f"], "utf-8"),
        (b"caf\xc3\xa9", ["café"], "utf-8"),
        (b"caf\xe9\x80", ["café€"], "windows-1252"),
        (b"caf\xe9\ncaf\xc3\xa9\r\nx", ["café", "café", "x"], "mixed"),
        (b"caf\xe9\nx\n", ["café", "x"], "windows-1252"),
        (b"\x81\xff\x00", ["\ufffdÿ\0"], "windows-1252"),
        (b"\xef\xbb\xbfcaf\xc3\xa9", ["café"], "utf-8"),
        (b"\xef\xbb\xbfcaf\xe9", ["café"], "mixed"),
        (b"\xef\xbb\xbf", [""], "utf-8"),
        (b"\xff\xfea\0\n\0", ["a"], "utf-16-le"),
        (b"\xff\xfea\0b", ["a\ufffd"], "utf-16-le"),
        (b"\xfe\xff\0a\r\n\0\n\0b", ["a\u0d0a", "b"], "utf-16-be"),
        (b"\xff\xfe\0\0a\0\0\0", ["a"], "utf-32-le"),
        (b"\xff\xfe\0\0a\0\xff\xff", ["\0a\uffff"], "utf-16-le"),
        (b"\0\0\xfe\xff\0\0\0a", ["a"], "utf-32-be"),
        (b"\xff\xfe\x00\xd8", ["\ufffd"], "utf-16-le"),
        (b"\xff\xfe\x00\xd8\x00\xd8\x00", ["\ufffd\ufffd\ufffd"], "utf-16-le"),
        (b"\0\0\xfe\xff\0\0\xd8\0\0\0\xdc\0\0\0", ["\ufffd\ufffd\ufffd\ufffd"], "utf-32-be"),
    ],
)
def test_decode(data: bytes, lines: list[str], encoding: str) -> None:
    text = decode(data)
    assert [displayable(line) for line in text.lines] == lines
    assert text.encoding == encoding


PIECES = st.sampled_from([b"a", b"\n", b"\r", b"\xe9", b"\xc3\xa9", b"\x81", b"\x8d", b"\xef\xbb\xbf"])


@given(st.lists(st.lists(PIECES, max_size=6).map(b"".join), min_size=2, max_size=2))
def test_texts_are_equal_if_their_bytes_are(pair: list[bytes]) -> None:
    one, other = map(decode, pair)
    assert (one == other) == (pair[0] == pair[1])


UNITS = st.lists(st.sampled_from([b"\0", b"a", b"\xd8", b"\xdc", b"\n"]), max_size=9).map(b"".join)


@given(st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]), UNITS, UNITS)
def test_texts_of_wide_characters_are_equal_if_their_bytes_are(encoding: str, one: bytes, other: bytes) -> None:
    mark = "\ufeff".encode(encoding)
    assert (decode(mark + one) == decode(mark + other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other", "encoding"),
    [
        (b"\0", b"\x00\xdc", "utf-16-le"),  # a cut character, and a surrogate that stands for no byte
        (b"\0", b"\x00\xdc\0\0", "utf-32-le"),
        (b"\0\0", b"\x00\xdc\0\0\x00\xdc\0\0", "utf-32-le"),
    ],
)
def test_a_cut_character_is_no_surrogate(one: bytes, other: bytes, encoding: str) -> None:
    mark = "\ufeff".encode(encoding)
    assert decode(mark + one).content != decode(mark + other).content


IN_LINE = st.lists(st.sampled_from([b"a", b"\xe9", b"\xc3\xa9", b"\x81", b"\xc3"]), min_size=1, max_size=4).map(
    b"".join
)


@given(st.lists(IN_LINE, max_size=5), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_what_one_line_holds_changes_no_other(lines: list[bytes], end: bytes) -> None:
    assert decode(end.join(lines)).lines == [decode(line).content for line in lines]
