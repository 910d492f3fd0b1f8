// A run: how it went, what is different from before, every result, and the log.

import { follow, read, readAll, readIfThere } from "./api.js";
import { compareHref } from "./compare.js";
import { comparisonView } from "./comparison.js";
import { el, facts, nothing, section } from "./dom.js";
import { duration, plural, time, whenOf } from "./format.js";
import { part } from "./loading.js";
import { logView } from "./log.js";
import { platformName } from "./project.js";
import { resultsView } from "./results.js";
import { runHref, testHref } from "./router.js";
import { CODES, hasEnded, machineText, newsBadges, statusBadge, VERDICTS } from "./status.js";
import { commitLink, doneCount, lineLink, lineText, tally } from "./tested.js";

export async function runPage(visit) {
  const { ids: [id], params } = visit;
  const path = `runs/${id}.json`;
  const run = await read(path);
  const { links } = run;
  const views = [["", "Summary"], ["results", `Results`], ...(links.log ? [["log", "Log"]] : [])];
  const view = views.some(([name]) => name === params.get("view")) ? params.get("view") : "";
  const tabs = el("nav", { class: "tabs", "aria-label": "Views of this run" },
    views.map(([name, text]) => el("a", { href: runHref(id, { view: name }), "aria-current": name === view ? "page" : null }, text)));
  const body = { "": summaryView, results: allResults, log: () => part(visit, () => logView(visit, follow(path, links.log))) }[view];
  return [heading(run), tabs, body(visit, run, path)];
}

function heading(run) {
  return el("div", { class: "head" },
    el("h1", {}, `Run ${run.run_id}`), statusBadge(run.status), newsBadges(run),
    el("a", { class: "action", href: compareHref(null, run.run_id) }, "Compare with…"),
    el("p", {}, platformName(run.platform), " · ", lineLink(run), " · ", commitLink(run), " · ", el("span", { class: "quiet" }, run.repository), whenOf(run, " · ")));
}

/** Other runs of the commit: those on the other platform, and repetitions. */
async function siblings(run, path) {
  const runs = run.links.commit ? await readAll(follow(path, run.links.commit)) : [];
  const others = runs.filter((one) => one.run_id !== run.run_id);
  if (!others.length) return null;
  return el("ul", { class: "plain siblings" }, others.slice(0, 6).map((one) => el("li", {}, "The same commit on ", platformName(one.platform), one.pr_number === run.pr_number ? "" : `, ${lineText(one)}`, ": ",
    el("a", { href: runHref(one.run_id) }, `run ${one.run_id}`), " ", statusBadge(one.status), el("span", { class: "quiet" }, ` (${tally(one)}) `), newsBadges(one))));
}

function summaryView(visit, run, path) {
  const comparison = doneCount(run) && run.links.comparison && follow(path, run.links.comparison);
  return [
    unfinished(run),
    counts(run),
    machineText(run),
    againstMain(run),
    part(visit, () => siblings(run, path)),
    run.infrastructure_errors.length ? section("What broke down", infrastructure(run)) : null,
    comparison ? part(visit, async () => different(visit, run, await readIfThere(comparison), comparison)) : null,
    section("Progress", progress(run)),
    section("Details", details(run)),
  ].flat().filter(Boolean);
}

/** What is to be said of a run that has not ended with all its results. */
function unfinished(run) {
  if (hasEnded(run)) return null;
  const so = { queued: "It waits for its turn.", running: `It is still going: ${tally(run)}.`, canceled: `It was canceled: ${tally(run)}.`, error: "It ended without results.", incomplete: `It broke off: ${tally(run)}.` }[run.status] ?? "";
  const partly = ["canceled", "incomplete"].includes(run.status) && doneCount(run) ? " Its results are shown, but no later run is compared with them." : "";
  return el("p", { class: "box" }, so, partly);
}

