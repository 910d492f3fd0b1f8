"""What the log says of input that an operator should look at: invalid rows, and an empty main line."""

import logging
from collections.abc import Iterable

from exporter import paths
from exporter.rules.lineage import MainLine, main_lineage
from exporter.source.row_values import InvalidRow
from exporter.state.posting_lists import PostingLists

log = logging.getLogger(__name__)

_MOST_NAMED = 5
"""Rows with the same fault, found together, that are named in the log."""


def report_problems(problems: Iterable[InvalidRow]) -> int:
    """Log invalid rows by table and id, never their values, many alike in one line; return their number."""
    alike: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        alike.setdefault((problem.table, problem.what), []).append(problem.row)
    for (table, what), rows in alike.items():
        if len(rows) > _MOST_NAMED:
            log.warning("%s: %d rows, %s …: %s", table, len(rows), ", ".join(rows[:_MOST_NAMED]), what)
        else:
            for row in rows:
                log.warning("%s %s: %s", table, row, what)
    return sum(map(len, alike.values()))


def warn_of_empty_main_line(lists: PostingLists, main: MainLine) -> None:
    """Warn if there are runs, and none of them is on the main line: nothing is compared then."""
    repositories = lists.facet_counts["repository"]
    if any(lists.total(main_lineage(platform)) for platform in paths.PLATFORMS):
        if main.repository not in repositories:
            log.info("the repository of the main line, %r, is written in another way in the database", main.repository)
        return
    if not lists.total(paths.RUNS):
        return
    found = {
        facet: ", ".join(repr(value) for value in sorted(counts, key=lambda value: (-counts[value], value))[:_NAMED])
        for facet, counts in lists.facet_counts.items()
    }
    log.warning(
        "no run is on the main line (repository %r, branch %r): no failure can be compared with it. There are runs of "
        "the repositories %s and the branches %s; set --main-repository and --main-branch",
        main.repository,
        main.branch,
        found["repository"],
        found["branch"],
    )


_NAMED = 10
"""Repositories and branches that the warning of an empty main line names at most, the most frequent ones first."""
