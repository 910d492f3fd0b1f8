"""Documents from rows: what the recorded answers of the platform do not reach."""

import pathlib
from typing import Any

import pytest

from exporter.errors import ExporterError
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from tests.support.platform import HASH, Api, Platform, export, files


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "store"


def _published(platform: Platform, root: pathlib.Path, **settings: Any) -> Api:
    export(platform.url, root, **settings)
    assert not verify(LocalStore(root)).problems
    return Api(root)


def test_an_empty_database_gives_a_valid_empty_api(platform: Platform, root: pathlib.Path) -> None:
    api = _published(platform, root)
    manifest = api("manifest.json")
    assert manifest["latest_run_id"] is None and manifest["partitions"] == []
    assert set(manifest["counts"].values()) - {manifest["counts"]["documents"], manifest["counts"]["bytes"]} == {0}
    no_lists = {"documentation", "openapi", "regressions_feed", "schemas", "search", "snapshots"}
    for name in manifest["links"].keys() - no_lists:
        path = manifest["links"][name]
        for item in api.items(path):
            assert item["total"] == 0
    assert api("runs.json") == {"data": [], "pagination": {"total": 0, "next": None}, "meta": {}}


def test_a_run_without_results_has_its_lists(small: Platform, root: pathlib.Path) -> None:
    small.run(5)
    api = _published(small, root)
    assert api("runs/5.json")["status"] == "queued"
    for kind in ("samples", "failures", "errors"):
        assert api(f"runs/5/{kind}.json")["data"] == []


@pytest.mark.parametrize(
    ("got", "exit_code", "status", "match", "errors"),
    [
        ({10: None}, 0, "pass", "exact", []),
        ({10: HASH["d"]}, 0, "pass", "variant", []),
        ({10: HASH["e"]}, 0, "fail", "different", ["err_1_1_10"]),
        ({10: ""}, 0, "fail", "different", ["err_1_1_10"]),
        ({10: HASH["d"]}, 139, "fail", "variant", ["err_1_1_rc"]),
        ({10: HASH["e"]}, 1, "fail", "different", ["err_1_1_rc", "err_1_1_10"]),
        ({}, 0, "missing_output", "missing", ["err_1_1_missing_10"]),
        ({}, 1, "missing_output", "missing", ["err_1_1_rc", "err_1_1_missing_10"]),
    ],
)
def test_a_result_and_its_errors(
    small: Platform,
    root: pathlib.Path,
    got: dict[int, str | None],
    exit_code: int,
    status: str,
    match: str,
    errors: list[str],
) -> None:
    small.run(1, "completed", results={1: exit_code})
    files(small, 1, got)
    api = _published(small, root)
    result = api("runs/1/samples/1.json")
    assert result["status"] == status
    (output,) = result["outputs"]
    assert output["match"] == match and output["expected_hash"] == HASH["c"]
    assert output["got_hash"] == ({"exact": HASH["c"], "missing": None}.get(match, got.get(10)))
    assert [error["error_id"] for error in api("runs/1/errors.json")["data"]] == errors
    assert api("runs/1.json")["summary"]["error_count"] == len(errors)
    assert [item["regression_test_id"] for item in api("runs/1/failures.json")["data"]] == [1] * (status != "pass")


def test_a_sentinel_row_means_missing_output_and_is_never_listed(small: Platform, root: pathlib.Path) -> None:
    small.insert("regression_test", id=4, sample_id=2, command="no outputs", expected_rc=0, active=1)
    small.run(1, "completed", results={1: 0, 4: 0})
    for test, expected in ((1, HASH["c"]), (4, "")):
        small.insert(
            "test_result_file",
            test_id=1,
            regression_test_id=test,
            regression_test_output_id=-1,
            expected=expected,
            got="error",
        )
    files(small, 1, {10: None})
    api = _published(small, root)
    one, four = api("runs/1/samples/1.json"), api("runs/1/samples/4.json")
    assert (one["status"], [o["output_id"] for o in one["outputs"]]) == ("fail", [10])
    assert (four["status"], four["outputs"]) == ("missing_output", [])


