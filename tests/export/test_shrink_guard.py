"""The shrink guard: a wrong world is noticed before it is published, and a person can say that it is right."""

import pathlib
import shutil
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.cli.main import run
from exporter.errors import ShrinkError
from exporter.export.shrink_guard import MINIMUM, shrinkages
from tests.support.platform import Platform, export, tree

RUNS = st.integers(0, 300)


@given(st.sets(RUNS), st.sets(RUNS), st.booleans())
def test_more_than_half_of_a_kind_is_too_much(published: set[int], gone: set[int], catalog: bool) -> None:
    name = "samples/{}.json" if catalog else "runs/{}.json"
    paths = [name.format(number) for number in published]
    parts = [paths[start : start + 7] for start in range(0, len(paths), 7)]
    found = shrinkages(
        [name.format(number) for number in gone],
        [paths] if catalog else [],
        [] if catalog else parts,
    )
    both = published & gone
    expected = len(published) >= MINIMUM and len(both) > len(published) / 2
    assert [(one.kind, one.published, one.gone) for one in found] == (
        [("samples" if catalog else "runs", len(published), len(both))] if expected else []
    )


def test_what_a_common_export_deletes_costs_no_reading() -> None:
    def unread() -> Iterator[list[str]]:
        raise AssertionError("read")
        yield []

    gone = ["runs/1.json", "runs/by-branch/x.json", *(f"runs/archive/{number}.json" for number in range(99))]
    assert shrinkages(gone, unread(), unread()) == []
    enough = [f"runs/{number}.json" for number in range(100)]
    read = iter([enough, enough])
    assert shrinkages([f"runs/{number}.json" for number in range(50)], unread(), read) == []
    assert len(list(read)) == 1, "one part has shown that there are enough"


@pytest.fixture
def platform(tmp_path: pathlib.Path) -> Platform:
    platform = Platform(f"sqlite:///{tmp_path}/platform.sqlite")
    platform.insert("fork", id=1, github="https://github.com/CCExtractor/ccextractor.git")
    for test in range(1, 13):
        platform.insert("sample", id=test, sha=f"{test:064x}", extension="ts", original_name="name")
        platform.insert("regression_test", id=test, sample_id=test, command="-out=srt", expected_rc=0, active=1)
        platform.insert(
            "regression_test_output", id=test, regression_id=test, correct=f"{test:064x}", correct_extension=".srt"
        )
    for number in range(90, 111):
        platform.run(number, "completed", fork_id=1, results={1: 1, 2: 0, 3: 0})
        place = {"test_id": number, "regression_test_id": 1, "regression_test_output_id": 1}
        platform.insert("test_result_file", **place, expected=f"{1:064x}", got=f"{1000 + number:064x}")
    return platform


@pytest.fixture
def files(tmp_path: pathlib.Path) -> pathlib.Path:
    root = tmp_path / "files"
    (root / "LogFiles").mkdir(parents=True)
    (root / "TestResults").mkdir()
    for number in range(90, 111):
        (root / f"LogFiles/{number}.txt").write_text("a log\n")
        (root / f"TestResults/{1000 + number:064x}.srt").write_text("text\n")
    return root


def _empty(*tables: str) -> Callable[[Platform], None]:
    return lambda platform: [platform.execute(f"DELETE FROM {table}") for table in tables] and None


WORLDS = {
    "no runs": (
        _empty("test", "test_result", "test_result_file", "test_progress"),
        {},
        "21 of 21 runs (the table test",
    ),
    "half restored": (
        lambda platform: platform.execute("DELETE FROM test WHERE id < 105"),
        {},
        "15 of 21 runs (the table test",
    ),
    "no results": (
        _empty("test_result", "test_result_file"),
        {},
        "63 of 63 result documents (the table test_result no longer has them)",
    ),
    "no samples": (_empty("sample"), {}, "12 of 12 samples (the table sample no longer has them)"),
    "no regression tests": (_empty("regression_test"), {}, "12 of 12 regression tests (the table regression_test"),
    "the repository is forgotten": (
        lambda _: None,
        {"sample_repository": None},
        "21 of 21 logs (there is no --sample-repository); 23 of 23 diffs (there is no --sample-repository)",
    ),
    "no result documents": (
        lambda _: None,
        {"result_documents": "none"},
        "63 of 63 result documents (--result-documents is none)",
    ),
}


