"""What readers see while the site loads, and where it does not: slow networks, errors, files that are gone."""

import json
import pathlib
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from exporter.builders.document_options import DocumentOptions
from exporter.demo.platform import create_demo
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from tests.site.conftest import Visit, served

pytestmark = pytest.mark.xdist_group("browser")

SLOW = {"offline": False, "latency": 400, "downloadThroughput": 60_000, "uploadThroughput": 60_000}


def slow(page: Page) -> None:
    """A network as slow as that of a bad phone."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", SLOW)


def failing(visit: Visit, pattern: str, status: int = 500) -> list[str]:
    """Answer requests with an error from now on; the errors of the console are expected."""
    asked: list[str] = []

    def answer(route: Route) -> None:
        asked.append(route.request.url)
        if status:
            route.fulfill(status=status, body="")
        else:
            route.abort()

    visit.page.route(re.compile(pattern), answer)
    return asked


@pytest.fixture
def faulty(visit: Visit) -> Visit:
    """A visit in which documents do not load: nothing else may go wrong."""
    yield visit  # type: ignore[misc]
    visit.wrong = [text for text in visit.wrong if not text.startswith("Failed to load resource")]


def test_quick_moves_on_a_slow_network_end_where_one_went(visit: Visit) -> None:
    page = visit.open("")
    slow(page)
    for place in (
        "grid?platform=windows",
        "tests?q=dvb",
        "runs/290?view=results&status=fail",
        "?branch=master",
        "samples?q=ts",
        "runs/281?view=log",
    ):
        page.evaluate("place => { location.hash = `#/${place}` }", place)
        page.wait_for_timeout(250)
    page.evaluate("location.hash = '#/runs/280'")
    page.wait_for_timeout(3000)
    expect(page.locator("html")).to_have_attribute("data-shown", "#/runs/280")
    expect(page.locator("h1")).to_have_text("Run 280")
    assert page.url.endswith("#/runs/280")
    assert page.title().startswith("Run 280")


# A page, what does not load there, a text that must stand all the same, and one that stands when it is tried again.
SECONDARY = [
    ("", r"regressions\.json", "What changed last", "broken on"),
    ("pr/1990", r"failures\.json", "Pushes", "Breaks 5 tests"),
    ("compare?a=292&b=295", r"samples\.json", "Before", "newly failing"),
    ("tests/15", r"failing\.json", "Expected outputs", "on master since"),
    ("runs/295", r"comparison\.json", "Progress", "What is different"),
    ("pr/1990", r"failures\.json", "Pushes", "Broken"),
    ("compare?a=280&b=296", r"runs/280/samples\.json", "Run 280 against run 296", "passing in both"),
    ("samples/3", r"history\.json", "Tests", "results"),
    ("tests/15", r"history\.json", "Expected outputs", "results"),
    ("tests", r"failing\.json", "Flaky", "Failing on the main line"),
    ("tests/15", r"uplot\.js", "Expected outputs", "Runtimes of test 15"),
    ("runs/280/results/15", r"/diffs/", "Results before this one", "place"),
    ("runs/280/results/15", r"regression-tests/15\.json", "Outputs", "Median of"),
    ("runs/295?view=results", r"failures\.json", "Summary", "Sample and command"),
]


@pytest.mark.parametrize(("place", "pattern", "stands", "again"), SECONDARY)
@pytest.mark.parametrize("status", [500, 0])
def test_what_fails_leaves_the_rest_standing_and_can_be_tried_again(
    faulty: Visit, place: str, pattern: str, stands: str, again: str, status: int
) -> None:
    asked = failing(faulty, pattern, status)
    page = faulty.open(place)
    failure = page.locator(".failure").first
    expect(failure).to_be_visible()
    expect(page.locator("main")).to_contain_text(stands)
    text = failure.inner_text()
    assert re.search("failed to send|could not be reached|did not load", text) and "TypeError" not in text
    assert asked
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.unroute_all()
    while page.locator(".failure").count():
        page.locator(".failure button").first.click()
        expect(page.locator(".loading")).to_have_count(0)
    expect(page.locator("main")).to_contain_text(again)


def test_a_log_that_does_not_load_says_nothing_of_its_lines(faulty: Visit) -> None:
    failing(faulty, r"log\.json")
    page = faulty.open("runs/295?view=log")
    expect(page.locator(".failure")).to_be_visible()
    expect(page.locator(".nothing")).to_be_hidden()


@pytest.mark.parametrize("status", [404, 500])
def test_an_older_part_of_the_grid_that_does_not_load_is_said(faulty: Visit, store: pathlib.Path, status: int) -> None:
    failing(faulty, r"grid/linux/archive/", status)
    page = faulty.open("grid?line=any")
    expect(page.locator(".failure")).to_be_visible()
    expect(page.locator(".grid-label").first).to_be_visible()
    page.unroute_all()
    page.locator(".failure button").click()
    expect(page.locator(".failure")).to_have_count(0)
    total = json.loads((store / "v1/grid/linux.json").read_bytes())["pagination"]["total"]
    page.locator(".grid").evaluate("box => box.scrollLeft = box.scrollWidth")
    expect(page.locator(".head [role=status]")).to_contain_text(
        re.compile(rf"in \d+ of {total} runs|in {total} runs|in \d+ runs")
    )


@pytest.mark.parametrize(
    ("place", "pattern", "act"),
    [
        (
            "",
            r"v1/runs/archive/",
            lambda page: page.get_by_role("button", name="Older commits").click(),
        ),
        (
            "samples/3",
            r"history/archive/",
            lambda page: page.get_by_role("button", name="Older results").click(),
        ),
    ],
)
@pytest.mark.parametrize("status", [404, 500])
def test_an_older_part_of_a_list_that_does_not_load_is_said(
    faulty: Visit, place: str, pattern: str, act, status: int
) -> None:  # type: ignore[no-untyped-def]
    failing(faulty, pattern, status)
    page = faulty.open(place)
    for _ in range(30):
        if page.locator(".failure").count():
            break
        act(page)
        page.wait_for_timeout(100)
    expect(page.locator(".failure")).to_contain_text("the data has changed" if status == 404 else "status 500")
    page.unroute_all()
    page.locator(".failure button").click()
    expect(page.locator(".failure")).to_have_count(0)
    expect(page.locator("h1")).to_have_count(1)


@pytest.mark.parametrize(
    ("status", "text"), [(500, "failed to send v1/runs/295.json (status 500)"), (0, "could not be reached")]
)
def test_a_page_that_does_not_load_says_so_in_words_and_can_be_tried_again(
    faulty: Visit, status: int, text: str
) -> None:
    failing(faulty, r"runs/295\.json", status)
    page = faulty.open("runs/295")
    expect(page.locator("h1")).to_have_text("This did not load")
    expect(page.locator(".failure")).to_contain_text(text)
    page.unroute_all()
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("h1")).to_have_text("Run 295")


def test_a_document_that_arrives_in_part_is_said(faulty: Visit) -> None:
    faulty.page.route(
        "**/runs/295.json", lambda route: route.fulfill(body='{"run_id": 2', content_type="application/json")
    )
    page = faulty.open("runs/295")
    expect(page.locator(".failure")).to_contain_text("v1/runs/295.json did not arrive whole.")


@pytest.mark.parametrize("pattern", [r"site\.js", r"site\.(js|css)"])
def test_a_script_that_does_not_load_is_said(faulty: Visit, pattern: str) -> None:
    failing(faulty, pattern, 404)
    page = faulty.page
    page.goto(f"{faulty.base}#/grid")
    expect(page.locator(".late")).to_be_visible(timeout=8000)
    expect(page.locator(".late")).to_contain_text("did not load")
    page.unroute_all()
    page.get_by_role("link", name="load the site anew").click()
    expect(page.locator(".card").first).to_be_visible()


SHIFTS = """
window.shifts = 0;
window.shifted = [];
new PerformanceObserver(list => {
  for (const one of list.getEntries()) if (!one.hadRecentInput) {
    window.shifts += one.value;
    window.shifted.push([one.value, ...one.sources.map(({node}) => node?.outerHTML?.slice(0, 80))]);
  }
}).observe({type: "layout-shift", buffered: true});
"""


@pytest.mark.parametrize(
    "place",
    [
        "",
        "grid",
        "runs/295",
        "runs/295?view=results",
        "runs/295?view=log",
        "runs/280/results/15",
        "pr/1990",
        "compare?a=280&b=296",
        "samples",
        "samples/3",
        "tests",
        "tests/15",
        "search?q=dvb",
        "api",
    ],
)
@pytest.mark.parametrize("width", [390, 1280])
def test_the_layout_does_not_jump_while_a_page_loads_slowly(visit: Visit, place: str, width: int) -> None:
    page = visit.page
    page.set_viewport_size({"width": width, "height": 900})
    page.add_init_script(SHIFTS)
    slow(page)
    page.set_default_timeout(30_000)
    visit.open(place)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(300)
    assert page.evaluate("shifts") < 0.05, page.evaluate("shifted")


FULL = """
let fetched = 0;
const { fetch } = window;
window.fetch = (...all) => { fetched += 1; return fetch(...all); };
(function look() {
  const [box, space] = [".grid", ".grid-space"].map(name => document.querySelector(name));
  if (box?.clientWidth && space.offsetWidth > box.clientWidth) window.fetchedBeforeFull = fetched;
  else requestAnimationFrame(look);
})();
"""


@pytest.fixture(scope="module")
def long_history(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A site of 1,500 runs: few tests, for a page of the grid has all of them in one document."""
    folder = tmp_path_factory.mktemp("long")
    url = f"sqlite:///{folder / 'platform.sqlite'}"
    create_demo(url, runs=1500, tests=12, seed=1)
    store = LocalStore(folder / "store")
    pipeline.export(pipeline.Settings(url, store, workers=0, documents=DocumentOptions("none")))
    with served(folder / "store") as base:
        yield base


@pytest.mark.parametrize("platform", ["linux", "windows"])
def test_the_grid_needs_few_requests_before_its_first_full_screen(
    browser: Browser, long_history: str, platform: str
) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.add_init_script(FULL)
    visit = Visit(context, long_history)
    page = visit.open(f"grid?platform={platform}")
    page.wait_for_function("() => window.fetchedBeforeFull")
    loaded = {urlsplit(request.url).path for request in visit.requests}
    before = len([path for path in loaded if not path.startswith("/v1/")])
    assert before == 3, loaded  # page, style, script
    assert before + page.evaluate("fetchedBeforeFull") <= 8
    expect(page.locator(".head [role=status]")).to_contain_text(re.compile(r" 1[5-9]\d runs"))  # then it goes on
    assert not visit.wrong
    context.close()
