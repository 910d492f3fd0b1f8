"""Outcomes: what the rows of one run say of each of its tests.

Millions of results share a few hundred outcomes (most often: exit code 0, every output as expected), so an outcome
is worked out once per distinct combination of test, exit codes and result files, and encoded once.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from exporter import paths
from exporter.documents.encoding import HOLE, Encoded, Template, encode, fragment
from exporter.documents.results import Classification, Output, OutputDetail
from exporter.rules.status import (
    SENTINEL_OUTPUT_ID,
    FailureCode,
    Match,
    ResultFile,
    ResultStatus,
    classification,
    failure_signature,
    output_match,
    result_status,
)
from exporter.source.catalog import Catalog, OutputRow, TestRow
from exporter.source.partitions import RunRows
from exporter.source.row_values import DANGLING, InvalidRow

_MOST_OUTCOMES = 20_000
"""Outcomes remembered at a time, a few kilobytes each: far more than one partition has."""


class Pair(NamedTuple):
    """Two contents of the sample repository that a document compares: their hashes, and the files' extension."""

    expected: str
    got: str
    extension: str


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """Everything about a result that its runtime and its run do not change; hashed by identity.

    Args:
        test_id: of the regression test.
        file: the name of the result's own document in its run's folder.
        sample_id: of its sample.
        sample_name: of its sample.
        status: the result's.
        exit_code: what the test exited with.
        signature: tells one way of failing from another.
        how: tells how it failed, by exit code and produced hashes; None if it passed.
        failure: why it is not `pass`, and that encoded; None if it is.
        errors: (id suffix, type, severity, message) of the error items.
        diffs: path → contents, of the comparisons of its outputs that its document leads to.
        listed: the result as its run's lists show it; to fill in: runtime, link to its document.
        document: the result's own document; to fill in: runtime, verdict, previous result, excerpt of the log,
            identity of its run.
    """

    test_id: int
    file: str
    sample_id: int | None
    sample_name: str | None
    status: ResultStatus
    exit_code: int | None
    signature: str | None
    how: str | None
    failure: tuple[FailureCode, bytes] | None
    errors: tuple[tuple[str, str, str, str], ...]
    diffs: Mapping[str, Pair]
    listed: Template
    document: Template


Result = tuple[Outcome, int | None]
"""One result of a run: its outcome, and its runtime in ms."""


