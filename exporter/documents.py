"""The shapes of the published documents, and their encoding.

Field order here is the order of the keys in the documents. From the shapes alone `schemas` makes the published JSON
Schemas: a class's docstring is its description; a text in `Annotated` describes a field, `Keywords` there say more of
it. A part that many documents share is encoded once and stands in them as an `orjson.Fragment`; its type is then
`Encoded`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Annotated, Any, Generic, Literal, NotRequired, TypedDict, TypeVar

import orjson

from exporter import layout
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


class Keywords:
    """Keywords of JSON Schema that a type cannot tell, such as `minimum`; `x_unit` stands for `x-unit`."""

    def __init__(self, **values: Any) -> None:
        self.values = {name.replace("_", "-"): value for name, value in values.items()}


Time = Annotated[
    str,
    "UTC.",
    Keywords(format="date-time", pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", examples=["2026-06-30T12:00:00Z"]),
]
Milliseconds = Annotated[int, "Milliseconds.", Keywords(x_unit="ms", examples=[5321])]
Count = Annotated[int, Keywords(minimum=0)]
Link = Annotated[
    str,
    "Relative reference (RFC 3986) from this document to one that exists.",
    Keywords(format="uri-reference", examples=["../runs/9347.json"]),
]
Hash = Annotated[str, "Hash of a file's content, in lower-case hex as the platform stores it."]
Sha256 = Annotated[str, "SHA-256 in hex.", Keywords(pattern="^[0-9a-f]{64}$")]
CommitSha = Annotated[str, "Git commit.", Keywords(examples=["5b1c3e0a4d5f60718293a4b5c6d7e8f901234567"])]
RunId = Annotated[int, "A run's id.", Keywords(examples=[9347])]
SampleId = Annotated[int, "A sample's id.", Keywords(examples=[12])]
RegressionTestId = Annotated[int, "A regression test's id.", Keywords(examples=[73])]
PullRequest = Annotated[int, "Number of the pull request.", Keywords(minimum=1, examples=[1702])]
SampleName = Annotated[str, "`original_name` of the sample.", Keywords(examples=["BBC1.mp4"])]
Command = Annotated[str, "The test's arguments, as they are today.", Keywords(examples=["--autoprogram --out=srt"])]
Repository = Annotated[
    str,
    "The fork's URL without `https://github.com/` and without a final `.git`; `unknown` without a fork.",
    Keywords(examples=["CCExtractor/ccextractor"]),
]
Branch = Annotated[str, "Git branch.", Keywords(examples=["master"])]
Platform = Annotated[str, "Platform that tests run on.", Keywords(enum=["linux", "windows"])]
TestType = Annotated[str, "Whether a commit or a pull request is tested.", Keywords(enum=["commit", "pr"])]
ErrorType = Annotated[str, Keywords(enum=["exit_code_mismatch", "missing_output", "diff_mismatch"])]
Severity = Annotated[str, Keywords(enum=["warning", "error"])]


Item = TypeVar("Item")


class ListPagination(TypedDict):
    """Where a page of a numbered list stands in it."""

    page: Annotated[int, "This page's number, from 1.", Keywords(minimum=1)]
    pages: Annotated[int, "Number of pages; an empty list has one.", Keywords(minimum=1)]
    per_page: Annotated[int, "Items of a full page.", Keywords(examples=[100])]
    total: Annotated[Count, "Items of the whole list."]
    first: Annotated[Link, "The first page."]
    prev: Annotated[Link | None, "The page before this one."]
    next: Annotated[Link | None, "The page after this one."]
    last: Annotated[Link, "The last page."]


class ListPage(TypedDict, Generic[Item]):
    """A page of a numbered list."""

    data: Annotated[list[Item], "The items, in the list's order."]
    pagination: ListPagination
    meta: Annotated[dict[str, Any], "Empty as yet."]


class HeadPagination(TypedDict):
    """How to go on from a feed's head."""

    total: Annotated[Count, "Items of the whole feed."]
    next: Annotated[Link | None, "The newest archive page whose items the head does not hold."]


class FeedHead(TypedDict, Generic[Item]):
    """The head of a feed: its newest items, at least 100 or all."""

    data: Annotated[list[Item], "The newest items, newest first."]
    pagination: HeadPagination
    meta: Annotated[dict[str, Any], "Empty as yet."]


class ArchivePagination(TypedDict):
    """How to go on from a feed's archive page."""

    next: Annotated[Link | None, "The next older archive page."]


