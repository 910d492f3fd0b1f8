"""A typed reader of a published API.

    with Api("https://storage.googleapis.com/BUCKET") as api:
        for run in api.runs(branch="master", status="fail"):
            print(run["run_id"], api.get(run["href"])["progress"])

What it gives are the documents as `exporter.documents` describes them, but for one thing: links are paths below the
API root, to be handed to `get`. Lists are iterators that follow `next`, page by page as they are read.
"""

from collections.abc import Iterator
from typing import Any, Self, TypedDict, Unpack, cast

import orjson

from exporter import paths
from exporter.client.bases import resolved
from exporter.client.http import Fetcher, Limits, NotFoundError
from exporter.documents.links import relink
from exporter.documents.manifests import ManifestDocument
from exporter.documents.regression_tests import Category, RegressionTestDocument, RegressionTestItem, Tag
from exporter.documents.results import ErrorItem, FailureItem, HistoryEntry, ResultDocument, ResultItem
from exporter.documents.runs import RunDocument, RunItem
from exporter.documents.samples import SampleDocument, SampleItem
from exporter.errors import FetchError
from exporter.rules.lineage import repository_identity

__all__ = ["Api", "FetchError", "NotFoundError"]

_SHA = 40
"""Digits of a commit's hash."""

_GROWTH, _MOST_PAGES = 100, 100_000
"""Pages that a list may have gained since its first one was read; those that the feed of ten million runs has."""


class RunFilters(TypedDict, total=False):
    """What runs may be chosen by; None chooses nothing.

    Args:
        pr: number of a pull request.
        commit: the hash of a commit, or at least its first 7 digits, in any case; with less than all 40 digits the list
            of all runs is read.
        branch: name of a branch.
        repository: a fork, as OWNER/NAME in any case, or its URL.
        platform: `linux` or `windows`.
        status: the run's status.
    """

    pr: int | None
    commit: str | None
    branch: str | None
    repository: str | None
    platform: str | None
    status: str | None


def _is(field: str, value: Any, wanted: Any) -> bool:
    """Whether a run's field has a value; repositories are the same whatever the spelling of their URLs."""
    if field == "repository" and isinstance(value, str):
        return repository_identity(value) == repository_identity(wanted)
    return bool(value == wanted)


