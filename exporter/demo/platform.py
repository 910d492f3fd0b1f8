"""Writing the synthetic database: `create_demo`."""

import contextlib
import itertools
import math
import pathlib
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from exporter.demo import demo_tables
from exporter.demo.contents import run_log
from exporter.demo.pushes import Push, Run, pushes, run_pair
from exporter.demo.suite import Row, Test, build_catalog
from exporter.errors import ExporterError, UsageError

_BATCH = 20_000
_LOGGED_RUNS = 200


class Loader:
    """Collects rows and writes them in bulk; rows of a table keep their order, tables are written in any order.

    With `infile` the big tables are sent as files, which takes half as long as `INSERT`s. Their rows are numbers
    and hashes, so nothing in them needs escaping.
    """

    def __init__(self, connection: sa.Connection, *, infile: bool = False) -> None:
        self._connection = connection
        self._waiting: dict[sa.Table, list[Row]] = defaultdict(list)
        self._sent_as_file = (demo_tables.TEST_RESULT, demo_tables.TEST_RESULT_FILE) if infile else ()

    def add(self, table: sa.Table, rows: Iterable[Row]) -> None:
        """Add rows of a table."""
        waiting = self._waiting[table]
        waiting.extend(rows)
        if len(waiting) >= _BATCH:
            self._write(table)

    def finish(self) -> None:
        """Write what waits."""
        for table in demo_tables.metadata.sorted_tables:
            self._write(table)

    def _write(self, table: sa.Table) -> None:
        rows = self._waiting.pop(table, [])
        if rows and table in self._sent_as_file:
            with tempfile.NamedTemporaryFile("w", encoding="ascii", newline="\n") as file:
                file.writelines(
                    "\t".join(["\\N" if value is None else str(value) for value in row]) + "\n" for row in rows
                )
                file.flush()
                self._connection.exec_driver_sql(f"LOAD DATA LOCAL INFILE %s INTO TABLE {table.name}", (file.name,))
        elif rows:
            # Straight to the driver: it joins MySQL's rows to statements of a megabyte each.
            statement = str(table.insert().compile(dialect=self._connection.dialect))
            self._connection.exec_driver_sql(statement, rows)
        self._connection.commit()


def create_demo(
    database_url: str,
    *,
    runs: int,
    tests: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
    sample_repository: pathlib.Path | None = None,
) -> None:
    """Create the platform's tables in an empty database and fill them; the same numbers give the same rows.

    Args:
        database_url: `sqlite:///PATH` (the folder is created) or MySQL/MariaDB (the database is created).
        runs: number of runs, at least 1; they come in pairs, the last pairs are running or queued.
        tests: number of regression tests, at least 1.
        seed: decides everything else.
        progress: called now and then with the runs written so far and `runs`.
        sample_repository: where to write `TestResults/` and, for the newest 200 runs, `LogFiles/`.

    Raises:
        UsageError: the target already holds a platform's tables or files or cannot be used, or a number is below 1.
    """
    if runs < 1 or tests < 1:
        raise UsageError("a demo needs at least one run and one regression test")
    keep = _file_writer(sample_repository)
    with connected(database_url, create=True) as connection:
        if set(sa.inspect(connection).get_table_names()) & set(demo_tables.metadata.tables):
            raise UsageError("the database already holds tables of a Sample Platform; a demo needs one of its own")
        demo_tables.metadata.create_all(connection)
        connection.commit()
        rng = random.Random(seed)  # noqa: S311 - test data, not secrets
        _fill(connection, runs, tests, rng, keep, progress)


def _fill(
    connection: sa.Connection,
    runs: int,
    tests: int,
    rng: random.Random,
    keep: Callable[[str, bytes], None],
    progress: Callable[[int, int], None] | None,
) -> None:
    catalog = build_catalog(rng, tests, lambda name, content: keep(f"TestResults/{name}", content))
    loader = Loader(connection, infile=_permits_infile(connection))
    for table, rows in catalog.rows.items():
        loader.add(table, rows)
    loader.finish()
    progress_ids, customized_ids = itertools.count(1), itertools.count(1)
    last_passed: dict[str, dict[int, int]] = {"linux": {}, "windows": {}}
    by_id = {test.id: test for test in catalog.tests}
    count = math.ceil(runs / 2)
    for push in pushes(rng, catalog.tests, count):
        for run in run_pair(rng, push, catalog.tests, runs, count):
            write_run(loader, rng, push, run, progress_ids, customized_ids)
            last_passed[run.platform].update(dict.fromkeys(run.passed, run.id))
            if run.id > runs - _LOGGED_RUNS and any(status == "preparation" for status, _, _ in run.progress):
                keep(f"LogFiles/{run.id}.txt", _log(run, push, by_id))
            if progress and (run.id % 100 == 0 or run.id == runs):
                progress(run.id, runs)
    loader.finish()
    for platform, run_ids in last_passed.items():
        set_last_passed(connection, platform, run_ids)


