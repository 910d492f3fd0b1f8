"""The lists of tests and samples, and what search finds."""

import pathlib
import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.site.conftest import Visit
from tests.support.platform import Api

pytestmark = pytest.mark.xdist_group("browser")


@pytest.mark.parametrize(
    ("kind", "title"),
    [("failing", "Failing on the main line"), ("flaky", "Flaky on the main line"), ("slower", "Slower than before")],
)
def test_tests_that_fail_are_flaky_or_slower_are_listed(
    visit: Visit, store: pathlib.Path, kind: str, title: str
) -> None:
    items = Api(store).items(f"regression-tests/{kind}.json")
    section = visit.open("tests").locator("section", has=visit.page.get_by_role("heading", name=title))
    assert items
    expect(section.locator("h2")).to_have_text(f"{title} ({len(items)})")
    expect(section.locator("tbody th")).to_have_text([f"#{one['regression_test_id']}" for one in items])
    expect(section.locator("thead th").first).to_have_text("Test")
    if kind == "failing":
        commits = [Api(store)(f"runs/{one['since_run']}.json")["commit_sha"][:8] for one in items]
        expect(section.locator(".commit")).to_have_text(commits)


def test_tests_that_are_flaky_say_what_they_do_now(visit: Visit) -> None:
    test = {"platform": "linux", "sample_id": 11, "sample_name": "a", "command": "--x", "state_changes_20": 6}
    rows = [
        {**test, "regression_test_id": 1, "since_run": None, "last_pass_run": 7},
        {**test, "regression_test_id": 2, "since_run": 8, "last_pass_run": None},
    ]
    page = {"data": rows, "pagination": {"next": None}, "meta": {}}
    visit.page.route("**/regression-tests/flaky.json", lambda route: route.fulfill(json=page))
    section = visit.open("tests").locator("section", has_text="Flaky on the main line (2)")
    expect(section.locator("thead th").nth(3)).to_have_text("Now")
    expect(section.locator("tbody td:nth-child(4)")).to_have_text(["passes", "fails since run 8"])


def test_tests_that_became_slower_say_since_when_and_by_how_much(visit: Visit) -> None:
    test = {"regression_test_id": 15, "platform": "linux", "sample_id": 11, "sample_name": "a", "command": "--x"}
    found = {**test, "categories": [], "since_run": 250, "before_ms": 1000, "after_ms": 1500, "href": "15.json"}
    page = {"data": [found], "pagination": {"next": None}, "meta": {}}
    visit.page.route("**/regression-tests/slower.json", lambda route: route.fulfill(json=page))
    section = visit.open("tests").locator("section", has_text="Slower than before (1)")
    expect(section.locator("tbody td")).to_have_text(["Linux", "a --x", "run 250", "1.00 s", "1.50 s (+50 %)"])
    expect(section.get_by_role("link", name="run 250")).to_have_attribute("href", "#/runs/250")


def test_each_test_says_whether_it_is_active(visit: Visit, store: pathlib.Path) -> None:
    tests = Api(store)("search.json")["regression_tests"]
    table = visit.open("tests").get_by_role("table", name="Regression tests")
    shown = table.locator("tbody tr td:last-child").all_inner_texts()
    assert shown == ["yes" if test["active"] else "no" for test in tests]


def test_samples_say_category_number_of_tests_and_state(visit: Visit, store: pathlib.Path) -> None:
    api = Api(store)
    index = api("search.json")
    failing = {(one["sample_id"], one["regression_test_id"]) for one in api.items("regression-tests/failing.json")}
    wanted = []
    for sample in index["samples"]:
        tests = [test for test in index["regression_tests"] if test["sample_id"] == sample["sample_id"]]
        broken = sum(one == sample["sample_id"] for one, _ in failing)
        state = f"{broken} failing" if broken else "none failing"
        if not any(test["active"] for test in tests):
            state = "tests inactive" if tests else "no test"
        categories = sorted({name for test in tests for name in test["categories"]}, key=str.casefold)
        wanted.append([state, ", ".join(categories), str(len(tests))])
    rows = visit.open("samples").locator("tbody tr")
    expect(rows).to_have_count(len(wanted))
    shown = rows.evaluate_all("rows => rows.map(row => [1, 3, 4].map(place => row.cells[place].innerText.trim()))")
    assert shown == wanted
    assert any("failing" in state and state[0].isdigit() for state, _, _ in wanted)


def test_samples_stand_though_their_state_does_not_load(visit: Visit) -> None:
    visit.page.route("**/regression-tests/failing.json", lambda route: route.fulfill(status=500, body=""))
    page = visit.open("samples")
    expect(page.locator(".failure")).to_have_count(1)
    expect(page.locator("tbody tr").first.locator("td").first).to_have_text("—")
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("tbody tr").first.locator("td").first).to_contain_text("failing")
    visit.wrong = [text for text in visit.wrong if "status of 500" not in text]


@pytest.mark.parametrize("place", ["search?q=teletext", "samples?q=teletext"])
def test_search_finds_samples_by_category(visit: Visit, store: pathlib.Path, place: str) -> None:
    tests = Api(store)("search.json")["regression_tests"]
    samples = {test["sample_id"] for test in tests if "Teletext" in test["categories"]} - {None}
    assert samples
    page = visit.open(place)
    shown = set(page.locator("main a[href^='#/samples/']").evaluate_all("links => links.map(link => link.hash)"))
    assert {f"#/samples/{sample}" for sample in samples} <= shown


NOTHING = {"data": [], "pagination": {"total": 0, "next": None}, "meta": {}}


@pytest.mark.parametrize(
    ("place", "path", "document", "text"),
    [
        ("", "runs.json", NOTHING, "No run is published yet."),
        ("?branch=nonsense", "runs.json", NOTHING, "No run fits these filters."),
        ("compare", "runs.json", NOTHING, "No run with results is published."),
        ("samples", "search.json", {"samples": [], "regression_tests": []}, "No sample is published yet."),
        ("tests", "search.json", {"samples": [], "regression_tests": []}, "No test is published yet."),
        ("samples?q=qqqq", "", {}, "No sample fits."),
        ("grid?q=qqqq", "", {}, "No test fits."),
    ],
)
def test_what_is_empty_says_why(visit: Visit, place: str, path: str, document: Any, text: str) -> None:
    if path:
        visit.page.route(f"**/v1/{path}", lambda route: route.fulfill(json=document))
    page = visit.open(place)
    expect(page.locator(".nothing", has_text=text)).to_be_visible()
    expect(page.locator(".commit-list:visible, .grid:visible")).to_have_count(0)
    visit.wrong = [text for text in visit.wrong if "by-branch/nonsense" not in text]  # it asks whether there is one


@pytest.mark.parametrize("way", ["Failing", "Flaky", "Slower", "All"])
def test_each_list_of_tests_is_one_click_away(visit: Visit, way: str) -> None:
    page = visit.open("tests")
    expect(page.locator(".loading")).to_have_count(0)
    page.get_by_role("button", name=way, exact=True).click()
    expect(page.get_by_role("heading", name=re.compile(f"^{way}")).and_(page.locator("h2"))).to_be_in_viewport()
