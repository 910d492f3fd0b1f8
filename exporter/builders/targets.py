"""Targets: what documents over all partitions are of; an export makes the documents of dirty targets again.

A target's name is that of its list, or the path of its document without `.json`.
"""

import re
from collections.abc import Container

from exporter import paths

CODE = "code"
"""The target of the documents that no row changes: the machine-readable contract, and the site's pages."""

DIFF_RULES = "diff rules"
"""The target that all comparisons of contents share: it is dirty if another version of `diffs` has made them."""

_RELATED = tuple(f"{paths.facet(paths.RUNS, name)}/" for name in ("commit", "pr"))
_COMMITS = f"{paths.facet(paths.RUNS, 'commit')}/"
_RUN_LISTS = (*_RELATED, *(f"{paths.facet(paths.RUNS, name)}/" for name in paths.RUN_FACETS))
_OF_CODE = (paths.OPENAPI, paths.SCHEMA_INDEX, paths.SCHEMAS, paths.DOCUMENTATION, paths.ROOTED)
_OTHERS = re.compile(
    rf"(?P<sample>{paths.SAMPLES}/-?\d+)(?:/history)?\.json"
    rf"|(?P<test>{paths.REGRESSION_TESTS}/-?\d+)\.json"
    rf"|(?P<feed>{paths.RUNS}|{paths.REGRESSIONS}|{paths.GRID}/[^/]+)\.json"
)


class AllTargets(Container[str]):
    """All targets."""

    def __contains__(self, name: object) -> bool:
        return True


DirtyTargets = AllTargets | set[str]
"""The targets that may have changed."""


def sample(sample_id: int) -> str:
    """A sample: its document and the head of its history."""
    return f"{paths.SAMPLES}/{sample_id}"


def regression_test(regression_test_id: int) -> str:
    """A regression test."""
    return f"{paths.REGRESSION_TESTS}/{regression_test_id}"


def lists_runs(name: str) -> bool:
    """Whether it is a feed or list of runs as they stand in lists."""
    return name == paths.RUNS or name.startswith(_RUN_LISTS)


def lists_related_runs(name: str) -> bool:
    """Whether it is the list of a commit's or pull request's runs."""
    return name.startswith(_RELATED)


def lists_commit(name: str) -> bool:
    """Whether it is the list of a commit's runs."""
    return name.startswith(_COMMITS)


def of_feed(name: str) -> str:
    """The target of a list that does not list runs; where it is in no document, the name of none."""
    return name if name.startswith((paths.REGRESSIONS, paths.GRID)) else name.rpartition("/")[0]


def of_document(path: str) -> str | None:
    """The target whose change alone changes a document that is no partition's.

    None for the lists and indexes of the catalogue, which every export builds.
    """
    if path.startswith(_RUN_LISTS):  # most of all: there are some for each commit
        name = path.removesuffix(".json")
        name = name.rpartition("/page/")[0] or name
        return name if name.startswith(_RUN_LISTS) else None  # a further page of an index begins like a list
    if path == paths.REGRESSIONS_FEED:
        return paths.REGRESSIONS
    if path.startswith(_OF_CODE):
        return CODE
    found = _OTHERS.fullmatch(path)
    return found[found.lastgroup] if found is not None and found.lastgroup else None
