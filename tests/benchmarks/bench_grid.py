"""The grid at the size of production: the longest task while one scrolls and filters, from the browser's own tracing.

`python -m tests.benchmarks.bench_grid`
"""

import json
import pathlib
import random
import subprocess
import sys
import tempfile
from typing import Any

from playwright.sync_api import sync_playwright

from exporter.builders import site
from exporter.paths import stored
from exporter.rules.lineage import MainLine
from tests.site.conftest import ARGUMENTS
from tests.support import needs

RUNS = 300
TESTS = 237


def _store(root: pathlib.Path) -> None:
    chance = random.Random(1)
    runs = [
        {
            "run_id": run,
            "status": "fail",
            "repository": "CCExtractor/ccextractor",
            "branch": "master",
            "commit_sha": f"{run:040x}",
            "pr_number": None,
            "at": f"2026-{1 + run // 28 % 12:02}-{1 + run % 28:02}T12:00:00Z",
            "results": "".join(chance.choices("pfm.", (90, 6, 2, 2), k=TESTS)),
            "href": f"../runs/{run}.json",
        }
        for run in range(RUNS, 0, -1)
    ]
    tests = list(range(1, TESTS + 1))
    index = [
        {"regression_test_id": t, "sample_id": t, "command": f"--autoprogram --out=srt --latin1 --delay {t}",
         "categories": [f"Category {t % 14}"], "active": True}
        for t in tests
    ]  # fmt: skip
    samples = [{"sample_id": t, "name": f"sample_{t}.ts", "sha": None, "tags": []} for t in tests]
    manifest = {"generated_at": "2999-01-01T00:00:00Z", "snapshot": "", "counts": {"runs": RUNS}}
    grid = {"data": runs, "pagination": {"total": RUNS, "next": None}, "meta": {"tests": tests}}
    found = {"samples": samples, "regression_tests": index}
    documents = {"manifest.json": manifest, "grid/linux.json": grid, "search.json": found}
    for path, data in [*site.pages(MainLine()), *((path, json.dumps(one).encode()) for path, one in documents.items())]:
        file = root / stored(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def main() -> None:
    """Print the longest tasks."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        _store(pathlib.Path(folder))
        command = [sys.executable, "-m", "exporter", "serve", folder, "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr
            base = server.stderr.readline().split(" at ")[1].strip()
            browser = playwright.chromium.launch(executable_path=needs.program("chromium", "chromium"), args=ARGUMENTS)
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{base}#/grid")
            page.wait_for_selector(".grid-label")
            page.wait_for_timeout(500)
            for name, act in (("scrolling", _scroll), ("filtering", _filter), ("sorting", _sort)):
                browser.start_tracing(
                    page=page, categories=["devtools.timeline", "disabled-by-default-devtools.timeline"]
                )
                act(page)
                _tell(name, json.loads(browser.stop_tracing())["traceEvents"])
            browser.close()
            server.terminate()


def _tell(name: str, events: list[dict[str, Any]]) -> None:
    """Print the longest tasks of the page's own thread, the one that runs its script."""
    threads = {(event["pid"], event["tid"]) for event in events if event.get("name") == "FunctionCall"}
    tasks = [one for one in events if one.get("name") == "RunTask" and (one["pid"], one["tid"]) in threads]
    longest = ", ".join(f"{one / 1000:.1f}" for one in sorted(one.get("dur", 0) for one in tasks)[:-4:-1])
    worked = max(one.get("tdur", 0) for one in tasks) / 1000
    print(f"{name}: {len(tasks)} tasks, the longest {longest} ms; at most {worked:.1f} ms of processor time")


def _scroll(page) -> None:  # type: ignore[no-untyped-def]
    box = page.locator(".grid")
    for step in range(60):
        box.evaluate("(box, step) => box.scrollBy(step % 2 ? 120 : 0, 90)", step)
        page.wait_for_timeout(16)


def _filter(page) -> None:  # type: ignore[no-untyped-def]
    page.locator("#grid-filter").press_sequentially("category 1 delay", delay=30)
    page.wait_for_timeout(200)
    page.locator("#grid-filter").fill("")
    page.wait_for_timeout(200)


def _sort(page) -> None:  # type: ignore[no-untyped-def]
    for value in ("flaky", "failure", "name", "category"):
        page.get_by_label("Sort by").select_option(value)
        page.wait_for_timeout(100)


if __name__ == "__main__":
    main()
