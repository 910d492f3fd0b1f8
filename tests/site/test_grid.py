"""The grid: cells and column heads, what is shown of it, its place in the address."""

import json
import pathlib
import re
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.site.conftest import Visit
from tests.support.platform import Api

pytestmark = pytest.mark.xdist_group("browser")


def columns(store: pathlib.Path, platform: str = "linux") -> list[dict[str, Any]]:
    """All runs of a platform as the grid documents have them, each with its letters by test."""
    api, path, found = Api(store), f"grid/{platform}.json", []
    while path:
        document = api(path)
        tests = document["meta"]["tests"]
        found += [run | {"letters": dict(zip(tests, run["results"], strict=True))} for run in document["data"]]
        after = document["pagination"]["next"]
        path = after and str(pathlib.PurePosixPath("grid") / after.removeprefix("../"))
        path = path and re.sub(r"^grid/(\d+\.json)$", rf"grid/{platform}/archive/\1", path)
    return found


def master(store: pathlib.Path) -> list[dict[str, Any]]:
    """The main line's columns that have results."""
    return [
        run
        for run in columns(store)
        if run["pr_number"] is None and (run["branch"], run["repository"]) == ("master", "CCExtractor/ccextractor")
        if set(run["results"]) != {"."}
    ]


def count(page: Page) -> str:
    return page.locator(".head [role=status]").inner_text()


def test_a_cell_of_the_grid_tells_its_result_and_leads_to_it(visit: Visit, store: pathlib.Path) -> None:
    page = visit.open("grid?platform=linux&sort=name")
    expect(page.locator(".grid-label").first).to_be_visible()
    link = page.locator(".grid-cursor")
    link.focus()
    link.press("ArrowDown")
    for _ in range(3):
        link.press("ArrowRight")
    run, test = re.fullmatch(r"#/runs/(\d+)/results/(\d+)", link.get_attribute("href") or "").groups()  # type: ignore[union-attr]
    told = json.loads((store / f"v1/runs/{run}/samples/{test}.json").read_bytes())
    said = link.get_attribute("aria-label") or ""
    assert said.startswith(f"{told['status'].replace('_', ' ')}: #{test} ") and f"run {run}" in said
    link.press("Enter")
    expect(page.locator("h1")).to_have_text(f"Test #{test} in run {run}")


def test_the_grid_filters_while_one_types_and_sorts(visit: Visit) -> None:
    page = visit.open("grid")
    status = page.locator(".head [role=status]")
    expect(status).to_contain_text("runs")
    all_tests = count(page)
    page.get_by_label("Tests", exact=True).fill("dvb")
    expect(status).not_to_have_text(all_tests)
    assert "q=dvb" in page.url
    page.get_by_label("Sort by").select_option("flaky")
    expect(page.locator(".grid-group")).to_have_count(0)


def test_a_column_head_names_its_run_and_leads_to_it(visit: Visit, store: pathlib.Path) -> None:
    runs = [run for run in columns(store) if set(run["results"]) != {"."}]
    place = next(place for place, run in enumerate(runs) if run["pr_number"])
    run = runs[place]
    page = visit.open("grid?line=any")
    box = page.locator(".grid-stage").bounding_box()
    labels = page.locator(".grid-labels").bounding_box()
    assert box and labels
    page.mouse.move(labels["x"] + labels["width"] + place * 15 + 7, box["y"] + 20)
    hint = page.locator(".grid-hint")
    for text in (f"run {run['run_id']}", run["commit_sha"][:8], f"PR {run['pr_number']}"):
        expect(hint).to_contain_text(text)
    page.locator(".grid-cursor").click()
    expect(page.locator("h1")).to_have_text(f"Run {run['run_id']}")


def test_column_heads_are_reached_by_keyboard(visit: Visit) -> None:
    page = visit.open("grid")
    link = page.locator(".grid-cursor")
    link.focus()
    link.press("ArrowUp")
    assert re.fullmatch(r"#/runs/\d+", link.get_attribute("href") or "")
    link.press("ArrowDown")
    assert link.get_attribute("aria-label", timeout=1000)
    assert not re.fullmatch(r"#/runs/\d+", link.get_attribute("href") or "")


def test_inactive_tests_are_hidden_until_asked_for(visit: Visit, store: pathlib.Path) -> None:
    inactive = {
        test["regression_test_id"] for test in Api(store)("search.json")["regression_tests"] if not test["active"]
    }
    seen = {test for run in master(store) for test, letter in run["letters"].items() if letter != "."}
    assert inactive & seen
    page = visit.open("grid")
    expect(page.locator(".head [role=status]")).to_contain_text(f"{len(inactive & seen)} inactive not shown")
    assert count(page).startswith(f"{len(seen - inactive)} tests")
    page.get_by_label("inactive tests too").check()
    assert count(page).startswith(f"{len(seen)} tests")
    assert "inactive=1" in page.url


def test_failing_in_the_newest_run_means_that_run(visit: Visit, store: pathlib.Path) -> None:
    newest = master(store)[0]
    failing = {str(test) for test, letter in newest["letters"].items() if letter in "fm"}
    page = visit.open("grid?failing=1&sort=name")
    expect(page.locator(".grid-label")).to_have_count(len(failing))
    assert set(page.locator(".grid-label .id").all_inner_texts()) == failing


