"""What results say together: comparisons, changes, stability."""

from typing import Annotated, Literal, TypedDict

from exporter.documents.fields import (
    Command,
    CommitSha,
    Count,
    Keywords,
    Link,
    Milliseconds,
    Platform,
    RegressionTestId,
    RunId,
    SampleId,
    SampleName,
    Time,
)
from exporter.documents.lists import FeedHead
from exporter.documents.runs import RunIdentity
from exporter.rules.comparison import Bucket
from exporter.rules.failures import FailureCode
from exporter.rules.history import ChangeKind
from exporter.rules.status import ResultStatus
from exporter.rules.verdicts import VerdictCode


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
    reference_run_id: Annotated[
        RunId | None, "The run of the result in the reference, where that is another than the reference's `run`."
    ]
    reference_href: Annotated[Link | None, "The result's document in the reference, if there is one."]


class Comparison(TypedDict):
    """A run against one reference."""

    run: Annotated[
        RunIdentity | None,
        "The newest counted run there that is not partial, or the newest if all are. Each test is compared with its "
        "own newest counted result, in whichever run that is.",
    ]
    broken: Annotated[list[ComparedResult], "Passes there, fails here."]
    fixed: Annotated[list[ComparedResult], "Fails there, passes here."]
    failing_identically: Annotated[list[ComparedResult], "Fails here; there it had the same exit code and contents."]
    failing_differently: Annotated[list[ComparedResult], "Fails in both, in different ways."]
    not_rerun: Annotated[
        list[ComparedResult], "Fails there, has no result here though the run was to test it; never called fixed."
    ]
    no_reference: Annotated[list[ComparedResult], "Fails here, has no result there."]
    unchanged_pass: Annotated[
        Count, "Tests that pass in both, or pass here with the contents that failed there: the expectation changed."
    ]
    not_asked: Annotated[Count, "Tests that fail there, of which this run was not asked for a result."]
    counts: Annotated[dict[Bucket, Count], "How many tests each bucket has; the lists above hold the first 100."]
    links: Annotated[
        dict[Bucket, Link | None],
        "The whole list of each bucket of more than 100, `not_rerun` apart; else null.",
        Keywords(title="BucketLinks"),  # generated clients would name it `ComparisonLinks`, as another shape
    ]


ReferenceName = Literal["main", "previous", "other_platform"]


class ComparisonLinks(TypedDict):
    """Documents that lead on from a comparison."""

    samples: Annotated[Link, "Every result of the run."]
    failures: Annotated[Link, "Every result of the run that is not `pass`."]


class RunComparison(TypedDict):
    """A run against what was known before it.

    References: `main`, the main line on its platform; `previous`, the earlier runs of its pull request or branch on its
    platform; `other_platform`, the earlier runs of the same commit on the other one. Only counted runs.
    """

    run: RunIdentity
    references: Annotated[dict[ReferenceName, Comparison], "The run against each."]
    links: ComparisonLinks


class Change(TypedDict):
    """One change of one test on the main line: it passed before and fails now, or the other way round."""

    kind: Annotated[
        ChangeKind,
        "`regression` and `fix`: which way round, with another output; `expectation`: the test writes the same, and "
        "what is expected of it has changed.",
    ]
    run_id: Annotated[RunId, "The run that showed it."]
    platform: Platform
    regression_test_id: RegressionTestId
    sample_id: SampleId | None
    sample_name: SampleName | None
    status: Annotated[ResultStatus, "Status in that run."]
    code: Annotated[FailureCode | None, "Classification in that run; null for a pass."]
    commit_sha: CommitSha | None
    previous_run: Annotated[RunId, "The run of the test's previous result on the main line."]
    flaky: Annotated[bool, "Whether it is one of many changes, by the rule of verdicts."]
    at: Annotated[Time | None, "When the run ended, else began."]
    href: Annotated[Link | None, "The result's document, if it has one."]


class MainNow(TypedDict):
    """What the active tests' newest counted results on the main line say, on one platform: what a badge says."""

    failing: Annotated[Count, "Those that are not `pass`: as many as `failing.json` has."]
    results: Annotated[Count, "All."]


class ChangesMeta(TypedDict):
    """What the newest changes add up to."""

    main_now: Annotated[dict[Platform, MainNow], "The main line now."]


class ChangeFeedHead(FeedHead[Change]):
    """The newest changes of the main line, and where it stands."""

    meta: ChangesMeta  # type: ignore[misc]


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


class Slowdown(TypedDict):
    """By how much a test has become slower, and since when."""

    before_ms: Annotated[Milliseconds, "Median of the (at most) 80 runtimes before the newest 20."]
    after_ms: Annotated[Milliseconds, "Median of the newest 20 runtimes."]
    since_run: Annotated[
        RunId,
        "The first of the slow runs: it parts the newest 100 runtimes so that most of those since are nearer to "
        "`after_ms` than to `before_ms`, and most others are not.",
    ]


class TestedOn(TypedDict):
    """A regression test on one platform, as lists of such show it."""

    regression_test_id: RegressionTestId
    platform: Platform
    sample_id: SampleId | None
    sample_name: SampleName | None
    command: Command | None
    categories: Annotated[list[str], "Names."]


class SlowerTest(Slowdown, TestedOn):
    """An active test that has become slower on one platform."""

    href: Annotated[Link, "The regression test's document."]


class Stability(TypedDict):
    """How steady a regression test's counted results are on one platform, over all runs."""

    windows: Annotated[dict[Literal["20", "100", "all"], Window], "The newest 20, 100 and all results."]
    state_changes: Annotated[
        Count, "Changes between passing and failing, not counting the same output, over all results."
    ]
    state_changes_20: Annotated[Count, "The same over the newest 20 results."]
    flaky: Annotated[bool, "Whether the test is flaky on the main line."]
    longest_pass_streak: Annotated[Count, "Results."]
    longest_fail_streak: Annotated[Count, "Results."]
    first_failure_run: Annotated[RunId | None, "The first run in which the test failed."]
    last_failure_run: Annotated[RunId | None, "The last run in which the test failed."]
    slower: Annotated[
        bool | None,
        "Whether the newest 20 runtimes are longer than the 80 before them; null with fewer than 20 of either.",
    ]
    slowdown: Annotated[Slowdown | None, "By how much, and since when; null unless `slower` is true."]


class Standing(TestedOn):
    """Where an active test stands on the main line of one platform: its newest counted result there."""

    run_id: Annotated[RunId, "The test's newest run there."]
    passes: Annotated[bool, "Whether it passes there."]
    since_run: Annotated[RunId | None, "The first run of the present failing streak; null while it passes."]
    last_pass_run: Annotated[RunId | None, "The last run in which it passed."]
    state_changes_20: Annotated[Count, "Changes between passing and failing, over the newest 20 results."]
    href: Annotated[Link, "The regression test's document."]
