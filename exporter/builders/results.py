"""Results: the documents of a run's results, one each, and the lists of all and of those that did not pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from exporter import paths
from exporter.documents.encoding import PLACEHOLDER, Document, Encoded, Template, encode, fragment, joined, number
from exporter.documents.lists import listing
from exporter.documents.results import Classification, MainVerdict, Output, OutputDetail
from exporter.documents.runs import Run, RunIdentity
from exporter.rules.outcomes import Outcome, Pair, Result, category_names, sample_of
from exporter.rules.status import RESULT_STATUSES, ResultStatus
from exporter.rules.verdicts import MainStanding, Verdict
from exporter.source.catalog import Catalog, OutputRow

_MOST_TEMPLATES = 20_000
"""Outcomes whose templates are remembered at a time, a few kilobytes each: far more than one partition has."""

_FILE = "*"
"""Stands for the name of a file, which has no such character."""

_HERE = paths.run_results(0) + paths.result_file(0)
"""Where any result's document stands, as far as its links tell."""


def documented(status: ResultStatus, result_documents: str) -> bool:
    """Whether a result has a document of its own under `all`, `failures` or `none`."""
    return result_documents == "all" or (result_documents == "failures" and status != "pass")


@dataclass(frozen=True, slots=True)
class Context:
    """What a run's results show that is not the run's own, by regression test id where it is not null.

    Args:
        verdicts: of each that did not pass.
        previous: run and status of the newest earlier result of each.
        excerpts: what the run's log says of the sample, encoded.
    """

    verdicts: Mapping[int, Verdict]
    previous: Mapping[int, tuple[int, ResultStatus]]
    excerpts: Mapping[int, bytes]


class OutcomeTemplates(NamedTuple):
    """What the documents show of an outcome, encoded once.

    Args:
        file: the name of the result's own document in its run's folder.
        listed: the result as its run's lists show it; to fill in: runtime, pull request, link to its document.
        document: the result's own document; to fill in: runtime, pull request, verdict, previous result, excerpt of the
            log, identity of its run.
        failure: what an item of the list of failures has beside `listed` and its verdict.
    """

    file: bytes
    listed: Template
    document: Template
    failure: bytes


