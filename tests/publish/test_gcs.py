"""The bucket as a store, against the emulator, with faults before it, and against replies that no emulator gives."""

import base64
import contextlib
import gzip
import hashlib
import itertools
import json
import multiprocessing
import pathlib
import pickle
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import google_crc32c
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import AnonymousCredentials
from hypothesis import settings
from hypothesis.stateful import run_state_machine_as_test

from exporter import paths
from exporter.cache_control import cache_control
from exporter.cli.main import run
from exporter.demo import create_demo
from exporter.errors import ConflictError, StoreError
from exporter.export import pipeline
from exporter.publish.gcs import ahead, bucket_store, bulk_upload, link, objects, session
from exporter.publish.gcs.bucket_store import GcsStore
from exporter.publish.gcs.objects import upload_of
from exporter.publish.store import ABSENT
from exporter.retry import RetryPolicy
from tests.benchmarks import sink
from tests.support import faulty_proxy, replies
from tests.support.emulator import Emulator, bucket, emulator  # noqa: F401
from tests.support.faulty_proxy import Proxy, script, some
from tests.support.store_suite import NewStore, Rules, _Model

pytestmark = pytest.mark.soak


Front = Callable[..., Proxy]

FIFTEEN = "public, max-age=15"
MINUTES = "public, max-age=300"
EVER = "public, max-age=31536000, immutable"
PRIVATE = "private, no-store"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "POLICY", RetryPolicy(first_pause=0.05))


@pytest.fixture(params=["bulk", "plain"])
def store(request: pytest.FixtureRequest, bucket: str) -> GcsStore:  # noqa: F811
    return GcsStore(bucket, "api/", plain=request.param == "plain")


@pytest.fixture
def front(emulator: Emulator, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Front]:  # noqa: F811
    """Puts a faulty proxy before the emulator from here on."""
    with contextlib.ExitStack() as stack:

        def start(plan: faulty_proxy.Plan, stall: float = 0.3) -> Proxy:
            proxy = stack.enter_context(faulty_proxy.running(emulator.url, plan, stall))
            monkeypatch.setenv("STORAGE_EMULATOR_HOST", proxy.url)
            return proxy

        yield start


def documents(count: int, size: int = 100) -> list[tuple[str, bytes]]:
    return [(f"v1/runs/{number}.json", b'{"run_id": %d}' % number + b" " * size) for number in range(count)]


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def metadata(emulator: Emulator, store: GcsStore, path: str) -> dict[str, object]:  # noqa: F811
    name = urllib.parse.quote(f"api/{path}", safe="")
    with urllib.request.urlopen(f"{emulator.url}/storage/v1/b/{store.bucket}/o/{name}", timeout=10) as reply:
        found: dict[str, object] = json.load(reply)
        return found


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("v1/manifest.json", FIFTEEN),
        ("v1/pending.json", FIFTEEN),
        ("v1/runs.json", FIFTEEN),
        ("v1/runs/by-branch/master.json", FIFTEEN),
        ("v1/runs/by-platform/linux.json", FIFTEEN),
        ("v1/runs/by-repository/CCExtractor-ccextractor~0123456789ab.json", FIFTEEN),
        ("v1/runs/by-status/fail.json", FIFTEEN),
        ("v1/samples/7/history.json", FIFTEEN),
        ("v1/runs/by-branch.json", MINUTES),
        ("v1/runs/by-commit/0123.json", MINUTES),
        ("v1/runs/by-pr/12.json", MINUTES),
        ("v1/runs/by-branch/master/archive/93.json", MINUTES),
        ("v1/runs/9301.json", MINUTES),
        ("v1/runs/9301/samples/17.json", MINUTES),
        ("v1/samples/7.json", MINUTES),
        ("v1/samples/7/history/archive/3.json", MINUTES),
        ("v1/samples.json", MINUTES),
        ("v1/snapshots.json", FIFTEEN),
        ("v1/snapshots/latest.json", FIFTEEN),
        ("v1/snapshots/20260101T000000Z-0123456789ab/runs.parquet", EVER),
        ("index.html", FIFTEEN),
        ("v1/manifests/93-0123456789ab.json", EVER),
        ("v1/diffs/aa-bb.json", MINUTES),
        ("_state/layout.json", PRIVATE),
        ("_state/v1/manifest.json", PRIVATE),
        ("_state/manifests/x.json", PRIVATE),
    ],
)
def test_cache_control(path: str, expected: str) -> None:
    assert cache_control(path) == expected


