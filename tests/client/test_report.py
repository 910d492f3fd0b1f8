"""Reports for pull requests: the headline's arithmetic, and hostile text through a real Markdown renderer."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from exporter.client.report import (
    MOST,
    Report,
    as_json,
    as_markdown,
    as_text,
    escape,
    headline,
    newest_by_platform,
    newest_failures,
    run_report,
    waiting,
)

RENDERER = MarkdownIt("gfm-like")


def url_of(path: str) -> str:
    return "https://host/v1/" + path


def run(
    platform: str | None = "linux", status: str = "fail", run_id: int = 7, suspect: Any = None, commit: str = "a" * 40
) -> dict[str, Any]:
    return {
        "run_id": run_id,
        "status": status,
        "platform": platform,
        "commit_sha": commit,
        "summary": {"pass_count": 200, "fail_count": 4, "missing_output_count": 1, "total_samples": 228},
        "suspect": suspect,
    }


def failure(number: int, verdict: str = "new_regression", state: str | None = "broken", **more: Any) -> dict[str, Any]:
    standing = {"same_failure_run_id": more.pop("same", None), "worse": more.pop("worse", False)}
    main = {"state": state, **standing} if state else None
    return {
        "regression_test_id": number,
        "sample_name": "a.ts",
        "command": "--out=srt",
        "classification": {"code": "OUTPUT_DIFF", "reason": "1 output differs."},
        "verdict": {"code": verdict, "main": main},
        "href": f"runs/7/samples/{number}.json",
        **more,
    }


def report(*runs: tuple[dict[str, Any], list[dict[str, Any]]], title: str = "Pull request 5") -> Report:
    return Report(title, tuple(run_report(one, failures, url_of) for one, failures in runs))


BROKEN, FLAKY, SAME = failure(1), failure(2, "flaky"), failure(3, "still_failing", "same")
NEW = failure(6, "no_history", "no_reference")

HEADLINES: list[tuple[list[Any], str]] = [
    ([], "No run is published"),
    ([(run(status="running"), [BROKEN])], "No run has finished; newest: running"),
    ([(run(), [BROKEN])], "Breaks 1 test on Linux"),
    (
        [(run(), [BROKEN, failure(4), FLAKY, SAME]), (run("windows"), [BROKEN])],
        "Breaks 2 tests on Linux, 1 on Windows; 1 flaky; 1 fails on the main line too",
    ),
    (
        [(run(), [SAME, failure(4, "still_failing", "different")]), (run("windows"), [SAME])],
        "Breaks nothing on Linux and Windows; 2 fail on the main line too",
    ),
    # A test counts once, as the gravest that it is on any platform.
    ([(run(), [failure(1, "flaky")]), (run("windows"), [BROKEN])], "Breaks 1 test on Windows"),
    ([(run(), [NEW]), (run("windows"), [])], "Breaks nothing on Linux and Windows; 1 fails, not run on the main line"),
    # A flaky test that fails on the main line just now fails there too, as `failures.main` counts it.
    ([(run(), [failure(5, "flaky", "same")])], "Breaks nothing on Linux; 1 fails on the main line too"),
    ([(run(), [failure(5, "still_failing", "broken")])], "Breaks 1 test on Linux"),
    ([(run(), [BROKEN]), (run("windows", "running"), [])], "Breaks 1 test on Linux; Windows running"),
    (
        [(run(), [BROKEN]), (run("windows", run_id=5, commit="b" * 40), [])],
        "Breaks 1 test on Linux; Windows of the earlier commit bbbbbbbb",
    ),
    ([(run(None), [BROKEN])], "Breaks 1 test on an unknown platform"),
]


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        *HEADLINES,
        ([(run(), [failure(5, "new_regression", None)])], "Breaks 1 test on Linux"),
        ([(run(), [failure(5, "flaky", None)])], "Breaks nothing on Linux; 1 flaky"),
    ],
)
def test_the_headline_counts_by_platform(runs: list[Any], expected: str) -> None:
    assert headline(report(*runs)) == expected


def test_the_newest_finished_run_of_each_platform_is_told() -> None:
    runs = [run(status="running", run_id=9), run("windows", run_id=8), run(run_id=7), run("windows", run_id=6)]
    assert [one["run_id"] for one in newest_by_platform(runs)] == [7, 8]
    assert [
        one["run_id"] for one in newest_by_platform([run(status="queued", run_id=9), run(status="canceled", run_id=8)])
    ] == [9]


def again(run_id: int, results: int, commit: str = "a" * 40) -> dict[str, Any]:
    """A run of so many results."""
    summary = {"pass_count": results, "fail_count": 0, "missing_output_count": 0, "total_samples": results}
    return run(run_id=run_id, commit=commit) | {"summary": summary}


@pytest.mark.parametrize(
    ("newest", "says"),
    [
        ("running", "Breaks 1 test on Linux; the newest push, bbbbbbbb, has no results yet"),
        ("fail", "Breaks 1 test on Linux"),
    ],
)
def test_a_newest_push_without_results_is_told(newest: str, says: str) -> None:
    runs = [run(status=newest, run_id=2, commit="b" * 40), run(run_id=1)]
    chosen = newest_by_platform(runs)
    found = tuple(run_report(one, [failure(1)], url_of) for one in chosen)
    assert headline(Report("x", found, waiting(runs, chosen))) == says


def test_a_report_of_runs_of_which_none_has_ended_waits_for_none() -> None:
    runs = [run(status="running")]
    assert waiting(runs, newest_by_platform(runs)) is None


def test_tests_that_were_run_again_leave_what_the_others_broke() -> None:
    """wpt results-collection#553: a run of one test turns a pull request green."""
    runs = [again(9, 1), again(8, 2), run("windows", run_id=7), again(6, 200), again(5, 200), again(4, 300, "b" * 40)]
    chosen = newest_by_platform(runs)
    assert [one["run_id"] for one in chosen] == [9, 8, 6, 7]
    failures = {9: [], 8: [failure(2), failure(3)], 6: [failure(1), failure(2), failure(4)], 7: [failure(1)]}
    statuses = [("pass", "fail"), ("fail", None), ("missing_output", None), ("fail", "pass")]
    platforms = [
        {"regression_test_id": test, "linux": linux, "windows": windows}
        for test, (linux, windows) in enumerate(statuses, 1)
    ]
    found = newest_failures(chosen, failures.__getitem__, lambda _: platforms)
    assert [[one["regression_test_id"] for one in of_run] for of_run in found] == [[], [2, 3], [4], [1]]
    assert headline(report(*zip(chosen, found, strict=True))) == "Breaks 3 tests on Linux, 1 on Windows"


