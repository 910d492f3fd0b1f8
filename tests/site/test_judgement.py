"""How the site shows what a failure means: what a change breaks, and how it stands to the main line."""

import json
import pathlib
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.site.conftest import Visit
from tests.support.platform import Api

pytestmark = pytest.mark.xdist_group("browser")


def _breaking(api: Api) -> dict[str, Any]:
    """The newest run of a pull request that breaks what passes on the main line."""
    return next(run for run in api.items("runs.json") if run["pr_number"] and run["failures"]["main"]["broken"])


def test_a_row_says_what_its_change_breaks(visit: Visit, store: pathlib.Path) -> None:
    run = _breaking(Api(store))
    page = visit.open(f"?pr={run['pr_number']}")
    row = page.locator(f'.commit-list a.run[title^="Run {run["run_id"]} "]')
    expect(row).to_contain_text(f"breaks {run['failures']['main']['broken']}")


def test_a_run_says_how_its_failures_stand_to_the_main_line(visit: Visit, store: pathlib.Path) -> None:
    run = _breaking(Api(store))
    broken = run["failures"]["main"]["broken"]
    page = visit.open(f"runs/{run['run_id']}")
    expect(page.locator(".head")).to_contain_text(f"breaks {broken}")
    expect(page.locator("main")).to_contain_text(f"{broken} pass on the main line")
    page = visit.open(f"runs/{run['run_id']}?view=results&main=broken")
    expect(page.locator("table.results tbody tr:not(.group)").first).to_contain_text("passes on the main line")


def test_a_run_of_the_main_line_says_what_is_newly_broken(visit: Visit, store: pathlib.Path) -> None:
    runs = Api(store).items("runs.json")
    run = next(
        run
        for run in runs
        if (run["test_type"], run["branch"], run["repository"]) == ("commit", "master", "CCExtractor/ccextractor")
        and run["failures"]["verdicts"]["new_regression"]
    )
    page = visit.open(f"runs/{run['run_id']}")
    expect(page.locator(".head")).to_contain_text(f"{run['failures']['verdicts']['new_regression']} newly broken")


@pytest.mark.parametrize("platform", ["linux", "windows"])
def test_the_overview_counts_what_fails_now_as_the_badges_do(visit: Visit, store: pathlib.Path, platform: str) -> None:
    failing = [one for one in Api(store).items("regression-tests/failing.json") if one["platform"] == platform]
    badge = json.loads((store / f"badges/master-{platform}.json").read_bytes())["message"]
    card = visit.open("").locator(".card", has_text=platform.capitalize())
    expect(card.locator("h3")).to_contain_text(f"{len(failing)} failing" if failing else "passing")
    assert badge.startswith(f"{len(failing)} failing of " if failing else "passing")


def test_a_test_says_whether_it_is_flaky_on_the_main_line(visit: Visit, store: pathlib.Path) -> None:
    api = Api(store)
    flaky = api.items("regression-tests/flaky.json")[0]
    stability = api(f"regression-tests/{flaky['regression_test_id']}.json")["stability"]
    shown = ["yes" if stability[platform]["flaky"] else "no" for platform in ("linux", "windows")]
    row = visit.open(f"tests/{flaky['regression_test_id']}").locator("tr", has_text="Flaky on the main line")
    assert "yes" in shown
    expect(row.locator("td")).to_have_text(shown)


STANDINGS: list[tuple[dict[str, Any], str]] = [
    ({"state": "broken"}, "It passes on the main line, in run 1."),
    ({"state": "broken", "same_failure_run_id": 2}, "The main line failed the same way in run 2 and passes in run 1"),
    ({"state": "broken", "same_failure_run_id": 2}, "the base is old, rebase"),
    ({"state": "same"}, "It fails in the same way on the main line, in run 1."),
    ({"state": "different", "worse": True}, "It fails in another way on the main line, in run 1. It is graver"),
    ({"state": "no_reference", "run_id": None}, "The main line has no result of this test."),
]


@pytest.mark.parametrize(("standing", "text"), STANDINGS)
def test_a_result_says_how_it_stands_to_the_main_line(
    visit: Visit, store: pathlib.Path, standing: dict[str, Any], text: str
) -> None:
    api = Api(store)
    run = _breaking(api)
    test = api.items(f"runs/{run['run_id']}/failures.json")[0]["regression_test_id"]
    document = api(f"runs/{run['run_id']}/samples/{test}.json")
    main = {"run_id": 1, "href": None, "same_failure_run_id": None, "worse": False, **standing}
    document["verdict"] |= {"main": main, "code": "new_regression", "flaky_test": True}
    document["accepted_today"] = True

    def answer(route: Route) -> None:
        route.fulfill(body=json.dumps(document), content_type="application/json")

    visit.page.route(f"**/runs/{run['run_id']}/samples/{test}.json", answer)
    page = visit.open(f"runs/{run['run_id']}/results/{test}")
    expect(page.locator(".box")).to_contain_text(text)
    expect(page.locator(".head")).to_contain_text("newly broken, flaky test")
    expect(page.locator(".head")).to_contain_text("accepted today")


def test_a_run_that_looks_like_the_machines_fault_says_so(visit: Visit, store: pathlib.Path) -> None:
    run = _breaking(Api(store))
    document = Api(store)(f"runs/{run['run_id']}.json") | {"suspect": {"code": "KILLED", "count": 25}}
    visit.page.route(f"**/v1/runs/{run['run_id']}.json", lambda route: route.fulfill(json=document))
    page = visit.open(f"runs/{run['run_id']}")
    expect(page.locator("main")).to_contain_text('Perhaps the machine: 25 tests newly failed with "killed" on')
