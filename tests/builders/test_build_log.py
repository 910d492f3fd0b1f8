"""Build logs: the platform's recorded answers, what becomes of a line, pages, cut logs, excerpts."""

import gzip
import json
import pathlib
import unicodedata
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.builders import build_log
from exporter.source.sample_repository import Log, SampleRepository


def log(data: bytes, tail: bytes | None = None, size: int | None = None) -> build_log.LogLines:
    return build_log.parse(Log(len(data) if size is None else size, data, tail))


def published(lines: build_log.LogLines) -> list[Any]:
    return [line for _, document in build_log.documents(7, lines) for line in json.loads(document)["data"]]


def test_every_recorded_log_is_reproduced(recorded: pathlib.Path, parity_files: pathlib.Path) -> None:
    live: dict[int, list[Any] | None] = {}
    with gzip.open(recorded, "rt", encoding="utf-8") as answers:
        for answer in map(json.loads, answers):
            if answer["path"].endswith("/logs"):
                run_id = int(answer["path"].split("/")[2])
                if answer["status"] == 404:
                    live[run_id] = None
                else:
                    lines = live.setdefault(run_id, [])
                    assert lines is not None
                    lines += answer["body"]["data"]
    files = SampleRepository(parity_files)
    fields = ("message", "level", "source")
    for run_id, lines in live.items():
        found = files.log(run_id)
        assert (found is None) == (lines is None)
        if found is not None and lines is not None:
            ours = published(build_log.parse(found))
            assert [[line[field] for field in fields] for line in ours] == [
                [line[field] for field in fields] for line in lines
            ]
            assert [line["line"] for line in ours] == list(range(1, len(lines) + 1))
    assert files.problems == []
    assert set(files.log_fingerprints()) == {run_id for run_id, lines in live.items() if lines is not None}
    assert len(live) == 74


@pytest.mark.parametrize(
    ("message", "level", "source"),
    [
        ("nothing of note", "info", "web"),
        ("", "info", "web"),
        ("DEBUG, then an error", "error", "web"),
        ("Info: a warning", "warning", "web"),
        ("an error is Critical", "critical", "web"),
        ("terrors", "error", "web"),
        ("debugging the web worker", "debug", "worker"),
        ("BUILD by the Orchestrator", "info", "orchestrator"),
        ("test_runner builds", "info", "build"),
        ("web test_runner", "info", "test_runner"),
    ],
)
def test_level_and_source_are_the_first_of_their_lists_anywhere_in_the_line(
    message: str, level: str, source: str
) -> None:
    assert published(log(message.encode() + b"\n")) == [
        {"line": 1, "level": level, "source": source, "message": message}
    ]


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a\n\nb", ["a", "", "b"]),
        (b"a\r\nb\nc\r\r\nd\r\r\r\n\r\r\n", ["a", "b", "c", "d", ""]),
        (b"10%\r20%\r\n", ["20%"]),
        (b"start\n\rload  9%\rload 99%\rdone\nend", ["start", "done 99%", "end"]),
        (b"loading\r", ["loading"]),
        (b" 5%\b\b\b 6%\b\b\b100%\nx", ["100%", "x"]),
        (b"a\b\b\bbc\rd\n", ["dc"]),
        (b"password=hunter2hunter2hunter2" + b"\b" * 30 + b"passed\n", ["passedrd=[redacted]"]),
        (b"loading\rok\x1b[K\r\nx", ["ok", "x"]),
        (b"loading\x1b[2K\rok", ["ok"]),
        (b"loading\r\x1b[Jok\nx", ["ok", "x"]),
        (b"loading" + b"\b" * 7 + b"ok\x1b[K", ["ok"]),
        (b" 5%\x1b[3D10%\x1b[3D100%\x1b[2D\x1b[D!", ["1!0%"]),
        (b"loading\x1b[1000Dok\x1b[0K\n\x1b[Dx", ["ok", "x"]),
        (b"x" * 200_000 + b"\ry" * 200_000, ["y" + "x" * 199_999]),
        (b"\x1b[2K\x1b[1Gloading\x1b[2K\x1b[1Gok\n", ["ok"]),
        (b"\x1b[32mload\x1b[0ming\r\x1b[31mLOAD\x1b[0m", ["LOADing"]),
        (b"password=hunter2hunter2hunter2\rpassed\n", ["passedrd=[redacted]"]),
        (b"caf\xc3\xa9\ncaf\x82\nna\xc3\xafve\n", ["café", "caf‚", "naïve"]),
        (b"\xef\xbb\xbfcaf\xc3\xa9\n", ["café"]),
        ("\ufeffcafé \x1b[1mok\x1b[0m\r\nЖ\n".encode("utf-16-le"), ["café ok", "Ж"]),
        ("\ufeffcafé\r\nЖ\n".encode("utf-16-be"), ["café", "Ж"]),
        ("\ufeffcafé\nЖ".encode("utf-32-le"), ["café", "Ж"]),
        (b" a\tb ", [" a b "]),
        (b"a\x0bb\x0cc\x00d\x7fe\x06f", ["abcdef"]),
        (b"\x1b[1;31mERROR\x1b[0m: no\x1b[K", ["ERROR: no"]),
        (b"ER\x1b[4mROR", ["ERROR"]),
        (b"\x1b]0;title\x07text\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", ["textlink"]),
        (b"\x1b(Bplain\x1b=\x1bM", ["plain"]),
        (b"cut \x1b[\nnext \x1b\nlast \x1b]0;title\nend", ["cut ", "next ", "last ", "end"]),
        (b"caf\xc3\xa9 \xc2\x9b31mred\xc2\x85", ["café red"]),
        (b"caf\xe9 \x93q\x94", ["café “q”"]),
        (b"\x81", ["\ufffd"]),
    ],
)
def test_messages(data: bytes, messages: list[str]) -> None:
    assert log(data).messages == messages


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.lists(st.sampled_from([b"\x1b", b"[", b"]", b"\n", b"m"])).map(b"".join)
)
def test_no_control_character_is_left_and_lines_are_kept(data: bytes) -> None:
    lines = log(data)
    assert not any(unicodedata.category(letter) == "Cc" for message in lines.messages for letter in message)
    ends = data.count(b"\n")
    assert ends <= len(lines.messages) <= ends + 1
    assert [line["line"] for line in published(lines)] == list(range(1, len(lines.messages) + 1))