def test_a_result_file_of_another_tests_output_is_judged_by_its_own_output(small: Platform, root: pathlib.Path) -> None:
    small.run(1, "completed", results={2: 0})
    small.insert(
        "test_result_file",
        test_id=1,
        regression_test_id=2,
        regression_test_output_id=10,
        expected=HASH["f"],
        got=HASH["d"],
    )
    result = _published(small, root)("runs/1/samples/2.json")
    assert [(o["output_id"], o["match"], o["filename"]) for o in result["outputs"]] == [
        (10, "variant", HASH["f"] + ".srt"),
        (20, "missing", HASH["c"] + ".srt"),
    ]


def test_rows_that_make_no_sense_leave_the_rest_right(small: Platform, root: pathlib.Path) -> None:
    small.run(1, "completed", results={1: 0, 999: 0})
    files(small, 1, {10: None, 30: None})
    small.insert("regression_test_output_files", id=9, file_hashes=None, regression_test_output_id=None)
    small.insert("regression_test_category", regression_id=1, category_id=4711)
    small.insert("regression_test", id=6, sample_id=555, command="x", input_type="telepathy", active=None)
    report = export(small.url, root)
    api = Api(root)
    assert api("runs/1/samples/999.json")["command"] is None
    assert [item["regression_test_id"] for item in api("runs/1/samples.json")["data"]] == [1, 999]
    assert api("regression-tests/6.json")["sample_id"] is None and api("regression-tests/6.json")["input_type"] is None
    assert [r["regression_test_id"] for r in api.items("regression-tests/by-active/false.json")] == []
    # An unknown test of a result, a file without a result, an unknown category, an unknown sample, an unknown type.
    assert report.problems == 5


def test_small_things_are_as_the_platform_has_them(small: Platform, root: pathlib.Path) -> None:
    """Kinds of disagreements with recorded answers."""
    small.insert("tag", id=1, name="untold", description=None)
    small.insert("category", id=1, name="two rows", description="")
    small.insert("regression_test_category", regression_id=1, category_id=1)
    small.insert("regression_test_category", regression_id=None, category_id=1)
    small.run(1, "testing", "canceled", "completed", results={1: 1})
    small.execute(
        "UPDATE test_progress SET message = '' WHERE status = 'canceled'",
        "UPDATE test_progress SET timestamp = '2026-06-09 10:00:00' WHERE status = 'testing'",
    )
    api = _published(small, root)
    assert [tag["description"] for tag in api("tags.json")["data"]] == [""]
    assert [category["test_count"] for category in api("categories.json")["data"]] == [2]
    (error,) = api("runs/1.json")["infrastructure_errors"]
    assert error["message"] == "Unknown infrastructure error"
    errors = api("runs/1/errors.json")
    assert {item["occurred_at"] for item in errors["data"]} == {"2026-06-09T10:00:00Z"}
    (group,) = errors["summary"]["severity"]
    assert (group["first_seen_at"], group["last_seen_at"]) == ("2026-06-09T10:00:00Z",) * 2


def test_a_row_that_says_that_nothing_was_written_beside_outputs_is_one_output_that_differs(
    small: Platform, root: pathlib.Path
) -> None:
    small.run(1, "completed", results={1: 0})
    files(small, 1, {10: None})
    small.insert(
        "test_result_file",
        test_id=1,
        regression_test_id=1,
        regression_test_output_id=-1,
        expected="",
        got="error",
    )
    api = _published(small, root)
    (failure,) = api("runs/1/failures.json")["data"]
    assert failure["classification"] == {"code": "OUTPUT_DIFF", "reason": "1 output differs from all that is accepted."}
    (error,) = api("runs/1/errors.json")["data"]
    assert (error["error_id"], error["type"]) == ("err_1_1_-1", "diff_mismatch")
    assert api("runs/1.json")["summary"]["error_count"] == 1


