"""Results: the documents of a run's results, one each, and the lists of all and of those that did not pass."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter import paths
from exporter.documents.encoding import Document, encode, joined
from exporter.documents.lists import listing
from exporter.documents.runs import Run, RunIdentity
from exporter.rules.outcomes import Result
from exporter.rules.status import ResultStatus


def documented(status: ResultStatus, result_documents: str) -> bool:
    """Whether a result gets a document of its own under `all`, `failures` or `none`."""
    return result_documents == "all" or (result_documents == "failures" and status != "pass")


@dataclass(frozen=True, slots=True)
class Context:
    """What a run's results show that is not the run's own: encoded, by regression test id where it is not null.

    Args:
        verdicts: of each that did not pass.
        previous: the `PreviousResult` of each.
        excerpts: what the run's log says of the sample.
    """

    verdicts: Mapping[int, bytes]
    previous: Mapping[int, bytes]
    excerpts: Mapping[int, bytes]


def documents(run: Run, results: list[Result], context: Context, result_documents: str) -> Iterator[Document]:
    """The documents of a run's results: one each, then the lists of all and of those that did not pass."""
    run_id = run["run_id"]
    folder = paths.run_results(run_id)
    identity = encode(run_identity(run, folder))
    for outcome, runtime in results:
        if documented(outcome.status, result_documents):
            test = outcome.test_id
            yield (
                f"{folder}{outcome.file}",
                outcome.document.fill(
                    _number(runtime),
                    context.verdicts.get(test, b"null"),
                    context.previous.get(test, b"null"),
                    context.excerpts.get(test, b"null"),
                    identity,
                ),
            )
    for page in paths.pages(paths.run_list(run_id, "samples"), len(results)):
        to = paths.relative(page.path, folder)
        items = joined(_listed(result, to, result_documents) for result in results[page.items])
        yield page.path, encode(listing(items, page.pagination))
    failures = [result for result in results if result[0].status != "pass"]
    for page in paths.pages(paths.run_list(run_id, "failures"), len(failures)):
        to = paths.relative(page.path, folder)
        items = joined(
            b'%b,"classification":%b,"verdict":%b}'
            % (
                _listed(result, to, result_documents)[:-1],
                result[0].failure[1] if result[0].failure else b"null",
                context.verdicts[result[0].test_id],
            )
            for result in failures[page.items]
        )
        yield page.path, encode(listing(items, page.pagination))


def _listed(result: Result, to: str, result_documents: str) -> bytes:
    """A result as an item of a list that leads `to` the folder of the documents."""
    outcome, runtime = result
    href = f'"{to}{outcome.file}"'.encode() if documented(outcome.status, result_documents) else b"null"
    return outcome.listed.fill(_number(runtime), href)


def _number(value: int | None) -> bytes:
    return b"null" if value is None else b"%d" % value


def run_identity(run: Run, source: str) -> RunIdentity:
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
