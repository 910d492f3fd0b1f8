"""Diffs: the platform's recorded answers, what a diff promises for any two contents, and its bounds."""

import contextlib
import gzip
import json
import pathlib
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.builders import diff_hunks, diffs, line_matching
from exporter.documents.encoding import encode
from exporter.documents.files import Diff
from exporter.source.sample_repository import Content, SampleRepository
from tests.support import needs, parity


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
                assert not parity.differences({field: live[field] for field in ("status", "hunks", "summary")}, ours)
            seen[kind] += 1
    assert seen == {"structured": 322, "unified": 322, "missing": 6}
    assert files.problems == []


def apply(document: Diff, expected: list[str]) -> list[str]:
    """What a reader makes of the expected lines by the hunks alone."""
    result, at = [], 0
    for hunk in document["hunks"]:
        kinds = [line["kind"] for line in hunk["lines"]]
        start = hunk["expected_start"] - (kinds.count("added") < len(kinds))
        result += expected[at:start]
        at = start
        assert hunk["actual_start"] == len(result) + (kinds.count("removed") < len(kinds))
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
    expected=LINES,
    actual=LINES,
    steps=st.sampled_from([0, 50, 10**6]),
    whole=st.sampled_from([0, 10**6]),
    anchored=st.sampled_from([0, 10**6]),
    unmatched=st.sampled_from([0, 4, 10**6]),
)
def test_hunks_make_the_actual_lines_of_the_expected_ones(
    expected: list[str], actual: list[str], steps: int, whole: int, anchored: int, unmatched: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line_matching, "MAX_STEPS", steps)
        patch.setattr(line_matching, "MAX_LIBGIT2_LINES", whole)
        patch.setattr(line_matching, "MAX_ANCHORED_LINES", anchored)
        patch.setattr(line_matching, "MAX_UNMATCHED_LINES", unmatched)
        patch.setattr(line_matching, "WINDOW", 5)
        document = diff(text(expected), text(actual))
    assert apply(document, expected) == actual
    assert document["status"] == ("identical" if expected == actual else "different")
    kinds = [line["kind"] for hunk in document["hunks"] for line in hunk["lines"]]
    assert document["summary"] == {
        "added_lines": kinds.count("added"),
        "removed_lines": kinds.count("removed"),
        "changed_hunks": len(document["hunks"]),
        "reencoded_lines": 0,
        "reencoded_characters": 0,
    }
    unified = document["unified"].split("\n")[2:]
    assert [line[0] for line in unified if not line.startswith("@@")] == [
        {"context": " ", "removed": "-", "added": "+"}[kind] for kind in kinds
    ]
    assert sum(line.startswith("@@") for line in unified) == len(document["hunks"])


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


CUES = st.lists(
    st.lists(
        st.sampled_from(["1", "2", "", "00:00:01,000 --> 00:00:02,000", "a", "é", "- x", "-- y", "+++ z", "@@"]),
        max_size=4,
    ),
    max_size=8,
)


@given(
    st.lists(CUES, min_size=2, max_size=2).map(
        lambda sides: [[line for cue in side for line in cue] for side in sides]
    ),
    st.sampled_from(["\n", "\r\n"]),
    st.tuples(st.booleans(), st.booleans()),
    st.sampled_from(["", "\ufeff"]),
)
def test_patch_makes_the_actual_bytes_of_the_expected_ones(
    sides: list[list[str]], end: str, ended: tuple[bool, bool], mark: str
) -> None:
    old, new = (
        (mark + end.join(lines) + end * (last and bool(lines))).encode()
        for lines, last in zip(sides, ended, strict=True)
    )
    document = diff(old, new)
    if document["status"] == "identical":
        assert document["patch"] is None
        return
    if ended == (True, True) and all(sides):
        assert document["patch"] is not None
    if document["patch"] is not None:
        assert document["patch"].endswith("\n")
        assert patched(old, document["patch"]) == new


