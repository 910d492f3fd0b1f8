"""What a reviewer asks: did my pull request break anything, since when, and what is different between two runs."""

import contextlib
import json
import pathlib
import re
import shlex
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from exporter.client import report
from exporter.demo.platform import create_demo
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from tests.client.test_report import HEADLINES
from tests.site.conftest import MARKUP, Visit, served
from tests.support.platform import Api

pytestmark = pytest.mark.xdist_group("browser")


@pytest.fixture
def api(store: pathlib.Path) -> Api:
    return Api(store)


def _pull_requests(api: Api) -> dict[int, list[dict[str, Any]]]:
    """The runs of each pull request, newest first."""
    found: dict[int, list[dict[str, Any]]] = {}
    for run in api.items("runs.json"):
        if run["pr_number"]:
            found.setdefault(run["pr_number"], []).append(run)
    return found


def _report(api: Api, runs: list[dict[str, Any]]) -> report.Report:
    chosen = report.newest_by_platform(runs)
    failures = report.newest_failures(
        chosen, api.failures, lambda sha: api.get(f"runs/by-commit/{sha}.json")["meta"]["platforms"]
    )
    return report.Report(
        "",
        tuple(report.run_report(run, of_run, lambda path: path) for run, of_run in zip(chosen, failures, strict=True)),
    )


def _breaking(api: Api) -> int:
    """A pull request of several pushes whose newest breaks something on both platforms, and has failures of old."""
    return next(
        number
        for number, runs in _pull_requests(api).items()
        if len({run["commit_sha"] for run in runs}) > 2
        and [run["status"] for run in runs[:2]] == ["fail", "fail"]
        and all(run["failures"]["main"]["broken"] and run["failures"]["main"]["same"] for run in runs[:2])
    )


def test_every_pull_request_says_the_same_as_the_report(visit: Visit, api: Api) -> None:
    for number, runs in _pull_requests(api).items():
        page = visit.open(f"pr/{number}")
        expect(page.locator(".headline")).to_have_text(report.headline(_report(api, runs)))


def test_the_report_counts_as_the_runs_do(api: Api) -> None:
    compared = 0
    for run in api.items("runs.json"):
        main = run["failures"]["main"]
        if any(main.values()):
            found = report.run_report(run, api.failures(run["run_id"]), lambda path: path)
            counts = [found.count(kind) for kind in report.KINDS]
            assert counts == [main["broken"], main["flaky"], main["same"] + main["different"], main["no_reference"]]
            compared += 1
    assert compared > 50


def _crafted(visit: Visit, api: Api, case: Iterable[tuple[dict[str, Any], list[dict[str, Any]]]]) -> None:
    """Serve a pull request 77 of made-up runs."""
    model = api.items("runs.json")[0]
    failure = next(one for run in api.items("runs.json") for one in api.failures(run["run_id"]))
    listed = []
    for place, (run, failures) in enumerate(case):
        shown = {**model, **run, "run_id": run["run_id"] * 1000 - place, "pr_number": 77, "failures": model["failures"]}
        shown["summary"] = {**model["summary"], **run["summary"]}
        listed.append(shown)
        items = [
            {**failure, **one, "status": "fail", "verdict": {**failure["verdict"], **one["verdict"]}}
            for one in failures
        ]
        _answer(visit, f"runs/{shown['run_id']}/failures.json", {"data": items, "pagination": {"next": None}})
    _answer(visit, "runs/by-pr/77.json", {"data": listed, "pagination": {"next": None}})
    for sha in {run["commit_sha"] for run in listed}:
        _answer(visit, f"runs/by-commit/{sha}.json", {"data": [], "meta": {"platforms": []}})


def _answer(visit: Visit, path: str, document: Any) -> None:
    visit.page.route(f"**/v1/{path}", lambda route: route.fulfill(json=document))


@pytest.mark.parametrize(("case", "expected"), HEADLINES)
def test_a_headline_is_that_of_the_report(visit: Visit, api: Api, case: Any, expected: str) -> None:
    _crafted(visit, api, case)
    expect(visit.open("pr/77").locator(".headline")).to_have_text(expected)


