"""Comparisons: a run against earlier runs that tell whether a failure is its own."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from exporter import paths
from exporter.builders.results import documented, run_identity
from exporter.documents.analysis import ComparedResult, Comparison
from exporter.documents.encoding import Document, encode
from exporter.documents.lists import listing
from exporter.documents.runs import Run
from exporter.rules.comparison import BUCKETS, Bucket, ComparedTests, Newest
from exporter.rules.outcomes import Result, sample_of
from exporter.rules.status import ResultStatus
from exporter.rules.verdicts import Verdict
from exporter.source.catalog import Catalog

NOT_LISTED: Final[Bucket] = "not_rerun"
"""The bucket that has no whole list: a run that ended early would list nearly all that fails, again and again."""


def tests_without_result(comparisons: Mapping[str, ComparedTests]) -> list[int]:
    """The tests that a comparison shows though the run has no result of them, ascending."""
    return sorted({test for one in comparisons.values() for test, _ in one.buckets["not_rerun"][: paths.PER_PAGE]})


class ComparisonBuilder:
    """Makes the documents that compare one run with others.

    Args:
        verdicts: regression test id → the verdict on its failure.
        result_documents: which results have a document that can be linked to.
    """

    def __init__(
        self, run: Run, results: list[Result], verdicts: Mapping[int, Verdict], catalog: Catalog, result_documents: str
    ) -> None:
        self._run, self._verdicts, self._catalog = run, verdicts, catalog
        self._result_documents = result_documents
        self._here = {outcome.test_id: outcome for outcome, _ in results}

    def documents(self, comparisons: Mapping[str, ComparedTests]) -> Iterator[Document]:
        """The whole lists of large buckets, then the document that links to them; `comparisons` by reference."""
        run_id = self._run["run_id"]
        path = paths.run_comparison(run_id)
        for name, compared in comparisons.items():
            for bucket, tests in compared.buckets.items():
                if bucket != NOT_LISTED and len(tests) > paths.PER_PAGE:
                    for page in paths.pages(paths.comparison_list(run_id, name, bucket), len(tests)):
                        items = [self._item(compared, *one, page.path) for one in tests[page.items]]
                        yield page.path, encode(listing(items, page.pagination))
        document = {
            "run": run_identity(self._run, path),
            "references": {name: self._comparison(name, compared, path) for name, compared in comparisons.items()},
            "links": {
                name: paths.relative(path, paths.document(paths.run_list(run_id, name)))
                for name in ("samples", "failures")
            },
        }
        yield path, encode(document)

    def _comparison(self, name: str, compared: ComparedTests, path: str) -> Comparison:
        """The run against one reference; of each bucket the first hundred tests."""
        run_id, reference = self._run["run_id"], compared.run
        lists: Any = {
            bucket: [self._item(compared, *one, path) for one in tests[: paths.PER_PAGE]]
            for bucket, tests in compared.buckets.items()
        }

        def whole(bucket: Bucket) -> str | None:
            if bucket == NOT_LISTED or len(compared.buckets[bucket]) <= paths.PER_PAGE:
                return None
            return paths.relative(path, paths.document(paths.comparison_list(run_id, name, bucket)))

        return {  # type: ignore[typeddict-item]
            "run": None if reference is None else run_identity(reference._asdict(), path),
            **lists,
            "unchanged_pass": compared.unchanged_pass,
            "not_asked": compared.not_asked,
            "counts": {bucket: len(tests) for bucket, tests in compared.buckets.items()},
            "links": {bucket: whole(bucket) for bucket in BUCKETS},
        }

    def _item(self, compared: ComparedTests, test: int, there: Newest | None, source: str) -> ComparedResult:
        outcome, verdict = self._here.get(test), self._verdicts.get(test)
        sample = sample_of(self._catalog, test)
        reference = compared.run.run_id if compared.run else None
        run_id, status, _ = there or (None, None, None)
        return {
            "regression_test_id": test,
            "sample_id": sample.id if sample else None,
            "sample_name": sample.original_name if sample else None,
            "status": outcome.status if outcome else None,
            "code": outcome.code if outcome else None,
            "verdict": verdict.code if verdict else None,
            "href": self._link(self._run["run_id"], test, outcome.status, source) if outcome else None,
            "reference_status": status,
            "reference_run_id": run_id if run_id != reference else None,
            "reference_href": self._link(run_id, test, status, source) if run_id is not None and status else None,
        }

    def _link(self, run_id: int, test: int, status: ResultStatus, source: str) -> str | None:
        if not documented(status, self._result_documents):
            return None
        return paths.relative(source, paths.run_results(run_id)) + paths.result_file(test)
