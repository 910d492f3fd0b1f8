"""The Atom feed of what changed lately, as a feed reader has it, and as RFC 4287 wants it."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import orjson
import pytest

from exporter.builders import regressions
from exporter.demo import demo_tables as real
from exporter.publish.verify import verify
from exporter.rules.lineage import MainLine
from tests.support.agreement import Published
from tests.support.memory_store import MemoryStore
from tests.support.platform import Platform, export, files

FEED = "v1/feeds/regressions.xml"
ATOM = "{http://www.w3.org/2005/Atom}"
HOSTILE = [
    "<script>alert(1)</script>",
    "]]>&amp;&bogus;'\"",
    "\0\x01\x08\x0b\x1b[31m\x7f\x85\u2028\ufffe\uffff",
    "../../{{ 7 * 7 }}{% raw %}",
    "\N{RIGHT-TO-LEFT OVERRIDE}\N{PILE OF POO}é",
    "",
]


def _history(platform: Platform, *codes: int, first: int = 1) -> None:
    """Runs of the main line in which test 1 ended with these codes."""
    for run, code in enumerate(codes, first):
        platform.run(
            run,
            *("testing", "completed"),
            results={1: code, 3: 0},
            fork_id=1,
            platform="windows" if run % 7 == 0 else "linux",
        )
        platform.insert(
            "test_result_file",
            *(
                {"test_id": run, "regression_test_id": test, "regression_test_output_id": 10 * test, "expected": ""}
                for test in (1, 3)
            ),
        )


def _valid(data: bytes) -> ET.Element:
    """The feed's root; what RFC 4287, 4.1, says must be there is there, once where it must be."""
    root = ET.fromstring(data)
    assert root.tag == f"{ATOM}feed" and len(root.findall(f"{ATOM}author")) == 1
    assert [link.get("rel") for link in root.findall(f"{ATOM}link")] == ["self", "alternate", "alternate"]
    ids = []
    for element in (root, *root.findall(f"{ATOM}entry")):
        for name in ("id", "title", "updated"):
            (child,) = element.findall(f"{ATOM}{name}")
            assert child.text and not len(child)
        ids.append(str(element.findtext(f"{ATOM}id")))
        assert re.fullmatch(r"tag:[a-z.]+,\d{4}:[!-~]+", ids[-1])  # RFC 4151
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", str(element.findtext(f"{ATOM}updated")))
        for link in element.findall(f"{ATOM}link"):
            assert link.get("href") and link.get("type") in ("application/json", "application/atom+xml", "text/html")
    assert len(set(ids)) == len(ids)
    # An entry needs an author (the feed has one) and, without a link that is its alternate, content.
    assert all(len(entry.findall(f"{ATOM}content")) == 1 for entry in root.findall(f"{ATOM}entry"))
    known = {"feed", "author", "name", "title", "id", "updated", "link", "entry", "category", "content"}
    assert {element.tag.removeprefix(ATOM) for element in root.iter()} <= known
    return root


def _read(store: MemoryStore) -> Any:
    data = store.objects[FEED].data
    _valid(data)
    found = feedparser.parse(data, sanitize_html=False, resolve_relative_uris=False)
    assert not found.bozo and found.version == "atom10"
    return found


def test_without_changes_the_feed_is_valid(platform: Platform) -> None:
    store = MemoryStore()
    export(platform.url, store)
    assert _read(store).entries == []


