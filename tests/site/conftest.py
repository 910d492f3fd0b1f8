"""One real browser, one export of made-up data with hostile names in it, one preview of it, for all tests here."""

import contextlib
import pathlib
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

from exporter.demo.platform import create_demo
from exporter.export import pipeline
from exporter.publish.local.folder_store import LocalStore
from tests.support import needs

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
MARKUP = '"><img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script>'


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; only for these tests, for its event loop lets others run none of their own."""
    chromium = needs.program("chromium", "chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A real export: 300 runs of made-up data, among the names some that are markup."""
    folder = tmp_path_factory.mktemp("site")
    url = f"sqlite:///{folder / 'platform.sqlite'}"
    create_demo(url, runs=300, tests=60, seed=1, sample_repository=folder / "files")
    with contextlib.closing(sqlite3.connect(folder / "platform.sqlite")) as database, database:
        database.execute("UPDATE test SET branch = ? WHERE id = 280", (MARKUP,))
        database.execute("UPDATE sample SET original_name = ? WHERE id = 1", (MARKUP,))
        database.execute("UPDATE regression_test SET command = ? WHERE id = 1", (MARKUP,))
        database.execute("UPDATE test_progress SET message = ? WHERE test_id = 280", (MARKUP,))
    pipeline.export(pipeline.Settings(url, LocalStore(folder / "store"), workers=0, sample_repository=folder / "files"))
    return folder / "store"


@pytest.fixture(scope="session")
def base(store: pathlib.Path) -> Iterator[str]:
    """The URL of a preview."""
    with served(store) as url:
        yield url


@contextlib.contextmanager
def served(store: pathlib.Path) -> Iterator[str]:
    """The URL of a preview of a store."""
    command = [sys.executable, "-m", "exporter", "serve", str(store), "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield found[0]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)


class Visit:
    """A page in a context of its own, and what went wrong in it: nothing may."""

    def __init__(self, context: BrowserContext, base: str) -> None:
        self.page: Page = context.new_page()
        self.base = base
        self.wrong: list[str] = []
        self.requests: list[Request] = []
        self.page.on(
            "console",
            lambda one: one.type == "error" and self.wrong.append(f"{one.text} {one.location['url']}"),
        )
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request))

    def open(self, place: str) -> Page:
        """Go to a place of the site by its address, as from outside."""
        self.page.goto("about:blank")
        self.requests.clear()
        self.page.goto(f"{self.base}#/{place}")
        self.page.wait_for_selector("html[data-shown]")
        return self.page


@pytest.fixture
def visit(browser: Browser, base: str) -> Iterator[Visit]:
    """A visit that must not meet an error, nor ask anybody else for anything."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, timezone_id="America/New_York")
    context.set_default_timeout(10_000)
    visit = Visit(context, base)
    yield visit
    assert not visit.wrong
    assert all(request.url.startswith((visit.base, "data:", "about:")) for request in visit.requests)
    context.close()
