"""The shapes of the published documents, and their encoding.

Field order here is the order of the keys in the documents. Times are `YYYY-MM-DDTHH:MM:SSZ` (UTC), runtimes and
durations milliseconds, links relative references from the document they stand in. A part that many documents share
is encoded once and stands in them as an `orjson.Fragment`; its type is then `Encoded`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NotRequired, TypedDict

import orjson

from exporter.status import Match, ResultStatus, RunStatus

Encoded = orjson.Fragment
"""JSON of the shape that the field's docstring or neighbour names, encoded already."""


Document = tuple[str, bytes]
"""A document to publish: its path below the API root, and its bytes."""


def encode(value: Any) -> bytes:
    """The one encoding of every document: UTF-8, keys in the order of their shape, no white space."""
    return orjson.dumps(value)


def fragment(value: Any) -> Encoded:
    """Encode a part that many documents share."""
    return orjson.Fragment(orjson.dumps(value))


HOLE = orjson.Fragment(b"\0")
"""A value of a `Template` that is filled in later. No encoded JSON holds a NUL byte."""


class Template:
    """A document's shape, encoded once, with holes for the values that change.

    Args:
        shape: the document, with `HOLE` for each such value.
    """

    __slots__ = ("_pieces",)

    def __init__(self, shape: Mapping[str, Any]) -> None:
        self._pieces = encode(shape).split(b"\0")

    def fill(self, first: bytes, second: bytes) -> bytes:
        """The document with its two holes filled by encoded values."""
        a, b, c = self._pieces
        return b"".join((a, first, b, second, c))


def joined(items: Iterable[bytes]) -> Encoded:
    """A list of encoded items."""
    return orjson.Fragment(b"[" + b",".join(items) + b"]")


def digest(data: bytes) -> str:
    """The SHA-256, in hex, by which manifests know a document."""
    return hashlib.sha256(data, usedforsecurity=False).hexdigest()


class FeedPagination(TypedDict):
    """How to go on from a feed's head (which tells the total) or archive page (which does not)."""

    total: NotRequired[int]
    next: str | None


class ListDocument(TypedDict):
    """The envelope of every list. `summary` stands in `errors.json` alone."""

    data: Any
    pagination: Mapping[str, int | str | None] | FeedPagination
    meta: dict[str, Any]
    summary: NotRequired[dict[str, list["ErrorGroup"]]]


def listing(data: Any, pagination: Mapping[str, int | str | None] | FeedPagination) -> ListDocument:
    """A list's envelope around its items."""
    return {"data": data, "pagination": pagination, "meta": {}}


class Summary(TypedDict):
    """A run's counts. `duration_ms` is the sum of the runtimes, null unless positive."""

    total_samples: int
    pass_count: int
    fail_count: int
    skipped_count: int
    missing_output_count: int
    error_count: int
    duration_ms: int | None


class Run(TypedDict):
    """A run, as in every list of runs."""

    run_id: int
    status: RunStatus
    platform: str | None
    test_type: str | None
    repository: str
    branch: str | None
    commit_sha: str | None
    pr_number: int | None
    created_at: str | None
    queued_at: str | None
    started_at: str | None
    completed_at: str | None
    github_link: str | None
    summary: Summary


class Progress(TypedDict):
    """One step of a run."""

    timestamp: str | None
    status: str | None
    message: str | None


class InfrastructureError(TypedDict):
    """A failure of the platform itself during a run."""

    error_id: str
    run_id: int
    sample_id: None
    regression_id: None
    type: str
    severity: str
    message: str
    location: None
    occurred_at: str | None


class RunIdentity(TypedDict):
    """What a result says of its run: nothing that changes while the run goes on."""

    run_id: int
    platform: str | None
    test_type: str | None
    repository: str
    branch: str | None
    commit_sha: str | None
    pr_number: int | None
    href: str


class Output(TypedDict):
    """An output of a result, as in a run's list of results."""

    output_id: int
    filename: str | None
    status: ResultStatus
    match: Match


class OutputDetail(Output):
    """An output in a result's own document. `got_hash` is null where nothing was written."""

    expected_hash: str | None
    got_hash: str | None
    diff: str | None


class ErrorItem(TypedDict):
    """One way in which one result of a run is not what was expected."""

    error_id: str
    run_id: int
    sample_id: int | None
    regression_id: int
    type: str
    severity: str
    message: str
    occurred_at: str | None


