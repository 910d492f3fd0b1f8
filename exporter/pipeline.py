"""The export: plan → build → gather → publish."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from exporter import layout, spool
from exporter.builders import gather, history
from exporter.builders.feeds import Digest, Feeds
from exporter.errors import ConflictError
from exporter.executor import Workers, start
from exporter.progress import Progress, quiet
from exporter.publish.manifest import CATALOG, Manifest
from exporter.publish.publisher import Base, Changes, Publisher
from exporter.publish.store import Store
from exporter.source.catalog import read_catalog
from exporter.source.database import Database
from exporter.source.partitions import partitions
from exporter.source.values import Problem
from exporter.spool import Wave
from exporter.tasks import Build, Built, Job, Worker, Write, collect, write

log = logging.getLogger(__name__)

ATTEMPTS = 5
"""How often an export begins again because another one has published meanwhile."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What to export, whereto and how. `workers` 0: in this process."""

    database_url: str
    store: Store | None
    workers: int
    result_documents: str = "all"


@dataclass(frozen=True, slots=True)
class Report:
    """What an export did. `problems` is the number of rows that make no sense."""

    manifest: Manifest
    written: int
    problems: int


def export(settings: Settings, progress: Progress = quiet) -> Report:
    """Export the whole database.

    Raises:
        ExporterError: something is not as it must be; what was published is intact.
    """
    database = Database(settings.database_url)
    database.check()
    publisher = Publisher(settings.store) if settings.store else None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return _attempt(settings, database, publisher, progress)
        except ConflictError:
            if attempt == ATTEMPTS:
                raise
            log.info("another export has published meanwhile; beginning again from what it published")
    raise AssertionError("unreachable")


def _attempt(settings: Settings, database: Database, publisher: Publisher | None, progress: Progress) -> Report:
    base = publisher.begin() if publisher else Base(None, "", None, "")
    catalog, problems = read_catalog(database)
    report_problems(problems)
    numbers = partitions(database)
    with spool.folder() as folder:
        job = Job(settings.database_url, catalog, folder, settings.store, settings.result_documents)
        with start(job, min(settings.workers, len(numbers))) as workers:
            stages = _Stages(job, base, workers, progress)
            digests, odd = stages.read(numbers)
            feeds, built, tails = stages.build(digests)
            part = stages.gather(digests, feeds, tails)
            changes = stages.changes(digests, built, part)
            written = publisher.publish(base, changes) if publisher else 0
    return Report(changes.manifest, written, len(problems) + odd)


class _Stages:
    """The stages of one export."""

    def __init__(self, job: Job, base: Base, workers: Workers, progress: Progress) -> None:
        self.job, self.base, self.workers, self.progress = job, base, workers, progress

    def read(self, numbers: list[int]) -> tuple[dict[int, Digest], int]:
        """The digests of all partitions, ascending, and the number of rows that make no sense."""
        digests = {}
        odd = 0
        for digest, problems in self.progress("reading", self.workers.map(Worker.read, numbers), len(numbers)):
            digests[digest.partition] = digest
            report_problems(problems)
            odd += len(problems)
        return digests, odd

    def build(self, digests: dict[int, Digest]) -> tuple[Feeds, list[Built], dict[int, history.Entries]]:
        """Build all partitions; with what gathering needs of each."""
        feeds = Feeds()
        before = {number: feeds.add(digest, self.job.catalog) for number, digest in digests.items()}
        needed = feeds.needed(self.job.catalog)
        tasks = [
            Build(number, before[number], frozenset(needed.get(number, ())), self.base.hrefs(str(number)))
            for number in digests
        ]
        found = list(self.progress("building", self.workers.map(Worker.build, tasks), len(tasks)))
        tails = {number: tail for number, (_, tail) in zip(digests, found, strict=True)}
        return feeds, [built for built, _ in found], tails

    def gather(self, digests: dict[int, Digest], feeds: Feeds, tails: dict[int, history.Entries]) -> Built:
        """Build the part over all partitions."""
        return collect(
            self.job,
            CATALOG,
            gather.documents(self.job.catalog, digests, feeds, tails),
            self.base.hrefs(CATALOG),
            frozenset(layout.entry_documents().values()),
        )

    def changes(self, digests: dict[int, Digest], built: list[Built], part: Built) -> Changes:
        """What is to be published."""
        catalog = self.job.catalog
        manifest = Manifest(
            catalog=part.part,
            partitions=tuple(one.part for one in built),
            latest_run_id=max((digest.runs[0]["run_id"] for digest in digests.values()), default=None),
            counts={
                "runs": sum(len(digest.runs) for digest in digests.values()),
                "results": sum(digest.results for digest in digests.values()),
                "samples": len(catalog.samples),
                "regression_tests": len(catalog.tests),
            },
        )
        gone = [path for one in (*built, part) for path in one.gone]
        for name in self.base.names().difference(manifest.parts):
            gone += collect(self.job, name, (), self.base.hrefs(name)).gone
        return Changes(
            manifest=manifest,
            writes=sum(one.writes for one in (*built, part)),
            gone=tuple(gone),
            waves=(
                self._partitions(built, "new"),
                self._catalog("new"),
                self._partitions(built, "changed"),
                self._catalog("changed"),
            ),
        )

    def _partitions(self, built: list[Built], wave: Wave) -> Iterator[int]:
        tasks = [Write(one.part.name, wave) for one in built if one.writes]
        yield from self.progress(f"writing {wave}", self.workers.map(Worker.write, tasks), len(tasks))

    def _catalog(self, wave: Wave) -> Iterator[int]:
        yield write(self.job, CATALOG, wave)


def report_problems(problems: Iterable[Problem]) -> None:
    """Log each row that makes no sense, by table and id; never its values."""
    for problem in problems:
        log.warning("%s %s: %s", problem.table, problem.row, problem.what)
