"""The shapes of a snapshot's rows, and of the documents that list snapshots.

Rows have the fields of the documents' shapes and a few of their own. The order of fields is that of columns.
"""

from typing import Annotated, Literal, TypedDict

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
    """A run in a snapshot: as in the lists, with what its own document adds.

    `regression_test_ids` are those that the run is limited to; null where it executes the active ones.
    """

    regression_test_ids: list[int | None] | None
    progress: list[Progress]
    infrastructure_errors: list[InfrastructureError]


class SnapshotOutput(Output):
    """An output of a result in a snapshot."""

    expected_hash: Hash | None
    got_hash: Hash | None


class SnapshotMainVerdict(TypedDict):
    """How a failure stands to the main line, as in the API."""

    state: MainState
    run_id: RunId | None
    same_failure_run_id: RunId | None
    worse: bool


class SnapshotVerdict(TypedDict):
    """The verdict on a failure, as in the API."""

    code: VerdictCode
    line: Literal["own", "main"] | None
    since_run: RunId | None
    last_pass_run: RunId | None
    previous_run: RunId | None
    signature_changed: bool | None
    flaky_test: bool
    main: SnapshotMainVerdict | None


class SnapshotResult(TypedDict):
    """A result in a snapshot; the rows of its run, test and sample have the rest.

    Fields that differ from row to row stand next to each other: that makes the files a tenth smaller.
    """

    regression_test_id: RegressionTestId
    run_id: RunId
    runtime_ms: Milliseconds | None
    verdict: SnapshotVerdict | None
    sample_id: SampleId | None
    status: ResultStatus
    code: FailureCode | None
    reason: str | None
    accepted_today: bool
    exit_code: int | None
    expected_rc: int | None
    failure_signature: str | None
    outputs: list[SnapshotOutput]


class SnapshotSample(Sample):
    """A sample in a snapshot: its own document without what rows of other tables have."""

    upload: Upload | None
    extra_files: list[ExtraFile]
    issues: list[Issue]


class SnapshotRegressionTest(RegressionTest):
    """A regression test in a snapshot: its own document without its results."""

    outputs: list[ExpectedOutput]
    last_passed_on_linux: int | None
    last_passed_on_windows: int | None


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
