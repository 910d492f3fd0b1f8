"""The JUnit XML of a run that ended with results."""

from collections.abc import Mapping

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.builders.results import Templates, documented
from exporter.documents.encoding import Document
from exporter.documents.junit import Case, Failure, Suite, count, facts, junit
from exporter.documents.runs import Run
from exporter.rules.outcomes import Outcome, Result
from exporter.rules.verdicts import Verdict


def document(
    run: Run, results: list[Result], verdicts: Mapping[int, Verdict], templates: Templates, options: DocumentOptions
) -> Document:
    """A run's JUnit XML; arguments as in `ResultBuilder`. Its links are relative to itself."""
    path = paths.run_junit(run["run_id"])
    folder = paths.relative(path, paths.run_results(run["run_id"]))

    def failure(outcome: Outcome) -> Failure | None:
        if outcome.failure is None:
            return None
        test, verdict = templates.test(outcome.test_id), verdicts[outcome.test_id]
        linked = documented(outcome.status, options.result_documents)
        return Failure(
            *outcome.failure,
            verdict.code,
            verdict.main.state if verdict.main else None,
            facts(
                test.command,
                test.sample_name,
                (outcome.exit_code, outcome.expected_rc),
                folder + paths.result_file(outcome.test_id) if linked else None,
            ),
        )

    suites: dict[str, Suite] = {}
    passes = options.junit == "all"
    for outcome, runtime in results:
        suite = count(suites, templates.test(outcome.test_id).category, runtime)
        if passes or outcome.failure is not None:
            suite.listed.append(Case(outcome.test_id, runtime, failure(outcome)))
    return path, junit(run, suites.values())