def write_run(
    loader: Loader, rng: random.Random, push: Push, run: Run, progress_ids: Iterator[int], customized_ids: Iterator[int]
) -> None:
    """Add the rows of a run to those that wait."""
    token = f"CANARY{run.id:08d}{rng.getrandbits(128):032x}"
    loader.add(
        demo_tables.TEST,
        [(run.id, run.platform, push.test_type, token, push.fork_id, push.branch, push.commit, push.pr_nr)],
    )
    loader.add(
        demo_tables.TEST_PROGRESS,
        [(next(progress_ids), run.id, status, str(at), message) for status, at, message in run.progress],
    )
    loader.add(demo_tables.CUSTOMIZED_TEST, [(next(customized_ids), run.id, test_id) for test_id in run.limited_to])
    loader.add(demo_tables.TEST_RESULT, run.results)
    loader.add(demo_tables.TEST_RESULT_FILE, run.files)


def _log(run: Run, push: Push, tests: dict[int, Test]) -> bytes:
    tested = [
        (tests[test_id].sample, tests[test_id].command, runtime, code, expected)
        for _, test_id, runtime, code, expected in run.results
    ]
    (_, began, _), *_, (_, _, end) = [*run.progress, run.progress[-1]]
    return run_log(run.platform, push.commit, began, tested, end)


def set_last_passed(connection: sa.Connection, platform: str, run_ids: dict[int, int]) -> None:
    """Note the last run in which each regression test passed on a platform."""
    table = demo_tables.REGRESSION_TEST
    if run_ids:
        connection.execute(
            table.update()
            .where(table.c.id == sa.bindparam("regression_test"))
            .values({f"last_passed_on_{platform}": sa.bindparam("run")}),
            [{"regression_test": test_id, "run": run_id} for test_id, run_id in run_ids.items()],
        )
        connection.commit()


@contextlib.contextmanager
def connected(database_url: str, *, create: bool = False) -> Iterator[sa.Connection]:
    """Open a connection set up for bulk writing; what goes wrong with the database comes out as a UsageError."""
    try:
        url = sa.make_url(database_url)
        backend = url.get_backend_name()
        if backend not in ("sqlite", "mysql", "mariadb") or url.database in (None, "", ":memory:"):
            raise UsageError("a demo database is an SQLite file or a named MySQL or MariaDB database")
        engine = (_sqlite if backend == "sqlite" else _mysql)(url, create=create)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()
    except (sa.exc.NoSuchModuleError, ModuleNotFoundError):
        raise UsageError(f"the database driver {url.drivername} is not installed: use mysql+pymysql") from None
    except (sa.exc.SQLAlchemyError, OSError) as error:
        raise _unwritable(error) from None


def _unwritable(error: Exception) -> ExporterError:
    """What went wrong. The exception's own message may show the URL; the driver's error code does not."""
    if isinstance(error, OSError):
        return ExporterError(f"the demo's files cannot be written: {error.strerror}: {error.filename}: name others")
    if isinstance(error, sa.exc.DBAPIError):
        origin = error.orig
        detail = origin.args[0] if origin and origin.args else "the driver gives no reason"
        return ExporterError(f"the demo database cannot be written ({detail}): check the URL, and the user's rights")
    return UsageError(
        "the database URL is malformed: it should look like sqlite:///FILE or mysql+pymysql://USER@HOST/NAME"
    )


def _sqlite(url: sa.URL, *, create: bool) -> sa.Engine:
    if create:
        pathlib.Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(url)

    @sa.event.listens_for(engine, "connect")
    def hurry(connection: Any, _record: object) -> None:
        # Nothing is lost if a half-written demo is.
        connection.executescript("PRAGMA synchronous=off; PRAGMA journal_mode=off")

    return engine


def _mysql(url: sa.URL, *, create: bool) -> sa.Engine:
    if create:
        server = sa.create_engine(url.set(database=""))
        try:
            with server.begin() as connection:
                if url.database not in sa.inspect(connection).get_schema_names():
                    connection.execute(sa.schema.CreateSchema(str(url.database)))
        finally:
            server.dispose()
    # Without foreign key checks tables can be filled in any order, and several times as fast.
    return sa.create_engine(
        url,
        paramstyle="format",
        connect_args={
            "init_command": "SET SESSION foreign_key_checks=0, unique_checks=0",
            "local_infile": create,
        },
    )


def _permits_infile(connection: sa.Connection) -> bool:
    on_mysql = connection.dialect.name != "sqlite"
    return on_mysql and bool(connection.exec_driver_sql("SELECT @@local_infile").scalar())


def _file_writer(folder: pathlib.Path | None) -> Callable[[str, bytes], None]:
    if folder is None:
        return lambda name, content: None
    try:
        taken = any((folder / name).exists() for name in ("TestResults", "LogFiles"))
    except OSError as error:
        raise _unwritable(error) from None
    if taken:
        raise UsageError("the sample repository already holds files; a demo needs a folder of its own")

    def write(name: str, content: bytes) -> None:
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            raise _unwritable(error) from None

    return write