def patched(data: bytes, patch: str) -> bytes:
    """What `patch` makes of a file; it removes one that becomes empty, or doesn't."""
    with tempfile.TemporaryDirectory() as folder:
        file, change = pathlib.Path(folder, "output"), pathlib.Path(folder, "patch")
        file.write_bytes(data)
        change.write_bytes(patch.encode())
        done = subprocess.run(
            [needs.program("patch", "patch"), "--force", file, change], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert "fuzz" not in done.stdout
        assert "offset" not in done.stdout
        return file.read_bytes() if file.exists() else b""


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (b"a\n", b"b\r\n"),
        (b"a\nb\r\nc\n", b"a\nb\r\nd\n"),  # mixed line ends
        (b"a\r\nb\r\n", b"a\r\nc\nb\r\n"),
        (b"a\nb\n", b"c\nb"),  # a matched last line
        (b"a\nb", b"a\nb\nc\n"),
        (b"a\n" + b"=\n" * 9, b"b\n" + b"=\n" * 8 + b"="),  # far from the change
        (b"a\nb\n", b"\xef\xbb\xbfa\nc\n"),
        (b"\xef\xbb\xbf", b"\xef\xbb\xbf\na\n"),
        (b"a\n", b"\xef\xbb\xbf"),
    ],
)
def test_there_is_a_patch_wherever_one_can_be_exact(expected: bytes, actual: bytes) -> None:
    for old, new in ((expected, actual), (actual, expected)):
        change = diff(old, new)["patch"]
        assert change is not None
        assert patched(old, change) == new


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (b"a\nb\n", b"a\r\nc\r\n"),
        (b"a\nb\r\n", b"a\r\nc\n"),
        (b"a\rb\r", b"a\rc\r"),
        (b"a\r\r\nb\r\r\n", b"a\r\r\nc\r\r\n"),
        ("é\n".encode("latin-1"), "è\n".encode("latin-1")),
        ("\ufeffa\n".encode("utf-16-le"), "\ufeffb\n".encode("utf-16-le")),
        (b"a\0\n", b"b\0\n"),
        (text([str(n) for n in range(20_000)]), b""),
        (b"a\n" * 9 + b"x" * 10_001, b"b\n" + b"a\n" * 8 + b"x" * 10_001 + b"\n"),  # a long line
    ],
)
def test_there_is_no_patch_where_none_could_be_exact(expected: bytes, actual: bytes) -> None:
    document = diff(expected, actual)
    assert document["status"] == "different"
    assert document["patch"] is None


def test_unified_and_patch_of_what_they_are_for() -> None:
    document = diff("x\r\né\r\nz".encode(), "x\r\nè\r\nz\r\n".encode())
    assert document["unified"] == "--- expected\n+++ actual\n@@ -1,3 +1,3 @@\n x\n-é\n+è\n z"
    assert document["patch"] == (
        "--- expected\n+++ actual\n@@ -1,3 +1,3 @@\n x\r\n-é\r\n-z\n\\ No newline at end of file\n+è\r\n+z\r\n"
    )
    document = diff("x\r\né\r\nz".encode(), "x\r\nè\r\nz".encode())
    assert document["patch"] == (
        "--- expected\n+++ actual\n@@ -1,3 +1,3 @@\n x\r\n-é\r\n+è\r\n z\n\\ No newline at end of file\n"
    )


@pytest.mark.parametrize(("expected", "actual", "starts"), [(b"", b"a\n", (0, 1)), (b"a\n", b"", (1, 0))])
def test_an_empty_side_starts_at_0(expected: bytes, actual: bytes, starts: tuple[int, int]) -> None:
    (hunk,) = diff(expected, actual)["hunks"]
    assert (hunk["expected_start"], hunk["actual_start"]) == starts


def test_one_cut_byte_is_one_line() -> None:
    lines = [f"línea {number} – mañana".encode() for number in range(40)]
    document = diff(b"\n".join(lines) + b"\n", b"\n".join(lines) + b"\xc3\n")
    assert (document["summary"]["removed_lines"], document["summary"]["added_lines"]) == (1, 1)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_utf_16_is_text(encoding: str) -> None:
    document = diff(*(f"\ufeff1\r\n{word}\r\n\u0a0d\r\n".encode(encoding) for word in ("añ", "bñ")))
    assert document["unified"] == "--- expected\n+++ actual\n@@ -1,3 +1,3 @@\n 1\n-añ\n+bñ\n \u0a0d"


def subrip(cues: list[int], edit: Callable[[int], str] = str) -> bytes:
    """Cues of these seconds, numbered from 1."""
    return text(
        [
            line
            for number, second in enumerate(cues, 1)
            for line in (
                str(number),
                f"00:{second // 60:02}:{second % 60:02},000 --> 00:{second // 60:02}:{second % 60:02},900",
                edit(second),
                "",
            )
        ]
    )


