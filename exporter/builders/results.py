"""Results: what the rows of one run say of each of its tests.

Millions of results share a few hundred outcomes (most often: exit code 0, every output as expected), so an outcome
is worked out once per distinct combination of test, exit codes and result files, and encoded once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from exporter import layout
from exporter.documents import (
    Document,
    Encoded,
    Output,
    OutputDetail,
    Run,
    RunIdentity,
    encode,
    fragment,
    listing,
)
from exporter.source.catalog import Catalog, OutputRow, TestRow
from exporter.source.partitions import RunRows
from exporter.source.values import Problem
from exporter.status import (
    ResultFile,
    ResultStatus,
    failure_signature,
    output_match,
    result_status,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything about a result that its runtime and its run do not change.

    `outputs` is an encoded list of `Output`, `details` one of `OutputDetail`; `errors` are (id suffix, type,
    severity, message) of its error items.
    """

    test: "TestView"
    exit_code: int | None
    expected_rc: int | None
    status: ResultStatus
    signature: str | None
    outputs: Encoded
    details: Encoded
    errors: tuple[tuple[str, str, str, str], ...]


class Result(NamedTuple):
    """One result of a run: its outcome, and its runtime in ms."""

    outcome: Outcome
    runtime: int | None


@dataclass(frozen=True, slots=True)
class TestView:
    """What the documents of results show of their regression test, ready to be put in.

    `links` is the encoded `links` object of a result's own document but for its run's part.
    """

    __test__ = False

    id: int
    sample_id: int | None
    sample_name: str | None
    command: str | None
    categories: Encoded
    has_outputs: bool
    expected: tuple[OutputRow, ...]
    links: Encoded


def category_names(catalog: Catalog, test: TestRow) -> list[str]:
    """The names of a test's categories, each once, in the order of their ids."""
    names = (catalog.categories[category].name for category in sorted(set(test.categories)))
    return [name for name in names if name is not None]


