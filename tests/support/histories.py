"""Histories of runs: a generator of random ones, and letters that write small ones by hand.

A history is a list of blocks of alike runs, and of the catalogue's changes between exports.
"""

import datetime
import pathlib
from typing import Any, NamedTuple

import sqlalchemy as sa
from hypothesis import strategies as st

from exporter.demo import demo_tables
from tests.support.platform import DAY, HASH, Platform

FORKS = {
    1: "https://github.com/CCExtractor/ccextractor.git",
    2: "https://github.com/somebody/ccextractor.git",
    3: "http://github.com/ccextractor/CCExtractor/",
    4: "git@github.com:CCExtractor/ccextractor.git",
    5: "https://www.github.com/CCExtractor/ccextractor",
    6: "https://github.com/Somebody/CCExtractor",
}
MAIN_RUN = {"test_type": "commit", "branch": "master", "fork_id": 1, "pr_nr": 0}
LINEAGES: dict[str, dict[str, Any]] = {
    "main": {},
    "main, in other case": {"fork_id": 3},
    "main, by ssh": {"fork_id": 4},
    "main, with www": {"fork_id": 5},
    "branch": {"branch": "side"},
    "branch, of another spelling": {"branch": "side", "fork_id": 3},
    "fork's master": {"fork_id": 2},
    "fork's master, of another spelling": {"fork_id": 6},
    "pull request": {"test_type": "pr", "branch": "fix", "pr_nr": 7, "fork_id": 2},
    "same number of another fork": {"test_type": "pr", "branch": "fix too", "pr_nr": 7},
    "other pull request": {"test_type": "pr", "pr_nr": 8},
    "pull request without a number": {"test_type": "pr"},
    "commit that names a pull request": {"branch": "side", "pr_nr": 7},
    "no fork": {"fork_id": None},
    "deleted fork": {"fork_id": 999},
    "no branch": {"branch": None},
}
ENDS = {
    "completed": ("preparation", "testing", "completed"),
    "restarted": ("preparation", "canceled", "preparation", "testing", "completed"),
    "canceled": ("preparation", "testing", "canceled"),
    "running": ("preparation", "testing"),
    "incomplete": ("preparation", "testing", "lost"),
    "queued": (),
}
LETTERS: dict[str, tuple[int, str, str | None]] = {
    "P": (0, HASH["c"], None),
    "V": (0, HASH["c"], HASH["d"]),
    "A": (0, HASH["c"], HASH["e"]),
    "B": (0, HASH["c"], HASH["f"]),
    "N": (0, HASH["c"], HASH["b"]),
    "Q": (0, HASH["b"], None),
    "E": (0, HASH["e"], None),
    "1": (1, HASH["c"], None),
    "M": (0, HASH["c"], "missing"),
    "X": (139, HASH["c"], "missing"),
    "a": (134, HASH["c"], "missing"),
    "K": (137, HASH["c"], "missing"),
    "k": (-9, HASH["c"], HASH["e"]),
    "T": (124, HASH["c"], HASH["f"]),
    "S": (0, HASH["c"], "nothing"),
}
"""Letter → exit code, what was expected, and what was written: null for the same, no row at all, a row that says that
nothing was written, or another content."""
TESTS = 5
"""Test 3 may lack its output, test 4 has none, test 5 is inactive, and test 6 does not exist."""


class Block(NamedTuple):
    """Some runs in a row that have much in common.

    Args:
        count: how many.
        gap: of their ids to those before.
        lineage: of `LINEAGES`.
        platform: which may be none that the exporter knows.
        end: of `ENDS`.
        commit: number of their commit; 0 for null, -1 for a commit of each run's own.
        tests: a letter for each test: of `LETTERS`; `.`, as it ended last on any lineage; `-`, not run; `~`, changing.
        runtime: in ms, of all results.
        limited: whether they are limited to the tests that they ran.
        export: number of the export that finds them first.
        ended: number of the export that finds them ended; they are running before.
    """

    count: int = 1
    gap: int = 0
    lineage: str = "main"
    platform: str = "linux"
    end: str = "completed"
    commit: int = -1
    tests: str = "P-----"
    runtime: int | None = 10
    limited: bool = False
    export: int = 0
    ended: int = 0


CHANGES: dict[str, tuple[str, ...]] = {
    "nothing": (),
    "a variant": (
        "DELETE FROM regression_test_output_files WHERE id = 2",
        "INSERT INTO regression_test_output_files (id, file_hashes, regression_test_output_id) "
        f"VALUES (2, '{HASH['f']}', 10)",
    ),
    "approved": (f"UPDATE regression_test_output SET correct = '{HASH['b']}' WHERE id IN (10, 20)",),
    "inactive": ("UPDATE regression_test SET active = 0 WHERE id = 1",),
    "active": ("UPDATE regression_test SET active = 1 WHERE id = 5",),
    "ignored": ('UPDATE regression_test_output SET "ignore" = 1 WHERE id = 20',),
    "deleted": (
        "DELETE FROM regression_test_output WHERE regression_id = 2",
        "DELETE FROM regression_test WHERE id = 2",
    ),
    "negative": ("UPDATE test_result SET runtime = -70 WHERE runtime = 80",),
}
"""Changes of what is expected or of old rows, between two exports."""


class History(NamedTuple):
    """What happens: the blocks, and a change before the second and the third export."""

    blocks: list[Block]
    changes: tuple[str, str] = ("nothing", "nothing")