def test_a_dropped_cue_costs_what_diff_says_and_counts_as_one() -> None:
    cues = list(range(600))
    old, new = (
        subrip(cues, lambda second: f"text {second * second % 97}"),
        subrip(cues[:1] + cues[2:], lambda second: f"text {second * second % 97}"),
    )
    document = diff(old, new)
    with tempfile.TemporaryDirectory() as folder:
        files = [pathlib.Path(folder, name) for name in "ab"]
        files[0].write_bytes(old)
        files[1].write_bytes(new)
        printed = subprocess.run(
            [needs.program("diff", "diffutils"), "-u", *files], capture_output=True, text=True, check=False
        ).stdout.split("\n")
    least = sum(line.startswith(("-", "+")) for line in printed[2:])
    summary = document["summary"]
    assert summary["added_lines"] + summary["removed_lines"] <= 1.1 * least
    assert (summary["cues_removed"], summary["cues_added"]) == (1, 0)
    assert (summary["cues_changed_text"], summary["cues_changed_time"]) == (0, 0)
    assert document["patch"] is not None
    assert patched(old, document["patch"]) == new


def many(count: int, prefix: str = "") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_hunks_and_unified_lines_are_bounded_but_not_the_summary() -> None:
    expected = many(10 * 2_000)
    actual = [line + "!" if number % 10 == 5 else line for number, line in enumerate(expected)]
    document = diff(text(expected), text(actual))
    summary = document["summary"]
    assert (summary["added_lines"], summary["removed_lines"], summary["changed_hunks"]) == (2_000, 2_000, 2_000)
    assert len(document["hunks"]) == diff_hunks.MAX_HUNKS == 500
    assert document["unified"].count("\n") + 1 == diff_hunks.MAX_UNIFIED_LINES == 10_000
    assert document["truncated"] == {"comparison": False, "hunks": True, "text": False, "unified": True}
    assert document["patch"] is None


@pytest.mark.parametrize(
    ("removed", "added", "shown"),
    [(30_000, 30_000, (10_000, 10_000)), (30_000, 5, (19_995, 5)), (5, 30_000, (5, 19_995))],
)
def test_one_huge_hunk_shows_lines_of_both_sides(removed: int, added: int, shown: tuple[int, int]) -> None:
    document = diff(text(many(removed)), text(many(added, "b")))
    assert (document["summary"]["removed_lines"], document["summary"]["added_lines"]) == (removed, added)
    (hunk,) = document["hunks"]
    kinds = [line["kind"] for line in hunk["lines"]]
    assert (kinds.count("removed"), kinds.count("added")) == shown
    assert (hunk["omitted_removed"], hunk["omitted_added"]) == (removed - shown[0], added - shown[1])
    assert document["truncated"] == {"comparison": False, "hunks": True, "text": False, "unified": True}
    marks = [line[0] for line in document["unified"].split("\n")[3:]]
    assert min(marks.count("-"), marks.count("+")) == min(removed, added, 4_998)


def test_a_huge_hunk_of_long_lines_shows_both_sides() -> None:
    document = diff(text([f"{n}a" * 1_000 for n in range(1000)]), text([f"{n}b" * 1_000 for n in range(1000)]))
    for kinds in (
        [line["kind"][0] for line in document["hunks"][0]["lines"]],
        [{"-": "r", "+": "a"}.get(line[0]) for line in document["unified"].split("\n")[3:]],
    ):
        assert kinds.count("r") > 200
        assert kinds.count("a") > 200
    assert sum(len(line["text"]) for line in document["hunks"][0]["lines"]) <= diff_hunks.MAX_TEXT
    assert len(document["unified"]) <= diff_hunks.MAX_TEXT


WORDS = "".join(f"word{number} " for number in range(3_000))


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (WORDS, WORDS.replace("word2000 ", "WORD2000 ")),
        (WORDS, WORDS.replace("word2999 ", "")),
        (WORDS, WORDS.replace("word0 ", "")),
        (WORDS, WORDS + "x" * 20_000),
        ("x" * 20_000, "x" * 20_001),
        (WORDS, "short"),
        (WORDS[:9_999], WORDS[:9_999] + "!" * 10),
    ],
)
def test_long_lines_are_cut_around_what_differs(expected: str, actual: str) -> None:
    document = diff(expected.encode(), actual.encode())
    (hunk,) = document["hunks"]
    removed, added = hunk["lines"]
    assert removed["text"] != added["text"]
    for line, whole in ((removed, expected), (added, actual)):
        assert line.get("cut", False) == (len(whole) > diff_hunks.MAX_LINE)
        start = line.get("omitted_before", 0)
        assert line["text"] == whole[start : start + diff_hunks.MAX_LINE]
        assert start + len(line["text"]) + line.get("omitted_after", 0) == len(whole)
    assert document["truncated"] == {"comparison": False, "hunks": False, "text": True, "unified": False}
    assert document["patch"] is None


