"""Answers of the platform's read API, computed from published documents: pure functions, no I/O.

Field names, filters and envelopes are those of the platform's recorded answers (`tests/data/parity`).
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

Item = Mapping[str, Any]
Body = dict[str, Any]
Filter = Callable[[Item], bool]

RUN = (
    "run_id", "status", "platform", "test_type", "repository", "branch", "commit_sha", "pr_number",
    "created_at", "queued_at", "started_at", "completed_at", "github_link",
)  # fmt: skip
RESULT = (
    "regression_test_id", "sample_id", "sample_name", "status", "exit_code", "expected_rc", "runtime_ms",
    "command", "categories",
)  # fmt: skip
SAMPLE = ("sample_id", "sha", "extension", "original_name", "filename", "active", "tags", "regression_test_count")
SAMPLE_DETAILS = ("sample_id", "sha", "extension", "original_name", "filename", "tags", "upload", "extra_files")
REGRESSION_TEST = (
    "regression_test_id", "sample_id", "sample_name", "command", "input_type", "output_type", "expected_rc",
    "active", "categories", "description",
)  # fmt: skip
HISTORY_ENTRY = (
    "run_id", "regression_test_id", "status", "platform", "branch", "commit_sha", "tested_at", "failure_signature",
)  # fmt: skip
ERROR = ("error_id", "run_id", "sample_id", "regression_id", "type", "severity", "message", "occurred_at")
INFRASTRUCTURE_ERROR = (*ERROR, "location")
ERROR_GROUP = ("key", "group_by", "count", "severity", "sample_ids", "first_seen_at", "last_seen_at")
CATEGORY = ("id", "name", "description", "test_count")
TAG = ("id", "name", "description")

OFFSET_TIMES = frozenset({"occurred_at", "first_seen_at", "last_seen_at"})
"""Fields whose times the platform ends with `+00:00`, and the published documents with `Z`."""


def shown(item: Item, fields: Sequence[str]) -> Body:
    """An item with the platform's fields alone."""
    return {name: _offset_time(item[name]) if name in OFFSET_TIMES else item[name] for name in fields}


def _offset_time(value: Any) -> Any:
    return value.removesuffix("Z") + "+00:00" if isinstance(value, str) and value.endswith("Z") else value


def result(item: Item) -> Body:
    """A result: an accepted variant is a `fail` there, and an output that was not written is not listed."""
    outputs = [
        {
            "output_id": output["output_id"],
            "filename": output["filename"],
            "status": "fail" if output["match"] == "variant" else output["status"],
        }
        for output in item["outputs"]
        if output["match"] != "missing"
    ]
    return {**shown(item, RESULT), "outputs": outputs}


def log_line(run_id: int, line: Item) -> Body:
    """A line of `/runs/ID/logs`."""
    return {
        "run_id": run_id,
        "sample_id": None,
        "timestamp": None,
        "level": line["level"],
        "source": line["source"],
        "message": line["message"],
    }


def page(items: Sequence[Body], total: int, limit: int, offset: int, meta: Body | None = None) -> Body:
    """The envelope of a list: `items` are those from `offset` on, at most `limit`."""
    following = offset + limit if offset + limit < total else None
    return {
        "data": list(items),
        "pagination": {"limit": limit, "offset": offset, "next_offset": following, "total": total},
        "meta": meta or {},
    }


class _Weights(dict[int, str]):
    """Code point → the character that `utf8mb4_general_ci` takes for the same, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code < _LAST_DECOMPOSED and character not in "Йй":  # of other scripts and this letter marks are a part
            character = unicodedata.normalize("NFD", character)[0]
        upper = character.upper()
        self[code] = "\ufffd" if code > _LAST_TOLD_APART else upper if len(upper) == 1 else character
        return self[code]


_LAST_DECOMPOSED, _LAST_TOLD_APART = 0x1FFF, 0xFFFF
_WEIGHTS = _Weights({ord("ß"): "S"})


def weights(text: str) -> str:
    """A text as MariaDB's `utf8mb4_general_ci` finds it in another: regardless of case and accents."""
    return text.upper() if text.isascii() else text.translate(_WEIGHTS)


def folded(text: str) -> str:
    """A text as MariaDB's `utf8mb4_general_ci` compares it: as `weights`, and regardless of trailing spaces."""
    return weights(text.rstrip(" "))


def equals(field: str, wanted: str) -> Filter:
    """A filter: a text field that the database would call equal; null never is."""
    key = folded(wanted)
    return lambda item: item[field] is not None and folded(str(item[field])) == key