class FeedPage(TypedDict, Generic[Item]):
    """An archive page of a feed: all items of the runs with ids 100·K to 100·K + 99."""

    data: Annotated[list[Item], "The items, newest first.", Keywords(minItems=1)]
    pagination: ArchivePagination
    meta: Annotated[dict[str, Any], "Empty as yet."]


class FeedPagination(TypedDict):
    """How to go on from a feed's head (which tells the total) or archive page (which does not)."""

    total: NotRequired[int]
    next: str | None


class ListDocument(TypedDict):
    """The envelope of every list as it is made. `summary` stands in `errors.json` alone."""

    data: Any
    pagination: Mapping[str, int | str | None] | FeedPagination
    meta: dict[str, Any]
    summary: NotRequired[dict[str, list["ErrorGroup"]]]


def listing(data: Any, pagination: Mapping[str, int | str | None] | FeedPagination) -> ListDocument:
    """A list's envelope around its items."""
    return {"data": data, "pagination": pagination, "meta": {}}


class Summary(TypedDict):
    """A run's counts."""

    total_samples: Annotated[Count, "Tests that the run is limited to, or active regression tests."]
    pass_count: Annotated[Count, "Results that are `pass`."]
    fail_count: Annotated[Count, "Results that are `fail`."]
    skipped_count: Annotated[Count, "`total_samples` less the number of results, never below 0."]
    missing_output_count: Annotated[Count, "Results that are `missing_output`."]
    error_count: Annotated[Count, "Items of the run's `errors.json`."]
    duration_ms: Annotated[Milliseconds | None, "Sum of the runtimes, null unless above 0."]


class FailureCounts(TypedDict):
    """How many of a run's results are not `pass`."""

    codes: Annotated[dict[FailureCode, Count], "By classification; every code is there."]
    verdicts: Annotated[dict[VerdictCode, Count], "By verdict; every code is there."]


class Classification(TypedDict):
    """Why a result is not `pass`."""

    code: Annotated[FailureCode, "The first that applies."]
    reason: Annotated[str, "One sentence."]


class Verdict(TypedDict):
    """Whether a failure is news, from the results of the same test on the same platform before this run."""

    code: Annotated[VerdictCode, "The verdict."]
    line: Annotated[
        Literal["own", "main"] | None,
        "Whose results tell: `own`, the earlier runs of the same pull request or of the same branch and repository; "
        "where there is none `main`, the main line; null where there is none of either.",
    ]
    since_run: Annotated[
        RunId | None, "The first run of the failing streak that goes on here; null if the previous result passed."
    ]
    last_pass_run: Annotated[
        RunId | None, "The last run of that line, else of the main line, in which the test passed."
    ]
    previous_run: Annotated[RunId | None, "The run of the previous result there."]
    signature_changed: Annotated[
        bool | None, "Whether it fails otherwise than the previous result; null unless that failed too."
    ]


class PreviousResult(TypedDict):
    """The same test's last result on this platform before a run, in whichever run."""

    run_id: RunId
    status: Annotated[ResultStatus, "The result's status."]
    href: Annotated[Link | None, "The result's document, if it has one."]


class ComparedResult(TypedDict):
    """A result in a bucket of a comparison."""

    regression_test_id: RegressionTestId
    sample_id: SampleId | None
    sample_name: SampleName | None
    status: Annotated[ResultStatus | None, "Status here; null where the test has no result here."]
    code: Annotated[FailureCode | None, "Classification here; null unless it fails."]
    verdict: Annotated[VerdictCode | None, "Verdict here; null unless it fails."]
    href: Annotated[Link | None, "The result's document here, if there is one."]
    reference_status: Annotated[ResultStatus | None, "Status in the reference; null where it has none."]
    reference_href: Annotated[Link | None, "The result's document in the reference, if there is one."]


class Comparison(TypedDict):
    """A run against one reference."""

    run: Annotated["RunIdentity | None", "The reference; null without one: all failures are under `no_reference`."]
    broken: Annotated[list[ComparedResult], "Passes there, fails here."]
    fixed: Annotated[list[ComparedResult], "Fails there, passes here."]
    failing_identically: Annotated[list[ComparedResult], "Fails in both in the same way."]
    failing_differently: Annotated[list[ComparedResult], "Fails in both, in different ways."]
    not_rerun: Annotated[list[ComparedResult], "Fails there, has no result here; never called fixed."]
    no_reference: Annotated[list[ComparedResult], "Fails here, has no result there."]
    unchanged_pass: Annotated[Count, "Tests that pass in both."]


