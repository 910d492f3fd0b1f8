"""Manifests: the exact bytes, what identifies a state, and that damage of any kind is an error of the store."""

import dataclasses
import hashlib
import json
from typing import Any

import pytest

from exporter.errors import StoreError
from exporter.publish.manifest import (
    CATALOG,
    SITE,
    Manifest,
    Part,
    Pending,
    decode_manifest,
    decode_part,
    decode_pending,
    encode_part,
    part_of,
)

A, B = ["a" * 64, 10], ["b" * 64, 32]
DOCUMENTS = {"runs/1.json": A, "runs/0.json": B}


def part(name: str, digit: str = "1", documents: int = 2, size: int = 7) -> Part:
    return Part(name, f"manifests/{name}-{digit * 12}.json", digit * 64, documents, size)


CATALOG_PART, SITE_PART = part(CATALOG, "c", 5, 50), part(SITE, "d", 3, 30)
MANIFEST = Manifest(CATALOG_PART, SITE_PART, (part("0", "1", 20, 200), part("93", "2", 1, 9)), 9301, {"runs": 4})


def shown(manifest: Manifest) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(manifest.encode("2026-01-02T03:04:05Z"))
    return value


def test_a_part_is_named_by_its_bytes_which_do_not_depend_on_the_order() -> None:
    made, data = encode_part("7", DOCUMENTS)
    assert encode_part("7", dict(reversed(DOCUMENTS.items()))) == (made, data)
    assert list(json.loads(data)) == ["documents"]
    assert list(json.loads(data)["documents"].items()) == [("runs/0.json", B), ("runs/1.json", A)]
    sha = hashlib.sha256(data).hexdigest()
    assert made == Part("7", f"manifests/7-{sha[:12]}.json", sha, documents=2, bytes=42)
    assert decode_part(data) == DOCUMENTS


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b'{"documents": []}', b'{"documents": null}', b"{"])
def test_a_damaged_part(data: bytes) -> None:
    with pytest.raises(StoreError, match="a published manifest is damaged"):
        decode_part(data)


@pytest.mark.parametrize(
    ("href", "name"),
    [
        ("manifests/catalog-0123456789ab.json", "catalog"),
        ("manifests/site-0123456789ab.json", "site"),
        ("manifests/0-0123456789ab.json", "0"),
        ("manifests/93-0123456789ab.json", "93"),
        ("manifests/-1-0123456789ab.json", "-1"),
    ],
)
def test_the_part_of_a_path(href: str, name: str) -> None:
    assert part_of(href) == name


@pytest.mark.parametrize(
    "href",
    [
        "",
        "manifests/other-0123456789ab.json",
        "manifests/93-0123456789a.json",
        "manifests/93-0123456789abc.json",
        "manifests/93-0123456789AB.json",
        "manifests/93-0123456789ab.json.gz",
        "manifests/93-0123456789ab.json\n",
        "x/manifests/93-0123456789ab.json",
        "manifests/../93-0123456789ab.json",
        "manifests/9.3-0123456789ab.json",
        "manifests/٣-0123456789ab.json",
    ],
)
def test_what_is_no_path_of_a_part(href: str) -> None:
    with pytest.raises(StoreError, match="the store is damaged"):
        part_of(href)


def test_the_manifest_as_published() -> None:
    value = shown(MANIFEST)
    assert value["generated_at"] == "2026-01-02T03:04:05Z"
    assert value["api_version"].split(".")[0] == "1"
    assert value["partition_size"] == 100
    assert value["latest_run_id"] == 9301
    assert value["counts"] == {"runs": 4, "documents": 29, "bytes": 289}
    catalog = {"href": "manifests/catalog-cccccccccccc.json", "digest": "c" * 64, "documents": 5, "bytes": 50}
    assert value["catalog"] == catalog
    assert value["site"] == {
        "href": "manifests/site-dddddddddddd.json", "digest": "d" * 64, "documents": 3, "bytes": 30
    }  # fmt: skip
    assert value["partitions"] == [
        {
            "first_run_id": 0,
            "last_run_id": 99,
            "href": "manifests/0-111111111111.json",
            "digest": "1" * 64,
            "documents": 20,
            "bytes": 200,
        },
        {
            "first_run_id": 9300,
            "last_run_id": 9399,
            "href": "manifests/93-222222222222.json",
            "digest": "2" * 64,
            "documents": 1,
            "bytes": 9,
        },
    ]
    assert value["links"]["runs"]
    assert value["snapshot"] == MANIFEST.snapshot


def test_a_manifest_without_a_site() -> None:
    manifest = Manifest(CATALOG_PART, None, (), None, {})
    assert shown(manifest)["site"] is None
    assert shown(manifest)["counts"] == {"documents": 5, "bytes": 50}
    assert manifest.parts == {CATALOG: CATALOG_PART}
    assert manifest.hrefs == {CATALOG_PART.href}
    assert decode_manifest(manifest.encode("t")) == manifest
    value = shown(manifest)
    del value["site"]
    assert decode_manifest(json.dumps(value).encode()) == manifest, "an old exporter's"


def test_what_is_encoded_is_decoded() -> None:
    assert decode_manifest(MANIFEST.encode("2026-01-02T03:04:05Z")) == MANIFEST
    assert MANIFEST.parts == {p.name: p for p in (CATALOG_PART, SITE_PART, *MANIFEST.partitions)}
    assert MANIFEST.hrefs == {p.href for p in MANIFEST.parts.values()}


