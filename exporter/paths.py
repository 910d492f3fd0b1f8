"""Every published path and link.

A path here is relative to the API root `v1/`. A list's *name* is the path of its first document without `.json`;
its further pages lie in the folder of that name. No other module joins path strings.
"""

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

from exporter.facet_keys import facet_key

PLATFORMS = ("linux", "windows")
"""The platforms that tests run on."""

API_VERSION = "1.1.0"
"""SemVer of the published contract."""

API_ROOT = "v1/"
STATE_ROOT = "_state/"
"""Private: what the exporter remembers and no reader needs."""

LAYOUT_VERSION = 1
"""Version of what stands in `_state/`; a store with a higher one is a newer exporter's."""

PARTITION_SIZE = 100
"""Runs of a partition and of an archive page: those with ids 100·K … 100·K+99."""

PER_PAGE = 100
"""Items of a numbered page, and the least a feed's head holds if there are as many."""

MANIFEST = "manifest.json"
PENDING = "pending.json"

ROOTED = "/"
"""How a path begins that is not below the API root but at the store's: that of a document of the site."""
BADGES = f"{ROOTED}badges/"

OPENAPI = "openapi.json"
SCHEMAS = "schemas/"
SCHEMA_INDEX = "schemas.json"
DOCUMENTATION = "llms.txt"
"""What to read first; beside it, at the store's root, stands the same with other links."""

RUNS = "runs"
SAMPLES = "samples"
REGRESSION_TESTS = "regression-tests"
CATEGORIES = "categories"
REGRESSIONS = "regressions"
FLAKY = "regression-tests/flaky"
FAILING = "regression-tests/failing"
SLOWER = "regression-tests/slower"
REGRESSIONS_FEED = "feeds/regressions.xml"
DIFFS = "diffs/"
TAGS = "tags"
SEARCH = "search"
GRID = "grid"

RUN_FACETS = ("platform", "branch", "repository", "status")
"""Facets of the run feed: feeds themselves, with an index each."""
SAMPLE_FACETS = ("tag", "extension", "status")
REGRESSION_TEST_FACETS = ("active", "category", "tag")

_HASH = re.compile(r"[a-z0-9]{1,80}", re.ASCII)
_EXTENSION = re.compile(r"(\..*)?", re.DOTALL)


def partition_of(run_id: int) -> int:
    """The partition, and archive page, that a run belongs to."""
    return run_id // PARTITION_SIZE


def relative(source: str, target: str) -> str:
    """The relative reference from one document to another document, or to a folder that ends in `/`."""
    here, there = source.split("/")[:-1], target.split("/")
    common = 0
    for a, b in zip(here, there[:-1], strict=False):
        if a != b:
            break
        common += 1
    return "../" * (len(here) - common) + "/".join(there[common:])


def stored(path: str) -> str:
    """Where a store keeps the document at a path: below the API root, or at its own."""
    return path.removeprefix(ROOTED) if path.startswith(ROOTED) else API_ROOT + path


def published(path: str) -> str:
    """The path of the document that a store keeps there: the inverse of `stored`."""
    return path.removeprefix(API_ROOT) if path.startswith(API_ROOT) else ROOTED + path


def document(name: str) -> str:
    """The path of a list's first document, or of a single document, of this name."""
    return f"{name}.json"


def page(name: str, number: int) -> str:
    """The path of page `number`, from 1, of a numbered list."""
    return f"{name}.json" if number == 1 else f"{name}/page/{number}.json"


def archive(name: str, partition: int) -> str:
    """The path of a feed's archive page."""
    return f"{name}/archive/{partition}.json"


def archive_part(name: str, partition: int, number: int) -> str:
    """The path of part `number`, from 1, of a feed's archive page."""
    return archive(name, partition) if number == 1 else f"{name}/archive/{partition}/page/{number}.json"


class Page(NamedTuple):
    """One page of a numbered list: its path, the slice of the items it holds, and its `pagination`."""

    path: str
    items: slice
    pagination: dict[str, int | str | None]


