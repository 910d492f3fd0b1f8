"""What people and tools see of the demo, kept: `python -m tests.support.golden` writes it anew, to be looked at.

A run of the demo as JUnit XML and as a report in Markdown.
"""

import contextlib
import io
import pathlib
import tempfile

from exporter.cli.main import run
from exporter.demo import create_demo
from tests.support.platform import Api, export

FOLDER = pathlib.Path(__file__).parent.parent / "data" / "golden"


def made(folder: pathlib.Path) -> dict[str, str]:
    """Name → content of each kept file, made now; `folder` is empty."""
    url = f"sqlite:///{folder}/platform.sqlite"
    create_demo(url, runs=60, tests=24, seed=1, sample_repository=folder / "files")
    export(url, folder / "store", sample_repository=folder / "files")
    api = Api(folder / "store")
    runs = [one for one in api.items("runs.json") if one["pr_number"] and one["status"] == "fail"]
    several = [one for one in runs if one["failures"]["main"]["broken"] and one["failures"]["main"]["same"]]
    chosen = max(several, key=lambda one: one["failures"]["codes"]["OUTPUT_DIFF"])["run_id"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert run(["report", "--run", str(chosen), "--base", str(folder / "store")]) == 0
    return {
        "junit.xml": (folder / f"store/v1/runs/{chosen}/junit.xml").read_text(),
        "report.md": printed.getvalue().replace(f"file://localhost{folder}/store", "BASE"),
    }


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        FOLDER.mkdir(exist_ok=True)
        for file, content in made(pathlib.Path(name)).items():
            (FOLDER / file).write_text(content)
