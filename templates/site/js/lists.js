// All samples, and all tests with what is known of their state.

import { read, readAll, readIfThere } from "./api.js";
import { el, nothing, section, table, textField } from "./dom.js";
import { categoriesOf, readIndex, sampleText, testText, wordFilter } from "./finding.js";
import { duration, plural } from "./format.js";
import { part } from "./loading.js";
import { platformName } from "./project.js";
import { runHref, sampleHref, testHref } from "./router.js";
import { mark } from "./status.js";
import { commitLink } from "./tested.js";

export async function samplesPage(visit) {
  const { samples } = await readIndex();
  let failing = null;
  const list = filtered(visit, samples, "sample", sampleText,
    (found) => table("Samples", ["Sample", "State", "Name", "Categories", "Tests", "Tags", "SHA-256"], found.map((one) => [
      el("a", { href: sampleHref(one.sample_id) }, String(one.sample_id)), failing ? stateOf(one, failing) : "—", el("a", { class: "name", href: sampleHref(one.sample_id), tabindex: -1 }, one.name ?? "—"),
      categoriesOf(one).join(", "), String(one.tests.length), one.tags.join(", "), el("span", { class: "sha quiet" }, one.sha ? `${one.sha}…` : "")]), { class: "stacked" }));
  const states = part(visit, async () => {
    failing = (await standing("failing")) ?? [];
    list.update();
  });
  return [el("h1", {}, "Samples"), states, ...list.nodes];
}

/** How a sample's active tests stand on the main line. */
function stateOf({ sample_id: id, tests }, failing) {
  if (!tests.some((test) => test.active)) return el("span", { class: "quiet" }, tests.length ? "tests inactive" : "no test");
  const broken = new Set(failing.filter((one) => one.sample_id === id).map((one) => one.regression_test_id)).size;
  return el("span", { class: "status" }, mark(broken ? "fail" : "pass", null), broken ? `${broken} failing` : "none failing");
}

export async function testsPage(visit) {
  const lists = [
    ["failing", "Failing on the main line", "No active test fails there.", ["Failing since", "Commit", "Last passed", "Changes in newest 20"], (one) => [runLink(one.since_run, "—"), commitOf(one.since_run), runLink(one.last_pass_run, "never"), changes(one)]],
    ["flaky", "Flaky on the main line", "No active test is flaky there.", ["Now", "Last passed", "Changes in newest 20"], (one) => [one.since_run === null ? "passes" : ["fails since ", runLink(one.since_run)], runLink(one.last_pass_run, "never"), changes(one)]],
    ["slower", "Slower than before", "No active test has become slower.", ["Slower since", "Before", "Now"], (one) => [runLink(one.since_run), duration(one.before_ms), slowed(one)]],
  ];
  const parts = [
    ...lists.map(([kind, title, none, heads, cells]) => part(visit, async () => standings(title, await standing(kind), none, heads, cells))),
    part(visit, async () => section("All, active or not", ...filtered(visit, (await readIndex()).tests, "test", testText,
      (found) => table("Regression tests", ["Test", "Sample", "Command", "Categories", "Active"], found.map((one) => [
        el("a", { href: testHref(one.regression_test_id) }, `#${one.regression_test_id}`), el("a", { class: "name", href: testHref(one.regression_test_id), tabindex: -1 }, one.sample_name ?? "—"), el("code", {}, one.command ?? ""), one.categories.join(", "), one.active === false ? "no" : "yes"]), { class: "stacked" })).nodes)),
  ];
  const ways = ["Failing", "Flaky", "Slower", "All"].map((text, i) => el("button", { type: "button", onclick: () => parts[i].scrollIntoView() }, text));
  return [el("h1", {}, "Regression tests"), el("div", { class: "buttons", role: "group", "aria-label": "Go to the list of tests" }, ways, el("span", { class: "quiet" }, "Inactive tests stand only under All.")), ...parts];
}

async function standing(kind) {
  return (await readIfThere(`regression-tests/${kind}.json`)) && readAll(`regression-tests/${kind}.json`);
}

/** A list of active tests; nothing where it is not published. */
function standings(title, tests, none, heads, cells) {
  if (!tests) return null;
  const rows = tests.map((one) => [
    el("a", { href: testHref(one.regression_test_id) }, `#${one.regression_test_id}`), platformName(one.platform),
    [el("a", { class: "clip name", href: testHref(one.regression_test_id), tabindex: -1 }, one.sample_name ?? "—"), " ", el("code", { class: "clip quiet" }, one.command ?? "")], ...cells(one)]);
  return section(`${title} (${rows.length})`, rows.length ? table(`${title}: active tests`, ["Test", "Platform", "Sample and command", ...heads], rows, { class: "stacked" }) : nothing(none));
}

function runLink(run, otherwise) {
  return run === null ? otherwise : el("a", { href: runHref(run) }, `run ${run}`);
}

/** The commit of a run, which the list does not tell: it comes later, and the list stands without it. */
function commitOf(run) {
  const place = el("span", { class: "commit" }, "…");
  if (run === null) return "—";
  read(`runs/${run}.json`).then((found) => place.replaceChildren(commitLink(found)), () => place.replaceChildren("—"));
  return place;
}

function changes({ state_changes_20: count }) {
  return el("span", { title: "changes between passing and failing in the newest 20 results" }, String(count));
}

function slowed({ before_ms: before, after_ms: after }) {
  return `${duration(after)}${before ? ` (+${Math.round((after / before - 1) * 100)} %)` : ""}`;
}

/** A list with a field that filters it while one types: its nodes, and what shows it anew. */
function filtered({ params, change }, items, noun, textOf, show) {
  const body = el("div", {});
  const count = el("p", { class: "quiet", role: "status" });
  let q = params.get("q") ?? "";
  function update() {
    const fits = wordFilter(q);
    const found = items.filter((item) => fits(textOf(item)));
    count.textContent = found.length === items.length ? plural(items.length, noun) : `${found.length} of ${plural(items.length, noun)}`;
    body.replaceChildren(found.length ? show(found) : nothing(items.length ? `No ${noun} fits.` : `No ${noun} is published yet.`));
  }
  function typed(text) {
    q = text;
    change({ q });
    update();
  }
  update();
  return { nodes: [el("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, textField("Find", q, typed), count), body], update };
}
