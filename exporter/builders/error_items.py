"""Error items: each way in which a result is not what was expected, and their groupings."""

from collections.abc import Iterator

from exporter import paths
from exporter.documents.encoding import Document, encode
from exporter.documents.lists import listing
from exporter.documents.results import ErrorGroup, ErrorItem
from exporter.rules.outcomes import Result, sample_of
from exporter.source.catalog import Catalog

GROUPINGS = ("type", "severity", "sample_id", "regression_id")

_RANK = {"warning": 0, "error": 1}
_MOST_SAMPLES = 1000


def items(run_id: int, results: list[Result], occurred_at: str | None, catalog: Catalog) -> list[ErrorItem]:
    """The error items of a run: by test, then exit code, missing outputs, differing outputs."""
    return [
        {
            "error_id": f"err_{run_id}_{outcome.test_id}_{suffix}",
            "run_id": run_id,
            "sample_id": sample.id if sample else None,
            "regression_id": outcome.test_id,
            "type": type_,
            "severity": severity,
            "message": message,
            "occurred_at": occurred_at,
        }
        for outcome, _ in results
        if outcome.errors
        for sample in [sample_of(catalog, outcome.test_id)]
        for suffix, type_, severity, message in outcome.errors
    ]


def grouped(errors: list[ErrorItem], group_by: str) -> list[ErrorGroup]:
    """The error items of a run by the value of one field, first met first."""
    groups: dict[str, ErrorGroup] = {}
    seen: dict[str, dict[int, None]] = {}
    for error in errors:
        key = str(error[group_by])  # type: ignore[literal-required]
        moment = error["occurred_at"]
        group = groups.get(key)
        if group is None:
            group = groups[key] = {
                "key": key,
                "group_by": group_by,
                "count": 0,
                "severity": error["severity"],
                "sample_ids": [],
                "first_seen_at": moment,
                "last_seen_at": moment,
            }
        group["count"] += 1
        group["severity"] = max(group["severity"], error["severity"], key=_RANK.__getitem__)
        if error["sample_id"] is not None:
            seen.setdefault(key, {})[error["sample_id"]] = None
    for key, samples in seen.items():
        groups[key]["sample_ids"] = list(samples)[:_MOST_SAMPLES]
    return list(groups.values())


def documents(run_id: int, errors: list[ErrorItem]) -> Iterator[Document]:
    """A run's list of errors; every page holds the groupings of the whole list."""
    summary = {name: grouped(errors, name) for name in GROUPINGS}
    for page in paths.pages(paths.run_list(run_id, "errors"), len(errors)):
        yield page.path, encode({**listing(errors[page.items], page.pagination), "summary": summary})
