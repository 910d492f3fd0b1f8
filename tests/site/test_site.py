"""The site as readers meet it: real Chromium, a real export, the preview. `Visit` sees that nothing goes wrong."""

import json
import pathlib
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, expect

from exporter.builders import diffs
from exporter.source.sample_repository import Content
from tests.site.conftest import MARKUP, Visit

pytestmark = pytest.mark.xdist_group("browser")
"""One worker runs them all: a browser takes long to begin."""

PLACES = {
    "": "Overview",
    "grid": "Grid",
    "runs/295": "Run 295",
    "runs/295?view=results": "Run 295",
    "runs/295?view=log": "Run 295",
    "runs/280/results/15": "Test #15 in run 280",
    "samples": "Samples",
    "samples/3": "",
    "tests": "Regression tests",
    "tests/15": "Test #15",
    "search?q=dvb": "Search: dvb",
    "api": "The API",
    "nonsense": "There is nothing here",
}


@pytest.mark.parametrize(("place", "heading"), PLACES.items())
def test_every_page_renders_is_accessible_and_fits_a_phone(visit: Visit, place: str, heading: str) -> None:
    page = visit.open(place)
    expect(page.locator("h1")).to_contain_text(heading)
    expect(page.locator(".loading")).to_have_count(0)
    assert not serious(page)
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("place", ["", "runs/295", "runs/280/results/15"])
def test_dark_pages_are_accessible(visit: Visit, place: str) -> None:
    visit.page.emulate_media(color_scheme="dark")
    page = visit.open(place)
    expect(page.locator(".loading")).to_have_count(0)
    assert not serious(page)


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds that keeps somebody from using the page: the rules, and elements that break them."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (one["id"], [node["html"] for node in one["nodes"][:3]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_the_overview_filters_and_keeps_its_filters_in_the_address(visit: Visit) -> None:
    page = visit.open("")
    rows = page.locator(".commit-list > li:not(.heads)")
    expect(rows.first).to_be_visible()
    page.get_by_label("Branch").fill("master")
    page.get_by_label("Branch").press("Enter")
    expect(page.locator(".commit-list .what .clip a").filter(has_not_text="master")).to_have_count(0)
    page.get_by_label("Status").select_option("pass")
    expect(page.locator(".commit-list .run .status").filter(has_not_text="pass")).to_have_count(0)
    expect(rows.first).to_be_visible()
    texts = rows.all_inner_texts()
    assert "branch=master" in page.url and "status=pass" in page.url
    again = visit.open(page.url.partition("#/")[2])
    expect(rows.first).to_be_visible()
    assert again.locator(".commit-list > li:not(.heads)").all_inner_texts() == texts


def test_commits_stand_below_each_other_even_where_no_time_is_known(visit: Visit) -> None:
    page = visit.open("")
    commits = page.locator(".commit-list .what > .quiet")
    expect(commits.first).to_be_visible()
    assert not commits.first.locator("time").count() and commits.nth(1).locator("time").count()
    lefts = page.locator(".commit-list .what .sha").evaluate_all("all => all.map(one => one.getBoundingClientRect().x)")
    assert lefts[0] == lefts[1]


def test_the_overview_leads_back_to_the_first_commit(visit: Visit, store: pathlib.Path) -> None:
    page = visit.open("?branch=master")
    more = page.get_by_role("button", name="Older commits")
    while more.count():
        more.click()
        expect(page.locator(".more")).not_to_contain_text("Loading")
    runs = [
        run
        for path in (store / "v1/runs/by-branch/master/archive").glob("*.json")
        for run in json.loads(path.read_bytes())["data"]
    ]
    shown = page.locator(".commit-list a.run").evaluate_all("links => links.map(link => link.hash)")
    assert sorted(shown) == sorted(f"#/runs/{run['run_id']}" for run in runs)


def test_the_overview_needs_few_requests(visit: Visit) -> None:
    page = visit.open("")
    page.wait_for_load_state("networkidle")
    assert len(visit.requests) <= 6
    assert sum(request.sizes()["responseBodySize"] for request in visit.requests) <= 150_000


