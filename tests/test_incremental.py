"""Only what changed is built, and the tree is that of a full export: always."""

import datetime
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from exporter.demo import schema as real
from exporter.publish.local import LocalStore
from exporter.publish.verify import verify
from exporter.source import schema
from tests.platform import DAY, HASH, Platform, export, files, tree

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


def _flips() -> list[tuple[str, str]]:
    return [(table.name, column.name) for table in schema.METADATA.sorted_tables for column in table.columns]


@pytest.mark.parametrize(("table", "column"), _flips(), ids=lambda value: value)
def test_a_change_of_any_column_reaches_all_that_shows_it(
    rich: Platform, tmp_path: pathlib.Path, table: str, column: str
) -> None:
    export(rich.url, tmp_path / "grown")
    rich.execute(_flip(real.metadata.tables[table], column))
    export(rich.url, tmp_path / "grown")
    export(rich.url, tmp_path / "fresh")
    assert dict(tree(tmp_path / "grown")) == dict(tree(tmp_path / "fresh"))
    assert not verify(LocalStore(tmp_path / "grown")).problems


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
    # The last row: no other has its key.
    keys = [table.c[name] for name in ("id", "test_id", "sample_id", "regression_id") if name in table.c][:1]
    where = keys[0] == (
        sa.select(sa.func.max(keys[0])).select_from(table.alias()).scalar_subquery() if False else _top(table)
    )
    if table.name in ("test_result", "test_result_file"):
        where = sa.and_(where, table.c.regression_test_id == 2)
    return table.update().where(where).values({column: value})


def _top(table: sa.Table) -> int:
    return {"test": 230, "test_result": 230, "test_result_file": 230, "test_progress": 15}.get(table.name, 1)
