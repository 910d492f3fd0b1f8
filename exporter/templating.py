"""The templates of all HTML and XML that the exporter writes, and the Content-Security-Policy of the pages."""

import base64
import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import jinja2

SITE_SOURCES: Final = "script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"
"""What a page of the site may load: nothing that its own store does not hold, and no code that is not in a file."""


def content_policy(sources: str) -> str:
    """The Content-Security-Policy of a page that may load nothing but from these sources."""
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


def style_source(template: "jinja2.Template") -> str:
    """The source that allows one style, the one in a template's block `style`, by its digest."""
    style = "".join(template.blocks["style"](template.new_context())).encode()
    return f"style-src 'sha256-{base64.b64encode(hashlib.sha256(style).digest()).decode()}'"


def folder() -> Path:
    """The folder of the templates.

    The wheel carries it inside the package; in a checkout it lies beside the package.
    """
    package = Path(__file__).parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def documentation() -> Path:
    """The folder of the documentation, in the wheel and in a checkout likewise."""
    package = Path(__file__).parent
    inside = package / "docs"
    return inside if inside.is_dir() else package.parent / "docs"


@functools.cache
def templates() -> "jinja2.Environment":
    """Give the jinja2 environment over the templates: everything is escaped, an undefined name is an error."""
    import jinja2  # which many an export can do without

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["printable"] = printable
    return environment


def printable(text: str) -> str:
    """A text without what XML cannot hold, not even escaped."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)


def names(folder: str) -> list[str]:
    """The names of the files in a folder of `templates/`, in order, to use with `source`."""
    return [name for name in templates().list_templates() if name.startswith(folder)]


def source(name: str) -> bytes:
    """A file of `templates/` as it is."""
    loader = templates().loader
    assert loader is not None
    return loader.get_source(templates(), name)[0].encode()
