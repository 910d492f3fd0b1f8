"""Diffs: the platform's recorded answers, what a diff promises for any two contents, and its bounds."""

import contextlib
import gzip
import json
import pathlib
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.builders import diffs
from exporter.documents.encoding import encode
from exporter.documents.files import Diff
from exporter.source.sample_repository import Content, SampleRepository


def of(data: bytes | None) -> Content | None:
    return None if data is None else Content(len(data), data)


def diff(expected: bytes | None, actual: bytes | None) -> Diff:
    return diffs.document(of(expected), of(actual))


def text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def test_every_recorded_diff_is_reproduced(
    recorded: pathlib.Path, parity_sqlite: pathlib.Path, parity_files: pathlib.Path
) -> None:
    with contextlib.closing(sqlite3.connect(parity_sqlite)) as database:
        extensions = dict(database.execute("SELECT id, correct_extension FROM regression_test_output"))
        contents = {
            tuple(key): (expected, expected if got is None else got)
            for *key, expected, got in database.execute(
                "SELECT test_id, regression_test_id, regression_test_output_id, expected, got FROM test_result_file"
            )
        }
    files = SampleRepository(parity_files)
    seen = dict.fromkeys(("structured", "unified", "missing"), 0)
    with gzip.open(recorded, "rt", encoding="utf-8") as answers:
        for answer in map(json.loads, answers):
            parts = answer["path"].split("/")
            if parts[-1] != "diff":
                continue
            output_id = int(parts[8])
            hashes = contents[int(parts[2]), int(parts[6]), output_id]
            ours = diffs.document(
                *(files.output(content_hash, extensions[output_id], diffs.MAX_SIZE) for content_hash in hashes)
            )
            live = answer["body"]
            if answer["status"] == 404:
                kind = "missing"
                assert ours["status"] == "missing_actual"
            elif live["format"] == "unified":
                kind = "unified"
                assert ours["unified"] == live["content"]
            else:
                kind = "structured"
                assert {field: ours[field] for field in ("status", "summary", "hunks")} == {
                    field: live[field] for field in ("status", "summary", "hunks")
                }
            seen[kind] += 1
    assert seen == {"structured": 322, "unified": 322, "missing": 6}
    assert files.problems == []


def apply(document: Diff, expected: list[str]) -> list[str]:
    """What a reader makes of the expected lines by the hunks alone."""
    result, at = [], 0
    for hunk in document["hunks"]:
        result += expected[at : hunk["expected_start"] - 1]
        at = hunk["expected_start"] - 1
        assert hunk["actual_start"] == len(result) + 1
        for line in hunk["lines"]:
            if line["kind"] != "added":
                assert line["expected_line"] == at + 1
                assert line["text"] == expected[at]
                at += 1
            else:
                assert line["expected_line"] is None
            if line["kind"] != "removed":
                result.append(line["text"])
                assert line["actual_line"] == len(result)
            else:
                assert line["actual_line"] is None
    return result + expected[at:]


LINES = st.lists(st.sampled_from(["", "a", "b", "c", "\x0b", "é\x1c"]) | st.integers(0, 30).map(str), max_size=60)


@given(
    expected=LINES, actual=LINES, steps=st.sampled_from([0, 50, diffs.MAX_STEPS]), anchored=st.sampled_from([0, 10**6])
)
def test_hunks_make_the_actual_lines_of_the_expected_ones(
    expected: list[str], actual: list[str], steps: int, anchored: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(diffs, "MAX_STEPS", steps)
        patch.setattr(diffs, "MAX_ANCHORED_LINES", anchored)
        document = diff(text(expected), text(actual))
    assert apply(document, expected) == actual
    assert document["status"] == ("identical" if expected == actual else "different")
    kinds = [line["kind"] for hunk in document["hunks"] for line in hunk["lines"]]
    assert document["summary"] == {
        "added_lines": kinds.count("added"),
        "removed_lines": kinds.count("removed"),
        "changed_hunks": len(document["hunks"]),
    }
    unified = document["unified"].split("\n")[2:]
    assert [line[0] for line in unified if not line.startswith("@@")] == [
        {"context": " ", "removed": "-", "added": "+"}[kind] for kind in kinds
    ]
    assert sum(line.startswith("@@") for line in unified) == len(document["hunks"])


@given(LINES, LINES)
def test_coarse_blocks_are_equal_runs_that_ascend_and_do_not_touch(a: list[str], b: list[str]) -> None:
    i = j = -1
    for block in diffs.coarse_blocks(a, b):
        assert block.size > 0
        assert block.a >= i
        assert block.b >= j
        assert (block.a, block.b) != (i, j)
        i, j = block.a + block.size, block.b + block.size
        assert a[block.a : i] == b[block.b : j]


@pytest.mark.parametrize(
    ("expected", "actual", "status"),
    [
        (None, b"a", "missing_expected"),
        (b"a", None, "missing_actual"),
        (None, None, "missing_expected"),
        (b"", b"", "identical"),
        (b"a\r\nb\rc\n", b"a\nb\nc", "identical"),
        (b"a\n\n", b"a\n", "different"),
        (b"a", b"a ", "different"),
        (b"", b"\n", "different"),
    ],
)
def test_status(expected: bytes | None, actual: bytes | None, status: str) -> None:
    document = diff(expected, actual)
    assert document["status"] == status
    compared = expected is not None and actual is not None
    assert document["same_bytes"] is ((expected == actual) if compared else None)


def test_contents_above_ten_mebibytes_are_not_compared() -> None:
    limit = diffs.MAX_SIZE
    assert diffs.document(Content(limit, b"a" * limit), Content(limit, b"a" * limit))["status"] == "identical"
    assert diffs.document(Content(limit + 1, None), Content(1, b"a"))["status"] == "too_large"
    assert diffs.document(Content(1, b"a"), Content(limit + 1, None))["status"] == "too_large"
    assert diffs.document(None, Content(limit + 1, None))["status"] == "missing_expected"


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\r\r\nb", ["a", "", "b"]),
        (b"a\x0bb\x0cc\x1cd\xc2\x85e\xe2\x80\xa8f", ["a\x0bb\x0cc\x1cd\x85e\u2028f"]),
        (b"caf\xc3\xa9", ["café"]),
        (b"caf\xe9\x80", ["café€"]),
        (b"\x81\xff\x00", ["\ufffdÿ\0"]),
    ],
)
def test_text_lines(data: bytes, lines: list[str]) -> None:
    assert diffs.text_lines(data) == lines


