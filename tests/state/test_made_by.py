"""What documents depend on: a change of it rebuilds them, and a change of anything else rebuilds nothing."""

import os
import pathlib
import shutil
import subprocess
import sys

import grimp
import pytest

import exporter
from exporter import templating
from exporter.builders.document_options import DocumentOptions
from exporter.rules.lineage import MainLine
from exporter.state.made_by import document_files, made_by
from tests.support.platform import Platform

PACKAGE = pathlib.Path(exporter.__file__).parent


def test_other_templates_and_options_have_another_fingerprint(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = pathlib.Path(shutil.copytree(templating.folder(), tmp_path / "templates"))
    (changed / "index.html").write_text("changed")
    options = (
        DocumentOptions(),
        DocumentOptions("none"),
        DocumentOptions(main=MainLine(branch="x")),
        DocumentOptions(files=True),
    )
    found = {made_by(one) for one in options}
    monkeypatch.setattr(templating, "folder", lambda: changed)
    made_by.cache_clear()
    found.add(made_by(DocumentOptions()))
    made_by.cache_clear()
    assert len(found) == 5


def test_all_that_makes_documents_is_hashed() -> None:
    graph = grimp.build_graph("exporter")
    makers = {"exporter.builders", "exporter.rules", "exporter.documents"}
    makers |= {"exporter.export.partition_stats", "exporter.export.dependencies"}
    imported = {module for maker in makers for module in graph.find_upstream_modules(maker, as_package=True)}
    imported |= {module for module in graph.modules if module.startswith(tuple(f"{maker}." for maker in makers))}
    hashed = {
        ".".join(("exporter", *file.relative_to(PACKAGE).with_suffix("").parts)) for file in document_files(PACKAGE)
    }
    packages = {module.removesuffix(".__init__") for module in hashed}
    no_part_of_documents = {"exporter.errors", "exporter.logs", "exporter.progress", "exporter.retry"}
    publishing = {module for module in imported if module.startswith("exporter.publish")}  # `state` imports it
    assert imported - packages - publishing <= no_part_of_documents


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_a_change_of_code_rebuilds_only_what_depends_on_it(small: Platform, tmp_path: pathlib.Path) -> None:
    copy = tmp_path / "code"
    shutil.copytree(PACKAGE, copy / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(templating.folder(), copy / "templates")

    def export() -> bytes:
        """Export with the copied code; return what is remembered, and by which code it was made."""
        arguments = ["export", "--database-url", small.url, "--store", str(tmp_path / "store"), "--workers", "0"]
        environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, "-m", "exporter", *arguments], env=environment, cwd=tmp_path, check=True)
        return (tmp_path / "store/_state/plan.json").read_bytes()

    def edit(*modules: str) -> None:
        for module in modules:
            with (copy / "exporter" / module).open("a") as file:
                file.write("# a comment\n")

    before = export()
    edit("cli/main.py", "demo/suite.py", "client/api.py", "export/process_pool.py")
    assert export() == before
    edit("rules/status.py")
    assert export() != before
