"""The shapes of a snapshot's rows, and of the documents that list snapshots.

Rows have the fields of the documents' shapes and a few of their own. The order of fields is that of columns.
"""

from typing import Annotated, Literal, TypedDict

from exporter import paths
from exporter.documents.fields import (
    Branch,
    Count,
    Hash,
    Link,
    Milliseconds,
    RegressionTestId,
    Repository,
    RunId,
    SampleId,
    Sha256,
    Time,
)
from exporter.documents.regression_tests import ExpectedOutput, RegressionTest
from exporter.documents.results import Output
from exporter.documents.runs import InfrastructureError, Progress, Run
from exporter.documents.samples import ExtraFile, Issue, Sample, Upload
from exporter.rules.failures import FailureCode
from exporter.rules.status import ResultStatus
from exporter.rules.verdicts import MainState, VerdictCode


class SnapshotRun(Run):
    """A run in a snapshot: as in the lists, with what its own document adds."""

    regression_test_ids: Annotated[
        list[int | None] | None, "The tests that the run is limited to; null if it executes all that are active."
    ]
    progress: Annotated[list[Progress], "The run's steps, in order."]
    infrastructure_errors: Annotated[list[InfrastructureError], "Failures of the platform itself during the run."]


class SnapshotOutput(Output):
    """An output of a result in a snapshot."""

    expected_hash: Annotated[Hash | None, "SHA-256 of what was expected then."]
    got_hash: Annotated[Hash | None, "SHA-256 of what was written; null if nothing was."]


class SnapshotMainVerdict(TypedDict):
    """How a failure stands to the main line, as in the API."""

    state: Annotated[MainState, "What the test did there."]
    run_id: Annotated[RunId | None, "The run of the test's newest counted result there."]
    same_failure_run_id: Annotated[RunId | None, "If `broken`: the newest run there in which it failed exactly so."]
    worse: Annotated[bool, "Whether it is graver than the newest earlier failure."]


class SnapshotVerdict(TypedDict):
    """The verdict on a failure, as in the API."""

    code: Annotated[VerdictCode, "Whether the failure is news."]
    line: Annotated[
        Literal["own", "main"] | None, "The lineage that it is compared with; null without an earlier result."
    ]
    since_run: Annotated[RunId | None, "The first run of the failing streak; null if the previous result passed."]
    last_pass_run: Annotated[RunId | None, "The last run in which the test passed."]
    previous_run: Annotated[RunId | None, "The run of the previous result."]
    signature_changed: Annotated[
        bool | None, "Whether it fails otherwise than the previous result; null if that passed."
    ]
    flaky_test: Annotated[bool, "Whether the test is flaky on that lineage or the main line."]
    main: Annotated[
        SnapshotMainVerdict | None, "How the failure stands to the main line; null for a run of the main line."
    ]


class SnapshotResult(TypedDict):
    """A result in a snapshot; the rows of its run, test and sample have the rest.

    Fields that differ from row to row stand next to each other: that makes the files a tenth smaller.
    """

    regression_test_id: RegressionTestId
    run_id: RunId
    runtime_ms: Milliseconds | None
    verdict: Annotated[SnapshotVerdict | None, "Whether the failure is news; null for a pass."]
    sample_id: SampleId | None
    status: Annotated[ResultStatus, "By the outputs and variants that are expected today."]
    code: Annotated[FailureCode | None, "Why it is not pass; null for a pass."]
    reason: Annotated[str | None, "The same in a sentence."]
    accepted_today: Annotated[bool, "Whether it fails although one of its outputs is the approved content today."]
    exit_code: Annotated[int | None, "What the test exited with."]
    expected_rc: Annotated[int | None, "What it should have exited with."]
    failure_signature: Annotated[str | None, "Tells one way of failing from another; null for a pass."]
    outputs: Annotated[list[SnapshotOutput], "The outputs that were written or should have been, by id."]


class SnapshotSample(Sample):
    """A sample in a snapshot: its own document without what rows of other tables have."""

    upload: Annotated[Upload | None, "How the sample came to the platform; null if that is unknown."]
    extra_files: Annotated[list[ExtraFile], "Further files of the sample."]
    issues: Annotated[list[Issue], "Issues about the sample."]


class SnapshotRegressionTest(RegressionTest):
    """A regression test in a snapshot: its own document without its results."""

    outputs: Annotated[list[ExpectedOutput], "The outputs that are expected today."]
    last_passed_on_linux: Annotated[int | None, "The run that the platform holds for the last to pass on Linux."]
    last_passed_on_windows: Annotated[int | None, "The run that the platform holds for the last to pass on Windows."]


class SnapshotFile(TypedDict):
    """A file of a snapshot."""

    name: Annotated[str, "Its name."]
    href: Annotated[Link, "The file; immutable."]
    content_type: Annotated[str, "As it is served, without `Content-Encoding`."]
    bytes: Annotated[Count, "Its size."]
    sha256: Annotated[Sha256, "Its SHA-256."]
    rows: Annotated[Count | None, "Rows of its table; null for a file that holds no single table."]


class SnapshotCounts(TypedDict):
    """Rows of each table, by its name."""

    runs: Annotated[Count, "Runs."]
    results: Annotated[Count, "Results."]
    samples: Annotated[Count, "Samples."]
    regression_tests: Annotated[Count, "Regression tests."]


class SnapshotMainLine(TypedDict):
    """The main line that a snapshot's failures are compared with."""

    repository: Repository
    branch: Branch


class Snapshot(TypedDict):
    """A snapshot: everything that is published, from one consistent read, as files."""

    id: Annotated[str, "When it was read, and the beginning of its digest."]
    created_at: Annotated[Time, "When it was read (UTC)."]
    api_version: Annotated[str, "SemVer of the contract."]
    digest: Annotated[Sha256, "SHA-256 of its `SHA256SUMS`: the same exactly when all files are."]
    latest_run_id: Annotated[RunId | None, "The highest id."]
    main_line: Annotated[SnapshotMainLine, "The main line that its verdicts and comparisons refer to."]
    counts: SnapshotCounts
    bytes: Annotated[Count, "Size of all files."]
    files: Annotated[list[SnapshotFile], "By name, `SHA256SUMS` last."]


class SnapshotIndex(TypedDict):
    """The snapshots of a store."""

    api_version: Annotated[str, "SemVer of the contract."]
    latest: Annotated[str | None, "Id of the newest."]
    snapshots: Annotated[list[Snapshot], "Newest first."]


def snapshot_index(listed: list[Snapshot]) -> SnapshotIndex:
    """The index of these snapshots, newest first; the first export publishes that of none."""
    latest = listed[0]["id"] if listed else None
    return {"api_version": paths.API_VERSION, "latest": latest, "snapshots": listed}
