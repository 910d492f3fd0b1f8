"""Any history is judged as the slow recomputation from its raw rows says, whatever the order of exports."""

import pathlib
import tempfile

import pytest
from hypothesis import HealthCheck, example, given, settings

from exporter.publish.verify import verify
from tests.support.agreement import Published, check
from tests.support.histories import CHANGES, HISTORIES, Block, History, insert_catalog, insert_runs, open_platform
from tests.support.memory_store import MemoryStore
from tests.support.platform import Platform, export
from tests.support.recomputation import CODES, VERDICTS, Recomputation


def _export(platform: Platform, history: History) -> MemoryStore:
    """Export a history, in as many goes as it names."""
    platform.clear()
    insert_catalog(platform)
    store = MemoryStore()
    goes = [0, *sorted({max(one.export, one.ended) for one in history.blocks} | {one.export for one in history.blocks})]
    last = max(goes)
    for number in range(3):
        insert_runs(platform, history.blocks, number)
        if number:
            platform.execute(*CHANGES[history.changes[number - 1]])
        if number in goes or (number and history.changes[number - 1] != "nothing") or number == last:
            export(platform.url, store)
    return store


def _documents(store: MemoryStore) -> dict[str, bytes]:
    """What a store holds but for what tells the time or is the exporter's own."""
    return {
        path: found.data
        for path, found in store.objects.items()
        if path.startswith("v1/") and path not in ("v1/manifest.json", "v1/pending.json")
    }


def hold(platform: Platform, history: History) -> Published:
    """Export a history in some goes and at once: both are equal, and as the recomputation says."""
    store, fresh = _export(platform, history), MemoryStore()
    export(platform.url, fresh)
    made, wanted = _documents(store), _documents(fresh)
    assert made.keys() == wanted.keys()
    assert [path for path in sorted(made) if made[path] != wanted[path]] == []
    api = Published(store)
    check(api, Recomputation(platform))
    return api


KNOWN = History(
    [
        Block(2, 0, "main", commit=1, tests="PP----"),
        Block(1, 0, "pull request", commit=2, tests="XX1---"),
        Block(1, 3, "same number of another fork", commit=2, tests=".P.M--", export=1),
        Block(22, 60, "main", "windows", "restarted", 3, "~~AAPB", 80),
        Block(22, 0, "main, by ssh", "windows", tests="P~.BAA", runtime=110),
        Block(2, 60, "branch", "windows", commit=4, tests="AAVM-T", runtime=None, export=2),
        Block(1, 0, "fork's master", "linux", "canceled", 4, "B-S-KK", 7001, export=1),
        Block(3, 0, "main", tests="AM1.aX", runtime=0, ended=1),
        Block(1, 250, "main", tests="--..--", runtime=0, limited=True),
        Block(2, 0, "main", commit=1, tests="NNPPPP", runtime=-500),
        Block(9, 0, "main", tests="NNPPPP"),
        Block(2, 0, "main", tests="QQPPPP", export=2),
        Block(1, 0, "pull request", tests="KTkaPP", limited=True),
    ],
    ("approved", "a variant"),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
@example(KNOWN)
def test_any_history_is_judged_as_the_rules_say(history: History) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hold(open_platform(pathlib.Path(folder)), history)


@pytest.mark.soak
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(HISTORIES)
def test_many_histories_are_judged_as_the_rules_say(history: History) -> None:
    with tempfile.TemporaryDirectory() as folder:
        hold(open_platform(pathlib.Path(folder)), history)


def test_a_history_with_all_codes_and_verdicts(platform: Platform) -> None:
    api = hold(platform, KNOWN)
    found = [item for run in api.items("runs.json") for item in api.items(f"runs/{run['run_id']}/failures.json")]
    assert {item["classification"]["code"] for item in found} == set(CODES)
    assert {item["verdict"]["code"] for item in found} == set(VERDICTS)
    assert api.items("regression-tests/flaky.json") and api.items("regression-tests/failing.json")
    assert {change["kind"] for change in api.items("regressions.json")} == {"regression", "fix", "expectation"}


@pytest.mark.parametrize("which", ["failures", "none"])
def test_nothing_links_to_results_without_a_document(tmp_path: pathlib.Path, which: str) -> None:
    platform = open_platform(tmp_path)
    insert_catalog(platform)
    for number in range(3):
        insert_runs(platform, KNOWN.blocks, number)
    store = MemoryStore()
    export(platform.url, store, result_documents=which)
    assert not verify(store).problems
    assert [bool(change["href"]) for change in Published(store).items("regressions.json")] == [
        which == "failures" and change["kind"] == "regression" for change in Published(store).items("regressions.json")
    ]
