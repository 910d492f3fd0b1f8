"""The grid of a platform: what every test gave in every run, as compactly as a page that shows all of it needs.

A feed like any other, of which the items are runs: `grid/PLATFORM.json` and its archive. Its pages say in `meta` which
tests the letters of `results` stand for.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exporter import layout
from exporter.documents import Document, GridRun, Run, encode
from exporter.status import ResultStatus

LETTERS: Final[Mapping[ResultStatus, str]] = {"pass": "p", "fail": "f", "missing_output": "m"}
NO_RESULT: Final = "."


@dataclass(frozen=True, slots=True)
class Columns:
    """The runs of one partition on one platform.

    Args:
        runs: newest first.
        tests: ids of regression tests, ascending.
        letters: for each run one letter per test.
    """

    runs: Sequence[Run]
    tests: Sequence[int]
    letters: Sequence[str]


def document(path: str, parts: Sequence[Columns], total: int | None, after: str | None) -> Document:
    """A head or an archive page.

    Args:
        path: where it stands.
        parts: what it holds, newest first.
        total: the number of all runs in the feed, in a head; None in an archive page.
        after: the path of the page that goes on; None: there is none.
    """
    tests = sorted({test for part in parts for test in part.tests})
    data = [_item(run, letters, path) for part in parts for run, letters in _aligned(part, tests)]
    pagination = {} if total is None else {"total": total}
    link = None if after is None else layout.relative(path, after)
    return path, encode({"data": data, "pagination": {**pagination, "next": link}, "meta": {"tests": tests}})


def _aligned(part: Columns, tests: Sequence[int]) -> Iterable[tuple[Run, str]]:
    """The part's runs with letters for these tests."""
    if list(part.tests) == list(tests):
        return zip(part.runs, part.letters, strict=True)
    places = {test: place for place, test in enumerate(part.tests)}
    order = [places.get(test, -1) for test in tests]
    return (
        (run, "".join(letters[place] if place >= 0 else NO_RESULT for place in order))
        for run, letters in zip(part.runs, part.letters, strict=True)
    )


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
        "href": layout.relative(path, layout.run(run["run_id"])),
    }