def test_tests_that_were_run_again_leave_what_the_others_broke(visit: Visit, api: Api) -> None:
    done = [{"pass_count": 1, "fail_count": 0, "missing_output_count": 0, "total_samples": count} for count in (1, 3)]
    done[1] |= {"pass_count": 1, "fail_count": 2}
    shared = {"run_id": 9, "platform": "linux", "status": "fail", "commit_sha": "a" * 40}
    broken = {"verdict": {"code": "new_regression", "main": {"state": "broken", "same_failure_run_id": None}}}
    failures = [{"regression_test_id": test, **broken} for test in (1, 2)]
    _crafted(visit, api, [({**shared, "summary": done[0]}, []), ({**shared, "summary": done[1]}, failures)])
    statuses = [{"regression_test_id": 2, "linux": "fail", "windows": None}]
    _answer(visit, f"runs/by-commit/{'a' * 40}.json", {"data": [], "meta": {"platforms": statuses}})
    page = visit.open("pr/77")
    expect(page.locator(".headline")).to_have_text("Breaks 1 test on Linux")
    expect(page.locator(".tested li")).to_have_count(2)


def test_a_pull_request_lists_its_failures_of_both_platforms_once(visit: Visit, api: Api) -> None:
    number = _breaking(api)
    runs = _pull_requests(api)[number]
    found = _report(api, runs)
    kinds = report.gravest(found.runs)
    page = visit.open(f"pr/{number}")
    for title, kind in (("Broken", "broken"), ("Fail on the main line too", "on_main")):
        table = page.locator(f'.table[aria-label="{title}"]')
        ids = [f"#{test}" for test in sorted(kinds) if kinds[test] == kind]
        assert ids and table.locator("tbody th").all_text_contents() == ids
    matrix = {
        one["regression_test_id"]: one
        for one in api(f"runs/by-commit/{runs[0]['commit_sha']}.json")["meta"]["platforms"]
    }
    row = page.get_by_role("region", name="Broken").locator("tbody tr").first
    test = int(row.locator("th").inner_text().removeprefix("#"))
    assert (row.locator("td").nth(1).inner_text() == "pass") is (matrix[test]["linux"] == "pass")
    row.locator("td a.clip").click()
    expect(page.locator("h1")).to_contain_text(f"Test #{test} in run ")
    expect(page.locator(".output").first).to_be_visible()


def test_pushes_stand_newest_first_and_each_can_be_looked_at(visit: Visit, api: Api) -> None:
    number = _breaking(api)
    runs = _pull_requests(api)[number]
    commits = list(dict.fromkeys(run["commit_sha"] for run in runs))
    page = visit.open(f"pr/{number}")
    shown = page.locator(".commit-list li:not(.heads)")
    assert shown.locator(".sha").evaluate_all("all => all.map(one => one.title)") == commits
    page.get_by_role("link", name=f"Push {len(commits) - 2}", exact=True).click()
    of_push = [run for run in runs if run["commit_sha"] == commits[2]]
    expect(page.locator(".headline")).to_have_text(report.headline(_report(api, of_push)))
    expect(page.locator(".box").first).to_contain_text("older push")
    page.get_by_role("link", name="To the newest").click()
    expect(page.locator(".headline")).to_have_text(report.headline(_report(api, runs)))


def test_a_pull_request_says_that_its_newest_push_is_not_what_it_speaks_of(visit: Visit, api: Api) -> None:
    for number, runs in _pull_requests(api).items():
        newest = [run for run in runs if run["commit_sha"] == runs[0]["commit_sha"]]
        judged = any(run["status"] in {"pass", "fail"} for run in newest)
        ever = any(run["status"] in {"pass", "fail"} for run in runs)
        page = visit.open(f"pr/{number}")
        expect(page.locator(".headline")).to_be_visible()
        told = page.locator(
            ".box", has_text=f"The newest push, {runs[0]['commit_sha'][:8]}, has no results yet to judge"
        )
        expect(told).to_have_count(int(ever and not judged))
    assert any(run["status"] == "running" for runs in _pull_requests(api).values() for run in runs[:1])


def test_an_old_base_is_said(visit: Visit, api: Api) -> None:
    run, failures = HEADLINES[2][0][0]
    main = {"state": "broken", "same_failure_run_id": 5, "worse": False}
    _crafted(visit, api, [(run, [{**failures[0], "verdict": {"code": "new_regression", "main": main}}])])
    page = visit.open("pr/77")
    expect(page.locator("main")).to_contain_text("The base is old: rebase.")
    expect(page.locator(".failures tbody tr")).to_contain_text("base is old: rebase")