class ComparisonLinks(TypedDict):
    """Documents that lead on from a comparison."""

    samples: Annotated[Link, "Every result of the run."]
    failures: Annotated[Link, "Every result of the run that is not `pass`."]


class RunComparison(TypedDict):
    """A run against what was known before it.

    References: `main`, the newest finished run of the main line on its platform; `previous`, the one before it of its
    pull request or branch on its platform; `other_platform`, the same commit's newest earlier run on the other one.
    """

    run: "RunIdentity"
    references: Annotated[dict[Literal["main", "previous", "other_platform"], Comparison], "The run against each."]
    links: ComparisonLinks


class Change(TypedDict):
    """One change of one test on the main line: it passed before and fails now, or the other way round."""

    kind: Annotated[Literal["regression", "fix"], "Which way round."]
    run_id: Annotated[RunId, "The run that showed it."]
    platform: Platform
    regression_test_id: RegressionTestId
    sample_id: SampleId | None
    sample_name: SampleName | None
    status: Annotated[ResultStatus, "Status in that run."]
    code: Annotated[FailureCode | None, "Classification in that run; null for a fix."]
    commit_sha: CommitSha | None
    previous_run: Annotated[RunId, "The run of the test's previous result on the main line."]
    flaky: Annotated[bool, "Whether it is one of many changes, by the rule of verdicts."]
    at: Annotated[Time | None, "When the run ended, else began."]
    href: Annotated[Link | None, "The result's document, if it has one."]


class Runtimes(TypedDict):
    """Runtimes of those results that have one; over all results to within one percent."""

    median: Annotated[Milliseconds | None, "Half are no longer than this, in milliseconds."]
    p95: Annotated[Milliseconds | None, "95 of 100 are no longer than this, in milliseconds."]


class Window(TypedDict):
    """The newest results of a test on one platform, as many as the window's name says."""

    results: Annotated[Count, "Number of results."]
    passed: Annotated[Count, "Those that are `pass`."]
    pass_rate: Annotated[float | None, "`passed` / `results`; null without results.", Keywords(minimum=0, maximum=1)]
    runtime_ms: Runtimes


class Stability(TypedDict):
    """How steady a regression test's results are on one platform, over all runs."""

    windows: Annotated[dict[Literal["20", "100", "all"], Window], "The newest 20, 100 and all results."]
    state_changes: Annotated[Count, "Changes between passing and failing, over all results."]
    state_changes_20: Annotated[Count, "The same over the newest 20 results."]
    flaky: Annotated[bool, "Whether the test is flaky, by the rule of verdicts, over the newest 20 results."]
    longest_pass_streak: Annotated[Count, "Results."]
    longest_fail_streak: Annotated[Count, "Results."]
    first_failure_run: Annotated[RunId | None, "The first run in which the test failed."]
    last_failure_run: Annotated[RunId | None, "The last run in which the test failed."]
    slower: Annotated[
        bool | None,
        "Whether the newest 20 runtimes are longer than the 80 before them; null with fewer than 20 of either.",
    ]


class Standing(TypedDict):
    """Where a test stands on the main line of one platform."""

    regression_test_id: RegressionTestId
    platform: Platform
    sample_id: SampleId | None
    sample_name: SampleName | None
    command: Command | None
    categories: Annotated[list[str], "Names."]
    run_id: Annotated[RunId, "The test's newest run there."]
    passes: Annotated[bool, "Whether it passes there."]
    since_run: Annotated[RunId | None, "The first run of the present failing streak; null while it passes."]
    last_pass_run: Annotated[RunId | None, "The last run in which it passed."]
    state_changes_20: Annotated[Count, "Changes between passing and failing, over the newest 20 results."]
    href: Annotated[Link, "The regression test's document."]


class RunFacts(TypedDict):
    """What a run's own rows say of it."""

    run_id: RunId
    status: Annotated[RunStatus, "By the latest progress row, and the results."]
    platform: Platform | None
    test_type: TestType | None
    repository: Repository
    branch: Branch | None
    commit_sha: CommitSha | None
    pr_number: PullRequest | None
    created_at: Annotated[Time | None, "Time of the first progress row (UTC)."]
    queued_at: Annotated[Time | None, "The same as `created_at`."]
    started_at: Annotated[Time | None, "Time of the first `testing` row (UTC)."]
    completed_at: Annotated[Time | None, "Time of the last `completed` or `canceled` row (UTC)."]
    github_link: Annotated[str | None, "The commit or pull request at its host; absolute."]
    summary: Summary