HOSTILE = st.text(
    st.sampled_from([*"<>&[]()!|`*_~#@:/\\-+.=\n\r\t\x00 abhttps1", "\u202e", "\ud800"]), max_size=40
) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "![x](https://evil/a.png)",
        "@octocat please",
        "https://evil.example/",
        "www.evil.example",
        "| a | b |\n|---|---|",
        "`code` **bold**",
        "#123 GH-1 evil@example.com",
        "]( javascript:alert(1) )",
        "&lt;img src=x onerror=alert(1)&gt;",
    ]
)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(command: str, name: str, title: str) -> None:
    markdown = as_markdown(report((run(), [failure(1, command=command, sample_name=name)]), title=title))
    html = RENDERER.render(markdown)
    assert re.findall(r"<(\w+)", html).count("table") == 1
    assert html.count("<tr>") == 2 and html.count("<td>") == 4
    assert set(re.findall(r'href="([^"]*)"', html)) <= {url_of("runs/7.json"), url_of("runs/7/samples/1.json")}
    assert not re.search(r"<(script|img|em|code|del|h1|h2|ul|blockquote)\b", html)
    assert html.count("<strong>") == 1 and html.count("<h3>") == 1
    # Where GitHub looks for mentions, references and addresses, there is the character itself or nothing.
    assert "@" not in markdown and not re.search(r"(?<!&)#(?!\d*;|## )\d", markdown)


TICKS = st.text(st.sampled_from([*"`~<>@\n\r #|", "\u202e"]), max_size=30) | HOSTILE


@given(st.lists(TICKS, min_size=1, max_size=20))
def test_hostile_lines_of_a_difference_stay_in_their_fence(texts: list[str]) -> None:
    diff = {"hunks": [{"lines": [{"kind": "added", "text": text} for text in texts]}]}
    failures = [failure(1)]
    markdown = as_markdown(Report("x", (run_report(run(), failures, url_of, lambda _: diff),)))
    html = RENDERER.render(markdown)
    (code,) = re.findall(r'<pre><code class="language-diff">(.*?)</code></pre>', html, re.DOTALL)
    assert code.count("\n") == min(len(texts), 12) + (len(texts) > 12)
    assert not re.search(r"<(script|img|em|del|h1|h2|ul|blockquote)\b", html.replace(code, ""))
    assert html.endswith("</code></pre>\n") and "<" not in code


def test_the_first_difference_is_shown_of_the_first_tests_that_break() -> None:
    asked = []

    def diff_of(item: Any) -> Any:
        asked.append(item["regression_test_id"])
        lines = [{"kind": kind, "text": kind} for kind in ("context", "removed", "added")]
        return {"hunks": [{"lines": lines}]} if item["regression_test_id"] > 1 else None

    failures = [*(failure(number) for number in range(9, 0, -1)), failure(10, "flaky")]
    found = run_report(run(), failures, url_of, diff_of)
    assert asked == [1, 2, 3, 4, 5]
    assert [bool(one.hunk) for one in found.failures] == [False, True, True, True, True] + [False] * 5
    assert found.failures[1].hunk == (" context", "-removed", "+added")
    assert "\n        -removed\n" in as_text(Report("x", (found,)))


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=100))
def test_escaped_text_reads_as_it_was(text: str) -> None:
    html = RENDERER.renderInline("x" + escape(text) + "x")
    shown = html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")
    printable = "".join(char if char.isprintable() else "\ufffd" for char in text)
    assert shown == f"x{printable}x"


def test_a_report_fits_into_a_comment() -> None:
    text = as_markdown(report((run(), [failure(number, command="x" * 150) for number in range(5000)])))
    assert len(text) <= MOST and "more lines" in text


def test_suspicion_and_old_bases_are_told() -> None:
    failures = [failure(1, same=3), failure(2, worse=True)]
    text = as_markdown(report((run(suspect={"code": "TIMEOUT", "count": 80}), failures)))
    assert "80 tests newly fail with TIMEOUT" in text
    assert "rebase" in text and "worse" in text
    assert as_json(report((run(), failures)))["runs"][0]["failures"][0]["base_is_old"] is True
    assert "breaks" in as_text(report((run(), failures)))
