// All samples, and all tests with what is known of their state.

import { readAll, readIfThere } from "./api.js";
import { el, nothing, section, table, textField } from "./dom.js";
import { categoriesOf, readIndex, sampleText, testText, wordFilter } from "./finding.js";
import { plural } from "./format.js";
import { part } from "./loading.js";
import { platformName } from "./project.js";
import { runHref, sampleHref, testHref } from "./router.js";

export async function samplesPage(visit) {
  const { samples } = await readIndex();
  return [el("h1", {}, "Samples"), ...filtered(visit, samples, "sample", sampleText,
    (found) => table("Samples", ["Sample", "Name", "Categories", "Tests", "Tags", "SHA-256"], found.map((one) => [
      el("a", { href: sampleHref(one.sample_id) }, String(one.sample_id)), el("a", { href: sampleHref(one.sample_id), tabindex: -1 }, one.name ?? "—"), categoriesOf(one).join(", "), String(one.tests.length), one.tags.join(", "), el("code", { class: "quiet" }, one.sha ? `${one.sha}…` : "")])))];
}

export async function testsPage(visit) {
  return [
    el("h1", {}, "Regression tests"),
    part(visit, async () => standings("Failing on the main line", await standing("failing"), "No test fails.")),
    part(visit, async () => standings("Flaky", await standing("flaky"), "No test is flaky.")),
    part(visit, async () => section("All", ...filtered(visit, (await readIndex()).tests, "test", testText,
      (found) => table("Regression tests", ["Test", "Sample", "Command", "Categories"], found.map((one) => [
        el("a", { href: testHref(one.regression_test_id) }, `#${one.regression_test_id}`), one.sample_name ?? "—", el("code", {}, one.command ?? ""), `${one.categories.join(", ")}${one.active === false ? " (inactive)" : ""}`]))))),
  ];
}

async function standing(kind) {
  return (await readIfThere(`regression-tests/${kind}.json`)) && readAll(`regression-tests/${kind}.json`);
}

function standings(title, tests, none) {
  if (!tests) return null;
  if (!tests.length) return section(title, nothing(none));
  return section(title, table("Tests", ["Test", "Platform", "Sample and command", "Failing since", "Last passed", "Changes"], tests.map((one) => [
    el("a", { href: testHref(one.regression_test_id) }, `#${one.regression_test_id}`), platformName(one.platform),
    el("span", {}, one.sample_name ?? "—", " ", el("code", { class: "quiet" }, one.command ?? "")),
    one.since_run === null ? "—" : el("a", { href: runHref(one.since_run) }, `run ${one.since_run}`), one.last_pass_run === null ? "never" : el("a", { href: runHref(one.last_pass_run) }, `run ${one.last_pass_run}`), String(one.state_changes_20)])));
}

/** A list with a field that filters it while one types. */
function filtered({ params, change }, items, noun, textOf, show) {
  const body = el("div", {});
  const count = el("p", { class: "quiet", role: "status" });
  function update(q) {
    const fits = wordFilter(q);
    const found = items.filter((item) => fits(textOf(item)));
    count.textContent = found.length === items.length ? plural(items.length, noun) : `${found.length} of ${plural(items.length, noun)}`;
    body.replaceChildren(found.length ? show(found) : nothing(`No ${noun} fits.`));
  }
  function typed(q) {
    change({ q });
    update(q);
  }
  update(params.get("q") ?? "");
  return [el("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, textField("Find", params.get("q") ?? "", typed), count), body];
}