def test_the_feed_tells_what_its_json_twin_does(small: Platform) -> None:
    _history(small, 0, 0, 139, 139, 0, 1, 0, 1, 0, 0)
    store = MemoryStore()
    export(small.url, store)
    changes = orjson.loads(store.objects["v1/regressions.json"].data)["data"]
    assert [(change["run_id"], change["kind"], change["code"]) for change in changes] == [
        (9, "fix", None),
        (6, "regression", "EXIT_CODE_MISMATCH"),
        (5, "fix", None),
        (3, "regression", "SEGFAULT"),
    ]
    found = _read(store)
    assert found.feed.updated == max(change["at"] for change in changes)
    assert found.feed.title == "Regressions and fixes of CCExtractor/ccextractor, branch master"
    for entry, change in zip(found.entries, changes, strict=True):
        assert entry.id.endswith(f"/{change['run_id']}/{change['regression_test_id']}")
        assert entry.updated == change["at"] and entry.tags[0].term == change["kind"]
        place = f"../../index.html#/runs/{change['run_id']}/results/1"
        assert [(link.rel, link.href) for link in entry.links] == [
            ("alternate", place),
            ("enclosure", f"../{change['href']}"),
        ]
        broke = "broke" if change["kind"] == "regression" else "was fixed"
        assert entry.title == f"Test 1 (first) {broke} on {change['platform']}"
        (content,) = entry.content
        assert content.value.startswith(f"Run {change['run_id']} of commit {change['commit_sha']}: {change['status']}")
        assert f"the run before was {change['previous_run']}." in content.value
        assert ("The test is flaky." in content.value) is change["flaky"]
    assert any(change["flaky"] for change in changes) and not changes[-1]["flaky"]


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
@pytest.mark.parametrize("runs", [(1, 2, 3, 4, 5, 6, 7), (1, 2, 3, 101, 102, 103, 104), (1, 2, 3, 101, 102)])
def test_large_archive_pages_are_in_parts(
    small: Platform, runs: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regressions, "CHANGES_PER_PART", 2)
    monkeypatch.setattr(regressions, "MOST_ENTRIES", 1)
    for place, run in enumerate(runs):
        small.run(run, *("testing", "completed"), results={1: place % 2, 3: 0}, fork_id=1)
    for run in runs:
        files(small, run, {10: None, 30: None})
    store = MemoryStore()
    export(small.url, store)
    assert not verify(store).problems
    api = Published(store)
    assert [change["run_id"] for change in api.items("regressions.json")] == [*runs[:0:-1]]
    assert api("regressions.json")["pagination"]["total"] == len(runs) - 1
    parts = [path for path in store.objects if path.startswith("v1/regressions")]
    assert all(len(orjson.loads(store.objects[path].data)["data"]) <= 4 for path in parts)
    (entry,) = _read(store).entries
    assert entry.id.endswith(f"/{runs[-1]}/1")


def test_an_entrys_id_stays_when_its_text_changes(small: Platform) -> None:
    _history(small, 0, 1)
    store = MemoryStore()
    export(small.url, store)
    (before,) = _read(store).entries
    for table, column in (("sample", "original_name"), ("regression_test", "command")):
        small.execute(f"UPDATE {table} SET {column} = 'other'")
    _history(small, 0, first=3)
    export(small.url, store)
    new, after = _read(store).entries
    assert new.id != before.id == after.id and before.title != after.title


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", HOSTILE)
def test_hostile_values_are_text(small: Platform, value: str) -> None:
    _history(small, 0, 1)
    for table, column in ((real.SAMPLE, "original_name"), (real.TEST, "commit")):
        small.execute(table.update().values({column: value}))
    store = MemoryStore()
    export(small.url, store)
    found = _read(store)
    (entry,) = found.entries
    plain = _plain(value)
    assert entry.title == f"Test 1 ({plain}) broke on linux"
    assert f" of commit {plain}: fail" in entry.content[0].value


@pytest.mark.parametrize("platform", ["sqlite"], indirect=True)
@pytest.mark.parametrize("value", HOSTILE)
def test_the_main_lines_name_is_text(small: Platform, value: str) -> None:
    store = MemoryStore()
    export(small.url, store, main=MainLine(value, value))
    assert _read(store).feed.title == f"Regressions and fixes of {_plain(value)}, branch {_plain(value)}".strip()


def _plain(value: str) -> str:
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in value)