def holds(field: str, wanted: str) -> Filter:
    """A filter: a list field with a text that the database would call equal."""
    key = folded(wanted)
    return lambda item: any(text is not None and folded(text) == key for text in item[field])


def contains(field: str, wanted: str) -> Filter:
    """A filter: a text field in which a text stands, regardless of case and accents."""
    key = weights(wanted)
    return lambda item: item[field] is not None and key in weights(str(item[field]))


def within(field: str, after: str | None, before: str | None, *, undated: bool) -> Filter:
    """A filter: a time (`YYYY-MM-DDTHH:MM:SSZ`) in a window, both ends included; `undated`: whether null passes."""

    def passes(item: Item) -> bool:
        moment = item[field]
        if moment is None:
            return undated
        return (after is None or moment >= after) and (before is None or moment <= before)

    return passes


def select(items: Iterable[Item], filters: Sequence[Filter]) -> list[Item]:
    """The items that pass all filters, in their order."""
    found = list(items)
    for passes in filters:
        found = list(filter(passes, found))
    return found


IDENTICAL: Body = {
    "status": "identical",
    "summary": {"added_lines": 0, "removed_lines": 0, "changed_hunks": 0},
    "hunks": [],
    "unified": "",
}
"""The diff of an output that was written as expected, of which no document exists."""


CONTEXT = 3
"""Lines of context of published diffs."""
_MARKS = {"context": " ", "removed": "-", "added": "+"}


def diff(identity: Body, document: Item, context: int, *, unified: bool) -> Body:
    """A diff as hunks or as one text, with `context` lines around each change.

    Where more lines are asked for than documents hold, `context_lines` says how many there are.
    """
    said = {"context_lines": CONTEXT} if context > CONTEXT else {}
    whole = context >= CONTEXT
    hunks = [part for hunk in document["hunks"] for part in _narrowed(hunk, context)]
    if unified:
        content = document["unified"] if whole or not hunks else _unified(hunks)
        return {**identity, "format": "unified", "content": content, **said}
    counts = {name: document["summary"][name] for name in ("added_lines", "removed_lines")}
    return {
        **identity,
        "format": "structured",
        "status": document["status"],
        "summary": {**counts, "changed_hunks": document["summary"]["changed_hunks"] if whole else len(hunks)},
        "hunks": hunks,
        **said,
    }


def _unified(hunks: Sequence[Body]) -> str:
    """Hunks in the unified format, as `difflib` writes it."""
    lines = ["--- expected", "+++ actual"]
    for hunk in hunks:
        spans = []
        for side in ("expected", "actual"):
            count = sum(line[f"{side}_line"] is not None for line in hunk["lines"])
            spans.append(f"{hunk[f'{side}_start']}" if count == 1 else f"{hunk[f'{side}_start']},{count}")
        lines.append(f"@@ -{spans[0]} +{spans[1]} @@")
        lines += [_MARKS[line["kind"]] + line["text"] for line in hunk["lines"]]
    return "\n".join(lines)


def _narrowed(hunk: Item, context: int) -> list[Body]:
    """A hunk with fewer lines of context; it may fall into several."""
    lines = [{name: line[name] for name in ("kind", "expected_line", "actual_line", "text")} for line in hunk["lines"]]
    if context >= CONTEXT:
        return [{**{name: hunk[name] for name in ("expected_start", "actual_start")}, "lines": lines}]
    changed = [at for at, line in enumerate(lines) if line["kind"] != "context"]
    kept = sorted({near for at in changed for near in range(at - context, at + context + 1) if 0 <= near < len(lines)})
    groups: list[list[int]] = []
    for at in kept:
        if groups and groups[-1][-1] == at - 1:
            groups[-1].append(at)
        else:
            groups.append([at])
    return [_hunk(lines, group, hunk) for group in groups]


def _hunk(lines: list[Body], places: list[int], whole: Item) -> Body:
    """The lines at these places as a hunk of their own."""
    starts = {}
    for side in ("expected", "actual"):
        numbers = [lines[at][f"{side}_line"] for at in places if lines[at][f"{side}_line"] is not None]
        earlier = [line[f"{side}_line"] for line in lines[: places[0]] if line[f"{side}_line"] is not None]
        start = whole[f"{side}_start"]
        starts[f"{side}_start"] = numbers[0] if numbers else earlier[-1] if earlier else max(0, start - 1)
    return {**starts, "lines": [lines[at] for at in places]}