def test_an_upload_is_the_same_everywhere_but_for_its_writer() -> None:
    data = b'{"key": "value"}' * 100
    first, second = (upload_of("p/a.json", "a.json", data, 7, sha256(data)) for _ in range(2))
    assert first.body == second.body != data
    assert gzip.decompress(first.body) == data
    assert first.body[4:8] == bytes(4), "no time in the gzip header"
    assert first.resource["metadata"].pop("write") != second.resource["metadata"].pop("write")
    assert first == second
    assert first.resource["contentEncoding"] == "gzip"
    assert base64.b64decode(first.resource["crc32c"]) == google_crc32c.value(first.body).to_bytes(4, "big")
    assert first.resource["metadata"] == {"sha256": sha256(data), "size": "1600"}


@pytest.mark.parametrize(
    ("path", "size", "compressed", "content_type"),
    [
        ("a.json", 1023, False, "application/json"),
        ("a.json", 1024, True, "application/json"),
        ("index.html", 5000, True, "text/html; charset=utf-8"),
        ("a.jsonl.gz", 5000, False, "application/gzip"),
        ("a.png", 5000, False, "image/png"),
        ("SHA256SUMS", 5000, True, "text/plain; charset=utf-8"),
        ("a.bin", 5000, False, "application/octet-stream"),
    ],
)
def test_compression_and_type(path: str, size: int, compressed: bool, content_type: str) -> None:
    upload = upload_of(path, path, bytes(size), 0, "")
    assert (upload.resource.get("contentEncoding") == "gzip") is compressed
    assert upload.resource["contentType"] == content_type


def test_get_and_replace(store: GcsStore) -> None:
    assert store.get("v1/manifest.json") is None
    version = store.replace("v1/manifest.json", b"one", ABSENT)
    for stale in (ABSENT, "1", str(int(version) + 1)):
        with pytest.raises(ConflictError):
            store.replace("v1/manifest.json", b"two", stale)
    found = store.get("v1/manifest.json")
    assert found is not None
    assert (found.data, found.version) == (b"one", version)
    assert store.replace("v1/manifest.json", b"two" * 1000, version) != version
    found = store.get("v1/manifest.json")
    assert found is not None
    assert found.data == b"two" * 1000
    with pytest.raises(ConflictError):
        store.replace("v1/other.json", b"x", version)


def test_what_was_asked_for_ahead_is_not_believed_to_be_absent_if_it_may_have_come(store: GcsStore) -> None:
    path = f"{paths.API_ROOT}{paths.MANIFESTS}7-0123456789ab.json"
    store.expect([path])
    while not store._reads._asked[path].done():
        time.sleep(0.01)
    store.write([(path, b"{}")])
    found = store.get(path)
    assert found is not None and found.data == b"{}"


def test_write_skips_what_is_there(store: GcsStore) -> None:
    assert store.write([]) == 0
    assert store.write(documents(30)) == 30
    assert store.write(iter(documents(40))) == 10
    assert store.write([*documents(3), ("v1/runs/1.json", b"last wins")]) == 1
    found = store.get("v1/runs/1.json")
    assert found is not None
    assert found.data == b"last wins"


def test_headers_and_metadata_as_stored(store: GcsStore, emulator: Emulator) -> None:  # noqa: F811
    data = b'{"data": [1, 2, 3]}' * 100
    store.write([("v1/runs.json", data), ("v1/tags.json", b"{}")])
    store.replace("_state/layout.json", b"{}", ABSENT)
    head = metadata(emulator, store, "v1/runs.json")
    assert head["contentType"] == "application/json"
    assert head["cacheControl"] == FIFTEEN
    assert head["contentEncoding"] == "gzip"
    assert isinstance(head["metadata"], dict)
    assert head["metadata"]["sha256"] == sha256(data)
    assert head["metadata"]["size"] == str(len(data))
    small = metadata(emulator, store, "v1/tags.json")
    assert "contentEncoding" not in small
    assert small["cacheControl"] == MINUTES
    assert metadata(emulator, store, "_state/layout.json")["cacheControl"] == PRIVATE


def test_list_and_delete(store: GcsStore) -> None:
    store.write([*documents(5, 5000), ("v1/tags.json", b"12345")])
    assert {entry.path: entry.size for entry in store.list("v1/")} == {
        path: len(data) for path, data in [*documents(5, 5000), ("v1/tags.json", b"12345")]
    }
    assert [entry.path for entry in store.list("v1/runs/3")] == ["v1/runs/3.json"]
    assert list(store.list("nothing/")) == []
    assert store.delete(["v1/runs/3.json", "v1/none.json", "v1/tags.json"]) == 2
    assert store.delete([]) == 0
    assert sum(1 for _ in store.list("")) == 4
    store.sweep()
    assert GcsStore(store.bucket, "api/v1").get("runs/1.json") is not None
    assert GcsStore(store.bucket).get("api/v1/runs/1.json") is not None


