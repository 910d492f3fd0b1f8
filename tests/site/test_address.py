"""Everything is in the address, and Back undoes a filter and comes back to where one was."""

import json
import pathlib
import re

import pytest
from playwright.sync_api import Page, expect

from tests.site.conftest import Visit

pytestmark = pytest.mark.xdist_group("browser")


def _settled(page: Page) -> None:
    expect(page.locator(".loading")).to_have_count(0)


def test_back_undoes_a_filter_and_a_word_is_one_change(visit: Visit) -> None:
    page = visit.open("tests")
    _settled(page)
    rows = page.locator("section", has=page.locator(".filters")).locator("tbody tr")
    before = rows.count()
    page.get_by_label("Find").press_sequentially("teletext", delay=20)
    expect(rows).not_to_have_count(before)
    assert "q=teletext" in page.url
    page.go_back()
    expect(page.get_by_label("Find")).to_have_value("")
    expect(rows).to_have_count(before)
    page.go_forward()
    expect(page.get_by_label("Find")).to_have_value("teletext")


def test_each_choice_of_the_grid_is_undone_alone(visit: Visit) -> None:
    page = visit.open("grid")
    page.get_by_label("Sort by").select_option("flaky")
    page.get_by_label("Platform").select_option("windows")
    expect(page.locator(".grid-label").first).to_be_visible()
    page.go_back()
    expect(page.get_by_label("Platform")).to_have_value("linux")
    expect(page.get_by_label("Sort by")).to_have_value("flaky")
    page.go_back()
    expect(page.get_by_label("Sort by")).to_have_value("category")


def test_back_restores_how_far_one_scrolled_and_how_much_was_loaded(visit: Visit) -> None:
    page = visit.open("")
    _settled(page)
    page.get_by_role("button", name="Older commits").click()
    _settled(page)
    assert "loaded=2" in page.url
    count = page.locator(".commit-list > li").count()
    page.evaluate("scrollTo(0, document.documentElement.scrollHeight - innerHeight - 100)")
    page.wait_for_timeout(100)
    at = page.evaluate("scrollY")
    assert at > 500
    page.locator(".commit-list a.run").last.evaluate("link => link.click()")
    expect(page.locator("h1")).to_contain_text("Run ")
    assert page.evaluate("scrollY") == 0
    page.go_back()
    expect(page.locator(".commit-list > li")).to_have_count(count)
    page.wait_for_function("at => Math.abs(scrollY - at) < 2", arg=at)


def test_a_log_says_when_no_line_fits(visit: Visit) -> None:
    page = visit.open("runs/295?view=log&q=nowhere")
    expect(page.locator(".nothing")).to_have_text("No line fits.")
    page.get_by_label("Find in the log").fill("")
    expect(page.locator(".log li").first).to_be_visible()
    expect(page.locator(".nothing")).to_be_hidden()


def test_a_log_keeps_what_is_searched_for_and_a_line(visit: Visit, store: pathlib.Path) -> None:
    page = visit.open("runs/295?view=log")
    lines = page.locator(".log li")
    expect(lines.first).to_be_visible()
    all_lines = lines.count()
    page.get_by_label("Find in the log").fill("test")
    expect(lines).not_to_have_count(all_lines)
    line = lines.last.get_attribute("value")
    lines.last.locator(".no").click()
    assert f"line={line}" in page.url and "q=test" in page.url
    again = visit.open(page.url.partition("#/")[2])
    expect(again.get_by_label("Find in the log")).to_have_value("test")
    marked = again.locator(".log [aria-current]")
    expect(marked).to_have_attribute("value", line or "")
    expect(marked).to_be_in_viewport()
    again.go_back()


def test_how_a_difference_is_shown_is_in_the_address(visit: Visit) -> None:
    page = visit.open("runs/280/results/15")
    page.get_by_role("button", name="unified").click()
    page.get_by_role("button", name="invisible characters").click()
    assert "diff=unified" in page.url and "unseen=1" in page.url
    again = visit.open(page.url.partition("#/")[2])
    expect(again.locator(".diff.unified").first).to_be_visible()
    expect(again.get_by_role("button", name="invisible characters")).to_have_attribute("aria-pressed", "true")
    again.get_by_role("button", name="side by side").click()
    again.go_back()
    expect(again.locator(".diff.unified").first).to_be_visible()


def test_what_a_run_is_compared_with_is_in_the_address(visit: Visit) -> None:
    page = visit.open("runs/295")
    _settled(page)
    expect(page.get_by_label(re.compile("the other platform"))).to_have_count(0)  # there is no such run
    page.get_by_label(re.compile("the run before")).check()
    assert "against=previous" in page.url
    again = visit.open(page.url.partition("#/")[2])
    expect(again.get_by_label(re.compile("the run before"))).to_be_checked()


def test_how_much_of_a_history_was_loaded_is_in_the_address(visit: Visit, store: pathlib.Path) -> None:
    page = visit.open("samples/3?loaded=3")
    _settled(page)
    total = json.loads((store / "v1/samples/3/history.json").read_bytes())["pagination"]["total"]
    expect(page.locator(".strips + p")).to_contain_text(re.compile(r"\d+ results"))
    assert int(re.search(r"(\d+) result", page.locator(".strips + p").inner_text())[1]) <= total  # type: ignore[index]
    shown = page.locator(".strip a").count()
    assert shown > visit.open("samples/3").locator(".strip a").count()
