"""Manifests: which documents are published, with which digests. No other file says what the store holds.

`manifest.json` names one content-addressed part per partition, one for the catalogue and one for the site;
`pending.json` names those that an export is writing. The shapes are the contract's (`docs/contract.md`).
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from exporter import paths
from exporter.documents.encoding import digest, encode
from exporter.errors import StoreError

Documents = dict[str, list[Any]]
"""Path → [SHA-256 in hex, size in bytes] of the uncompressed bytes."""

CATALOG = "catalog"
SITE = "site"

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_HREF = re.compile(r"manifests/(catalog|site|-?[0-9]+)-([0-9a-f]{12})\.json")


@dataclass(frozen=True, slots=True)
class Part:
    """A part as `manifest.json` names it; `name` is `catalog`, `site` or a partition's number."""

    name: str
    href: str
    digest: str
    documents: int
    bytes: int

    def shown(self) -> dict[str, Any]:
        """The part as the manifest shows it."""
        entry = {"href": self.href, "digest": self.digest, "documents": self.documents, "bytes": self.bytes}
        if self.name in (CATALOG, SITE):
            return entry
        first = int(self.name) * paths.PARTITION_SIZE
        return {"first_run_id": first, "last_run_id": first + paths.PARTITION_SIZE - 1, **entry}


def part_of(href: str) -> str:
    """The name of the part that a manifest's path belongs to.

    Raises:
        StoreError: it is no path of a manifest of ours.
    """
    found = _HREF.fullmatch(href)
    if found is None:
        raise StoreError("the published manifest names a path that is no manifest's: the store is damaged")
    return found[1]


def encode_part(name: str, documents: Documents) -> tuple[Part, bytes]:
    """A part and its bytes, the same for the same documents in whatever order they were built."""
    data = encode({"documents": dict(sorted(documents.items()))})
    sha = digest(data)
    part = Part(
        name,
        paths.manifest_part(name, sha),
        sha,
        len(documents),
        sum(size for _, size in documents.values()),
    )
    return part, data


def decode_part(data: bytes) -> Documents:
    """The documents that a part names.

    Raises:
        StoreError: these bytes are no part of ours.
    """
    try:
        documents = orjson.loads(data)["documents"]
    except (ValueError, KeyError, TypeError):
        documents = None
    if not isinstance(documents, dict):
        raise StoreError("a published manifest is damaged: delete v1/manifest.json and export again")
    return documents


@dataclass(frozen=True)
class Manifest:
    """What is published. `counts` lacks the contract's `documents` and `bytes`, which are the parts' sums.

    `site` is None in what an exporter has published that had no site; `links` are the entry documents that it had.
    """

    catalog: Part
    site: Part | None
    partitions: tuple[Part, ...]
    latest_run_id: int | None
    counts: Mapping[str, int]
    links: Mapping[str, str] = field(default_factory=paths.entry_documents)

    @functools.cached_property
    def parts(self) -> dict[str, Part]:
        """All parts by name."""
        return {part.name: part for part in (self.catalog, self.site, *self.partitions) if part is not None}

    @functools.cached_property
    def hrefs(self) -> frozenset[str]:
        """The paths of all parts below the API root."""
        return frozenset(part.href for part in self.parts.values())

    @property
    def snapshot(self) -> str:
        """The digest of all that the manifest names, the same exactly when all of that is."""
        parts = [part.digest for part in self.parts.values()]
        return digest(encode([paths.API_VERSION, self.counts, self.latest_run_id, self.links, parts]))

    def encode(self, generated_at: str) -> bytes:
        """The bytes of `manifest.json`."""
        parts = self.parts.values()
        return encode(
            {
                "api_version": paths.API_VERSION,
                "generated_at": generated_at,
                "snapshot": self.snapshot,
                "partition_size": paths.PARTITION_SIZE,
                "latest_run_id": self.latest_run_id,
                "counts": {
                    **self.counts,
                    "documents": sum(part.documents for part in parts),
                    "bytes": sum(part.bytes for part in parts),
                },
                "catalog": self.catalog.shown(),
                "site": self.site.shown() if self.site else None,
                "partitions": [part.shown() for part in self.partitions],
                "links": self.links,
                "related": paths.RELATED,
            }
        )


def decode_manifest(data: bytes) -> Manifest:
    """Read a `manifest.json`.

    Raises:
        StoreError: it is damaged, or a newer exporter's.
    """
    try:
        value = orjson.loads(data)
        major = int(value["api_version"].split(".")[0])
        if major > int(paths.API_VERSION.split(".")[0]) or value["partition_size"] != paths.PARTITION_SIZE:
            raise StoreError(
                f"the store was published by a newer exporter (API {value['api_version']}): upgrade this one"
            )
        counts = {k: v for k, v in value["counts"].items() if k not in ("documents", "bytes")}
        return Manifest(
            catalog=_part(value["catalog"]),
            site=_part(value["site"]) if value.get("site") else None,
            partitions=tuple(_part(part) for part in value["partitions"]),
            latest_run_id=value["latest_run_id"],
            counts=counts,
            links={name: link for name, link in value["links"].items() if isinstance(link, str)},
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise StoreError(
            "the published manifest.json is damaged: delete it and export again; what is whole is not rewritten"
        ) from None


def _part(value: Mapping[str, Any]) -> Part:
    return Part(part_of(value["href"]), value["href"], value["digest"], value["documents"], value["bytes"])


@dataclass(frozen=True, slots=True)
class Pending:
    """What an export is writing: its owner, when its lease ends (`YYYY-MM-DDTHH:MM:SSZ`), and its manifests."""

    owner: str
    expires_at: str
    manifests: tuple[str, ...]

    def encode(self) -> bytes:
        """The bytes of `pending.json`."""
        return encode({"owner": self.owner, "expires_at": self.expires_at, "manifests": list(self.manifests)})


def decode_pending(data: bytes) -> Pending:
    """Read a `pending.json`.

    Raises:
        StoreError: it is damaged.
    """
    try:
        value = orjson.loads(data)
        manifests = tuple(value["manifests"])
        for href in manifests:
            part_of(href)
        if not _MOMENT.fullmatch(value["expires_at"]):
            raise ValueError
        return Pending(str(value["owner"]), value["expires_at"], manifests)
    except (ValueError, KeyError, TypeError):
        raise StoreError("pending.json is damaged: delete it and v1/manifest.json, and export again") from None