class Run(RunFacts):
    """A run."""

    failures: FailureCounts


class RunItem(Run):
    """A run, as in every list of runs."""

    href: Annotated[Link, "The run's document."]


class Progress(TypedDict):
    """One step of a run."""

    timestamp: Annotated[Time | None, "When (UTC)."]
    status: Annotated[str | None, "Which.", Keywords(enum=["preparation", "testing", "completed", "canceled"])]
    message: Annotated[str | None, "What the platform says of it."]


class InfrastructureError(TypedDict):
    """A failure of the platform itself during a run."""

    error_id: Annotated[str, "`infra_RUN_ROWID`.", Keywords(examples=["infra_9347_51234"])]
    run_id: RunId
    sample_id: Annotated[None, "No sample's."]
    regression_id: Annotated[None, "No regression test's."]
    type: Annotated[
        str,
        "By words in the message.",
        Keywords(enum=["vm_provisioning", "checkout", "merge", "build", "worker", "storage"]),
    ]
    severity: Annotated[str, "Always `critical`.", Keywords(enum=["critical"])]
    message: Annotated[str, "The progress row's."]
    location: Annotated[None, "Unknown."]
    occurred_at: Annotated[Time | None, "Time of the progress row (UTC)."]


class RunConfig(TypedDict):
    """What a run was to test."""

    regression_test_ids: Annotated[
        list[RegressionTestId | None],
        "The tests that the run is limited to, in the order of the rows (null for a row that names none), or the "
        "active ones by id.",
    ]


class RunLinks(TypedDict):
    """Documents that lead on from a run."""

    samples: Annotated[Link, "Every result."]
    failures: Annotated[Link, "Every result that is not `pass`."]
    errors: Annotated[Link, "Each way in which a result is not what was expected."]
    comparison: Annotated[Link, "The run against its references."]
    log: Annotated[Link | None, "The build log, if there is one."]
    commit: Annotated[Link | None, "The runs of its commit."]
    pull_request: Annotated[Link | None, "The runs of its pull request."]


class RunDocument(Run):
    """A run, in full."""

    config: RunConfig
    progress: Annotated[list[Progress], "In the order of the rows."]
    infrastructure_errors: Annotated[list[InfrastructureError], "In the order of the rows."]
    links: RunLinks


class RunIdentity(TypedDict):
    """What a result says of its run: nothing that changes while the run goes on."""

    run_id: RunId
    platform: Platform | None
    test_type: TestType | None
    repository: Repository
    branch: Branch | None
    commit_sha: CommitSha | None
    pr_number: PullRequest | None
    href: Annotated[Link, "The run's document."]


class Output(TypedDict):
    """An output of a result, as in a run's list of results."""

    output_id: Annotated[int, "Id of the test's output."]
    filename: Annotated[str | None, "Where the sample repository keeps the expected file: its hash, and extension."]
    status: Annotated[ResultStatus, "What `match` comes to."]
    match: Annotated[
        Match,
        "`exact`: what was written is what was expected then; `variant`: it differs, but is accepted today; "
        "`different`: it differs; `missing`: an expected output that was not written.",
    ]


class OutputDetail(Output):
    """An output in a result's own document."""

    expected_hash: Annotated[Hash | None, "What was expected then."]
    got_hash: Annotated[Hash | None, "What was written; null where nothing was."]
    diff: Annotated[Link | None, "Expected against actual output, where it differs and both are known."]


class Result(TypedDict):
    """The result of one regression test in one run."""

    regression_test_id: RegressionTestId
    sample_id: SampleId | None
    sample_name: SampleName | None
    status: Annotated[ResultStatus, "By the first rule that applies: missing output, exit code, differing output."]
    exit_code: Annotated[int | None, "What the test exited with."]
    expected_rc: Annotated[int | None, "What it should have exited with."]
    runtime_ms: Annotated[Milliseconds | None, "How long it took, in milliseconds."]
    command: Command | None
    categories: Annotated[list[str], "Names, each once, by the id of the category."]


class ResultItem(Result):
    """A result, as in a run's list of results."""

    outputs: Annotated[list[Output], "By `output_id`."]
    href: Annotated[Link | None, "The result's own document, if it has one."]


class FailureItem(ResultItem):
    """A result that is not `pass`, as in a run's list of failures."""

    classification: Classification
    verdict: Verdict


