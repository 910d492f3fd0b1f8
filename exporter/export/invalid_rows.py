"""What the log says of invalid rows."""

import logging
from collections.abc import Iterable

from exporter.source.row_values import InvalidRow

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