@pytest.mark.parametrize(("lines", "pages"), [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (2_500, 3)])
def test_pages(lines: int, pages: int) -> None:
    documents = dict(build_log.documents(7, log(b"x\n" * lines)))
    assert list(documents) == ["runs/7/log.json", *(f"runs/7/log/page/{page}.json" for page in range(2, pages + 1))]
    decoded = [json.loads(document) for document in documents.values()]
    assert [line["line"] for page in decoded for line in page["data"]] == list(range(1, lines + 1))
    assert all(len(page["data"]) <= 1_000 and page["meta"] == {} for page in decoded)
    assert {(page["pagination"]["per_page"], page["pagination"]["total"]) for page in decoded} == {(1_000, lines)}


def test_long_lines_are_cut_after_their_level_is_known() -> None:
    (line,) = published(log(b"x" * build_log.MAX_MESSAGE + b" ERROR"))
    assert line == {"line": 1, "level": "error", "source": "web", "message": "x" * build_log.MAX_MESSAGE, "cut": True}


def test_the_numbering_ends_where_a_log_is_cut() -> None:
    lines = log(b"one\ntwo\nthr", b"ve\nsix\nseven", size=1_000)
    cut = {"after_line": 2, "omitted_bytes": 1_000 - len(b"one\ntwo\nsix\nseven"), "size": 1_000}
    assert [(line["line"], line["message"]) for line in published(lines)] == [
        (1, "one"),
        (2, "two"),
        (None, "six"),
        (None, "seven"),
    ]
    assert all(json.loads(document)["meta"] == {"cut": cut} for _, document in build_log.documents(7, lines))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("offset", [0, 1, 2, 3])
