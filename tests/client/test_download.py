"""Downloads and mirrors from a server that misbehaves: what comes is verified, the folder stays usable."""

import contextlib
import gzip
import pathlib
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler

import orjson
import pytest

from exporter import paths
from exporter.client import http
from exporter.client.download import choose, download
from exporter.client.mirror import mirror
from exporter.client.transfer import source
from exporter.demo import create_demo
from exporter.errors import ConflictError, ExporterError, FetchError, StoreError, UsageError
from exporter.publish.local.folder_store import LocalStore
from exporter.publish.verify import verify
from exporter.retry import RetryPolicy
from exporter.rules.lineage import MainLine
from exporter.snapshots import create as snapshots
from exporter.source.database import Database
from tests.support import reader
from tests.support.demo_runs import add_run
from tests.support.memory_store import Fault, MemoryStore, expire
from tests.support.platform import export
from tests.support.web import HttpServer


class Server:
    """A server of a folder. `hook` may answer a request in its stead, by giving status, headers and body."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.hook: Callable[[str, bytes], tuple[int, dict[str, str], bytes] | None] = lambda path, data: None
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                path = self.path.removeprefix("/v1/")
                server.asked.append((path, headers))
                file = server.root / self.path.removeprefix("/")
                data = file.read_bytes() if file.is_file() else b""
                told = {"ETag": f'"{len(data)}"'}
                status = 200 if file.is_file() else 404
                if "range" in headers and headers.get("if-range") == told["ETag"]:
                    start = int(re.findall("[0-9]+", headers["range"])[0])
                    told["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
                    status, data = 206, data[start:]
                answer = server.hook(path, data)
                if answer is not None:
                    status, extra, data = answer
                    told |= extra
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(data))} | told).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)
                if "Content-Length" in told:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._http = HttpServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}/v1/"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,))
        self._thread.start()

    def end(self) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def paths(self) -> list[str]:
        """What was asked for since the last time."""
        asked, self.asked = [path for path, _ in self.asked], []
        return asked


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits between two attempts."""
    monkeypatch.setattr(http, "POLICY", RetryPolicy(attempts=5, first_pause=0.0))


@pytest.fixture
def platform_url(tmp_path: pathlib.Path) -> str:
    url = f"sqlite:///{tmp_path}/platform.sqlite"
    create_demo(url, runs=60, tests=5, seed=1)
    return url


@pytest.fixture
def server(tmp_path: pathlib.Path, platform_url: str) -> Iterator[Server]:
    export(platform_url, tmp_path / "store")
    snapshots.create(Database(platform_url), LocalStore(tmp_path / "store"))
    server = Server(tmp_path / "store")
    yield server
    server.end()


def fetch(server: Server, folder: pathlib.Path, snapshot: str | None = None) -> str:
    with source(server.url) as opened:
        chosen = choose(opened, snapshot)
        download(opened, folder, chosen)
        return chosen["id"]


