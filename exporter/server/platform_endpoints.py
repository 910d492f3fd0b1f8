"""The endpoints of the platform's read API: each is a function of a published tree and a request's parameters."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter import paths
from exporter.client.http import NotFoundError
from exporter.server import platform_answers as answers
from exporter.server.cached_tree import CachedTree
from exporter.server.platform_answers import Filter

_LIMIT, _MOST = 50, 100
"""Items of a page where a request names no limit, and at most: the platform's."""

_RUN_ORDERS: Mapping[str, tuple[str, bool]] = {
    "-run_id": ("run_id", True), "run_id": ("run_id", False),
    "-created_at": ("created_at", True), "created_at": ("created_at", False),
}  # fmt: skip
_GROUPINGS = ("type", "severity", "sample_id", "regression_id")


class AnswerError(Exception):
    """An answer that is no success: its HTTP status, and the platform's `code`, `message` and `details`."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "details": details}


@dataclass(frozen=True, slots=True)
class Query:
    """The query string of a request. An empty value is none, as on the platform."""

    values: Mapping[str, str]

    def text(self, name: str) -> str | None:
        """A parameter; None where it is not given."""
        return self.values.get(name) or None

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number.

        Raises:
            AnswerError: it is none, or out of bounds.
        """
        value = self.text(name)
        if value is None:
            return default
        if not value.lstrip("-").isdecimal() or not value.isascii() or not least <= int(value[:19]) <= most:
            raise invalid(name, f"a whole number from {least} to {most}")
        return int(value)

    def choice(self, name: str, values: Sequence[str]) -> str | None:
        """One of some values.

        Raises:
            AnswerError: it is none of them.
        """
        value = self.text(name)
        if value is not None and value not in values:
            raise invalid(name, "one of " + ", ".join(values))
        return value

    def page(self) -> tuple[int, int]:
        """`limit` and `offset`."""
        return self.number("limit", _LIMIT, 1, _MOST), self.number("offset", 0, 0, 2**31)


def invalid(name: str, expected: str) -> AnswerError:
    """A parameter has a value that it cannot have."""
    return AnswerError(400, "validation_error", f"{name} must be {expected}.", parameter=name)


Endpoint = Callable[[CachedTree, Mapping[str, int], Query], answers.Body]