@pytest.mark.parametrize("name", WORLDS)
def test_a_wrong_world_is_not_published(
    name: str, platform: Platform, files: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    make_wrong, options, message = WORLDS[name]
    store = tmp_path / "store"
    export(platform.url, store, sample_repository=files, allow_shrink=False)
    before = {file: file.read_bytes() for file in store.rglob("*") if file.is_file()}
    make_wrong(platform)
    settings = {"sample_repository": files} | options
    with pytest.raises(ShrinkError) as refused:
        export(platform.url, store, allow_shrink=False, **settings)
    assert message in str(refused.value) and "--allow-shrink" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert {file: file.read_bytes() for file in store.rglob("*") if file.is_file()} == before
    with pytest.raises(ShrinkError):
        export(platform.url, store, allow_shrink=False, dry_run=True, **settings)
    export(platform.url, store, allow_shrink=True, **settings)
    export(platform.url, tmp_path / "new", **settings)
    assert dict(tree(store)) == dict(tree(tmp_path / "new"))


@pytest.mark.parametrize("name", ["no runs", "half restored", "the repository is forgotten", "no result documents"])
def test_it_is_refused_before_rows_are_read(
    name: str, platform: Platform, files: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for run_id in range(200, 1500, 100):
        platform.run(run_id, "completed", fork_id=1, results={1: 1, 2: 0, 3: 0})
        (files / f"LogFiles/{run_id}.txt").write_text("a log")
    make_wrong, options, _ = WORLDS[name]
    export(platform.url, tmp_path / "store", sample_repository=files, allow_shrink=False)
    make_wrong(platform)
    if name == "half restored":
        platform.execute("DELETE FROM test WHERE id < 1300")

    def unread(*_: object) -> None:
        raise AssertionError("rows were read")

    monkeypatch.setattr("exporter.export.worker.read_partition", unread)
    with pytest.raises(ShrinkError):
        export(platform.url, tmp_path / "store", allow_shrink=False, **{"sample_repository": files} | options)


def test_what_a_platform_deletes_goes(platform: Platform, files: pathlib.Path, tmp_path: pathlib.Path) -> None:
    export(platform.url, tmp_path / "store", sample_repository=files, allow_shrink=False)
    platform.execute("DELETE FROM test WHERE id < 100")  # 10 of 21
    export(platform.url, tmp_path / "store", sample_repository=files, allow_shrink=False)
    assert not (tmp_path / "store/v1/runs/99.json").exists()


def test_the_command_exits_with_a_code_of_its_own(
    platform: Platform, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["export", "--database-url", platform.url, "--store", str(tmp_path / "store"), "--workers", "0"]
    assert run(command) == 0
    platform.execute("DELETE FROM test")
    assert run(command) == 3
    assert "error: " in capsys.readouterr().err
    assert (tmp_path / "store/v1/runs/100.json").exists()
    assert run([*command, "--allow-shrink"]) == 0
    assert not (tmp_path / "store/v1/runs/100.json").exists()


@pytest.mark.parametrize("exists", [True, False])
def test_an_empty_sample_repository_is_refused_on_a_new_store_too(
    exists: bool, platform: Platform, tmp_path: pathlib.Path, files: pathlib.Path
) -> None:
    shutil.rmtree(files / "LogFiles")
    if not exists:
        shutil.rmtree(files / "TestResults")
        with pytest.raises(Exception, match="neither TestResults nor LogFiles"):
            export(platform.url, tmp_path / "store", sample_repository=files)
        assert not (tmp_path / "store/v1").exists()
    else:
        export(platform.url, tmp_path / "store", sample_repository=files)
