"""Only what changed is built, and the tree is that of a full export: always."""

import contextlib
import datetime
import errno
import pathlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import orjson
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter import paths
from exporter.builders import diffs
from exporter.builders import results as builder
from exporter.demo import demo_tables as real
from exporter.errors import SourceError
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.store import Stored
from exporter.publish.verify import verify
from exporter.rules.lineage import MainLine
from exporter.source import tables
from exporter.source.sample_repository import LOGS, OUTPUTS, Content
from exporter.state.state_file import KINDS
from tests.support.memory_store import MemoryStore, expire, published
from tests.support.platform import DAY, HASH, Api, Platform, export, files, tree

RUNS = (7, 60, 110, 150, 230)


@pytest.fixture
def rich(small: Platform) -> Platform:
    """Something in every table that is read, in three partitions."""
    for id_, name in ((1, "one"), (2, "two")):
        small.insert("tag", id=id_, name=name, description=name)
        small.insert("category", id=id_, name=name, description=name)
        small.insert("ccextractor_version", id=id_, version=f"0.{id_}", released=DAY.date() + datetime.timedelta(id_))
    small.insert("fork", id=2, github="https://github.com/somebody/ccextractor.git")
    small.insert("regression_test", id=4, sample_id=None, command="--no-sample", expected_rc=0, active=0)
    small.insert("sample_tag_association", sample_id=1, tag_id=1)
    small.insert("sample_extra", id=1, sample_id=1, original_name="notes", extension="txt")
    small.insert(
        "sample_issue", id=1, sample_id=1, issue_id=5, title="issue", user="CANARY", created_at=DAY, status="open"
    )
    small.insert("upload", id=1, user_id=None, sample_id=1, version_id=1, platform="linux", parameters="-p", notes="n")
    small.insert("regression_test_category", regression_id=1, category_id=1)
    for run in RUNS:
        small.run(
            run,
            *("preparation", "testing", "completed"),
            results={1: 0, 2: 1, 4: 0} if run != 150 else {3: 0},
            fork_id=1,
            branch="master" if run % 20 else f"side-{run}",
            platform="windows" if run == 60 else "linux",
            pr_nr=12 if run in (60, 230) else 0,
        )
        files(small, run, {10: None, 20: HASH["d"]} if run != 150 else {30: HASH["d"]})
    small.insert("customized_test", id=1, test_id=110, regression_id=1)
    small.execute("UPDATE regression_test SET last_passed_on_linux = 230 WHERE id = 1")
    return small


@pytest.fixture
def repository(tmp_path: pathlib.Path) -> pathlib.Path:
    """A sample repository that lacks some contents and most logs."""
    root = tmp_path / "repository"
    for folder in (OUTPUTS, LOGS):
        (root / folder).mkdir(parents=True)
    (root / OUTPUTS / f"{HASH['c']}.srt").write_text("one\ntwo\nthree\n")
    (root / OUTPUTS / f"{HASH['e']}.srt").write_text("one\ntwo\n")
    (root / LOGS / "7.txt").write_text("worker: first.ts\n")
    (root / LOGS / "150.txt").write_text("ERROR in build\n")
    return root