class ResultLinks(TypedDict):
    """Documents that lead on from a result."""

    regression_test: Annotated[Link | None, "Its regression test, if that exists."]
    sample: Annotated[Link | None, "The test's sample, if it has one."]
    history: Annotated[Link | None, "That sample's history."]


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


class ResultDocument(Result):
    """A result, in full."""

    outputs: Annotated[list[OutputDetail], "By `output_id`."]
    classification: Annotated[Classification | None, "Why it is not `pass`; null for a pass."]
    verdict: Annotated[Verdict | None, "Whether the failure is news; null for a pass."]
    previous: Annotated[PreviousResult | None, "The test's last result on this platform before this run."]
    log_excerpt: Annotated[list[LogLine] | None, "The first lines of the log that name its sample; null without a log."]
    run: RunIdentity
    links: ResultLinks


class ErrorItem(TypedDict):
    """One way in which one result of a run is not what was expected."""

    error_id: Annotated[str, "Unique among all runs.", Keywords(examples=["err_9347_73_rc", "err_9347_73_missing_2"])]
    run_id: RunId
    sample_id: SampleId | None
    regression_id: RegressionTestId
    type: Annotated[ErrorType, "Which way."]
    severity: Annotated[Severity, "`warning` for output that differs."]
    message: Annotated[str, "One sentence."]
    occurred_at: Annotated[Time | None, "Time of the run's latest progress row (UTC)."]


class ErrorGroup(TypedDict):
    """The error items of a run that agree in one field."""

    key: Annotated[str, "The value as text; `None` for no sample."]
    group_by: Annotated[str, "The field.", Keywords(enum=["type", "severity", "sample_id", "regression_id"])]
    count: Annotated[int, "Number of items.", Keywords(minimum=1)]
    severity: Annotated[Severity, "The worst."]
    sample_ids: Annotated[list[SampleId], "First met first.", Keywords(maxItems=1000)]
    first_seen_at: Annotated[Time | None, "Of the first item (UTC)."]
    last_seen_at: Annotated[Time | None, "Of the last item (UTC)."]


class ErrorSummary(TypedDict):
    """All errors of a run, grouped by each of four fields; groups stand first met first."""

    type: Annotated[list[ErrorGroup], "By type."]
    severity: Annotated[list[ErrorGroup], "By severity."]
    sample_id: Annotated[list[ErrorGroup], "By sample."]
    regression_id: Annotated[list[ErrorGroup], "By regression test."]


class ErrorListPage(ListPage[ErrorItem]):
    """A page of a run's errors, by test, and the groupings of all of them."""

    summary: ErrorSummary


class HistoryEntry(TypedDict):
    """One result, as the histories tell it."""

    run_id: RunId
    regression_test_id: RegressionTestId
    status: Annotated[ResultStatus, "The result's."]
    platform: Platform | None
    branch: Branch | None
    commit_sha: CommitSha | None
    tested_at: Annotated[Time | None, "The run's `completed_at`, else its `started_at` (UTC)."]
    failure_signature: Annotated[
        str | None,
        "Tells one way of failing from another; null for a pass.",
        Keywords(examples=["missing_output", "diff_mismatch:output:12", "exit_code_mismatch:rc:10"]),
    ]
    runtime_ms: Annotated[Milliseconds | None, "How long it took, in milliseconds."]
    exit_code: Annotated[int | None, "What the test exited with."]


class Sample(TypedDict):
    """A sample."""

    sample_id: SampleId
    sha: Annotated[Hash | None, "Hash of the file."]
    extension: Annotated[str | None, "Without a dot, possibly empty.", Keywords(examples=["ts"])]
    original_name: Annotated[str | None, "The file's name when it was uploaded."]
    filename: Annotated[str | None, "`sha.extension`, or `sha` alone if the extension is empty."]
    tags: Annotated[list[str], "Names."]
    regression_test_count: Annotated[Count, "Active tests of it."]
    active: Annotated[bool, "Whether there is an active test."]


class SampleItem(Sample):
    """A sample, as in every list of samples."""

    href: Annotated[Link, "The sample's document."]


class Upload(TypedDict):
    """How a sample came to the platform."""

    platform: Annotated[str | None, "The uploader's.", Keywords(enum=["linux", "windows", "mac", "bsd"])]
    parameters: Annotated[str | None, "The uploader's."]
    notes: Annotated[str | None, "The uploader's."]
    version: Annotated[str | None, "Of CCExtractor, that the uploader used."]
    version_released: Annotated[str | None, "Day of that version's release.", Keywords(format="date")]


