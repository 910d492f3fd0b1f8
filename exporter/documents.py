"""The shapes of the published documents, and their encoding.

Field order here is the order of the keys in the documents. Times are `YYYY-MM-DDTHH:MM:SSZ` (UTC), runtimes and
durations milliseconds, links relative references from the document they stand in. A part that many documents share
is encoded once and stands in them as an `orjson.Fragment`; its type is then `Encoded`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NotRequired, TypedDict

import orjson

from exporter.status import FailureCode, Match, ResultStatus, RunStatus, VerdictCode

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
        self._pieces = encode(shape).replace(b"%", b"%%").replace(b"\0", b"%b")

    def fill(self, *values: bytes) -> bytes:
        """The document with its holes filled by encoded values."""
        return self._pieces % values


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


class FailureCounts(TypedDict):
    """How many of a run's results are not `pass`, by classification and by verdict; every code is there."""

    codes: dict[FailureCode, int]
    verdicts: dict[VerdictCode, int]


class Classification(TypedDict):
    """Why a result is not `pass`; `reason` is one sentence."""

    code: FailureCode
    reason: str


class Verdict(TypedDict):
    """Whether a failure is news, from the results of the same test on the same platform before this run.

    `line` tells whose: `own`, the earlier runs of the same pull request or of the same branch and repository; where
    there is none `main`, the main line; null where there is none of either. `since_run` is the first run of the
    failing streak that goes on here. `signature_changed` is null unless the previous result failed too.
    """

    code: VerdictCode
    line: Literal["own", "main"] | None
    since_run: int | None
    last_pass_run: int | None
    previous_run: int | None
    signature_changed: bool | None


class PreviousResult(TypedDict):
    """The same test's last result on this platform before a run, in whichever run; `href` leads to its document."""

    run_id: int
    status: ResultStatus
    href: str | None


class ComparedResult(TypedDict):
    """A result in a bucket of a comparison; `status` and `href` are null where the test has no result here."""

    regression_test_id: int
    sample_id: int | None
    sample_name: str | None
    status: ResultStatus | None
    code: FailureCode | None
    verdict: VerdictCode | None
    href: str | None
    reference_status: ResultStatus | None
    reference_href: str | None


class Comparison(TypedDict):
    """A run against one reference. Without one `run` is null, and all failures are under `no_reference`."""

    run: "RunIdentity | None"
    broken: list[ComparedResult]
    fixed: list[ComparedResult]
    failing_identically: list[ComparedResult]
    failing_differently: list[ComparedResult]
    not_rerun: list[ComparedResult]
    no_reference: list[ComparedResult]
    unchanged_pass: int


class RunComparison(TypedDict):
    """`runs/ID/comparison.json`: a run against what was known before it.

    References: `main`, the newest finished run of the main line on its platform; `previous`, the one before it of its
    pull request or branch on its platform; `other_platform`, the same commit's newest earlier run on the other one.
    """

    run: "RunIdentity"
    references: dict[Literal["main", "previous", "other_platform"], Comparison]
    links: dict[str, str]


class Change(TypedDict):
    """One change of one test on the main line: it passed before and fails now, or the other way round.

    `flaky` tells that it is one of many (the rule of verdicts). `at` is when the run ended, else began.
    """

    kind: Literal["regression", "fix"]
    run_id: int
    platform: str
    regression_test_id: int
    sample_id: int | None
    sample_name: str | None
    status: ResultStatus
    code: FailureCode | None
    commit_sha: str | None
    previous_run: int
    flaky: bool
    at: str | None
    href: str | None


class Runtimes(TypedDict):
    """Runtimes in ms of those results that have one; over all results to within one percent."""

    median: int | None
    p95: int | None


class Window(TypedDict):
    """The newest results of a test on one platform, as many as the window's name says."""

    results: int
    passed: int
    pass_rate: float | None
    runtime_ms: Runtimes


class Stability(TypedDict):
    """How steady a regression test's results are on one platform, over all runs.

    `slower` is `status.is_slower`, `flaky` `status.is_flaky`; `state_changes_20` counts in the newest 20 results.
    """

    windows: dict[Literal["20", "100", "all"], Window]
    state_changes: int
    state_changes_20: int
    flaky: bool
    longest_pass_streak: int
    longest_fail_streak: int
    first_failure_run: int | None
    last_failure_run: int | None
    slower: bool | None


class Standing(TypedDict):
    """Where a test stands on the main line of one platform, as `flaky.json` and `failing.json` list it.

    `since_run` is the first run of the present failing streak; null while it passes.
    """

    regression_test_id: int
    platform: str
    sample_id: int | None
    sample_name: str | None
    command: str | None
    categories: list[str]
    run_id: int
    passes: bool
    since_run: int | None
    last_pass_run: int | None
    state_changes_20: int
    href: str


class RunFacts(TypedDict):
    """What a run's own rows say of it."""

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


class Run(RunFacts):
    """A run, as in every list of runs."""

    failures: FailureCounts


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


class GridRun(TypedDict):
    """A run as a column of a platform's grid.

    `results` has one letter for each test of the page's `meta.tests`, in that order: `p`ass, `f`ail, `m`issing output,
    `.` for none. `at` is when the run ended, else began, else was created.
    """

    run_id: int
    status: RunStatus
    repository: str
    branch: str | None
    commit_sha: str | None
    pr_number: int | None
    at: str | None
    results: str
    href: str


class FoundSample(TypedDict):
    """A sample in the search index; `sha` are the first 12 digits."""

    sample_id: int
    name: str | None
    sha: str | None
    tags: list[str]


class FoundTest(TypedDict):
    """A regression test in the search index."""

    regression_test_id: int
    sample_id: int | None
    command: str | None
    categories: list[str]
    active: bool | None


class SearchIndex(TypedDict):
    """`search.json`: all that the site's search needs of samples and regression tests, each by ascending id."""

    samples: list[FoundSample]
    regression_tests: list[FoundTest]


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
