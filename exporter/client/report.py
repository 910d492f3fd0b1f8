"""What a pull request comment should say of runs: what they break, platform by platform, with links.

`run_report` takes published documents and returns values; `as_markdown` and `as_text` put them into words.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.templating import printable

MOST = 65_000
"""Characters of a report in Markdown: GitHub refuses comments of more than 65,536."""

HUNKS = 5
"""Tests that a run breaks of which the first difference is shown."""
_HUNK_LINES = 12
_LINE = 200
"""Lines of a difference that are shown, and characters of each."""

_PLATFORM = {"linux": "Linux", "windows": "Windows", None: "an unknown platform"}


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure that is listed; `kind` is one of `KINDS`, `hunk` the first lines that differ."""

    kind: str
    regression_test_id: int
    sample_name: str | None
    command: str | None
    code: str
    reason: str
    verdict: str
    worse: bool
    base_is_old: bool
    url: str | None
    hunk: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run of a report.

    Args:
        done: results of it.
        total: tests asked for.
        suspect: the code with which so many tests newly fail that the machine is suspected, and their number.
        failures: by kind, then by regression test.
        url: of the run's document.
    """

    run_id: int
    status: str
    platform: str | None
    commit_sha: str | None
    done: int
    total: int
    suspect: tuple[str, int] | None
    failures: tuple[Failure, ...]
    url: str

    def count(self, kind: str) -> int:
        """The number of failures of a kind."""
        return sum(one.kind == kind for one in self.failures)

    @property
    def finished(self) -> bool:
        """Whether the run ended with results."""
        return self.status in ("pass", "fail")


@dataclass(frozen=True, slots=True)
class Report:
    """Runs, in the order of the report.

    `waiting`: the commit of a newer push than that of any of these runs; none of its runs has ended with results.
    """

    title: str
    runs: tuple[RunReport, ...]
    waiting: str | None = None


def run_report(
    run: Mapping[str, Any],
    failures: Iterable[Mapping[str, Any]],
    url_of: Callable[[str], str],
    diff_of: Callable[[Mapping[str, Any]], Mapping[str, Any] | None] = lambda _: None,
) -> RunReport:
    """One run of a report.

    Args:
        run: as `runs/ID.json` has it.
        failures: as `runs/ID/failures.json` has them.
        url_of: gives the absolute URL of a path below the API root.
        diff_of: gives the document of a difference of a failure, if it has one; asked for `HUNKS` failures.
    """
    suspect, summary = run["suspect"], run["summary"]
    items = {item["regression_test_id"]: item for item in failures}
    found = sorted(
        (_failure(item, url_of) for item in items.values()),
        key=lambda one: (KINDS.index(one.kind), one.regression_test_id),
    )
    for place, one in enumerate(found[:HUNKS]):
        diff = diff_of(items[one.regression_test_id]) if one.kind == "broken" else None
        if diff is not None:
            found[place] = dataclasses.replace(one, hunk=first_hunk(diff))
    return RunReport(
        run["run_id"],
        run["status"],
        run["platform"],
        run["commit_sha"],
        _done(run),
        summary["total_samples"],
        (suspect["code"], suspect["count"]) if suspect else None,
        tuple(found),
        url_of(f"runs/{run['run_id']}.json"),
    )


def _failure(item: Mapping[str, Any], url_of: Callable[[str], str]) -> Failure:
    verdict = item["verdict"]
    main = verdict.get("main")
    return Failure(
        _kind(verdict["code"], main and main["state"]),
        item["regression_test_id"],
        item["sample_name"],
        item["command"],
        item["classification"]["code"],
        item["classification"]["reason"],
        verdict["code"],
        bool(main and main["worse"]),
        bool(main and main.get("same_failure_run_id") is not None),
        url_of(item["href"]) if item["href"] else None,
    )


_SIGN = {"added": "+", "removed": "-", "context": " "}


def first_hunk(diff: Mapping[str, Any]) -> tuple[str, ...]:
    """The first lines that differ in a published difference, as `diff -u` shows lines."""
    if not diff["hunks"]:
        return ()
    lines = diff["hunks"][0]["lines"]
    shown = [f"{_SIGN[line['kind']]}{printable(line['text'])[:_LINE]}" for line in lines[:_HUNK_LINES]]
    more = len(lines) - len(shown)
    return (*shown, *([f"… {more} more lines"] if more else []))


def _kind(verdict: str, state: str | None) -> str:
    if state == "no_reference":
        return "not_on_main"
    news = state == "broken" or (state is None and verdict in ("new_regression", "flaky"))
    if not news:
        return "on_main"
    return "flaky" if verdict == "flaky" else "broken"


_ENDED = ("pass", "fail")


def newest_by_platform(runs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of runs, newest first, the newest that ended with results on each platform; else the newest there.

    Where an earlier run of the same commit has more results, as if some tests were run again, the runs down to the one
    with the most follow it.
    """
    by_platform: dict[str | None, list[Mapping[str, Any]]] = {}
    for run in runs:
        by_platform.setdefault(run["platform"], []).append(run)
    found: list[Mapping[str, Any]] = []
    for platform in sorted(by_platform, key=lambda name: name or "~"):
        there = by_platform[platform]
        ended = [run for run in there if run["status"] in _ENDED] or there[:1]
        of_commit = [run for run in ended if run["commit_sha"] == ended[0]["commit_sha"]]
        alone = platform is None or ended[0]["commit_sha"] is None
        found += of_commit[: 1 if alone else 1 + of_commit.index(max(of_commit, key=_done))]
    return found