def test_a_number_in_the_search_is_one_click_from_its_pull_request(visit: Visit, api: Api) -> None:
    number = _breaking(api)
    page = visit.open("")
    page.get_by_role("searchbox", name="Search").fill(str(number))
    page.get_by_role("searchbox", name="Search").press("Enter")
    page.get_by_role("link", name=f"PR {number}", exact=True).click()
    expect(page.locator(".headline")).to_contain_text("Breaks")
    visit.wrong = [text for text in visit.wrong if "status of 404" not in text]  # it asks whether there is such a run


def test_a_row_of_the_overview_leads_to_its_pull_request(visit: Visit, api: Api) -> None:
    page = visit.open("")
    page.locator(".commit-list .what a", has_text="PR ").first.click()
    expect(page.locator("h1")).to_contain_text("PR ")
    expect(page.locator(".headline")).to_be_visible()


def _failing_of_old(api: Api) -> dict[str, Any]:
    """A test that fails on the main line and passed there before."""
    return next(one for one in api.items("regression-tests/failing.json") if one["last_pass_run"])


def test_a_test_says_first_since_when_it_fails(visit: Visit, api: Api) -> None:
    one = _failing_of_old(api)
    bad, good = api(f"runs/{one['since_run']}.json"), api(f"runs/{one['last_pass_run']}.json")
    page = visit.open(f"tests/{one['regression_test_id']}")
    line = page.locator(".states li", has_text=one["platform"].capitalize())
    expect(line).to_contain_text(f"on master since run {bad['run_id']}, commit {bad['commit_sha'][:8]}")
    expect(line).to_contain_text(f"(last good: run {good['run_id']}, commit {good['commit_sha'][:8]})")
    expect(line).to_contain_text("compare on GitHub.")
    compare = line.get_by_role("link", name="compare on GitHub")
    expected = f"https://github.com/CCExtractor/ccextractor/compare/{good['commit_sha']}...{bad['commit_sha']}"
    expect(compare).to_have_attribute("href", expected)
    assert _top(page, ".states") < _top(page, ".strips")


def _top(page: Page, selector: str) -> float:
    return float(page.locator(selector).first.evaluate("one => one.getBoundingClientRect().top"))


def test_a_test_says_how_much_slower_it_is_and_since_when(visit: Visit, api: Api) -> None:
    document = api("regression-tests/15.json")
    slower = {"before_ms": 1200, "after_ms": 2400, "since_run": 190}
    document["stability"]["linux"] |= {"slower": True, "slowdown": slower}
    _answer(visit, "regression-tests/15.json", document)
    page = visit.open("tests/15")
    expect(page.locator(".states li", has_text="Linux")).to_contain_text("slower: 1.20 s → 2.40 s since run 190")
    expect(page.locator(".states li", has_text="Windows")).not_to_contain_text("slower")


def test_strips_part_the_main_line_from_pull_requests(visit: Visit, api: Api) -> None:
    page = visit.open("tests/15")
    rows = page.locator(".strip-row:visible")
    expect(rows.first).to_contain_text("master")
    names = rows.locator(".strip-name").all_inner_texts()
    assert names == ["Linux, master", "Windows, master", "Linux, PRs and branches", "Windows, PRs and branches"]
    main = {run["run_id"] for run in api.items("runs.json") if _on_main(run)}
    for row in rows.all():
        shown = [int(run) for run in re.findall(r"runs/(\d+)/results", " ".join(_links(row)))]
        assert shown == sorted(shown, reverse=True) and shown
        aside = "aside" in (row.get_attribute("class") or "")
        assert all((run in main) is not aside for run in shown)


def _links(row: Any) -> list[str]:
    return list(row.locator(".cells a").evaluate_all("links => links.map(link => link.hash)"))


def _on_main(run: dict[str, Any]) -> bool:
    return (run["test_type"], run["repository"], run["branch"]) == ("commit", "CCExtractor/ccextractor", "master")


def test_a_chart_runs_as_the_strips_do(visit: Visit) -> None:
    page = visit.open("tests/15")
    plot = page.locator(".plot .u-over").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    said = []
    for part in (0.05, 0.95):
        page.mouse.move(box["x"] + part * box["width"], box["y"] + box["height"] / 2)
        said.append(page.locator(".u-legend .u-value").first.inner_text())
    newest, oldest = (page.evaluate("text => Date.parse(text)", text) for text in said)
    assert newest > oldest


