"""Results of runs: in lists, in full, as errors, in histories."""

from typing import Annotated, Literal, TypedDict

from exporter.documents.fields import (
    Branch,
    Command,
    CommitSha,
    ErrorType,
    Hash,
    Keywords,
    Link,
    Milliseconds,
    Platform,
    PullRequest,
    RegressionTestId,
    RunId,
    SampleId,
    SampleName,
    Severity,
    Time,
)
from exporter.documents.files import LogLine
from exporter.documents.lists import ListPage
from exporter.documents.runs import RunIdentity
from exporter.rules.failures import FailureCode
from exporter.rules.status import Match, ResultStatus
from exporter.rules.verdicts import MainState, VerdictCode


class Classification(TypedDict):
    """Why a result is not `pass`."""

    code: Annotated[FailureCode, "The first that applies."]
    reason: Annotated[str, "One sentence."]


class MainVerdict(TypedDict):
    """How a failure stands to the test's newest counted result on the main line before this run."""

    state: Annotated[
        MainState,
        "`broken`: it passed there; `same`: the same exit code and contents there; `different`: it failed there in "
        "another way; `no_reference`: it has no result there.",
    ]
    run_id: Annotated[RunId | None, "The run of that result, whichever that was."]
    href: Annotated[Link | None, "That result's document, if it has one."]
    same_failure_run_id: Annotated[
        RunId | None,
        "Where the state is `broken`: the newest run of the main line in which the test failed exactly so, among its "
        "newest 10 distinct failures there. The base is old, then: rebase.",
    ]
    worse: Annotated[
        bool,
        "Whether it is graver than the newest earlier failure on its own line, else on the main line: `OUTPUT_DIFF` < "
        "`EXIT_CODE_MISMATCH` < `MISSING_OUTPUT` < `TIMEOUT`, `KILLED` < `ABORT` < `SEGFAULT`.",
    ]


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
    flaky_test: Annotated[
        bool,
        "Whether the test is flaky on this line or the main line. The verdict is `flaky` only if it failed with this "
        "code before, among the results that make it flaky.",
    ]
    main: Annotated[MainVerdict | None, "How it stands to the main line; null for a run of the main line."]


class PreviousResult(TypedDict):
    """The same test's last result on this platform before a run, in whichever run."""

    run_id: RunId
    status: Annotated[ResultStatus, "The result's status."]
    href: Annotated[Link | None, "The result's document, if it has one."]


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
    accepted_today: Annotated[bool, "Whether `match` is `different`, although it is the approved content today."]


class OutputDetail(Output):
    """An output in a result's own document."""

    expected_hash: Annotated[Hash | None, "What was expected then."]
    got_hash: Annotated[Hash | None, "What was written; null where nothing was."]
    diff: Annotated[
        Link | None,
        "Expected against actual output where it differs, against nothing where it is missing.",
    ]


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
    pr_number: Annotated[PullRequest | None, "The run's pull request."]


class ResultItem(Result):
    """A result, as in a run's list of results."""

    outputs: Annotated[list[Output], "By `output_id`."]
    href: Annotated[Link | None, "The result's own document, if it has one."]


class FailureItem(ResultItem):
    """A result that is not `pass`, as in a run's list of failures."""

    classification: Classification
    accepted_today: Annotated[bool, "Whether one of its outputs is: it fails because of today's catalogue."]
    fingerprint: Annotated[str, "Equal for two failures of a test with the same exit code and the same outputs."]
    verdict: Verdict


class ResultLinks(TypedDict):
    """Documents that lead on from a result."""

    regression_test: Annotated[Link | None, "Its regression test, if that exists."]
    sample: Annotated[Link | None, "The test's sample, if it has one."]
    history: Annotated[Link | None, "That sample's history."]


class ResultDocument(Result):
    """A result, in full."""

    outputs: Annotated[list[OutputDetail], "By `output_id`."]
    classification: Annotated[Classification | None, "Why it is not `pass`; null for a pass."]
    accepted_today: Annotated[bool, "Whether one of its outputs is: it fails because of today's catalogue."]
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
    pr_number: Annotated[PullRequest | None, "The run's pull request."]
    main_line: Annotated[bool, "Whether the run is one of the main line, counted or not."]