def pages(name: str, total: int, per_page: int = PER_PAGE) -> Iterator[Page]:
    """The pages of a numbered list of `total` items; one, empty, where there are none."""
    count = max(1, -(-total // per_page))

    def link(here: str, to: int) -> str | None:
        return relative(here, page(name, to)) if 1 <= to <= count else None

    for number in range(1, count + 1):
        here = page(name, number)
        yield Page(
            here,
            slice((number - 1) * per_page, number * per_page),
            {
                "page": number,
                "pages": count,
                "per_page": per_page,
                "total": total,
                "first": link(here, 1),
                "prev": link(here, number - 1),
                "next": link(here, number + 1),
                "last": link(here, count),
            },
        )


def facet(family: str, facet_name: str) -> str:
    """The name of a facet's index, such as `runs/by-branch`."""
    return f"{family}/by-{facet_name}"


def facet_list(family: str, facet_name: str, value: str) -> str:
    """The name of the list of one facet value, such as `runs/by-branch/master`."""
    return f"{family}/by-{facet_name}/{facet_key(value)}"


def runs_of_commit(sha: str) -> str:
    """The name of the list of one commit's runs."""
    return facet_list(RUNS, "commit", sha)


def runs_of_pull_request(number: int) -> str:
    """The name of the list of one pull request's runs."""
    return f"{RUNS}/by-pr/{number}"


def grid(platform: str) -> str:
    """The name of the feed of a platform's runs with all their results."""
    return f"{GRID}/{platform}"


def run(run_id: int) -> str:
    """The path of a run's document."""
    return f"{RUNS}/{run_id}.json"


def run_list(run_id: int, kind: str) -> str:
    """The name of one of a run's lists: `samples`, `failures` or `errors`."""
    return f"{RUNS}/{run_id}/{kind}"


def run_results(run_id: int) -> str:
    """The folder of a run's result documents; each is `result_file` in it."""
    return f"{RUNS}/{run_id}/samples/"


def result_file(regression_test_id: int) -> str:
    """The name of a result's document in its run's folder."""
    return f"{regression_test_id}.json"


def run_comparison(run_id: int) -> str:
    """The path of the document that holds a run against its references."""
    return f"{RUNS}/{run_id}/comparison.json"


def run_junit(run_id: int) -> str:
    """The path of a run's JUnit XML."""
    return f"{RUNS}/{run_id}/junit.xml"


def comparison_list(run_id: int, reference: str, bucket: str) -> str:
    """The name of the whole list of one bucket of a comparison."""
    return f"{RUNS}/{run_id}/comparison/{reference}/{bucket}"


def diff(expected: str, got: str | None, extension: str) -> str:
    """The path of the comparison of two outputs, by their hashes; it differs where only the extension does.

    Without `got`, of an output with nothing.
    """
    if got is None:
        if _HASH.fullmatch(expected) and _EXTENSION.fullmatch(extension):
            return f"{DIFFS}{expected}--{facet_key('nothing' + extension)}.json"
        return f"{DIFFS}{facet_key('/'.join((f'{len(expected)}', 'nothing', expected, extension)))}.json"
    if _HASH.fullmatch(expected) and _HASH.fullmatch(got) and _EXTENSION.fullmatch(extension):
        return f"{DIFFS}{expected}-{facet_key(got + extension)}.json"
    # No hashes: they might run into each other.
    return f"{DIFFS}{facet_key('/'.join((f'{len(expected)}', f'{len(got)}', expected, got, extension)))}.json"


def sample(sample_id: int) -> str:
    """The path of a sample's document."""
    return f"{SAMPLES}/{sample_id}.json"


def sample_by_sha(sha: str) -> str:
    """The path of the document that finds a sample by its hash."""
    return f"{SAMPLES}/by-sha/{facet_key(sha)}.json"


def sample_history(sample_id: int) -> str:
    """The name of the feed of a sample's results."""
    return f"{SAMPLES}/{sample_id}/history"


def regression_test(regression_test_id: int) -> str:
    """The path of a regression test's document."""
    return f"{REGRESSION_TESTS}/{regression_test_id}.json"


def recent_results(regression_test_id: int, platform: str) -> str:
    """The name of the posting list of a test's results on one platform."""
    return f"{REGRESSION_TESTS}/{regression_test_id}/{platform}"


def schema(shape: str) -> str:
    """The path of the JSON Schema of one kind of document."""
    return f"{SCHEMAS}{shape}.json"


def entry_documents() -> dict[str, str]:
    """Name and path of the documents from which every other one is reached: the manifest's `links`."""
    names = {
        "runs": RUNS,
        "samples": SAMPLES,
        "regression_tests": REGRESSION_TESTS,
        "categories": CATEGORIES,
        "tags": TAGS,
        "openapi": OPENAPI.removesuffix(".json"),
        "schemas": SCHEMA_INDEX.removesuffix(".json"),
        "regressions": REGRESSIONS,
        "flaky": FLAKY,
        "failing": FAILING,
        "slower": SLOWER,
        **{f"grid_{platform}": grid(platform) for platform in PLATFORMS},
        "search": SEARCH,
    }
    for family, facets in ((RUNS, RUN_FACETS), (SAMPLES, SAMPLE_FACETS), (REGRESSION_TESTS, REGRESSION_TEST_FACETS)):
        names |= {f"{family.replace('-', '_')}_by_{name}": facet(family, name) for name in facets}
    others = {"regressions_feed": REGRESSIONS_FEED, "snapshots": SNAPSHOT_INDEX, "documentation": DOCUMENTATION}
    return {name: document(path) for name, path in names.items()} | others


def site_page(name: str) -> str:
    """The path of a page at the store's root."""
    return ROOTED + name


def docs_page(name: str) -> str:
    """The path of a file of the documentation."""
    return DOCS + name


def site_asset(version: str, name: str) -> str:
    """The path of what the pages of one version load; of their folder, if `name` is empty."""
    return f"{ROOTED}site/{version}/{name}"


def is_asset(path: str) -> bool:
    """Whether a document of the site is known only to the pages that load it."""
    return path.startswith(f"{ROOTED}site/")


DOCS = f"{ROOTED}docs/"
SITE_FOLDERS = ("site/", BADGES.removeprefix(ROOTED), DOCS.removeprefix(ROOTED))
"""The folders at the store's root that are the site's own."""


def badge(branch: str, platform: str | None = None) -> str:
    """The path, without its suffix, of the badge of a branch; on one platform, or over all."""
    return f"{BADGES}{facet_key(branch)}{f'-{platform}' if platform else ''}"


def manifest_part(part: str, digest: str) -> str:
    """The path of a content-addressed manifest: `part` is `catalog`, `site` or a partition's number."""
    return f"manifests/{part}-{digest[:12]}.json"


MANIFESTS = "manifests/"

SNAPSHOT_INDEX = "snapshots.json"
SNAPSHOTS = "snapshots/"
"""Below the API root, where readers may read, and where the version of what rows look like stands."""

LATEST_SNAPSHOT = f"{SNAPSHOTS}latest.json"
RELATED = {"snapshots": SNAPSHOT_INDEX, "documentation": f"../{DOCUMENTATION}"}
"""What the manifest names beside the entry documents: what is not below the API root need not be there."""

STATE_SNAPSHOTS = STATE_ROOT + SNAPSHOTS
"""A file for each snapshot that a process is writing."""


def snapshot_id(made_at: str, digest: str) -> str:
    """The name of a snapshot: when its data was read (`YYYY-MM-DDTHH:MM:SSZ`), so that names sort, and its digest."""
    return f"{made_at.replace('-', '').replace(':', '')}-{digest[:12]}"


def snapshot_file(snapshot: str, name: str) -> str:
    """The path of a file of a snapshot."""
    return f"{SNAPSHOTS}{snapshot}/{name}"


_SNAPSHOT_FILE = re.compile(
    rf"{SNAPSHOTS}(?P<snapshot>[0-9]{{8}}T[0-9]{{6}}Z-[0-9a-f]{{12}})/[A-Za-z0-9][A-Za-z0-9._-]{{0,99}}"
)


def is_of_snapshots(path: str) -> bool:
    """Whether what stands at a path below the API root is the snapshots' business, and no manifest's."""
    return path == SNAPSHOT_INDEX or path.startswith(SNAPSHOTS)


def is_as_it_is(path: str) -> bool:
    """Whether a stored file is sent as it is, so that ranges of it and its checksum are those of the file."""
    return snapshot_of(path.removeprefix(API_ROOT)) is not None


def snapshot_of(path: str) -> str | None:
    """The snapshot whose file stands at a path; None where none can."""
    found = _SNAPSHOT_FILE.fullmatch(path)
    return found["snapshot"] if found else None


STATE_PLAN = STATE_ROOT + "plan.json"
STATE_FOLDERS = (f"{STATE_ROOT}partitions/", f"{STATE_ROOT}list_heads/", f"{STATE_ROOT}ends/")
"""The folders of all files that the plan names; in the last one earlier exporters have left some."""


NAMED_BY_CONTENT = (API_ROOT + MANIFESTS, *STATE_FOLDERS)
"""The folders of files whose name holds the digest of their bytes."""


def state_partition_file(partition: int, kind: str, digest: str) -> str:
    """The path, below the state's root, of a file of the partition store."""
    return f"partitions/{partition}/{kind}-{digest[:12]}.json"


def state_list_heads(shard: int, digest: str) -> str:
    """The path, below the state's root, of a shard of list heads."""
    return f"list_heads/{shard}-{digest[:12]}.json"


def is_of_run(path: str, runs: Container[str]) -> bool:
    """Whether the document at a path is one of some runs' own, by their ids."""
    folder, _, rest = path.partition("/")
    return folder == RUNS and rest.partition("/")[0].removesuffix(".json") in runs


_OF_PARTITION = re.compile(r"runs/(?P<run>-?\d+)(\.json|/.*)|.*/archive/(?P<partition>-?\d+)(/page/\d+)?\.json")


def part_of_document(path: str) -> str:
    """The part of the manifest that names the document at a path: a partition's number, `site` or `catalog`."""
    if path.startswith(ROOTED):
        return "site"
    found = _OF_PARTITION.fullmatch(path)
    if found is None:
        return "catalog"
    if found["run"] is not None:
        return str(partition_of(int(found["run"])))
    return found["partition"]