class Results:
    """Evaluates results against one catalogue, remembering every outcome it has met."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._tests: dict[int, TestView] = {}
        self._outcomes: dict[tuple[object, ...], Outcome] = {}
        self._variants = {
            output.id: frozenset(hash_ for _, hash_ in output.variants if hash_ is not None)
            for output in catalog.outputs.values()
        }

    def of(self, run: RunRows, problems: list[Problem] | None = None) -> list[Result]:
        """The results of a run by ascending regression test id; what makes no sense is added to `problems`."""
        files: dict[int, list[tuple[int, str | None, str | None]]] = {}
        for test_id, *file in run.files:
            files.setdefault(test_id, []).append(tuple(file))
        outcomes = self._outcomes
        results = []
        for test_id, runtime, exit_code, expected_rc in run.results:
            key = (test_id, exit_code, expected_rc, *files.pop(test_id, ()))
            outcome = outcomes.get(key)
            if outcome is None:
                outcome = outcomes[key] = self._outcome(test_id, exit_code, expected_rc, key[3:])
            results.append(Result(outcome, runtime))
        if problems is not None:
            for result in results:
                if result.outcome.test.id not in self._catalog.tests:
                    problems.append(
                        Problem("test_result", f"{run.run_id}/{result.outcome.test.id}", "the test does not exist")
                    )
            for test_id, rows in files.items():
                problems += [
                    Problem("test_result_file", f"{run.run_id}/{test_id}/{row[0]}", "there is no such result")
                    for row in rows
                ]
        return results

    def _test(self, test_id: int) -> TestView:
        view = self._tests.get(test_id)
        if view is None:
            view = self._tests[test_id] = _view(self._catalog, test_id)
        return view

    def _outcome(
        self,
        test_id: int,
        exit_code: int | None,
        expected_rc: int | None,
        rows: tuple[tuple[int, str | None, str | None], ...],
    ) -> Outcome:
        test = self._test(test_id)
        files = [ResultFile(*row) for row in rows]
        matches = [output_match(file.got, self._variants.get(file.output_id, frozenset())) for file in files]
        written = {file.output_id for file in files}
        missing = [output for output in test.expected if output.id not in written]
        sentinel_only = not test.has_outputs and any(file.is_sentinel for file in files)
        status = result_status(
            missing=bool(missing),
            sentinel_only=sentinel_only,
            exit_code=exit_code,
            expected_rc=expected_rc,
            matches=matches,
        )
        errors: list[tuple[str, str, str, str]] = []
        if exit_code != expected_rc:
            errors.append(
                (
                    "rc",
                    "exit_code_mismatch",
                    "error",
                    f"Exit code {exit_code} != expected {expected_rc} for regression test {test_id}",
                )
            )
        for output_id in [-1] if sentinel_only else [output.id for output in missing]:
            errors.append(
                (
                    f"missing_{output_id}",
                    "missing_output",
                    "error",
                    f"Regression test {test_id} produced no output for expected file {output_id}",
                )
            )
        details: list[OutputDetail] = []
        for file, match in zip(files, matches, strict=True):
            if file.is_sentinel:
                continue
            row = self._catalog.outputs.get(file.output_id)
            if match == "different":
                errors.append(
                    (
                        str(file.output_id),
                        "diff_mismatch",
                        "warning",
                        f"Output differs from expected for regression test {test_id}, output {file.output_id}",
                    )
                )
            details.append(
                {
                    "output_id": file.output_id,
                    "filename": _filename(file.expected, row),
                    "status": "fail" if match == "different" else "pass",
                    "match": match,
                    "expected_hash": file.expected,
                    "got_hash": file.expected if file.got is None else file.got,
                    "diff": None,
                }
            )
        details += [
            {
                "output_id": output.id,
                "filename": _filename(output.correct, output),
                "status": "missing_output",
                "match": "missing",
                "expected_hash": output.correct,
                "got_hash": None,
                "diff": None,
            }
            for output in missing
        ]
        details.sort(key=lambda output: output["output_id"])
        outputs: list[Output] = [
            {
                "output_id": output["output_id"],
                "filename": output["filename"],
                "status": output["status"],
                "match": output["match"],
            }
            for output in details
        ]
        return Outcome(
            test=test,
            exit_code=exit_code,
            expected_rc=expected_rc,
            status=status,
            signature=failure_signature(status, files, exit_code, expected_rc),
            outputs=fragment(outputs),
            details=fragment(details),
            errors=tuple(errors),
        )


def _view(catalog: Catalog, test_id: int) -> TestView:
    """A test as its results show it; one that does not exist shows nothing."""
    row = catalog.tests.get(test_id)
    sample = catalog.samples[row.sample_id] if row is not None and row.sample_id is not None else None
    here = layout.run_results(0) + layout.result_file(0)
    return TestView(
        id=test_id,
        sample_id=sample.id if sample else None,
        sample_name=sample.original_name if sample else None,
        command=row.command if row else None,
        categories=fragment(category_names(catalog, row) if row else []),
        has_outputs=bool(row and row.outputs),
        expected=tuple(output for output in row.outputs if not output.ignore) if row else (),
        links=fragment(
            {
                "regression_test": layout.relative(here, layout.regression_test(test_id)) if row else None,
                "sample": layout.relative(here, layout.sample(sample.id)) if sample else None,
                "history": layout.relative(here, layout.document(layout.sample_history(sample.id))) if sample else None,
            }
        ),
    )


def _filename(hash_: str | None, output: OutputRow | None) -> str | None:
    """The name of a file in the sample repository."""
    return None if hash_ is None else hash_ + ((output.correct_extension or "") if output else "")


def has_document(result: Result, result_documents: str) -> bool:
    """Whether a result gets a document of its own under `all`, `failures` or `none`."""
    return result_documents == "all" or (result_documents == "failures" and result.outcome.status != "pass")


def documents(run: Run, results: list[Result], result_documents: str) -> Iterator[Document]:
    """The documents of a run's results: one each, then the lists of all and of those that did not pass."""
    run_id = run["run_id"]
    folder = layout.run_results(run_id)
    identity = fragment(_identity(run, layout.relative(folder, layout.run(run_id))))
    for result in results:
        if has_document(result, result_documents):
            outcome = result.outcome
            test = outcome.test
            yield Document(
                folder + layout.result_file(test.id),
                encode(
                    {
                        "regression_test_id": test.id,
                        "sample_id": test.sample_id,
                        "sample_name": test.sample_name,
                        "status": outcome.status,
                        "exit_code": outcome.exit_code,
                        "expected_rc": outcome.expected_rc,
                        "runtime_ms": result.runtime,
                        "command": test.command,
                        "categories": test.categories,
                        "outputs": outcome.details,
                        "run": identity,
                        "links": test.links,
                    }
                ),
            )
    for kind, listed in (
        ("samples", results),
        ("failures", [result for result in results if result.outcome.status != "pass"]),
    ):
        for page in layout.pages(layout.run_list(run_id, kind), len(listed)):
            base = layout.relative(page.path, folder)
            items = [
                {
                    "regression_test_id": result.outcome.test.id,
                    "sample_id": result.outcome.test.sample_id,
                    "sample_name": result.outcome.test.sample_name,
                    "status": result.outcome.status,
                    "exit_code": result.outcome.exit_code,
                    "expected_rc": result.outcome.expected_rc,
                    "runtime_ms": result.runtime,
                    "command": result.outcome.test.command,
                    "categories": result.outcome.test.categories,
                    "outputs": result.outcome.outputs,
                    "href": base + layout.result_file(result.outcome.test.id)
                    if has_document(result, result_documents)
                    else None,
                }
                for result in listed[page.items]
            ]
            yield Document(page.path, encode(listing(items, page.pagination)))


def _identity(run: Run, href: str) -> RunIdentity:
    return {
        "run_id": run["run_id"],
        "platform": run["platform"],
        "test_type": run["test_type"],
        "repository": run["repository"],
        "branch": run["branch"],
        "commit_sha": run["commit_sha"],
        "pr_number": run["pr_number"],
        "href": href,
    }