class Api:
    """A published API; to be used as a context, or closed. One thread at a time.

    A request whose failure may pass is repeated; a document that has not changed since it was read is not sent again.

    Args:
        base: where it is published: `https://…`, `http://…`, `file://…`, `gs://BUCKET[/PREFIX]` or a folder.
        request_timeout: seconds for which a server may send nothing, at the beginning of an answer or in its middle.
        time_limit: seconds that all requests together may take; None: as long as they do.

    Raises:
        UsageError: the base is none of these.
    """

    def __init__(self, base: str, *, request_timeout: float = 30.0, time_limit: float | None = None) -> None:
        self._fetcher = Fetcher(base, Limits(request_timeout, time_limit))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._fetcher.close()

    @property
    def name(self) -> str:
        """The URL of the API root."""
        return self._fetcher.name

    def read(self, path: str) -> bytes:
        """The bytes of a document, as they are published.

        Raises:
            NotFoundError: there is none at this path.
            FetchError: it cannot be read.
        """
        return self._fetcher.fetch(path)

    def get(self, path: str) -> Any:
        """The document at a path below the API root.

        Raises:
            NotFoundError: there is none at this path.
            FetchError: it cannot be read, or is no JSON, or has a link that leads out of the API.
        """
        data = self.read(path)
        try:
            document = orjson.loads(data)
            relink(document, lambda link: resolved(path, link))
        except (ValueError, RecursionError):
            raise FetchError(f"{self.name}{path} is not a JSON document of this API") from None
        return document

    def items(self, path: str) -> Iterator[Any]:
        """The items of the list whose first document is at a path, along its `next` links.

        Raises:
            FetchError: a page cannot be read, or the list has no end.
        """
        most: int | None = None
        seen: set[str] = set()
        here: str | None = path
        while here is not None:
            seen.add(here)
            try:
                document = self.get(here)
                data, pagination = document["data"], document["pagination"]
                following = pagination["next"]
                if most is None:
                    most = min(pagination.get("pages", pagination.get("total", 0)) + _GROWTH, _MOST_PAGES)
                endless = following in seen or len(seen) > most
                if not all(isinstance(item, dict) for item in data):
                    raise TypeError
            except (KeyError, TypeError, AttributeError):
                raise FetchError(f"{self.name}{here} is not a list of this API") from None
            yield from data
            if endless:
                raise FetchError(f"{self.name}{path} has no end: page {len(seen)} leads on to {following}")
            here = following

    def _existing(self, name: str) -> Iterator[Any]:
        """The items of a facet's list; none if nothing has that value."""
        items = self.items(paths.document(name))
        try:
            first = next(items, None)
        except NotFoundError:
            self.manifest()  # there is one, unless nothing is published here at all
            return
        if first is not None:
            yield first
            yield from items

    def manifest(self) -> ManifestDocument:
        """What is published."""
        return cast("ManifestDocument", self.get(paths.MANIFEST))

    def runs(self, **filters: Unpack[RunFilters]) -> Iterator[RunItem]:
        """The runs that have all of these values, newest first.

        Raises:
            TypeError: there is no such filter.
        """
        if unknown := filters.keys() - RunFilters.__annotations__.keys():
            raise TypeError(f"runs() has no filter {min(unknown)}: it takes {', '.join(RunFilters.__annotations__)}")
        pr, commit = filters.get("pr"), filters.get("commit")
        whole = commit is not None and len(commit) == _SHA
        # The first in this order has the fewest runs, mostly.
        asked = {
            "pr_number": pr,
            "branch": filters.get("branch"),
            "repository": filters.get("repository"),
            "status": filters.get("status"),
            "platform": filters.get("platform"),
        }
        wanted = {field: value for field, value in asked.items() if value is not None}
        if pr is not None:
            name = paths.runs_of_pull_request(pr)
        elif commit is not None and whole:
            name = paths.runs_of_commit(commit.lower())
        else:
            field, value = next(iter(wanted.items()), ("", ""))
            if field == "repository":
                value = self._listed_repository(str(value))
            name = paths.facet_list(paths.RUNS, field, str(value)) if field else paths.RUNS
        for run in self._existing(name) if wanted or whole else self.items(paths.document(name)):
            of_commit = commit is None or str(run.get("commit_sha")).lower().startswith(commit.lower())
            if of_commit and all(_is(field, run.get(field), value) for field, value in wanted.items()):
                yield run

    def _listed_repository(self, repository: str) -> str:
        """A repository as the index of repositories spells it; as it is if it is not there."""
        index = self.items(paths.document(paths.facet(paths.RUNS, "repository")))
        return next((one["value"] for one in index if _is("repository", one["value"], repository)), repository)

    def run(self, run_id: int) -> RunDocument:
        """A run in full."""
        return cast("RunDocument", self.get(paths.run(run_id)))

    def results(self, run_id: int) -> Iterator[ResultItem]:
        """The results of a run, by regression test."""
        return self.items(paths.document(paths.run_list(run_id, "samples")))

    def failures(self, run_id: int) -> Iterator[FailureItem]:
        """The results of a run that are not `pass`, by regression test."""
        return self.items(paths.document(paths.run_list(run_id, "failures")))

    def errors(self, run_id: int) -> Iterator[ErrorItem]:
        """Each way in which a result of a run is not what was expected."""
        return self.items(paths.document(paths.run_list(run_id, "errors")))

    def result(self, run_id: int, regression_test_id: int) -> ResultDocument:
        """The result of one regression test in a run, in full."""
        path = paths.run_results(run_id) + paths.result_file(regression_test_id)
        return cast("ResultDocument", self.get(path))

    def samples(
        self, *, tag: str | None = None, extension: str | None = None, status: str | None = None
    ) -> Iterator[SampleItem]:
        """The samples that have all of these values, by id."""
        return self._listed(paths.SAMPLES, "sample_id", tag=tag, extension=extension, status=status)

    def sample(self, sample: int | str) -> SampleDocument:
        """A sample in full, by its id or by its hash."""
        path = paths.sample(sample) if isinstance(sample, int) else self.get(paths.sample_by_sha(sample))["href"]
        return cast("SampleDocument", self.get(path))

    def history(self, sample_id: int) -> Iterator[HistoryEntry]:
        """Every result of a sample's tests, newest run first."""
        return self.items(paths.document(paths.sample_history(sample_id)))

    def regression_tests(
        self, *, active: bool | None = None, category: str | None = None, tag: str | None = None
    ) -> Iterator[RegressionTestItem]:
        """The regression tests that have all of these values, by id."""
        named = None if active is None else str(active).lower()
        return self._listed(paths.REGRESSION_TESTS, "regression_test_id", active=named, category=category, tag=tag)

    def regression_test(self, regression_test_id: int) -> RegressionTestDocument:
        """A regression test in full."""
        return cast("RegressionTestDocument", self.get(paths.regression_test(regression_test_id)))

    def categories(self) -> Iterator[Category]:
        """Every category, by name."""
        return self.items(paths.document(paths.CATEGORIES))

    def tags(self) -> Iterator[Tag]:
        """Every tag, by name."""
        return self.items(paths.document(paths.TAGS))

    def _listed(self, family: str, key: str, **facets: str | None) -> Iterator[Any]:
        """The items that stand in the lists of all these values, or in the list of all."""
        lists = [paths.facet_list(family, name, value) for name, value in facets.items() if value is not None]
        if not lists:
            yield from self.items(paths.document(family))
            return
        others = [{item.get(key) for item in self._existing(name)} for name in lists[1:]]
        for item in self._existing(lists[0]):
            if all(item.get(key) in other for other in others):
                yield item