def test_a_cut_log_in_utf_16_is_read_by_whole_characters(encoding: str, offset: int) -> None:
    line_feed = "\u0a0a\n".encode(encoding)  # U+0A0A holds the bytes of a line feed
    data = "\ufeff".encode(encoding) + b"".join(f"{n}".encode(encoding) + line_feed for n in range(10))
    unit = len("\n".encode(encoding))
    head, tail = data[: len(data) // 2 - offset], data[len(data) // 2 + offset :]
    lines = log(head, tail, size=len(data))
    assert lines.cut is not None
    first = lines.cut["after_line"]
    assert lines.messages[:first] == [f"{n}\u0a0a" for n in range(first)]
    assert lines.messages[first:] == [f"{n}\u0a0a" for n in range(10 - len(lines.messages) + first, 10)]
    kept = "".join(f"{message}\n" for message in lines.messages).encode(encoding)
    assert lines.cut["omitted_bytes"] == len(data) - unit - len(kept)
    assert first >= 3
    assert len(lines.messages) - first >= 3


def test_what_follows_the_gap_of_a_cut_log_may_be_anything() -> None:
    assert log("\ufeffa\nb".encode("utf-32-le"), b"\n\0\0\0\xff\xff\xff\xff", size=100).messages == ["a", "\ufffd"]


def test_a_cut_log_of_one_line_keeps_its_ends() -> None:
    lines = log(b"head", b"tail", size=1_000)
    assert lines.messages == ["head", "tail"]
    assert lines.cut == {"after_line": 1, "omitted_bytes": 992, "size": 1_000}


@pytest.mark.parametrize(
    ("name", "message", "named"),
    [
        ("a.ts", "a.ts", True),
        ("a.ts", "reads /data/a.ts: fails", True),
        ("a.ts", r"C:\samples\a.ts", True),
        ("a.ts", "./a.ts.", True),
        ("a.ts", "...a.ts...", True),
        ("a.ts", '("a.ts")', True),
        ("a.ts", "ba.ts", False),
        ("a.ts", "b-a.ts", False),
        ("a.ts", "b.a.ts", False),
        ("a.ts", "_a.ts", False),
        ("a.ts", "a.tsx", False),
        ("a.ts", "a.ts.bak", False),
        ("a.ts", "a.ts-2", False),
        ("a.ts", "A.TS", False),
        ("a.ts", "axts", False),
        ("a", "a cat", True),
        ("a", "cat", False),
        ("clip (1)", "the clip (1) is", True),
        ("clip (1)", "the clip (1).ts is", False),
        ("clip 1", "clip 12 clip 1", True),
        ("(x)", "see (x)", True),
        ("(x)", "f(x)", False),
        (".hidden", "/.hidden", True),
        ("é.ts", "/é.ts", True),
        ("", "anything", False),
        ("()", "anything ()", False),
        ("a.ts", "b..a.ts", False),
        ("a.ts", "a.ts..b", False),
        ("a.ts", "..a.ts..", True),
    ],
)
def test_a_name_counts_where_it_stands_alone(name: str, message: str, named: bool) -> None:
    found = build_log.excerpts(log(message.encode()), {1: [name]})
    assert [line["message"] for line in found.get(1, [])] == ([message] if named else [])


def test_excerpts_are_the_first_lines_of_each() -> None:
    data = b"".join(b"%d: a.ts and %s\n" % (number, b"b.ts" if number == 30 else b"none") for number in range(1, 101))
    found = build_log.excerpts(
        log(data), {"a": ["a.ts", "none"], "b": ["b.ts", "a b c"], "c": ["c.ts"], "same": ["b.ts"]}
    )
    assert [line["line"] for line in found["a"]] == list(range(1, 21))
    assert [line["line"] for line in found["b"]] == [30] == [line["line"] for line in found["same"]]
    assert "c" not in found


@example(["a -", "(b", "b"], ["a..a - a.", "_a( b..(b b.", "b. a"])
@given(
    st.lists(st.text("ab.-_ (", max_size=5), max_size=4),
    st.lists(st.text("ab.-_ (", max_size=12), max_size=6),
)
def test_excerpts_are_those_of_a_plain_search(names: list[str], messages: list[str]) -> None:
    def word(letter: str) -> bool:
        return letter.isalnum() or letter in tuple("_-")

    def names_it(message: str, name: str) -> bool:
        for at in range(len(message)):
            if any(map(word, name)) and message.startswith(name, at):
                before, after = message[:at], message[at + len(name) :].lstrip(".")
                joined = before[-1:] == "." and word(before.rstrip(".")[-1:])
                if not word(before[-1:]) and not joined and not word(after[:1]):
                    return True
        return False

    found = build_log.excerpts(log("\n".join([*messages, "end"]).encode()), dict(enumerate([name] for name in names)))
    for key, name in enumerate(names):
        expected = [number for number, message in enumerate(messages, 1) if names_it(message, name)]
        assert [line["line"] for line in found.get(key, [])] == expected