def test_the_state_digest_is_that_of_all_but_the_time() -> None:
    assert MANIFEST.encode("t1") != MANIFEST.encode("t2")
    assert len(MANIFEST.snapshot) == 64
    others = [
        Manifest(part(CATALOG, "e", 5, 50), SITE_PART, MANIFEST.partitions, 9301, {"runs": 4}),
        Manifest(CATALOG_PART, part(SITE, "e", 3, 30), MANIFEST.partitions, 9301, {"runs": 4}),
        Manifest(CATALOG_PART, None, MANIFEST.partitions, 9301, {"runs": 4}),
        Manifest(CATALOG_PART, SITE_PART, MANIFEST.partitions[:1], 9301, {"runs": 4}),
        Manifest(CATALOG_PART, SITE_PART, MANIFEST.partitions, 9302, {"runs": 4}),
        Manifest(CATALOG_PART, SITE_PART, MANIFEST.partitions, None, {"runs": 4}),
        Manifest(CATALOG_PART, SITE_PART, MANIFEST.partitions, 9301, {"runs": 5}),
    ]
    assert len({MANIFEST.snapshot, *(other.snapshot for other in others)}) == len(others) + 1
    again = Manifest(CATALOG_PART, SITE_PART, MANIFEST.partitions, 9301, {"runs": 4})
    assert again.snapshot == MANIFEST.snapshot


def test_the_state_digest_depends_on_the_version_and_the_entry_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {MANIFEST.snapshot, dataclasses.replace(MANIFEST, links={}).snapshot}
    monkeypatch.setattr("exporter.publish.manifest.paths.API_VERSION", "1.999.0")
    assert len({*found, MANIFEST.snapshot}) == 3


def test_a_manifest_keeps_the_links_that_it_was_published_with() -> None:
    """An exporter that knows more entry documents publishes it again when it takes the place of a dead export."""
    older = {"runs": "runs.json"}
    found = decode_manifest(json.dumps(shown(MANIFEST) | {"links": older | {"odd": None}}).encode())
    assert shown(found)["links"] == older and found.snapshot != MANIFEST.snapshot


NEWER = "the store was published by a newer exporter .*upgrade this one"
DAMAGED = r"the published manifest\.json is damaged"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"api_version": "2.0.0"}, NEWER),
        ({"api_version": "10.0.0"}, NEWER),
        ({"partition_size": 1000}, NEWER),
        ({"partition_size": 10}, NEWER),
        ({"api_version": "x"}, DAMAGED),
        ({"api_version": None}, DAMAGED),
        ({"counts": None}, DAMAGED),
        ({"counts": []}, DAMAGED),
        ({"links": []}, DAMAGED),
        ({"catalog": None}, DAMAGED),
        ({"catalog": {}}, DAMAGED),
        ({"site": {"href": 1}}, DAMAGED),
        ({"partitions": None}, DAMAGED),
        ({"partitions": [{}]}, DAMAGED),
        ({"partitions": [{"href": "../x", "digest": "", "documents": 1, "bytes": 1}]}, "the store is damaged"),
    ],
)
def test_a_manifest_of_a_newer_exporter_or_a_damaged_one(change: dict[str, Any], message: str) -> None:
    with pytest.raises(StoreError, match=message):
        decode_manifest(json.dumps(shown(MANIFEST) | change).encode())


@pytest.mark.parametrize("version", ["0.9.0", "1.0.0", "1.999.0"])
def test_a_manifest_of_the_same_major_version_or_an_older_one_is_read(version: str) -> None:
    assert decode_manifest(json.dumps(shown(MANIFEST) | {"api_version": version}).encode()) == MANIFEST


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b"{", b'"x"', b"7"])
def test_what_is_no_manifest(data: bytes) -> None:
    with pytest.raises(StoreError, match=DAMAGED):
        decode_manifest(data)


@pytest.mark.parametrize(
    "key", ["api_version", "partition_size", "latest_run_id", "counts", "catalog", "partitions", "links"]
)
def test_a_manifest_that_lacks_a_field(key: str) -> None:
    value = shown(MANIFEST)
    del value[key]
    with pytest.raises(StoreError, match=DAMAGED):
        decode_manifest(json.dumps(value).encode())


PENDING = Pending("machine.1.2", "2026-01-02T03:04:05Z", ("manifests/93-0123456789ab.json", CATALOG_PART.href))


def test_pending() -> None:
    assert json.loads(PENDING.encode()) == {
        "owner": "machine.1.2",
        "expires_at": "2026-01-02T03:04:05Z",
        "manifests": list(PENDING.manifests),
    }
    assert decode_pending(PENDING.encode()) == PENDING


@pytest.mark.parametrize(
    "change",
    [
        {"manifests": None},
        {"manifests": [7]},
        {"expires_at": None},
        {"expires_at": 2036},
        {"expires_at": "never"},
        {"expires_at": "2036-01-01T00:00:00"},
        {"expires_at": "2036-01-01 00:00:00Z"},
        {"expires_at": "99999-01-01T00:00:00Z"},
    ],
)
def test_a_damaged_lease(change: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=r"pending\.json is damaged"):
        decode_pending(json.dumps(json.loads(PENDING.encode()) | change).encode())


@pytest.mark.parametrize("data", [b"", b"null", b"[]", b"{}", b"{", b'{"owner": "x", "manifests": []}'])
def test_what_is_no_lease(data: bytes) -> None:
    with pytest.raises(StoreError, match=r"pending\.json is damaged"):
        decode_pending(data)


def test_a_lease_that_names_a_path_outside() -> None:
    with pytest.raises(StoreError, match="the store is damaged"):
        decode_pending(Pending("x", PENDING.expires_at, ("../../etc/passwd",)).encode())