def test_names_and_prefixes(store: GcsStore) -> None:
    deep = GcsStore(store.bucket, "/p" * 300 + "/")
    with pytest.raises(StoreError, match=r"longer than 1,024 bytes"):
        deep.get("/".join("x" * 250))
    assert deep.write([("v1/a.json", b"a")]) == 1
    assert [entry.path for entry in deep.list("")] == ["v1/a.json"]
    for prefix in ("a//b", "..", ".well-known/acme-challenge", "a\nb"):
        with pytest.raises(StoreError, match="cannot be the path of an object"):
            GcsStore(store.bucket, prefix)
    assert [GcsStore("b", prefix).name for prefix in ("", "/", "a", "/a/b/")] == ["gs://b"] * 2 + [
        "gs://b/a",
        "gs://b/a/b",
    ]


def test_a_pickled_store_opens_its_own_connection(store: GcsStore) -> None:
    store.get("v1/manifest.json")
    assert store._linked is not None
    twin = pickle.loads(pickle.dumps(store))
    assert twin._linked is None
    assert (twin.name, twin.grace, twin) == (store.name, store.grace, store)
    assert store.name == f"gs://{store.bucket}/api"
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert sum(pool.map(store.write, [documents(10)[:5], documents(10)[5:]])) == 10
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(store.get, ("v1/runs/1.json",)) == store.get("v1/runs/1.json")


def test_what_is_there_is_told_by_few_requests(store: GcsStore, front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (ahead, bucket_store):
        monkeypatch.setattr(module, "PAGE", 100)
    proxy = front(lambda _: None)
    many = documents(450)
    store.get("v1/manifest.json")
    proxy.lines.clear()
    assert store.write(many) == 450
    assert sum(line.startswith("GET") for line in proxy.lines) == 1, "one look at an empty bucket"
    proxy.lines.clear()
    assert store.write(many) == 0
    assert len(proxy.lines) == 5, "five pages"
    proxy.lines.clear()
    assert store.write(many[::100]) == 0
    assert len(proxy.lines) == 5, "one look at each of a few"
    proxy.lines.clear()
    assert store.write(many[::15]) == 0
    assert len(proxy.lines) == 1 + (30 - 8), "a page decides too few: one look at each of the others"


def test_memory_is_bounded() -> None:
    def endless() -> Iterator[tuple[str, bytes]]:
        for number in itertools.count():
            yield f"{number}", bytes(1_000_000)

    windows = objects.windows(endless())
    assert len(next(windows)) == 16
    small = objects.windows((str(number), b"") for number in range(4001))
    assert [len(window) for window in small] == [2000, 2000, 1]


@pytest.mark.parametrize("kind", faulty_proxy.ALL)
def test_one_fault_anywhere_changes_nothing(store: GcsStore, front: Front, kind: faulty_proxy.Fault) -> None:
    front(script(kind, only="o?"))  # at the first contact
    assert store.get("v1/manifest.json") is None
    for only, call, expected in [
        ("POST", lambda: store.replace("v1/manifest.json", b"one" * 1000, ABSENT) != ABSENT, True),
        ("alt=media", lambda: store.get("v1/manifest.json").data, b"one" * 1000),  # type: ignore[union-attr]
        ("POST", lambda: store.write(documents(20)), 20),
        ("o?", lambda: store.write(documents(20)), 0),
        ("o?", lambda: sum(1 for _ in store.list("v1/runs/")), 20),
        ("GET", lambda: store.write(documents(5)), 0),
        ("DELETE", lambda: store.delete(path for path, _ in documents(20)), 20),
    ]:
        proxy = front(script(kind, only=only))
        store._linked = None
        assert call() == expected
        assert proxy.made == {kind: 1}, only


def test_a_tenth_of_all_requests_failing_slows_down_and_changes_nothing(store: GcsStore, front: Front) -> None:
    proxy = front(some(0.1, seed=3))
    assert store.write(documents(300, 2000)) == 300
    assert store.write(documents(310, 2000)) == 10
    for path, data in documents(310, 2000)[::31]:
        found = store.get(path)
        assert found is not None
        assert found.data == data
    version = ABSENT
    for number in range(10):
        version = store.replace("v1/manifest.json", b"%d" % number, version)
    assert store.delete(path for path, _ in documents(310)) == 310
    assert set(proxy.made) == set(faulty_proxy.ALL)


def test_a_lost_reply_is_told_from_a_lost_race(store: GcsStore, front: Front) -> None:
    front(script("reset after", only="POST"))
    version = store.replace("v1/pending.json", b"mine", ABSENT)
    found = store.get("v1/pending.json")
    assert found is not None
    assert found.version == version

    other = GcsStore(store.bucket, store.prefix)
    front(script("reset before", only="POST"))
    store._linked = None
    put = store._put
    calls = itertools.count()

    def overtaken(upload: object) -> str:
        if next(calls) == 1:
            other.replace("v1/pending.json", b"mine", version)  # the same bytes, and still not ours
        return put(upload)  # type: ignore[arg-type]

    store._put = overtaken  # type: ignore[method-assign,assignment]
    with pytest.raises(ConflictError):
        store.replace("v1/pending.json", b"mine", version)


@pytest.mark.parametrize("theirs", [b"other", b"same"])
def test_a_write_never_puts_its_bytes_over_what_another_wrote_meanwhile(
    store: GcsStore, theirs: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = GcsStore(store.bucket, store.prefix)
    store.write([("v1/a.json", b"old"), ("v1/b.json", b"old")])
    lacking = store._lacking

    def overtaken(*arguments: Any) -> object:
        uploads = lacking(*arguments)
        other.write([("v1/b.json", theirs)])
        return uploads

    monkeypatch.setattr(store, "_lacking", overtaken)
    expected = contextlib.nullcontext() if theirs == b"same" else pytest.raises(ConflictError, match=r"v1/b\.json")
    with expected:
        store.write([("v1/a.json", b"same"), ("v1/b.json", b"same")])
    found = store.get("v1/b.json")
    assert found is not None
    assert found.data == theirs


def _race(store: GcsStore, number: int) -> str | None:
    try:
        return store.replace("v1/manifest.json", b"%d" % number, ABSENT)
    except ConflictError:
        return None


@pytest.mark.parametrize("plan", [None, some(0.2, seed=5)], ids=["calm", "faulty"])
def test_of_many_processes_one_wins(bucket: str, front: Front, plan: faulty_proxy.Plan | None) -> None:  # noqa: F811
    front(plan or (lambda _: None))
    store = GcsStore(bucket)
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        for _ in range(3):
            results = pool.starmap(_race, [(store, number) for number in range(16)], chunksize=1)
            found = store.get("v1/manifest.json")
            assert found is not None
            assert [version for version in results if version] == [found.version]
            assert results[int(found.data)] == found.version
            store.delete(["v1/manifest.json"])


def absent(asked: replies.Asked) -> tuple[int, bytes]:
    """What an empty bucket answers; it takes every upload."""
    if asked.line.startswith("POST"):
        return 200, replies.stored(asked)
    return (200, b'{"kind": "storage#objects"}') if "/o?" in asked.line else (404, error(404, "No such object"))


def error(code: int, message: str, reason: str = "x") -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "errors": [{"reason": reason}]}}).encode()