def test_whole_histories_in_sealed_pages(small: Platform, root: pathlib.Path) -> None:
    for id_ in (*range(150, 256), 501, 777):
        small.run(id_, "testing", "completed", results={1: 0, 2: 1} if id_ != 501 else {3: 0}, branch=f"b{id_ % 3}")
        files(small, id_, {10: None})
    api = _published(small, root)
    history = api.items("samples/1/history.json")
    assert [(e["run_id"], e["regression_test_id"]) for e in history] == [
        (run, test) for run in (777, *range(255, 149, -1)) for test in (1, 2)
    ]
    head = api("samples/1/history.json")
    assert head["pagination"] == {"total": 214, "next": "history/archive/1.json"}
    assert [e["run_id"] for e in head["data"]] == [e["run_id"] for e in history[:114]]
    assert api("samples/1/history/archive/7.json")["pagination"] == {"next": "2.json"}
    assert api("samples/1/history/archive/1.json")["pagination"] == {"next": None}
    assert [run["run_id"] for run in api.items("runs.json")] == [777, 501, *range(255, 149, -1)]
    for row in api.items("runs/by-branch.json"):
        runs = api.items(row["href"])
        assert len(runs) == row["total"] and {run["branch"] for run in runs} == {row["value"]}
    recent = api("regression-tests/1.json")["recent"]
    assert [e["run_id"] for e in recent["linux"]] == [777, *range(255, 206, -1)] and recent["windows"] == []


def test_a_sealed_page_never_changes_when_newer_runs_come(small: Platform, root: pathlib.Path) -> None:
    for id_ in (98, 99):
        small.run(id_, "completed", results={1: 0})
    api = _published(small, root)
    pages = sorted((root / "v1").rglob("archive/0.json"))
    before = {page: page.read_bytes() for page in pages}
    small.run(100, "completed", results={1: 0, 3: 0})
    _published(small, root)
    assert before and all(page.read_bytes() == data for page, data in before.items())
    assert api("samples/1/history/archive/1.json")["pagination"]["next"] == "0.json"


@pytest.mark.parametrize(("which", "expected"), [("all", {1, 2}), ("failures", {2}), ("none", set())])
def test_result_documents(small: Platform, root: pathlib.Path, which: str, expected: set[int]) -> None:
    small.run(1, "completed", results={1: 0, 2: 1})
    files(small, 1, {10: None, 20: None})
    api = _published(small, root, result_documents=which)
    linked = {r["regression_test_id"] for r in api("runs/1/samples.json")["data"] if r["href"]}
    assert linked == expected == {int(file.stem) for file in (root / "v1/runs/1/samples").glob("*.json")}


def test_deleted_rows_leave_nothing_behind(small: Platform, root: pathlib.Path) -> None:
    for id_ in (1, 2, 150):
        small.run(id_, "completed", results={1: 0}, branch=f"branch-{id_}")
    _published(small, root)
    for table in ("test_result", "test_progress"):
        small.execute(f"DELETE FROM {table} WHERE test_id IN (2, 150)")
    small.execute("DELETE FROM test WHERE id IN (2, 150)")
    api = _published(small, root)
    assert [run["run_id"] for run in api.items("runs.json")] == [1]
    assert not (root / "v1/runs/150.json").exists() and not (root / "v1/runs/by-branch/branch-2.json").exists()


def test_values_are_hostile_and_links_whole(small: Platform, root: pathlib.Path) -> None:
    hostile = [
        "../../../etc/passwd",
        "<script>alert(1)</script>",
        "a.json",
        "a",
        "page",
        "archive",
        "",
        ".",
        "..",
        "x" * 300,
    ]
    for id_, value in enumerate(hostile, 1):
        small.run(id_, "completed", branch=value, commit=value[:64])
        small.insert("sample", id=100 + id_, sha=f"{id_}{value[:100]}", extension=value[:64], original_name=value)
    small.insert("tag", id=1, name="../tag")
    small.insert("sample_tag_association", sample_id=101, tag_id=1)
    api = _published(small, root)
    assert {row["value"] for row in api.items("runs/by-branch.json")} == set(hostile)
    assert {path.relative_to(root).parts[0] for path in root.rglob("*.json")} == {"v1", "_state", "badges"}
    assert not list(root.parent.glob("*/etc/*"))


def test_a_dead_link_to_the_database_leaves_what_is_published(small: Platform, root: pathlib.Path) -> None:
    small.run(1, "completed")
    _published(small, root)
    small.execute("DROP TABLE customized_test")
    with pytest.raises(ExporterError, match="customized_test"):
        export(small.url, root)
    assert not verify(LocalStore(root)).problems