def waiting(runs: Sequence[Mapping[str, Any]], chosen: Iterable[Mapping[str, Any]]) -> str | None:
    """`Report.waiting`; `chosen` is what `newest_by_platform` returns of `runs`, which come newest first."""
    newest: str | None = runs[0]["commit_sha"] if runs else None
    reported = {run["commit_sha"] for run in chosen if run["status"] in _ENDED}
    return newest if reported and newest not in reported else None


def _done(run: Mapping[str, Any]) -> int:
    """The number of a run's results."""
    return sum(run["summary"][name] for name in ("pass_count", "fail_count", "missing_output_count"))


Items = Iterable[Mapping[str, Any]]


def newest_failures(
    runs: Sequence[Mapping[str, Any]], failures_of: Callable[[int], Items], commit: Callable[[str], Items]
) -> list[list[Mapping[str, Any]]]:
    """The failures of each run; of several on a platform those that are a test's newest result at the commit.

    Args:
        runs: as `newest_by_platform` returns them.
        failures_of: returns a run's failures.
        commit: returns a commit's `meta.platforms`.
    """
    times = Counter(run["platform"] for run in runs)
    known: set[tuple[str, int]] = set()
    found = []
    for run in runs:
        platform, items = run["platform"], list(failures_of(run["run_id"]))
        if times[platform] > 1:
            failing = {one["regression_test_id"] for one in commit(run["commit_sha"]) if one[platform] in _FAILING}
            tests = failing - {test for name, test in known if name == platform}
            items = [item for item in items if item["regression_test_id"] in tests]
            known |= {(platform, item["regression_test_id"]) for item in items}
        found.append(items)
    return found


_FAILING = ("fail", "missing_output")


KINDS = ("broken", "flaky", "on_main", "not_on_main")
"""How a failure stands to the main line, the gravest first.

Of a pull request or a branch as the run's `failures.main` counts it: `on_main` is `same` and `different`, `not_on_main`
is `no_reference`. Of a run of the main line `broken` is what is newly broken, and `on_main` what failed before.
"""


def headline(report: Report) -> str:
    """The answer in one sentence: "Breaks 6 tests on Linux, 2 on Windows; 3 flaky; 11 fail on the main line too".

    What is broken is counted on each platform. Of the others each test counts once, as the gravest that it is anywhere.
    """
    if not report.runs:
        return "No run is published"
    finished = [run for run in report.runs if run.finished]
    if not finished:
        return f"No run has finished; newest: {report.runs[0].status}"
    broken = Counter[str]()
    for run in finished:
        broken[_name(run)] += run.count("broken")
    if counts_there := [(name, count) for name, count in broken.items() if count]:
        first, *rest = (f"{count} {{}}on {name}" for name, count in counts_there)
        word = "test " if counts_there[0][1] == 1 else "tests "
        parts = ["Breaks " + ", ".join([first.format(word), *(one.format("") for one in rest)])]
    else:
        parts = ["Breaks nothing on " + " and ".join(broken)]
    counts = Counter(gravest(finished).values())
    if counts["flaky"]:
        parts.append(f"{counts['flaky']} flaky")
    if same := counts["on_main"]:
        parts.append(f"{same} {'fails' if same == 1 else 'fail'} on the main line too")
    if new := counts["not_on_main"]:
        parts.append(f"{new} {'fails' if new == 1 else 'fail'}, not run on the main line")
    newest = max(report.runs, key=lambda run: run.run_id)
    others = (
        f"{_name(run)} of the earlier commit {(run.commit_sha or 'unknown')[:8]}"
        if run.finished
        else f"{_name(run)} {run.status}"
        for run in report.runs
        if not run.finished or run.commit_sha != newest.commit_sha
    )
    if report.waiting is not None:
        parts.append(f"the newest push, {report.waiting[:8]}, has no results yet")
    return "; ".join([*parts, *dict.fromkeys(others)])


