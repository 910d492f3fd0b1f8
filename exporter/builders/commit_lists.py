"""The list of a commit's runs: what its results on both platforms say together."""

from collections.abc import Callable, Sequence

from exporter import paths
from exporter.documents.runs import CommitMeta, Run
from exporter.paths import PLATFORMS
from exporter.rules.result_matrix import Matrix
from exporter.rules.status import ResultStatus


def meta(runs: Sequence[Run], matrix_of: Callable[[int], Matrix]) -> CommitMeta:
    """Of each test that fails at a commit on a platform: its newest counted status on each.

    `runs` are the commit's, newest first.
    """
    newest: dict[str, dict[int, ResultStatus]] = {platform: {} for platform in PLATFORMS}
    for run in reversed(runs):
        matrix = matrix_of(paths.partition_of(run["run_id"]))
        facts = matrix.runs[run["run_id"]].run
        if facts.platform is not None and facts.is_counted:
            outcomes = matrix.outcomes_of(run["run_id"])
            newest[facts.platform].update({test: one.status for test, one in outcomes.items()})
    failing = {test for statuses in newest.values() for test, status in statuses.items() if status != "pass"}
    return {
        "platforms": [
            {
                "regression_test_id": test,
                "linux": newest["linux"].get(test),
                "windows": newest["windows"].get(test),
            }
            for test in sorted(failing)
        ]
    }
