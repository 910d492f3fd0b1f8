"""The site for everyone: axe on every page, light and dark, narrow and enlarged, printed, and in forced colours."""

import itertools
import pathlib

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.site.conftest import Visit

pytestmark = pytest.mark.xdist_group("browser")

PLACES = [
    "",
    "?branch=master",
    "grid",
    "runs/295",
    "runs/295?view=results",
    "runs/295?view=log&line=3",
    "runs/280/results/15",
    "runs/280/results/15?diff=unified&unseen=1",
    "pr/1990",
    "compare?a=280&b=296",
    "download",
    "samples",
    "samples/3",
    "tests",
    "tests/15",
    "search?q=dvb",
    "api",
    "nonsense",
]
VIEWS = {"phone": (320, 640, 1), "tablet": (768, 1024, 1), "desktop": (1280, 900, 1), "200 %": (640, 450, 2)}


def violations(page: Page) -> list[tuple[str, list[str]]]:
    """What axe finds, of any impact: the rules, and elements that break them."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"][:3]]) for one in found]


def ready(page: Page) -> None:
    expect(page.locator(".loading")).to_have_count(0)
    page.wait_for_load_state("networkidle")


@pytest.mark.parametrize(
    ("scheme", "view"),
    [*itertools.product(["light", "dark"], ["phone", "desktop"]), ("light", "tablet"), ("dark", "200 %")],
)
def test_no_page_has_a_violation(browser: Browser, base: str, scheme: str, view: str) -> None:
    width, height, scale = VIEWS[view]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        device_scale_factor=scale,
        color_scheme=scheme,  # type: ignore[arg-type]
    )
    visit = Visit(context, base)
    for place in PLACES:
        page = visit.open(place)
        ready(page)
        assert not violations(page), place
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
    assert not visit.wrong
    context.close()


WIDE = "document.body.style.letterSpacing = '.12em'"


@pytest.mark.parametrize("letters", ["0", WIDE])
def test_a_phone_shows_tabs_freshness_and_platforms(visit: Visit, letters: str) -> None:
    page = visit.page
    page.set_viewport_size({"width": 320, "height": 640})
    visit.open("")
    ready(page)
    page.evaluate(letters)
    for shown in [*page.locator(".top nav a").all(), page.locator("#fresh"), page.locator("#theme")]:
        box = shown.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 320 and box["width"] > 10
    assert page.locator("#fresh").evaluate("one => one.scrollWidth <= one.clientWidth") is True
    expect(page.locator(".changes .what").first).to_be_visible()
    expect(page.locator(".changes .what").first).to_contain_text("on ")


def test_nothing_moves_for_who_wants_no_motion(visit: Visit) -> None:
    page = visit.page
    page.emulate_media(reduced_motion="reduce")
    visit.open("")
    ready(page)
    moving = page.evaluate(
        "[...document.querySelectorAll('*')]"
        ".filter(one => parseFloat(getComputedStyle(one).transitionDuration) > 0).length"
    )
    assert moving == 0 and page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("place", ["", "runs/295", "runs/280/results/15", "grid"])
def test_it_prints_in_black_on_white(visit: Visit, place: str) -> None:
    page = visit.page
    page.emulate_media(color_scheme="dark", media="print")
    visit.open(place)
    ready(page)
    body = page.locator("body").evaluate("one => [getComputedStyle(one).color, getComputedStyle(one).backgroundColor]")
    assert body == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    expect(page.locator(".top")).to_be_hidden()
    if place == "grid":
        corner = page.locator("canvas").evaluate("one => [...one.getContext('2d').getImageData(5, 5, 1, 1).data]")
        assert corner == [255, 255, 255, 255]


@pytest.mark.parametrize("place", PLACES)
def test_what_is_cut_off_has_a_title(visit: Visit, place: str) -> None:
    page = visit.page
    page.set_viewport_size({"width": 390, "height": 844})
    visit.open(place)
    ready(page)
    for one in page.locator("main .clip:visible").all()[:40]:
        if one.evaluate("one => one.scrollWidth > one.clientWidth"):
            one.dispatch_event("pointerover")
            assert one.get_attribute("title") or one.evaluate("one => one.closest('[title]')?.title")


TABLES = ["tests", "samples", "samples/3", "api", "download", "tests/15", "runs/280/results/15", "runs/280/results/1"]
TABLES += ["pr/1990", "runs/295?view=results", "compare?a=295&b=297", "compare?a=255&b=273"]


@pytest.mark.parametrize("place", TABLES)
def test_a_phone_shows_tables_without_scrolling_sideways(visit: Visit, place: str) -> None:
    page = visit.page
    page.set_viewport_size({"width": 390, "height": 844})
    visit.open(place)
    ready(page)
    wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).map(one => one.ariaLabel)"
    assert page.locator("main .table").evaluate_all(wide) == []


PLACEHOLDERS = """[...document.querySelectorAll('input[placeholder]')].filter((input) => {
  const style = getComputedStyle(input, '::placeholder');
  const pen = document.createElement('canvas').getContext('2d');
  pen.font = `${style.fontSize} ${style.fontFamily}`;
  const room = input.clientWidth - parseFloat(getComputedStyle(input).paddingLeft) * 2;
  return pen.measureText(input.placeholder).width > room;
}).map((input) => input.placeholder)"""


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("place", ["", "grid", "runs/295?view=results", "compare"])
def test_what_a_field_asks_for_is_not_cut_off(visit: Visit, place: str, width: int) -> None:
    visit.page.set_viewport_size({"width": width, "height": 844})
    page = visit.open(place)
    ready(page)
    assert page.locator("input[placeholder]").count() and page.evaluate(PLACEHOLDERS) == []


def test_charts_show_dates(visit: Visit, store: pathlib.Path) -> None:
    page = visit.page
    page.add_init_script(
        "const draw = CanvasRenderingContext2D.prototype.fillText; window.drawn = [];"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {"
        "  drawn.push(text); return draw.call(this, text, ...rest); }"
    )
    visit.open("tests/15")
    ready(page)
    page.wait_for_function("drawn.some(text => /^\\d+ (Jan|Feb|Mar|Apr|May|Jun|Jul)$/.test(text))")
