"""The shrink guard: an export that would delete most of what is published needs `--allow-shrink`.

An empty table, a half-restored database, a forgotten `--sample-repository`: each looks like a platform on which most
things were deleted, and that hardly ever happens. So an export that would delete more than half of the published
documents of any kind stops until a person has looked.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from exporter import paths
from exporter.builders.document_options import DocumentOptions
from exporter.errors import ShrinkError
from exporter.export.collect import published_part
from exporter.export.job import Job
from exporter.export.plan import Plan
from exporter.export.stages import Shared
from exporter.publish.manifest import CATALOG

MINIMUM = 10
"""A kind with fewer published documents is not guarded: half of them is a handful."""

_KIND = re.compile(
    rf"{paths.RUNS}/(?P<run>-?\d+)(?:(?P<runs>\.json)|/samples/(?P<results>-?\d+\.json)|/(?P<logs>log\.json)|/(?P<junit>junit\.xml))"
    rf"|(?P<diffs>{paths.DIFFS}.+)"
    rf"|{paths.SAMPLES}/(?P<samples>-?\d+\.json)"
    rf"|{paths.REGRESSION_TESTS}/(?P<tests>-?\d+\.json)"
)
_OF_PARTITIONS = ("runs", "results", "logs", "junit")
_OF_CATALOG = ("diffs", "samples", "tests")
_NAMES = {"runs": "runs", "results": "result documents", "tests": "regression tests", "junit": "JUnit documents"}


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """How many documents of a kind are published, how many of these would go, and how many of these with their run."""

    kind: str
    published: int
    gone: int
    gone_with_run: int


def shrinkages(
    gone: Iterable[str], catalog: Iterable[Iterable[str]], partitions: Iterable[Iterable[str]]
) -> list[Shrinkage]:
    """The kinds of which an export would delete more than half.

    `gone` are the paths that it would delete; not all of them need be published. `catalog` and `partitions` are the
    paths that each part publishes. Of these parts only as many are read as it takes to see that a kind has enough other
    documents: for most exports none.
    """
    paths_gone = frozenset(gone)
    most = Counter(_kind(path) for path in paths_gone)
    doubtful = {kind for kind, count in most.items() if 2 * count > MINIMUM}
    found: list[Shrinkage] = []
    for kinds, parts in ((_OF_PARTITIONS, partitions), (_OF_CATALOG, catalog)):
        in_question = doubtful.intersection(kinds)
        published, goes, with_run = Counter[str | None](), Counter[str | None](), Counter[str | None]()
        for part in parts if in_question else ():
            for path in part:
                match = _KIND.fullmatch(path)
                if match is not None and match.lastgroup in in_question:
                    published[match.lastgroup] += 1
                    if path in paths_gone:
                        goes[match.lastgroup] += 1
                        run = match["run"]
                        with_run[match.lastgroup] += run is not None and paths.run(int(run)) in paths_gone
            in_question -= {kind for kind in in_question if published[kind] >= 2 * most[kind]}
            if not in_question:
                break
        found += [
            Shrinkage(kind, published[kind], goes[kind], with_run[kind])
            for kind in kinds
            if kind in in_question and published[kind] >= MINIMUM and 2 * goes[kind] > published[kind]
        ]
    return found


def kind_name(path: str) -> str:
    """The kind of a document for people, such as `result documents`; `other documents` for what is not guarded."""
    kind = _kind(path)
    return _NAMES.get(kind, kind) if kind else "other documents"


def _kind(path: str) -> str | None:
    match = _KIND.fullmatch(path)
    return match.lastgroup if match else None


def is_made(path: str, options: DocumentOptions) -> bool:
    """Whether an export with these options can make a document at a path of a published one."""
    kind = _kind(path)
    if kind == "results":
        return options.result_documents != "none"
    if kind == "junit":
        return options.junit != "none"
    return options.files or kind not in ("logs", "diffs")


def refusal(found: Iterable[Shrinkage], store: str, job: Job) -> ShrinkError:
    """The error that says what would go and why, and how to export nevertheless."""
    what = "; ".join(
        f"{one.gone} of {one.published} {_NAMES.get(one.kind, one.kind)} ({_reason(one, job)})" for one in found
    )
    return ShrinkError(
        f"{store}: nothing was published, because this export would delete {what}. Check the database and the options; "
        "if these documents are to go, export once with --allow-shrink"
    )


def _reason(one: Shrinkage, job: Job) -> str:
    """Why most of these documents would go."""
    if one.kind in ("samples", "tests"):
        return f"the table {'sample' if one.kind == 'samples' else 'regression_test'} no longer has them"
    if one.kind == "runs":
        return "the table test no longer has them"
    if 2 * one.gone_with_run > one.gone:
        return "the table test no longer has their runs"
    if one.kind == "results":
        if job.options.result_documents != "all":
            return f"--result-documents is {job.options.result_documents}"
        return "the table test_result no longer has them"
    if one.kind == "junit":
        return "--junit is none" if job.options.junit == "none" else "their runs no longer end with results"
    if job.sample_repository is None:
        return "there is no --sample-repository"
    if one.kind == "logs":
        return f"{job.sample_repository} no longer has them"
    return "no result shows these contents any more"


def refuse_shrinking(shared: Shared, gone: Iterable[str]) -> None:
    """See that these paths can be deleted without a second look.

    Raises:
        ShrinkError: more than half of the published documents of a kind are among them.
    """
    job, base = shared.job, shared.base
    if job.store is None or base.manifest is None:
        return
    catalog = (_paths(shared, name) for name in (CATALOG,))
    partitions = (_paths(shared, part.name) for part in reversed(base.manifest.partitions))
    if found := shrinkages(gone, catalog, partitions):
        raise refusal(found, job.store.name, job)


def refuse_shrinking_plan(shared: Shared, plan: Plan) -> None:
    """The same before any row is read, of the paths that the plan and the options alone delete.

    Raises:
        ShrinkError: as `refuse_shrinking`.
    """
    names = [str(number) for number in plan.gone]
    gone = [path for name in names for path in _paths(shared, name)]
    if shared.base.manifest is not None and "--" in shared.state.differences:
        every = (path for name in shared.base.manifest.parts for path in _paths(shared, name))
        gone += [path for path in every if not is_made(path, shared.job.options)]
    refuse_shrinking(shared, gone)


def _paths(shared: Shared, name: str) -> Iterable[str]:
    """The paths that a part publishes."""
    return published_part(shared.job, name, shared.base.part_manifests(name)).contents.published
