"""The difference between an expected and an actual output: `diffs/EXPECTED-GOT.json`.

The texts are compared by lines, as `line_matching` matches them. Lines that match in their characters but not in their
bytes, because they are encoded differently, are removed and added lines of the same text.
"""

from collections.abc import Sequence

from exporter.builders import captions
from exporter.builders.compared_text import Side, count_reencoded, differs_in, name_ends, recoded_runs, split_runs
from exporter.builders.diff_hunks import grouped, hunks, patch, unified
from exporter.builders.line_matching import Matching, Opcode, match
from exporter.documents.files import Diff, DiffStatus
from exporter.source.sample_repository import Content

RULES = 5
"""Raised where the same contents give another document than before: published ones are then made anew, once."""

MAX_SIZE = 10 * 1024 * 1024
"""Bytes of a content that is compared; a larger one is `too_large` (issue 5)."""


NOTHING = Content(0, b"")
"""What an output that was not written is compared as."""


def document(expected: Content | None, actual: Content | None) -> Diff:
    """Compare two contents; None is a file that is not there (or cannot be read)."""
    sizes = (expected and expected.size, actual and actual.size)
    if expected is None:
        return _document("missing_expected", sizes)
    if actual is None:
        return _document("missing_actual", sizes)
    if expected.data is None or actual.data is None or max(expected.size, actual.size) > MAX_SIZE:
        return _document("too_large", sizes)
    a = Side(expected.data)
    same_bytes = expected.data == actual.data
    b = a if same_bytes else Side(actual.data)
    result = _document("identical", sizes, same_bytes=same_bytes)
    result["expected"], result["actual"] = a.format, b.format
    if same_bytes:
        return result
    same_text = a.lines == b.lines
    whole: list[Opcode] = [("equal", 0, len(a.lines), 0, len(b.lines))]
    matching = Matching(whole, coarse=False) if same_text else match(a.lines, b.lines)
    runs = list(recoded_runs(a, b, matching.opcodes))
    if not same_text or runs:
        result["status"] = "different"
        _compare(result, a, b, Matching(split_runs(matching.opcodes, runs), matching.coarse) if runs else matching)
        count_reencoded(result["summary"], a, b, runs)
    result["differs_in"] = list(differs_in(result, a, b, matching.opcodes, same_text=same_text))
    return result


def _document(status: DiffStatus, sizes: tuple[int | None, int | None], *, same_bytes: bool | None = None) -> Diff:
    return {
        "status": status,
        "expected_size": sizes[0],
        "actual_size": sizes[1],
        "same_bytes": same_bytes,
        "expected": None,
        "actual": None,
        "differs_in": [],
        "summary": {
            "added_lines": 0,
            "removed_lines": 0,
            "changed_hunks": 0,
            "reencoded_lines": 0,
            "reencoded_characters": 0,
        },
        "hunks": [],
        "unified": "",
        "patch": None,
        "truncated": {"comparison": False, "hunks": False, "text": False, "unified": False},
    }


def _compare(result: Diff, a: Side, b: Side, matching: Matching) -> None:
    """Fill in what a comparison of different texts shows."""
    groups = grouped(matching.opcodes)
    changes = [opcode for group in groups for opcode in group if opcode[0] != "equal"]
    summary, truncated = result["summary"], result["truncated"]
    summary["added_lines"] = sum(j2 - j1 for _, _, _, j1, j2 in changes)
    summary["removed_lines"] = sum(i2 - i1 for _, i1, i2, _, _ in changes)
    summary["changed_hunks"] = len(groups)
    if (cues := captions.changes(a.lines, b.lines, *_same(matching.opcodes))) is not None:
        summary["cues_added"], summary["cues_removed"] = cues.added, cues.removed
        summary["cues_changed_text"], summary["cues_changed_time"] = cues.changed_text, cues.changed_time
    truncated["comparison"] = matching.coarse
    result["hunks"], truncated["hunks"] = hunks(groups, a.lines, b.lines)
    complete = None if truncated["hunks"] else result["hunks"]
    result["unified"], truncated["unified"] = unified(groups, a.lines, b.lines, complete)
    truncated["text"] = any("cut" in line for hunk in result["hunks"] for line in hunk["lines"])
    name_ends(result["hunks"], a, b)
    if not (truncated["hunks"] or truncated["unified"] or truncated["text"]):
        result["patch"] = patch(groups, matching.opcodes, result, a, b)


def _same(opcodes: Sequence[Opcode]) -> tuple[int, int]:
    """How many lines at the beginnings and at the ends of two texts match."""
    first, last = opcodes[0], opcodes[-1]
    return first[2] if first[0] == "equal" else 0, last[2] - last[1] if last[0] == "equal" else 0