class ErrorGroup(TypedDict):
    """The error items of a run that agree in one field; `sample_ids` are at most 1,000, first met first."""

    key: str
    group_by: str
    count: int
    severity: str
    sample_ids: list[int]
    first_seen_at: str | None
    last_seen_at: str | None


class HistoryEntry(TypedDict):
    """One result, as the histories tell it."""

    run_id: int
    regression_test_id: int
    status: ResultStatus
    platform: str | None
    branch: str | None
    commit_sha: str | None
    tested_at: str | None
    failure_signature: str | None
    runtime_ms: int | None
    exit_code: int | None


class Sample(TypedDict):
    """A sample, as in every list of samples."""

    sample_id: int
    sha: str | None
    extension: str | None
    original_name: str | None
    filename: str | None
    tags: list[str]
    regression_test_count: int
    active: bool


class Upload(TypedDict):
    """How a sample came to the platform. `version_released` is `YYYY-MM-DD`."""

    platform: str | None
    parameters: str | None
    notes: str | None
    version: str | None
    version_released: str | None


class RegressionTest(TypedDict):
    """A regression test, as in every list of regression tests."""

    regression_test_id: int
    sample_id: int | None
    sample_name: str | None
    command: str | None
    input_type: str | None
    output_type: str | None
    expected_rc: int | None
    active: bool | None
    categories: list[str]
    description: str | None


class Variant(TypedDict):
    """A content that is accepted beside the correct one."""

    id: int
    hash: str | None


class ExpectedOutput(TypedDict):
    """An output that a regression test should write."""

    id: int
    correct: str | None
    correct_extension: str | None
    expected_filename: str | None
    ignore: bool | None
    variants: list[Variant]


class Category(TypedDict):
    """A category; `test_count` counts the rows that name it."""

    id: int
    name: str | None
    description: str | None
    test_count: int


class Tag(TypedDict):
    """A sample's tag."""

    id: int
    name: str | None
    description: str | None


class FacetValue(TypedDict):
    """A value of a facet: how many items have it, and their list."""

    value: str
    total: int
    href: str


_PAGE_LINKS = ("first", "prev", "next", "last")


def links(document: Any) -> Iterator[str]:
    """All links in a decoded document: its `href` and `diff` fields, and the values of `links` and `pagination`."""
    if isinstance(document, list):
        for value in document:
            yield from links(value)
    elif isinstance(document, dict):
        for key, value in document.items():
            if isinstance(value, str):
                if key in ("href", "diff"):
                    yield value
            elif key == "pagination":
                yield from (link for name in _PAGE_LINKS if (link := value.get(name)) is not None)
            elif key == "links":
                yield from (link for link in value.values() if link is not None)
            else:
                yield from links(value)


class DiffSummary(TypedDict):
    """How much differs, in lines; of the whole diff, also where its hunks are bounded."""

    added_lines: int
    removed_lines: int
    changed_hunks: int


LineKind = Literal["added", "removed", "context"]


class DiffLine(TypedDict):
    """A line of a hunk. Its numbers count from 1 and are null in the content that lacks it.

    `cut` is there, and true, where `text` is only the line's beginning.
    """

    kind: LineKind
    expected_line: int | None
    actual_line: int | None
    text: str
    cut: NotRequired[bool]


class Hunk(TypedDict):
    """Lines that differ, with three lines of context around them; where they start, counted from 1."""

    expected_start: int
    actual_start: int
    lines: list[DiffLine]


class DiffTruncation(TypedDict):
    """Which limits a diff met: `comparison` (it is right, but not as small as it could be), or what is left out."""

    comparison: bool
    hunks: bool
    text: bool
    unified: bool


DiffStatus = Literal["identical", "different", "missing_expected", "missing_actual", "too_large"]


class Diff(TypedDict):
    """Expected against actual output, by lines. Sizes are bytes, null where a content is missing.

    `same_bytes` is null where nothing was compared; false beside `identical` where only line ends differ.
    """

    status: DiffStatus
    expected_size: int | None
    actual_size: int | None
    same_bytes: bool | None
    summary: DiffSummary
    hunks: list[Hunk]
    unified: str
    truncated: DiffTruncation


class LogLine(TypedDict):
    """A line of a build log. `line` counts from 1, and is null after the part that was left out of a long log.

    `cut` is there, and true, where `message` is only the line's beginning.
    """

    line: int | None
    level: str
    source: str
    message: str
    cut: NotRequired[bool]


class LogCut(TypedDict):
    """What is missing in the middle of a long log; stands as `cut` in the `meta` of each of its pages."""

    after_line: int
    omitted_bytes: int
    size: int