def test_results_of_a_run_filter_by_text_and_status(visit: Visit) -> None:
    page = visit.open("runs/295?view=results")
    page.get_by_label(re.compile("^Status")).select_option("missing_output")
    rows = page.locator(".results tbody tr:not(.group)")
    expect(rows.locator(".status").filter(has_not_text="missing output")).to_have_count(0)
    page.get_by_label("Find").fill("#7 ")
    expect(rows).to_have_count(1)


def test_a_difference_is_shown_side_by_side_and_unified(visit: Visit, store: pathlib.Path) -> None:
    page = visit.open("runs/280/results/15")
    expect(page.locator(".diff.split").first).to_be_visible()
    page.get_by_role("button", name="unified").click()
    result = json.loads((store / "v1/runs/280/samples/15.json").read_bytes())
    diff = json.loads((store / "v1/runs/280/samples" / result["outputs"][0]["diff"]).resolve().read_bytes())
    wanted = [line["text"] for hunk in diff["hunks"] for line in hunk["lines"]]
    shown = page.locator(".diff.unified .text").evaluate_all("cells => cells.map(cell => cell.textContent)")
    assert shown == wanted


CUE = "1\r\n00:00:01,000 --> 00:00:02,000\r\n{}\r\n"


@pytest.mark.parametrize(
    ("expected", "actual", "words"),
    [
        (b"a\r\nb\r\n", b"a\nb\n", "The same text, only line ends: CR LF → LF."),
        (b"a\nb\n", b"a\nb", "The same text, only the last line's end: gone."),
        (b"a\r\nb\nc\n", b"a\r\nb\r\nc\r\n", "The same text, only line ends: mixed (2 LF, 1 CR LF) → CR LF."),
        (b"a\r\nb\n", b"a\nb\r\n", "The same text, only line ends: mixed (1 LF, 1 CR LF), in other places."),
        (
            "ñáé\n".encode("latin-1"),
            "ñáé\n".encode(),
            "The same text in other bytes. Encoding: Latin-1 → UTF-8, 3 characters.",
        ),
        (b"a\n", b"\xef\xbb\xbfa\n", "The same text in other bytes. Byte order mark: added."),
        (CUE.format("a").encode(), CUE.format("b").encode(), "1 caption with other text."),
        (b"a", None, "There is nothing to compare: the file with the written output is missing."),
    ],
)
def test_a_difference_is_said_in_words(visit: Visit, expected: bytes, actual: bytes | None, words: str) -> None:
    contents = [None if data is None else Content(len(data), data) for data in (expected, actual)]
    found = json.dumps(diffs.document(*contents))
    visit.page.context.route(
        "**/v1/diffs/*.json", lambda route: route.fulfill(body=found, content_type="application/json")
    )
    page = visit.open("runs/280/results/15")
    expect(page.locator(".in-words").first).to_have_text(words)
    assert "identical" not in page.locator("main").inner_text().lower()


def test_invisible_characters_are_shown_when_asked_for(visit: Visit) -> None:
    sides = (b"\xef\xbb\xbfa\tb\r\nx\r\n", "\ufeffa\u00a0b \r\nx\r\n".encode())
    found = json.dumps(diffs.document(*(Content(len(data), data) for data in sides)))
    visit.page.context.route(
        "**/v1/diffs/*.json", lambda route: route.fulfill(body=found, content_type="application/json")
    )
    page = visit.open("runs/280/results/15")
    cells = page.locator(".diff.split .text")
    expect(cells).to_have_text(["a\tb", "a\u00a0b ", "x", "x"])
    page.get_by_role("button", name="invisible characters").click()
    assert cells.all_text_contents() == ["BOMa⇥bCRLF", "BOMa⍽b·CRLF", "xCRLF", "xCRLF"]
    page.get_by_role("button", name="unified").click()
    assert page.locator(".diff.unified .text").all_text_contents() == ["BOMa⇥bCRLF", "BOMa⍽b·CRLF", "xCRLF"]


