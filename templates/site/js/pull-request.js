// A pull request: what it breaks on both platforms in one sentence and one list, then its pushes, newest first.

import { readAll, readIfThere } from "./api.js";
import { CommitList } from "./commits.js";
import { el, nothing, outside, section, table } from "./dom.js";
import { plural, whenOf } from "./format.js";
import { headline, kindOf, KINDS, merged, newestByPlatform, newestFailures } from "./headline.js";
import { part } from "./loading.js";
import { PLATFORMS, platformName } from "./project.js";
import { resultHref, runHref, testHref } from "./router.js";
import { CODES, hasEnded, machineText, mark, statusBadge, statusWord } from "./status.js";
import { commitLink, pullRequestHref, pullRequestUrl, tally } from "./tested.js";

const TITLES = { broken: "Broken", flaky: "Flaky", on_main: "Fail on the main line too", not_on_main: "Fail, not run on the main line" };

export async function pullRequestPage(visit) {
  const { ids: [number], params } = visit;
  const runs = await readAll(`runs/by-pr/${number}.json`);
  const commit = runs.some((run) => run.commit_sha === params.get("commit")) ? params.get("commit") : null;
  const chosen = newestByPlatform(commit ? runs.filter((run) => run.commit_sha === commit) : runs);
  const url = pullRequestUrl(number);
  return [
    el("div", { class: "head" }, el("h1", {}, `PR ${number}`), url && el("span", { class: "action" }, outside(url, "On GitHub"))),
    commit && commit !== runs[0]?.commit_sha ? el("p", { class: "box" }, "This is an older push. ", el("a", { href: pullRequestHref(number) }, "To the newest")) : null,
    commit ? null : unjudged(runs, chosen),
    part(visit, () => verdict(chosen)),
    section(`Pushes (${new Set(runs.map((run) => run.commit_sha)).size})`, pushes(number, runs, commit ?? chosen[0]?.commit_sha)),
  ];
}

/** That the newest push is not what the page speaks of, because none of its runs has ended with results. */
function unjudged(runs, chosen) {
  const newest = runs.filter((run) => run.commit_sha === runs[0].commit_sha);
  if (!runs.length || chosen.some((run) => newest.includes(run))) return null;
  return el("p", { class: "box" }, "The newest push, ", commitLink(runs[0]), `, has no results yet to judge: ${newest.map((run) => `${platformName(run.platform)} ${statusWord(run.status)}, ${tally(run)}`).join("; ")}. What follows is of the newest push that has.`);
}

async function verdict(chosen) {
  const all = await Promise.all(chosen.map(async (run) => ({ run, failures: await readAll(`runs/${run.run_id}/failures.json`) })));
  const statuses = await statusesOf(chosen);
  const reports = newestFailures(all, statuses);
  const ended = reports.filter(({ run }) => hasEnded(run));
  const tests = merged(ended);
  const broken = tests.some((one) => one.kind === "broken");
  const old = tests.filter(({ failures }) => failures.some(isOld));
  return [
    el("p", { class: `headline k-${broken ? "fail" : ended.length ? "pass" : "none"}` }, headline(reports)),
    el("ul", { class: "plain tested" }, chosen.map(runLine)),
    chosen.map(machineText),
    old.length ? el("p", { class: "box" }, el("strong", {}, "The base is old: rebase. "), `The main line once failed the same way in ${plural(old.length, "test")}, and passes now.`) : null,
    KINDS.map((kind) => listOf(kind, tests.filter((one) => one.kind === kind), chosen, statuses)),
    reports.some(({ run, failures }) => !hasEnded(run) && failures.length)
      ? section("In runs that have not ended", el("ul", { class: "plain" }, reports.filter(({ run }) => !hasEnded(run)).map(({ run, failures }) => el("li", {},
        el("a", { href: runHref(run.run_id, { view: "results" }) }, `Run ${run.run_id}`), ` on ${platformName(run.platform)}: ${plural(failures.length, "failure")} so far`)))) : null,
  ];
}

/** Platform → test → its newest status there at the run's commit, of each test that fails on either. */
async function statusesOf(chosen) {
  const found = await Promise.all(chosen.map(async ({ platform, commit_sha: sha }) => {
    const document = sha && (await readIfThere(`runs/by-commit/${sha}.json`));
    return [platform, new Map(document?.meta.platforms?.map((one) => [one.regression_test_id, one[platform]]))];
  }));
  return Object.fromEntries(found);
}

function runLine(run) {
  return el("li", {}, statusBadge(run.status), " ", platformName(run.platform), " ", el("a", { href: runHref(run.run_id) }, `run ${run.run_id}`), " of ", commitLink(run),
    el("span", { class: "quiet" }, ", ", tally(run), whenOf(run, ", ")));
}

function isOld({ verdict: { main } }) {
  return main !== null && main.same_failure_run_id !== null;
}

function listOf(kind, tests, chosen, statuses) {
  if (!tests.length) return null;
  const platforms = PLATFORMS.filter((name) => chosen.some((run) => run.platform === name));
  const rows = tests.map(({ regression_test_id: id, failures }) => {
    const [first] = failures.toSorted((a, b) => KINDS.indexOf(kindOf(a)) - KINDS.indexOf(kindOf(b)));
    return [
      el("a", { href: targetOf(first), title: "What it wrote, and what was expected" }, `#${id}`),
      el("span", { class: "named" }, el("a", { href: targetOf(first), class: "clip", tabindex: -1 }, first.sample_name ?? "unknown sample"), el("code", { class: "clip quiet" }, first.command ?? "")),
      ...platforms.map((name) => [el("span", { class: "on" }, platformName(name)), " ", cell(failures.find(({ run }) => run.platform === name), statuses[name]?.get(id))]),
      el("span", { class: "quiet" }, notes(failures)),
    ];
  });
  const list = table(TITLES[kind], ["Test", "Sample and command", ...platforms.map(platformName), "Note"], rows, { class: "failures" });
  if (kind === "broken" || kind === "flaky") return section(`${TITLES[kind]} (${tests.length})`, list);
  return el("details", { class: "bucket", open: tests.length <= 3 }, el("summary", {}, TITLES[kind], " ", el("span", { class: "count" }, String(tests.length))), list);
}

function targetOf({ href, run, regression_test_id: id }) {
  return href ? resultHref(run.run_id, id) : testHref(id);
}

/** A test on one platform: how it failed, as a link to what it wrote; or that it passed, or was not run. */
function cell(failure, status) {
  if (failure) return el("a", { class: "status", href: targetOf(failure) }, mark(failure.status, null), CODES[failure.classification.code] ?? failure.classification.code);
  return status ? statusBadge(status) : el("span", { class: "quiet" }, "not run");
}

function notes(failures) {
  const some = (fits) => failures.some(fits);
  return [
    some(isOld) && "base is old: rebase", some((one) => one.verdict.main?.worse) && "graver than before", some((one) => one.accepted_today) && "accepted today",
    some((one) => one.verdict.flaky_test && one.verdict.code !== "flaky") && "flaky test",
  ].filter(Boolean).join(", ");
}

function pushes(number, runs, shown) {
  if (!runs.length) return nothing("No run is published.");
  const commits = [...new Set(runs.map((run) => run.commit_sha))];
  const list = new CommitList((run) => (run.commit_sha === null ? "unknown commit"
    : el("a", { href: pullRequestHref(number, { commit: run.commit_sha }), "aria-current": run.commit_sha === shown ? "true" : null }, `Push ${commits.length - commits.indexOf(run.commit_sha)}`)));
  for (const run of runs) list.add(run);
  return list.element;
}
