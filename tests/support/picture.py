"""The README's picture: a pull request's page beside the grid. `python -m tests.support.picture` makes it anew."""

import base64
import pathlib
import tempfile

from playwright.sync_api import Browser, Page, sync_playwright

from exporter.demo.platform import create_demo
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from tests.site.conftest import ARGUMENTS, served
from tests.support import needs

FILE = pathlib.Path(__file__).parents[2] / "docs" / "images" / "site.png"
PLACES = ("pr/1990", "grid?platform=linux&line=any")
"""What `make demo` shows there: the demo's data are the same each time."""

SIZE = {"width": 1000, "height": 940}


def _open(browser: Browser, address: str) -> Page:
    page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_selector("html[data-shown]")
    page.wait_for_load_state("networkidle")
    return page


def make() -> None:
    """Export the demo, take a picture of each page, and put them beside each other."""
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = pathlib.Path(name)
        url = f"sqlite:///{folder / 'platform.sqlite'}"
        create_demo(url, runs=300, tests=60, seed=1, sample_repository=folder / "files")
        store = LocalStore(folder / "store")
        pipeline.export(pipeline.Settings(url, store, workers=0, sample_repository=folder / "files"))
        browser = playwright.chromium.launch(executable_path=needs.program("chromium", "chromium"), args=ARGUMENTS)
        with served(folder / "store") as base:
            shots = [base64.b64encode(_open(browser, f"{base}#/{place}").screenshot()).decode() for place in PLACES]
        page = browser.new_page(viewport={"width": 1640, "height": 800})
        style = "body{margin:0;display:flex;gap:20px;padding:10px}img{width:800px;border:1px solid #ccc}"
        images = "".join(f'<img src="data:image/png;base64,{shot}">' for shot in shots)
        page.set_content(f"<style>{style}</style>{images}")
        FILE.write_bytes(page.locator("body").screenshot())
        browser.close()


if __name__ == "__main__":
    make()
