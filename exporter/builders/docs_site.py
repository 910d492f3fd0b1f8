"""The documentation as pages below `/docs/`, rendered from `docs/*.md`: no script, and nothing from another host."""

import functools
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from exporter import paths
from exporter.documents.encoding import Document
from exporter.templating import SITE_SOURCES, content_policy, documentation, source, templates

if TYPE_CHECKING:
    from markdown_it.token import Token

PAGES = (
    *("consumers", "contract", "api", "live-api", "site", "operating", "hook", "bucket", "container", "scaling"),
    *("platform-schema", "design", "benchmarks"),
)
"""The pages, by the name of their file, in the order of the contents; the first one is the index."""

_COMMENT = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_PATH_CELL = re.compile(r"(?<=<td><code>)[^<]+")
"""A path that stands in a table: it may be broken after a slash, else it would leave the other columns no room."""

_NO_SLUG = re.compile(r"[^\w\- ]")


class Page(NamedTuple):
    """A page: the name of its file, its title, and its body as HTML."""

    name: str
    title: str
    html: str


def documents() -> Iterator[Document]:
    """The pages, and the pictures in them."""
    pages = [_page(name) for name in PAGES]
    template = templates().get_template("docs/page.html")
    yield paths.docs_page("style.css"), source("docs/style.css")
    for page in pages:
        text = template.render(page=page, pages=pages, files=_files(), policy=content_policy(SITE_SOURCES)).encode()
        yield paths.docs_page(_files()[page.name]), text
    for picture in sorted((documentation() / "images").glob("*.png")):
        if any(f'src="images/{picture.name}"' in page.html for page in pages):
            yield paths.docs_page(f"images/{picture.name}"), picture.read_bytes()


@functools.cache
def _files() -> dict[str, str]:
    """Name of a page → its file below `/docs/`."""
    return {name: "index.html" if place == 0 else f"{name}.html" for place, name in enumerate(PAGES)}


def _page(name: str) -> Page:
    from markdown_it import MarkdownIt  # most exports render nothing

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = parser.parse(_COMMENT.sub("", (documentation() / f"{name}.md").read_text(encoding="utf-8")))
    title = next(tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open")
    _name_headings(tokens)
    for token in tokens:
        _lead_links(token.children or ())
    html = parser.renderer.render(tokens, parser.options, {})
    return Page(name, title, _PATH_CELL.sub(lambda cell: cell[0].replace("/", "/<wbr>"), html))


def _name_headings(tokens: Sequence["Token"]) -> None:
    """Give headings the names that GitHub gives them: links in the pages lead to these."""
    taken: dict[str, int] = {}
    for at, token in enumerate(tokens):
        if token.type == "heading_open":
            slug = _NO_SLUG.sub("", tokens[at + 1].content.lower()).replace(" ", "-")
            count = taken[slug] = taken.get(slug, -1) + 1
            token.attrSet("id", f"{slug}-{count}" if count else slug)


def _lead_links(tokens: Sequence["Token"]) -> None:
    """Lead links between pages to their HTML; one to a file that is no page is no link any more."""
    closes: list[bool] = []
    for token in tokens:
        if token.type == "link_open":
            target, mark, fragment = str(token.attrGet("href")).partition("#")
            file = _files().get(target.removesuffix(".md")) if target.endswith(".md") else None
            kept = not target or file is not None or target.startswith("https://")
            closes.append(kept)
            if file is not None:
                token.attrSet("href", file + mark + fragment)
            if not kept:
                token.tag, token.attrs = "span", {}
        elif token.type == "link_close" and not closes.pop():
            token.tag = "span"