class ExtraFile(TypedDict):
    """A file that belongs to a sample."""

    id: Annotated[int, "Its id."]
    original_name: Annotated[str | None, "Its name when it was uploaded."]
    extension: Annotated[str | None, "Without a dot."]


class SampleTest(TypedDict):
    """A regression test, as its sample's document shows it."""

    regression_test_id: RegressionTestId
    command: Command | None
    active: Annotated[bool | None, "Whether runs do the test."]
    newest: Annotated[dict[Platform, ResultStatus | None], "Status of the newest result on each platform."]
    href: Annotated[Link, "The regression test's document."]


class Issue(TypedDict):
    """An issue about a sample."""

    issue_id: Annotated[int | None, "Its number at GitHub."]
    title: Annotated[str | None, "Its title."]
    status: Annotated[str | None, "Its status, as the platform last saw it."]
    created_at: Annotated[Time | None, "When it was opened (UTC)."]


class SampleLinks(TypedDict):
    """Documents that lead on from a sample."""

    history: Annotated[Link, "Every result of the sample's tests."]


class SampleDocument(Sample):
    """A sample, in full."""

    upload: Annotated[Upload | None, "The first one."]
    extra_files: Annotated[list[ExtraFile], "Files that belong to it."]
    regression_tests: Annotated[list[SampleTest], "By id."]
    issues: Annotated[list[Issue], "Issues about it."]
    links: SampleLinks


class RegressionTest(TypedDict):
    """A regression test."""

    regression_test_id: RegressionTestId
    sample_id: SampleId | None
    sample_name: SampleName | None
    command: Command | None
    input_type: Annotated[str | None, "How it gets the sample.", Keywords(enum=["file", "stdin", "udp"])]
    output_type: Annotated[
        str | None,
        "How it gives its output; `null` is a text here.",
        Keywords(enum=["file", "null", "tcp", "cea708", "multiprogram", "stdout", "report"]),
    ]
    expected_rc: Annotated[int | None, "What it should exit with."]
    active: Annotated[bool | None, "Whether runs do it."]
    categories: Annotated[list[str], "Names, each once, by the id of the category."]
    description: Annotated[str | None, "What it is for."]


class RegressionTestItem(RegressionTest):
    """A regression test, as in every list of regression tests."""

    href: Annotated[Link, "The regression test's document."]


class Variant(TypedDict):
    """A content that is accepted beside the correct one."""

    id: Annotated[int, "Its id."]
    hash: Annotated[Hash | None, "Its hash."]


class ExpectedOutput(TypedDict):
    """An output that a regression test should write."""

    id: Annotated[int, "Its id."]
    correct: Annotated[Hash | None, "Hash of the approved output."]
    correct_extension: Annotated[str | None, "With its dot.", Keywords(examples=[".srt"])]
    expected_filename: Annotated[str | None, "The name that the test gives it."]
    ignore: Annotated[bool | None, "Whether nobody minds if it is not written."]
    variants: Annotated[list[Variant], "What else is accepted."]


class RegressionTestLinks(TypedDict):
    """Documents that lead on from a regression test."""

    sample: Annotated[Link | None, "Its sample, if it has one."]
    history: Annotated[Link | None, "That sample's history."]


class RegressionTestDocument(RegressionTest):
    """A regression test, in full."""

    outputs: Annotated[list[ExpectedOutput], "What it should write."]
    last_passed_on_linux: Annotated[RunId | None, "The run, as the platform keeps it."]
    last_passed_on_windows: Annotated[RunId | None, "The run, as the platform keeps it."]
    recent: Annotated[dict[Platform, list[HistoryEntry]], "The newest 50 results on each platform, newest first."]
    stability: Annotated[dict[Platform, Stability], "How steady the results are on each platform."]
    links: RegressionTestLinks


class DiffSummary(TypedDict):
    """How much differs; of the whole diff, also where its hunks are bounded."""

    added_lines: Annotated[Count, "Lines of the actual output alone."]
    removed_lines: Annotated[Count, "Lines of the expected output alone."]
    changed_hunks: Annotated[Count, "Hunks."]


LineKind = Literal["added", "removed", "context"]


