"""Runs: a run as the lists show it, and its own document."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from exporter import paths
from exporter.documents.encoding import Document, encode
from exporter.documents.runs import FailureCounts, InfrastructureError, Progress, Run, RunBase, Summary, Suspect
from exporter.rules.failures import FAILURE_CODES
from exporter.rules.lineage import RunFacts, repository_identity
from exporter.rules.outcomes import Outcome, Result
from exporter.rules.status import (
    UNKNOWN_INFRASTRUCTURE_ERROR,
    ResultStatus,
    infrastructure_error_type,
    is_infrastructure_error,
    run_status,
)
from exporter.rules.verdicts import VERDICT_CODES, Verdict, main_counts, suspect
from exporter.source.catalog import Catalog
from exporter.source.partitions import RunRows

_GITHUB = "https://github.com/"
_WEB = ("https://", "http://")


def latest(run: RunRows) -> str | None:
    """The latest time of a run's progress rows."""
    return max((row.timestamp for row in run.progress if row.timestamp is not None), default=None)


def repository_name(url: str | None) -> str:
    """A fork as documents show it, by its URL; None: there is no fork, or it has no URL."""
    name = url.removesuffix(".git").removeprefix(_GITHUB) if url else ""
    return name or "unknown"


def listed_repositories(catalog: Catalog) -> dict[str, str]:
    """Repository → the spelling that the facet of repositories lists it under, where that is another one.

    A repository is listed under the spelling of its fork with the lowest id.
    """
    first: dict[str, str] = {}
    aliases: dict[str, str] = {}
    for _, url in sorted(catalog.forks.items()):
        name = repository_name(url)
        listed = first.setdefault(repository_identity(name), name)
        if listed != name:
            aliases[name] = listed
    return aliases


def facts(run: RunRows, shown: RunBase, results: int, catalog: Catalog) -> RunFacts:
    """What the rules know of a run; `results` is the number of its results."""
    asked = len(run.customized) or len(catalog.active_tests)
    return RunFacts(
        shown["run_id"],
        shown["status"],
        shown["platform"],
        shown["test_type"],
        shown["repository"],
        shown["branch"],
        shown["commit_sha"],
        shown["pr_number"],
        shown["completed_at"] or shown["started_at"],
        bool(run.customized),
        bool(run.customized) or 2 * results < asked,
    )


def failure_counts(failed: Iterable[Outcome], verdicts: Iterable[Verdict]) -> FailureCounts:
    """A run's counts of failures, by code, by verdict, and by how they stand to the main line."""
    verdicts = list(verdicts)
    codes = Counter(outcome.code for outcome in failed)
    by_verdict = Counter(verdict.code for verdict in verdicts)
    return {
        "codes": {code: codes[code] for code in FAILURE_CODES},
        "verdicts": {code: by_verdict[code] for code in VERDICT_CODES},
        "main": main_counts(verdicts),
    }


def assessed(shown: RunBase, results: list[Result], verdicts: Mapping[int, Verdict]) -> Run:
    """A run as lists show it, with what its prior history says of it."""
    failed = [outcome for outcome, _ in results if outcome.failure]
    found = suspect({one.test_id: one.failure[0] for one in failed if one.failure}, verdicts, len(results))
    sign: Suspect | None = {"code": found[0], "count": found[1]} if found else None
    return {**shown, "failures": failure_counts(failed, verdicts.values()), "suspect": sign}


def item(run: RunRows, results: list[Result], catalog: Catalog) -> RunBase:
    """What a run's own rows say of it."""
    fork = catalog.forks.get(run.fork_id) if run.fork_id is not None else None
    url = fork.removesuffix(".git") if fork else None
    statuses = Counter(outcome.status for outcome, _ in results)
    last = run.progress[-1].status or "unknown" if run.progress else None
    created = run.progress[0].timestamp if run.progress else None
    return {
        "run_id": run.run_id,
        "status": run_status(last, statuses),
        "platform": run.platform,
        "test_type": run.test_type,
        "repository": repository_name(fork),
        "branch": run.branch,
        "commit_sha": run.commit,
        "pr_number": run.pr_nr if run.pr_nr is not None and run.pr_nr > 0 else None,
        "created_at": created,
        "queued_at": created,
        "started_at": next((row.timestamp for row in run.progress if row.status == "testing"), None),
        "completed_at": next(
            (row.timestamp for row in reversed(run.progress) if row.status in ("completed", "canceled")), None
        ),
        "github_link": _github_link(run, url),
        "summary": _summary(run, results, statuses, catalog),
    }


def _github_link(run: RunRows, url: str | None) -> str | None:
    """Where the commit or pull request is shown; null for a fork whose URL a browser should not follow."""
    if url is None or not url.startswith(_WEB):
        return None
    kind, target = ("pull", run.pr_nr) if run.test_type == "pr" else ("commit", run.commit)
    return None if target is None else f"{url}/{kind}/{target}"


def _summary(run: RunRows, results: list[Result], statuses: Counter[ResultStatus], catalog: Catalog) -> Summary:
    total = len(run.customized) or len(catalog.active_tests)
    if any(outcome.test_id not in catalog.tests for outcome, _ in results):
        total = max(total, len(results))  # a test that was deleted since is in no list of today
    duration = sum(runtime or 0 for _, runtime in results)
    return {
        "total_samples": total,
        "pass_count": statuses["pass"],
        "fail_count": statuses["fail"],
        "skipped_count": max(0, total - len(results)),
        "missing_output_count": statuses["missing_output"],
        "error_count": sum(len(outcome.errors) for outcome, _ in results),
        "duration_ms": duration if duration > 0 else None,
    }


def _infrastructure_errors(run: RunRows) -> list[InfrastructureError]:
    return [
        {
            "error_id": f"infra_{run.run_id}_{row.id}",
            "run_id": run.run_id,
            "sample_id": None,
            "regression_id": None,
            "type": infrastructure_error_type(row.message or ""),
            "severity": "critical",
            "message": row.message or UNKNOWN_INFRASTRUCTURE_ERROR,
            "location": None,
            "occurred_at": row.timestamp,
        }
        for row in run.progress
        if is_infrastructure_error(row.status, row.message)
    ]


def document(run: RunRows, listed: Run, catalog: Catalog, *, log: bool, junit: bool) -> Document:
    """A run's own document; `log` and `junit` say whether the run has documents of these kinds."""
    path = paths.run(run.run_id)
    progress: list[Progress] = [
        {"timestamp": row.timestamp, "status": row.status, "message": row.message} for row in run.progress
    ]
    links = _linked(listed, log=log, junit=junit)
    document = {
        **listed,
        "config": {"regression_test_ids": run.customized or catalog.active_tests},
        "progress": progress,
        "infrastructure_errors": _infrastructure_errors(run),
        "links": {name: target and paths.relative(path, target) for name, target in links},
    }
    return path, encode(document)


def _linked(run: Run, *, log: bool, junit: bool) -> Iterator[tuple[str, str | None]]:
    """The documents that lead on from a run, by name."""
    for kind in ("samples", "failures", "errors"):
        yield kind, paths.document(paths.run_list(run["run_id"], kind))
    yield "comparison", paths.run_comparison(run["run_id"])
    yield "log", paths.document(paths.run_list(run["run_id"], "log")) if log else None
    yield "junit", paths.run_junit(run["run_id"]) if junit else None
    commit, pull_request = run["commit_sha"], run["pr_number"]
    yield "commit", None if commit is None else paths.document(paths.runs_of_commit(commit))
    yield "pull_request", None if pull_request is None else paths.document(paths.runs_of_pull_request(pull_request))