def whole(server: Server, folder: pathlib.Path) -> None:
    """See that a folder holds the snapshot, and nothing else."""
    (there,) = (server.root / "v1/snapshots").glob("2*")
    assert {f.name: f.read_bytes() for f in there.iterdir()} == {f.name: f.read_bytes() for f in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "downloads"


def test_download(server: Server, folder: pathlib.Path) -> None:
    id_ = fetch(server, folder)
    whole(server, folder)
    server.paths()
    assert fetch(server, folder, id_) == id_
    assert server.paths() == ["snapshots.json"]
    with pytest.raises(FetchError, match=f"no snapshot other; there are: {id_}"):
        fetch(server, folder, "other")


def test_where_no_snapshot_is_published_it_says_so(server: Server, folder: pathlib.Path) -> None:
    """A mirror has no snapshots, and an index that says so."""
    copy(server, LocalStore(folder))
    with source(str(folder)) as opened:
        for name in (None, "other"):
            with pytest.raises(FetchError, match=f"^{re.escape(opened.name)}: no snapshot is published there$"):
                choose(opened, name)


def test_a_mirror_that_an_earlier_version_made_gets_the_index(server: Server, folder: pathlib.Path) -> None:
    copy(server, LocalStore(folder))
    (folder / "v1/snapshots.json").unlink()
    assert copy(server, LocalStore(folder)) == 0
    same(server, folder)


def test_a_mirror_keeps_the_snapshots_that_it_has(server: Server, folder: pathlib.Path, platform_url: str) -> None:
    snapshots.create(Database(platform_url), LocalStore(folder))
    index = (folder / "v1/snapshots.json").read_bytes()
    copy(server, LocalStore(folder))
    same(server, folder)
    assert (folder / "v1/snapshots.json").read_bytes() == index


def test_from_a_folder(server: Server, folder: pathlib.Path) -> None:
    for base in (str(server.root), f"file://{server.root}/v1/"):
        with source(base) as opened:
            download(opened, folder, choose(opened))
        whole(server, folder)


def test_a_broken_off_download_goes_on(server: Server, folder: pathlib.Path) -> None:
    cut = []

    def break_off(path: str, data: bytes) -> tuple[int, dict[str, str], bytes] | None:
        if path.endswith("results.parquet") and len(cut) < 6:
            cut.append(len(data))
            status = 200 if len(cut) == 1 else 206
            return status, {"Content-Length": str(len(data))}, data[:500]
        return None

    server.hook = break_off
    with pytest.raises(FetchError, match="gave up"):
        fetch(server, folder)
    assert not [file for file in folder.iterdir() if not file.name.startswith(".")]
    fetch(server, folder)
    assert cut == [cut[0] - 500 * number for number in range(6)]
    whole(server, folder)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ((200, {}, b"x" * 100), "ended after|larger than"),
        ((500, {}, b""), "status 500"),
        ((403, {}, b""), "status 403"),
        ((404, {}, b""), "does not exist"),
        ((302, {"Location": "http://elsewhere.example/x"}, b""), "redirects to another origin, .*elsewhere.example"),
        ((302, {"Location": "/v1/snapshots.json"}, b""), "ended after|larger than|another SHA-256"),
        ((200, {"Content-Encoding": "gzip"}, b"\x1f\x8b\x08\0\0\0\0\0"), "gave up|ended after|larger"),
    ],
)
def test_a_bad_answer_ends_it_and_another_try_mends_it(
    server: Server, folder: pathlib.Path, answer: tuple[int, dict[str, str], bytes], message: str
) -> None:
    server.hook = lambda path, data: answer if path.endswith("runs.parquet") else None
    with pytest.raises(FetchError, match=message):
        fetch(server, folder)
    server.hook = lambda path, data: None
    fetch(server, folder)
    whole(server, folder)


def test_other_bytes_than_the_index_says(server: Server, folder: pathlib.Path) -> None:
    server.hook = lambda path, data: (200, {}, data[::-1]) if path.endswith("runs.parquet") else None
    with pytest.raises(FetchError, match="another SHA-256"):
        fetch(server, folder)
    server.hook = lambda path, data: None
    fetch(server, folder)
    whole(server, folder)


def copy(server: Server, store: LocalStore | MemoryStore, wait: float = 0.0) -> int:
    with source(server.url) as opened:
        return mirror(opened, store, wait=wait, sleep=lambda _: None).written


def same(server: Server, folder: pathlib.Path) -> None:
    def documents(root: pathlib.Path) -> dict[str, bytes]:
        files = {str(f.relative_to(root)): f.read_bytes() for f in (root / "v1").rglob("*") if f.is_file()}
        return {path: data for path, data in files.items() if not paths.is_of_snapshots(path[3:])}

    assert documents(folder) == documents(server.root)
    assert verify(LocalStore(folder)).problems == []


