"""The examples for nginx and Apache, run by the real servers: they answer as `exporter serve` does."""

import asyncio
import contextlib
import os
import pathlib
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator

import httpx
import orjson
import pytest

from exporter.cache_control import cache_control
from exporter.cli.main import run
from exporter.demo import create_demo
from exporter.media_types import media_type
from exporter.publish.local.folder_store import LocalStore
from exporter.server.preview import application
from exporter.snapshots import create as snapshots
from exporter.source.database import Database
from tests.support import needs
from tests.support.platform import export

pytestmark = pytest.mark.xdist_group("web servers")

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
ODD = {
    "v1/runs/by-branch/release.gz.json": b"{}",
    "v1/runs/by-branch/a.de.json": b"{}",
    "v1/runs/by-branch/a.var.json": b"{}",
    "v1/runs/by-branch/a.php.json": b"{}",
    "v1/runs/by-branch/.x~bb42e4c60255.json": b"{}",
    "favicon.ico": b"icon",
}
"""What a store may hold and this one does not."""

APACHE = """
ServerRoot {folder}
PidFile {folder}/pid
ErrorLog {folder}/error.log
Listen 127.0.0.1:{port}
ServerName localhost
{modules}
TypesConfig /etc/mime.types
# As Debian's mods-enabled/mime.conf has it, and worse.
AddEncoding x-gzip .gz .tgz
AddLanguage de .de
AddHandler type-map var
AddCharset utf-7 .json
AddType application/x-php .php
Include {folder}/site.conf
"""
MODULES = ("mpm_event", "authz_core", "alias", "mime", "dir", "negotiation", "setenvif", "filter", "deflate", "headers")

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    include {folder}/site.conf;
}}
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[pathlib.Path]:
    """A folder that everybody may enter: servers that root starts work as somebody else, who may not enter pytest's."""
    with tempfile.TemporaryDirectory(prefix="web-") as name:
        pathlib.Path(name).chmod(0o755)
        yield pathlib.Path(name)


@pytest.fixture(scope="module")
def store(folder: pathlib.Path) -> pathlib.Path:
    """A store with a snapshot, a site, and names that a server might read meaning into."""
    url = f"sqlite:///{folder}/platform.sqlite"
    create_demo(url, runs=120, tests=8, seed=1)
    export(url, folder / "store")
    with contextlib.closing(Database(url)) as database:
        snapshots.create(database, LocalStore(folder / "store"))
    for path, data in ODD.items():
        (folder / "store" / path).write_bytes(data)
    return folder / "store"


@pytest.fixture(scope="module", params=["nginx", "apache"])
def server(request: pytest.FixtureRequest, folder: pathlib.Path, store: pathlib.Path) -> Iterator[str]:
    """The URL of a real server with the example of its kind; only port and folder are other ones."""
    folder /= request.param
    folder.mkdir()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    example = (DEPLOY / f"{request.param}.conf").read_text()
    replaced = {"/srv/sample-platform-api": str(store), "listen 80;": f"listen 127.0.0.1:{port};", "*:80": f"*:{port}"}
    for old, new in replaced.items():
        example = example.replace(old, new)
    (folder / "site.conf").write_text(example)
    if request.param == "nginx":
        (folder / "main.conf").write_text(NGINX.format(folder=folder))
        command = [needs.program("nginx", "nginx-light"), "-e", folder / "error.log", "-c", folder / "main.conf"]
    else:
        program = needs.program("apache2", "apache2-bin")
        modules = pathlib.Path("/usr/lib/apache2/modules")
        loads = "\n".join(f"LoadModule {name}_module {modules}/mod_{name}.so" for name in MODULES)
        (folder / "main.conf").write_text(APACHE.format(folder=folder, port=port, modules=loads))
        command = [program, "-D", "FOREGROUND", "-f", folder / "main.conf"]
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait(port, process, folder)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def _wait(port: int, process: "subprocess.Popen[bytes]", folder: pathlib.Path) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    logs = [file.read_text() for file in (folder / "output", folder / "error.log") if file.exists()]
    pytest.fail(f"the server does not answer: {logs}")


def _kinds(store: pathlib.Path) -> list[str]:
    """One path of every kind: digits and names replaced, two that look the same are of one kind."""
    found: dict[str, str] = {}
    for file in sorted(store.rglob("*")):
        path = str(file.relative_to(store))
        if file.is_file() and not path.startswith(("_state", ".")):
            kind = path if path in ODD else re.sub(r"[0-9a-f]*\d[0-9a-f]*", "0", path)
            found.setdefault(kind, path)
    return list(found.values())


