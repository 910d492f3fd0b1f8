"""Runs: in lists, in full, in the grid."""

from typing import Annotated, TypedDict

from exporter.documents.fields import (
    Branch,
    CommitSha,
    Count,
    Keywords,
    Link,
    Milliseconds,
    Platform,
    PullRequest,
    RegressionTestId,
    Repository,
    RunId,
    TestType,
    Time,
)
from exporter.documents.lists import ArchivePagination, HeadPagination, ListPage
from exporter.rules.failures import FailureCode
from exporter.rules.status import ResultStatus, RunStatus
from exporter.rules.verdicts import MainCount, VerdictCode


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
    main: Annotated[
        dict[MainCount, Count],
        "By how they stand to the main line; `broken` without those whose verdict is `flaky`, which `flaky` counts; "
        "`worse` are among the others. All 0 for a run of the main line.",
    ]


class Suspect(TypedDict):
    """A sign that the machine is at fault and not the change."""

    code: Annotated[FailureCode, "The code with which so many tests newly fail."]
    count: Annotated[Count, "How many do: at least 20, and 30 % of the run's results."]


class RunBase(TypedDict):
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


class Run(RunBase):
    """A run."""

    failures: FailureCounts
    suspect: Annotated[Suspect | None, "Set if so many tests newly fail with one code that it looks like the machine."]


class RunItem(Run):
    """A run, as in every list of runs."""

    href: Annotated[Link, "The run's document."]


class TestPlatforms(TypedDict):
    """The newest counted status of a regression test at a commit, on each platform; null where it has none."""

    regression_test_id: RegressionTestId
    linux: Annotated[ResultStatus | None, "Status on Linux."]
    windows: Annotated[ResultStatus | None, "Status on Windows."]


class CommitMeta(TypedDict):
    """What the results of a commit say together."""

    platforms: Annotated[list[TestPlatforms], "Each test that fails on a platform, by id."]


class CommitRunsPage(ListPage[RunItem]):
    """A page of a commit's runs, and what fails where at that commit."""

    meta: CommitMeta  # type: ignore[misc]


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
    junit: Annotated[Link | None, "The run as JUnit XML, if it ended with results and such documents are published."]
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
    """What a page of a grid says of all its runs."""

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