NOT_GOOGLE = [
    b"<!doctype html><title>Sign in</title>",
    b"null",
    b"[]",
    b"[1, 2]",
    b'"ok"',
    b"{",
    b'{"name": "p/other.json", "generation": "1", "size": "1", "crc32c": "AAAAAA=="}',
    b'{"code": 200, "message": "signed out"}',
]
"""Bodies with status 200 that are not Google's."""

DENIED = "exporter@p.iam.gserviceaccount.com does not have storage.objects.create access.\nOr it may not exist."


@pytest.mark.parametrize("plain", [False, True], ids=["bulk", "plain"])
@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (403, error(403, DENIED, "forbidden"), "permission denied .*storage.objects.create"),
        (403, error(403, "Over quota", "quotaExceeded"), "a quota is used up"),
        (404, error(404, "The specified bucket does not exist."), "no such bucket"),
        (429, error(429, "Slow down"), "too many requests .*max-writes-per-second"),
        (503, b"<html>\n<p>Backend Error", "keeps failing with 503"),
        (400, error(400, "What?"), "refused a request with 400"),
        (404, b"<html>", "does not find what was asked for"),
        (302, b"", "refused a request with 302"),
        *((200, body, "another server answers in the place of Google Cloud Storage") for body in NOT_GOOGLE),
    ],
)
def test_what_an_operator_can_mend_is_said_in_one_line(
    monkeypatch: pytest.MonkeyPatch, plain: bool, status: int, body: bytes, expected: str
) -> None:
    def refuse(asked: replies.Asked) -> tuple[int, bytes]:
        return (status, body) if asked.line.startswith("POST") else absent(asked)

    with replies.running(refuse) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        store = GcsStore("b", plain=plain, deadline=0.5)
        for call in (lambda: store.write(documents(3)), lambda: store.replace("v1/manifest.json", b"", ABSENT)):
            with pytest.raises(StoreError, match=expected) as raised:
                call()
            assert not isinstance(raised.value, ConflictError)
            assert "\n" not in str(raised.value)
            assert str(raised.value).startswith("gs://b: ")
        server.answer = lambda _: (status, body)
        store = GcsStore("b", plain=plain, deadline=0.5)
        for call in (
            lambda: store.get("v1/manifest.json"),
            lambda: list(store.list("")),
            lambda: store.delete(["a"]),
            lambda: store.write(documents(30)),
        ):
            with pytest.raises(StoreError, match=expected):
                call()