_HERE = paths.run_results(0) + paths.result_file(0)
"""Where any result's document stands, as far as its links tell."""


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
    """Evaluates results against one catalogue, remembering every outcome it has met.

    Args:
        catalog: the catalogue.
        diffs: whether there are contents to compare: a sample repository.
    """

    def __init__(self, catalog: Catalog, *, diffs: bool = False) -> None:
        self._catalog = catalog
        self._diffs = diffs
        self._tests: dict[int, TestView] = {}
        self._outcomes: dict[tuple[object, ...], Outcome] = {}
        self._variants = {
            output.id: frozenset(hash_ for _, hash_ in output.variants if hash_ is not None)
            for output in catalog.outputs.values()
        }

    def of(self, run: RunRows, problems: list[InvalidRow] | None = None) -> list[Result]:
        """The results of a run by ascending regression test id; invalid rows are added to `problems`."""
        files: dict[int, list[tuple[Any, ...]]] = {}
        for row in run.files:
            if row[0] in files:
                files[row[0]].append(tuple(row))
            else:
                files[row[0]] = [tuple(row)]
        outcomes = self._outcomes
        if len(outcomes) > _MOST_OUTCOMES:
            outcomes.clear()
        results = []
        for test_id, runtime, exit_code, expected_rc in run.results:
            key = (test_id, exit_code, expected_rc, *files.pop(test_id, ()))
            outcome = outcomes.get(key)
            if outcome is None:
                outcome = outcomes[key] = self._outcome(
                    test_id, exit_code, expected_rc, [ResultFile(*row[1:]) for row in key[3:]]
                )
            results.append((outcome, runtime))
        if problems is not None:
            problems += [
                InvalidRow("test_result", f"{run.run_id}/{row[0]}", f"regression_test_id {DANGLING}")
                for row in run.results
                if row[0] not in self._catalog.tests
            ]
            problems += [
                InvalidRow("test_result_file", f"{run.run_id}/{row[0]}/{row[1]}", "there is no such result")
                for rows in files.values()
                for row in rows
            ]
        return results

    def test(self, test_id: int) -> TestView:
        """What documents show of a regression test."""
        view = self._tests.get(test_id)
        if view is None:
            view = self._tests[test_id] = _view(self._catalog, test_id)
        return view

    def _outcome(
        self, test_id: int, exit_code: int | None, expected_rc: int | None, files: list[ResultFile]
    ) -> Outcome:
        test = self.test(test_id)
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
        outputs = self._outputs(files, matches, missing)
        different = [output["output_id"] for output in outputs if output["match"] == "different"]
        failure = classification(status, exit_code, expected_rc, len(missing), len(different))
        classified: Classification | None = {"code": failure[0], "reason": failure[1]} if failure else None
        pairs = [self._pair(file) for file in files if not file.is_sentinel]
        shown = {
            "regression_test_id": test.id,
            "sample_id": test.sample_id,
            "sample_name": test.sample_name,
            "status": status,
            "exit_code": exit_code,
            "expected_rc": expected_rc,
            "runtime_ms": HOLE,
            "command": test.command,
            "categories": test.categories,
        }
        brief: list[Output] = [
            {"output_id": o["output_id"], "filename": o["filename"], "status": o["status"], "match": o["match"]}
            for o in outputs
        ]
        return Outcome(
            test_id=test_id,
            file=paths.result_file(test_id),
            sample_id=test.sample_id,
            sample_name=test.sample_name,
            status=status,
            exit_code=exit_code,
            signature=failure_signature(status, files, exit_code, expected_rc),
            how=None if failure is None else _how(exit_code, files),
            failure=None if failure is None else (failure[0], encode(classified)),
            errors=tuple(
                _errors(
                    test_id,
                    exit_code,
                    expected_rc,
                    [SENTINEL_OUTPUT_ID] if sentinel_only else [output.id for output in missing],
                    different,
                )
            ),
            diffs={paths.diff(*pair): pair for pair in pairs if pair is not None},
            listed=Template({**shown, "outputs": brief, "href": HOLE}),
            document=Template(
                {
                    **shown,
                    "outputs": outputs,
                    "classification": classified,
                    "verdict": HOLE,
                    "previous": HOLE,
                    "log_excerpt": HOLE,
                    "run": HOLE,
                    "links": test.links,
                }
            ),
        )

    def _outputs(self, files: list[ResultFile], matches: list[Match], missing: list[OutputRow]) -> list[OutputDetail]:
        """The outputs of a result, those that were written and those that were not, by id; no sentinel."""
        outputs: list[OutputDetail] = [
            {
                "output_id": file.output_id,
                "filename": _filename(file.expected, self._catalog.outputs.get(file.output_id)),
                "status": "fail" if match == "different" else "pass",
                "match": match,
                "expected_hash": file.expected,
                "got_hash": file.expected if file.got is None else file.got,
                "diff": None if (pair := self._pair(file)) is None else paths.relative(_HERE, paths.diff(*pair)),
            }
            for file, match in zip(files, matches, strict=True)
            if not file.is_sentinel
        ]
        outputs += [
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
        return sorted(outputs, key=lambda output: output["output_id"])

    def _pair(self, file: ResultFile) -> Pair | None:
        """What is to be compared of a result file; None where nothing can or need be."""
        if not self._diffs or file.expected is None or file.got is None:
            return None
        output = self._catalog.outputs.get(file.output_id)
        return Pair(file.expected, file.got, (output.correct_extension or "") if output else "")


def _how(exit_code: int | None, files: list[ResultFile]) -> str:
    """The same for two failures exactly if the test ended with the same exit code and the same outputs."""
    produced = [[file.output_id, file.expected if file.got is None else file.got] for file in files]
    return hashlib.blake2b(encode([exit_code, produced]), digest_size=6).hexdigest()


def _errors(
    test_id: int, exit_code: int | None, expected_rc: int | None, missing: list[int], different: list[int]
) -> Iterator[tuple[str, str, str, str]]:
    """The error items of an outcome; `missing` and `different` are output ids."""
    if exit_code != expected_rc:
        message = f"Exit code {exit_code} != expected {expected_rc} for regression test {test_id}"
        yield "rc", "exit_code_mismatch", "error", message
    for output_id in missing:
        message = f"Regression test {test_id} produced no output for expected file {output_id}"
        yield f"missing_{output_id}", "missing_output", "error", message
    for output_id in different:
        message = f"Output differs from expected for regression test {test_id}, output {output_id}"
        yield str(output_id), "diff_mismatch", "warning", message


def _view(catalog: Catalog, test_id: int) -> TestView:
    """A test as its results show it; one that does not exist shows nothing."""
    row = catalog.tests.get(test_id)
    sample = catalog.samples[row.sample_id] if row is not None and row.sample_id is not None else None
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
                "regression_test": paths.relative(_HERE, paths.regression_test(test_id)) if row else None,
                "sample": paths.relative(_HERE, paths.sample(sample.id)) if sample else None,
                "history": paths.relative(_HERE, paths.document(paths.sample_history(sample.id))) if sample else None,
            }
        ),
    )


def _filename(hash_: str | None, output: OutputRow | None) -> str | None:
    """The name of a file in the sample repository."""
    return None if hash_ is None else hash_ + ((output.correct_extension or "") if output else "")