def test_a_mirror_is_the_same_and_fetches_what_differs(server: Server, folder: pathlib.Path, platform_url: str) -> None:
    store = LocalStore(folder)
    copy(server, store)
    same(server, folder)
    server.paths()
    assert copy(server, store) == 0
    assert server.paths() == ["manifest.json"]
    add_run(platform_url, seed=5)
    report = export(platform_url, server.root)
    assert copy(server, store) == report.written
    asked = server.paths()
    asked.remove(next(path for path in asked if paths.is_asset(path)))  # whether the site is there
    assert len(asked) == len(set(asked)) == report.written + 1 + sum(path.startswith("manifests/") for path in asked)
    assert sum(path.startswith("manifests/") for path in asked) <= 3  # the partition's, the catalogue's, the site's
    same(server, folder)
    assert not any(b"CANARY" in file.read_bytes() for file in folder.rglob("*") if file.is_file())


def test_readers_of_a_mirror_meet_no_broken_link_whenever_it_dies(server: Server, platform_url: str) -> None:
    def look(store: MemoryStore) -> None:
        if "v1/manifest.json" in store.objects:
            reader.look({path: stored.data for path, stored in store.objects.items()})

    before = MemoryStore()
    copy(server, before)
    add_run(platform_url, seed=5)
    export(platform_url, server.root)
    for operation, calls in (("write", range(8)), ("replace", range(4)), ("delete", range(3))):
        for call in calls:
            for kind in ("after", "partial") if operation == "write" else ("before", "after"):
                store = MemoryStore(faults=[Fault(operation, call, kind)], objects=dict(before.objects))  # type: ignore[arg-type]
                with contextlib.suppress(StoreError, ConflictError, ExporterError):
                    copy(server, store)
                look(store)
                expire(store)
                copy(server, store)
                look(store)
                files = {str(f.relative_to(server.root)) for f in (server.root / "v1").rglob("*") if f.is_file()}
                assert {path for path in store.objects if path.startswith("v1/")} == {
                    "v1/snapshots.json",
                    *(path for path in files if not paths.is_of_snapshots(path[3:])),
                }


def test_a_broken_off_mirror_does_not_begin_anew(server: Server, folder: pathlib.Path) -> None:
    count = 0

    def fail(path: str, data: bytes) -> tuple[int, dict[str, str], bytes] | None:
        nonlocal count
        count += 1
        return (500, {}, b"") if count > 400 else None

    server.hook = fail
    store = LocalStore(folder)
    with pytest.raises(FetchError, match="status 500"):
        copy(server, store)
    server.hook = lambda path, data: None
    there = sum(1 for _ in (folder / "v1/runs").rglob("*.json"))
    server.paths()
    copy(server, store)
    documents = orjson.loads((folder / "v1/manifest.json").read_bytes())["counts"]["documents"]
    assert there > 200 and len(server.paths()) <= documents - there + 3
    same(server, folder)


def test_a_source_that_changes_meanwhile(server: Server, folder: pathlib.Path, platform_url: str) -> None:
    changed = []

    def change(path: str, data: bytes) -> None:
        if path == "runs.json" and not changed:
            changed.append(path)
            add_run(platform_url, seed=5)
            export(platform_url, server.root)

    copy(server, LocalStore(folder))
    add_run(platform_url, seed=9)
    export(platform_url, server.root)

    def hook(path: str, data: bytes) -> tuple[int, dict[str, str], bytes] | None:
        if path == "runs.json" and not changed:
            change(path, data)
            return 200, {"Content-Length": "2"}, b"{}"
        return None

    server.hook = hook
    copy(server, LocalStore(folder), wait=5)
    assert changed
    same(server, folder)


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "runs/../../x.json", "manifest.json", "snapshots.json"]
)
def test_a_manifest_that_points_elsewhere(server: Server, folder: pathlib.Path, path: str) -> None:
    manifest = orjson.loads((server.root / "v1/manifest.json").read_bytes())
    from exporter.publish.manifest import encode_part

    part, data = encode_part("catalog", {path: ["0" * 64, 3]})
    manifest["catalog"] |= {"href": part.href, "digest": part.digest}
    (server.root / "v1" / part.href).write_bytes(data)
    (server.root / "v1/manifest.json").write_bytes(orjson.dumps(manifest))
    with pytest.raises(FetchError, match="no document of it"):
        copy(server, LocalStore(folder))
    assert not (folder / "v1/manifest.json").exists()


