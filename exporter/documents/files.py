"""What comes from the sample repository: build logs, and outputs compared."""

from typing import Annotated, Literal, NotRequired, TypedDict

from exporter.documents.fields import Count, Keywords
from exporter.documents.lists import ListPagination
from exporter.source.text_decoding import Encoding, LineEnd, LineEnds


class LogLine(TypedDict):
    """A line of a build log."""

    line: Annotated[int | None, "Its number, from 1; null after the part that is left out of a long log."]
    level: Annotated[
        str, "The first of these that is in the line.", Keywords(enum=["critical", "error", "warning", "info", "debug"])
    ]
    source: Annotated[
        str,
        "The first of these that is in the line, else `web`.",
        Keywords(enum=["orchestrator", "worker", "build", "test_runner", "web"]),
    ]
    message: Annotated[str, "The line, without escape sequences and control characters."]
    cut: NotRequired[Annotated[bool, "There, and true, where `message` is only the line's beginning."]]


class LogCut(TypedDict):
    """What is missing in the middle of a long log."""

    after_line: Annotated[Count, "The last line before the gap."]
    omitted_bytes: Annotated[Count, "Size of the gap.", Keywords(x_unit="B")]
    size: Annotated[Count, "Size of the whole log.", Keywords(x_unit="B")]


class LogMeta(TypedDict):
    """What is to be known of a log beside its lines."""

    cut: NotRequired[Annotated[LogCut, "There where a long log's middle is left out."]]


class LogPage(TypedDict):
    """A page of a run's build log."""

    data: Annotated[list[LogLine], "1,000 lines, in their order."]
    pagination: ListPagination
    meta: LogMeta


class DiffSummary(TypedDict):
    """How much differs; of the whole diff, also where its hunks are bounded."""

    added_lines: Annotated[Count, "Lines of the actual output alone."]
    removed_lines: Annotated[Count, "Lines of the expected output alone."]
    changed_hunks: Annotated[Count, "Hunks."]
    reencoded_lines: Annotated[
        Count, "Lines of the same characters in other bytes; each is a removed and an added line, too."
    ]
    reencoded_characters: Annotated[Count, "Characters of these lines that are other bytes."]
    cues_added: NotRequired[Annotated[Count, "There where both are SubRip or WebVTT: cues of the actual output alone."]]
    cues_removed: NotRequired[Annotated[Count, "Likewise: cues of the expected output alone."]]
    cues_changed_text: NotRequired[Annotated[Count, "Likewise: cues with another text; numbers do not count."]]
    cues_changed_time: NotRequired[Annotated[Count, "Likewise: cues with other times or WebVTT settings."]]


LineKind = Literal["added", "removed", "context"]


class DiffLine(TypedDict):
    """A line of a hunk."""

    kind: Annotated[LineKind, "Whether only the actual output has it, only the expected one, or both."]
    expected_line: Annotated[int | None, "Its number in the expected output, from 1; null where it is not there."]
    actual_line: Annotated[int | None, "Its number in the actual output, from 1; null where it is not there."]
    text: Annotated[str, "The line, without its end."]
    expected_end: NotRequired[
        Annotated[LineEnd, "There where its end in the expected output is not what `line_ends` says of all lines."]
    ]
    actual_end: NotRequired[Annotated[LineEnd, "Likewise in the actual output."]]
    cut: NotRequired[Annotated[bool, "There, and true, where `text` is only a part of the line."]]
    omitted_before: NotRequired[Annotated[Count, "There with `cut`: characters of the line before `text`."]]
    omitted_after: NotRequired[Annotated[Count, "There with `cut`: characters of the line after `text`."]]


class Hunk(TypedDict):
    """Lines that differ, with three lines of context around them."""

    expected_start: Annotated[int, "Where it starts in the expected output, from 1; 0 if it has no line of that."]
    actual_start: Annotated[int, "Where it starts in the actual output, from 1; 0 if it has no line of that."]
    lines: Annotated[list[DiffLine], "In their order."]
    omitted_removed: NotRequired[Annotated[Count, "There in an incomplete hunk: removed lines that are left out."]]
    omitted_added: NotRequired[Annotated[Count, "There in an incomplete hunk: added lines that are left out."]]


class LineEndCounts(TypedDict):
    """How many lines end how."""

    lf: Annotated[Count, "With LF."]
    crlf: Annotated[Count, "With CR LF."]
    cr: Annotated[Count, "With CR."]


class TextFormat(TypedDict):
    """How an output is written, beside its characters."""

    encoding: Annotated[
        Encoding,
        "By the byte order mark; else `ascii`, `utf-8`, `windows-1252` (Latin-1 is a part of it), or `mixed` if some "
        "lines are UTF-8 and others Windows-1252.",
    ]
    bom: Annotated[bool, "Whether it begins with a byte order mark."]
    line_ends: Annotated[LineEnds, "Which line ends it has."]
    final_newline: Annotated[bool, "Whether its last line has an end."]
    line_end_counts: NotRequired[Annotated[LineEndCounts, "There where `line_ends` is `mixed`: how many of each."]]


class DiffTruncation(TypedDict):
    """Which limits a diff met."""

    comparison: Annotated[bool, "The diff is right, but not as small as it could be: the outputs are too long."]
    hunks: Annotated[bool, "Hunks or lines of them are left out."]
    text: Annotated[bool, "Long lines are cut."]
    unified: Annotated[bool, "Lines of the text are left out."]


DiffAspect = Literal["text", "encoding", "bom", "line_ends", "final_newline"]
DiffStatus = Literal["identical", "different", "missing_expected", "missing_actual", "too_large"]


class Diff(TypedDict):
    """Expected against actual output, by lines."""

    status: Annotated[DiffStatus, "What came of it: `missing_expected` also if both are missing."]
    expected_size: Annotated[Count | None, "Null where it is missing.", Keywords(x_unit="B")]
    actual_size: Annotated[Count | None, "Null where it is missing.", Keywords(x_unit="B")]
    same_bytes: Annotated[
        bool | None,
        "False beside `identical` where only line ends, or that of the last line, differ; null where nothing was "
        "compared.",
    ]
    expected: Annotated[TextFormat | None, "How the expected output is written; null where nothing was compared."]
    actual: Annotated[TextFormat | None, "How the actual output is written; null where nothing was compared."]
    differs_in: Annotated[list[DiffAspect], "In what they differ; empty if in nothing, or nothing was compared."]
    summary: DiffSummary
    hunks: Annotated[list[Hunk], "In their order."]
    unified: Annotated[str, "The same as text, as `diff -u` prints it, without line ends; empty if nothing differs."]
    patch: Annotated[
        str | None,
        "What makes the bytes of the actual output of those of the expected one, for `patch`, in UTF-8; null where no "
        "text can, or lines are left out.",
    ]
    truncated: DiffTruncation