@pytest.mark.parametrize("key", ["PageDown", "PageUp", "End", "Home"])
def test_page_keys_and_focus_never_lose_the_cell(visit: Visit, key: str) -> None:
    page = visit.open("grid")
    expect(page.locator(".grid-label").first).to_be_visible()
    link = page.locator(".grid-cursor")
    link.focus()
    for one in ["ArrowDown"] * 3 + ["ArrowRight"] * 2 + [key] * 9 + ["PageUp", "PageDown"]:
        page.keyboard.press(one)
        assert page.evaluate("document.activeElement.className").startswith("grid-cursor")
        box, cell = page.locator(".grid").bounding_box(), link.bounding_box()
        assert box and cell
        assert box["y"] <= cell["y"] and cell["y"] + cell["height"] <= box["y"] + box["height"] + 1
    said = link.get_attribute("aria-label")
    page.locator(".grid").evaluate("box => box.scrollTo(0, 0)")
    page.locator(".grid").evaluate("box => box.scrollTo(0, 900)")
    page.wait_for_timeout(100)
    assert page.evaluate("document.activeElement.className").startswith("grid-cursor")
    page.get_by_label("Sort by").select_option("flaky")
    link.focus()
    assert link.get_attribute("aria-label") == said


def test_the_cell_and_how_far_one_scrolled_are_in_the_address(visit: Visit) -> None:
    page = visit.open("grid?line=any")
    expect(page.locator(".grid-label").first).to_be_visible()
    page.set_viewport_size({"width": 900, "height": 600})
    link = page.locator(".grid-cursor")
    link.focus()
    for key in ["ArrowDown"] * 5 + ["ArrowRight"] * 4:
        page.keyboard.press(key)
    said = link.get_attribute("aria-label")
    page.locator(".grid").evaluate("box => box.scrollTo(300, 340)")
    page.wait_for_timeout(500)
    assert re.search(r"at=\d+-\d+", page.url) and "left=" in page.url and "top=" in page.url
    again = visit.open(page.url.partition("#/")[2])
    expect(again.locator(".grid-label").first).to_be_visible()
    assert again.locator(".grid").evaluate("box => [box.scrollLeft, Math.abs(box.scrollTop - 340) <= 20]") == [
        300,
        True,
    ]
    assert again.locator(".grid-cursor").get_attribute("aria-label") == said


def test_going_back_to_the_grid_finds_it_as_it_was(visit: Visit) -> None:
    page = visit.open("grid?line=any&sort=name")
    expect(page.locator(".grid-label").first).to_be_visible()
    page.set_viewport_size({"width": 900, "height": 600})
    page.locator(".grid").evaluate("box => box.scrollTo(450, 200)")
    page.wait_for_timeout(400)
    box = page.locator(".grid").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] - 200, box["y"] + 150)
    said = page.locator(".grid-cursor").get_attribute("aria-label")
    page.mouse.click(box["x"] + box["width"] - 200, box["y"] + 150)
    expect(page.locator("h1")).to_contain_text("in run")
    page.go_back()
    expect(page.locator("h1")).to_have_text("Grid")
    expect(page.locator(".grid-cursor")).to_have_attribute("aria-label", said or "")
    assert page.locator(".grid").evaluate("box => box.scrollLeft") == 450


def test_older_columns_are_asked_for_all_at_once(visit: Visit, store: pathlib.Path) -> None:
    head = Api(store)("grid/linux.json")
    short = head | {"data": head["data"][:5], "pagination": {"total": 150, "next": "linux/archive/1.json"}}
    visit.page.route("**/grid/linux.json", lambda route: route.fulfill(json=short))
    held: list[Route] = []
    visit.page.route("**/grid/linux/archive/*.json", lambda route: held.append(route))
    page = visit.open("grid?line=any")
    expect(page.locator(".grid-label").first).to_be_visible()
    page.wait_for_timeout(500)
    assert sorted(route.request.url[-6] for route in held) == ["0", "1"]
    for route in held:
        route.continue_()
    expect(page.locator(".loading")).to_have_count(0)


def test_the_grid_is_reached_by_three_tab_stops(visit: Visit) -> None:
    page = visit.open("grid")
    expect(page.locator(".grid-label").first).to_be_visible()
    for key in ("Tab", "Enter", "Tab", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.className").startswith("grid-cursor")


def test_the_grid_is_readable_in_forced_colours(visit: Visit) -> None:
    page = visit.page
    page.emulate_media(forced_colors="active")
    visit.open("grid?sort=name&failing=1")
    expect(page.locator(".grid-label").first).to_be_visible()
    page.wait_for_timeout(200)
    found = page.locator(".grid canvas").evaluate(
        """canvas => {
          const {data} = canvas.getContext("2d").getImageData(0, 40, canvas.width, canvas.height - 40);
          const colours = new Map();
          for (let i = 0; i < data.length; i += 4) {
            const key = `${data[i]},${data[i + 1]},${data[i + 2]}`;
            colours.set(key, (colours.get(key) ?? 0) + 1);
          }
          return [...colours].filter(([, count]) => count > 100).sort((a, b) => b[1] - a[1]);
        }"""
    )
    ground, text = page.evaluate(
        """() => {
          const probe = document.body.appendChild(document.createElement("p"));
          probe.style.forcedColorAdjust = "none";
          return ["Canvas", "CanvasText"].map(name => {
            probe.style.color = name;
            return getComputedStyle(probe).color.match(/\\d+/g).slice(0, 3).join();
          });
        }"""
    )
    names = [name for name, _ in found]
    assert names[0] == ground  # what is empty looks so
    assert text in names and len(names) >= 3  # failures and passes differ
