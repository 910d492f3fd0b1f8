"""The site beside the API: pages rendered from `templates/site/`, what they load, and the badges.

Paths here begin with `/`: they are relative to the store's root, as `paths.ROOTED` has it. All that the pages load
lies in one folder named by the digest of everything in it, so that a page and what it loads always belong together,
and all of it may be kept for ever.
"""

import re
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote

from exporter import paths
from exporter.documents import xml_text
from exporter.documents.encoding import Document, digest, encode
from exporter.rules.lineage import MainLine
from exporter.templating import SITE_SOURCES, content_policy, names, source, style_source, templates

STALE_AFTER: Final = 24 * 3600
"""Seconds since the last change after which the site warns."""


def pages(main: MainLine) -> Iterator[Document]:
    """Everything that depends on no run: first what the pages load, then the pages.

    Args:
        main: the branch that the overview and the grid show first.
    """
    assets = dict(_assets())
    name = digest(encode({path: digest(data) for path, data in assets.items()}))[:12]
    for path, data in assets.items():
        yield paths.site_asset(name, path), data
    icon = source("site/favicon.svg")
    yield paths.site_page("favicon.svg"), icon
    missing = templates().get_template("site/404.html")
    yield paths.site_page("404.html"), missing.render(policy=content_policy(style_source(missing))).encode()
    index = templates().get_template("site/index.html")
    page = index.render(
        policy=content_policy(SITE_SOURCES),
        assets=paths.site_asset(name, "").removeprefix("/"),
        icon="data:image/svg+xml," + quote(icon.strip()),
        main=main,
        stale_after=STALE_AFTER,
    )
    yield paths.site_page("index.html"), page.encode()


def _assets() -> Iterator[tuple[str, bytes]]:
    """What the pages load, by its path in the folder of the assets."""
    modules = {PurePosixPath(name).stem: source(name).decode() for name in names("site/js/")}
    yield "site.js", linked(modules, "main")
    styles = ["site/vendor/uplot/uPlot.min.css", *names("site/css/")]
    yield "site.css", b"\n".join(map(source, styles))
    yield "uplot.js", source("site/vendor/uplot/uPlot.iife.min.js")
    yield "uplot.LICENSE.txt", source("site/vendor/uplot/LICENSE")


_IMPORT = re.compile(r'^import (\{[^}]*\}) from "\./([a-z-]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export ((?:async )?(?:function\*?|const|class) (\w+))", re.MULTILINE)
_LEFT = re.compile(r"^\s*(?:import|export)\b.*|\bimport\s*[(.].*", re.MULTILINE)


def linked(modules: Mapping[str, str], main: str) -> bytes:
    """Several ES modules as one, so that a page begins after one request instead of twenty.

    A module may import names from its neighbours, `import { a, b } from "./c.js";`, and export functions, constants
    and classes. Each keeps a scope of its own.

    Args:
        modules: their sources by name, without `.js`.
        main: the name of the module that is to run last.

    Raises:
        ValueError: a module imports or exports in another way, or what its neighbour does not export.
    """
    graph = {name: [found[1] for found in _IMPORT.findall(text)] for name, text in modules.items()}
    for name, text in modules.items():
        for wanted, neighbour in _IMPORT.findall(text):
            if lacking := set(re.findall(r"\w+", wanted)) - set(_exports(modules[neighbour])):
                message = f"{name}.js imports {', '.join(sorted(lacking))}, which {neighbour}.js does not export"
                raise ValueError(message)
    order = [name for name in TopologicalSorter(graph).static_order() if name != main]
    return "".join(_scoped(name, modules[name]) for name in [*order, main]).encode()


def _scoped(name: str, text: str) -> str:
    """A module as a constant that holds what it exports."""
    exports = ", ".join(_exports(text))
    body = _EXPORT.sub(r"\1", _IMPORT.sub(lambda found: f"const {found[1]} = {_constant(found[2])};", text))
    if left := _LEFT.search(body):
        message = f"{name}.js: {left[0].strip()!r} is a form of import or export that is not put together"
        raise ValueError(message)
    return f"const {_constant(name)} = (() => {{\n{body}\nreturn {{ {exports} }};\n}})();\n"


def _exports(text: str) -> list[str]:
    return [found[1] for found in _EXPORT.findall(text)]


def _constant(name: str) -> str:
    return "$" + name.replace("-", "_")


_PASSING: Final = "#1a7f37"
_FAILING: Final = "#c93c37"
_NO_COLOUR: Final = "#6a737d"


def badges(branch: str, main_now: Mapping[str, tuple[int, int]]) -> Iterator[Document]:
    """The badges of a branch, one for each platform and one for all, each as SVG and for shields.io.

    https://shields.io/badges/endpoint-badge has the shape of the latter. The numbers are those of `failing.json`.

    Args:
        branch: its name.
        main_now: platform → how many active tests fail there now, and how many have a result there.
    """
    for platform, counts in main_now.items():
        yield from _badge(paths.badge(branch, platform), f"{branch} {platform}", *counts)
    failing, results = (sum(counts) for counts in zip(*main_now.values(), strict=True))
    yield from _badge(paths.badge(branch), branch, failing, results)


def _badge(name: str, label: str, failing: int, results: int) -> Iterator[Document]:
    message, colour = "no results", _NO_COLOUR
    if results:
        message, colour = (f"{failing} failing of {results}", _FAILING) if failing else ("passing", _PASSING)
    label = label if len(label) <= _LONGEST else label[: _LONGEST - 1] + "…"
    yield f"{name}.svg", _svg(label, message, colour)
    yield (
        f"{name}.json",
        encode({"schemaVersion": 1, "label": label, "message": message, "color": colour.removeprefix("#")}),
    )


def _svg(label: str, message: str, colour: str) -> bytes:
    left, right = _width(label), _width(message)
    named = xml_text.attributes({"role": "img", "aria-label": f"{label}: {message}"})
    size = xml_text.attributes({"width": left + right, "height": 20})
    fields = [
        f"<text{xml_text.attributes({'x': middle, 'y': 14, 'textLength': width - 12})}>{xml_text.text(shown)}</text>"
        for middle, width, shown in ((left / 2, left, label), (left + right / 2, right, message))
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg"{size}{named}>'
        f"<title>{xml_text.text(f'{label}: {message}')}</title>"
        f'<clipPath id="r"><rect{size} rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="20" fill="#444d56"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{colour}"/></g>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,Geneva,sans-serif" font-size="11" text-anchor="middle">'
        f"{''.join(fields)}</g></svg>\n"
    ).encode()


_LONGEST: Final = 40
"""Characters of a badge's label."""


def _width(text: str) -> int:
    """The width in pixels of a text and its margins; the browser fits the letters to it."""
    return 12 + round(6.6 * len(text))