CAFE = "mañana café ¡olé!"


def bom(encoding: str, content: str) -> bytes:
    return f"\ufeff{content}".encode(encoding)


@pytest.mark.parametrize(
    ("expected", "actual", "status", "differs_in", "counts"),
    [
        (b"a\r\nb\r\n", b"a\nb\n", "identical", ["line_ends"], (0, 0)),
        (b"a\r\nb\r\n", b"a\r\nb", "identical", ["final_newline"], (0, 0)),
        (b"a\r\nb\r\n", b"a\nb", "identical", ["line_ends", "final_newline"], (0, 0)),
        (b"a\r\nb\n", b"a\nb\r\n", "identical", ["line_ends"], (0, 0)),
        (b"a\r\nb\n", b"a\r\nb", "identical", ["final_newline"], (0, 0)),
        (b"a\nb\rc\r\n", b"a\nb\nc\n", "identical", ["line_ends"], (0, 0)),
        (b"a", b"a\n", "identical", ["final_newline"], (0, 0)),
        (b"a\n", b"b\n", "different", ["text"], (1, 0)),
        (b"", b"b\n", "different", ["text"], (1, 0)),
        (b"a\n", f"{CAFE}\n".encode(), "different", ["text"], (1, 0)),
        (f"x\n{CAFE}\n".encode("latin-1"), f"x\n{CAFE}\n".encode(), "different", ["encoding"], (1, 4)),
        (f"x\n{CAFE}\n".encode("latin-1"), bom("utf-8", f"x\n{CAFE}\n"), "different", ["encoding", "bom"], (2, 4)),
        (f"{CAFE}\n{CAFE}\n".encode(), f"{CAFE}\n".encode() * 2 + b"\xc3\n", "different", ["text", "encoding"], (1, 0)),
        (
            f"{CAFE}\n".encode() * 2,
            f"{CAFE}\n".encode() + f"{CAFE}\n".encode("latin-1"),
            "different",
            ["encoding"],
            (1, 4),
        ),
        (b"a\nb\n", bom("utf-8", "a\nb\n"), "different", ["bom"], (1, 0)),
        (b"", bom("utf-8", ""), "different", ["text", "bom"], (1, 0)),
        (bom("utf-8", "a\nb\n"), bom("utf-8", "x\na\nb\n"), "different", ["text"], (2, 0)),
        (b"a\nb\n", bom("utf-16-le", "a\nb\n"), "different", ["encoding", "bom"], (2, 2)),
        (bom("utf-16-le", "a\nb\n"), bom("utf-16-be", "a\nb\n"), "different", ["encoding"], (2, 2)),
        (bom("utf-16-le", "a\r\nb\n"), bom("utf-16-le", "a\nb\n"), "identical", ["line_ends"], (0, 0)),
        (bom("utf-16-le", "a\nb\n"), bom("utf-16-le", "a\nc\n"), "different", ["text"], (1, 0)),
        (bom("utf-32-be", "a\n\u0a0d\n"), bom("utf-32-be", "a\n\u0d0a\n"), "different", ["text"], (1, 0)),
        (b"\x81", b"\x8d", "different", ["text"], (1, 0)),
        (b"a\r\nb\nc\n", b"a\nb\r\nd\n", "different", ["text", "line_ends"], (1, 0)),
        (b"a\r\nb\nc\n", b"a\r\nb\nd\n", "different", ["text"], (1, 0)),
        (b"a\r\nb\nc", b"x\na\r\nb\nc\n", "different", ["text", "final_newline"], (1, 0)),
    ],
)
def test_differs_in(
    expected: bytes, actual: bytes, status: str, differs_in: list[str], counts: tuple[int, int]
) -> None:
    for old, new in ((expected, actual), (actual, expected)):
        document = diff(old, new)
        assert (document["status"], document["same_bytes"]) == (status, False)
        assert document["differs_in"] == differs_in
        shown = [line for hunk in document["hunks"] for line in hunk["lines"] if line["kind"] != "context"]
        summary = document["summary"]
        assert len(shown) == summary["added_lines"] + summary["removed_lines"]
        assert max(summary["added_lines"], summary["removed_lines"]) == counts[0]
        assert summary["reencoded_characters"] == counts[1]
        assert "\ufeff" not in document["unified"]


