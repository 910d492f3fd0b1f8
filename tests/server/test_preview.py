"""The preview, over a real server where the wire matters, else straight into the ASGI application."""

import asyncio
import base64
import contextlib
import gzip
import hashlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter import paths
from exporter.cache_control import cache_control
from exporter.errors import StoreError, UsageError
from exporter.server.listening import listen
from exporter.server.preview import application, serve

SECRET = b"nobody may read this"
LONG = json.dumps({"data": list(range(1000))}).encode()
MANIFEST = {
    "api_version": "1.0.0",
    "generated_at": "2026-01-01T00:00:00Z",
    "snapshot": "0" * 64,
    "partition_size": 100,
    "latest_run_id": 74,
    "counts": {
        "runs": 1234,
        "results": 5,
        "samples": 6,
        "regression_tests": 7,
        "documents": 8,
        "bytes": 9_000_000,
    },
    "catalog": {},
    "partitions": [],
    "links": paths.entry_documents() | {"<i>": "a&b.json"},
}
PUBLISHED = {
    "v1/manifest.json": json.dumps(MANIFEST).encode(),
    "v1/runs.json": LONG,
    "v1/tags.json": b'{"data":[]}',
    "v1/runs/by-branch/a.tmp/archive/3.json": b"3",
    "v1/runs/by-branch/..-x~0123456789ab.json": b"4",
    "v1/runs/by-branch/_state.json": b"4",
    "v1/diffs/a-b.json": b"{}",
    "v1/feed.xml": b"<feed/>",
    "v1/badge.svg": b"<svg/>",
    "v1/all.ndjson": b"{}\n",
    "v1/all.ndjson.gz": gzip.compress(LONG * 9, 0),
    "v1/all.parquet": b"PAR1" * 999,
    "notes.txt": "ü".encode(),
    "site.css": b"a{}",
    "site.js": b"1",
    "runs/index.html": b"<h1>Runs</h1>",
}
PRIVATE = (
    "_state/fingerprints.json",
    ".env",
    ".git/config",
    "v1/back\\slash.json",
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.json").write_bytes(SECRET)
    root = outside / "store"
    for path, data in PUBLISHED.items():
        write(root, path, data)
    for path in PRIVATE:
        write(root, path, SECRET)
    (root / "v1/link.json").symlink_to(outside / "secret.json")
    (root / "v1/up").symlink_to(outside)
    (root / "v1/state").symlink_to(root / "_state")
    (root / "v1/loop.json").symlink_to(root / "v1/loop.json")
    return root


def write(root: Path, path: str, data: bytes) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


@pytest.fixture(scope="module")
def server(store: Path) -> Iterator[httpx.URL]:
    """A server on a free port, found by the line that it logs; it must leave cleanly on Ctrl-C."""
    program = (
        "import logging, pathlib, sys; from exporter.server.preview import serve;"
        "logging.basicConfig(level='INFO', format='%(message)s');"
        "serve(pathlib.Path(sys.argv[1]), '127.0.0.1', 0)"
    )
    command = [sys.executable, "-c", program, str(store)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        found = re.fullmatch(rf"serving {re.escape(str(store))} at (http://127\.0\.0\.1:\d+/)\n", line)
        if not found:
            process.kill()
            pytest.fail(line + process.stderr.read())
        yield httpx.URL(found[1])
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert (process.wait(timeout=10), rest) == (0, "")


@pytest.fixture(scope="module")
def client(server: httpx.URL) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, headers={"accept-encoding": "identity"}) as client:
        yield client


def ask(root: Path, path: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Ask the application itself, with a decoded path that no client would send as it is."""
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
        "server": ("localhost", 80),
    }
    with contextlib.suppress(ValueError):  # Starlette answers 500, then raises on for the server's log
        asyncio.run(application(root)(scope, receive, send))
    start, *parts = sent
    return httpx.Response(start["status"], headers=start["headers"], content=b"".join(p["body"] for p in parts))


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("v1/manifest.json", "application/json"),
        ("v1/feed.xml", "application/xml"),
        ("v1/badge.svg", "image/svg+xml"),
        ("v1/all.ndjson", "application/x-ndjson"),
        ("v1/all.ndjson.gz", "application/gzip"),
        ("v1/all.parquet", "application/vnd.apache.parquet"),
        ("notes.txt", "text/plain; charset=utf-8"),
        ("site.css", "text/css; charset=utf-8"),
        ("site.js", "text/javascript; charset=utf-8"),
        ("runs/index.html", "text/html; charset=utf-8"),
        ("v1/runs/by-branch/a.tmp/archive/3.json", "application/json"),
        ("v1/runs/by-branch/..-x~0123456789ab.json", "application/json"),
        ("v1/runs/by-branch/_state.json", "application/json"),
    ],
)
def test_a_published_file_is_served_as_what_it_is(client: httpx.Client, path: str, media_type: str) -> None:
    got = client.get(path)
    assert (got.status_code, got.content) == (200, PUBLISHED[path])
    assert got.headers["content-type"] == media_type
    assert got.headers["cache-control"] == cache_control(path)
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "content-encoding" not in got.headers
    assert ("content-security-policy" in got.headers) == path.endswith(".html")
    head = client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert differing(head, got) <= {"date"}


def differing(one: httpx.Response, other: httpx.Response) -> set[str]:
    return {name for name, _ in set(one.headers.multi_items()) ^ set(other.headers.multi_items())}


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip", "gzip"),
        ("br, GZIP;q=0.001", "gzip"),
        ("gzip;q=1, br", "gzip"),
        ("gzip;q=0", None),
        ("br, gzip; q=0.00, deflate", None),
        ("gzipped", None),
        ("", None),
    ],
)
def test_gzip_is_sent_if_it_is_accepted(client: httpx.Client, accepted: str, encoding: str | None) -> None:
    got = client.get("v1/runs.json", headers={"accept-encoding": accepted})
    assert got.content == LONG
    assert got.headers.get("content-encoding") == encoding
    assert "Accept-Encoding" in got.headers["vary"]
    head = client.head("v1/runs.json", headers={"accept-encoding": accepted})
    assert differing(head, got) <= {"date"}


@pytest.mark.parametrize("path", ["v1/tags.json", "v1/all.ndjson.gz", "v1/all.parquet"])
def test_what_is_small_or_compressed_already_is_sent_as_it_is(client: httpx.Client, path: str) -> None:
    got = client.get(path, headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in got.headers
    assert got.content == PUBLISHED[path]


def test_each_encoding_has_an_etag_of_its_own(client: httpx.Client) -> None:
    plain, zipped = (client.get("v1/runs.json", headers={"accept-encoding": e}) for e in ("identity", "gzip"))
    tags = plain.headers["etag"], zipped.headers["etag"]
    assert tags[0] != tags[1]
    assert all(re.fullmatch(r'"[^"]+"', tag) for tag in tags)
    for encoding, tag, status in (
        ("identity", tags[0], 304),
        ("gzip", tags[1], 304),
        ("identity", tags[1], 200),
        ("gzip", tags[0], 200),
    ):
        headers = {"accept-encoding": encoding, "if-none-match": tag}
        assert client.get("v1/runs.json", headers=headers).status_code == status


@pytest.mark.parametrize("condition", ["{}", "W/{}", '"other", {}', '"other",W/{} , "more"', "*"])
def test_304_for_what_the_client_has(client: httpx.Client, condition: str) -> None:
    origin = {"origin": "https://example.org"}
    got = client.get("v1/runs.json", headers=origin)
    again = client.get("v1/runs.json", headers=origin | {"if-none-match": condition.format(got.headers["etag"])})
    assert (again.status_code, again.content) == (304, b"")
    for name in (
        "etag",
        "cache-control",
        "vary",
        "access-control-allow-origin",
        "access-control-expose-headers",
    ):
        assert again.headers[name] == got.headers[name]


def test_last_modified_is_a_condition_where_there_is_no_etag(client: httpx.Client) -> None:
    since = {"if-modified-since": client.get("v1/tags.json").headers["last-modified"]}
    assert client.get("v1/tags.json", headers=since).status_code == 304
    assert client.get("v1/tags.json", headers=since | {"if-none-match": '"other"'}).status_code == 200


def test_the_etag_changes_with_the_bytes(tmp_path: Path) -> None:
    write(tmp_path, "v1/manifest.json", b"{}")
    tags = set()
    for turn in range(20):  # as writers do: another file of the same size, moved into place
        write(tmp_path, "v1/new.tmp", b"%2d" % turn)
        (tmp_path / "v1/new.tmp").rename(tmp_path / "v1/tags.json")
        tags.add(ask(tmp_path, "/v1/tags.json").headers["etag"])
    assert len(tags) == 20


@pytest.mark.parametrize(
    ("wanted", "status", "data"),
    [
        ("bytes=0-3", 206, LONG[:4]),
        ("bytes=-5", 206, LONG[-5:]),
        (f"bytes={len(LONG)}-", 416, None),
    ],
)
def test_ranges_are_of_the_plain_bytes(client: httpx.Client, wanted: str, status: int, data: bytes | None) -> None:
    got = client.get("v1/runs.json", headers={"range": wanted, "accept-encoding": "gzip"})
    assert got.status_code == status
    assert "content-encoding" not in got.headers
    assert data is None or got.content == data


def test_a_range_of_another_encoding_is_not_continued(client: httpx.Client) -> None:
    tag = client.get("v1/runs.json", headers={"accept-encoding": "gzip"}).headers["etag"]
    assert client.get("v1/runs.json", headers={"range": "bytes=9-", "if-range": tag}).content == LONG


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("v1/manifest.json", 15),
        ("v1/pending.json", 15),
        ("v1/runs.json", 15),
        ("v1/runs/by-branch/master.json", 15),
        ("v1/runs/by-status/fail.json", 15),
        ("v1/samples/7/history.json", 15),
        ("v1/manifests/93-0123456789ab.json", 31536000),
        ("v1/diffs/a-b.json", 300),
        ("v1/runs/by-branch.json", 300),
        ("v1/runs/by-branch/page/2.json", 300),
        ("v1/runs/by-branch/manifest/archive/3.json", 300),
        ("v1/runs/by-commit/0123.json", 300),
        ("v1/runs/7.json", 300),
        ("v1/samples/by-tag/history.json", 300),
        ("v1/samples/7/history/archive/0.json", 300),
        ("v1/samples.json", 300),
        ("manifest.json", 300),
        ("diffs/a-b.json", 300),
        ("index.html", 15),
        ("404.html", 300),
        ("badges/master-linux.svg", 300),
        ("site/0123456789ab/site.js", 31536000),
    ],
)
def test_how_long_a_path_is_cached(path: str, seconds: int) -> None:
    immutable = ", immutable" if seconds > 300 else ""
    assert cache_control(path) == f"public, max-age={seconds}{immutable}"


def test_any_origin_may_read(client: httpx.Client) -> None:
    origin = {"origin": "https://example.org"}
    for path, status in (("v1/runs.json", 200), ("v1/none.json", 404)):
        got = client.get(path, headers=origin)
        assert (got.status_code, got.headers["access-control-allow-origin"]) == (status, "*")
        assert {"ETag", "Content-Length"} <= set(got.headers["access-control-expose-headers"].split(", "))
    asked = {"access-control-request-method": "GET", "access-control-request-headers": "if-none-match"}
    preflight = client.options("v1/runs.json", headers=origin | asked)
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, "*")
    assert preflight.headers["access-control-allow-methods"] == "GET, HEAD"
    assert "if-none-match" in preflight.headers["access-control-allow-headers"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_but_reading_is_allowed(client: httpx.Client, method: str) -> None:
    got = client.request(method, "v1/runs.json")
    assert (got.status_code, got.json()["code"]) == (405, "method_not_allowed")
    assert set(got.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize(
    "target",
    [
        "/v1/none.json",
        "/v1",
        "/v1/",
        "/v1/runs.json/",
        "/v1/runs.json%0a",
        "//v1/runs.json",
        "/v1//runs.json",
        "/v1/./runs.json",
        "/v1/x/../runs.json",
        "/../secret.json",
        "/v1/../../secret.json",
        "/%2e%2e/secret.json",
        "/v1/%2e%2e%2f%2e%2e/secret.json",
        "/..%5csecret.json",
        "/v1/back%5cslash.json",
        "/v1/back\\slash.json",
        "/v1/runs.json%00",
        "/%ff%fe",
        "/" + "x" * 300,
        "/v1/link.json",
        "/v1/up/secret.json",
        "/v1/state/fingerprints.json",
        "/v1/loop.json",
        "/_state/fingerprints.json",
        "/%5fstate/fingerprints.json",
        "/_STATE/fingerprints.json",
        "/.env",
        "/.git/config",
        "/<script>alert(1)</script>",
    ],
)
def test_what_is_not_published_is_not_found(server: httpx.URL, target: str) -> None:
    connection = http.client.HTTPConnection(server.host, server.port or 80, timeout=10)
    try:
        connection.request("GET", target)  # httpx would tidy the path up
        got = connection.getresponse()
        body = json.loads(got.read())
    finally:
        connection.close()
    assert (got.status, body["code"], set(body)) == (404, "not_found", {"code", "message"})
    assert (got.headers["content-type"], got.headers["cache-control"]) == ("application/json", "no-store")
    assert got.headers["x-content-type-options"] == "nosniff"


NAMES = sorted({name for path in (*PUBLISHED, *PRIVATE) for name in path.split("/")})
ODD = [
    "",
    ".",
    "..",
    "%2e%2e",
    "up",
    "link.json",
    "state",
    "loop.json",
    "secret.json",
    "store",
    "_STATE",
    "~",
    "C:",
    "\0",
]
SEPARATORS = ["/", "//", "\\", "%2f", "/../", "/./", "\n"]
PATHS = st.one_of(
    st.text(),
    st.lists(st.one_of(st.sampled_from([*NAMES, *ODD]), st.sampled_from(SEPARATORS), st.text(max_size=3))).map("".join),
    st.lists(st.sampled_from([*NAMES, *ODD])).map("/".join),
    st.sampled_from(sorted(PUBLISHED)),
)


@settings(deadline=None)  # a busy machine is no defect
@given(PATHS, st.sampled_from(["", "gzip"]))
@example("/etc/passwd", "")
@example("../secret.json", "")
@example("v1/up/store/v1/runs.json", "")
@example("\udcff", "")
@example("\n/", "")
def test_no_path_serves_anything_but_what_is_published(store: Path, path: str, encoding: str) -> None:
    got = ask(store, "/" + path, accept_encoding=encoding)
    if path in PUBLISHED:
        assert got.content == PUBLISHED[path]
    elif path == "":
        assert got.status_code == 200
    elif path + "index.html" in PUBLISHED and path.endswith("/"):
        assert got.content == PUBLISHED[path + "index.html"]
    else:
        assert got.status_code == 404
        assert set(got.json()) == {"code", "message"}
    assert SECRET not in got.content


def test_the_landing_page_says_what_there_is(client: httpx.Client) -> None:
    got = client.get("/")
    assert (got.status_code, got.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert got.headers["cache-control"] == "public, max-age=15"
    for said in (
        "1,234",
        "9.0 MB",
        'href="v1/runs.json"',
        f"curl -s {client.base_url}v1/manifest.json | jq .counts",
    ):
        assert said in got.text
    assert "&lt;i&gt;" in got.text
    assert "<i>" not in got.text
    assert 'href="v1/a&amp;b.json"' in got.text
    styles = re.findall(r"<style>(.*?)</style>", got.text, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles]
    assert [f"'sha256-{digest}'" for digest in digests] == re.findall(
        r"'sha256-[^']*'", got.headers["content-security-policy"]
    )
    assert not re.search(r"<script|style=|https?://(?!127\.)", got.text)
    assert client.get("/", headers={"accept-encoding": "gzip"}).headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(), "just now"),
        (timedelta(minutes=-9), "just now"),
        (timedelta(minutes=1, seconds=30), "1 minute ago"),
        (timedelta(hours=5, minutes=30), "5 hours ago"),
        (timedelta(days=60, hours=1), "60 days ago"),
    ],
)
def test_the_landing_page_of_an_export_without_runs_says_its_age(tmp_path: Path, age: timedelta, said: str) -> None:
    generated_at = (datetime.now(UTC) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifest = MANIFEST | {"latest_run_id": None, "generated_at": generated_at}
    write(tmp_path, "v1/manifest.json", json.dumps(manifest).encode())
    text = ask(tmp_path, "/").text
    assert f"({said})" in text
    assert "latest run" not in text


def test_a_published_site_takes_the_place_of_the_landing_page(tmp_path: Path) -> None:
    write(tmp_path, "v1/manifest.json", b"{}")
    write(tmp_path, "index.html", b"<h1>Home</h1>")
    write(tmp_path, "runs/index.html", b"<h1>Runs</h1>")
    write(tmp_path, "404.html", b"<h1>Gone</h1>")
    for path, text in (("/", "<h1>Home</h1>"), ("/runs/", "<h1>Runs</h1>")):
        got = ask(tmp_path, path)
        assert (got.status_code, got.text) == (200, text)
        assert "script-src 'self'" in got.headers["content-security-policy"]
        assert got.headers["cache-control"].startswith("public, max-age=")
    missing = ask(tmp_path, "/none/", accept="text/html,*/*;q=0.8")
    assert (missing.status_code, missing.text) == (404, "<h1>Gone</h1>")
    asked = ask(tmp_path, "/404.html")  # its style is inside, so its policy is the same under its own address
    assert asked.headers["content-security-policy"] == missing.headers["content-security-policy"]
    assert missing.headers["content-type"] == "text/html; charset=utf-8"
    assert missing.headers["cache-control"] == "no-store"
    assert ask(tmp_path, "/none/", accept="application/json").json()["code"] == "not_found"


def test_a_failure_tells_no_details(tmp_path: Path) -> None:
    write(tmp_path, "v1/manifest.json", b"a broken manifest")
    got = ask(tmp_path, "/")
    assert (got.status_code, got.json()["code"]) == (500, "internal_error")
    assert "manifest" not in got.text
    assert got.headers["access-control-allow-origin"] == "*"


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no folder"):
        application(tmp_path / "none")
    with pytest.raises(StoreError, match="run `exporter export`"):
        application(tmp_path)


def test_a_port_that_is_taken_or_none_is_refused(store: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {port} of 127.0.0.1 is taken"):
            serve(store, "127.0.0.1", port)
    for host, port, said in (("::1", 70000, "is no port"), ("192.0.2.1", 0, "cannot"), ("x" * 70, 0, "cannot")):
        with pytest.raises(UsageError, match=said):
            serve(store, host, port)


def test_a_body_does_not_wait_for_the_acknowledgement_of_its_headers() -> None:
    with listen("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