def gravest(runs: Iterable[RunReport]) -> dict[int, str]:
    """Regression test → the gravest kind of its failures in some runs."""
    found: dict[int, str] = {}
    for one in (failure for run in runs for failure in run.failures):
        found[one.regression_test_id] = min(one.kind, found.get(one.regression_test_id, one.kind), key=KINDS.index)
    return found


def _name(run: RunReport) -> str:
    return _PLATFORM.get(run.platform, str(run.platform))


_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+.!|~$:/@&^=-])")


def escape(text: str | None, most: int = 200) -> str:
    """A text from a row as Markdown that shows it and does nothing: no link, mention, HTML, table cell or emphasis."""
    if text is None:
        return "—"
    text = printable(text)
    text = text if len(text) <= most else text[: most - 1] + "…"
    # A reference for each character that Markdown or GitHub gives a meaning: neither reads them again.
    return _SPECIAL.sub(lambda found: f"&#{ord(found[1])};", text)


def as_markdown(report: Report) -> str:
    """The report as GitHub Markdown, of fewer than 65,536 characters; what does not fit is counted."""
    lines = [f"### {escape(report.title)}: {escape(headline(report), 500)}", ""]
    for run in report.runs:
        lines += [*_run_lines(run), ""]
    text = "\n".join(lines).rstrip() + "\n"
    if len(text) <= MOST:
        return text
    kept, size = [], 0
    for line in lines:
        size += len(line) + 1
        if size > MOST - 200:
            break
        kept.append(line)
    return "\n".join([*kept, "", f"… and {len(lines) - len(kept)} more lines: follow the links."]) + "\n"


def _run_lines(run: RunReport) -> list[str]:
    sha = f", commit {escape(run.commit_sha[:10])}" if run.commit_sha else ""
    lines = [f"**{_name(run)}**, [run {run.run_id}]({run.url}){sha}: {run.done} of {run.total} results, {run.status}"]
    if run.suspect:
        code, count = run.suspect
        lines.append(f"⚠ {count} tests newly fail with {code}: this looks like the machine, not the change.")
    if run.failures:
        lines += ["", "| | test | command | failure |", "|---|---|---|---|"]
        lines += [_row(one) for one in run.failures]
        lines += [_difference(one) for one in run.failures if one.hunk]
    return lines


def _difference(one: Failure) -> str:
    """The first lines that differ, in a fence that no line of them can close."""
    longest = max((len(ticks) for line in one.hunk for ticks in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join(["", f"Test {one.regression_test_id}:", "", f"{fence}diff", *one.hunk, fence])


_KIND = {"broken": "breaks", "flaky": "flaky", "on_main": "on main too", "not_on_main": "not on main"}


def _row(one: Failure) -> str:
    notes = [note for note, there in (("worse", one.worse), ("base is old: rebase", one.base_is_old)) if there]
    test = f"[{one.regression_test_id}]({one.url})" if one.url else str(one.regression_test_id)
    command = f"ccextractor {escape(one.command)} {escape(one.sample_name, 80)}"
    failure = ", ".join([f"{one.code} ({one.verdict})", *notes])
    return f"| {_KIND[one.kind]} | {test} | {command} | {escape(failure)}: {escape(one.reason)} |"


def as_text(report: Report) -> str:
    """The report as plain text, for a terminal."""
    lines = [f"{printable(report.title)}: {headline(report)}"]
    for run in report.runs:
        lines.append(f"{_name(run)}, run {run.run_id}: {run.done} of {run.total} results, {run.status}")
        lines += [
            f"  {_KIND[one.kind]:12} {one.regression_test_id:>5} {one.code:18} "
            f"ccextractor {printable(one.command or '')} {printable(one.sample_name or '')}"
            + "".join(f"\n        {line}" for line in one.hunk)
            for one in run.failures
        ]
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> dict[str, Any]:
    """The report as JSON values."""
    return {"headline": headline(report), **dataclasses.asdict(report)}
