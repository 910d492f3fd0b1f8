"""Secrets in free text and in files are published nowhere: not in documents, site, snapshots, state or log lines."""

import gzip
import logging
import pathlib
from collections.abc import Iterator

import orjson
import pyarrow.parquet as pq
import pytest

from exporter.publish.local.folder_store import LocalStore
from exporter.snapshots import create as snapshots
from exporter.source.database import Database
from exporter.source.redaction import REDACTED
from tests.support.canaries import TEXTS, C
from tests.support.platform import DAY, Api, Platform, export

LONG = "x" * 9_980
"""So much stands before a secret that the cut of a long line goes through the secret."""


@pytest.fixture
def leaky(small: Platform, tmp_path: pathlib.Path) -> tuple[Platform, pathlib.Path]:
    """A platform whose every free text holds secrets in every shape, and its sample repository."""
    small.execute("UPDATE fork SET github = 'https://user:" + C + "@github.com/CCExtractor/ccextractor.git'")
    everything = "\n".join(TEXTS)
    small.run(1, "preparation", results={1: 0, 2: 1, 3: 139}, fork_id=1)
    progress = [
        {"test_id": 1, "status": "testing", "timestamp": DAY, "message": text, "id": 100 + place}
        for place, text in enumerate(TEXTS)
    ]
    small.insert("test_progress", *progress, {**progress[0], "id": 999, "status": "canceled", "message": everything})
    small.insert("ccextractor_version", id=1, version="0.94", released=DAY.date(), commit="c")
    small.insert(
        "upload",
        *(
            {"id": place, "sample_id": 1, "version_id": 1, "platform": "linux", "parameters": text, "notes": text}
            for place, text in enumerate(TEXTS, 1)
        ),
    )
    small.insert(
        "sample_issue",
        *(
            {"id": place, "sample_id": 1, "issue_id": 5, "title": text, "created_at": DAY, "status": "open"}
            for place, text in enumerate(TEXTS, 1)
        ),
    )
    for test, text in enumerate(TEXTS, 100):
        small.insert("regression_test", id=test, sample_id=2, command=text, expected_rc=0, description=text, active=1)
    small.insert("category", id=1, name="c", description=everything)
    small.insert("tag", id=1, name="t", description=everything[:1024])
    logs = tmp_path / "repository" / "LogFiles"
    logs.mkdir(parents=True)
    (tmp_path / "repository" / "TestResults").mkdir()
    lines = [f"2026-06-01 {'a' * 64}.ts {line}" for line in (*TEXTS, f"\x1b[31m{everything}\x1b[0m")]
    lines += [f"{LONG} {text}" for text in TEXTS]
    lines += [text.replace("CANARY", "C\x1b[1mANARY", 1) for text in TEXTS if len(text) > 15]
    (logs / "1.txt").write_bytes("\r\n".join(lines).encode())
    small.run(2, "completed", results={1: 0})
    (logs / "2.txt").write_bytes(b"\xff\xfe" + "\n".join(lines).encode("utf-16-le"))
    return small, tmp_path / "repository"


def _contents(root: pathlib.Path) -> Iterator[tuple[pathlib.Path, bytes]]:
    for file in sorted(root.rglob("*")):
        if file.is_file():
            data = file.read_bytes()
            yield file, gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
            if file.suffix == ".parquet":
                yield file, str(pq.read_table(file).to_pylist()).encode()


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_no_secret_is_published_or_logged(
    leaky: tuple[Platform, pathlib.Path], tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    platform, repository = leaky
    with caplog.at_level(logging.DEBUG):
        export(platform.url, tmp_path / "tree", sample_repository=repository)
        snapshots.create(Database(platform.url), LocalStore(tmp_path / "tree"), snapshots.SnapshotSettings())
    contents = list(_contents(tmp_path / "tree"))
    assert {".json", ".html", ".parquet", ".gz"} <= {file.suffix for file, _ in contents}
    assert not [file for file, data in contents if b"CANARY" in data or "CANARY".encode("utf-16-le") in data]
    assert "CANARY" not in caplog.text
    reported = [message.split(":")[0] for message in caplog.messages if "redacted" in message]
    assert reported == ["catalogue", "rows of partition 0", "logs of partition 0", "snapshot"]
    api = Api(tmp_path / "tree")
    shown = [entry["message"] for entry in api.items("runs/1/log.json")]
    assert any(message.startswith("x" * 9_000) for message in shown)
    assert any(message.startswith(f"2026-06-01 {'a' * 64}.ts") and REDACTED in message for message in shown)
    assert api("runs/1.json")["repository"] == "CCExtractor/ccextractor"
    assert api("runs/1/samples/1.json")["log_excerpt"]


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
def test_without_redaction_the_same_is_published_as_it_is(
    leaky: tuple[Platform, pathlib.Path], tmp_path: pathlib.Path
) -> None:
    platform, repository = leaky
    export(platform.url, tmp_path / "tree", sample_repository=repository)
    report = export(platform.url, tmp_path / "tree", sample_repository=repository, redaction=False)
    assert report.written and report.plan.build
    assert C.encode() in (tmp_path / "tree/v1/runs/1/log.json").read_bytes()
    assert C in orjson.loads((tmp_path / "tree/v1/regression-tests/100.json").read_bytes())["command"]
    export(platform.url, tmp_path / "tree", sample_repository=repository)
    assert not [file for file, data in _contents(tmp_path / "tree") if b"CANARY" in data]
