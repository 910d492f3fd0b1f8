"""The reader: the same documents from wherever they are served, and clear errors from whoever answers wrongly."""

import base64
import gzip
import itertools
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from exporter.client import http
from exporter.client.api import Api, FetchError, NotFoundError
from exporter.client.bases import root_url
from exporter.demo import create_demo
from exporter.errors import UsageError
from exporter.publish.gcs.bucket_store import GcsStore
from tests.support import platform, web
from tests.support.platform import export
from tests.support.web import RESET, Asked, Reply


@pytest.fixture(scope="module")
def published(parity_sqlite: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    root = tmp_path_factory.mktemp("client") / "tree"
    export(f"sqlite:///{parity_sqlite}", root)
    return root


@pytest.fixture
def api(published: pathlib.Path) -> Iterator[Api]:
    with Api(str(published)) as api:
        yield api


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that a reader makes; none of them takes any time."""
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


# The same from everywhere.


@pytest.fixture(params=["folder", "file", "http", "v1"])
def base(request: pytest.FixtureRequest, published: pathlib.Path) -> Iterator[str]:
    match request.param:
        case "folder":
            yield str(published)
        case "file":
            yield f"{published.as_uri()}/"
        case "v1":
            yield f"{published}/v1"
        case "http":
            with web.running(web.files(published)) as server:
                yield server.url


def test_every_list_and_document_reads_the_same(published: pathlib.Path, base: str) -> None:
    raw = platform.Api(published)

    def ids(items: Any, key: str) -> list[Any]:
        return [item[key] for item in items]

    with Api(base) as api:
        runs = ids(api.runs(), "run_id")
        assert runs == ids(raw.items("runs.json"), "run_id") and len(runs) > 50
        assert list(api.history(1)) == raw.items("samples/1/history.json")
        assert list(api.errors(runs[-1])) == raw.items(f"runs/{runs[-1]}/errors.json")
        assert ids(api.results(runs[-1]), "regression_test_id") == ids(
            raw.items(f"runs/{runs[-1]}/samples.json"), "regression_test_id"
        )
        assert [item["status"] for item in api.failures(runs[-1])] == [
            item["status"] for item in api.results(runs[-1]) if item["status"] != "pass"
        ]
        assert api.manifest() == raw("manifest.json")
        assert list(api.tags()) == raw.items("tags.json") and list(api.categories()) == raw.items("categories.json")
        sample = next(sample for sample in api.samples() if sample["sha"])
        assert api.sample(str(sample["sha"])) == api.sample(sample["sample_id"])
        test = next(api.regression_tests())["regression_test_id"]
        assert api.regression_test(test)["recent"] == raw(f"regression-tests/{test}.json")["recent"]
        assert api.read("runs.json") == (published / "v1/runs.json").read_bytes()


def test_links_can_be_handed_to_get(api: Api) -> None:
    run = next(run for run in api.runs() if run["summary"]["fail_count"])
    result = next(result for result in api.failures(run["run_id"]) if result["href"])
    document = api.get(str(result["href"]))
    assert document == api.result(run["run_id"], result["regression_test_id"])
    assert api.get(document["run"]["href"]) == api.run(run["run_id"])
    assert list(api.items(document["links"]["history"])) == list(api.history(document["sample_id"]))


def test_what_was_published_to_a_bucket_is_read(tmp_path: pathlib.Path, bucket: str) -> None:
    url = f"sqlite:///{tmp_path}/platform.sqlite"
    create_demo(url, runs=4, tests=2, seed=1)
    export(url, GcsStore(bucket, "a b"))
    export(url, tmp_path / "tree")
    with Api(f"gs://{bucket}/a b") as remote, Api(str(tmp_path / "tree")) as local:
        assert list(remote.runs()) == list(local.runs()) != []
        assert list(remote.history(1)) == list(local.history(1)) != []
        with pytest.raises(NotFoundError):
            remote.run(10**9)


FILTERS: list[dict[str, Any]] = [
    {"branch": "master"},
    {"platform": "linux"},
    {"status": "fail", "platform": "windows"},
    {"branch": "master", "status": "pass", "platform": "linux"},
    {"repository": "unknown", "status": "queued"},
    {"branch": "no such branch"},
    {"pr": 10**6},
    {"commit": "0" * 40},
]


def test_filters_agree_with_filtering(api: Api) -> None:
    everything = list(api.runs())
    asked = [*FILTERS, *({"pr": run["pr_number"], "status": "fail"} for run in everything if run["pr_number"])]
    asked += [{"commit": run["commit_sha"], "platform": "linux"} for run in everything[:20]]
    fields = {"pr": "pr_number", "commit": "commit_sha"}
    found = 0
    for wanted in asked:
        got = list(api.runs(**wanted))
        assert got == [
            run
            for run in everything
            if all(run[fields.get(name, name)] == value for name, value in wanted.items())  # type: ignore[literal-required]
        ]
        found += len(got)
    assert found > 50


@pytest.mark.parametrize("spelling", ["{0}", "https://github.com/{0}.git", "git@github.com:{0}"])
def test_a_repository_is_the_same_however_it_is_spelled(api: Api, spelling: str) -> None:
    run = next(api.runs())
    asked = spelling.format(run["repository"].swapcase())
    found = [one["run_id"] for one in api.runs(repository=asked)]
    assert run["run_id"] in found == [one["run_id"] for one in api.runs(repository=run["repository"])]


def test_a_misspelled_filter_is_an_error(api: Api) -> None:
    with pytest.raises(TypeError, match="no filter stauts: it takes pr, commit,"):
        next(api.runs(stauts="fail"))  # type: ignore[call-arg]


def test_filters_of_samples_and_tests_agree_with_filtering(api: Api) -> None:
    samples = list(api.samples())
    tags = {tag for sample in samples for tag in sample["tags"]}
    for tag, status in itertools.product(tags, ("active", "inactive")):
        wanted = [one for one in samples if tag in one["tags"] and one["active"] == (status == "active")]
        assert [one["sample_id"] for one in api.samples(tag=tag, status=status)] == [one["sample_id"] for one in wanted]
    tests = list(api.regression_tests())
    for category, active in itertools.product({name for one in tests for name in one["categories"]}, (True, False)):
        assert [one["regression_test_id"] for one in api.regression_tests(category=category, active=active)] == [
            one["regression_test_id"] for one in tests if category in one["categories"] and one["active"] is active
        ]
    assert tags and list(api.samples(tag="no such tag")) == []


def test_what_has_not_changed_is_not_sent_again(published: pathlib.Path, tmp_path: pathlib.Path) -> None:
    (tmp_path / "v1").mkdir()
    file = tmp_path / "v1" / "tags.json"
    file.write_bytes(b'{"data": 1}')
    for base in (str(tmp_path), None):
        with web.running(web.files(tmp_path)) as server, Api(base or server.url) as api:
            assert [api.get("tags.json") for _ in range(3)] == [{"data": 1}] * 3
            file.write_bytes(b'{"data": 22}')
            assert api.get("tags.json") == {"data": 22}
            assert [asked.headers.get("if-none-match") is not None for asked in server.asked] == (
                [] if base else [False, True, True, True]
            )
            file.write_bytes(b'{"data": 1}')


def test_only_so_much_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "REMEMBERED", 100)
    answer = Reply(orjson.dumps("x" * 38), headers={"ETag": '"1"'})
    with web.running(lambda asked: answer) as server, Api(server.url) as api:
        for path in "abcab":
            api.get(path)
    assert [asked.headers.get("if-none-match") for asked in server.asked] == [None] * 5


# Repetitions.

GOOD = Reply(b'{"data": []}')


@pytest.mark.parametrize(
    "failures",
    [
        [Reply(status=503)],
        [Reply(status=429), Reply(status=500), Reply(status=502), Reply(status=504)],
        [RESET, RESET],
        [Reply(b'{"data": [1, 2, 3]}', cut=5)],
    ],
)
def test_what_fails_for_the_moment_is_asked_for_again(failures: list[Reply | None], pauses: list[float]) -> None:
    left = iter([*failures, GOOD])
    with web.running(lambda _: next(left)) as server, Api(server.url) as api:
        assert api.get("runs.json") == {"data": []}
    assert len(pauses) == len(failures)
    assert all(0 <= pause <= http.POLICY.first_pause * 2**number for number, pause in enumerate(pauses))


@pytest.mark.parametrize(
    ("asked", "least", "most"),
    [("7", 7, 7), ("0", 0, 0.5), ("Mon, 01 Jan 2001 00:00:00 GMT", 0, 0.5), ("soon", 0, 0.5)],
)
def test_a_server_may_say_how_long_to_wait(asked: str, least: float, most: float, pauses: list[float]) -> None:
    left = iter([Reply(status=429, headers={"Retry-After": asked}), GOOD])
    with web.running(lambda _: next(left)) as server, Api(server.url) as api:
        api.get("runs.json")
    (pause,) = pauses
    assert least <= pause <= most


def test_nobody_waits_as_long_as_a_server_likes(pauses: list[float]) -> None:
    reply = Reply(status=503, headers={"Retry-After": "999999"})
    with web.running(lambda _: reply) as server, Api(server.url) as api, pytest.raises(FetchError, match="status 503"):
        api.get("runs.json")
    assert not pauses


@pytest.mark.parametrize("when", ["at the beginning", "in the middle"])
def test_a_server_that_sends_nothing_is_given_up(when: str, pauses: list[float]) -> None:
    reply = Reply(b"x" * 10, cut=5 if when == "in the middle" else 10)
    ended = threading.Event()

    def answer(_: Asked) -> Reply | None:
        if when == "at the beginning":
            ended.wait(20)
        return reply

    began = time.monotonic()
    with web.running(answer, hold=ended) as server, Api(server.url, request_timeout=0.1) as api:
        with pytest.raises(FetchError, match=r"sends nothing for 0\.1 s; gave up after 5 attempts"):
            api.get("runs.json")
        ended.set()
    assert time.monotonic() - began < 5


def test_the_time_limit_ends_what_comes_byte_by_byte() -> None:
    ended = threading.Event()

    def drip() -> Iterator[bytes]:
        while not ended.wait(0.02):
            yield b" " * (1 << 18)

    began = time.monotonic()
    with web.running(lambda _: Reply(drip(), headers={"Content-Length": str(1 << 30)})) as server:
        with Api(server.url, time_limit=0.3) as api, pytest.raises(FetchError, match=r"time limit of 0\.3 s"):
            api.get("runs.json")
        ended.set()
    assert time.monotonic() - began < 5


def test_a_redirect_within_the_origin_is_followed_and_takes_the_password_along() -> None:
    def answer(asked: Asked) -> Reply:
        moved = Reply(status=308, headers={"Location": "/elsewhere/runs.json"})
        return moved if asked.path.startswith("/v1") else GOOD

    with web.running(answer) as server, Api(server.url.replace("//", "//user:CANARY@")) as api:
        assert api.get("runs.json") == {"data": []}
    assert ["authorization" in asked.headers for asked in server.asked] == [True, True]


def test_a_proxy_that_the_environment_names_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with web.running(lambda _: GOOD) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//user:p%40ss@"))
        monkeypatch.setenv("no_proxy", "")
        with Api("http://example.invalid/a") as api:
            assert api.get("runs.json") == {"data": []}
    (asked,) = proxy.asked
    assert asked.path == "http://example.invalid/a/v1/runs.json"
    assert asked.headers["proxy-authorization"] == f"Basic {base64.b64encode(b'user:p@ss').decode()}"


def damaged(body: bytes) -> Iterator[bytes]:
    """Ways in which a compressed body is damaged."""
    whole = gzip.compress(body)
    yield whole[:-9]
    for place in (0, 12, len(whole) - 6):
        yield whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]


def test_a_damaged_compressed_body_is_asked_for_uncompressed(pauses: list[float]) -> None:
    body = orjson.dumps({"data": list(range(999))})
    for wrong in damaged(body):

        def answer(asked: Asked, wrong: bytes = wrong) -> Reply:
            zipped = "gzip" in asked.headers["accept-encoding"]
            return Reply(wrong, headers={"Content-Encoding": "gzip"}) if zipped else Reply(body)

        with web.running(answer) as server, Api(server.url) as api:
            assert api.read("runs.json") == body
        assert len(server.asked) == 2 and not pauses


@pytest.mark.parametrize(
    ("reply", "times"), [(Reply(status=503), 5), (RESET, 5), (Reply(status=403), 1), (Reply(status=404), 1)]
)
def test_what_goes_on_failing_is_an_error(reply: Reply | None, times: int, pauses: list[float]) -> None:
    with (
        web.running(lambda _: reply) as server,
        Api(server.url) as api,
        pytest.raises(FetchError, match=r"/v1/runs\.json (cannot be read: |does not exist)"),
    ):
        api.get("runs.json")
    assert len(server.asked) == times == len(pauses) + 1


def test_nobody_there() -> None:
    began = time.monotonic()
    with Api("http://127.0.0.1:1") as api, pytest.raises(FetchError) as error:
        api.get("runs.json")
    assert "cannot connect to 127.0.0.1:1: Connection refused" in str(error.value)
    assert "Error" not in str(error.value) and time.monotonic() - began < 2


def test_no_such_host() -> None:
    with Api("http://nowhere.invalid") as api, pytest.raises(FetchError, match=r"there is no host nowhere\.invalid"):
        api.get("runs.json")


# Hostile answers.


def listing(next_: str | None, items: list[Any], **pagination: Any) -> Reply:
    return Reply(orjson.dumps({"data": items, "pagination": {"total": 1, "next": next_, **pagination}, "meta": {}}))


def endless(asked: Asked) -> Reply:
    page = int(asked.path.rpartition("/")[2].removesuffix(".json")) if "archive" in asked.path else 10**6
    return listing(f"{'' if 'archive' in asked.path else 'runs/archive/'}{page - 1}.json", [{}])


def always(body: bytes, **headers: str) -> web.Answer:
    return lambda _: Reply(body, headers={name.replace("_", "-"): value for name, value in headers.items()})


HOSTILE: dict[str, tuple[web.Answer, str]] = {
    "itself as next": (lambda _: listing("runs.json", [{}]), "has no end"),
    "ever new pages": (endless, "has no end"),
    "ever new empty pages": (
        lambda asked: listing(endless(asked).body and f"x{len(asked.path)}.json", []),
        "has no end",
    ),
    "a page count of many": (lambda _: listing("runs.json", [{}], pages=10**9), "has no end"),
    "a link out of the API": (lambda _: listing("../_state/plan.json", []), "leads out of the API"),
    "a link to another host": (lambda _: listing("https://evil.example/x.json", []), "leads out of the API"),
    "a link to another host's path": (lambda _: listing("//evil.example/x.json", []), "leads out of the API"),
    "a link from the server's root": (lambda _: listing("/etc/passwd", []), "leads out of the API"),
    "a link with a query": (lambda _: listing("runs.json?x=1", []), "leads out of the API"),
    "a link that is encoded": (lambda _: listing("%2e%2e/x.json", []), "leads out of the API"),
    "a link that hides its way": (lambda _: listing("a/../../x.json", []), "leads out of the API"),
    "a link to a folder": (lambda _: listing("", []), "leads out of the API"),
    "a long way up": (lambda _: listing("../" * 1000 + "x.json", []), "leads out of the API"),
    "a redirect": (
        lambda _: Reply(status=302, headers={"Location": "https://evil.example/"}),
        "redirects to another origin",
    ),
    "a redirect to nowhere": (
        lambda _: Reply(status=301, headers={"Location": "http://[x"}),
        "redirects to another origin",
    ),
    "a huge body": (always(b" " * (1 << 20) + b"{}"), "larger than any document"),
    "a small body that grows": (always(gzip.compress(b" " * (1 << 22)), Content_Encoding="gzip"), "larger than any"),
    "no JSON": (always(b"<!doctype html>"), "not a JSON document"),
    "no UTF-8": (always(b'"\xff"'), "not a JSON document"),
    "nested without end": (always(b'{"a":' * 900 + b"1" + b"}" * 900), "not a JSON document|is not a list"),
    "brackets without end": (always(b"[" * 200_000), "not a JSON document"),
    "no list": (always(b'{"run_id": 1}'), "is not a list"),
    "a list of nothing": (always(b"[]"), "is not a list"),
    "a number": (always(b"1"), "is not a list"),
    "no pagination": (always(b'{"data": [], "pagination": 3}'), "is not a list"),
    "strange pagination": (always(b'{"data": [], "pagination": {"next": ["x"], "total": 1}}'), "is not a list"),
    "a strange total": (always(b'{"data": [], "pagination": {"next": null, "total": "x"}}'), "is not a list"),
    "items without fields": (lambda _: listing(None, [1]), "is not a list"),
    "items that are none": (always(b'{"data": 3, "pagination": {"next": null, "total": 1}}'), "is not a list"),
    "an encoding that is none": (always(b"{}", Content_Encoding="gzip"), "not encoded as it says"),
    "no content": (lambda _: Reply(status=204), "HTTP status 204"),
    "a wrong 304": (lambda _: Reply(status=304), "HTTP status 304"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_answer_is_a_clear_error(name: str, pauses: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST", 1 << 20)
    answer, message = HOSTILE[name]
    with web.running(answer) as server, Api(server.url) as api:
        with pytest.raises(FetchError, match=message) as error:
            for _ in api.runs():
                assert len(server.asked) < 200
        assert len(server.asked) < 200 and not pauses
        assert "\n" not in str(error.value) and len(str(error.value)) < 1000


@pytest.mark.parametrize(
    "path",
    ["", "/", "../_state/plan.json", "a/../b", "//x/y", "http://x/y", "a?b", "a#b", "a%2fb", "a\\b", "a/", "a\n", "é"],
)
def test_only_paths_of_the_api_are_asked_for(api: Api, path: str) -> None:
    with pytest.raises(FetchError, match="not a document path"):
        api.get(path)


# Bases.


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("https://example.org", "https://example.org/v1/"),
        ("https://example.org/", "https://example.org/v1/"),
        ("https://example.org/a/v1/", "https://example.org/a/v1/"),
        ("http://127.0.0.1:8000/a b", "http://127.0.0.1:8000/a%20b/v1/"),
        ("file:///srv/site", "file://localhost/srv/site/v1/"),
        ("/srv/site", "file://localhost/srv/site/v1/"),
        ("/srv/100%/é", "file://localhost/srv/100%25/%C3%A9/v1/"),
        ("gs://bucket", "https://storage.googleapis.com/bucket/v1/"),
        ("gs://bucket/a b/", "https://storage.googleapis.com/bucket/a%20b/v1/"),
    ],
)
def test_a_base_gives_the_root(base: str, root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
    assert str(root_url(base)) == root


@pytest.mark.parametrize(
    "base",
    ["", "ftp://example.org", "s3://bucket", "https://", "gs://", "file://other/srv", "https://a/?b", "http://a:port"],
)
def test_what_is_no_base_is_said_to_be_none(base: str) -> None:
    with pytest.raises(UsageError):
        Api(base)


def test_a_host_without_a_scheme_is_asked_back(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"did you mean http://127\.0\.0\.1:8000/v1\?"):
        root_url("127.0.0.1:8000/v1")
    (tmp_path / "odd:1").mkdir()
    assert root_url("odd:1").endswith("/odd%3A1/v1/")


def test_a_folder_with_a_strange_name(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / "100% #1?é" / "v1"
    folder.mkdir(parents=True)
    (folder / "tags.json").write_bytes(b"[]")
    with Api(str(folder.parent)) as api:
        assert api.get("tags.json") == []
        with pytest.raises(NotFoundError):
            api.get("runs.json")


def test_a_password_is_sent_and_not_told() -> None:
    with web.running(lambda _: Reply(status=404)) as server:
        with Api(server.url.replace("//", "//user:CANARY@")) as api, pytest.raises(NotFoundError) as error:
            api.get("runs.json")
        assert "CANARY" not in str(error.value) + api.name
        assert "authorization" in server.asked[0].headers
