"""Verdicts' rules at their bounds; whole histories are in `test_judgement.py` and `test_worked_examples.py`."""

import pytest

from exporter.rules.failures import FailureCode
from exporter.rules.verdicts import Verdict, VerdictCode, suspect


def _verdict(code: VerdictCode) -> Verdict:
    return Verdict(code, "own", None, 1, 1, None, False, None)


@pytest.mark.parametrize(
    ("new", "known", "results", "expected"),
    [
        (20, 0, 66, ("ABORT", 20)),  # 30.3 %
        (19, 0, 20, None),  # under twenty
        (20, 0, 67, None),  # 29.9 %
        (30, 0, 100, ("ABORT", 30)),  # 30 % exactly
        (29, 0, 100, None),
        (19, 60, 100, None),  # only what newly fails counts
        (30, 60, 100, ("ABORT", 30)),
    ],
)
def test_a_run_is_suspect_from_twenty_tests_and_thirty_percent(
    new: int, known: int, results: int, expected: tuple[str, int] | None
) -> None:
    verdicts = {test: _verdict("new_regression" if test < new else "still_failing") for test in range(new + known)}
    assert suspect(dict.fromkeys(verdicts, "ABORT"), verdicts, results) == expected


def test_the_code_of_most_new_failures_is_named() -> None:
    verdicts = dict.fromkeys(range(55), _verdict("new_regression"))
    codes: dict[int, FailureCode] = {test: "KILLED" if test < 25 else "SEGFAULT" for test in verdicts}
    assert suspect(codes, verdicts, 60) == ("SEGFAULT", 30)
