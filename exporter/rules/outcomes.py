"""Outcomes: what the rows of one run say of each of its tests.

Millions of results share a few hundred outcomes (most often: exit code 0, every output as expected), so an outcome
is evaluated once per distinct combination of test, exit codes and result files.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from exporter.rules.failures import FailureCode, classification, failure_signature, output_fingerprint
from exporter.rules.status import SENTINEL_OUTPUT_ID, Match, ResultFile, ResultStatus, output_match, result_status
from exporter.source.catalog import Catalog, OutputRow, SampleRow, TestRow
from exporter.source.partitions import RunRows
from exporter.source.row_values import DANGLING, InvalidRow

_MOST_OUTCOMES = 20_000
"""Outcomes remembered at a time, about a kilobyte each: far more than one partition has."""


class Pair(NamedTuple):
    """Two contents of the sample repository that a document compares: their hashes, and the files' extension.

    `got` is None where nothing was written: the document then shows what was expected.
    """

    expected: str
    got: str | None
    extension: str


class Written(NamedTuple):
    """An output that has a result file.

    Args:
        file: the row.
        match: how its content stands to what was expected.
        accepted_today: whether it differs, although its content is the approved one today.
        pair: the contents to compare; None where nothing can or need be compared.
    """

    file: ResultFile
    match: Match
    accepted_today: bool
    pair: Pair | None


OutcomeKey = tuple[Any, ...]
"""What an outcome is evaluated from: test, exit code, expected code, and the row of each result file as a tuple."""


class Missing(NamedTuple):
    """An output that was expected and not written, and the contents to compare; None where there are none."""

    output: OutputRow
    pair: Pair | None


class ErrorFacts(NamedTuple):
    """One way in which a result is not what was expected, as an error item shows it; `suffix` is of its id."""

    suffix: str
    type: str
    severity: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A result evaluated: everything about it that its runtime and its run do not change; hashed by identity.

    Args:
        key: what it was evaluated from.
        signature: the platform's signature of the failure; None if it passed.
        output: the output fingerprint: exit code and hashes of all that was written.
        accepted: whether the catalogue accepts all that was written, as approved content or variant.
        failure: (code, reason) of the classification; None if it passed.
        written: the outputs that were written, by id; no sentinel.
        missing: the outputs that were expected and not written.
        errors: its error items.
    """

    key: OutcomeKey
    test_id: int
    status: ResultStatus
    exit_code: int | None
    expected_rc: int | None
    signature: str | None
    output: str
    accepted: bool
    failure: tuple[FailureCode, str] | None
    written: tuple[Written, ...]
    missing: tuple[Missing, ...]
    errors: tuple[ErrorFacts, ...]

    @property
    def code(self) -> FailureCode | None:
        """The code of its classification; None if it passed."""
        return self.failure[0] if self.failure else None

    @property
    def pairs(self) -> Iterator[Pair]:
        """The contents that documents of it compare."""
        found = [one.pair for one in self.written] + [one.pair for one in self.missing]
        return (pair for pair in found if pair is not None)

    @property
    def accepted_today(self) -> bool:
        """Whether an output differs, although its content is the approved one today."""
        return any(one.accepted_today for one in self.written)


Result = tuple[Outcome, int | None]
"""One result of a run: its outcome, and its runtime in ms."""