def _by_status(api: Api, status: str, *, some: bool = True) -> dict[str, Any]:
    """The newest run of a status, with some results or without."""
    return next(
        run for run in api.items("runs.json") if run["status"] == status and bool(run["summary"]["pass_count"]) is some
    )


def _done(run: dict[str, Any]) -> int:
    return int(sum(run["summary"][name] for name in ("pass_count", "fail_count", "missing_output_count")))


def test_an_unfinished_run_speaks_as_unfinished(visit: Visit, api: Api) -> None:
    run = _by_status(api, "running")
    total = run["summary"]["total_samples"]
    page = visit.open(f"runs/{run['run_id']}")
    expect(page.locator("main")).to_contain_text(f"It is still going: {_done(run)} of {total} so far.")
    expect(page.locator(".counts")).to_contain_text(f"{run['summary']['skipped_count']} not yet run")
    page = visit.open(f"runs/{run['run_id']}?view=results")
    expect(page.locator(".not-run summary")).to_have_text(f"Not yet run {run['summary']['skipped_count']}")
    row = visit.open("").locator(f'.commit-list a.run[title^="Run {run["run_id"]} "]')
    expect(row).to_contain_text(f"{_done(run)} of {total} so far")


def test_a_run_that_goes_on_or_waits_has_left_nothing_out(visit: Visit, api: Api) -> None:
    running = _by_status(api, "running")["run_id"]
    queued = next(run["run_id"] for run in api.items("runs.json") if run["status"] == "queued")
    document = api(f"runs/{running}/comparison.json")
    document["references"]["main"]["not_rerun"] = api("runs/295/comparison.json")["references"]["main"]["broken"]
    _answer(visit, f"runs/{running}/comparison.json", document)
    page = visit.open(f"runs/{running}")
    expect(page.locator(".bucket summary").last).to_contain_text("Not yet run")
    page = visit.open(f"runs/{queued}")
    expect(page.locator("main")).to_contain_text("It waits for its turn.")
    expect(page.get_by_role("heading", name="What is different")).to_have_count(0)


def test_a_canceled_run_says_how_far_it_came(visit: Visit, api: Api) -> None:
    run = _by_status(api, "canceled")
    page = visit.open(f"runs/{run['run_id']}")
    said = f"It was canceled: {_done(run)} of {run['summary']['total_samples']}, then it ended."
    expect(page.locator("main")).to_contain_text(said)
    expect(page.locator("main")).not_to_contain_text("so far")


def test_a_time_that_nobody_knows_is_left_out(visit: Visit, api: Api) -> None:
    run = _by_status(api, "queued", some=False)
    assert not run["started_at"] and not run["completed_at"]
    for place in (f"runs/{run['run_id']}", f"pr/{run['pr_number']}", f"?commit={run['commit_sha']}"):
        page = visit.open(place)
        expect(page.locator(".head p, .tested li, .commit-list li").last).to_be_visible()
        shown = page.locator(".head p, .facts div, .tested li, .commit-list li").all_inner_texts()
        assert shown and not [text for text in shown if "—" in text]


def test_a_run_says_what_it_has_not_run(visit: Visit, api: Api) -> None:
    run = next(one for one in api.items("runs.json") if one["status"] == "pass" and one["summary"]["skipped_count"])
    said = f"{run['summary']['pass_count']} pass, {run['summary']['skipped_count']} not run"
    row = visit.open(f"?commit={run['commit_sha']}").locator(f'a.run[title^="Run {run["run_id"]} "]')
    expect(row).to_contain_text(said)


def test_results_begin_with_what_fails(visit: Visit, api: Api) -> None:
    run = api.items(f"runs/by-pr/{_breaking(api)}.json")[0]
    page = visit.open(f"runs/{run['run_id']}?view=results")
    statuses = page.locator(".results tbody tr td:first-child").all_inner_texts()
    failed = len(list(api.failures(run["run_id"])))
    assert "pass" not in statuses[:failed] and set(statuses[failed:]) == {"pass"}


def test_a_run_leads_to_the_other_platform_even_if_that_came_later(visit: Visit, api: Api) -> None:
    windows, linux = api.items(f"runs/by-pr/{_breaking(api)}.json")[:2]
    first, second = sorted((windows, linux), key=lambda run: run["run_id"])
    page = visit.open(f"runs/{first['run_id']}")
    line = page.locator(".siblings li", has_text=second["platform"].capitalize())
    line.get_by_role("link", name=f"run {second['run_id']}").click()
    expect(page.locator("h1")).to_have_text(f"Run {second['run_id']}")


