// A regression test: what it does, how steady it is, and its whole history.

import { follow, read } from "./api.js";
import { codeBlock, el, facts, nothing, section, table } from "./dom.js";
import { duration } from "./format.js";
import { historyView } from "./history.js";
import { runtimeChart } from "./chart.js";
import { part } from "./loading.js";
import { PLATFORMS, platformName } from "./project.js";
import { href, runHref, sampleHref } from "./router.js";

export async function testPage(visit) {
  const { ids: [id] } = visit;
  const path = `regression-tests/${id}.json`;
  const test = await read(path);
  return [
    el("div", { class: "head" }, el("h1", {}, `Test #${id}`), test.active === false ? el("span", { class: "verdict" }, "inactive") : null,
      el("p", {}, test.sample_id === null ? "unknown sample" : el("a", { href: sampleHref(test.sample_id) }, test.sample_name ?? `sample ${test.sample_id}`),
        test.categories.map((name) => [" · ", el("a", { href: href(["grid"], { q: name }) }, name)]))),
    codeBlock(test.command ?? "", "Command"),
    test.description ? el("p", {}, test.description) : null,
    test.stability ? section("How steady it is", stability(test.stability)) : null,
    section("History", history(visit, test, path)),
    section("Expected outputs", outputs(test)),
    facts([["Input", test.input_type], ["Output", test.output_type], ["Expected exit code", test.expected_rc === null ? null : String(test.expected_rc)]]),
    el("p", { class: "quiet" }, "Data: ", el("a", { href: `v1/${path}` }, `v1/${path}`)),
  ].filter(Boolean);
}

function history(visit, test, path) {
  if (test.links.history) return part(visit, () => historyView(visit, follow(path, test.links.history), [{ id: test.regression_test_id, label: test.command ?? "" }]));
  const series = PLATFORMS.map((platform) => ({ platform, entries: test.recent[platform] }));
  return series.some(({ entries }) => entries.length) ? runtimeChart(visit, series, "Newest runtimes") : nothing("No results.");
}

const percent = (rate) => (rate === null ? "—" : `${Math.floor(rate * 1000) / 10} %`);

function stability(of) {
  const known = PLATFORMS.filter((platform) => of[platform]?.windows.all.results);
  if (!known.length) return nothing("No results.");
  const lastFailure = (run) => (run === null ? "never" : el("a", { href: runHref(run) }, `run ${run}`));
  const rows = [
    ["Passed, newest 20", (one) => percent(one.windows["20"].pass_rate)], ["Passed, newest 100", (one) => percent(one.windows["100"].pass_rate)],
    ["Passed, of all", (one) => `${percent(one.windows.all.pass_rate)} of ${one.windows.all.results}`],
    ["Changes in the newest 20", (one) => String(one.state_changes_20)], ["Flaky on the main line", (one) => (one.flaky ? "yes" : "no")],
    ["Longest streak of passes", (one) => String(one.longest_pass_streak)], ["Longest streak of failures", (one) => String(one.longest_fail_streak)],
    ["Last failure", (one) => lastFailure(one.last_failure_run)],
    ["Median runtime, newest 20", (one) => `${duration(one.windows["20"].runtime_ms.median)}${one.slower ? ": slower than before" : ""}`],
  ];
  return table("How steady the test is", ["", ...known.map(platformName)], rows.map(([text, show]) => [text, ...known.map((platform) => show(of[platform]))]));
}

function outputs(test) {
  if (!test.outputs.length) return nothing("None: only the exit code counts.");
  return table("Expected outputs", ["Output", "Correct", "Accepted too"], test.outputs.map((output) => [
    `${output.id}${output.ignore ? " (ignored)" : ""}`, el("code", { class: "clip" }, `${output.correct ?? "—"}${output.correct_extension ?? ""}`),
    output.variants.length ? el("details", {}, el("summary", {}, `${output.variants.length}`), output.variants.map((variant) => el("code", { class: "clip" }, variant.hash ?? "—"))) : "—"]));
}
