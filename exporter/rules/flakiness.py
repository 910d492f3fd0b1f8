"""Whether a test is flaky, by the newest results that a history summary holds. Pure functions.

The rules are those of `docs/contract.md`, "Flaky"; `verdicts.py` applies them to a failure, `stability.py` to a test.
"""

import functools
import itertools
from collections import Counter
from collections.abc import Sequence

from exporter.rules.history import UNKNOWN_COMMIT, Entry, entries, is_steady

_FLAKY_CHANGES = 4
_FLAKY_COMMITS = 2
_LASTING = 5


def _changes(window: Sequence[Entry], *, within_commits: bool) -> list[int]:
    """The places of the state changes: a pass beside a failure of another output."""
    return [
        place
        for place, (a, b) in enumerate(itertools.pairwise(window), 1)
        if a.passes != b.passes
        and a.output != b.output
        and (not within_commits or (a.commit == b.commit != UNKNOWN_COMMIT))
    ]


def state_changes(newest: str) -> int:
    """How often the newest results (`HistorySummary.newest`) changed between pass and a failure of another output."""
    return 0 if is_steady(newest) else len(_changes(entries(newest), within_commits=False))


@functools.lru_cache(maxsize=65536)
def is_flaky(newest: str, *, within_commits: bool = False) -> bool:
    """Whether a test is flaky by its newest 20 results, as `HistorySummary.newest` has them.

    It is if these have at least four state changes, or if two commits have each both passed and failed, with another
    output. The last change does not count if at least five results stand since: that is a change that lasts.

    Args:
        newest: the results.
        within_commits: count only changes between results of one commit: the lineage of a pull request or branch,
            whose author breaks and repairs a test.
    """
    if is_steady(newest):  # as most are
        return False
    window = entries(newest)
    changes = _changes(window, within_commits=within_commits)
    if changes and len(window) - changes[-1] >= _LASTING:
        changes.pop()
    return len(changes) >= _FLAKY_CHANGES or _unsteady_commits(window) >= _FLAKY_COMMITS


def _unsteady_commits(window: Sequence[Entry]) -> int:
    """How many commits have both passed and failed, with another output."""
    passed: dict[str, set[str]] = {}
    failed: dict[str, set[str]] = {}
    for one in window:
        (passed if one.passes else failed).setdefault(one.commit, set()).add(one.output)
    counts = Counter(
        commit != UNKNOWN_COMMIT and len(outputs | passed[commit]) > 1
        for commit, outputs in failed.items()
        if commit in passed
    )
    return counts[True]
