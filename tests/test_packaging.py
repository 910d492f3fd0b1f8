"""What is built and installed: requirements, their pins, the image, the files of deploy/."""

import importlib.metadata
import pathlib
import re
import sys
import tomllib

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import exporter

ROOT = pathlib.Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def _requirements() -> list[Requirement]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return [found for group in groups for found in map(Requirement, group) if found.name != PROJECT["name"]]


def test_every_requirement_is_pinned_to_a_version_that_it_admits() -> None:
    pins: dict[str, list[str]] = {}
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name, version = line.split(";")[0].strip().split("==")
        pins.setdefault(canonicalize_name(name), []).append(version)
    for requirement in _requirements():
        found = pins.get(canonicalize_name(requirement.name))
        assert found, f"{requirement.name} is not in constraints.txt: run make lock"
        assert all(requirement.specifier.contains(version) for version in found), f"{requirement}: run make lock"


def test_what_tests_import_is_installed_for_them() -> None:
    """`make lint` and other targets install more: a test that needs it would pass there and fail in a fresh clone."""
    named = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["test"]]
    wanted = {canonicalize_name(Requirement(one).name) for one in named}
    wanted.add("cryptography")  # of pymysql[rsa]
    distributions = importlib.metadata.packages_distributions()
    for file in [*(ROOT / "tests").rglob("*.py")]:
        if "benchmarks" in file.parts:
            continue
        for module in re.findall(r"^ *(?:import|from) ([a-zA-Z_]\w*)", file.read_text(), re.MULTILINE):
            if module in sys.stdlib_module_names or module in ("exporter", "tests") or module not in distributions:
                continue
            assert wanted & set(map(canonicalize_name, distributions[module])), (
                f"{file}: {module}: extra `test` lacks it"
            )


def test_the_pins_name_no_index() -> None:
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_the_version_stands_once() -> None:
    assert PROJECT["dynamic"] == ["version"]
    stated = [
        str(file.relative_to(ROOT))
        for folder in ("exporter", "deploy")
        for file in (ROOT / folder).rglob("*")
        if file.suffix in (".py", ".yaml", ".yml", ".conf")
        if re.search(rf'(version|image)\S*\s*[=:]\s*\S*"?{re.escape(exporter.__version__)}\b', file.read_text())
    ]
    assert stated == ["exporter/__init__.py"]


def test_the_extras_of_a_target_are_those_of_the_project() -> None:
    makefile = (ROOT / "Makefile").read_text()
    used = set(re.findall(r"\$\(INSTALLED\)(\w+)", makefile)) - {"runtime"}
    assert used <= set(PROJECT["optional-dependencies"])
    for file in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for extras in re.findall(r"'\.\[([\w,]+)\]'", file.read_text()):
            assert set(extras.split(",")) <= set(PROJECT["optional-dependencies"]), file


def test_nothing_says_that_pip_finds_it_on_pypi_before_it_is_there() -> None:
    for file in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "exporter").rglob("*.py")]:
        assert not re.search(r"pip install\s[^`\n]*sample-platform-exporter", file.read_text()), file