@pytest.mark.parametrize(
    ("data", "written"),
    [
        (b"", ("ascii", False, "none", False)),
        (b"a\n", ("ascii", False, "lf", True)),
        (b"a\r\nb", ("ascii", False, "crlf", False)),
        (b"a\rb\r", ("ascii", False, "cr", True)),
        (b"a\rb\r\n", ("ascii", False, "mixed", True)),
        ("é\n".encode(), ("utf-8", False, "lf", True)),
        ("é\n".encode("latin-1"), ("windows-1252", False, "lf", True)),
        ("é\n".encode("latin-1") + "é\n".encode(), ("mixed", False, "lf", True)),
        (bom("utf-8", "a"), ("utf-8", True, "none", False)),
        (bom("utf-16-le", "a\r\n"), ("utf-16-le", True, "crlf", True)),
        (bom("utf-16-be", "a\n"), ("utf-16-be", True, "lf", True)),
        (bom("utf-32-le", "a\n"), ("utf-32-le", True, "lf", True)),
        (bom("utf-32-be", "a\n"), ("utf-32-be", True, "lf", True)),
    ],
)
def test_how_an_output_is_written(data: bytes, written: tuple[str, bool, str, bool]) -> None:
    for document in (diff(data, data), diff(data, b"other"), diff(data, data + b"\n")):
        found = document["expected"]
        assert found is not None
        assert (found["encoding"], found["bom"], found["line_ends"], found["final_newline"]) == written
    assert diff(data, None)["expected"] is None


def test_line_ends_differ_wherever_matched_lines_end_differently() -> None:
    ends = ["\n", "\r\n"]
    old = "".join(f"{n}{ends[n % 2]}" for n in range(20))
    new = "".join(f"{n or 'first'}{ends[n % 2 if n != 10 else 1]}" for n in range(20))
    assert diff(old.encode(), new.encode())["differs_in"] == ["text", "line_ends"]


def test_lines_say_how_they_end_where_not_all_end_alike() -> None:
    document = diff(b"a\r\nb\nx\rc", b"a\nb\ny\nc")
    assert document["expected"] is not None
    assert document["actual"] is not None
    assert document["expected"].get("line_end_counts") == {"lf": 1, "crlf": 1, "cr": 1}
    assert "line_end_counts" not in document["actual"]
    (hunk,) = document["hunks"]
    assert [(line["text"], line.get("expected_end"), line.get("actual_end")) for line in hunk["lines"]] == [
        ("a", "crlf", None),
        ("b", "lf", None),
        ("x", "cr", None),
        ("y", None, None),
        ("c", "none", "none"),
    ]


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
    "alternating lines": (b"a\nb\n" * 10**6, b"b\na\n" * 10**6, (1, 1)),
    "few distinct lines, one gone": (
        text([line[-2:] for line in many(10**5)]),
        text([line[-2:] for n, line in enumerate(many(10**5)) if n != 50_000]),
        (0, 1),
    ),
    "few distinct lines, some gone": (
        text([line[-2:] for line in many(10**5)]),
        text([line[-2:] for n, line in enumerate(many(10**5)) if n % 10_007]),
        (0, 10),
    ),
    "many lines, some gone": (
        text([line[-3:] for line in many(10**6)]),
        text([line[-3:] for n, line in enumerate(many(10**6)) if n % 100_003]),
        (0, 10),
    ),
    "alternating few lines": (b"a\nb\n" * 99, b"b\na\n" * 99, (1, 1)),
    "line ends alone": (b"\n" * (10 * MEBIBYTE), b"\n" * (10 * MEBIBYTE - 1), (0, 1)),
    "binary": (bytes(range(256)) * 4096, bytes(range(255, -1, -1)) * 4096, None),
}


@pytest.mark.parametrize(("expected", "actual", "counts"), PATHOLOGICAL.values(), ids=PATHOLOGICAL)
def test_pathological_contents_end_in_small_documents(
    expected: bytes, actual: bytes, counts: tuple[int, int] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0
    search = line_matching.difflib.SequenceMatcher.find_longest_match

    def counted(self, alo=0, ahi=None, blo=0, bhi=None):
        nonlocal steps
        steps += sum(1 + len(self.b2j.get(self.a[i], ())) for i in range(alo, ahi))
        return search(self, alo, ahi, blo, bhi)

    monkeypatch.setattr(line_matching.difflib.SequenceMatcher, "find_longest_match", counted)
    document = diff(expected, actual)
    assert steps <= line_matching.MAX_STEPS
    assert document["status"] == "different"
    if counts is not None:
        assert (document["summary"]["added_lines"], document["summary"]["removed_lines"]) == counts
    # Three views of at most MAX_TEXT characters, and what is around each line.
    assert len(encode(document)) < 14_000_000