class DiffLine(TypedDict):
    """A line of a hunk."""

    kind: Annotated[LineKind, "Whether only the actual output has it, only the expected one, or both."]
    expected_line: Annotated[int | None, "Its number in the expected output, from 1; null where it is not there."]
    actual_line: Annotated[int | None, "Its number in the actual output, from 1; null where it is not there."]
    text: Annotated[str, "The line, without its end."]
    cut: NotRequired[Annotated[bool, "There, and true, where `text` is only the line's beginning."]]


class Hunk(TypedDict):
    """Lines that differ, with three lines of context around them."""

    expected_start: Annotated[int, "Where it starts in the expected output, from 1."]
    actual_start: Annotated[int, "Where it starts in the actual output, from 1."]
    lines: Annotated[list[DiffLine], "In their order."]


class DiffTruncation(TypedDict):
    """Which limits a diff met."""

    comparison: Annotated[bool, "The diff is right, but not as small as it could be."]
    hunks: Annotated[bool, "Hunks or lines of them are left out."]
    text: Annotated[bool, "Lines are cut."]
    unified: Annotated[bool, "Lines of the text are left out."]


DiffStatus = Literal["identical", "different", "missing_expected", "missing_actual", "too_large"]


class Diff(TypedDict):
    """Expected against actual output, by lines."""

    status: Annotated[DiffStatus, "What came of it: `missing_expected` also if both are missing."]
    expected_size: Annotated[Count | None, "Null where it is missing.", Keywords(x_unit="B")]
    actual_size: Annotated[Count | None, "Null where it is missing.", Keywords(x_unit="B")]
    same_bytes: Annotated[
        bool | None, "False beside `identical` where only line ends differ; null where nothing was compared."
    ]
    summary: DiffSummary
    hunks: Annotated[list[Hunk], "In their order."]
    unified: Annotated[str, "The same as text, as `diff -u` prints it; empty if nothing differs."]
    truncated: DiffTruncation


class Category(TypedDict):
    """A category of regression tests."""

    id: Annotated[int, "Its id."]
    name: Annotated[str | None, "Its name."]
    description: Annotated[str | None, "What it is."]
    test_count: Annotated[Count, "Rows that put a test into it."]


class Tag(TypedDict):
    """A sample's tag."""

    id: Annotated[int, "Its id."]
    name: Annotated[str | None, "Its name."]
    description: Annotated[str | None, "What it is."]


class FacetValue(TypedDict):
    """A value of a facet."""

    value: Annotated[str, "The value."]
    total: Annotated[Count, "How many items have it."]
    href: Annotated[Link, "Their list."]


class GridRun(TypedDict):
    """A run as a column of a platform's grid."""

    run_id: RunId
    status: Annotated[RunStatus, "How it went."]
    repository: Annotated[str, "The fork, as in runs."]
    branch: Annotated[str | None, "The branch."]
    commit_sha: Annotated[str | None, "The commit."]
    pr_number: Annotated[int | None, "The pull request."]
    at: Annotated[Time | None, "When it ended, else began, else was created."]
    results: Annotated[
        str, "A letter for each test of `meta.tests`: `p`ass, `f`ail, `m`issing output, `.` for no result."
    ]
    href: Annotated[Link, "The run's document."]


class GridMeta(TypedDict):
    """What a page of a grid tells of all its runs."""

    tests: Annotated[list[RegressionTestId], "The tests that the letters stand for, ascending."]


class GridHead(TypedDict):
    """The head of a platform's grid."""

    data: Annotated[list[GridRun], "The newest runs, newest first."]
    pagination: HeadPagination
    meta: GridMeta


class GridPage(TypedDict):
    """An archive page of a platform's grid."""

    data: Annotated[list[GridRun], "The runs with ids 100·K to 100·K + 99, newest first.", Keywords(minItems=1)]
    pagination: ArchivePagination
    meta: GridMeta


class FoundSample(TypedDict):
    """A sample in the search index."""

    sample_id: SampleId
    name: Annotated[str | None, "Its original name."]
    sha: Annotated[str | None, "The first 12 digits of its hash."]
    tags: Annotated[list[str], "Names."]


class FoundTest(TypedDict):
    """A regression test in the search index."""

    regression_test_id: RegressionTestId
    sample_id: Annotated[SampleId | None, "Its sample."]
    command: Annotated[str | None, "Its arguments."]
    categories: Annotated[list[str], "Names."]
    active: Annotated[bool | None, "Whether runs do it."]


class SearchIndex(TypedDict):
    """Every sample and regression test in few words."""

    samples: Annotated[list[FoundSample], "By id."]
    regression_tests: Annotated[list[FoundTest], "By id."]