def test_each_line_of_mixed_ends_shows_its_own(visit: Visit) -> None:
    sides = (b"a\r\nb\nx\rc", b"a\nb\ny\nc\n")
    found = json.dumps(diffs.document(*(Content(len(data), data) for data in sides)))
    visit.page.context.route(
        "**/v1/diffs/*.json", lambda route: route.fulfill(body=found, content_type="application/json")
    )
    page = visit.open("runs/280/results/15")
    page.get_by_role("button", name="invisible characters").click()
    shown = ["aCRLF", "aLF", "bLF", "bLF", "xCR", "yLF", "c", "cLF"]
    assert page.locator(".diff.split .text").all_text_contents() == shown


def test_what_a_long_difference_leaves_out_is_said(visit: Visit) -> None:
    sides = b"x" * 30_000 + b"a", b"x" * 30_000 + b"b"
    document = diffs.document(*(Content(len(data), data) for data in sides))
    document["hunks"][0]["omitted_removed"], document["hunks"][0]["omitted_added"] = 20_000, 0
    document["summary"]["changed_hunks"] = 3
    found = json.dumps(document)
    visit.page.context.route(
        "**/v1/diffs/*.json", lambda route: route.fulfill(body=found, content_type="application/json")
    )
    page = visit.open("runs/280/results/15")
    expect(page.locator(".left-out").first).to_have_text("… 20,001 characters")
    expect(page.get_by_text("left out.")).to_have_text(
        [
            "Of the last place shown, 20,000 expected and 0 written lines are left out.",
            "2 more places are left out.",
        ]
    )


def test_a_history_goes_on_as_its_strip_is_scrolled(visit: Visit, store: pathlib.Path) -> None:
    page = visit.open("samples/3")
    state = page.locator(".strips + p")
    expect(state).to_contain_text("newest")
    before = state.inner_text()
    page.set_viewport_size({"width": 500, "height": 900})
    page.locator(".strip-row.aside .strip:visible").first.evaluate("strip => strip.scrollLeft = strip.scrollWidth")
    expect(state).not_to_have_text(before)
    while page.get_by_role("button", name="Older results").count():
        page.get_by_role("button", name="Older results").click()
        expect(page.locator(".loading")).to_have_count(0)
    total = json.loads((store / "v1/samples/3/history.json").read_bytes())["pagination"]["total"]
    expect(state).to_have_text(f"{total} results, back to the first.")


def test_a_history_has_the_main_line_first_and_runs_as_its_chart_does(visit: Visit, store: pathlib.Path) -> None:
    page = visit.open("tests/15")
    expect(page.locator(".strip-name:visible")).to_have_text(
        ["Linux, master", "Windows, master", "Linux, PRs and branches", "Windows, PRs and branches"]
    )
    entries = json.loads((store / "v1/samples/11/history.json").read_bytes())["data"]
    wanted = [
        f"#/runs/{one['run_id']}/results/15"
        for one in entries
        if (one["regression_test_id"], one["platform"], one["main_line"]) == (15, "linux", True)
    ]
    shown = page.locator(".strip:visible").first.locator("a").evaluate_all("links => links.map(link => link.hash)")
    assert shown == wanted
    expect(page.locator(".plot canvas")).to_be_visible()
    page.locator(".plot .u-over").hover(position={"x": 5, "y": 50})
    expect(page.locator(".u-legend .u-series").first).to_contain_text("Jun")  # the newest run is left


@pytest.mark.parametrize(
    "place", ["", "runs/280", "samples/1", "tests/1", "search?q=onerror", "samples", "tests", "grid"]
)
def test_what_looks_like_markup_is_text(visit: Visit, place: str) -> None:
    page = visit.open(place)
    page.wait_for_load_state("networkidle")
    assert "owned" not in page.title().replace(MARKUP, "")
    assert page.locator("main img, main script").count() == 0