@pytest.mark.parametrize("plain", [False, True], ids=["bulk", "plain"])
@pytest.mark.parametrize(
    "change", [{"generation": None}, {"generation": "x"}, {"size": "99"}, {"crc32c": "AAAAAA=="}, {"name": "b"}]
)
def test_an_upload_is_believed_only_if_the_reply_names_what_was_sent(
    monkeypatch: pytest.MonkeyPatch, plain: bool, change: dict[str, str]
) -> None:
    wrong = iter(range(3))

    def answer(asked: replies.Asked) -> tuple[int, bytes]:
        status, body = absent(asked)
        if asked.line.startswith("POST") and next(wrong, None) is not None:
            return 200, json.dumps(json.loads(body) | change).encode()
        return status, body

    with replies.running(answer) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        assert GcsStore("b", plain=plain).write(documents(1)) == 1
        assert sum(asked.line.startswith("POST") for asked in server.asked) == 4
        wrong = iter(range(1000))
        with pytest.raises(StoreError, match="another server answers"):
            GcsStore("b", plain=plain, deadline=0.3).write(documents(1))


@pytest.mark.parametrize("plain", [False, True], ids=["bulk", "plain"])
@pytest.mark.parametrize("status", [409, 410])
def test_one_collision_is_repeated_and_a_second_one_is_not(
    monkeypatch: pytest.MonkeyPatch, plain: bool, status: int
) -> None:
    statuses = iter([status, 200, status, status])

    def answer(asked: replies.Asked) -> tuple[int, bytes]:
        if asked.line.startswith("POST") and next(statuses) == status:
            return status, error(status, "conflict")
        return absent(asked)

    with replies.running(answer) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        store = GcsStore("b", plain=plain)
        assert store.write(documents(1)) == 1
        with pytest.raises(StoreError, match=f"refused a request with {status}"):
            store.write(documents(1))


@pytest.mark.parametrize("plain", [False, True], ids=["bulk", "plain"])
def test_the_pause_that_the_service_asks_for_is_made(monkeypatch: pytest.MonkeyPatch, plain: bool) -> None:
    times: list[float] = []

    def answer(asked: replies.Asked) -> tuple[int, bytes] | tuple[int, bytes, dict[str, str]]:
        if asked.line.startswith("POST"):
            times.append(time.monotonic())
            if len(times) == 1:
                return 429, error(429, "Slow down"), {"Retry-After": "1"}
        return absent(asked)

    with replies.running(answer) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        assert GcsStore("b", plain=plain).write(documents(1)) == 1
    assert times[1] - times[0] >= 1


