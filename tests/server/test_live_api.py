"""The live API: the platform's recorded answers, asked over the published tree, body for body."""

import contextlib
import dataclasses
import difflib
import gzip
import json
import pathlib
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import uvicorn
from hypothesis import assume, given
from hypothesis import strategies as st
from starlette.applications import Starlette

from exporter.builders import diffs
from exporter.client import http
from exporter.client.http import NotFoundError
from exporter.errors import UsageError
from exporter.server import cached_tree
from exporter.server.live_api import create_app
from exporter.server.platform_answers import CONTEXT, contains, diff, folded, within
from exporter.source.sample_repository import Content
from tests.support import web
from tests.support.platform import export

UNORDERED = ("categories", "tags", "outputs", "sample_ids")
"""Lists that the platform gives in no order."""
ORDERED = ("/history", "/logs", "/progress", "/runs")
"""Endings of paths whose items have an order there."""
BEYOND = "/artifacts"
"""What no published document holds."""


@contextlib.contextmanager
def serving(app: Starlette) -> Iterator[httpx.Client]:
    """A client of an app that a real server runs."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def tree(
    parity_sqlite: pathlib.Path, parity_files: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("live") / "store"
    export(f"sqlite:///{parity_sqlite}", folder, sample_repository=parity_files)
    return folder


@pytest.fixture(scope="module")
def client(tree: pathlib.Path) -> Iterator[httpx.Client]:
    with serving(create_app(str(tree))) as client:
        yield client


def ask(client: httpx.Client, path: str, **query: object) -> Any:
    return client.get("/api/v1" + path, params=query).json()


def unordered(body: Any, path: str) -> Any:
    """A body with lists that have no order sorted, and without the name of a file without hash."""
    body = json.loads(json.dumps(body))
    items = body["data"] if isinstance(body.get("data"), list) else [body]
    for item in items:
        for field in UNORDERED:
            if isinstance(item.get(field), list):
                item[field].sort(key=lambda one: json.dumps(one, sort_keys=True))
        if item.get("sha", "") is None:
            item.pop("filename", None)
    if not path.endswith(ORDERED):
        items.sort(key=lambda one: json.dumps(one, sort_keys=True))
    return body


def test_every_recorded_answer_is_given(client: httpx.Client, recorded: pathlib.Path) -> None:
    differ, asked = [], 0
    with gzip.open(recorded, "rt", encoding="utf-8") as lines:
        for line in lines:
            answer = json.loads(line)
            path, query, body = answer["path"], answer["query"], answer["body"]
            if body is None or path.endswith(BEYOND):  # the platform failed, or files are asked for
                continue
            ours = client.get("/api/v1" + path, params=query)
            asked += 1
            if (ours.status_code, unordered(ours.json(), path)) != (answer["status"], unordered(body, path)):
                differ.append(
                    f"{path} {query}: {ours.status_code} {ours.text[:300]} instead of {json.dumps(body)[:300]}"
                )
    assert not differ, "\n".join(differ[:5])
    assert asked > 4000


def test_pages_of_a_list_join_to_the_whole(client: httpx.Client) -> None:
    whole = ask(client, "/runs", limit=100)["data"]
    joined, offset = [], 0
    while offset is not None:
        page = ask(client, "/runs", limit=7, offset=offset)
        joined += page["data"]
        offset = page["pagination"]["next_offset"]
    assert joined == whole


@pytest.mark.parametrize("value", ["master", "MASTER", "mäster", "master "])
def test_text_matches_as_the_database_compares_it(client: httpx.Client, value: str) -> None:
    assert (
        ask(client, "/runs", branch=value)["pagination"]["total"]
        == ask(client, "/runs", branch="master")["pagination"]["total"]
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("straße", "STRASE", True),
        ("straße", "strasse", False),
        ("Ёлка", "елка", True),
        ("Йод", "Иод", False),
        ("ΣΑΣ", "σας", True),
        ("fix 🎉", "fix 🎈", True),  # it tells none apart beyond the basic plane
        ("caf\u00e9", "cafe\u0301", False),
        ("각", "가", False),
        ("a", "a  ", True),
        ("a", " a", False),
    ],
)
def test_texts_are_the_same_as_mariadb_compares_them(one: str, other: str, same: bool, mariadb_server: str) -> None:
    url = sa.make_url(mariadb_server).update_query_dict({"charset": "utf8mb4"})
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        query = sa.text("SELECT CONVERT(:one USING utf8mb4) COLLATE utf8mb4_general_ci = :other")
        assert bool(connection.scalar(query, {"one": one, "other": other})) is same
    assert (folded(one) == folded(other)) is same


def test_a_part_of_a_text_is_found_with_its_spaces() -> None:
    assert contains("name", "o ß")({"name": "two Store"})
    assert not contains("name", "two ")({"name": "two"})


def test_undated_runs_match_any_window_and_undated_results_none() -> None:
    undated, dated = {"at": None}, {"at": "2026-06-01T00:00:00Z"}
    for after, before, passes in (
        ("2026-06-01T00:00:00Z", None, True),
        (None, "2026-06-01T00:00:00Z", True),
        ("2026-06-01T00:00:01Z", None, False),
        (None, "2026-05-31T23:59:59Z", False),
    ):
        assert within("at", after, before, undated=True)(dated) is passes
        assert within("at", after, before, undated=True)(undated)
        assert not within("at", after, before, undated=False)(undated)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/runs/999999", {}, 404, "not_found"),
        ("/runs/999999/samples", {}, 404, "not_found"),
        ("/runs/1/samples/999999", {}, 404, "not_found"),
        ("/samples/999999/history", {}, 404, "not_found"),
        ("/runs", {"limit": "0"}, 400, "validation_error"),
        ("/runs", {"limit": "101"}, 400, "validation_error"),
        ("/runs", {"offset": "-1"}, 400, "validation_error"),
        ("/runs", {"limit": "١"}, 400, "validation_error"),
        ("/runs", {"sort": "branch"}, 400, "validation_error"),
        ("/runs/74/error-summary", {"group_by": "x"}, 400, "validation_error"),
        ("/runs/74/artifacts", {}, 501, "not_implemented"),
        ("/account", {}, 501, "not_implemented"),
    ],
)
def test_errors_have_the_platforms_body(
    client: httpx.Client, path: str, query: dict[str, str], status: int, code: str
) -> None:
    answer = client.get("/api/v1" + path, params=query)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert set(answer.json()) == {"code", "message", "details"}


LINES = st.lists(st.sampled_from("abcd"), max_size=25)


@given(LINES, LINES, st.integers(0, 4))
def test_fewer_lines_of_context_make_what_difflib_makes(a: list[str], b: list[str], context: int) -> None:
    contents = ("".join(f"{line}\n" for line in lines).encode() for lines in (a, b))
    document = diffs.document(*(Content(len(data), data) for data in contents))

    def difflibs(lines: int) -> list[str]:
        return list(difflib.unified_diff(a, b, "expected", "actual", n=lines, lineterm=""))

    assume(a != b and document["unified"].split("\n") == difflibs(CONTEXT))
    shown = diff({}, document, context, unified=True)
    assert shown["content"].split("\n") == difflibs(min(context, CONTEXT))
    hunks = diff({}, document, context, unified=False)
    assert hunks["summary"]["changed_hunks"] == len(hunks["hunks"]) == shown["content"].count("@@ -")
    assert shown.get("context_lines") == hunks.get("context_lines") == (CONTEXT if context > CONTEXT else None)


@pytest.mark.parametrize("form", ["structured", "unified"])
def test_more_context_than_documents_hold_is_said(client: httpx.Client, recorded: pathlib.Path, form: str) -> None:
    with gzip.open(recorded, "rt", encoding="utf-8") as lines:
        answers = (json.loads(line) for line in lines)
        path = next(one["path"] for one in answers if one["path"].endswith("/diff") and one["body"].get("hunks"))
    whole, most = ask(client, path, format=form), ask(client, path, format=form, context_lines=20)
    assert most == {**whole, "context_lines": CONTEXT}


def test_another_state_is_seen(
    parity_sqlite: pathlib.Path, tree: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cached_tree, "FRESH", 0.0)
    store = pathlib.Path(shutil.copytree(tree, tmp_path / "store"))
    with serving(create_app(str(store))) as client:
        assert ask(client, "/runs/74")["run_id"] == 74
        (store / "v1/runs/74.json").write_text((store / "v1/runs/73.json").read_text())
        assert ask(client, "/runs/74")["run_id"] == 74, "the manifest has not changed: the document is kept"
        manifest = json.loads((store / "v1/manifest.json").read_text())
        (store / "v1/manifest.json").write_text(json.dumps({**manifest, "snapshot": "0" * 64}))
        assert ask(client, "/runs/74")["run_id"] == 73


def test_what_is_kept_is_bounded(tree: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached_tree, "LARGEST_CACHE", 50_000)
    kept = cached_tree.CachedTree(str(tree))
    for number in range(1, 75):
        kept.document(f"runs/{number}/samples.json")
    assert sum(one.size for one in kept._documents.values()) == kept._size
    assert kept._size <= 50_000 or len(kept._documents) == 1


def test_pages_of_other_origins_may_read_with_a_token_and_may_not_write(client: httpx.Client) -> None:
    origin = {"Origin": "https://console.example.org"}
    assert client.get("/api/v1/runs/74", headers=origin).headers["Access-Control-Allow-Origin"] == "*"
    for method, status in (("GET", 200), ("POST", 400)):
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
        assert client.options("/api/v1/runs/74", headers={**origin, **asked}).status_code == status


class Platform(BaseHTTPRequestHandler):
    """An upstream that tells what it was asked."""

    def do_GET(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.dumps(
            {
                "method": self.command,
                "path": self.path,
                "authorization": self.headers.get("Authorization"),
                "body": self.rfile.read(size).decode(),
            }
        ).encode()
        self.send_response(203)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Platform", "yes")
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name is the server's

    def log_message(self, *_: object) -> None:
        pass


def test_what_no_tree_holds_is_asked_of_the_platform(tree: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Platform)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with serving(create_app(str(tree), f"http://127.0.0.1:{server.server_port}")) as client:
            headers = {"Authorization": "Bearer CANARY"}
            answer = client.get("/api/v1/runs/74/artifacts?x=%2F1", headers=headers)
            assert (answer.status_code, answer.headers["X-Platform"]) == (203, "yes")
            assert answer.json()["path"] == "/api/v1/runs/74/artifacts?x=%2F1"
            assert answer.json()["authorization"] == "Bearer CANARY"
            posted = client.post("/api/v1/runs", content=b"abc").json()
            assert (posted["method"], posted["body"]) == ("POST", "abc")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert "CANARY" not in caplog.text
    with serving(create_app(str(tree), f"http://127.0.0.1:{server.server_port}")) as client:
        assert client.get("/api/v1/account").status_code == 502


def test_a_base_must_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXPORTER_BASE", raising=False)
    with pytest.raises(UsageError):
        create_app()


def test_a_base_that_is_down_may_come_up_later(
    tree: pathlib.Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What answers that there is nothing ends the program at once: `tests/cli/test_wrong_input.py`."""
    gone = [True]
    answer = web.files(tree)
    monkeypatch.setattr(http, "POLICY", dataclasses.replace(http.POLICY, attempts=1))
    with web.running(lambda asked: web.Reply(status=503) if gone else answer(asked)) as server:
        app = create_app(server.url)
        assert "HTTP status 503" in caplog.text and "until it can, requests are answered with 502" in caplog.text
        with serving(app) as client:
            assert client.get("/api/v1/runs/74").status_code == 502
            gone.clear()
            assert client.get("/api/v1/runs/74").json()["run_id"] == 74
        empty = web.Reply(status=404)
        server.answer = lambda asked: empty
        with pytest.raises(NotFoundError):
            create_app(server.url)