def test_any_two_runs_are_compared(visit: Visit, api: Api) -> None:
    runs = [run["run_id"] for run in api.items("runs.json") if run["status"] == "fail" and run["platform"] == "linux"]
    a, b = runs[5], runs[0]
    then, now = (_results(api, run) for run in (a, b))
    both = then.keys() & now.keys()
    wanted = {
        "Passed before, fail after": [t for t in both if then[t][0] == "pass" != now[t][0]],
        "Failed before, pass after": [t for t in both if then[t][0] != "pass" == now[t][0]],
        "Fail in both, but differently": [
            t for t in both if "pass" not in (then[t][0], now[t][0]) and then[t] != now[t]
        ],
        "Fail in both in the same way": [t for t in both if then[t][0] != "pass" and then[t] == now[t]],
        "Fail after, not run before": [t for t in now.keys() - then.keys() if now[t][0] != "pass"],
        "Failed before, not run after": [t for t in then.keys() - now.keys() if then[t][0] != "pass"],
    }
    page = visit.open(f"compare?a={a}&b={b}")
    shown = {
        bucket.locator("summary").inner_text().rpartition(" ")[0]: sorted(
            int(text[1:].partition(" ")[0]) for text in bucket.locator("li > a").all_text_contents()
        )
        for bucket in page.locator(".bucket").all()
    }
    assert shown == {title: sorted(tests) for title, tests in wanted.items() if tests}
    assert sum(map(len, wanted.values())) > 3
    passing = sum(then[test][0] == "pass" == now[test][0] for test in both)
    expect(page.locator(".headline")).to_contain_text(f"{passing} tests passing in both")
    page.get_by_role("link", name="The other way round").click()
    expect(page.locator("h1")).to_have_text(f"Run {b} against run {a}")


def _results(api: Api, run: int) -> dict[int, tuple[str, str | None]]:
    """Test → its status in a run, and what tells its failure from others."""
    failures = {one["regression_test_id"]: one["fingerprint"] for one in api.failures(run)}
    return {
        one["regression_test_id"]: (one["status"], failures.get(one["regression_test_id"]))
        for one in api.items(f"runs/{run}/samples.json")
    }


def test_every_run_can_be_compared_with_any_other_in_two_clicks(visit: Visit, api: Api) -> None:
    page = visit.open("runs/295")
    page.get_by_role("link", name="Compare with…").click()
    reference = api("runs/295/comparison.json")["references"]["main"]["run"]["run_id"]
    expect(page.locator(".items li").first).to_contain_text("the main line before it")
    page.locator(".items a").first.click()
    expect(page.locator("h1")).to_have_text(f"Run {reference} against run 295")
    page.get_by_label("Before").fill("281")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("h1")).to_have_text("Run 281 against run 295")


def test_two_runs_are_compared_in_two_clicks_from_the_overview(visit: Visit, api: Api) -> None:
    runs = api("runs.json")["data"]
    newest = next(run["run_id"] for run in runs if run["status"] in {"pass", "fail"})
    page = visit.open("")
    page.get_by_role("link", name="Compare two runs").click()
    expect(page.get_by_role("heading", name=f"the newest run that ended, run {newest}")).to_be_visible()
    page.locator(".items a").first.click()
    expect(page.locator("h1")).to_contain_text(f" against run {newest}")
    expect(page.locator(".headline")).to_be_visible()


def test_only_runs_with_results_are_offered_to_compare_and_any_may_be_the_later_one(visit: Visit, api: Api) -> None:
    runs = api("runs.json")["data"]
    page = visit.open("compare")
    page.get_by_text("Another run as the later one").click()
    offered = page.locator(".others a").all_text_contents()
    newest = next(run["run_id"] for run in runs if run["status"] in {"pass", "fail"})
    with_results = [f"Run {run['run_id']}" for run in runs if _done(run) and run["run_id"] != newest]
    assert offered == with_results[: len(offered)] and len(offered) == 30
    page.locator(".others a").nth(3).click()
    expect(page.locator(".lines article").last).to_contain_text(f"After: {offered[3].lower()}")
    expect(page.get_by_role("heading", name=f"Choose what to compare {offered[3].lower()} with")).to_be_visible()


