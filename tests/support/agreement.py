"""What an export publishes, held against the slow recomputation: every document that judges."""

from typing import Any

import orjson

from tests.support.memory_store import MemoryStore
from tests.support.platform import Api
from tests.support.recomputation import BUCKETS, PLATFORMS, Recomputation, Result, Run


class Published(Api):
    """What a store in memory publishes."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def read(self, path: str) -> bytes:
        return self._store.objects[f"v1/{path}"].data

    def badge(self, name: str) -> str:
        """What a badge says."""
        message: str = orjson.loads(self._store.objects[f"badges/{name}.json"].data)["message"]
        return message


def check(api: Published, truth: Recomputation) -> None:
    """Hold all that is published against the recomputation.

    Raises:
        AssertionError: a document says something else.
    """
    listed = {run["run_id"]: run for run in api.items("runs.json")}
    assert list(listed) == [run.id for run in reversed(truth.runs)]
    for run in truth.runs:
        _check_run(api, truth, run, listed[run.id])
        _check_comparison(api, truth, run)
    _check_changes(api, truth)
    _check_main_now(api, truth)
    _check_slower(api, truth)
    for test in truth.tests:
        stability = api(f"regression-tests/{test}.json")["stability"]
        for platform in PLATFORMS:
            _check_stability(stability[platform], truth.stability(platform, test))
    runs = {run.id: run for run in truth.runs}
    for entry in api.items("samples/1/history.json"):
        run = runs[entry["run_id"]]
        assert (entry["pr_number"], entry["main_line"]) == (run.pr_number, run.lineage == "main")
    for commit in {run.commit for run in truth.runs if run.commit is not None}:
        assert by_commit(api, commit) == truth.commit_platforms(commit)


def by_commit(api: Api, commit: str) -> dict[int, dict[str, str | None]]:
    """The platform matrix of a commit: test → platform → status."""
    rows = api(f"runs/by-commit/{commit}.json")["meta"]["platforms"]
    return {row["regression_test_id"]: {platform: row[platform] for platform in PLATFORMS} for row in rows}


def _check_run(api: Api, truth: Recomputation, run: Run, listed: dict[str, Any]) -> None:
    verdicts = {test: truth.verdict(run, test) for test, one in sorted(run.results.items()) if not one.passed}
    failures = api.items(f"runs/{run.id}/failures.json")
    assert {item["regression_test_id"]: _plain(item["verdict"]) for item in failures} == verdicts
    assert [item["classification"]["code"] for item in failures] == [run.results[test].code for test in verdicts]
    document = api(f"runs/{run.id}.json")
    assert listed["failures"] == document["failures"] == truth.failures(run)
    assert listed["suspect"] == document["suspect"] == truth.suspect(run)
    assert listed["status"] == run.status
    assert [item["accepted_today"] for item in failures] == [
        any(run.results[test].accepted_today.values()) for test in verdicts
    ]
    for item in api.items(f"runs/{run.id}/samples.json"):
        assert item["pr_number"] == run.pr_number
    runtimes = sum(one.runtime or 0 for one in run.results.values())
    assert listed["summary"]["duration_ms"] == (runtimes or None)
    for test, one in run.results.items():
        _check_result(api, truth, run, one, verdicts.get(test))


def _check_result(api: Api, truth: Recomputation, run: Run, one: Result, verdict: dict[str, Any] | None) -> None:
    result = api(f"runs/{run.id}/samples/{one.test}.json")
    classification, previous = result["classification"], truth.previous(run, one.test)
    assert (result["status"], classification and classification["code"]) == (one.status, one.code)
    assert (result["runtime_ms"], result["pr_number"]) == (one.runtime, run.pr_number)
    assert (result["verdict"] and _plain(result["verdict"])) == verdict
    if verdict and verdict["main"]:
        held_against = verdict["main"]["run_id"]
        href = held_against and f"../../{held_against}/samples/{one.test}.json"
        assert result["verdict"]["main"]["href"] == href
    assert result["accepted_today"] == any(one.accepted_today.values())
    assert {output["output_id"]: output["accepted_today"] for output in result["outputs"]} == {
        output["output_id"]: one.accepted_today.get(output["output_id"], False) for output in result["outputs"]
    }
    assert result["previous"] == (
        previous
        and {
            "run_id": previous.run,
            "status": previous.status,
            "href": f"../../{previous.run}/samples/{one.test}.json",
        }
    )


def _plain(verdict: dict[str, Any]) -> dict[str, Any]:
    """A verdict without the link to the main line's result."""
    main = verdict["main"]
    return verdict | {"main": main and {key: main[key] for key in main.keys() - {"href"}}}