BLOCKS = st.builds(
    Block,
    count=st.sampled_from([1, 1, 1, 2, 3, 5, 9, 22]),
    gap=st.sampled_from([0, 0, 3, 60, 120, 250]),
    lineage=st.sampled_from(["main", "main", "main", "pull request", "pull request", *LINEAGES]),
    platform=st.sampled_from(["linux", "linux", "linux", "windows", "beos"]),
    end=st.sampled_from(["completed", "completed", "completed", *ENDS]),
    commit=st.sampled_from([-1, -1, 0, 1, 1, 2, 3]),
    tests=st.text("....~~PPPPVAABNNQQE1MXaKkTS--", min_size=6, max_size=6),
    runtime=st.sampled_from([None, 0, 1, 80, 100, 110, 7001, -500]),
    limited=st.sampled_from([False, False, False, True]),
    export=st.sampled_from([0, 0, 1, 2]),
    ended=st.sampled_from([0, 0, 0, 1, 2]),
)
HISTORIES = st.builds(
    History,
    st.lists(BLOCKS, min_size=1, max_size=9),
    st.tuples(*[st.sampled_from(["nothing", *CHANGES])] * 2),
)


def open_platform(folder: pathlib.Path) -> Platform:
    """An empty database on SQLite that, unlike the platform's, takes nulls for commits, branches and numbers."""
    url = f"sqlite:///{folder}/platform.sqlite"
    loose = sa.MetaData()
    for table in demo_tables.metadata.sorted_tables:
        table.to_metadata(loose)
    for column in ("commit", "branch", "pr_nr"):
        loose.tables["test"].c[column].nullable = True
    engine = sa.create_engine(url)
    loose.create_all(engine)
    engine.dispose()
    return Platform(url)


def insert_catalog(platform: Platform) -> None:
    """Insert forks, a sample, its tests and what they should write."""
    platform.insert("fork", *({"id": id_, "github": url} for id_, url in FORKS.items()))
    platform.insert("sample", id=1, sha=HASH["a"], extension="ts", original_name="first")
    platform.insert(
        "regression_test",
        *(
            {"id": test, "sample_id": 1, "command": "x", "expected_rc": 0, "active": test != 5}
            for test in range(1, TESTS + 1)
        ),
    )
    platform.insert(
        "regression_test_output",
        *(
            {
                "id": 10 * test,
                "regression_id": test,
                "correct": HASH["c"],
                "correct_extension": ".srt",
                "ignore": test == 3,
            }
            for test in (1, 2, 3, 5)
        ),
    )
    platform.insert("regression_test_output_files", id=1, file_hashes=HASH["d"], regression_test_output_id=10)


def insert_runs(platform: Platform, blocks: list[Block], export: int) -> None:
    """Insert the runs that an export finds first, and end those that it finds ended."""
    rows: dict[str, list[dict[str, Any]]] = {
        table: [] for table in ("test", "test_progress", "test_result", "test_result_file", "customized_test")
    }
    last = "------"
    run = 40
    for block in blocks:
        run += block.gap
        for turn in range(block.count):
            run += 1
            letters = "".join(
                {".": old, "~": "PA"[turn % 2]}.get(new, new) for old, new in zip(last, block.tests, strict=True)
            )
            last = "".join(old if new == "-" else new for old, new in zip(last, letters, strict=True))
            _insert_run(rows, run, block, letters, export)
    for table, found in rows.items():
        if found:
            platform.insert(table, *found)


def _insert_run(rows: dict[str, list[dict[str, Any]]], run: int, block: Block, letters: str, export: int) -> None:
    ended = max(block.export, block.ended)
    if export not in (block.export, ended):
        return
    first = export == block.export
    if first:
        commit = None if block.commit == 0 else f"{1000 + run if block.commit < 0 else block.commit:040x}"
        rows["test"].append(
            {
                "id": run,
                "token": f"CANARY{run}",
                "platform": block.platform,
                "commit": commit,
                **(MAIN_RUN | LINEAGES[block.lineage]),
            }
        )
        if block.limited:
            asked = [test for test, letter in enumerate(letters, 1) if letter != "-"] or [1]
            rows["customized_test"] += [
                {"id": 10 * run + test, "test_id": run, "regression_id": test} for test in asked
            ]
    steps = ENDS[block.end]
    rows["test_progress"] += [
        {
            "id": 10 * run + place,
            "test_id": run,
            "status": status,
            "timestamp": DAY + datetime.timedelta(hours=run, minutes=place),
            "message": status,
        }
        for place, status in enumerate(steps)
        if (place < 1 if first else place >= 1) or (first and ended == export)
    ]
    for test, letter in enumerate(letters, 1):
        early = test % 2 == 1
        if letter != "-" and (ended == block.export or early is first):
            _insert_result(rows, run, test, letter, block.runtime)


def _insert_result(
    rows: dict[str, list[dict[str, Any]]], run: int, test: int, letter: str, runtime: int | None
) -> None:
    exit_code, expected, wrote = LETTERS[letter]
    key = {"test_id": run, "regression_test_id": test}
    rows["test_result"].append({**key, "runtime": runtime, "exit_code": exit_code, "expected_rc": 0})
    if test == 4 or wrote == "missing":
        return
    if wrote == "nothing":
        rows["test_result_file"].append({**key, "regression_test_output_id": -1, "expected": expected, "got": "error"})
    else:
        rows["test_result_file"].append(
            {**key, "regression_test_output_id": 10 * test, "expected": expected, "got": wrote}
        )