def test_the_overview_says_what_fails_and_hides_the_noise(visit: Visit, api: Api) -> None:
    page = visit.open("")
    changes = api("regressions.json")["data"]
    noise = sum(change["flaky"] for change in changes)
    expect(page.locator(".noise summary")).to_have_text(re.compile(rf"^{noise} changes? of flaky tests"))
    news = [change["regression_test_id"] for change in changes if not change["flaky"]][:8]
    shown = page.locator(".changes").first.locator("a.clip").all_text_contents()
    assert [int(text[1:].partition(" ")[0]) for text in shown] == news
    page.locator(".card h3 a", has_text="failing").first.click()
    expect(page.get_by_role("heading", name="Failing on the main line")).to_be_visible()


def test_the_overview_leads_to_the_feed_the_download_and_the_api(visit: Visit, store: pathlib.Path) -> None:
    visit.page.set_viewport_size({"width": 320, "height": 700})
    page = visit.open("")
    footer = page.locator(".further")
    feed = footer.get_by_role("link", name="Atom").get_attribute("href")
    assert feed and (store / feed).is_file()
    alternate = page.locator('link[rel="alternate"][type="application/atom+xml"]')
    expect(alternate).to_have_attribute("href", feed)
    expect(footer.locator("time")).to_be_visible()
    badge = footer.locator("pre").inner_text()
    image = re.search(r"\((\S+?)\)\]\((\S+)\)$", badge)
    assert image and image[1].startswith(visit.base) and image[2] == visit.base
    assert (store / image[1].removeprefix(visit.base)).is_file()
    footer.get_by_role("link", name="NDJSON").click()
    expect(page.locator("h1")).to_have_text("Download")
    visit.wrong = [text for text in visit.wrong if "status of 404" not in text]  # no snapshot is published


def test_files_of_a_snapshot_can_be_downloaded(visit: Visit) -> None:
    sha = "a" * 64
    file = {"name": "runs.parquet", "href": "snapshots/x/runs.parquet", "bytes": 3_400_000, "sha256": sha, "rows": 300}
    counts = {"runs": 300, "results": 11977, "samples": 48, "regression_tests": 60}
    files = [file, *({**file, "name": f"{size}.parquet", "bytes": size} for size in (48_200, 999))]
    newest = {"id": "x", "created_at": "2026-06-30T08:00:00Z", "counts": counts, "files": files}
    _answer(visit, "snapshots.json", {"latest": "x", "snapshots": [newest, {**newest, "id": "w"}]})
    page = visit.open("download")
    link = page.get_by_role("link", name="runs.parquet")
    assert link.evaluate("link => link.href") == f"{visit.base}v1/snapshots/x/runs.parquet"
    expect(page.locator("tbody tr").first).to_contain_text("Parquet, 300 rows")
    expect(page.locator("tbody .number")).to_have_text(["3.4 MB", "48 KB", "999 bytes"])
    expect(page.locator("main")).to_contain_text("1 older snapshot")


def test_entries_of_the_feed_lead_to_pages(visit: Visit, store: pathlib.Path) -> None:
    feed = (store / "v1/feeds/regressions.xml").read_text()
    places = re.findall(r'rel="alternate" type="text/html" href="\.\./\.\./index\.html#/([^"]+)"', feed)
    assert len(places) == feed.count("<entry>") > 5
    page = visit.open(places[0])
    expect(page.locator("h1")).to_contain_text("Test #")


@pytest.mark.parametrize("place", ["tests/15", "runs/295/results/15"])
def test_a_command_stands_as_one_types_it(visit: Visit, api: Api, place: str) -> None:
    test = api("regression-tests/15.json")
    shown = visit.open(place).get_by_role("region", name="Command").inner_text()
    words = shlex.split(shown)
    assert words[0] == "ccextractor" and words[-1] == test["sample_name"]
    assert words[1:-1] == shlex.split(test["command"])


def test_a_hostile_sample_name_is_one_word_of_a_command(visit: Visit, api: Api) -> None:
    document = api("regression-tests/15.json") | {"sample_name": "-a'; $(reboot) `x`\n.ts"}
    _answer(visit, "regression-tests/15.json", document)
    shown = visit.open("tests/15").get_by_role("region", name="Command").text_content() or ""
    assert shlex.split(shown)[-1] == "./-a'; $(reboot) `x`\n.ts"