def many(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_hunks_and_unified_lines_are_bounded_but_not_the_summary() -> None:
    expected = many(10 * 2_000)
    actual = [line + "!" if number % 10 == 5 else line for number, line in enumerate(expected)]
    document = diff(text(expected), text(actual))
    assert document["summary"] == {"added_lines": 2_000, "removed_lines": 2_000, "changed_hunks": 2_000}
    assert len(document["hunks"]) == diffs.MAX_HUNKS == 500
    assert document["unified"].count("\n") + 1 == diffs.MAX_UNIFIED_LINES == 10_000
    assert document["truncated"] == {"comparison": True, "hunks": True, "text": False, "unified": True}


def test_one_huge_hunk_is_cut_short() -> None:
    document = diff(text(many(30_000)), text(many(30_000, "b")))
    assert document["summary"] == {"added_lines": 30_000, "removed_lines": 30_000, "changed_hunks": 1}
    (hunk,) = document["hunks"]
    assert len(hunk["lines"]) == diffs.MAX_HUNK_LINES
    assert document["truncated"] == {"comparison": False, "hunks": True, "text": False, "unified": True}


def test_long_lines_are_cut() -> None:
    document = diff(b"x" * 20_000, b"x" * 20_001)
    (hunk,) = document["hunks"]
    assert [(line["kind"], len(line["text"]), line["cut"]) for line in hunk["lines"]] == [
        ("removed", diffs.MAX_LINE, True),
        ("added", diffs.MAX_LINE, True),
    ]
    assert document["truncated"] == {"comparison": False, "hunks": False, "text": True, "unified": False}


MEBIBYTE = 1024 * 1024
PATHOLOGICAL = {
    "a million equal lines": (b"x\n" * 10**6, b"x\n" * (10**6 + 1), (1, 0)),
    "equal lines around one": (b"x\n" * 10**5, b"x\n" * 50_000 + b"y\n" + b"x\n" * 49_999, (1, 1)),
    "all lines distinct": (text(many(200_000)), text(many(200_000, "b")), (200_000, 200_000)),
    "every other line differs": (
        text(many(100_000)),
        text([line if line[-1] in "13579" else f"b{line}" for line in many(100_000)]),
        (50_000, 50_000),
    ),
    "one long line": (b"x" * (10 * MEBIBYTE), b"x" * (10 * MEBIBYTE - 1), (1, 1)),
    "alternating lines": (b"a\nb\n" * 10**6, b"b\na\n" * 10**6, None),
    "alternating few lines": (b"a\nb\n" * 99, b"b\na\n" * 99, (1, 1)),
    "line ends alone": (b"\n" * (10 * MEBIBYTE), b"\n" * (10 * MEBIBYTE - 1), (0, 1)),
    "binary": (bytes(range(256)) * 4096, bytes(range(255, -1, -1)) * 4096, None),
}


@pytest.mark.parametrize(("expected", "actual", "counts"), PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_pathological_contents_end_in_small_documents(
    expected: bytes, actual: bytes, counts: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    search = diffs.difflib.SequenceMatcher.find_longest_match

    def counted(self, alo=0, ahi=None, blo=0, bhi=None):
        nonlocal steps
        steps += sum(1 + len(self.b2j.get(self.a[i], ())) for i in range(alo, ahi))
        return search(self, alo, ahi, blo, bhi)

    monkeypatch.setattr(diffs.difflib.SequenceMatcher, "find_longest_match", counted)
    document = diff(expected, actual)
    assert steps <= diffs.MAX_STEPS
    assert document["status"] == "different"
    if counts is not None:
        assert (document["summary"]["added_lines"], document["summary"]["removed_lines"]) == counts
    # Two views of at most MAX_TEXT characters, and what is around each line.
    assert len(encode(document)) < 12_000_000
