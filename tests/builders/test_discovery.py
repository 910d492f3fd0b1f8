"""How machines find the API from the store's root: API catalog, llms.txt, robots.txt, sitemap, links of the page."""

import json
import pathlib
import re
import xml.etree.ElementTree as ET
from urllib.parse import urljoin

import pytest

from exporter import paths
from exporter.builders import api_description, discovery, site
from exporter.builders.document_options import DocumentOptions
from exporter.cli.main import run
from exporter.rules.lineage import MainLine
from tests.support.platform import Platform, export

MAIN = MainLine("o/r", "a&b")
URL = "https://results.example.org/ci/"
PAGES = {
    path: data.decode()
    for path, data in [*site.pages(MAIN), *discovery.documents(DocumentOptions(main=MAIN))]
    if path.count("/") == 1
}
OF_THE_API = discovery.documentation(DocumentOptions(main=MAIN, docs=True))[1].decode()
PUBLIC = {path: data.decode() for path, data in discovery.documents(DocumentOptions(public_url=URL))}
OPERATIONS = {path.removeprefix("/") for path in api_description.openapi()["paths"]}


def described(path: str) -> bool:
    """Whether OpenAPI has a path, whatever it calls its parameters."""
    return re.sub(r"{\w+}", "{}", path) in {re.sub(r"{\w+}", "{}", one) for one in OPERATIONS}


def test_every_document_that_llms_txt_names_is_described() -> None:
    named = re.findall(r"v1/([\w/{}.-]+\.(?:json|xml))", PAGES["/llms.txt"])
    assert len(set(named)) >= 10
    # OpenAPI does not describe itself.
    assert [path for path in named if not described(path) and path != paths.OPENAPI] == []


def test_the_apis_own_says_the_same_with_links_from_its_folder() -> None:
    assert PAGES["/llms.txt"].replace("v1/", "") == OF_THE_API and "manifest.json](manifest.json)" in OF_THE_API
    assert "docs/" not in OF_THE_API, "a mirror of the API alone has no documentation beside it"


def test_llms_txt_names_the_main_line_as_it_is() -> None:
    assert "branch a&b of\n> o/r." in PAGES["/llms.txt"]


def test_robots_may_read_the_entry_documents_and_no_others() -> None:
    allowed = re.findall(r"^Allow: /v1/(.*)$", PAGES["/robots.txt"], re.MULTILINE)
    assert set(allowed) == {paths.MANIFEST, *paths.entry_documents().values()}
    assert PAGES["/robots.txt"].endswith("Disallow: /v1/\n")


def test_the_page_links_to_the_description_the_catalog_and_the_feed() -> None:
    links = dict(re.findall(r'<link rel="([\w-]+)"[^>]*href="([^"]+)"', PAGES["/index.html"]))
    assert links["service-desc"] == paths.API_ROOT + paths.OPENAPI
    assert links["help"].removeprefix("/") == "llms.txt" and "/llms.txt" in PAGES
    assert "/" + links["api-catalog"] in PAGES
    assert (
        f'type="application/atom+xml" title="Changes on the main line" href="v1/{paths.REGRESSIONS_FEED}"'
        in PAGES["/index.html"]
    )


def test_the_sitemap_has_the_entry_pages_as_absolute_urls() -> None:
    assert "/sitemap.xml" not in PAGES and "Sitemap:" not in PAGES["/robots.txt"]
    assert PUBLIC["/robots.txt"].endswith(f"\nSitemap: {URL}sitemap.xml\n")
    found = [one.text or "" for one in ET.fromstring(PUBLIC["/sitemap.xml"]).findall(".//{*}loc")]
    entries = {paths.stored(path) for path in (paths.MANIFEST, *paths.entry_documents().values())}
    assert found[0] == URL and set(found) == {URL + path for path in ("", "llms.txt", *entries)}


@pytest.mark.parametrize(
    ("pages", "base"), [(PAGES, "https://host/api-catalog.linkset"), (PUBLIC, "https://elsewhere/")]
)
def test_the_api_catalog_leads_to_the_api_and_its_descriptions(pages: dict[str, str], base: str) -> None:
    catalog, api = json.loads(pages["/api-catalog.linkset"])["linkset"]
    root = URL if pages is PUBLIC else "https://host/"
    assert urljoin(base, catalog["item"][0]["href"]) == urljoin(base, api["anchor"]) == f"{root}v1/"
    targets = {relation: urljoin(base, api[relation][0]["href"]) for relation in api if relation != "anchor"}
    assert targets == {
        "service-desc": f"{root}v1/openapi.json",
        "service-doc": f"{root}llms.txt",
        "service-meta": f"{root}v1/manifest.json",
        "alternate": f"{root}v1/feeds/regressions.xml",
    }


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_what_an_example_says_is_everywhere_is_in_a_store_without_rows(
    platform: Platform, tmp_path: pathlib.Path
) -> None:
    export(platform.url, tmp_path)
    openapi = api_description.openapi()
    parameters = {f"#/components/parameters/{name}": one for name, one in openapi["components"]["parameters"].items()}
    found = missing = 0
    for template, item in openapi["paths"].items():
        used = [parameters[one["$ref"]] for one in item["get"]["parameters"]]
        used = [one for one in used if one["in"] == "path"]
        assert all(len(one["examples"]) == 1 for one in used)
        path = template
        for one in used:
            (example,) = one["examples"].values()
            path = path.replace(f"{{{one['name']}}}", str(example["value"]), 1)
        everywhere = all("everywhere" in one["examples"] for one in used)
        if used and everywhere:
            assert (tmp_path / f"v1{path}").is_file(), path
            found += 1
        missing += bool(used) and not everywhere
    assert found >= 5 and missing > 30


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_the_manifest_names_what_is_beside_the_entry_documents(platform: Platform, tmp_path: pathlib.Path) -> None:
    export(platform.url, tmp_path)
    manifest = json.loads((tmp_path / "v1/manifest.json").read_bytes())
    assert manifest["related"] == {"snapshots": "snapshots.json", "documentation": "../llms.txt"}
    assert (tmp_path / "v1" / manifest["related"]["documentation"]).is_file()
    links = manifest["links"]
    assert (tmp_path / "v1" / links["documentation"]).read_text().startswith("# CCExtractor CI results\n")
    catalog = json.loads((tmp_path / "v1" / manifest["catalog"]["href"]).read_bytes())["documents"]
    assert links["documentation"] in catalog and links["snapshots"] not in catalog
    assert json.loads((tmp_path / "v1" / links["snapshots"]).read_bytes()) == {
        "api_version": manifest["api_version"], "latest": None, "snapshots": []
    }  # fmt: skip
    index = json.loads((tmp_path / "v1" / manifest["links"]["schemas"]).read_bytes())["schemas"]
    assert [one["name"] for one in index] == sorted(api_description.json_schemas())
    assert all((tmp_path / "v1" / one["href"]).is_file() for one in index)


@pytest.mark.parametrize("url", ["ftp://x/", "https://", "https://u:p@x/", "https://x/?q", "https://x/<b>", "x"])
def test_a_public_url_is_one(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "--database-url", "sqlite:///x", "--store", "y", "--public-url", url]) == 2
    assert "is not a URL such as https://HOST/PATH/" in capsys.readouterr().err
