"""What is remembered, and of whom."""

import pathlib
import shutil

import pytest

from exporter import templating
from exporter.builders.document_options import DocumentOptions
from exporter.rules.lineage import MainLine
from exporter.state.state_file import made_by


def test_what_another_template_or_rule_made_is_not_believed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = pathlib.Path(shutil.copytree(templating.folder(), tmp_path / "templates"))
    (changed / "regressions.xml").write_text("changed")
    found = {
        made_by(rules)
        for rules in (
            DocumentOptions(),
            DocumentOptions("none"),
            DocumentOptions(main=MainLine(branch="x")),
            DocumentOptions(files=True),
        )
    }
    monkeypatch.setattr(templating, "folder", lambda: changed)
    made_by.cache_clear()
    found.add(made_by(DocumentOptions()))
    made_by.cache_clear()
    assert len(found) == 5
