"""Lineages: sequences of runs on one platform that a failure is compared with.

A *lineage* is the main line, or the runs of one pull request or of one branch of one repository; all results of a
platform, and the runs of a commit on a platform, are such sequences as well. Only counted runs (`RunFacts.is_counted`)
are in them. The rules are those of `docs/contract.md`, "Which results count" and "Lines".
"""

import functools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from exporter.facet_keys import facet_key
from exporter.rules.status import RunStatus


class RunFacts(NamedTuple):
    """What the rules know of a run.

    Args:
        platform: the platform it ran on; None where the row names none.
        test_type: `commit` or `pr`.
        repository: its fork, as published.
        at: when it ended, else when it began.
        limited: whether it is limited to chosen tests.
        partial: whether it is limited, or has fewer than half of the results asked for.
    """

    run_id: int
    status: RunStatus
    platform: str | None
    test_type: str | None
    repository: str
    branch: str | None
    commit_sha: str | None
    pr_number: int | None
    at: str | None
    limited: bool
    partial: bool

    @property
    def is_counted(self) -> bool:
        """Whether later runs look at its results: it ended, with results."""
        return self.status in ("pass", "fail")


_REPOSITORY = re.compile(r"(?:[a-z][a-z0-9+.-]*://)?(?:[^@/]*@)?(?:www\.)?(?P<rest>.*)", re.DOTALL)


@functools.lru_cache(maxsize=4096)
def repository_identity(repository: str) -> str:
    """The same for two repositories exactly if they are one, whatever the spelling of their URLs.

    Case, scheme, `www.`, the form `git@host:owner/name`, a final `/` or `.git` make no difference.
    """
    lowered = repository.strip().lower()
    found = _REPOSITORY.fullmatch(lowered)
    assert found is not None
    rest = found["rest"]
    if "://" not in lowered and "@" in lowered.partition("/")[0]:
        rest = rest.replace(":", "/", 1)
    while rest.endswith(("/", ".git")):
        rest = rest.removesuffix("/").removesuffix(".git")
    return rest.removeprefix("github.com/").lstrip("/")


@dataclass(frozen=True, slots=True)
class MainLine:
    """The main line: runs of type `commit` of this repository's branch."""

    repository: str = "CCExtractor/ccextractor"
    branch: str = "master"

    def holds(self, run: RunFacts) -> bool:
        """Whether a run is one of the main line."""
        return (
            run.test_type == "commit"
            and run.branch == self.branch
            and repository_identity(run.repository) == repository_identity(self.repository)
        )


class MainCommits:
    """Tells reruns of old commits on a main line from runs that extend it.

    A rerun is a run of a commit that was counted on the main line before, with another commit's run between.

    Args:
        newest: the commit of the newest run of the lineage so far.
        was_counted: whether a commit was counted on the main line so far.
    """

    def __init__(self, newest: str | None, was_counted: Callable[[str], bool]) -> None:
        self._newest, self._was_counted = newest, was_counted
        self._met: set[str] = set()

    def is_rerun(self, sha: str | None) -> bool:
        """Whether a run of this commit would be a rerun of an old commit."""
        return sha is not None and sha != self._newest and (sha in self._met or self._was_counted(sha))

    def extend(self, sha: str | None) -> bool:
        """Add a counted run of this commit; return whether it extends the lineage."""
        if self.is_rerun(sha):
            return False
        self._newest = sha
        if sha is not None:
            self._met.add(sha)
        return True


_ALL = "results/"


def main_lineage(platform: str) -> str:
    """The name of the main lineage on a platform."""
    return f"lines/{platform}/main"


def is_main_lineage(name: str) -> bool:
    """Whether a name is that of a main lineage."""
    return name.endswith("/main") and name.startswith("lines/") and name.count("/") == 2


def all_results(platform: str) -> str:
    """The name of the sequence of all results on a platform."""
    return _ALL + platform


def is_all_results(name: str) -> bool:
    """Whether a name is that of the sequence of all results on a platform."""
    return name.startswith(_ALL)


def commit_lineage(platform: str, sha: str) -> str:
    """The name of the runs of a commit on a platform."""
    return f"commits/{platform}/{sha}"


def is_commit_lineage(name: str) -> bool:
    """Whether a name is that of a commit's runs."""
    return name.startswith("commits/")


def lineage_of(run: RunFacts, main: MainLine) -> str | None:
    """The name of a run's own lineage; None where the row does not name the platform it ran on.

    A pull request's runs are a lineage, whatever fork they came from: forks are where pull requests come from, and the
    number says which runs belong together. Other runs belong with those of their repository and branch.
    """
    if run.platform is None:
        return None
    if main.holds(run):
        return main_lineage(run.platform)
    if run.test_type == "pr" and run.pr_number is not None:
        return f"lines/{run.platform}/pr/{run.pr_number}"
    # Keys hold no slash, so that a null branch and one called "None" are two, as are `a/b` of `c` and `b` of `c/a`.
    branch = "" if run.branch is None else f"/{facet_key(run.branch)}"
    return f"lines/{run.platform}/branch/{facet_key(repository_identity(run.repository))}{branch}"


def lineages_of(run: RunFacts, main: MainLine) -> Iterator[str]:
    """The names of the lineages that a run is on, or would be if it counted: its own, its platform's, its commit's."""
    own, platform = lineage_of(run, main), run.platform
    if own is not None and platform is not None:
        yield own
        yield all_results(platform)
        if run.commit_sha is not None:
            yield commit_lineage(platform, run.commit_sha)


def compared_lineages(names: Iterable[str]) -> set[str]:
    """The lineages that documents of runs on these show: these, the main lineages, the commits' other platforms."""
    found = set(names)
    for name in names:
        kind, platform, *rest = name.split("/", 2)
        found.add(main_lineage(platform))
        other = other_platform(platform)
        if kind == "commits" and other:
            found.add(commit_lineage(other, rest[0]))
    return found


def other_platform(platform: str) -> str | None:
    """The platform that a run's commit may have run on before."""
    return {"linux": "windows", "windows": "linux"}.get(platform)