@pytest.fixture
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two items a page, so that few rows make lists of several pages, and heads of several archive pages."""
    monkeypatch.setattr(paths, "PER_PAGE", 2)
    monkeypatch.setattr(paths.pages, "__defaults__", (2,))


ROWS = ("test", "test_progress", "test_result", "test_result_file", "customized_test")
"""Tables whose fingerprints each kind of database works out in its own way."""


@pytest.mark.parametrize(
    ("platform", "table"),
    [("sqlite", table.name) for table in tables.METADATA.sorted_tables] + [("mariadb", table) for table in ROWS],
    indirect=["platform"],
)
def test_a_change_of_any_column_reaches_all_that_shows_it(rich: Platform, table: str, repository: pathlib.Path) -> None:
    grown = MemoryStore()
    export(rich.url, grown, sample_repository=repository)
    before = rich.rows(table)
    for column in tables.METADATA.tables[table].columns:
        rich.execute(_flip(real.metadata.tables[table], column.name))
        export(rich.url, grown, sample_repository=repository)
        fresh = MemoryStore()
        export(rich.url, fresh, sample_repository=repository)
        assert published(grown) == published(fresh), column.name
        rich.execute(f"DELETE FROM {table}")
        rich.insert(table, *before)


def _flip(table: sa.Table, column: str) -> Any:
    """Change one value of one row to another that makes sense."""
    values: dict[str, Any] = {
        "platform": "windows",
        "test_type": "pr",
        "status": "canceled",
        "timestamp": DAY + datetime.timedelta(days=9),
        "created_at": DAY + datetime.timedelta(days=9),
        "released": DAY.date() + datetime.timedelta(days=9),
        "input_type": "udp",
        "output_type": "tcp",
        "active": 0,
        "ignore": 1,
        "got": HASH["e"],
        "last_passed_on_linux": 7,
        "last_passed_on_windows": 60,
    }
    ids = {"sample_id": 2, "regression_id": 2, "tag_id": 2, "category_id": 2, "version_id": 2, "fork_id": 2}
    target = table.c[column]
    if column in values:
        value = values[column]
    elif column in ids:
        value = ids[column]
    elif column == "regression_test_output_id":
        value = 30
    elif column == "regression_test_id":
        value = 3
    elif column == "test_id":
        value = 111 if table.name in ("test_result", "test_result_file") else 60
    elif isinstance(target.type, sa.Integer):
        value = 99
    else:
        value = "changed"
    key = next(table.c[name] for name in ("id", "test_id", "sample_id", "regression_id") if name in table.c)
    where = key == {"test": 230, "test_result": 230, "test_result_file": 230, "test_progress": 15}.get(table.name, 1)
    if table.name in ("test_result", "test_result_file"):
        where = sa.and_(where, table.c.regression_test_id == 2)
    return table.update().where(where).values({column: value})


CHANGES: dict[str, Callable[[Platform, int], None]] = {
    "new run": lambda p, n: _run(p, 300 + n, {1: n % 2, 3: 0}),
    "old run": lambda p, n: _run(p, 20 + n, {1: 0, 2: n % 2}),
    "first run of a partition": lambda p, n: _run(p, 1000 + 100 * n, {2: 0}),
    "deleted run": lambda p, n: _delete(p, RUNS[n % len(RUNS)]),
    "wiped partition": lambda p, n: [_delete(p, run) for run in ((110, 150), (230,), (7, 60))[n % 3]],  # type: ignore[dict-item]
    "restarted run": lambda p, n: (_delete(p, RUNS[n % len(RUNS)]), _run(p, RUNS[n % len(RUNS)], {3: n % 2})),
    "branch": lambda p, n: p.execute(f"UPDATE test SET branch = 'moved-{n}' WHERE id = {RUNS[n % len(RUNS)]}"),
    "variant": lambda p, n: p.execute(f"UPDATE regression_test_output_files SET file_hashes = '{HASH['def'[n % 3]]}'"),
    "baseline": lambda p, n: p.execute(f"UPDATE regression_test_output SET correct = '{n}' WHERE id = 30"),
    "deactivated": lambda p, n: p.execute(f"UPDATE regression_test SET active = {n % 2} WHERE id = {n % 4 + 1}"),
    "test of another sample": lambda p, n: p.execute(
        f"UPDATE regression_test SET sample_id = {n % 2 + 1} WHERE id = 2"
    ),
    "test without a sample": lambda p, n: p.execute("UPDATE regression_test SET sample_id = NULL WHERE id = 3"),
    "renamed": lambda p, n: p.execute(f"UPDATE sample SET original_name = 'name {n}' WHERE id = 1"),
    "run of the main line": lambda p, n: _main(p, 15 + 37 * n, n % 3),
    "verdict": lambda p, n: p.execute(f"UPDATE test_result SET exit_code = {n % 2} WHERE test_id = {RUNS[n % 4]}"),
    "commit": lambda p, n: p.execute(f"UPDATE test SET `commit` = 'c{n % 2}' WHERE id IN ({RUNS[n % 5]}, 60, 7)"),
    "progress": lambda p, n: p.insert(
        "test_progress", test_id=RUNS[0], status="canceled", timestamp=DAY, message=f"{n}"
    ),
}


FILES: dict[str, Callable[[pathlib.Path, int], Any]] = {
    "log": lambda root, n: (root / LOGS / f"{RUNS[n % 5]}.txt").write_text(f"first.ts {'x' * n}\nERROR\n" * (n + 1)),
    "log gone": lambda root, n: (root / LOGS / f"{RUNS[n % 5]}.txt").unlink(missing_ok=True),
    "all logs": lambda root, n: [(root / LOGS / f"{run}.txt").write_text(f"{run} {'y' * n}") for run in RUNS],
    "content": lambda root, n: (root / OUTPUTS / f"{HASH['def'[n % 3]]}.srt").write_text(f"{'def'[n % 3]}\ntwo\n"),
}
"""Names are those of no change above. A content that is there stays: its name says what it is."""

SETTINGS: dict[str, dict[str, Any]] = {
    "branch": {"main": MainLine(branch="b1")},
    "repository": {"main": MainLine("somebody/ccextractor", "b0")},
    "no files": {"sample_repository": None},
    "failures": {"result_documents": "failures"},
}


def _main(platform: Platform, id_: int, code: int) -> None:
    _delete(platform, id_)
    platform.run(id_, "testing", "completed", results={1: code, 2: 0, 3: code // 2}, fork_id=1)
    files(platform, id_, {10: None, 20: HASH["e"] if code else None, 30: None})


def _run(platform: Platform, id_: int, results: dict[int, int]) -> None:
    _delete(platform, id_)
    platform.run(id_, "testing", "completed", results=results, fork_id=1 + id_ % 2, branch=f"b{id_ % 3}", pr_nr=id_ % 3)
    files(platform, id_, {10 * test: HASH["d"] if test % 2 else None for test in results})


def _delete(platform: Platform, id_: int) -> None:
    children = ("test_result_file", "test_result", "test_progress", "customized_test")
    platform.execute(*(f"DELETE FROM {table} WHERE test_id = {id_}" for table in children))
    platform.execute(f"DELETE FROM test WHERE id = {id_}")


class Death(BaseException):
    """A SIGKILL, as far as one process can tell."""


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(
            st.lists(st.tuples(st.sampled_from(sorted(CHANGES | FILES)), st.integers(0, 9)), max_size=4),
            st.integers(0, 80),
            st.sampled_from(["", "", "", *SETTINGS]),
        ),
        min_size=1,
        max_size=4,
    )
)
def test_any_sequence_of_changes_and_deaths_ends_in_the_tree_of_a_fresh_export(
    rich: Platform, repository: pathlib.Path, short_pages: None, rounds: list[tuple[list[tuple[str, int]], int, str]]
) -> None:
    store, options = MemoryStore(), dict[str, Any]()
    for changes, moment, chosen in rounds:
        options = {"sample_repository": repository} | SETTINGS.get(chosen, {})
        for name, number in changes:
            if name in CHANGES:
                CHANGES[name](rich, number)
            else:
                FILES[name](repository, number)
        # Most moments above the number of writes: then nothing dies.
        store.watch = _killer(store, len(store.effects) + moment)
        with contextlib.suppress(Death):
            export(rich.url, store, **options)
        store.watch = None
        expire(store)
    export(rich.url, store, **options)
    fresh = MemoryStore()
    export(rich.url, fresh, **options)
    assert published(store) == published(fresh)


def _killer(store: MemoryStore, moment: int) -> Callable[[str, str], None]:
    def die(_operation: str, _path: str) -> None:
        if len(store.effects) == moment:
            raise Death

    return die


def test_a_hook_builds_the_partitions_of_its_runs_alone(rich: Platform, tmp_path: pathlib.Path) -> None:
    export(rich.url, tmp_path / "store")
    _run(rich, 231, {1: 0, 3: 1})
    _run(rich, 8, {1: 1})
    report = export(rich.url, tmp_path / "store", runs=(231,))
    assert list(report.plan.build) == [2]
    assert not verify(LocalStore(tmp_path / "store")).problems
    assert Api(tmp_path / "store")("runs.json")["data"][0]["run_id"] == 231
    report = export(rich.url, tmp_path / "store")
    assert report.plan.build == {0: "its rows have changed", 1: "the history before its runs has changed"}
    export(rich.url, tmp_path / "fresh")
    assert dict(tree(tmp_path / "store")) == dict(tree(tmp_path / "fresh"))


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
@pytest.mark.parametrize("column", ["branch", "commit"])
def test_pages_of_an_index_go_with_its_values(rich: Platform, short_pages: None, column: str) -> None:
    store, fresh = MemoryStore(), MemoryStore()
    for run in range(300, 310):
        _run(rich, run, {1: 0})
    rich.execute(f"UPDATE test SET `{column}` = CASE WHEN id < 305 THEN 'page' ELSE id END")
    export(rich.url, store)
    assert f"v1/runs/by-{column}/page/2.json" in store.objects or column == "commit"
    rich.execute(f"UPDATE test SET `{column}` = 'page' WHERE id > 303")
    export(rich.url, store)
    export(rich.url, fresh)
    assert published(store) == published(fresh)


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_comparison_that_lacked_a_content_is_made_good_also_after_a_death(
    rich: Platform, repository: pathlib.Path
) -> None:
    store, fresh, options = MemoryStore(), MemoryStore(), {"sample_repository": repository}
    rich.execute("DELETE FROM test_result_file")
    export(rich.url, store, **options)
    files(rich, 230, {20: HASH["d"]})

    def die(operation: str, path: str) -> None:
        if (operation, path) == ("replace", "v1/manifest.json"):  # it is replaced already
            raise Death

    store.watch = die
    with contextlib.suppress(Death):
        export(rich.url, store, **options)
    store.watch = None
    expire(store)
    (repository / OUTPUTS / f"{HASH['d']}.srt").write_text("came\n")
    export(rich.url, store, **options)
    export(rich.url, fresh, **options)
    assert published(store) == published(fresh)


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_log_that_could_not_be_read_is_read_when_its_partition_is_built_again(
    rich: Platform, repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> bytes:
        raise OSError(errno.EIO, "passing")

    store, fresh, options = MemoryStore(), MemoryStore(), {"sample_repository": repository}
    with monkeypatch.context() as patched:
        patched.setattr("exporter.source.sample_repository._read", fail)
        assert export(rich.url, store, **options).problems
    for run in (70, 160):
        _run(rich, run, {1: 0})
        export(rich.url, store, **options)
    export(rich.url, fresh, **options)
    assert {"v1/runs/7/log.json", "v1/runs/150/log.json"} < published(store).keys()
    assert published(store) == published(fresh)


STAYS: dict[str, tuple[Callable[[Platform, pathlib.Path], Any], set[int]]] = {
    "a new run": (lambda p, _: _run(p, 299, {1: 0}), {299}),
    "a run between": (lambda p, _: _run(p, 60, {1: 1}), {60, 110, 150}),
    "a run before others": (lambda p, _: _run(p, 120, {1: 0, 2: 0}), {120, 150, 230}),
    "a run's rows": (lambda p, _: p.execute("UPDATE test SET branch = 'x' WHERE id = 110"), {110, 150, 230}),
    "a run that goes": (lambda p, _: _delete(p, 110), {150, 230}),
    "the last run that goes": (lambda p, _: _delete(p, 60), set()),
    "a log": (lambda _, root: (root / LOGS / "150.txt").write_text("other"), {150}),
    "a log that comes": (lambda _, root: (root / LOGS / "110.txt").write_text("new"), {110, 150}),
    "the catalogue": (lambda p, _: p.execute("UPDATE regression_test SET command = 'x' WHERE id = 3"), {110, 150}),
    "both": (
        lambda p, _: (_run(p, 299, {1: 0}), p.execute("UPDATE regression_test SET command = 'x' WHERE id = 1")),
        {7, 60, 110, 150, 230, 299},
    ),
    "what came before": (lambda p, _: _main(p, 8, 1), {8, 60, 110, 150, 230}),
}


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
@pytest.mark.parametrize("change", STAYS)
def test_documents_of_runs_before_the_first_that_changed_are_not_made_again(
    rich: Platform, repository: pathlib.Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, options = MemoryStore(), {"sample_repository": repository}
    rich.execute("DELETE FROM customized_test")
    export(rich.url, store, **options)
    made: set[int] = set()

    def made_for(self: Any, run: Any, *others: Any) -> None:
        made.add(run["run_id"])
        original(self, run, *others)

    original = builder.ResultBuilder.__init__
    monkeypatch.setattr(builder.ResultBuilder, "__init__", made_for)
    alter, expected = STAYS[change]
    alter(rich, repository)
    export(rich.url, store, **options)
    assert made == expected
    fresh = MemoryStore()
    export(rich.url, fresh, **options)
    assert published(store) == published(fresh)


def test_what_a_quick_export_left_a_full_one_does(rich: Platform, repository: pathlib.Path) -> None:
    store, options = MemoryStore(), {"sample_repository": repository}
    export(rich.url, store, **options)
    _main(rich, 20, 1)
    _main(rich, 240, 1)
    for run in (110, 150, 240):
        (repository / LOGS / f"{run}.txt").write_text("second.ts\n")
    report = export(rich.url, store, runs=(240,), **options)
    assert list(report.plan.build) == [2]
    assert orjson.loads(published(store)["v1/runs/240.json"])["links"]["log"] == "240/log.json"
    report = export(rich.url, store, **options)
    assert report.plan.build == {
        0: "its rows have changed",
        1: "its rows have changed",
        2: "the history before its runs has changed",
    }
    fresh = MemoryStore()
    export(rich.url, fresh, **options)
    assert published(store) == published(fresh)
    assert not export(rich.url, store, **options).written


@pytest.mark.parametrize("run", RUNS)
def test_an_old_run_that_comes_or_goes_changes_what_later_ones_are_held_against(rich: Platform, run: int) -> None:
    rich.execute("UPDATE test SET branch = 'master', pr_nr = 0, platform = 'linux'")
    store = MemoryStore()
    export(rich.url, store)
    for change in (lambda: _delete(rich, run), lambda: _main(rich, run, 1), lambda: _main(rich, run, 0)):
        change()
        export(rich.url, store)
        fresh = MemoryStore()
        export(rich.url, fresh)
        assert published(store) == published(fresh)


@pytest.mark.parametrize(
    "options",
    [{"main": MainLine(branch="side-60")}, {"main": MainLine("somebody/ccextractor")}, {"result_documents": "none"}],
)
def test_other_settings_give_another_tree(rich: Platform, options: dict[str, Any]) -> None:
    store, fresh = MemoryStore(), MemoryStore()
    export(rich.url, store)
    before = published(store)
    export(rich.url, store, **options)
    export(rich.url, fresh, **options)
    assert published(store) == published(fresh) != before


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_any_number_of_workers_gives_the_same_bytes(rich: Platform, repository: pathlib.Path) -> None:
    trees = []
    for workers in (0, 1, 3):
        root = repository / str(workers)
        export(rich.url, root, sample_repository=repository, workers=workers)
        _main(rich, 20, 1)
        (repository / LOGS / "110.txt").write_text("first.ts\n")
        export(rich.url, root, sample_repository=repository, workers=workers)
        _delete(rich, 20)
        (repository / LOGS / "110.txt").unlink()
        trees.append(dict(tree(root)))
    assert trees[0] == trees[1] == trees[2]
    assert {"v1/runs/110/log.json", "v1/runs/20/comparison.json"} < trees[0].keys()


def test_a_log_builds_its_partition_alone(rich: Platform, repository: pathlib.Path) -> None:
    store, options = MemoryStore(), {"sample_repository": repository}
    export(rich.url, store, **options)
    for change in (
        lambda path: path.write_text("worker\n"),
        lambda path: path.write_text("worker\nerror\n"),
        pathlib.Path.unlink,
    ):
        change(repository / LOGS / "110.txt")
        report = export(rich.url, store, **options)
        assert report.plan.build == {1: "its rows have changed"}
        # The run's document is written only when the log comes or goes.
        assert report.written <= 2


def test_contents_are_compared_once(rich: Platform, repository: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bool, bool]] = []

    def document(expected: Content | None, actual: Content | None) -> Any:
        compared.append((expected is not None, actual is not None))
        return original(expected, actual)

    original = diffs.document
    monkeypatch.setattr(diffs, "document", document)
    store, options = MemoryStore(), {"sample_repository": repository}

    def found() -> list[tuple[bool, bool]]:
        compared.clear()
        export(rich.url, store, **options)
        return list(compared)

    assert found() == [(True, False)]  # five results share it
    assert found() == [(True, False)]  # the content may have come
    _main(rich, 20, 1)
    assert sorted(found()) == [(True, False), (True, True)]
    (repository / OUTPUTS / f"{HASH['d']}.srt").write_text("d\n")
    assert found() == [(True, True)]
    rich.execute("UPDATE test SET branch = 'moved'")
    assert found() == []
    (path,) = {path for path in store.objects if path.startswith(f"v1/diffs/{HASH['c']}-{HASH['d']}")}
    assert orjson.loads(store.objects[path].data)["summary"] == {
        "added_lines": 1,
        "removed_lines": 3,
        "changed_hunks": 1,
        "reencoded_lines": 0,
        "reencoded_characters": 0,
    }
    monkeypatch.setattr(diffs, "RULES", diffs.RULES + 1)
    assert sorted(found()) == [(True, True)] * 2  # all again
    assert found() == []
    rich.execute("DELETE FROM test_result_file WHERE test_id <> 20")
    assert found() == [(True, True)]  # what was expected, with nothing: its outputs are missing now
    assert found() == [] and path not in store.objects


def test_without_the_sample_repository_its_documents_go(rich: Platform, repository: pathlib.Path) -> None:
    store, fresh = MemoryStore(), MemoryStore()
    export(rich.url, store, sample_repository=repository)
    assert any(path.startswith("v1/diffs/") for path in store.objects)
    assert "v1/runs/150/log.json" in store.objects
    export(rich.url, store)
    export(rich.url, fresh)
    assert published(store) == published(fresh)
    for path, data in published(store).items():
        assert not path.startswith("v1/diffs/") and not path.endswith("/log.json")
        if path.endswith(".json") and "/samples/" in path:
            assert b'"diff":"' not in data and b'"log_excerpt":[' not in data
    assert orjson.loads(published(store)["v1/runs/150.json"])["links"]["log"] is None


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_an_empty_sample_repository_is_not_one_whose_outputs_and_logs_are_gone(
    rich: Platform, repository: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = MemoryStore()
    (tmp_path / "empty").mkdir()
    export(rich.url, store, sample_repository=repository)
    before = dict(store.objects)
    for runs in (None, (150,)):
        with pytest.raises(SourceError, match="neither TestResults nor LogFiles"):
            export(rich.url, store, sample_repository=tmp_path / "empty", runs=runs)
    assert store.objects == before
    export(rich.url, store)
    assert "all diffs and logs go" in caplog.text
    new = MemoryStore()
    with pytest.raises(SourceError, match="neither TestResults nor LogFiles"):
        export(rich.url, new, sample_repository=tmp_path / "empty")
    assert not new.objects


@pytest.mark.parametrize("runs", [None, (150,)])
@pytest.mark.parametrize("damage", ["link", "file", "root"])
def test_a_sample_repository_that_cannot_be_read_is_not_one_without_logs(
    rich: Platform, repository: pathlib.Path, damage: str, runs: tuple[int, ...] | None
) -> None:
    store = MemoryStore()
    export(rich.url, store, sample_repository=repository)
    before = dict(store.objects)
    broken = repository if damage == "root" else repository / LOGS
    broken.rename(repository.with_name("elsewhere"))
    if damage == "link":
        broken.symlink_to(repository.with_name("elsewhere"))
    elif damage == "file":
        broken.touch()
    with pytest.raises(SourceError, match=f"^{repository}: .*cannot be read") as error:
        export(rich.url, store, sample_repository=repository, runs=runs)
    assert "\n" not in str(error.value)
    assert store.objects == before


def test_a_variant_builds_only_partitions_that_show_its_test(rich: Platform, tmp_path: pathlib.Path) -> None:
    export(rich.url, tmp_path)
    rich.insert("regression_test_output_files", id=8, file_hashes=HASH["d"], regression_test_output_id=30)
    report = export(rich.url, tmp_path)
    # Run 230, of which nothing else has changed, is held against run 150.
    assert report.plan.build == {1: "it shows what has changed: test 3", 2: "the history before its runs has changed"}
    assert 0 < report.written < 40


def test_a_passed_test_builds_no_partition(rich: Platform, tmp_path: pathlib.Path) -> None:
    export(rich.url, tmp_path)
    rich.execute("UPDATE regression_test SET last_passed_on_linux = 150")
    report = export(rich.url, tmp_path)
    assert not report.plan.build and report.written == 4


def test_files_of_tests_whose_ids_fall_together_are_told_apart(rich: Platform, tmp_path: pathlib.Path) -> None:
    rich.run(300, "completed", results={8: 0, 16: 0})
    rich.insert("test_result_file", *(_file(test, hash_) for test, hash_ in ((8, HASH["a"]), (16, HASH["b"]))))
    export(rich.url, tmp_path)
    rich.execute("DELETE FROM test_result_file WHERE test_id = 300")
    rich.insert("test_result_file", *(_file(test, hash_) for test, hash_ in ((8, HASH["b"]), (16, HASH["a"]))))
    assert 3 in export(rich.url, tmp_path).plan.build


def _file(test: int, got: str) -> dict[str, Any]:
    keys = {"test_id": 300, "regression_test_id": test, "regression_test_output_id": test}
    return {**keys, "expected": HASH["c"], "got": got}


def test_a_partition_that_lost_its_runs_is_gone(rich: Platform, tmp_path: pathlib.Path) -> None:
    export(rich.url, tmp_path / "store")
    for run in (110, 150):
        _delete(rich, run)
    rich.execute("UPDATE regression_test SET command = 'changed'")
    export(rich.url, tmp_path / "store", runs=(231,))
    export(rich.url, tmp_path / "store")
    export(rich.url, tmp_path / "fresh")
    assert dict(tree(tmp_path / "store")) == dict(tree(tmp_path / "fresh"))


def test_a_partition_that_was_not_looked_at_is_looked_at_later(rich: Platform, tmp_path: pathlib.Path) -> None:
    export(rich.url, tmp_path / "store")
    rich.execute(
        "UPDATE test SET branch = 'wrong' WHERE id = 7", "UPDATE regression_test SET command = 'x' WHERE id = 1"
    )
    export(rich.url, tmp_path / "store", runs=(231,))
    rich.execute("UPDATE test SET branch = 'master' WHERE id = 7")
    export(rich.url, tmp_path / "store")
    export(rich.url, tmp_path / "fresh")
    assert dict(tree(tmp_path / "store")) == dict(tree(tmp_path / "fresh"))


@pytest.mark.parametrize("part", ["catalog", "1"])
@pytest.mark.parametrize("damage", [None, b"{}"])
def test_a_lost_manifest_is_written_again(
    rich: Platform, tmp_path: pathlib.Path, part: str, damage: bytes | None
) -> None:
    export(rich.url, tmp_path / "store")
    (path,) = (tmp_path / "store/v1/manifests").glob(f"{part}-*.json")
    path.unlink() if damage is None else path.write_bytes(damage)
    if damage is not None:  # seen only by those who read it
        rich.execute("UPDATE regression_test SET command = 'changed'")
    export(rich.url, tmp_path / "store")
    assert not verify(LocalStore(tmp_path / "store")).problems


def test_exchanged_values_are_noticed(rich: Platform, tmp_path: pathlib.Path) -> None:
    export(rich.url, tmp_path)
    for column, values in (("runtime", (77, 78)), ("exit_code", (5, 6))):
        for first, second in (values, reversed(values)):
            one = f"UPDATE test_result SET {column} = {first} WHERE test_id = 7 AND regression_test_id = 1"
            rich.execute(one, one.replace(f"= {first}", f"= {second}").replace("id = 1", "id = 2"))
            assert 0 in export(rich.url, tmp_path).plan.build


@pytest.mark.parametrize("file", ["plan.json", "partitions/0/*.json", "list_heads/*.json", "list_heads/0-*.json"])
@pytest.mark.parametrize("damage", [None, b"", b"{}"])
def test_lost_memory_costs_time_and_nothing_else(
    rich: Platform, tmp_path: pathlib.Path, file: str, damage: bytes | None
) -> None:
    export(rich.url, tmp_path / "store")
    for path in (tmp_path / "store/_state").glob(file):
        path.unlink() if damage is None else path.write_bytes(damage)
    _run(rich, 9, {1: 0})
    rich.execute("UPDATE regression_test SET command = 'changed' WHERE id = 1")
    export(rich.url, tmp_path / "store")
    export(rich.url, tmp_path / "fresh")
    assert dict(tree(tmp_path / "store")) == dict(tree(tmp_path / "fresh"))


@pytest.mark.parametrize("damage", [None, b"{}"])
def test_lost_memory_is_made_good_in_one_export(rich: Platform, damage: bytes | None) -> None:
    store = MemoryStore()
    export(rich.url, store)
    whole = dict(store.objects)
    for path in [path for path in whole if path.startswith("_state/partitions/0/")]:
        store.objects[path] = Stored(damage or b"", "0")
        if damage is None:
            del store.objects[path]
    export(rich.url, store)
    assert {path: one.data for path, one in store.objects.items() if path.startswith("_state/partitions/")} == {
        path: one.data for path, one in whole.items() if path.startswith("_state/partitions/")
    }


def test_an_export_that_another_one_overtakes_does_not_build_everything(rich: Platform) -> None:
    store = MemoryStore()
    export(rich.url, store)
    rich.run(231, "completed", results={4: 0}, fork_id=1)
    other = MemoryStore(objects=dict(store.objects))
    rich.execute("UPDATE test SET branch = 'moved' WHERE id = 7")
    export(rich.url, other)
    rich.execute("UPDATE test SET branch = 'master' WHERE id = 7")

    def overtaken(stage: str, items: Iterable[Any], _length: int) -> Iterator[Any]:
        if stage == "building" and other.objects:
            store.objects, other.objects = (
                {path: Stored(one.data, f"+{one.version}") for path, one in other.objects.items()},
                {},
            )
        yield from items

    settings = pipeline.Settings(rich.url, store, 0)
    assert "nothing is remembered of it" not in pipeline.export(settings, overtaken).plan.build.values()
    fresh = MemoryStore()
    export(rich.url, fresh)
    assert published(store) == published(fresh)


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_an_old_run_costs_a_look_at_each_later_partition(rich: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.state.partition_store._IN_MEMORY", dict.fromkeys((*KINDS, "lineages_before"), 2))
    for number in range(3, 43):
        rich.run(number * 100, "completed", results={4: 0}, fork_id=1)
    store = MemoryStore()
    export(rich.url, store)
    rich.execute("UPDATE test_result SET runtime = 11 WHERE test_id = 7")
    store.gets.clear()
    export(rich.url, store)
    assert sum("/record-" in path for path in store.gets) < 10 * 40


def test_every_stage_is_seen_to_end(rich: Platform) -> None:
    ended = {}

    def counted(stage: str, items: Iterable[Any], length: int) -> Iterator[Any]:
        done = 0
        for item in items:
            yield item
            done += 1
        ended[stage] = done == length

    pipeline.export(pipeline.Settings(rich.url, MemoryStore(), 0), counted)
    assert ended and all(ended.values()) and "reading" in ended


def test_what_a_hook_did_not_look_at_is_counted_right(rich: Platform, tmp_path: pathlib.Path) -> None:
    main = {"fork_id": 1, "branch": "master"}
    for run in (301, 401, 501):
        rich.run(run, "completed", results={4: 0}, **main)
    export(rich.url, tmp_path / "store")
    # Run 401 is read because its page leads to that of run 350; only then it shows that run 501 is a fix.
    rich.run(350, "completed", results={4: 1}, **main)
    rich.execute("UPDATE test_result SET exit_code = 1 WHERE test_id = 401")
    rich.run(502, "completed", results={4: 0}, **main)
    export(rich.url, tmp_path / "store", runs=(350, 502))
    export(rich.url, tmp_path / "store")
    export(rich.url, tmp_path / "fresh")
    assert dict(tree(tmp_path / "store")) == dict(tree(tmp_path / "fresh"))


def test_what_turned_earlier_is_not_counted_where_it_was_not_run(rich: Platform, tmp_path: pathlib.Path) -> None:
    main = {"fork_id": 1, "branch": "master"}
    for run, results in ((301, {1: 0, 2: 0}), (302, {1: 1, 2: 0}), (401, {2: 0}), (501, {1: 0, 2: 0})):
        rich.run(run, "completed", results=results, **main)
    export(rich.url, tmp_path / "store")
    assert not verify(LocalStore(tmp_path / "store")).problems
    api = Api(tmp_path / "store")
    assert api("regressions.json")["pagination"]["total"] == len(api.items("regressions.json")) > 0


def test_a_dry_run_writes_nothing_and_says_why(rich: Platform) -> None:
    store = MemoryStore()
    export(rich.url, store)
    before = dict(store.objects)
    _run(rich, 231, {1: 0})
    rich.execute("UPDATE regression_test SET command = 'changed' WHERE id = 3")
    report = export(rich.url, store, dry_run=True)
    assert report.plan.build == {1: "it shows what has changed: test 3", 2: "its rows have changed"}
    assert sum(sum(counts.values()) for counts in report.writes.values()) == report.written
    assert report.writes["2"]["new"] and report.writes["catalog"]["changed"]
    assert store.objects == before
