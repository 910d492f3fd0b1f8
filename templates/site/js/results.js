// The results of a run as a table that is searched, filtered and sorted where it stands.

import { choice, el, nothing, textField } from "./dom.js";
import { testText, wordFilter } from "./finding.js";
import { duration, plural } from "./format.js";
import { resultHref, testHref } from "./router.js";
import { CODES, MAIN_STATES, statusBadge, statusWord, VERDICTS, verdictBadge } from "./status.js";

const SORTS = {
  status: ["failures first", (a, b) => rank(a) - rank(b) || a.regression_test_id - b.regression_test_id],
  category: ["category", (a, b) => group(a).localeCompare(group(b), "en") || a.regression_test_id - b.regression_test_id],
  test: ["test number", (a, b) => a.regression_test_id - b.regression_test_id],
  runtime: ["runtime", (a, b) => (b.runtime_ms ?? -1) - (a.runtime_ms ?? -1)],
};

/** The table of a run's results; `failures` adds classification and verdict to those that did not pass. */
export function resultsView({ params, change }, run, results, failures) {
  const known = new Map(failures.map((one) => [one.regression_test_id, one]));
  const all = results.map((one) => ({ ...one, ...known.get(one.regression_test_id) }));
  const view = { q: params.get("q") ?? "", status: params.get("status") ?? "", verdict: params.get("verdict") ?? "", main: params.get("main") ?? "", sort: params.get("sort") in SORTS ? params.get("sort") : "status" };
  const body = el("div", {});
  const count = el("p", { class: "quiet", role: "status" });

  function update() {
    const words = wordFilter(view.q);
    const found = all.filter((one) => fits(one, view, words)).sort(SORTS[view.sort][1]);
    count.textContent = found.length === all.length ? plural(all.length, "result") : `${found.length} of ${plural(all.length, "result")}`;
    body.replaceChildren(found.length ? listOf(run, found, view.sort === "category") : nothing(all.length ? "No result fits." : "This run has no results."));
  }

  const set = (name) => (value) => {
    view[name] = value;
    change({ [name]: name === "sort" && value === "status" ? "" : value });
    update();
  };
  const statuses = [...new Set(all.map((one) => one.status))].sort();
  const verdicts = Object.keys(VERDICTS).filter((code) => all.some((one) => one.verdict?.code === code));
  const states = Object.keys(MAIN_STATES).filter((state) => all.some((one) => one.verdict?.main?.state === state));
  update();
  return [
    el("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
      textField("Find", view.q, set("q"), { placeholder: "sample, command", title: "Words of the sample's name, the command or a category, or the test's number" }),
      choice("Status", [["", "any"], ...statuses.map((status) => [status, statusWord(status)])], view.status, set("status")),
      verdicts.length ? choice("History", [["", "any"], ...verdicts.map((code) => [code, VERDICTS[code]])], view.verdict, set("verdict")) : null,
      states.length ? choice("Main line", [["", "any"], ...states.map((state) => [state, MAIN_STATES[state]])], view.main, set("main")) : null,
      choice("Sort by", Object.entries(SORTS).map(([key, [text]]) => [key, text]), view.sort, set("sort")), count),
    body,
  ];
}

function fits(one, { status, verdict, main }, words) {
  return (!status || one.status === status) && (!verdict || one.verdict?.code === verdict) && (!main || one.verdict?.main?.state === main) && words(testText(one));
}

function group(one) {
  return one.categories[0] ?? "No category";
}

function rank(one) {
  return { new_regression: 0, still_failing: 1, never_passed: 2, no_history: 3, flaky: 4 }[one.verdict?.code] ?? (one.status === "pass" ? 9 : 5);
}

function listOf(run, found, grouped) {
  const bodies = new Map();
  for (const one of found) {
    const name = grouped ? group(one) : "";
    if (!bodies.has(name)) bodies.set(name, el("tbody", {}, grouped ? el("tr", { class: "group" }, el("th", { colspan: 5, scope: "rowgroup" }, name)) : null));
    bodies.get(name).append(rowOf(run, one));
  }
  return el("div", { class: "table", tabindex: 0, role: "region", "aria-label": "Results" }, el("table", { class: "results" },
    el("thead", {}, el("tr", {}, ["Status", "Test", "Sample and command", "Why", "Runtime"].map((text) => el("th", { scope: "col" }, text)))), ...bodies.values()));
}

function rowOf(run, one) {
  const target = one.href ? resultHref(run.run_id, one.regression_test_id) : testHref(one.regression_test_id);
  return el("tr", {},
    el("td", {}, statusBadge(one.status)),
    el("th", { scope: "row" }, el("a", { href: target }, `#${one.regression_test_id}`)),
    el("td", { class: "wide" }, el("a", { href: target, class: "clip", tabindex: -1 }, one.sample_name ?? "unknown sample"), el("code", { class: "clip quiet" }, one.command ?? "")),
    el("td", {}, one.classification ? el("span", { title: one.classification.reason }, CODES[one.classification.code] ?? one.classification.code) : null, " ", verdictBadge(one.verdict), one.accepted_today ? el("span", { class: "verdict" }, "accepted today") : null,
      one.verdict?.main ? el("div", { class: "quiet" }, one.verdict.main.same_failure_run_id === null ? MAIN_STATES[one.verdict.main.state] : "base is old: rebase") : null),
    el("td", { class: "number" }, duration(one.runtime_ms)));
}