def _check_comparison(api: Api, truth: Recomputation, run: Run) -> None:
    comparison = api(f"runs/{run.id}/comparison.json")
    assert comparison["run"]["run_id"] == run.id
    for name, references in truth.references(run).items():
        said, wanted = comparison["references"][name], truth.comparison(run, references)
        assert (said["run"] or {"run_id": None})["run_id"] == wanted["run"], name
        for bucket in BUCKETS:
            assert [item["regression_test_id"] for item in said[bucket]] == list(wanted[bucket]), (run.id, name, bucket)
            for item in said[bucket]:
                test = item["regression_test_id"]
                _check_compared(item, truth, run, wanted["run"], wanted[bucket][test])
        assert (said["unchanged_pass"], said["not_asked"]) == (wanted["unchanged_pass"], wanted["not_asked"]), name


def _check_compared(
    item: dict[str, Any], truth: Recomputation, run: Run, reference: int | None, there_run: int | None
) -> None:
    test = item["regression_test_id"]
    here = run.results.get(test)
    there = next((one.results[test] for one in truth.runs if one.id == there_run), None)
    failing = here is not None and not here.passed
    assert (item["status"], item["code"]) == ((here.status, here.code) if here else (None, None))
    assert item["verdict"] == (truth.verdict(run, test)["code"] if failing else None)
    assert item["href"] == (f"samples/{test}.json" if here else None)
    assert item["reference_status"] == (there.status if there else None)
    assert item["reference_run_id"] == (None if there_run == reference else there_run)
    assert item["reference_href"] == (f"../{there_run}/samples/{test}.json" if there else None)


def _check_changes(api: Api, truth: Recomputation) -> None:
    changes = [
        {key: change[key] for key in change.keys() - {"sample_id", "sample_name", "href"}}
        for change in api.items("regressions.json")
    ]
    assert changes == truth.changes()
    assert api("regressions.json")["pagination"]["total"] == len(changes)
    entries = api.read("feeds/regressions.xml").decode().count("<entry>")
    told = [change for change in changes if change["kind"] != "expectation"]
    assert min(len(told), 100) <= entries <= len(told) and entries <= 200


def _check_main_now(api: Published, truth: Recomputation) -> None:
    now = truth.main_now()
    for platform in (*PLATFORMS, None):
        found = [one["passes"] for one in now if platform in (one["platform"], None)]
        message = f"{found.count(False)} failing of {len(found)}" if False in found else "passing"
        if platform:
            said = api("regressions.json")["meta"]["main_now"][platform]
            assert said == {"failing": found.count(False), "results": len(found)}
        assert api.badge(f"master-{platform}" if platform else "master") == (message if found else "no results")
    for name, wanted in (("flaky", "flaky"), ("failing", "since_run")):
        said = [item | {"flaky": None} for item in api.items(f"regression-tests/{name}.json")]
        found = [item | {"flaky": None} for item in now if item[wanted]]
        assert [{key: item[key] for key in found[0]} for item in said] == found if found else not said


def _check_slower(api: Published, truth: Recomputation) -> None:
    said = {
        (one["regression_test_id"], one["platform"]): {key: one[key] for key in ("since_run", "before_ms", "after_ms")}
        for one in api.items("regression-tests/slower.json")
    }
    places = [(test, platform) for test in truth.active for platform in PLATFORMS]
    found = {place: truth.stability(place[1], place[0])["slowdown"] for place in places}
    assert said == {place: since for place, since in found.items() if since}


def _check_stability(said: dict[str, Any], truth: dict[str, Any]) -> None:
    for name, exact in truth["windows"]["all"].pop("runtime_ms").items():
        estimate = said["windows"]["all"]["runtime_ms"].pop(name)
        assert (estimate is None) is (exact is None)
        assert exact is None or abs(estimate - exact) <= 0.01 * exact + 0.5
    del said["windows"]["all"]["runtime_ms"]
    assert said == truth
