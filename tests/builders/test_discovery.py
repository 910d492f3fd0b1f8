"""How machines find the API from the store's root: llms.txt, robots.txt, links of the page."""

import re

from exporter import paths
from exporter.builders import api_description, site
from exporter.rules.lineage import MainLine

PAGES = {path: data.decode() for path, data in site.pages(MainLine("o/r", "a&b")) if path.count("/") == 1}
OPERATIONS = {path.removeprefix("/") for path in api_description.openapi()["paths"]}


def described(path: str) -> bool:
    """Whether OpenAPI has a path, whatever it calls its parameters."""
    return re.sub(r"{\w+}", "{}", path) in {re.sub(r"{\w+}", "{}", one) for one in OPERATIONS}


def test_every_document_that_llms_txt_names_is_described() -> None:
    named = re.findall(r"v1/([\w/{}.-]+\.(?:json|xml))", PAGES["/llms.txt"])
    assert len(set(named)) >= 10
    # OpenAPI does not describe itself.
    assert [path for path in named if not described(path) and path != paths.OPENAPI] == []


def test_llms_txt_names_the_main_line_as_it_is() -> None:
    assert "branch a&b of\n> o/r." in PAGES["/llms.txt"]


def test_robots_may_read_the_entry_documents_and_no_others() -> None:
    allowed = re.findall(r"^Allow: /v1/(.*)$", PAGES["/robots.txt"], re.MULTILINE)
    assert set(allowed) == {paths.MANIFEST, *paths.entry_documents().values()}
    assert PAGES["/robots.txt"].endswith("Disallow: /v1/\n")


def test_the_page_links_to_the_description_and_the_feed() -> None:
    links = dict(re.findall(r'<link rel="([\w-]+)"[^>]*href="([^"]+)"', PAGES["/index.html"]))
    assert links["service-desc"] == paths.API_ROOT + paths.OPENAPI
    assert links["help"].removeprefix("/") == "llms.txt" and "/llms.txt" in PAGES
    assert (
        f'type="application/atom+xml" title="Changes on the main line" href="v1/{paths.REGRESSIONS_FEED}"'
        in PAGES["/index.html"]
    )
