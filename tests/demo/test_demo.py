"""The synthetic platform database: repeatable, whole, recognisable, and careful with what is there already."""

import hashlib
import os
import pathlib
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing

import pytest
import sqlalchemy as sa

from exporter.demo import create_demo, demo_tables
from exporter.errors import ExporterError, UsageError
from tests.support.demo_runs import add_run

RUNS, TESTS = 300, 60
SECRETS = {
    ("test", "token"),
    *(("user", name) for name in ("name", "email", "github_token", "github_login", "password")),
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A folder with the demo in `platform.sqlite` and the files beside it."""
    folder = tmp_path_factory.mktemp("demo") / "new" / "folder"
    create_demo(f"sqlite:///{folder / 'platform.sqlite'}", runs=RUNS, tests=TESTS, seed=1, sample_repository=folder)
    return folder


@pytest.fixture
def db(repository: pathlib.Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{repository / 'platform.sqlite'}?mode=ro", uri=True)) as connection:
        yield connection


def create(path: pathlib.Path, *, runs: int = 40, tests: int = 20, seed: int = 1) -> str:
    url = f"sqlite:///{path}"
    create_demo(url, runs=runs, tests=tests, seed=seed)
    return url


def statuses(db: sqlite3.Connection) -> dict[tuple[int, int], str]:
    """Each result's status by the contract's rules, written down once more, independently of the exporter."""
    required, variants, files = defaultdict(set), set(), defaultdict(dict)
    for output, test, ignore in db.execute('SELECT id, regression_id, "ignore" FROM regression_test_output'):
        if not ignore:
            required[test].add(output)
    variants.update(db.execute("SELECT regression_test_output_id, file_hashes FROM regression_test_output_files"))
    for run, test, output, got in db.execute(
        "SELECT test_id, regression_test_id, regression_test_output_id, got FROM test_result_file"
    ):
        files[run, test][output] = got
    found = {}
    for run, test, code, expected in db.execute(
        "SELECT test_id, regression_test_id, exit_code, expected_rc FROM test_result"
    ):
        wrong = [item for item in files[run, test].items() if item[1] is not None and item not in variants]
        if required[test] - set(files[run, test]):
            found[run, test] = "missing_output"
        else:
            found[run, test] = "fail" if wrong or code != expected else "pass"
    return found


def test_equal_numbers_give_equal_bytes(tmp_path):
    create(tmp_path / "a.sqlite", seed=5)
    create(tmp_path / "b.sqlite", seed=5)
    create(tmp_path / "c.sqlite", seed=6)
    first, second, other = ((tmp_path / f"{name}.sqlite").read_bytes() for name in "abc")
    assert first == second
    assert first != other


def test_writing_files_changes_no_row(tmp_path):
    create(tmp_path / "without.sqlite")
    url = f"sqlite:///{tmp_path / 'with.sqlite'}"
    create_demo(url, runs=40, tests=20, seed=1, sample_repository=tmp_path / "files")
    assert (tmp_path / "with.sqlite").read_bytes() == (tmp_path / "without.sqlite").read_bytes()


def test_every_reference_leads_somewhere(db):
    assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def test_every_table_has_rows(db):
    for name in demo_tables.metadata.tables:
        assert db.execute(f'SELECT COUNT(*) FROM "{name}"').fetchone()[0] > 0, name


def test_secrets_are_marked_and_nothing_else_is(db):
    for table in demo_tables.metadata.tables.values():
        for column in table.columns:
            marked, filled = db.execute(
                f"""SELECT COALESCE(SUM("{column.name}" LIKE '%CANARY%'), 0), COUNT(*) FROM "{table.name}" """
            ).fetchone()
            assert marked == (filled if (table.name, column.name) in SECRETS else 0), (table.name, column.name)


@pytest.mark.parametrize(("runs", "tests"), [(1, 1), (2, 1), (1, 30), (7, 3), (20, 2)])
def test_small_demos_are_whole_too(tmp_path, runs, tests):
    create(tmp_path / "small.sqlite", runs=runs, tests=tests)
    with closing(sqlite3.connect(tmp_path / "small.sqlite")) as db:
        assert db.execute("SELECT COUNT(*), MAX(id) FROM test").fetchone() == (runs, runs)
        assert db.execute("SELECT COUNT(*) FROM regression_test").fetchone() == (tests,)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []


def test_numbers_without_sense_are_refused(tmp_path):
    for runs, tests in ((0, 1), (1, 0), (-1, 5)):
        with pytest.raises(UsageError, match="at least one"):
            create(tmp_path / "none.sqlite", runs=runs, tests=tests)
    assert not (tmp_path / "none.sqlite").exists()


def test_nobodys_database_is_overwritten(tmp_path):
    path = tmp_path / "platform.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE test (id INTEGER)")
        db.execute("INSERT INTO test VALUES (7)")
        db.commit()
    before = path.read_bytes()
    with pytest.raises(UsageError, match="already holds tables") as caught:
        create(path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) not in str(caught.value)
    assert path.read_bytes() == before


def test_nobodys_sample_repository_is_overwritten(tmp_path):
    (tmp_path / "LogFiles").mkdir()
    with pytest.raises(UsageError, match="already holds files"):
        create_demo(f"sqlite:///{tmp_path / 'x.sqlite'}", runs=2, tests=2, seed=1, sample_repository=tmp_path)
    assert not (tmp_path / "x.sqlite").exists()


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://admin:hunter2@db.internal/platform",
        "sqlite://",
        "mysql+pymysql://admin:hunter2@127.0.0.1:9/platform",
        "mysql+pymysql://admin:hunter2@127.0.0.1:3306",
        "hunter2",
        "sqlite:////proc/nowhere/x.sqlite",
    ],
)
def test_a_useless_target_is_one_line_without_its_url(url):
    with pytest.raises(ExporterError) as caught:
        create_demo(url, runs=2, tests=2, seed=1)
    message = str(caught.value)
    assert "\n" not in message
    assert not any(secret in message for secret in ("hunter2", "admin", "internal"))


def test_runs_come_in_pairs_and_from_all_over(db):
    pairs = db.execute(
        'SELECT a.platform, b.platform, a."commit" = b."commit"'
        " FROM test a JOIN test b ON b.id = a.id + 1 WHERE a.id % 2"
    ).fetchall()
    assert set(pairs) == {("linux", "windows", 1)}
    masters = db.execute("SELECT COUNT(*) FROM test WHERE branch = 'master' AND fork_id = 1").fetchone()[0]
    prs = db.execute("SELECT COUNT(*) FROM test WHERE test_type = 'pr' AND pr_nr > 0").fetchone()[0]
    assert 0.25 < masters / RUNS < 0.45
    assert 0.45 < prs / RUNS < 0.65
    assert db.execute("SELECT MAX(n) FROM (SELECT COUNT(*) n FROM test WHERE pr_nr GROUP BY pr_nr)").fetchone()[0] > 4
    assert db.execute("SELECT COUNT(DISTINCT fork_id) FROM test").fetchone()[0] > 4
    assert db.execute("SELECT COUNT(*) FROM test WHERE branch = 'feature/<b>x</b>'").fetchone() == (2,)
    assert db.execute("SELECT COUNT(*) FROM sample WHERE original_name LIKE '%\"%ü%'").fetchone()[0] > 0


def test_runs_end_as_runs_end(db):
    last = dict(
        db.execute(
            "SELECT t.id, p.status FROM test t LEFT JOIN test_progress p"
            " ON p.id = (SELECT MAX(id) FROM test_progress WHERE test_id = t.id)"
        )
    )
    assert [last[RUNS - back] for back in range(5)] == [None, None, "preparation", "testing", "completed"]
    ends = list(last.values())
    assert 0.01 < ends.count("canceled") / RUNS < 0.08
    assert ends.count("completed") / RUNS > 0.9
    limited = db.execute("SELECT COUNT(DISTINCT test_id) FROM customized_test").fetchone()[0]
    assert 0.005 < limited / RUNS < 0.08
    newest = db.execute("SELECT MAX(timestamp) FROM test_progress").fetchone()[0]
    assert newest.startswith("2026-06-30")
    backwards = db.execute(
        "SELECT COUNT(*) FROM test_progress a JOIN test_progress b ON a.test_id = b.test_id AND a.id < b.id"
        " WHERE a.timestamp >= b.timestamp"
    )
    assert backwards.fetchone() == (0,)


def test_results_mostly_pass_and_fail_in_every_way(db):
    found = list(statuses(db).values())
    assert 0.9 < found.count("pass") / len(found) < 0.99
    assert found.count("fail") > 50
    assert found.count("missing_output") > 20
    codes = {code for (code,) in db.execute("SELECT DISTINCT exit_code FROM test_result")}
    assert {0, 10, 139, -1073741819} <= codes
    distinct, accepted = db.execute(
        "SELECT COUNT(DISTINCT got), SUM(EXISTS (SELECT 1 FROM regression_test_output_files v"
        " WHERE v.regression_test_output_id = f.regression_test_output_id AND v.file_hashes = f.got))"
        " FROM test_result_file f WHERE got IS NOT NULL"
    ).fetchone()
    assert 10 < distinct < 200
    assert accepted > 50


def test_some_runs_pass_and_some_fail_on_both_platforms(db):
    failed = {run for (run, _), status in statuses(db).items() if status != "pass"}
    for platform in ("linux", "windows"):
        runs = [
            run
            for (run,) in db.execute(
                "SELECT DISTINCT test_id FROM test_progress p JOIN test t ON t.id = p.test_id"
                " WHERE status = 'completed' AND platform = ?",
                (platform,),
            )
        ]
        assert 0.2 < sum(run in failed for run in runs) / len(runs) < 0.98


def test_tests_become_more_and_some_are_given_up(db):
    counts = dict(db.execute("SELECT test_id, COUNT(*) FROM test_result GROUP BY test_id"))
    assert max(counts[run] for run in range(1, 20) if run in counts) < 0.55 * TESTS
    assert max(counts[run] for run in range(RUNS - 20, RUNS) if run in counts) > 0.9 * TESTS
    inactive = db.execute("SELECT COUNT(*) FROM regression_test WHERE NOT active").fetchone()[0]
    assert 0.02 < inactive / TESTS < 0.06


def test_last_passed_is_true(db):
    platform = dict(db.execute("SELECT id, platform FROM test"))
    truth: dict[tuple[str, int], int] = {}
    for (run, test), status in statuses(db).items():
        if status == "pass":
            truth[platform[run], test] = max(run, truth.get((platform[run], test), 0))
    for test, linux, windows in db.execute(
        "SELECT id, last_passed_on_linux, last_passed_on_windows FROM regression_test"
    ):
        assert (linux, windows) == (truth.get(("linux", test)), truth.get(("windows", test)))


def test_every_hash_is_that_of_a_file(db, repository):
    hashes = db.execute(
        "SELECT o.correct || o.correct_extension FROM regression_test_output o"
        " UNION SELECT v.file_hashes || o.correct_extension FROM regression_test_output_files v"
        " JOIN regression_test_output o ON o.id = v.regression_test_output_id"
        " UNION SELECT f.expected || o.correct_extension FROM test_result_file f"
        " JOIN regression_test_output o ON o.id = f.regression_test_output_id"
        " UNION SELECT f.got || o.correct_extension FROM test_result_file f"
        " JOIN regression_test_output o ON o.id = f.regression_test_output_id WHERE f.got IS NOT NULL"
    ).fetchall()
    assert len(hashes) > TESTS
    for (name,) in hashes:
        content = (repository / "TestResults" / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == name.partition(".")[0]
        assert 300 < len(content) < 10_000


def test_the_newest_runs_have_logs_that_name_their_samples(db, repository):
    logs = {int(path.stem): path.read_text(encoding="utf-8") for path in (repository / "LogFiles").iterdir()}
    assert 150 < len(logs) <= 200
    assert min(logs) > RUNS - 200
    for run, log in logs.items():
        assert 45 <= log.count("\n") <= 310
        for (sha,) in db.execute(
            "SELECT s.sha FROM test_result r JOIN regression_test t ON t.id = r.regression_test_id"
            " JOIN sample s ON s.id = t.sample_id WHERE r.test_id = ?",
            (run,),
        ):
            assert sha in log


def test_progress_is_told(tmp_path):
    told: list[tuple[int, int]] = []
    create_demo(f"sqlite:///{tmp_path / 'x.sqlite'}", runs=250, tests=2, seed=1, progress=lambda *of: told.append(of))
    assert told == [(100, 250), (200, 250), (250, 250)]


def test_a_run_is_added_to_a_demo(tmp_path):
    url = create(tmp_path / "x.sqlite")
    assert [add_run(url), add_run(url, seed=3)] == [41, 42]
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as db:
        test_last_passed_is_true(db)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        active = db.execute("SELECT COUNT(*) FROM regression_test WHERE active").fetchone()
        assert db.execute("SELECT COUNT(*) FROM test_result WHERE test_id = 42").fetchone() == active
        assert db.execute("SELECT platform FROM test WHERE id > 40 ORDER BY id").fetchall() == [
            ("linux",),
            ("windows",),
        ]
        assert {status for (run, _), status in statuses(db).items() if run == 41} > {"pass"}


def test_a_run_is_added_to_nothing_but_a_demo(tmp_path):
    url = create(tmp_path / "x.sqlite")
    with closing(sqlite3.connect(tmp_path / "x.sqlite")) as db:
        db.execute("UPDATE test SET token = 'real' WHERE id = 40")
        db.commit()
    with pytest.raises(UsageError, match="no demo"):
        add_run(url)
    with pytest.raises(ExporterError):
        add_run(f"sqlite:///{tmp_path / 'nothing.sqlite'}")


@pytest.mark.parametrize("infile", [True, False])
def test_mariadb_holds_the_same_rows_as_sqlite(tmp_path, mariadb_url, monkeypatch, infile):
    if not infile:
        monkeypatch.setattr("exporter.demo.platform._permits_infile", lambda connection: False)
    sqlite_url = create(tmp_path / "x.sqlite")
    create_demo(mariadb_url, runs=40, tests=20, seed=1)
    with pytest.raises(UsageError, match="already holds tables"):
        create_demo(mariadb_url, runs=40, tests=20, seed=1)
    assert add_run(mariadb_url) == add_run(sqlite_url) == 41
    one, other = sa.create_engine(sqlite_url), sa.create_engine(mariadb_url)
    with one.connect() as left, other.connect() as right:
        for table in demo_tables.metadata.sorted_tables:
            query = table.select().order_by(*(table.primary_key.columns or table.columns))
            assert left.execute(query).fetchall() == right.execute(query).fetchall(), table.name
    one.dispose()
    other.dispose()


def test_a_missing_mariadb_database_is_created(mariadb_url):
    url = sa.make_url(mariadb_url)
    url = url.set(database=f"demo_created_{os.getpid()}")
    server = sa.create_engine(mariadb_url)
    try:
        create_demo(url.render_as_string(hide_password=False), runs=2, tests=2, seed=1)
    finally:
        with server.begin() as connection:
            connection.exec_driver_sql(f"DROP DATABASE IF EXISTS {url.database}")
        server.dispose()