class Counts(TypedDict):
    """How much is published."""

    runs: Annotated[Count, "Runs."]
    results: Annotated[Count, "Results."]
    samples: Annotated[Count, "Samples."]
    regression_tests: Annotated[Count, "Regression tests."]
    documents: Annotated[Count, "Documents, manifests aside."]
    bytes: Annotated[Count, "Their size, uncompressed.", Keywords(x_unit="B")]


class ManifestPart(TypedDict):
    """A part of what is published."""

    href: Annotated[Link, "The manifest that names the part's documents; immutable."]
    digest: Annotated[Sha256, "SHA-256 of that manifest."]
    documents: Annotated[Count, "Documents of the part."]
    bytes: Annotated[Count, "Their size, uncompressed.", Keywords(x_unit="B")]


class ManifestPartition(TypedDict):
    """The part of the documents of some runs."""

    first_run_id: Annotated[int, "The least id that a run of the partition can have."]
    last_run_id: Annotated[int, "The highest one."]
    href: Annotated[Link, "The manifest that names the part's documents; immutable."]
    digest: Annotated[Sha256, "SHA-256 of that manifest."]
    documents: Annotated[Count, "Documents of the part."]
    bytes: Annotated[Count, "Their size, uncompressed.", Keywords(x_unit="B")]


EntryName = Annotated[str, Keywords(enum=list(layout.entry_documents()))]


class ManifestDocument(TypedDict):
    """What is published."""

    api_version: Annotated[str, "SemVer of the contract.", Keywords(examples=["1.0.0"])]
    generated_at: Annotated[Time, "When this state was published (UTC)."]
    snapshot: Annotated[str, "Digest of all below: the same exactly when all documents are."]
    partition_size: Annotated[int, "Runs of a partition.", Keywords(examples=[100])]
    latest_run_id: Annotated[RunId | None, "The highest id."]
    counts: Counts
    catalog: Annotated[ManifestPart, "All documents that are no partition's."]
    site: Annotated[
        ManifestPart | None, "The site's files; their paths begin with `/` and are relative to the store's root."
    ]
    partitions: Annotated[list[ManifestPartition], "Those that hold a run, ascending."]
    links: Annotated[dict[EntryName, Link], "The entry documents."]


class ManifestPartDocument(TypedDict):
    """The documents of one part of what is published."""

    documents: Annotated[
        dict[str, tuple[Sha256, Count]], "Path → SHA-256 in hex and size, both of the uncompressed bytes."
    ]


class PendingDocument(TypedDict):
    """What is just being published."""

    owner: Annotated[str, "Tells exporters apart, and means nothing else."]
    expires_at: Annotated[Time, "When nobody is at it any more (UTC)."]
    manifests: Annotated[list[Link], "The manifests of what is being published."]


_PAGE_LINKS = ("first", "prev", "next", "last")
_SCHEMAS = {"openapi", "$schema"}
"""What tells a document about documents: it has the names of their fields, but no links."""


_LINKS = ("href", "reference_href", "diff")


def links_of(path: str, data: bytes) -> Iterator[str]:
    """All links in a published document; those of a feed for people's readers are in its JSON twin as well."""
    return links(orjson.loads(data)) if path.endswith(".json") else iter(())


def links(document: Any) -> Iterator[str]:
    """All links in a decoded document: its link fields, and the values of `links` and `pagination`."""
    if isinstance(document, list):
        for value in document:
            yield from links(value)
    elif isinstance(document, dict) and not _SCHEMAS.intersection(document):
        for key, value in document.items():
            if isinstance(value, str):
                if key in _LINKS:
                    yield value
            elif key == "pagination":
                yield from (link for name in _PAGE_LINKS if (link := value.get(name)) is not None)
            elif key == "links":
                yield from (link for link in value.values() if link is not None)
            else:
                yield from links(value)


def relink(document: Any, change: Callable[[str], str]) -> None:
    """Put another link in the place of each one in a decoded document."""
    if isinstance(document, list):
        for value in document:
            relink(value, change)
    elif isinstance(document, dict) and not _SCHEMAS.intersection(document):
        for key, value in document.items():
            if isinstance(value, str):
                if key in ("href", "diff"):
                    document[key] = change(value)
            elif isinstance(value, dict) and key in ("pagination", "links"):
                for name, link in value.items():
                    if isinstance(link, str) and (key == "links" or name in _PAGE_LINKS):
                        value[name] = change(link)
            else:
                relink(value, change)
