"""The grid of a platform: what every test gave in every run, as compactly as a page that shows all of it needs.

A feed like any other, of which the items are runs: `grid/PLATFORM.json` and its archive. Its pages say in `meta` which
tests the letters of `results` stand for.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from exporter import paths
from exporter.builders.feeds import FeedIndex
from exporter.documents.encoding import Document, encode
from exporter.documents.lists import FeedPagination
from exporter.documents.runs import GridRun, Run
from exporter.rules.result_matrix import Matrix
from exporter.rules.status import ResultStatus

LETTERS: Final[dict[ResultStatus, str]] = {"pass": "p", "fail": "f", "missing_output": "m"}
"""The letter of each status."""

NO_RESULT: Final = "."
"""The letter of a test that did not run."""


class Columns(NamedTuple):
    """Some runs of one platform, newest first, and a partition's matrix that holds their results."""

    runs: Sequence[Run]
    matrix: Matrix


def archive(platform: str, partition: int, columns: Columns, before: int | None) -> Document:
    """The archive page of one partition; `before` is the partition of the next older page."""
    return _document(paths.archive(paths.grid(platform), partition), [columns], {"next": _after(platform, before)})


def head(platform: str, index: FeedIndex, columns_of: Callable[[int, str], Columns]) -> Document:
    """The feed's head; `columns_of` returns a partition's runs of a platform."""
    name = paths.grid(platform)
    newest = index.head(name)
    parts = [columns_of(number, platform) for number in newest.partitions]
    pagination: FeedPagination = {"total": index.total(name), "next": _after(platform, newest.next)}
    return _document(paths.document(name), parts, pagination)


def _after(platform: str, before: int | None) -> str | None:
    """The path of the page that goes on."""
    return None if before is None else paths.archive(paths.grid(platform), before)


def _document(path: str, parts: Iterable[Columns], pagination: FeedPagination) -> Document:
    found = [row for part in parts for row in _rows(part)]
    every = tuple(sorted({test for tests in {tests for _, tests, _ in found} for test in tests}))
    data = [_item(run, _among(every, tests, letters), path) for run, tests, letters in found]
    after = pagination["next"]
    pagination["next"] = None if after is None else paths.relative(path, after)
    return path, encode({"data": data, "pagination": pagination, "meta": {"tests": every}})


def _rows(part: Columns) -> Iterator[tuple[Run, tuple[int, ...], str]]:
    """Each run, the tests that have a result in it, ascending, and the letter of each."""
    tests = [one.test_id for one in part.matrix.outcomes]
    letters = [LETTERS[one.status] for one in part.matrix.outcomes]
    for run in part.runs:
        places = part.matrix.runs[run["run_id"]].places
        yield run, tuple(map(tests.__getitem__, places)), "".join(map(letters.__getitem__, places))


def _among(every: tuple[int, ...], tests: tuple[int, ...], letters: str) -> str:
    """A letter for each of all tests, given those of some."""
    if tests == every:
        return letters
    return "".join((dict.fromkeys(every, NO_RESULT) | dict(zip(tests, letters, strict=True))).values())


def _item(run: Run, letters: str, path: str) -> GridRun:
    return {
        "run_id": run["run_id"],
        "status": run["status"],
        "repository": run["repository"],
        "branch": run["branch"],
        "commit_sha": run["commit_sha"],
        "pr_number": run["pr_number"],
        "at": run["completed_at"] or run["started_at"] or run["created_at"],
        "results": letters,
        "href": paths.relative(path, paths.run(run["run_id"])),
    }
