"""The map in `docs/design.md` is that of the tree; modules are as `layout` rules in the design say."""

import ast
import collections
import pathlib

from tests.support import module_map

MODULES = sorted((module_map.ROOT / "exporter").rglob("*.py"))
LONGEST = 400
"""Lines of a module: a longer one holds more than one thing."""
PARAMETERS = 5
"""Of a function; beyond that a dataclass says what belongs together."""


def test_the_map_is_that_of_the_tree() -> None:
    page = module_map.PAGE.read_text()
    assert module_map.current(page) == page, "the map is stale: make reference"


def test_every_module_says_what_it_is_for() -> None:
    assert [str(file) for file in MODULES if not module_map.summary(file)] == []


def test_no_module_is_too_long() -> None:
    assert [str(file) for file in MODULES if len(file.read_text().splitlines()) > LONGEST] == []


def test_functions_take_few_parameters() -> None:
    long = [
        f"{file.name}:{node.lineno} {node.name}"
        for file in MODULES
        # A command has a parameter for each of its options; the demo is test data.
        if file.parent.name not in ("cli", "demo")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name != "__init__"
        if len([one for one in (*node.args.posonlyargs, *node.args.args) if one.arg not in ("self", "cls")])
        + len(node.args.kwonlyargs)
        > PARAMETERS
    ]
    assert long == []


def test_a_name_of_a_module_stands_twice_only_for_a_shape_its_builder_and_its_rule_or_for_a_command() -> None:
    packages: dict[str, set[str]] = collections.defaultdict(set)
    for file in MODULES:
        if file.name not in ("__init__.py", "__main__.py"):
            packages[file.name].add(file.parent.relative_to(module_map.ROOT / "exporter").as_posix())
    alike = {"cli", "documents", "builders", "rules"}
    assert {name: found for name, found in packages.items() if len(found - {"cli"}) > 1 and not found <= alike} == {}


def test_documents_name_no_file_that_does_not_exist() -> None:
    root = module_map.ROOT
    words = [
        (page.name, word)
        for page in [*root.glob("*.md"), *(root / "docs").rglob("*.md")]
        for word in page.read_text().replace("`", " ").replace("(", " ").replace(")", " ").split()
        if word.endswith(".py") and "/" in word and not word.startswith(("http", "-", "*")) and word == word.lower()
    ]
    bases = (root, root / "exporter", root / "tests")
    missing = [
        f"{page}: {word}" for page, word in words if not any(pathlib.Path(base, word).exists() for base in bases)
    ]
    assert missing == []