def test_a_document_that_stays_wrong(server: Server, folder: pathlib.Path) -> None:
    store = LocalStore(folder)
    (server.root / "v1/runs/1.json").write_bytes(b"{}")
    with pytest.raises(FetchError, match=r"runs/1\.json is not as its manifest says, and stays so"):
        copy(server, store, wait=2)
    assert not (folder / "v1/manifest.json").exists()


@pytest.mark.parametrize("damage", ["truncated", "flipped", "another body"])
def test_a_damaged_body_is_fetched_again_alone(server: Server, folder: pathlib.Path, damage: str) -> None:
    broken: list[str] = []

    def hook(path: str, data: bytes) -> tuple[int, dict[str, str], bytes] | None:
        if path == "runs/7.json" and not broken:
            broken.append(path)
            zipped = gzip.compress(data)
            wrong = zipped[:-20] if damage == "truncated" else zipped[:30] + bytes([zipped[30] ^ 1]) + zipped[31:]
            if damage == "another body":
                return 200, {}, data.replace(b"7", b"8")
            return 200, {"Content-Encoding": "gzip"}, wrong
        return None

    server.hook = hook
    copy(server, LocalStore(folder))
    asked = server.paths()
    twice = {path for path in asked if asked.count(path) > 1 and not path.startswith(("/site/", "manifests/site"))}
    assert broken and twice == {"runs/7.json"} and asked.count("runs/7.json") == 2
    same(server, folder)


def test_a_document_that_is_absent_is_said_to_be_absent(server: Server, folder: pathlib.Path) -> None:
    (server.root / "v1/runs/1.json").unlink()
    with pytest.raises(FetchError, match=r"runs/1\.json does not exist, though the manifest names it, and stays so"):
        copy(server, LocalStore(folder), wait=2)
    assert not (folder / "v1/manifest.json").exists()


def test_a_host_that_serves_v1_alone_is_mirrored_without_the_site(
    server: Server, folder: pathlib.Path, platform_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.hook = lambda path, data: (404, {}, b"") if path.startswith("/") else None
    began: list[float] = []
    with source(server.url) as opened:
        report = mirror(opened, LocalStore(folder), wait=0, sleep=began.append)
    assert not report.site and "the site is not there" in caplog.text and not began
    assert not (folder / "index.html").exists() and (folder / "v1/runs/1.json").exists()
    assert verify(LocalStore(folder)).problems == []
    server.paths()
    assert copy(server, LocalStore(folder)) == 0 and len(server.paths()) == 4  # whether the site is there now
    add_run(platform_url, seed=5)
    export(platform_url, server.root)
    assert copy(server, LocalStore(folder)) > 0
    assert verify(LocalStore(folder)).problems == []
    server.hook = lambda path, data: None  # now the site is served too
    copy(server, LocalStore(folder))
    same(server, folder)


def test_a_mirror_that_has_the_site_does_without_it_when_the_source_no_longer_serves_it(
    server: Server, folder: pathlib.Path, platform_url: str
) -> None:
    copy(server, LocalStore(folder))
    assert (folder / "index.html").exists()
    server.hook = lambda path, data: (404, {}, b"") if path.startswith("/") else None
    export(platform_url, server.root, main=MainLine(branch="another"))  # other pages
    began: list[float] = []
    with source(server.url) as opened:
        report = mirror(opened, LocalStore(folder), wait=0, sleep=began.append)
    assert not report.site and not began
    assert not (folder / "index.html").exists() and (folder / "v1/runs/1.json").exists()
    assert verify(LocalStore(folder)).problems == []


def test_an_exporters_own_store_is_no_mirror(server: Server) -> None:
    with pytest.raises(UsageError, match="an exporter publishes here"):
        copy(server, LocalStore(server.root))


@pytest.mark.parametrize("base", ["http://", "ftp://user:secret@host/", "ftp://host/", "file://host/x"])
def test_bases_that_make_no_sense(base: str) -> None:
    with pytest.raises(UsageError) as caught, source(base):
        pass
    assert "secret" not in str(caught.value)
