// A regression test: what it does, how steady it is, and its whole history.

import { follow, read, readAll, readIfThere } from "./api.js";
import { codeBlock, el, facts, nothing, outside, section, table } from "./dom.js";
import { dayText, duration } from "./format.js";
import { historyView } from "./history.js";
import { runtimeChart } from "./chart.js";
import { part } from "./loading.js";
import { mainLine, PLATFORMS, platformName } from "./project.js";
import { href, resultHref, runHref, sampleHref } from "./router.js";
import { CODES, mark } from "./status.js";
import { commandLine, commitLink, compareUrl } from "./tested.js";

export async function testPage(visit) {
  const { ids: [id] } = visit;
  const path = `regression-tests/${id}.json`;
  const test = await read(path);
  return [
    el("div", { class: "head" }, el("h1", {}, `Test #${id}`), test.active === false ? el("span", { class: "verdict" }, "inactive") : null,
      el("p", {}, test.sample_id === null ? "unknown sample" : el("a", { href: sampleHref(test.sample_id) }, test.sample_name ?? `sample ${test.sample_id}`),
        test.categories.map((name) => [" · ", el("a", { href: href(["grid"], { q: name }) }, name)]))),
    part(visit, () => now(test)),
    section("History", history(visit, test, path)),
    section("Command", codeBlock(commandLine(test), "Command")),
    test.description ? el("p", {}, test.description) : null,
    test.stability ? section("How steady it is", stability(test.stability)) : null,
    section("Expected outputs", outputs(test)),
    facts([["Input", test.input_type], ["Output", test.output_type], ["Expected exit code", test.expected_rc === null ? null : String(test.expected_rc)]]),
    el("p", { class: "quiet" }, "Data: ", el("a", { href: `v1/${path}` }, `v1/${path}`)),
  ].filter(Boolean);
}

/** Where the test stands on the main line of each platform, and whether it is flaky or slower. */
async function now(test) {
  const failing = (await readIfThere("regression-tests/failing.json")) ? await readAll("regression-tests/failing.json") : [];
  const states = await Promise.all(PLATFORMS.map((platform) =>
    state(test, platform, failing.find((one) => one.regression_test_id === test.regression_test_id && one.platform === platform))));
  return el("ul", { class: "plain states" }, states);
}

/** A run, by what the newest results say of it, else by its own document. */
async function runOf(test, platform, id) {
  const known = test.recent[platform].find((entry) => entry.run_id === id);
  if (known) return { ...known, repository: mainLine().repository, at: known.tested_at };
  const run = await readIfThere(`runs/${id}.json`);
  return run && { ...run, at: run.completed_at ?? run.started_at };
}

async function state(test, platform, standing) {
  const { branch } = mainLine();
  const newest = test.recent[platform].find((entry) => entry.main_line);
  const of = test.stability?.[platform];
  const notes = [
    of?.flaky ? `It is flaky on ${branch}.` : null,
    of?.slowdown ? ["It has become slower: ", el("strong", {}, `${duration(of.slowdown.before_ms)} → ${duration(of.slowdown.after_ms)}`), " since ", el("a", { href: runHref(of.slowdown.since_run) }, `run ${of.slowdown.since_run}`), "."] : null,
  ].filter(Boolean).map((note) => [" ", note]);
  const line = (kind, ...text) => el("li", { class: `box k-${kind}` }, mark(kind === "none" ? "none" : kind, null), " ", el("strong", {}, `${platformName(platform)}: `), text, notes);
  if (standing) return line("fail", await failingText(test, platform, standing));
  if (!newest) return line("none", of?.windows.all.results ? `none of the newest results is of ${branch}.` : "no results.");
  const passed = test.recent[platform].find((entry) => entry.main_line && entry.status === "pass");
  if (test.active === false || !passed) return line("none", test.active === false ? "inactive; " : "", `${branch} ran it last in `, el("a", { href: resultHref(newest.run_id, test.regression_test_id) }, `run ${newest.run_id}`), `, ${dayText(newest.tested_at)}: ${newest.status.replace("_", " ")}.`);
  return line("pass", `passes on ${branch}, last in `, el("a", { href: resultHref(passed.run_id, test.regression_test_id) }, `run ${passed.run_id}`), " of ", commitLink({ ...passed, repository: mainLine().repository }), `, ${dayText(passed.tested_at)}.`);
}

/** "failing on master since run 274, commit abc, 27 Jun (last good: run 258) → compare on GitHub" */
async function failingText(test, platform, { since_run: since, last_pass_run: good, run_id: last }) {
  const [bad, passed] = await Promise.all([since, good].map((id) => id !== null && runOf(test, platform, id)));
  const url = bad && passed && compareUrl(passed.commit_sha, bad.commit_sha);
  const id = test.regression_test_id;
  const newest = test.recent[platform].find((entry) => entry.run_id === last);
  return [
    el("a", { href: resultHref(last, id) }, "failing"), newest?.failure_signature ? ` (${wayOf(newest)})` : "", ` on ${mainLine().branch} since `, el("a", { href: resultHref(since, id) }, `run ${since}`),
    bad ? [", commit ", commitLink(bad), bad.at ? `, ${dayText(bad.at)}` : ""] : "",
    good === null ? "; it never passed there." : [" (last good: ", el("a", { href: resultHref(good, id) }, `run ${good}`), passed ? [", commit ", commitLink(passed)] : "", ")."],
    url ? [" → ", outside(url, "compare on GitHub"), "."] : "",
  ];
}

function wayOf({ failure_signature: signature }) {
  const [kind] = signature.split(":");
  return { missing_output: CODES.MISSING_OUTPUT, diff_mismatch: CODES.OUTPUT_DIFF, exit_code_mismatch: CODES.EXIT_CODE_MISMATCH }[kind] ?? kind;
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
  const lastFailure = (run) => (run === null ? "never" : el("a", { href: runHref(run) }, `run\u00a0${run}`));
  const rows = [
    ["Passed, newest 20", (one) => percent(one.windows["20"].pass_rate)], ["Passed, newest 100", (one) => percent(one.windows["100"].pass_rate)],
    ["Passed, of all", (one) => `${percent(one.windows.all.pass_rate)} of ${one.windows.all.results}`],
    ["Changes in the newest 20", (one) => String(one.state_changes_20)], ["Flaky on the main line", (one) => (one.flaky ? "yes" : "no")],
    ["Longest streak of passes", (one) => String(one.longest_pass_streak)], ["Longest streak of failures", (one) => String(one.longest_fail_streak)],
    ["Last failure", (one) => lastFailure(one.last_failure_run)],
    ["Median runtime, newest 20", (one) => `${duration(one.windows["20"].runtime_ms.median)}${one.slowdown ? `, before ${duration(one.slowdown.before_ms)}` : ""}`],
  ];
  return table("How steady the test is", ["", ...known.map(platformName)], rows.map(([text, show]) => [text, ...known.map((platform) => show(of[platform]))]));
}

function outputs(test) {
  if (!test.outputs.length) return nothing("None: only the exit code counts.");
  const content = (hash, output) => el("code", { class: "clip", title: hash }, `${hash ?? "—"}${output.correct_extension ?? ""}`);
  return table("Expected outputs", ["File", "Content", "Accepted too"], test.outputs.map((output) => [
    `${output.expected_filename ?? `Output ${output.id}`}${output.ignore ? " (ignored)" : ""}`, content(output.correct, output),
    output.variants.length ? el("details", {}, el("summary", {}, `${output.variants.length}`), output.variants.map((variant) => content(variant.hash, output))) : "—"]), { class: "stacked files" });
}