class Templates:
    """Makes and remembers the templates of outcomes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._tests: dict[int, TestParts] = {}
        self._templates: dict[Outcome, OutcomeTemplates] = {}

    def of(self, outcome: Outcome) -> OutcomeTemplates:
        """The templates of an outcome."""
        found = self._templates.get(outcome)
        if found is None:
            if len(self._templates) >= _MOST_TEMPLATES:
                self._templates.clear()
            found = self._templates[outcome] = self._made(outcome)
        return found

    def test(self, test_id: int) -> "TestParts":
        """What the documents of its results show of a regression test."""
        found = self._tests.get(test_id)
        if found is None:
            found = self._tests[test_id] = _test_parts(self._catalog, test_id)
        return found

    def _made(self, outcome: Outcome) -> OutcomeTemplates:
        test = self.test(outcome.test_id)
        outputs = self._outputs(outcome)
        classified: Classification | None = None
        if outcome.failure:
            classified = {"code": outcome.failure[0], "reason": outcome.failure[1]}
        shown = {
            "regression_test_id": outcome.test_id,
            "sample_id": test.sample_id,
            "sample_name": test.sample_name,
            "status": outcome.status,
            "exit_code": outcome.exit_code,
            "expected_rc": outcome.expected_rc,
            "runtime_ms": PLACEHOLDER,
            "command": test.command,
            "categories": test.categories,
            "pr_number": PLACEHOLDER,
        }
        brief: list[Output] = [
            {
                "output_id": output["output_id"],
                "filename": output["filename"],
                "status": output["status"],
                "match": output["match"],
                "accepted_today": output["accepted_today"],
            }
            for output in outputs
        ]
        document = {
            **shown,
            "outputs": outputs,
            "classification": classified,
            "accepted_today": outcome.accepted_today,
            "verdict": PLACEHOLDER,
            "previous": PLACEHOLDER,
            "log_excerpt": PLACEHOLDER,
            "run": PLACEHOLDER,
            "links": test.links,
        }
        return OutcomeTemplates(
            paths.result_file(outcome.test_id).encode(),
            Template({**shown, "outputs": brief, "href": PLACEHOLDER}),
            Template(document),
            b',"classification":%b,"accepted_today":%b,"fingerprint":%b,"verdict":'
            % (encode(classified), encode(outcome.accepted_today), encode(outcome.output)),
        )

    def _outputs(self, outcome: Outcome) -> list[OutputDetail]:
        """The outputs of a result, those that were written and those that were not, by id."""
        outputs: list[OutputDetail] = [
            {
                "output_id": file.output_id,
                "filename": _filename(file.expected, self._catalog.outputs.get(file.output_id)),
                "status": "fail" if match == "different" else "pass",
                "match": match,
                "accepted_today": accepted_today,
                "expected_hash": file.expected,
                "got_hash": file.expected if file.got is None else file.got,
                "diff": _diff(pair),
            }
            for file, match, accepted_today, pair in outcome.written
        ]
        outputs += [
            {
                "output_id": output.id,
                "filename": _filename(output.correct, output),
                "status": "missing_output",
                "match": "missing",
                "accepted_today": False,
                "expected_hash": output.correct,
                "got_hash": None,
                "diff": _diff(pair),
            }
            for output, pair in outcome.missing
        ]
        return sorted(outputs, key=lambda output: output["output_id"])


class TestParts(NamedTuple):
    """What documents of results show of their test; `category` is the first, `links` the encoded object."""

    sample_id: int | None
    sample_name: str | None
    command: str | None
    category: str | None
    categories: Encoded
    links: Encoded


def _test_parts(catalog: Catalog, test_id: int) -> TestParts:
    """A test as its results show it; one that does not exist shows nothing."""
    test, sample = catalog.tests.get(test_id), sample_of(catalog, test_id)
    links = {
        "regression_test": paths.relative(_HERE, paths.regression_test(test_id)) if test else None,
        "sample": paths.relative(_HERE, paths.sample(sample.id)) if sample else None,
        "history": paths.relative(_HERE, paths.document(paths.sample_history(sample.id))) if sample else None,
    }
    categories = category_names(catalog, test) if test else []
    return TestParts(
        sample.id if sample else None,
        sample.original_name if sample else None,
        test.command if test else None,
        next(iter(categories), None),
        fragment(categories),
        fragment(links),
    )


def _filename(hash_: str | None, output: OutputRow | None) -> str | None:
    """The name of a file in the sample repository."""
    return None if hash_ is None else hash_ + ((output.correct_extension or "") if output else "")


def _diff(pair: Pair | None) -> str | None:
    return None if pair is None else paths.relative(_HERE, paths.diff(*pair))


class ResultBuilder:
    """Makes the documents of one run's results.

    Args:
        result_documents: which results have a document of their own.
    """

    def __init__(self, run: Run, templates: Templates, result_documents: str) -> None:
        self._run, self._templates = run, templates
        self._folder = paths.run_results(run["run_id"])
        self._pr_number = encode(run["pr_number"])
        self._documented = {status for status in RESULT_STATUSES if documented(status, result_documents)}
        self._previous_results: dict[tuple[int, ResultStatus] | None, tuple[bytes, bytes]] = {}

    def documents(self, results: list[Result], context: Context) -> Iterator[Document]:
        """One document for each result, then the lists of all and of those that did not pass."""
        run_id, folder = self._run["run_id"], self._folder
        identity = encode(run_identity(self._run, folder))
        shown = [(outcome, self._templates.of(outcome), number(runtime)) for outcome, runtime in results]
        for outcome, templates, runtime in shown:
            if outcome.status in self._documented:
                test = outcome.test_id
                verdict = context.verdicts.get(test)
                filled = templates.document.fill(
                    runtime,
                    self._pr_number,
                    b"null" if verdict is None else self._verdict(verdict, test, folder),
                    self._previous(context.previous.get(test), templates.file),
                    context.excerpts.get(test, b"null"),
                    identity,
                )
                yield folder + templates.file.decode(), filled
        for page in paths.pages(paths.run_list(run_id, "samples"), len(results)):
            to = paths.relative(page.path, folder).encode()
            items = joined([self._listed(result, to) for result in shown[page.items]])
            yield page.path, encode(listing(items, page.pagination))
        failures = [result for result in shown if result[0].status != "pass"]
        for page in paths.pages(paths.run_list(run_id, "failures"), len(failures)):
            to = paths.relative(page.path, folder).encode()
            items = joined(
                b"%b%b%b}"
                % (
                    self._listed(result, to)[:-1],
                    result[1].failure,
                    self._verdict(context.verdicts[result[0].test_id], result[0].test_id, page.path),
                )
                for result in failures[page.items]
            )
            yield page.path, encode(listing(items, page.pagination))

    def _listed(self, result: "_Shown", to: bytes) -> bytes:
        """A result as an item of a list that leads `to` the folder of the documents."""
        outcome, templates, runtime = result
        href = b'"%b%b"' % (to, templates.file) if outcome.status in self._documented else b"null"
        return templates.listed.fill(runtime, self._pr_number, href)

    def _previous(self, found: tuple[int, ResultStatus] | None, file: bytes) -> bytes:
        """The newest earlier result of a test, run and status, as the result's document shows it.

        Most results of a run share it, and only the `file` of the test differs.
        """
        known = self._previous_results.get(found)
        if known is None:
            known = self._previous_results[found] = self._around_file(found)
        before, after = known
        return before + file + after if after else before

    def _around_file(self, found: tuple[int, ResultStatus] | None) -> tuple[bytes, bytes]:
        """What `_previous` has before and after the name of the file; nothing after it where there is no link."""
        if found is None or found[1] not in self._documented:
            return encode(found and {"run_id": found[0], "status": found[1], "href": None}), b""
        folder = paths.relative(self._folder, paths.run_results(found[0]))
        shape = {"run_id": found[0], "status": found[1], "href": folder + _FILE}
        before, after = encode(shape).split(_FILE.encode())
        return before, after

    def _verdict(self, verdict: Verdict, test: int, source: str) -> bytes:
        """A verdict as the document at `source` shows it."""
        main = None if verdict.main is None else self._main(verdict.main, test, source)
        return encode(verdict._asdict() | {"main": main})

    def _main(self, standing: MainStanding, test: int, source: str) -> MainVerdict:
        href = None
        if standing.run_id is not None and standing.status is not None:
            target = paths.run_results(standing.run_id) + paths.result_file(test)
            href = paths.relative(source, target) if standing.status in self._documented else None
        return {
            "state": standing.state,
            "run_id": standing.run_id,
            "href": href,
            "same_failure_run_id": standing.same_failure_run_id,
            "worse": standing.worse,
        }


_Shown = tuple[Outcome, OutcomeTemplates, bytes]
"""A result, its templates, its runtime encoded."""


def run_identity(run: Run | Mapping[str, Any], source: str) -> RunIdentity:
    """A run as the document at `source`, or those in a folder, show it."""
    return {
        "run_id": run["run_id"],
        "platform": run["platform"],
        "test_type": run["test_type"],
        "repository": run["repository"],
        "branch": run["branch"],
        "commit_sha": run["commit_sha"],
        "pr_number": run["pr_number"],
        "href": paths.relative(source, paths.run(run["run_id"])),
    }