function counts({ run_id: id, status, summary, failures }) {
  const one = (text, value, params, kind) => el("li", { class: value && kind ? `k-${kind}` : null }, el("a", { href: runHref(id, { view: "results", ...params }) }, el("strong", {}, String(value)), ` ${text}`));
  const codes = Object.entries(failures?.codes ?? {}).filter(([, count]) => count).map(([code, count]) => `${CODES[code] ?? code} (${count})`);
  return [
    el("ul", { class: "counts" },
      one("passed", summary.pass_count, { status: "pass" }, "pass"), one("failed", summary.fail_count, { status: "fail" }, "fail"),
      one("missing output", summary.missing_output_count, { status: "missing_output" }, "missing"),
      summary.skipped_count ? one(["queued", "running"].includes(status) ? "not yet run" : "not run", summary.skipped_count, {}) : null,
      ...Object.entries(failures?.verdicts ?? {}).filter(([, count]) => count).map(([code, count]) => one(VERDICTS[code] ?? code, count, { verdict: code }, code === "new_regression" ? "fail" : null))),
    codes.length ? el("p", { class: "quiet" }, `Why they fail: ${codes.join(", ")}`) : null,
  ];
}

/** How the failures stand to the main line. */
function againstMain({ failures }) {
  const main = failures?.main ?? {};
  const texts = { broken: ["passes", "pass", "on the main line"], flaky: ["is flaky and passes", "are flaky and pass", "on the main line"], same: ["fails", "fail", "on the main line in the same way"], different: ["fails", "fail", "on the main line in another way"], no_reference: ["was", "were", "never run on the main line"], worse: ["is", "are", "graver than before"] };
  const parts = Object.entries(texts).filter(([state]) => main[state]).map(([state, [one, many, text]]) => `${main[state]} ${main[state] === 1 ? one : many} ${text}`);
  return parts.length ? el("p", {}, "Of the failures ", parts.join(", "), ".") : null;
}

function different(visit, { status }, comparison, path) {
  return comparison && section("What is different", ...comparisonView(visit, { ...comparison, going: status === "running" }, path));
}

function allResults(visit, run, path) {
  return part(visit, async () => {
    const [results, failures] = await Promise.all([readAll(follow(path, run.links.samples)), readAll(follow(path, run.links.failures))]);
    return [resultsView(visit, run, results, failures), notRun(run, results)];
  });
}

/** The tests that the run was asked for and has no result of. */
function notRun({ status, config }, results) {
  const done = new Set(results.map((one) => one.regression_test_id));
  const tests = [...new Set(config.regression_test_ids)].filter((id) => id !== null && !done.has(id));
  if (!tests.length) return null;
  const title = ["queued", "running"].includes(status) ? "Not yet run" : "Not run";
  return el("details", { class: "bucket not-run" }, el("summary", {}, title, " ", el("span", { class: "count" }, String(tests.length))),
    el("p", {}, tests.map((id) => [el("a", { href: testHref(id) }, `#${id}`), " "])));
}

function infrastructure(run) {
  return el("ul", { class: "plain" }, run.infrastructure_errors.map((error) => el("li", { class: "k-error box" },
    el("strong", {}, error.type.replaceAll("_", " ")), " ", time(error.occurred_at), el("pre", { tabindex: 0 }, error.message))));
}

function progress(run) {
  if (!run.progress.length) return nothing("It has not begun.");
  let before = null;
  return el("ol", { class: "timeline" }, run.progress.map((step) => {
    const took = before && step.timestamp ? Date.parse(step.timestamp) - Date.parse(before) : null;
    before = step.timestamp ?? before;
    return el("li", {}, el("strong", {}, step.status ?? "unknown"), " ", time(step.timestamp), took === null ? null : el("span", { class: "quiet" }, ` +${duration(took)}`),
      step.message && step.message !== step.status ? el("p", {}, step.message) : null);
  }));
}

function details(run) {
  return [facts([
    ["Repository", run.repository], ["Branch", run.pr_number === null || run.branch !== "pull_request" ? run.branch : null], ["Pull request", run.pr_number && lineLink(run)], ["Commit", run.commit_sha && commitLink(run, run.commit_sha)],
    ["Kind", run.test_type === "pr" ? "pull request" : run.test_type], ...[["Queued", run.queued_at], ["Started", run.started_at], ["Ended", run.completed_at]].map(([name, at]) => [name, at && time(at)]),
    ["All runtimes", run.summary.duration_ms && duration(run.summary.duration_ms)], ["Tests asked for", plural(run.config.regression_test_ids.length, "test")],
  ]), el("p", { class: "quiet" }, "Data: ", el("a", { href: `v1/runs/${run.run_id}.json` }, `v1/runs/${run.run_id}.json`))];
}
