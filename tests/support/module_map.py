"""The map of packages and modules in `docs/design.md`, from the first line of each module's docstring.

`make reference` writes it; a test holds it against the tree.
"""

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "design.md"
ORDER = (
    *("cli", "server", "client", "hook", "snapshots", "export", "state"),
    *("publish", "publish/local", "publish/gcs", "builders", "documents", "rules", "source", "demo", ""),
)
"""Packages from the top down; the empty name is that of the root."""
BEGIN, END = "<!-- map: written by make reference -->\n", "<!-- end of map -->\n"
_SECTION = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


def summary(file: pathlib.Path) -> str:
    """The first sentence of a module's docstring, on one line, without its full stop."""
    docstring = ast.get_docstring(ast.parse(file.read_text())) or ""
    return " ".join(docstring.partition("\n\n")[0].split()).removesuffix(".")


def module_map() -> str:
    """The map, a table per package."""
    packages: dict[str, list[pathlib.Path]] = {}
    for file in sorted((ROOT / "exporter").rglob("*.py")):
        folder = file.parent.relative_to(ROOT / "exporter").as_posix()
        packages.setdefault("" if folder == "." else folder, []).append(file)
    assert set(packages) == set(ORDER), f"packages without a place in the order: {set(packages) ^ set(ORDER)}"
    parts = []
    for name in ORDER:
        about = summary(ROOT / "exporter" / name / "__init__.py")
        title = f"`{name}/`: {about}" if name else "The root: what all packages use"
        rows = [f"| `{file.name}` | {summary(file)} |" for file in packages[name] if file.name != "__init__.py"]
        parts.append("\n".join([f"**{title}**", "", "| module | |", "|---|---|", *rows, ""]))
    return BEGIN + "\n" + "\n".join(parts) + "\n" + END


def current(page: str) -> str:
    """The page with the map as it should be."""
    assert _SECTION.search(page), f"{PAGE.name} has no place for the map"
    return _SECTION.sub(lambda _: module_map(), page)


if __name__ == "__main__":
    PAGE.write_text(current(PAGE.read_text()))
