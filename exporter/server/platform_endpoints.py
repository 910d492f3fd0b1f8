"""The endpoints of the platform's read API: each is a function of a published tree and a request's parameters."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from exporter import paths
from exporter.client.http import NotFoundError
from exporter.server import platform_answers as answers
from exporter.server.cached_tree import CachedTree
from exporter.server.platform_answers import Filter
from exporter.server.platform_parameters import AnswerError, Query

RUN_ORDERS: Mapping[str, tuple[str, bool]] = {
    "-run_id": ("run_id", True), "run_id": ("run_id", False),
    "-created_at": ("created_at", True), "created_at": ("created_at", False),
}  # fmt: skip
GROUPINGS = ("type", "severity", "sample_id", "regression_id")

Answer = Callable[[CachedTree, Mapping[str, int], Query], answers.Body]


def runs(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs`."""
    wanted = query.texts("status", "platform", "branch", "repository", "commit_sha")
    filters: list[Filter] = []
    after, before = query.time("created_after"), query.time("created_before")
    if after or before:
        filters.append(answers.within("created_at", after, before, undated=True))
    order = query.text("sort") or "-run_id"
    found = answers.select(tree.items(paths.RUNS, wanted), filters)
    field, descending = RUN_ORDERS[order]
    if order != "-run_id":
        found.sort(key=lambda run: (run[field] or "", run["run_id"]) if field != "run_id" else run[field])
        if descending:
            found.reverse()
    return _listed(found, answers.RUN, query)


def _listed(items: Sequence[answers.Item], fields: Sequence[str], query: Query) -> answers.Body:
    limit, offset = query.page()
    shown = [answers.shown(item, fields) for item in items[offset : offset + limit]]
    return answers.page(shown, len(items), limit, offset)


def _filters(query: Query, **makers: Callable[[str], Filter]) -> list[Filter]:
    """A filter for each of these parameters that a request has."""
    return [make(value) for name, make in makers.items() if (value := query.text(name))]


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
    found = _run(tree, ids)
    return {"run_id": found["run_id"], "status": found["status"], **found["summary"]}


def run_config(tree: CachedTree, ids: Mapping[str, int], _query: Query) -> answers.Body:
    """`/runs/ID/config`."""
    found = _run(tree, ids)
    return {**answers.shown(found, ("run_id", "platform", "branch", "commit_sha")), **found["config"]}


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
    grouping = query.text("group_by") or GROUPINGS[0]
    first = tree.document(paths.document(paths.run_list(ids["run"], "errors")))
    return _listed(first["summary"][grouping], answers.ERROR_GROUP, query)


def results(tree: CachedTree, ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/runs/ID/samples`: the results of a run."""
    _run(tree, ids)
    filters = _filters(
        query,
        status=partial(answers.equals, "status"),
        name=partial(answers.contains, "sample_name"),
        category=partial(answers.holds, "categories"),
        tag=partial(_tagged, tree),
    )
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
    context = query.number("context_lines")
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
    return answers.diff(identity, document, context or 0, unified=query.text("format") == "unified")


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
    filters = _filters(query, contains=partial(answers.contains, "message"))
    limit, start = query.number("limit") or 0, query.number("cursor") or 0
    found = answers.select(tree.items(paths.run_list(run_id, "log"), query.texts("level", "source")), filters)
    following = str(start + limit) if start + limit < len(found) else None
    return {
        "data": [answers.log_line(run_id, line) for line in found[start : start + limit]],
        "pagination": {"limit": limit, "next_cursor": following},
    }


def samples(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/samples`."""
    filters = _filters(
        query,
        name=partial(answers.contains, "original_name"),
        sha256=partial(answers.equals, "sha"),
        extension=partial(answers.equals, "extension"),
        tag=partial(answers.holds, "tags"),
        status=lambda status: lambda item: item["active"] is (status == "active"),
    )
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
    wanted = query.texts("platform", "branch", "status")
    filters: list[Filter] = []
    tests = (query.number("regression_test"), query.number("regression_test_id"))
    filters += [answers.equals("regression_test_id", str(test)) for test in tests if test is not None]
    after, before = query.time("created_after"), query.time("created_before")
    if after or before:
        filters.append(answers.within("tested_at", after, before, undated=False))
    found = answers.select(tree.items(paths.sample_history(ids["sample"]), wanted), filters)
    return _listed(found, answers.HISTORY_ENTRY, query)


def regression_tests(tree: CachedTree, _ids: Mapping[str, int], query: Query) -> answers.Body:
    """`/regression-tests`: the active ones unless `active` says otherwise."""
    filters = _filters(query, category=partial(answers.holds, "categories"), tag=partial(_tagged, tree))
    active = query.text("active")
    filters.append(lambda item: item["active"] is (active == "true"))
    if (wanted := query.number("sample_id")) is not None:
        filters.append(lambda item: item["sample_id"] == wanted)
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