def runs(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs`."""
    facets = {name: value for name in ("status", "platform", "branch", "repository") if (value := query.text(name))}
    filters = [answers.equals(name, value) for name, value in facets.items()]
    if commit := query.text("commit_sha"):
        filters.append(answers.equals("commit_sha", commit))
    after, before = query.text("created_after"), query.text("created_before")
    if after or before:
        filters.append(answers.within("created_at", after, before, undated=True))
    order = query.choice("sort", tuple(_RUN_ORDERS)) or "-run_id"
    found = answers.select(tree.items(paths.RUNS), filters)
    field, descending = _RUN_ORDERS[order]
    if order != "-run_id":
        found.sort(key=lambda run: (run[field] or "", run["run_id"]) if field != "run_id" else run[field])
        if descending:
            found.reverse()
    return _listed(found, answers.RUN, query)


def _listed(items: Sequence[answers.Item], fields: Sequence[str], query: Query) -> answers.Body:
    limit, offset = query.page()
    shown = [answers.shown(item, fields) for item in items[offset : offset + limit]]
    return answers.page(shown, len(items), limit, offset)


def _found(tree: CachedTree, path: str, otherwise: str) -> Any:
    """A document, or the answer that there is none."""
    try:
        return tree.document(path)
    except NotFoundError:
        raise AnswerError(404, "not_found", otherwise) from None


def _run(tree: CachedTree, ids: Mapping[str, int]) -> Any:
    return _found(tree, paths.run(ids["run"]), "Run not found.")


def run(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/runs/ID`."""
    return answers.shown(_run(tree, ids), answers.RUN)


def run_summary(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/runs/ID/summary`."""
    return answers.summary(_run(tree, ids))


def run_config(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/runs/ID/config`."""
    return answers.config(_run(tree, ids))


def run_progress(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/progress`."""
    return _listed(_run(tree, ids)["progress"], ("timestamp", "status", "message"), query)


def infrastructure_errors(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/infrastructure-errors`."""
    return _listed(_run(tree, ids)["infrastructure_errors"], answers.INFRASTRUCTURE_ERROR, query)


def errors(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/errors`."""
    _run(tree, ids)
    return _listed(list(tree.items(paths.run_list(ids["run"], "errors"))), answers.ERROR, query)


def error_summary(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/error-summary`."""
    _run(tree, ids)
    grouping = query.choice("group_by", _GROUPINGS) or _GROUPINGS[0]
    first = tree.document(paths.document(paths.run_list(ids["run"], "errors")))
    return _listed(first["summary"][grouping], answers.ERROR_GROUP, query)


def results(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/samples`: the results of a run."""
    _run(tree, ids)
    filters: list[Filter] = []
    if status := query.choice("status", ("pass", "fail", "missing_output")):
        filters.append(answers.equals("status", status))
    if name := query.text("name"):
        filters.append(answers.contains("sample_name", name))
    if category := query.text("category"):
        filters.append(answers.holds("categories", category))
    if tag := query.text("tag"):
        having = {
            sample["sample_id"] for sample in answers.select(tree.items(paths.SAMPLES), [answers.holds("tags", tag)])
        }
        filters.append(lambda item: item["sample_id"] in having)
    found = answers.select(tree.items(paths.run_list(ids["run"], "samples")), filters)
    limit, offset = query.page()
    return answers.page([answers.result(one) for one in found[offset : offset + limit]], len(found), limit, offset)


def _tagged(tree: CachedTree, tag: str) -> Filter:
    """A filter: items whose sample has a tag."""
    having = {one["sample_id"] for one in answers.select(tree.items(paths.SAMPLES), [answers.holds("tags", tag)])}
    return lambda item: item["sample_id"] in having


def _result(tree: CachedTree, ids: Mapping[str, int]) -> Any:
    """A result by its regression test, from its own document or, where only failures have one, from the list."""
    _run(tree, ids)
    try:
        return tree.document(paths.run_results(ids["run"]) + paths.result_file(ids["test"]))
    except NotFoundError:
        for item in tree.items(paths.run_list(ids["run"], "samples")):
            if item["regression_test_id"] == ids["test"]:
                return item
        raise AnswerError(404, "not_found", "Result not found.") from None


def result(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/runs/ID/samples/REGRESSION-TEST`."""
    return answers.result(_result(tree, ids))


def diff(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/samples/SAMPLE/regression-tests/TEST/outputs/OUTPUT/diff`."""
    form = query.choice("format", ("structured", "unified")) or "structured"
    context = query.number("context_lines", 3, 0, 100)
    if context > 3:
        raise AnswerError(
            400, "validation_error", "Published diffs hold 3 lines of context.", parameter="context_lines", most=3
        )
    one = _result(tree, ids)
    output = next((found for found in one["outputs"] if found["output_id"] == ids["output"]), None)
    if output is None or output["match"] == "missing":
        raise AnswerError(404, "not_found", "Actual output file not found on disk.")
    identity = {
        "run_id": ids["run"],
        "sample_id": one["sample_id"],
        "regression_id": ids["test"],
        "output_id": ids["output"],
    }
    link = output.get("diff")
    if link is None and output["match"] != "exact":
        raise AnswerError(404, "not_found", "Actual output file not found on disk.")
    document = answers.IDENTICAL if link is None else tree.linked(paths.run_results(ids["run"]) + "x.json", link)
    if document["status"] == "missing_actual":
        raise AnswerError(404, "not_found", "Actual output file not found on disk.")
    if document["status"] == "missing_expected":
        raise AnswerError(404, "not_found", "Expected output file not found on disk.")
    if form == "unified":
        return {**identity, "format": "unified", "content": document["unified"]}
    return answers.diff(identity, document, context)


def logs(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/logs`: lines of the build log; `cursor` counts lines that passed the filters."""
    run_id = ids["run"]
    if _run(tree, ids)["links"]["log"] is None:
        raise AnswerError(
            404,
            "log_not_found",
            f"Log file for run {run_id} is not available locally. It may have been moved to cold storage. "
            "Please download it via the artifacts API.",
            action_required=f"Use GET /runs/{run_id}/artifacts (type=build_log)",
            run_id=run_id,
        )
    filters = [answers.equals(name, value) for name in ("level", "source") if (value := query.text(name))]
    if text := query.text("contains"):
        filters.append(answers.contains("message", text))
    limit, start = query.number("limit", _LIMIT, 1, 1000), query.number("cursor", 0, 0, 2**31)
    found = answers.select(tree.items(paths.run_list(run_id, "log")), filters)
    following = str(start + limit) if start + limit < len(found) else None
    return {
        "data": [answers.log_line(run_id, line) for line in found[start : start + limit]],
        "pagination": {"limit": limit, "next_cursor": following},
    }


def samples(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/samples`."""
    filters: list[Filter] = []
    if name := query.text("name"):
        filters.append(answers.contains("original_name", name))
    if sha := query.text("sha256"):
        filters.append(answers.equals("sha", sha))
    if extension := query.text("extension"):
        filters.append(answers.equals("extension", extension))
    if tag := query.text("tag"):
        filters.append(answers.holds("tags", tag))
    if status := query.choice("status", ("active", "inactive")):
        filters.append(lambda item: item["active"] is (status == "active"))
    return _listed(answers.select(tree.items(paths.SAMPLES), filters), answers.SAMPLE, query)


def sample(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/samples/ID`."""
    return answers.shown(_found(tree, paths.sample(ids["sample"]), "Sample not found."), answers.SAMPLE)


def sample_details(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/samples/ID/details`; no document holds media information."""
    found = _found(tree, paths.sample(ids["sample"]), "Sample not found.")
    return {**answers.shown(found, answers.SAMPLE_DETAILS), "media_info": None}


def history(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/samples/ID/history`."""
    _found(tree, paths.sample(ids["sample"]), "Sample not found.")
    filters = [answers.equals(name, value) for name in ("platform", "branch", "status") if (value := query.text(name))]
    for name in ("regression_test", "regression_test_id"):
        if query.text(name):
            wanted = query.number(name, 0, -(2**31), 2**31)
            filters.append(answers.equals("regression_test_id", str(wanted)))
    after, before = query.text("created_after"), query.text("created_before")
    if after or before:
        filters.append(answers.within("tested_at", after, before, undated=False))
    found = answers.select(tree.items(paths.sample_history(ids["sample"])), filters)
    return _listed(found, answers.HISTORY_ENTRY, query)


def regression_tests(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/regression-tests`: the active ones unless `active` says otherwise."""
    filters: list[Filter] = []
    active = query.choice("active", ("true", "false")) or "true"
    filters.append(lambda item: item["active"] is (active == "true"))
    if category := query.text("category"):
        filters.append(answers.holds("categories", category))
    if query.text("sample_id"):
        wanted = query.number("sample_id", 0, -(2**31), 2**31)
        filters.append(lambda item: item["sample_id"] == wanted)
    if tag := query.text("tag"):
        having = {
            sample["sample_id"] for sample in answers.select(tree.items(paths.SAMPLES), [answers.holds("tags", tag)])
        }
        filters.append(lambda item: item["sample_id"] in having)
    return _listed(answers.select(tree.items(paths.REGRESSION_TESTS), filters), answers.REGRESSION_TEST, query)


def regression_test(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/regression-tests/ID`."""
    found = _found(tree, paths.regression_test(ids["test"]), "Regression test not found.")
    return {**answers.shown(found, answers.REGRESSION_TEST), "outputs": found["outputs"]}


def categories(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/categories`."""
    return _listed(list(tree.items(paths.CATEGORIES)), answers.CATEGORY, query)


def tags(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/tags`."""
    return _listed(list(tree.items(paths.TAGS)), answers.TAG, query)


def queue(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/system/queue`: runs that wait or are at work, oldest first."""
    running = list(tree.items(paths.facet_list(paths.RUNS, "status", "running")))
    queued = list(tree.items(paths.facet_list(paths.RUNS, "status", "queued")))
    body = _listed(sorted([*running, *queued], key=lambda one: one["run_id"]), answers.RUN, query)
    return {**body, "meta": {"queue_depth": len(queued), "running_count": len(running)}}


_RUN, _TEST = "/runs/{run:int}", "/regression-tests/{test:int}"
ENDPOINTS: Mapping[str, Endpoint] = {
    "/runs": runs,
    _RUN: run,
    f"{_RUN}/summary": run_summary,
    f"{_RUN}/progress": run_progress,
    f"{_RUN}/config": run_config,
    f"{_RUN}/samples": results,
    f"{_RUN}/samples/{{test:int}}": result,
    f"{_RUN}/samples/{{sample:int}}{_TEST}/outputs/{{output:int}}/diff": diff,
    f"{_RUN}/errors": errors,
    f"{_RUN}/error-summary": error_summary,
    f"{_RUN}/infrastructure-errors": infrastructure_errors,
    f"{_RUN}/logs": logs,
    "/samples": samples,
    "/samples/{sample:int}": sample,
    "/samples/{sample:int}/details": sample_details,
    "/samples/{sample:int}/history": history,
    "/regression-tests": regression_tests,
    _TEST: regression_test,
    "/categories": categories,
    "/tags": tags,
    "/system/queue": queue,
}