def test_outputs_are_called_by_their_file_names(visit: Visit, api: Api) -> None:
    test = api("regression-tests/15.json")
    names = [output["expected_filename"] for output in test["outputs"]]
    page = visit.open("runs/295/results/15")
    expect(page.locator(".output h3 code")).to_have_text(names)
    page = visit.open("tests/15")
    expect(page.get_by_role("region", name="Expected outputs").locator("tbody th")).to_have_text(names)


def test_a_missing_output_leads_to_what_was_expected(visit: Visit, api: Api, store: pathlib.Path) -> None:
    run, test, output = next(
        (run["run_id"], one["regression_test_id"], output)
        for run in api.items("runs.json")
        for one in api.failures(run["run_id"])
        for output in one["outputs"]
        if output["match"] == "missing"
    )
    (file,) = (store.parent / "files").rglob(output["filename"])
    page = visit.open(f"runs/{run}/results/{test}")
    shown = page.locator(".output", has_text="was not written").first
    expect(shown.locator(".diff.unified").first).to_be_visible()  # side by side, one side would be empty
    lines = shown.locator(".diff .removed .text").all_text_contents()
    assert lines == file.read_bytes().decode("utf-8-sig", "replace").splitlines()[: len(lines)] and lines


def test_commits_lead_to_the_commit_and_pull_requests_have_their_names(visit: Visit, api: Api) -> None:
    run = next(one for one in api.items("runs.json") if one["pr_number"] and one["status"] == "fail")
    url = f"https://github.com/{run['repository']}/commit/{run['commit_sha']}"
    page = visit.open(f"runs/{run['run_id']}")
    expect(page.locator(".head .sha a")).to_have_attribute("href", url)
    expect(page.locator(".facts .sha a")).to_have_attribute("href", url)
    failure = next(iter(api.failures(run["run_id"])))["regression_test_id"]
    for place in (f"runs/{run['run_id']}", f"runs/{run['run_id']}/results/{failure}", ""):
        page = visit.open(place)
        expect(page.locator("main")).to_contain_text("PR ")
        expect(page.locator("main")).not_to_contain_text("pull_request")


def test_a_failure_names_the_line_of_each_run_that_it_speaks_of(visit: Visit, api: Api) -> None:
    run = next(
        one for one in api.items("runs.json") if one["pr_number"] and one["failures"]["verdicts"]["still_failing"]
    )
    failure = next(one for one in api.failures(run["run_id"]) if one["verdict"]["code"] == "still_failing")
    page = visit.open(f"runs/{run['run_id']}/results/{failure['regression_test_id']}")
    for name, text in (("since_run", "It has failed since"), ("last_pass_run", "It last passed in")):
        if told := failure["verdict"][name]:
            of = api(f"runs/{told}.json")
            line = f"PR {of['pr_number']}" if of["pr_number"] else of["branch"]
            expect(page.locator(".box")).to_contain_text(f"{text} run {told} of {line}, {of['commit_sha'][:8]}")


def test_documents_of_the_site_are_as_the_store_has_them(store: pathlib.Path, api: Api) -> None:
    now = api("regressions.json")["meta"]["main_now"]
    for platform, counts in now.items():
        badge = json.loads((store / f"badges/master-{platform}.json").read_bytes())["message"]
        assert badge == (f"{counts['failing']} failing of {counts['results']}" if counts["failing"] else "passing")


HOSTILE = (
    MARKUP,
    "javascript:document.title='owned'",
    "</script><script>document.title='owned'</script>",
    "{{ 7 * 7 }} ${document.title='owned'} %3Cimg%20src=x%20onerror=document.title='owned'%3E",
    "\u202e\ufeff\u0000../../../etc/passwd?x#y&z\r\nset-cookie: a=b",
    "//evil.example/a.js",
)
COLUMNS = {
    "category": ("name", "description"),
    "tag": ("name", "description"),
    "ccextractor_version": ("version",),
    "sample": ("original_name", "extension"),
    "sample_extra": ("original_name", "extension"),
    "sample_issue": ("title", "status", "user"),
    "upload": ("parameters", "notes"),
    "regression_test": ("command", "description"),
    "regression_test_output": ("expected_filename", "correct_extension"),
    "test_progress": ("message",),
    "fork": ("github",),
    "test": ("branch", "commit"),
}