def sample_of(catalog: Catalog, test_id: int) -> SampleRow | None:
    """The sample of a regression test; None where the test, or its sample, does not exist."""
    test = catalog.tests.get(test_id)
    return catalog.samples[test.sample_id] if test is not None and test.sample_id is not None else None


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
        self._expected: dict[int, tuple[OutputRow, ...]] = {
            test.id: tuple(output for output in test.outputs if not output.ignore) for test in catalog.tests.values()
        }
        self._outcomes: dict[OutcomeKey, Outcome] = {}
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
        known, results = self._outcomes, []
        for test_id, runtime, exit_code, expected_rc in run.results:
            key = (test_id, exit_code, expected_rc, *files.pop(test_id, ()))
            outcome = known.get(key)
            results.append((self.outcome(key) if outcome is None else outcome, runtime))
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

    def outcome(self, key: OutcomeKey) -> Outcome:
        """The outcome with this key."""
        found = self._outcomes.get(key)
        if found is None:
            if len(self._outcomes) >= _MOST_OUTCOMES:
                self._outcomes.clear()
            found = self._outcomes[key] = self._evaluated(key)
        return found

    def _evaluated(self, key: OutcomeKey) -> Outcome:
        test_id, exit_code, expected_rc, *rows = key
        files = [ResultFile(*row[1:]) for row in rows]
        test = self._catalog.tests.get(test_id)
        matches = [output_match(file.got, self._variants.get(file.output_id, frozenset())) for file in files]
        produced = {file.output_id for file in files}
        missing = tuple(output for output in self._expected.get(test_id, ()) if output.id not in produced)
        sentinel_only = not (test and test.outputs) and any(file.is_sentinel for file in files)
        status = result_status(
            missing=bool(missing),
            sentinel_only=sentinel_only,
            exit_code=exit_code,
            expected_rc=expected_rc,
            matches=matches,
        )
        written = tuple(
            Written(file, match, match == "different" and file.got == self._correct(file), self._pair(file))
            for file, match in zip(files, matches, strict=True)
            if not file.is_sentinel
        )
        different = [
            file.output_id
            for file, match in zip(files, matches, strict=True)
            if match == "different" and not (sentinel_only and file.is_sentinel)
        ]
        failure = classification(status, exit_code, expected_rc, len(missing), len(different))
        lacking = [SENTINEL_OUTPUT_ID] if sentinel_only else [output.id for output in missing]
        return Outcome(
            key=key,
            test_id=test_id,
            status=status,
            exit_code=exit_code,
            expected_rc=expected_rc,
            signature=failure_signature(status, files, exit_code, expected_rc),
            output=output_fingerprint(exit_code, files),
            accepted=all(map(self._accepted, files)),
            failure=failure,
            written=written,
            missing=tuple(Missing(output, self._missing_pair(output)) for output in missing),
            errors=tuple(_errors(test_id, exit_code, expected_rc, lacking, different)),
        )

    def _correct(self, file: ResultFile) -> str | None:
        """The approved content of a result file's output today."""
        output = self._catalog.outputs.get(file.output_id)
        return output.correct if output else None

    def _accepted(self, file: ResultFile) -> bool:
        """Whether the catalogue accepts what was written, as approved content or variant."""
        content = file.expected if file.got is None else file.got
        return content == self._correct(file) or content in self._variants.get(file.output_id, frozenset())

    def _pair(self, file: ResultFile) -> Pair | None:
        """The contents to compare of a result file; None where nothing can or need be compared."""
        if not self._diffs or file.expected is None or file.got is None or file.is_sentinel:
            return None
        output = self._catalog.outputs.get(file.output_id)
        return Pair(file.expected, file.got, (output.correct_extension or "") if output else "")

    def _missing_pair(self, output: OutputRow) -> Pair | None:
        """The contents to compare of an output that was not written."""
        if not self._diffs or output.correct is None:
            return None
        return Pair(output.correct, None, output.correct_extension or "")


def _errors(
    test_id: int, exit_code: int | None, expected_rc: int | None, missing: list[int], different: list[int]
) -> Iterator[ErrorFacts]:
    """The error items of an outcome; `missing` and `different` are output ids."""
    if exit_code != expected_rc:
        message = f"Exit code {exit_code} != expected {expected_rc} for regression test {test_id}"
        yield ErrorFacts("rc", "exit_code_mismatch", "error", message)
    for output_id in missing:
        message = f"Regression test {test_id} produced no output for expected file {output_id}"
        yield ErrorFacts(f"missing_{output_id}", "missing_output", "error", message)
    for output_id in different:
        message = f"Output differs from expected for regression test {test_id}, output {output_id}"
        if output_id == SENTINEL_OUTPUT_ID:
            message = f"Regression test {test_id} reported that it wrote nothing, although it has outputs"
        yield ErrorFacts(str(output_id), "diff_mismatch", "warning", message)
