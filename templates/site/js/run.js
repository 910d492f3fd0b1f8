// A run: how it went, what is different from before, every result, and the log.

import { follow, read, readAll, readIfThere } from "./api.js";
import { comparisonView } from "./comparison.js";
import { el, facts, nothing, outside, section } from "./dom.js";
import { duration, plural, shortSha, time } from "./format.js";
import { part } from "./loading.js";
import { logView } from "./log.js";
import { platformName } from "./project.js";
import { resultsView } from "./results.js";
import { href, runHref } from "./router.js";
import { CODES, newsBadges, statusBadge, VERDICTS } from "./status.js";

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
  const commit = run.commit_sha && el("a", { href: href([], { commit: run.commit_sha }), class: "sha" }, shortSha(run.commit_sha));
  return el("div", { class: "head" },
    el("h1", {}, `Run ${run.run_id}`), statusBadge(run.status), newsBadges(run),
    el("p", {}, platformName(run.platform), " · ",
      run.pr_number === null ? el("a", { href: href([], { branch: run.branch }) }, run.branch ?? "no branch") : el("a", { href: href([], { pr: run.pr_number }) }, `PR ${run.pr_number}`),
      commit && [" · ", commit], " · ", el("span", { class: "quiet" }, run.repository), " · ",
      time(run.completed_at ?? run.started_at ?? run.created_at, { ago: true })));
}

function summaryView(visit, run, path) {
  const comparison = run.links.comparison && follow(path, run.links.comparison);
  return [
    counts(run),
    againstMain(run),
    run.infrastructure_errors.length ? section("What broke down", infrastructure(run)) : null,
    comparison ? part(visit, async () => different(visit, await readIfThere(comparison), comparison)) : null,
    section("Progress", progress(run)),
    section("Details", details(run)),
  ].flat().filter(Boolean);
}

function counts({ run_id: id, summary, failures }) {
  const one = (text, value, params, kind) => el("li", { class: value && kind ? `k-${kind}` : null }, el("a", { href: runHref(id, { view: "results", ...params }) }, el("strong", {}, String(value)), ` ${text}`));
  const codes = Object.entries(failures?.codes ?? {}).filter(([, count]) => count).map(([code, count]) => `${count} ${CODES[code] ?? code}`);
  return [
    el("ul", { class: "counts" },
      one("passed", summary.pass_count, { status: "pass" }, "pass"), one("failed", summary.fail_count, { status: "fail" }, "fail"),
      one("missing output", summary.missing_output_count, { status: "missing_output" }, "missing"),
      el("li", {}, el("strong", {}, String(summary.skipped_count)), " skipped"),
      ...Object.entries(failures?.verdicts ?? {}).filter(([, count]) => count).map(([code, count]) => one(VERDICTS[code] ?? code, count, { verdict: code }, code === "new_regression" ? "fail" : null))),
    codes.length ? el("p", { class: "quiet" }, codes.join(", ")) : null,
  ];
}

/** How the failures stand to the main line, and whether the machine may be to blame. */
function againstMain({ failures, suspect }) {
  const main = failures?.main ?? {};
  const texts = { broken: "pass on the main line", flaky: "pass there but are flaky", same: "fail there in the same way", different: "fail there in another way", no_reference: "never ran there" };
  const parts = Object.entries(texts).filter(([state]) => main[state]).map(([state, text]) => `${main[state]} ${text}`);
  return [
    suspect && el("p", { class: "box k-error" }, el("strong", {}, "Perhaps the machine: "), `${plural(suspect.count, "test")} newly failed with "${CODES[suspect.code] ?? suspect.code}".`),
    parts.length ? el("p", {}, "Of the failures ", parts.join(", "), main.worse ? `; ${main.worse} are graver than before` : "", ".") : null,
  ];
}

function different(visit, comparison, path) {
  return comparison && section("What is different", ...comparisonView(visit, comparison, path));
}

function allResults(visit, run, path) {
  return part(visit, async () => {
    const [results, failures] = await Promise.all([readAll(follow(path, run.links.samples)), readAll(follow(path, run.links.failures))]);
    return resultsView(visit, run, results, failures);
  });
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
    ["Repository", run.repository], ["Branch", run.branch], ["Commit", run.commit_sha && el("code", {}, outside(run.github_link, run.commit_sha))],
    ["Kind", run.test_type === "pr" ? "pull request" : run.test_type], ["Queued", time(run.queued_at)], ["Started", time(run.started_at)], ["Ended", time(run.completed_at)],
    ["All runtimes", duration(run.summary.duration_ms)], ["Tests asked for", plural(run.config.regression_test_ids.length, "test")],
  ]), el("p", { class: "quiet" }, "Data: ", el("a", { href: `v1/runs/${run.run_id}.json` }, `v1/runs/${run.run_id}.json`))];
}
