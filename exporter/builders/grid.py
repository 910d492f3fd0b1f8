"""The grid of a platform: what every test gave in every run, as compactly as a page that shows all of it needs.

A feed like any other, of which the items are runs: `grid/PLATFORM.json` and its archive. Its pages say in `meta` which
tests the letters of `results` stand for.
"""

from collections.abc import Callable, Iterable, Sequence
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
    found = [
        (run, {test: LETTERS[one.status] for test, one in part.matrix.outcomes_of(run["run_id"]).items()})
        for part in parts
        for run in part.runs
    ]
    tests = sorted({test for _, letters in found for test in letters})
    data = [_item(run, "".join([letters.get(test, NO_RESULT) for test in tests]), path) for run, letters in found]
    after = pagination["next"]
    pagination["next"] = None if after is None else paths.relative(path, after)
    return path, encode({"data": data, "pagination": pagination, "meta": {"tests": tests}})


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