SCROLLED = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.ariaLabel)"
TURNED = """[...document.querySelectorAll('main time, main .tally, main .status')].filter((one) => {
  const text = [...one.childNodes].find((node) => node.nodeType === Node.TEXT_NODE && node.length > 2);
  if (!text) return false;
  const left = (from) => {
    const range = new Range();
    range.setStart(text, from);
    range.setEnd(text, from + 1);
    return range.getBoundingClientRect().left;
  };
  return left(1) < left(0);
}).map((one) => one.outerHTML)"""
"""Elements of the site's own words that run from right to left, because a name beside them has turned the direction."""


@pytest.fixture(scope="module")
def hostile(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Visit]:
    """A visit to an export whose every text is an attack; the main line and its runs alone are as they should be."""
    folder = tmp_path_factory.mktemp("hostile")
    url = f"sqlite:///{folder / 'platform.sqlite'}"
    create_demo(url, runs=60, tests=12, seed=3, sample_repository=folder / "files")
    with contextlib.closing(sqlite3.connect(folder / "platform.sqlite")) as database, database:
        spared = {"fork": "id = 1", "test": "branch = 'master' OR branch = 'pull_request' AND id % 2"}
        for table, columns in COLUMNS.items():
            for column in columns:
                for place, text in enumerate(HOSTILE):
                    database.execute(
                        f'UPDATE {table} SET "{column}" = ? || rowid WHERE rowid % {len(HOSTILE)} = ?'
                        f" AND NOT ({spared.get(table, '0')})",
                        (text, place),
                    )
    pipeline.export(pipeline.Settings(url, LocalStore(folder / "store"), workers=0, sample_repository=folder / "files"))
    with served(folder / "store") as base:
        context = browser.new_context()
        visit = Visit(context, base)
        yield visit
        context.close()


def test_every_page_of_hostile_data_runs_nothing_and_asks_nobody(hostile: Visit) -> None:
    page = hostile.page
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    runs = httpx.get(f"{hostile.base}v1/runs.json").json()["data"]
    numbers = {run["pr_number"] for run in runs if run["pr_number"]}
    failing = next(run["run_id"] for run in runs if run["status"] == "fail")
    places = [
        "",
        "grid",
        "tests",
        "samples",
        "api",
        "download",
        f"compare?a={runs[-1]['run_id']}&b={failing}",
        "search?q=e",
    ]
    places += [f"compare?b={failing}", f"runs/{failing}?view=results", f"runs/{failing}?view=log", "search?q=owned"]
    places += [f"runs/{run['run_id']}" for run in runs[::6]] + [f"pr/{number}" for number in sorted(numbers)]
    places += [f"tests/{test}" for test in range(1, 13)] + [f"samples/{sample}" for sample in range(1, 7)]
    places += [f"runs/{failing}/results/{test}" for test in range(1, 13, 2)]
    links: set[str] = set()
    attacked = 0
    for place in places:
        hostile.open(place)
        assert page.evaluate(TURNED) == [], place
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") == 390, place
        assert page.locator("main .table").evaluate_all(SCROLLED) == [], place
        page.set_viewport_size({"width": 1280, "height": 720})
        expect(page.locator(".loading")).to_have_count(0)
        assert page.evaluate("document.title.startsWith('owned') || 'owned' in window") is False, place
        assert page.locator("main img, main script, main iframe, main object, main [onerror]").count() == 0, place
        attacked += "onerror=" in page.locator("main").inner_text()
        links |= set(page.locator("a").evaluate_all("links => links.map(link => link.href)"))
        assert all(request.url.startswith((hostile.base, "data:", "about:")) for request in hostile.requests), place
    wrong = [text for text in hostile.wrong if "status of 404" not in text]  # no snapshot, no log
    assert not wrong and not dialogs
    assert attacked > len(places) // 2
    foreign = {link for link in links if not link.startswith(hostile.base)}
    assert foreign and all(link.startswith("https://github.com/") for link in foreign), foreign


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize(
    "place", ["", "pr/1990", "compare?a=281&b=295", "compare?b=295", "download", "tests/15", "runs/297"]
)
def test_pages_are_accessible_and_fit(visit: Visit, place: str, width: int, scheme: Any) -> None:
    visit.page.emulate_media(color_scheme=scheme)
    visit.page.set_viewport_size({"width": width, "height": 800})
    page = visit.open(place)
    expect(page.locator(".loading")).to_have_count(0)
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"][:3]]) for one in found] == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    visit.wrong = [text for text in visit.wrong if "status of 404" not in text]  # no snapshot is published
