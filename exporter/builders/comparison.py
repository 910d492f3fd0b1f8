"""Comparisons: a run against the runs before it that tell whether a failure is its own."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from exporter import paths
from exporter.builders.results import documented, run_identity
from exporter.documents.analysis import ComparedResult, Comparison
from exporter.documents.encoding import Document, encode
from exporter.documents.runs import Run
from exporter.rules.outcomes import Result, Results
from exporter.rules.result_matrix import Matrix, ResultOutcome
from exporter.rules.status import ResultStatus
from exporter.rules.verdicts import Assessment


class Reference(NamedTuple):
    """A run to compare with, and the matrix that holds its results."""

    run_id: int
    matrix: Matrix


References = Mapping[str, Reference | None]
"""Name as in `RunComparison` → the run to compare with, if there is one."""


def tests_without_result(results: list[Result], references: References) -> list[int]:
    """The tests that a comparison shows though the run has no result of them, ascending."""
    here = {outcome.test_id for outcome, _ in results}
    found: set[int] = set()
    for reference in references.values():
        if reference is not None:
            outcomes = reference.matrix.outcomes_of(reference.run_id)
            found.update(test for test, one in outcomes.items() if one.how is not None and test not in here)
    return sorted(found)


class _Comparer:
    """Compares one run with others."""

    def __init__(
        self, run: Run, results: list[Result], judged: Assessment, tests: Results, result_documents: str
    ) -> None:
        self._path = paths.run_comparison(run["run_id"])
        self._run_id, self._judged, self._tests = run["run_id"], judged, tests
        self._result_documents = result_documents
        self._here = {outcome.test_id: outcome for outcome, _ in results}
        self._failing = {test: outcome.how for test, outcome in self._here.items() if outcome.how is not None}

    def with_(self, reference: Reference | None) -> Comparison:
        """The run against one reference."""
        here, failing = self._here, self._failing
        there = reference.matrix.outcomes_of(reference.run_id) if reference else {}
        failed = {test: ending.how for test, ending in there.items() if ending.how is not None}
        buckets = {
            "broken": [test for test in failing if test in there and test not in failed],
            "fixed": [test for test in failed if test in here and test not in failing],
            "failing_identically": [test for test in failing if failing[test] == failed.get(test)],
            "failing_differently": [test for test in failing if test in failed and failing[test] != failed[test]],
            "not_rerun": [test for test in failed if test not in here],
            "no_reference": [test for test in failing if test not in there],
        }
        run_id = reference.run_id if reference else 0
        lists: Any = {
            name: [self._shown(test, run_id, there.get(test)) for test in sorted(found)]
            for name, found in buckets.items()
        }
        return {  # type: ignore[typeddict-item]
            "run": reference.matrix.identity(run_id, self._path) if reference else None,
            **lists,
            "unchanged_pass": len((here.keys() & there.keys()) - failing.keys() - failed.keys()),
        }

    def _shown(self, test: int, reference: int, there: ResultOutcome | None) -> ComparedResult:
        outcome, view, verdict = self._here.get(test), self._tests.test(test), self._judged.verdicts.get(test)
        return {
            "regression_test_id": test,
            "sample_id": view.sample_id,
            "sample_name": view.sample_name,
            "status": outcome.status if outcome else None,
            "code": outcome.failure[0] if outcome and outcome.failure else None,
            "verdict": verdict["code"] if verdict else None,
            "href": self._link(self._run_id, test, outcome.status) if outcome else None,
            "reference_status": there.status if there else None,
            "reference_href": self._link(reference, test, there.status) if there else None,
        }

    def _link(self, run_id: int, test: int, status: ResultStatus) -> str | None:
        if not documented(status, self._result_documents):
            return None
        return paths.relative(self._path, paths.run_results(run_id)) + paths.result_file(test)


def document(
    run: Run,
    results: list[Result],
    judged: Assessment,
    references: References,
    tests: Results,
    result_documents: str,
) -> Document:
    """A run against each of its references.

    Args:
        run: the run.
        results: its results.
        judged: what came before says of them.
        references: what to compare with.
        tests: tells what is shown of a test.
        result_documents: which results have a document that can be linked to.
    """
    path = paths.run_comparison(run["run_id"])
    comparer = _Comparer(run, results, judged, tests, result_documents)
    lists = ("samples", "failures")
    return path, encode(
        {
            "run": run_identity(run, path),
            "references": {name: comparer.with_(reference) for name, reference in references.items()},
            "links": {
                name: paths.relative(path, paths.document(paths.run_list(run["run_id"], name))) for name in lists
            },
        }
    )
