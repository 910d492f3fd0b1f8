"""The worked examples of the judgement: twenty runs of the main line and a pull request's pushes, through exports.

`P` passes, `A B` diffs with different contents, `X` a segmentation fault, `M` a missing output, `N` new content before
its approval, `Q` the same content approved, `!` a canceled run in which an output was missing.
"""

import pathlib
from typing import Any, NamedTuple

import pytest

from tests.support.agreement import Published, check
from tests.support.histories import Block, insert_catalog, insert_runs, open_platform
from tests.support.memory_store import MemoryStore
from tests.support.platform import export
from tests.support.recomputation import Recomputation

FIRST = 41
"""The id of the first run."""


class Example(NamedTuple):
    """An example.

    Args:
        main: a letter for each run of the main line.
        pushes: one for each of the pull request's.
        verdicts: of each push: the verdict's code, `flaky_test`, and of `main` the state, the place of the run with the
            same failure, and `worse`; null for a pass.
        changes: of the main line: place of the run, and kind.
    """

    main: str
    pushes: str
    verdicts: list[tuple[str, bool, str, int | None, bool] | None]
    changes: list[tuple[int, str]]


NEW, STILL, NEVER = "new_regression", "still_failing", "never_passed"
EXAMPLES = [
    Example(
        "PPPPPPPPPPAAAAAAAPPP",
        "AAAAA",
        [(NEW, False, "broken", 17, False), *[(STILL, False, "broken", 17, False)] * 4],
        [(11, "regression"), (18, "fix")],
    ),
    Example(
        "PPAPPAPPPAPPPPAPPPPP",
        "XXXXX",
        [(NEW, True, "broken", None, True), *[(STILL, True, "broken", None, False)] * 4],
        [(n, kind) for place in (3, 6, 10, 15) for n, kind in ((place, "regression"), (place + 1, "fix"))],
    ),
    Example(
        "PPPPPPPPPPPPPPPPPPPP",
        "BPBPB",
        [(NEW, False, "broken", None, False), None] * 2 + [(NEW, False, "broken", None, False)],
        [],
    ),
    Example(
        "AAAAAAAAAAAAAAAAAAAA",
        "XXXXX",
        [(NEVER, False, "different", None, True), *[(NEVER, False, "different", None, False)] * 4],
        [],
    ),
    Example("PPPPPPPPPPPPPPPPPP!P", "PPPPP", [None] * 5, []),
    Example(
        "PPPPPPPPPPPPPPPPPPPP",
        "BBBBB",
        [(NEW, False, "broken", None, False), *[(STILL, False, "broken", None, False)] * 4],
        [],
    ),
    Example("PPPPPPPPPPNNNNNNNNQQ", "QQQQQ", [None] * 5, [(11, "regression"), (19, "expectation")]),
]


def _export(tmp_path: pathlib.Path, example: Example, *, goes: int) -> Published:
    platform = open_platform(tmp_path)
    insert_catalog(platform)
    blocks = [
        Block(end="canceled" if letter == "!" else "completed", tests=f"{letter.replace('!', 'M')}PP---")
        for letter in example.main
    ]
    blocks += [Block(lineage="pull request", tests=f"{letter}PP---") for letter in example.pushes]
    store = MemoryStore()
    for number in range(goes):
        part = [block._replace(export=place * goes // len(blocks)) for place, block in enumerate(blocks)]
        part = [block._replace(ended=block.export) for block in part]
        insert_runs(platform, part, number)
        export(platform.url, store)
    api = Published(store)
    check(api, Recomputation(platform))
    return api


@pytest.mark.parametrize("goes", [1, 3])
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example.main}-{example.pushes}")
def test_worked_examples(tmp_path: pathlib.Path, example: Example, goes: int) -> None:
    api = _export(tmp_path, example, goes=goes)
    made = [_verdict(api(f"runs/{FIRST + 20 + place}/samples/1.json")["verdict"]) for place in range(5)]
    assert made == example.verdicts
    changes = [(change["run_id"] - FIRST + 1, change["kind"]) for change in reversed(api.items("regressions.json"))]
    assert changes == example.changes
    for place, verdict in enumerate(example.verdicts):
        listed = api(f"runs/{FIRST + 20 + place}.json")["failures"]["main"]
        assert listed["broken"] == (1 if verdict and verdict[2] == "broken" else 0)
        assert listed["different"] == (1 if verdict and verdict[2] == "different" else 0)


def _verdict(verdict: Any) -> tuple[str, bool, str, int | None, bool] | None:
    if verdict is None:
        return None
    main = verdict["main"]
    same = main["same_failure_run_id"]
    return verdict["code"], verdict["flaky_test"], main["state"], same and same - FIRST + 1, main["worse"]


def test_the_failure_of_a_canceled_run_is_shown_there(tmp_path: pathlib.Path) -> None:
    api = _export(tmp_path, EXAMPLES[4], goes=1)
    (failure,) = api.items(f"runs/{FIRST + 18}/failures.json")
    assert (failure["classification"]["code"], failure["verdict"]["code"]) == ("MISSING_OUTPUT", NEW)
    later = api(f"runs/{FIRST + 19}/comparison.json")["references"]["main"]
    assert (later["run"]["run_id"], later["unchanged_pass"], later["fixed"]) == (FIRST + 17, 3, [])
    assert api.items("regression-tests/failing.json") == []