def test_a_check_of_the_permissions(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role on a prefix does not show among the bucket's permissions: what counts then is whether a write succeeds."""
    held: list[str] = []
    status = 200

    def answer(asked: replies.Asked) -> tuple[int, bytes]:
        if "/testPermissions" in asked.line:
            return 200, json.dumps({"kind": "x", "permissions": held}).encode()
        if asked.line.startswith("POST"):
            return (200, replies.stored(asked)) if status == 200 else (403, error(403, DENIED, "forbidden"))
        return (204, b"") if asked.line.startswith("DELETE") else absent(asked)

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    monkeypatch.setattr(link, "credentials", lambda *_: AnonymousCredentials())
    with replies.running(answer) as server:
        monkeypatch.setenv("API_ENDPOINT_OVERRIDE", server.url)
        store = GcsStore("b", deadline=1)
        store.check_writable()
        assert [asked.line.split()[0] for asked in server.asked][-2:] == ["POST", "DELETE"]
        asked_first = len(server.asked)
        status = 403
        store.check_writable(10**15)
        assert len(server.asked) == asked_first, "an export checks once, however often it asks for room"
        with pytest.raises(StoreError, match="permission denied"):
            GcsStore("b", deadline=1).check_writable()
        held = list(session.NEEDED)
        GcsStore("b", deadline=1).check_writable(10**15)


def test_an_unreachable_network_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with replies.running(absent) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        stores = [GcsStore("b", plain=plain, deadline=0.5) for plain in (False, True)]
        for store in stores:
            store.delete([])
            assert list(store.list("")) == []
    for store in [*stores, GcsStore("b", deadline=0.5)]:
        with pytest.raises(StoreError, match="cannot be reached"):
            store.get("v1/manifest.json")
        with pytest.raises(StoreError, match="cannot be reached"):
            store.write(documents(1))


def test_a_wrong_credentials_file_is_said_in_one_line(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    (tmp_path / "bad.json").write_text("{}")
    for name in ("none.json", "bad.json"):
        with pytest.raises(StoreError, match=rf"{name} cannot be used.*--credentials FILE"):
            GcsStore("b", credentials=tmp_path / name).get("a")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    with pytest.raises(StoreError, match=r"there are no Google credentials.*--credentials FILE"):
        GcsStore("b").get("a")


def _account(folder: pathlib.Path, url: str) -> pathlib.Path:
    """A key file of a service account whose tokens come from a server of ours."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    encoded = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file = folder / "key.json"
    fields = {
        "type": "service_account",
        "client_email": "exporter@example.invalid",
        "token_uri": f"{url}/token",
        "private_key": encoded.decode(),
        "private_key_id": "1",
        "project_id": "p",
    }
    file.write_text(json.dumps(fields))
    return file


def test_tokens_are_renewed_and_refusals_said(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = itertools.count()
    good: set[str] = set()
    refusing = False

    def answer(asked: replies.Asked) -> tuple[int, bytes]:
        if asked.line == "POST /token":
            if refusing:
                return 400, b'{"error": "invalid_grant", "error_description": "Invalid JWT Signature."}'
            token = f"token-{next(made)}"
            good.add(token)
            return 200, json.dumps({"access_token": token, "expires_in": 3600}).encode()
        if asked.headers.get("authorization", "").removeprefix("Bearer ") not in good:
            return 401, error(401, "Invalid Credentials")
        return absent(asked)

    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    # Beside each token the library asks Google for the regions that it is good for; not from a test.
    monkeypatch.setattr(
        "google.auth.credentials.CredentialsWithRegionalAccessBoundary._is_regional_access_boundary_lookup_required",
        lambda _: False,
    )
    with replies.running(answer) as server:
        monkeypatch.setenv("API_ENDPOINT_OVERRIDE", server.url)
        file = _account(tmp_path, server.url)
        for plain in (False, True):
            store = GcsStore("b", credentials=file, plain=plain, deadline=5)
            assert store.write(documents(20)) == 20
            good.clear()
            assert store.write(documents(20)) == 20
        store = GcsStore("b", credentials=file, deadline=5)
        with bulk_upload.Bulk("b", "b", store._link().trusted, bulk_upload.Rate(1000), timeout=5, deadline=5) as send:
            good.clear()
            before = next(made)
            assert send([upload_of(path, path, data, 0, "") for path, data in documents(50)]) == []
            assert next(made) == before + 2, "one renewal for all requests"
            refusing = True
            good.clear()
            with pytest.raises(StoreError, match=r"^b: Google refuses the credentials: .*invalid_grant.*; renew them"):
                send([upload_of(path, path, data, 0, "") for path, data in documents(5)])
        for refused in (store, GcsStore("b", credentials=file)):
            with pytest.raises(StoreError, match=r"^gs://b: Google refuses the credentials: .*invalid_grant.*; renew"):
                refused.get("a")
        refusing = False
        server.answer = lambda asked: answer(asked) if asked.line == "POST /token" else (401, error(401, "No"))
        for plain in (False, True):
            with pytest.raises(StoreError, match="the credentials have expired or are not valid"):
                GcsStore("b", credentials=file, plain=plain).write(documents(2))


def test_a_damaged_upload_is_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = iter([(400, error(400, "Provided CRC32C does not match calculated CRC32C"))])

    def answer(asked: replies.Asked) -> tuple[int, bytes]:
        return next(damaged, absent(asked)) if asked.line.startswith("POST") else absent(asked)

    with replies.running(answer) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        assert GcsStore("b").write(documents(1)) == 1
        posts = [asked for asked in server.asked if asked.line.startswith("POST")]
        assert len(posts) == 2
        resource = json.loads(re.search(rb"\{.*\}\r\n", posts[1].body).group())  # type: ignore[union-attr]
        body = documents(1)[0][1]
        assert resource["crc32c"] == base64.b64encode(google_crc32c.value(body).to_bytes(4, "big")).decode()
        assert posts[1].body.count(body) == 1
        assert posts[1].line.endswith("&ifGenerationMatch=0")


def test_the_sink_of_the_benchmarks_refuses_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    with sink.running(0.0, tls=False) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        store = GcsStore("b", deadline=0.3)
        assert store.write(documents(5, 2000)) == 5
        upload = upload_of("a", "a", b"a" * 5000, 0, "")
        upload.resource["crc32c"] = "AAAAAA=="
        with store._sender() as send, pytest.raises(StoreError, match="CRC32C is wrong"):
            send([upload])


def test_a_damaged_download_is_never_taken(store: GcsStore, emulator: Emulator, front: Front) -> None:  # noqa: F811
    data = bytes(range(256)) * 1000
    store.replace("v1/manifest.json", data, ABSENT)
    proxy = front(script("truncate", "truncate", None, only="alt=media"))
    store._linked = None
    found = store.get("v1/manifest.json")
    assert found is not None
    assert found.data == data
    assert proxy.made["truncate"] == 2


def test_what_is_damaged_in_the_bucket_is_said(store: GcsStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.publish.gcs.objects.igzip.compress", lambda data, *_, **__: data)
    store.replace("v1/manifest.json", b"{}" * 1000, ABSENT)
    with pytest.raises(StoreError, match=r"v1/manifest\.json is not the gzip that it claims to be"):
        store.get("v1/manifest.json")


def test_rate() -> None:
    now = 100.0
    rate = bulk_upload.Rate(10, clock=lambda: now)
    waits = [rate.take() for _ in range(5)]
    assert waits == pytest.approx([0, 0, 0, 0.05, 0.15])
    now += 10
    assert [rate.take() for _ in range(4)] == pytest.approx([0, 0, 0, 0.05])


def test_writes_are_spread_over_time(store: GcsStore) -> None:
    slow = GcsStore(store.bucket, store.prefix, plain=store.plain, max_writes_per_second=40)
    begin = time.monotonic()
    slow.write(documents(50))
    assert time.monotonic() - begin > (50 - 11) / 40


def test_the_bulk_path_backs_off_and_comes_back(bucket: str, front: Front) -> None:  # noqa: F811
    store = GcsStore(bucket)
    linked = store._link()
    front(script(*["503"] * 10, *["429"] * 10, only="POST"))
    with bulk_upload.Bulk(store.name, bucket, linked.trusted, linked.rate, timeout=5, deadline=60) as send:
        send([upload_of(path, path, data, 0, "") for path, data in documents(60)])
        assert 4 <= send._limit < 64
        assert send._repeated == 20
        low = send._limit
        send([upload_of(f"x/{path}", path, data, 0, "") for path, data in documents(300)])
        assert send._limit > low


def test_a_failure_stops_the_others_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(asked: replies.Asked) -> tuple[int, bytes]:
        return (403, error(403, "no")) if asked.line.startswith("POST") else absent(asked)

    with replies.running(answer) as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        for plain in (False, True):
            server.asked.clear()
            with pytest.raises(StoreError, match="permission denied"):
                GcsStore("b", plain=plain).write(documents(2000))
            assert len([asked for asked in server.asked if asked.line.startswith("POST")]) < 200


class TestBehindFaults(Rules):
    """A tenth of all requests fails, and all rules hold; but what a lost reply had deleted cannot be counted."""

    test_hostile_paths = test_hostile_prefixes_find_nothing = test_list = None  # the same few requests again and again

    @pytest.fixture
    def new_store(self, emulator: Emulator, front: Front) -> NewStore:  # noqa: F811
        plan = some(0.1, seed=7)
        front(lambda line: None if line.startswith("DELETE") else plan(line), stall=0.05)
        return lambda: GcsStore(emulator.new_bucket(), "api")

    def test_any_sequence_of_calls_is_that_of_a_dict(self, new_store: NewStore) -> None:
        few = settings(max_examples=5, stateful_step_count=12, deadline=None)
        run_state_machine_as_test(lambda: _Model(new_store()), settings=few)  # type: ignore[no-untyped-call]


def test_a_check_comes_between_looking_and_writing(store: GcsStore) -> None:
    """So that what another wrote before the check is not overwritten, however long we sleep after it."""
    other = GcsStore(store.bucket, store.prefix)
    store.write([("v1/a.json", b"old")])
    with pytest.raises(ConflictError):
        store.write([("v1/a.json", b"ours")], lambda: other.write([("v1/a.json", b"theirs")]) and None)
    found = store.get("v1/a.json")
    assert found is not None and found.data == b"theirs"


def test_what_another_wrote_after_the_check_is_not_deleted(store: GcsStore, front: Front) -> None:
    """What was not there before is not deleted, either; a file of the state is, without a look."""
    front(lambda _: None)
    other = GcsStore(store.bucket, store.prefix)
    names = [f"v1/{name}.json" for name in "abc"] + ["_state/partitions/1/node-0123456789ab.json"]
    store.write((name, b"old") for name in names if name != names[2])

    def overtaken() -> None:
        other.write([(names[1], b"theirs"), (names[2], b"theirs"), (names[3], b"theirs")])

    assert store.delete(names, overtaken) == 2
    assert [entry.path for entry in store.list("")] == names[1:3]


@pytest.mark.parametrize("there", [b"same", b"other", None])
def test_what_is_written_anew_has_another_generation(store: GcsStore, there: bytes | None) -> None:
    """So that an export that saw the one before can put nothing in its place."""
    other = GcsStore(store.bucket, store.prefix)
    if there is not None:
        store.write([("v1/a.json", there), ("v1/b.json", b"same")])

    def overtaken() -> None:
        assert other.write([("v1/a.json", b"same"), ("v1/b.json", b"same")], anew={"v1/a.json"}) == 1 + (not there)

    with pytest.raises(ConflictError):
        store.write([("v1/a.json", b"sleeper's")], overtaken)
    found = store.get("v1/a.json")
    assert found is not None and found.data == b"same"


@pytest.mark.parametrize("theirs", [b"other", b"same"])
def test_what_was_looked_at_together_is_written_on_that_condition(store: GcsStore, theirs: bytes) -> None:
    """After one check, in several goes; and not over what another wrote after the looks."""
    other, checks = GcsStore(store.bucket, store.prefix), list[int]()
    paths_ = [f"v1/{name}.json" for name in "abc"]
    store.write([(paths_[0], b"old"), (paths_[1], b"same")])
    with store.looked(paths_[:2], paths_[2:]):
        for path in paths_[:2]:
            store.write([(path, b"same")], lambda: checks.append(1))
        other.write([(paths_[2], theirs)])
        expected = contextlib.nullcontext() if theirs == b"same" else pytest.raises(ConflictError, match=r"v1/c\.json")
        with expected:
            store.write([(paths_[2], b"same")], lambda: checks.append(1))
    assert checks == [1]
    store.write([(paths_[2], b"same")], lambda: checks.append(1))
    assert len(checks) == (1 if theirs == b"same" else 2), "after the block each write looks for itself"
    assert [(found := store.get(path)) and found.data for path in paths_] == [b"same"] * 3


@pytest.mark.parametrize("there", [None, b"damaged", b"ours"])
def test_what_was_listed_as_absent_is_compared_if_it_is_there(store: GcsStore, there: bytes | None) -> None:
    path = f"{paths.API_ROOT}{paths.MANIFESTS}7-0123456789ab.json"
    if there is not None:
        GcsStore(store.bucket, store.prefix).write([(path, there)])
    expected = pytest.raises(ConflictError, match="another writer") if there == b"damaged" else contextlib.nullcontext()
    with store.looked(absent=[path]), expected:
        store.write([(path, b"ours")])
    store.write([(path, b"ours")])
    found = store.get(path)
    assert found is not None and found.data == b"ours"


def test_the_check_before_exports_reads_the_bucket_and_its_settings(
    emulator: Emulator,  # noqa: F811
    bucket: str,  # noqa: F811
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", emulator.url)
    database = f"sqlite:///{tmp_path}/platform.sqlite"
    create_demo(database, runs=4, tests=2, seed=1)

    def check(store: str) -> tuple[int, dict[str, tuple[str, str]]]:
        code = run(["check", "--database-url", database, "--store", store, "--json"])
        told = json.loads(capsys.readouterr().out)
        return code, {one["check"]: (one["state"], one["detail"]) for one in told["checks"]}

    store = GcsStore(bucket, "api")
    code, found = check(store.name)
    assert code == 0 and found["store"] == (
        "ok",
        f"{store.name} can be written, and is empty: the first export fills it",
    )
    state, settings = found["bucket settings"]
    assert state == "warning" and "CORS" in settings and "readers" in settings and "soft delete" not in settings
    assert list(store.list("")) == []
    pipeline.export(pipeline.Settings(database, store, 0))
    assert "holds 4 runs" in check(store.name)[1]["store"][1]
    code, found = check("gs://no-such-bucket")
    assert code == 1 and "check the name of the bucket" in found["store"][1] and "bucket settings" not in found
