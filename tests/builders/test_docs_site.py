"""The documentation as pages: whole, linked, and without anything of another host."""

import pathlib
import posixpath
import re

import pytest

from exporter.builders import docs_site
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from exporter.templating import documentation
from tests.support.platform import Platform, export

FILES = {path.removeprefix("/docs/"): data for path, data in docs_site.documents()}
PAGES = {path: data.decode() for path, data in FILES.items() if path.endswith(".html")}


def test_every_page_for_readers_is_there() -> None:
    assert len(PAGES) == len(docs_site.PAGES) and "index.html" in PAGES
    left_out = {file.stem for file in documentation().glob("*.md")} - set(docs_site.PAGES)
    assert left_out <= {"releasing"}


@pytest.mark.parametrize("path", PAGES)
def test_links_lead_to_pages_headings_and_pictures_that_exist(path: str) -> None:
    for target in re.findall(r'(?:href|src)="([^"]*)"', PAGES[path]):
        if target.startswith("https://") or target == "../":
            continue
        file, _, fragment = target.partition("#")
        found = posixpath.normpath(posixpath.join(posixpath.dirname(path), file)) if file else path
        assert found in FILES, (path, target)
        assert not fragment or f'id="{fragment}"' in PAGES[found], (path, target)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_loads_nothing_from_elsewhere_and_runs_nothing(path: str) -> None:
    text = PAGES[path]
    assert not re.search(r"<(script|iframe|object|form)\b|\son\w+=", text)
    assert not [one for one in re.findall(r'src="([^"]*)"', text) if "//" in one]
    assert "default-src &#39;none&#39;" in text and "<!--" not in text.replace("<!doctype", "")


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_setting_publishes_them_and_its_absence_takes_them_away(platform: Platform, tmp_path: pathlib.Path) -> None:
    store = tmp_path / "store"
    export(platform.url, store, docs=True)
    assert (store / "docs/index.html").read_bytes() == FILES["index.html"]
    assert "docs/index.html" in (store / "llms.txt").read_text()
    assert verify(LocalStore(store)).problems == []
    export(platform.url, store)
    assert not (store / "docs").exists() and "docs/" not in (store / "llms.txt").read_text()


def test_paths_in_tables_may_be_broken_after_a_slash() -> None:
    assert "<td><code>runs/<wbr>by-branch.json</code></td>" in PAGES["api.html"]
    assert "<wbr>" not in "".join(re.findall(r"<pre>.*?</pre>", "".join(PAGES.values()), re.DOTALL))