def test_search_finds_samples_tests_commits_and_pull_requests(visit: Visit, store: pathlib.Path) -> None:
    run = json.loads((store / "v1/runs/295.json").read_bytes())
    for query, target in {
        run["commit_sha"][:9]: f"#/?commit={run['commit_sha']}",
        f"#{run['pr_number']}": f"#/pr/{run['pr_number']}",
        "295": "#/runs/295",
        "#15": "#/tests/15",
    }.items():
        page = visit.open("")
        page.get_by_role("searchbox", name="Search").fill(query)
        page.get_by_role("searchbox", name="Search").press("Enter")
        expect(page.locator(f"main a[href='{target}']").first).to_be_visible()
        expect(page.locator("main")).not_to_contain_text("pull_request")
    visit.wrong = [text for text in visit.wrong if "status of 404" not in text]  # it asks whether there is such a run


@pytest.mark.parametrize(("generated_at", "stale"), [("2026-01-01T00:00:00Z", True), ("2999-01-01T00:00:00Z", False)])
def test_old_data_shows_a_warning(visit: Visit, store: pathlib.Path, generated_at: str, stale: bool) -> None:
    manifest = json.loads((store / "v1/manifest.json").read_bytes()) | {"generated_at": generated_at}

    def answer(route: Route) -> None:
        route.fulfill(json=manifest)

    visit.page.route("**/v1/manifest.json", answer)
    page = visit.open("")
    expect(page.locator("#fresh")).not_to_be_empty()
    expect(page.locator(".stale")).to_have_count(int(stale))


def test_what_is_not_published_has_a_page_that_says_so(visit: Visit) -> None:
    answer = visit.page.goto(f"{visit.base}no/such/place")
    assert answer is not None and answer.status == 404
    expect(visit.page.locator("h1")).to_have_text("There is nothing here")
    assert visit.page.locator("main").evaluate("one => getComputedStyle(one).maxWidth") == "544px"
    links = visit.page.locator("header a").evaluate_all("links => links.map(link => link.textContent)")
    assert links == visit.open("").locator(".brand, .top nav a").all_inner_texts()
    visit.wrong = [text for text in visit.wrong if "status of 404" not in text]


def test_badges_tell_the_state_of_the_main_line(visit: Visit, store: pathlib.Path) -> None:
    for name in ("master", "master-linux", "master-windows"):
        told = json.loads((store / f"badges/{name}.json").read_bytes())
        assert told["schemaVersion"] == 1 and told["label"] == name.replace("-", " ")
        visit.page.goto(f"{visit.base}badges/{name}.svg")
        assert told["message"] in (visit.page.locator("svg").get_attribute("aria-label") or "")
    visit.wrong = [text for text in visit.wrong if "status of 404" not in text]  # the browser asks for an icon


def test_the_theme_is_chosen_and_remembered(visit: Visit) -> None:
    page = visit.open("")
    page.get_by_role("button", name="Colours").click()
    page.get_by_role("button", name="Colours").click()
    assert visit.open("grid").locator("html").get_attribute("data-theme") == "dark"


def test_times_are_the_readers_with_utc_beside(visit: Visit) -> None:
    page = visit.open("runs/295")
    first = page.locator(".timeline time").first
    expect(first).to_have_attribute("title", "2026-06-30 08:10:23 UTC")
    expect(first).to_have_text("30 Jun 2026, 04:10")


def test_it_works_without_the_preview_under_a_prefix(browser: Browser, store: pathlib.Path) -> None:
    import functools
    import http.server
    import threading

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    handler = functools.partial(Handler, directory=str(store.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        context = browser.new_context()
        visit = Visit(context, f"http://127.0.0.1:{server.server_port}/store/index.html")
        expect(visit.open("runs/295").locator("h1")).to_have_text("Run 295")
        expect(visit.open("grid").locator(".grid-label").first).to_be_visible()
        assert not visit.wrong
        context.close()
        server.shutdown()
