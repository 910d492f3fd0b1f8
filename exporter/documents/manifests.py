"""Manifests: what is published, and what is just being published."""

from typing import Annotated, TypedDict

from exporter import paths
from exporter.documents.fields import Count, Keywords, Link, RunId, Sha256, Time


class Counts(TypedDict):
    """How much is published."""

    runs: Annotated[Count, "Runs."]
    results: Annotated[Count, "Results."]
    samples: Annotated[Count, "Samples."]
    regression_tests: Annotated[Count, "Regression tests."]
    documents: Annotated[Count, "Documents, manifests aside."]
    bytes: Annotated[Count, "Their size, uncompressed.", Keywords(x_unit="B")]


class ManifestPart(TypedDict):
    """A part of what is published."""

    href: Annotated[Link, "The manifest that names the part's documents; immutable."]
    digest: Annotated[Sha256, "SHA-256 of that manifest."]
    documents: Annotated[Count, "Documents of the part."]
    bytes: Annotated[Count, "Their size, uncompressed.", Keywords(x_unit="B")]


class RunRange(TypedDict):
    """The ids that runs of a partition can have."""

    first_run_id: Annotated[int, "The least id that a run of the partition can have."]
    last_run_id: Annotated[int, "The highest one."]


class ManifestPartition(RunRange, ManifestPart):
    """The part of the documents of some runs."""


RelatedName = Annotated[str, Keywords(enum=list(paths.RELATED))]
EntryName = Annotated[str, Keywords(enum=list(paths.entry_documents()))]


class ManifestDocument(TypedDict):
    """What is published."""

    api_version: Annotated[str, "SemVer of the contract.", Keywords(examples=["1.0.0"])]
    generated_at: Annotated[Time, "When this state was published (UTC)."]
    snapshot: Annotated[str, "Digest of all below: the same exactly when all documents are."]
    partition_size: Annotated[int, "Runs of a partition.", Keywords(examples=[100])]
    latest_run_id: Annotated[RunId | None, "The highest id."]
    counts: Counts
    catalog: Annotated[ManifestPart, "All documents that are no partition's."]
    site: Annotated[
        ManifestPart | None, "The site's files; their paths begin with `/` and are relative to the store's root."
    ]
    partitions: Annotated[list[ManifestPartition], "Those that hold a run, ascending."]
    links: Annotated[dict[EntryName, Link], "The entry documents."]
    related: Annotated[
        dict[RelatedName, Link],
        "What stood beside them before they were entry documents: `snapshots`; `documentation` as it is at the host's "
        "root, if that serves more than the API.",
    ]


class ManifestPartDocument(TypedDict):
    """The documents of one part of what is published."""

    documents: Annotated[
        dict[str, tuple[Sha256, Count]], "Path → SHA-256 in hex and size, both of the uncompressed bytes."
    ]


class PendingDocument(TypedDict):
    """What is just being published."""

    owner: Annotated[str, "Tells exporters apart, and means nothing else."]
    expires_at: Annotated[Time, "When the lease expires unless it is renewed (UTC)."]
    manifests: Annotated[list[Link], "The manifests of what is being published."]


class SchemaEntry(TypedDict):
    """A kind of documents."""

    name: Annotated[str, "The shape's.", Keywords(examples=["RunDocument"])]
    href: Annotated[Link, "Its JSON Schema, which needs no other one."]
    documents: Annotated[list[str], "The paths, with parameters as in OpenAPI, of its documents."]


class SchemaIndex(TypedDict):
    """The kinds of documents that are published."""

    schemas: Annotated[list[SchemaEntry], "By name."]
