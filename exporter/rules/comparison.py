"""Comparisons: a run's results against the newest earlier results of the same tests in a lineage. Pure functions.

The rules are those of `docs/contract.md`, "Comparisons".
"""

from collections.abc import Container, Mapping
from typing import Literal, NamedTuple, get_args

from exporter.rules.history import Evaluated
from exporter.rules.lineage_state import ReferenceRun
from exporter.rules.status import ResultStatus

Bucket = Literal["broken", "fixed", "failing_identically", "failing_differently", "not_rerun", "no_reference"]
BUCKETS: tuple[Bucket, ...] = get_args(Bucket)


Newest = tuple[int, ResultStatus, str]
"""A test's newest result in a lineage: its run, status and output. There are too many to wrap each."""


class ComparedTests(NamedTuple):
    """A run against a lineage.

    Args:
        run: the newest run there that is not partial, or the newest if all are.
        buckets: bucket → (test, its newest result there), by test.
        unchanged_pass: number of tests that pass here and whose output or status there is the same.
        not_asked: number of tests that fail there, of which the run was not asked for a result.
    """

    run: ReferenceRun | None
    buckets: Mapping[Bucket, list[tuple[int, Newest | None]]]
    unchanged_pass: int
    not_asked: int


def compare(
    here: Mapping[int, Evaluated], there: Mapping[int, Newest], run: ReferenceRun | None, asked: Container[int]
) -> ComparedTests:
    """Compare a run's results with a lineage.

    Args:
        here: the run's results by regression test id, ascending.
        there: regression test id → its newest result in the lineage.
        run: as in `ComparedTests`.
        asked: the tests whose results are missed if the run has none.
    """
    buckets: dict[Bucket, list[tuple[int, Newest | None]]] = {name: [] for name in BUCKETS}
    unchanged = not_asked = 0
    for test, one in here.items():
        other = there.get(test)
        if other is None:
            if one.status != "pass":
                buckets["no_reference"].append((test, None))
            continue
        _, status, output = other
        if one.status == "pass":
            if status == "pass" or output == one.output:
                unchanged += 1
            else:
                buckets["fixed"].append((test, other))
        elif output == one.output:
            buckets["failing_identically"].append((test, other))
        else:
            buckets["broken" if status == "pass" else "failing_differently"].append((test, other))
    for test in sorted(test for test, (_, status, _) in there.items() if status != "pass" and test not in here):
        if test in asked:
            buckets["not_rerun"].append((test, there[test]))
        else:
            not_asked += 1
    return ComparedTests(run, buckets, unchanged, not_asked)