def test_every_kind_of_file_has_its_type_and_its_time(server: str, store: pathlib.Path) -> None:
    kinds = _kinds(store)
    assert len(kinds) > 60 and {pathlib.PurePath(path).suffix for path in kinds} >= {".json", ".xml", ".gz", ".svg", ""}
    with httpx.Client() as client:
        for path in kinds:
            answer = client.get(f"{server}/{path}", headers={"Accept-Encoding": "identity"})
            assert answer.status_code == 200, path
            assert answer.content == (store / path).read_bytes(), path
            headers = answer.headers
            assert headers["content-type"] == media_type(path), path
            assert headers.get_list("cache-control") == [cache_control(path)], path
            assert headers["access-control-allow-origin"] == "*", path
            assert headers["x-content-type-options"] == "nosniff", path
            assert not {"content-encoding", "content-language"} & set(headers), path


def test_the_front_page_is_the_sites(server: str, store: pathlib.Path) -> None:
    answer = httpx.get(f"{server}/")
    assert answer.content == (store / "index.html").read_bytes()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers.get_list("cache-control") == [cache_control("index.html")]
    assert answer.headers["content-security-policy"] == "frame-ancestors 'none'"


def test_documents_are_compressed_and_asked_for_again_by_their_etag(server: str, store: pathlib.Path) -> None:
    first = httpx.get(f"{server}/v1/runs.json", headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip" and "accept-encoding" in first.headers["vary"].lower()
    assert first.content == (store / "v1/runs.json").read_bytes()
    again = httpx.get(
        f"{server}/v1/runs.json", headers={"Accept-Encoding": "gzip", "If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


def test_a_snapshot_is_sent_as_it_is_in_any_part(server: str, store: pathlib.Path) -> None:
    for file in sorted((store / "v1/snapshots").glob("*/*")):
        url = f"{server}/{file.relative_to(store)}"
        os.utime(file, (1e9, 1e9))  # Apache's ETag of a file that changed within this second is weak: no range has it
        whole = httpx.get(url, headers={"Accept-Encoding": "gzip"})
        assert whole.headers["content-length"] == str(file.stat().st_size), file
        assert "content-encoding" not in whole.headers
        part = httpx.get(url, headers={"Range": "bytes=5-", "If-Range": whole.headers["etag"]})
        assert (part.status_code, part.content) == (206, file.read_bytes()[5:]), file


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nothing.json",
        "/v1/",
        "/v1",
        "/_state/plan.json",
        "/_state",
        "/.lock",
        "/.tmp/x",
        "/%2elock",
        "/v1/../.lock",
        "/x",
    ],
)
def test_nothing_else_is_there(server: str, store: pathlib.Path, path: str) -> None:
    assert (store / ".lock").exists() and (store / "_state/plan.json").exists()
    answer = httpx.get(f"{server}{path}")
    assert answer.status_code == 404
    assert answer.headers.get_list("cache-control") == ["no-store"]


async def _preview(store: pathlib.Path, path: str) -> httpx.Response:
    transport = httpx.ASGITransport(application(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://preview") as client:
        return await client.get(path, headers={"Origin": "http://elsewhere"})


def test_a_document_that_is_not_there_is_answered_in_json(server: str, store: pathlib.Path) -> None:
    answer = httpx.get(f"{server}/v1/runs/999999.json")
    ours = asyncio.run(_preview(store, "/v1/runs/999999.json"))
    assert answer.status_code == ours.status_code == 404
    assert answer.json() == ours.json()
    for name in ("content-type", "cache-control", "access-control-allow-origin", "x-content-type-options"):
        assert answer.headers.get_list(name) == ours.headers.get_list(name), name


def test_a_page_that_is_not_there_is_answered_by_the_sites(server: str, store: pathlib.Path) -> None:
    answer = httpx.get(f"{server}/nothing")
    assert (answer.status_code, answer.content) == (404, (store / "404.html").read_bytes())
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("base", ["", "/v1/"])
def test_a_mirror_of_it_is_whole(server: str, store: pathlib.Path, tmp_path: pathlib.Path, base: str) -> None:
    assert run(["mirror", server + base, str(tmp_path / "copy")]) == 0
    copy = tmp_path / "copy/v1/manifest.json"
    assert orjson.loads(copy.read_bytes()) == orjson.loads((store / "v1/manifest.json").read_bytes())


def test_the_well_known_api_catalog_is_the_published_one(server: str, store: pathlib.Path) -> None:
    found = httpx.get(f"{server}/.well-known/api-catalog", follow_redirects=True)
    assert found.content == (store / "api-catalog.linkset").read_bytes()
    assert found.headers["content-type"].startswith("application/linkset+json;")
    assert str(found.url) == f"{server}/api-catalog.linkset"  # what its relative links are relative to
    ours = asyncio.run(_preview(store, "/.well-known/api-catalog"))
    assert (ours.status_code, ours.headers["location"]) == (302, "/api-catalog.linkset")
