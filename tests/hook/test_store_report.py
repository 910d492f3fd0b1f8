"""`exporter status`: what it tells people, scripts and Prometheus, and when it is alarmed."""

import datetime
import logging
import os
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from exporter import logs
from exporter.cli.main import run
from exporter.hook import last_export
from exporter.hook.queue import Requests
from exporter.hook.store_report import span
from exporter.publish.lease import LEASE, moment, process_name
from exporter.publish.manifest import Pending
from exporter.publish.publisher import Publisher
from tests.support.platform import Platform, export

HOUR = 3600.0
SAMPLE = re.compile(r'([a-z_:][a-z0-9_:]*)\{store="((?:[^"\\\n]|\\["\\n])*)"\} (-?[0-9.e+]+)')


class Site:
    """A store with one run, its spool, and `exporter status` on them."""

    def __init__(self, folder: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.root, self.spool, self._capsys = folder / 'si"te', folder / "spool", capsys
        platform = Platform(f"sqlite:///{folder}/platform.sqlite")
        platform.insert("fork", id=1, github="https://github.com/CCExtractor/ccextractor.git")
        platform.run(7, "completed", fork_id=1)
        export(platform.url, self.root)
        self.snapshot = self.manifest()["snapshot"]
        self.changed(HOUR)

    def manifest(self) -> Any:
        return orjson.loads((self.root / "v1/manifest.json").read_bytes())

    def changed(self, age: float) -> None:
        """Let what is published be of that age."""
        then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age)
        value = self.manifest() | {"generated_at": moment(then)}
        (self.root / "v1/manifest.json").write_bytes(orjson.dumps(value))

    def ended(self, age: float, **values: Any) -> None:
        """Let the last export have ended so long ago, well unless told otherwise."""
        then = time.time() - age
        value = {"finished_at": then, "exit_code": 0, "message": "", "runs": None}
        value |= {"succeeded_at": then, "full_succeeded_at": then} | values
        self.spool.mkdir(exist_ok=True)
        (self.spool / "last.json").write_bytes(orjson.dumps(value))

    def pending(self, owner: str, lease: datetime.timedelta = LEASE) -> None:
        """Let an export of that owner be writing."""
        expires_at = moment(datetime.datetime.now(datetime.UTC) + lease)
        (self.root / "v1/pending.json").write_bytes(Pending(owner, expires_at, ()).encode())

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output and standard error."""
        self._capsys.readouterr()
        code = run(["status", str(self.root), "--spool", str(self.spool), *arguments])
        return (code, *self._capsys.readouterr())

    def json(self, *arguments: str) -> Any:
        return orjson.loads(self("--json", *arguments)[1])


@pytest.fixture
def site(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    for name in [name for name in os.environ if name.startswith("EXPORTER_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    root = logging.getLogger()
    handlers, level, secrets = root.handlers[:], root.level, set(logs._secrets)
    yield Site(tmp_path, capsys)
    root.handlers[:] = handlers
    root.setLevel(level)
    logs._secrets.clear()
    logs._secrets.update(secrets)


def test_without_a_spool_the_last_change_has_to_do(site: Site) -> None:
    code, out, err = site()
    assert (code, err) == (0, "")
    assert re.search(r"last success +\S+Z, (60 min|3[56]\d\d s) ago \(the last change; .*\)\n", out)
    assert "published         1 runs, 0 results, 0 samples, 0 regression tests\n" in out
    assert f"state {site.snapshot[:12]}" in out and "latest run        7\n" in out
    assert "last error        none\n" in out and "being written     no\n" in out and "hook requests     none" in out
    assert site.json()["last_success"]["source"] == "manifest"
    assert not site.spool.exists()


def test_an_export_that_found_nothing_to_change_counts(site: Site) -> None:
    site.ended(5)
    told = site.json("--max-age", "1m")
    assert told["fresh"] is True and told["last_success"]["source"] == "spool"
    assert 5 <= told["last_success"]["age_seconds"] < 60
    assert told["last_success"]["at"] == told["last_full_success"] != told["published"]["changed_at"]


def test_a_change_by_another_machine_counts(site: Site) -> None:
    site.ended(2 * HOUR)
    assert site.json()["last_success"]["source"] == "manifest"
    assert site("--max-age", "90m")[0] == 0


@pytest.mark.parametrize(
    ("age", "limit", "code"),
    [(80, "90s", 0), (100, "90s", 1), (80, "2m", 0), (7300, "2h", 1), (7100, "2h", 0), (86500, "1d", 1)],
)
@pytest.mark.parametrize("format_", [[], ["--json"], ["--prometheus"]], ids=["text", "json", "prometheus"])
def test_max_age(site: Site, age: float, limit: str, code: int, format_: list[str]) -> None:
    site.changed(10 * 86400)
    site.ended(age)
    found, out, err = site("--max-age", limit, *format_)
    assert found == code and out
    assert ("the last successful export was" in err) == bool(code) and err.count("\n") == code


@pytest.mark.parametrize("limit", ["90", "1.5h", "h", "-1s", "1w", "", "10s\n"])
def test_what_is_no_duration(site: Site, limit: str) -> None:
    code, out, err = site("--max-age", limit)
    assert (code, out) == (2, "") and "duration" in err and err.count("\n") == 1


def test_a_failure_does_not_hide_the_success_before_it(site: Site) -> None:
    site.ended(30, exit_code=1, message="the database is away", succeeded_at=time.time() - 600, full_succeeded_at=None)
    code, out, _ = site()
    assert code == 0 and re.search(r"last error +\S+Z, 3\d s ago: the database is away\n", out)
    assert "last success" in out and ", 10 min ago\n" in out and "last full export  not noted here\n" in out
    told = site.json("--max-age", "5m")
    assert told["fresh"] is False
    assert (told["last_error"]["exit_code"], told["last_error"]["message"]) == (1, "the database is away")


def test_requests_of_the_hook(site: Site) -> None:
    requests = Requests(site.spool)
    requests.record([1])
    (site.spool / "requests" / f"{time.time_ns() - 120 * 10**9}-0.json").write_text("{}")
    told = site.json()["hook_requests"]
    assert told["count"] == 2 and 120 <= told["oldest_age_seconds"] < 180
    assert "2, the oldest recorded " in site()[1]


def test_who_is_writing(site: Site) -> None:
    machine = Publisher.__dataclass_fields__["owner"].default_factory().split(".")[0]  # type: ignore[misc, union-attr]
    site.pending(f"{machine}.{process_name(str(os.getppid()))}")
    assert site.json()["writing"]["alive"] is True
    assert re.search(r"being written +yes, last heard of \S+Z, \d s ago\n", site()[1])
    for owner, lease in ((f"{machine}.{2**22 + 1}.x", LEASE), ("elsewhere.1.x", datetime.timedelta(seconds=-1))):
        site.pending(owner, lease)
        assert site.json()["writing"]["alive"] is False
        assert "the next one completes it" in site()[1]
    site.pending("elsewhere.1.x")
    assert site.json()["writing"]["alive"] is True


def test_prometheus(site: Site) -> None:
    site.ended(5)
    code, out, err = site("--prometheus")
    assert (code, err) == (0, "") and out.endswith("\n")
    values, blocks = {}, out.removesuffix("\n").split("\n# HELP ")
    for block in blocks:
        help_, type_, sample = block.removeprefix("# HELP ").split("\n")
        found = SAMPLE.fullmatch(sample)
        assert found and found[2].replace('\\"', '"') == str(site.root)
        assert help_.split(" ")[0] == found[1] and help_.endswith(".") and type_ == f"# TYPE {found[1]} gauge"
        values[found[1]] = float(found[3])
    assert abs(values["exporter_last_success_timestamp_seconds"] - (time.time() - 5)) < 60
    assert values["exporter_published_runs"] == 1 and values["exporter_latest_run_id"] == 7
    assert values["exporter_last_exit_code"] == values["exporter_hook_requests"] == values["exporter_writing"] == 0
    assert "full_success" in out
    (site.spool / "last.json").unlink()
    assert "full_success" not in site("--prometheus")[1]  # what is not known is left out


@pytest.mark.parametrize("format_", [[], ["--json"], ["--prometheus"]], ids=["text", "json", "prometheus"])
def test_nothing_is_published(site: Site, format_: list[str]) -> None:
    (site.root / "v1/manifest.json").unlink()
    code, out, err = site(*format_)
    assert (code, out) == (1, "") and "nothing is published there; run exporter export" in err
    assert err.count("\n") == 1
    site.ended(5, exit_code=1, message="the database is away")
    assert site()[2].endswith("nothing is published there; the last export failed: the database is away\n")


def test_damage(site: Site) -> None:
    site.ended(5)
    (site.spool / "last.json").write_text("[]")
    assert site.json()["last_success"]["source"] == "manifest"
    assert last_export.read(site.spool) is None
    (site.root / "v1/manifest.json").write_text("{}")
    assert site()[0] == 1


def test_one_format_at_a_time(site: Site) -> None:
    assert site("--json", "--prometheus")[0] == 2


def test_spans() -> None:
    shown = [span(seconds) for seconds in (-1, 0, 119, 120, 7199, 7200, 172799, 172800)]
    assert shown == ["0 s", "0 s", "119 s", "2 min", "120 min", "2 h", "48 h", "2 d"]
