"""Diffs of random caption files with random edits, held against the programs `diff` and `patch`."""

import pathlib
import random
import subprocess

import pytest

from exporter.builders import diffs
from exporter.source.sample_repository import Content
from tests.support import needs

WORDS = ["the", "quick", "brown", "fox", "mañana", "café", "¡olé!", "Straße", "naïve", "señor", "música", "and", "then"]
Cues = list[tuple[int, int, str]]


def make(rng: random.Random, count: int) -> Cues:
    cues, at = [], 0
    for _ in range(count):
        at += rng.randrange(200, 3_000)
        end = at + rng.randrange(500, 3_000)
        cues.append((at, end, "[MUSIC]" if rng.random() < 0.1 else " ".join(rng.choices(WORDS, k=rng.randrange(1, 8)))))
        at = end
    return cues


def edit(rng: random.Random, cues: Cues) -> Cues:
    cues = list(cues)
    for _ in range(rng.randrange(1, 6)):
        at = rng.randrange(len(cues))
        start, end, text = cues[at]
        match rng.choice(["drop", "insert", "retime", "text"]):
            case "drop" if len(cues) > 1:
                del cues[at]
            case "insert":
                cues.insert(at, (start - 100, start - 1, f"inserted {rng.randrange(999)}"))
            case "retime":
                cues[at] = (start + 40, end, text)
            case _:
                cues[at] = (start, end, f"{text} edited")
    return cues


def stamp(ms: int) -> str:
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


def render(cues: Cues, end: str, encoding: str) -> bytes:
    lines = [
        line
        for number, (start, stop, text) in enumerate(cues, 1)
        for line in (str(number), f"{stamp(start)} --> {stamp(stop)}", text, "")
    ]
    return "".join(f"{line}{end}" for line in lines).encode(encoding)


@pytest.mark.parametrize("seed", range(300))
def test_a_diff_is_about_as_small_as_diff_s_and_can_be_applied(seed: int, tmp_path: pathlib.Path) -> None:
    rng = random.Random(seed)
    cues = make(rng, rng.choice([1, 3, 20, 50, 200]))
    end, encoding = rng.choice(["\n", "\r\n"]), rng.choice(["utf-8", "utf-8", "latin-1"])
    other = encoding if rng.random() < 0.8 else "utf-8"
    expected, actual = render(cues, end, encoding), render(edit(rng, cues), end, other)
    if expected == actual:
        return
    document = diffs.document(Content(len(expected), expected), Content(len(actual), actual))
    assert document["status"] == "different"
    old, new, change = tmp_path / "old", tmp_path / "new", tmp_path / "change"
    old.write_bytes(expected)
    new.write_bytes(actual)
    printed = subprocess.run(
        [needs.program("diff", "diffutils"), "-a", "-u", old, new], capture_output=True, check=False
    ).stdout.split(b"\n")[2:]
    least = sum(line.startswith((b"-", b"+")) for line in printed)
    summary = document["summary"]
    assert summary["added_lines"] + summary["removed_lines"] <= 1.1 * least
    assert summary["cues_added"] - summary["cues_removed"] == actual.count(b"-->") - expected.count(b"-->")
    assert (document["patch"] is not None) == ("latin-1" not in (encoding, other) or (expected + actual).isascii())
    if document["patch"] is not None:
        change.write_bytes(document["patch"].encode())
        done = subprocess.run(
            [needs.program("patch", "patch"), "--force", old, change], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
        assert old.read_bytes() == actual
