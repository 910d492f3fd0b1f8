// All samples, and all tests with what is known of their state.

import { readAll, readIfThere } from "./api.js";
import { el, nothing, section, table, textField } from "./dom.js";
import { platformName, plural } from "./format.js";
import { keep, runHref, sampleHref, testHref } from "./router.js";

/** The index of samples and tests, and the samples' names by id. */
export async function readIndex() {
  const index = (await readIfThere("search.json")) ?? { samples: [], regression_tests: [] };
  return { ...index, names: new Map(index.samples.map((sample) => [sample.sample_id, sample.name])) };
}

export async function samplesPage({ params }) {
  const { samples } = await readIndex();
  return [el("h1", {}, "Samples"), ...filtered(samples, params.get("q") ?? "", "sample",
    (one) => `${one.sample_id} ${one.name ?? ""} ${one.sha ?? ""} ${one.tags.join(" ")}`,
    (found) => table("Samples", ["Sample", "Name", "Tags", "SHA-256"], found.map((one) => [
      el("a", { href: sampleHref(one.sample_id) }, String(one.sample_id)), el("a", { href: sampleHref(one.sample_id), tabindex: -1 }, one.name ?? "—"), one.tags.join(", "), el("code", { class: "quiet" }, one.sha ? `${one.sha}…` : "")])))];
}

export async function testsPage({ params }) {
  const [index, failing, flaky] = await Promise.all([readIndex(), standing("failing"), standing("flaky")]);
  return [
    el("h1", {}, "Regression tests"),
    failing && section("Failing on the main line", standings(failing, "No test fails.")),
    flaky && section("Flaky", standings(flaky, "No test is flaky.")),
    section("All", ...filtered(index.regression_tests, params.get("q") ?? "", "test",
      (one) => `#${one.regression_test_id} ${one.command ?? ""} ${index.names.get(one.sample_id) ?? ""} ${one.categories.join(" ")}`,
      (found) => table("Regression tests", ["Test", "Sample", "Command", "Categories"], found.map((one) => [
        el("a", { href: testHref(one.regression_test_id) }, `#${one.regression_test_id}`), index.names.get(one.sample_id) ?? "—", el("code", {}, one.command ?? ""), `${one.categories.join(", ")}${one.active === false ? " (inactive)" : ""}`])))),
  ].filter(Boolean);
}

async function standing(kind) {
  return (await readIfThere(`regression-tests/${kind}.json`)) && readAll(`regression-tests/${kind}.json`);
}

function standings(tests, none) {
  if (!tests.length) return nothing(none);
  return table("Tests", ["Test", "Platform", "Sample and command", "Failing since", "Last passed", "Changes"], tests.map((one) => [
    el("a", { href: testHref(one.regression_test_id) }, `#${one.regression_test_id}`), platformName(one.platform),
    el("span", {}, one.sample_name ?? "—", " ", el("code", { class: "quiet" }, one.command ?? "")),
    one.since_run === null ? "—" : el("a", { href: runHref(one.since_run) }, `run ${one.since_run}`), one.last_pass_run === null ? "never" : el("a", { href: runHref(one.last_pass_run) }, `run ${one.last_pass_run}`), String(one.state_changes_20)]));
}

/** A list with a field that filters it while one types. */
export function filtered(items, query, noun, textOf, show) {
  const body = el("div", {});
  const count = el("p", { class: "quiet", role: "status" });
  const texts = items.map((item) => textOf(item).toLowerCase());
  function update(q) {
    keep({ q });
    const words = q.toLowerCase().split(/\s+/).filter(Boolean);
    const found = items.filter((_, i) => words.every((word) => texts[i].includes(word)));
    count.textContent = found.length === items.length ? plural(items.length, noun) : `${found.length} of ${plural(items.length, noun)}`;
    body.replaceChildren(found.length ? show(found) : nothing(`No ${noun} fits.`));
  }
  update(query);
  return [el("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, textField("Find", query, update), count), body];
}
