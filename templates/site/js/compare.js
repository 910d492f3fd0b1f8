// Any two runs, compared here from their lists of results.

import { follow, read, readAll, readIfThere } from "./api.js";
import { el, nothing, section, table } from "./dom.js";
import { duration, plural, whenOf } from "./format.js";
import { part } from "./loading.js";
import { platformName } from "./project.js";
import { href, resultHref, runHref, testHref } from "./router.js";
import { CODES, hasEnded, mark, newsBadges, statusBadge, statusWord } from "./status.js";
import { commitLink, doneCount, lineLink, lineText, tally } from "./tested.js";

export const compareHref = (a, b) => href(["compare"], { a, b });

const BUCKETS = [
  ["broken", "Passed before, fail after", true], ["fixed", "Failed before, pass after", true], ["differently", "Fail in both, but differently", true],
  ["same", "Fail in both in the same way", false], ["gone", "Failed before, not run after", false], ["added", "Fail after, not run before", true],
];
const MUCH_SLOWER = 1.5;
const SLOWER_BY_MS = 500;
const MOST_SLOWER = 25;
const MOST_OFFERED = 30;

export async function comparePage(visit) {
  const [a, given] = ["a", "b"].map((name) => (/^\d{1,15}$/.test(visit.params.get(name) ?? "") ? Number(visit.params.get(name)) : null));
  const newest = a === null && given === null ? (await read("runs.json")).data : [];
  const b = given ?? newest.find(hasEnded)?.run_id ?? null;
  const [before, after] = await Promise.all([a, b].map((id) => id !== null && readIfThere(`runs/${id}.json`)));
  return [
    el("div", { class: "head" }, el("h1", {}, before && after ? `Run ${a} against run ${b}` : "Compare two runs")),
    form(a, b),
    el("div", { class: "lines" }, side("Before", a, before), side("After", b, after)),
    before && after ? part(visit, () => compared(before, after)) : part(visit, () => suggestions(before || after || null, a, b, newest.length > 0)),
    others(newest, b),
  ];
}

function form(a, b) {
  const field = (name, label, value) => el("label", { class: "field" }, el("span", {}, label), el("input", { name, value: value ?? "", inputmode: "numeric", size: 8, autocomplete: "off", placeholder: "Run" }));
  function submit(event) {
    event.preventDefault();
    const data = new FormData(event.target);
    location.hash = compareHref(data.get("a").trim(), data.get("b").trim());
  }
  return el("form", { class: "filters", onsubmit: submit }, field("a", "Before", a), field("b", "After", b), el("button", {}, "Compare"),
    a !== null && b !== null ? el("p", {}, el("a", { href: compareHref(b, a) }, "The other way round")) : null);
}

function side(title, id, run) {
  if (!run) return el("article", { class: "card" }, el("h2", {}, title), nothing(id === null ? "No run is chosen." : `Run ${id} is not published.`));
  return el("article", { class: `card k-${run.status}` },
    el("h2", {}, `${title}: `, el("a", { href: runHref(run.run_id) }, `run ${run.run_id}`)),
    el("p", {}, statusBadge(run.status), el("span", { class: "tally quiet" }, ` ${tally(run)} `), newsBadges(run)),
    el("p", { class: "quiet" }, platformName(run.platform), " · ", lineLink(run), " · ", commitLink(run), whenOf(run, " · ")));
}

/** Where neither run was chosen, the newest that ended is the later one, so that one choice is enough; or another. */
function others(newest, b) {
  const runs = newest.filter((run) => doneCount(run) && run.run_id !== b).slice(0, MOST_OFFERED);
  if (!runs.length) return null;
  return el("details", { class: "bucket others" }, el("summary", {}, "Another run as the later one"),
    el("ul", { class: "items" }, runs.map((run) => offer(run, "", compareHref(null, run.run_id)))));
}

function offer(run, text, target) {
  return el("li", {}, el("a", { href: target }, `Run ${run.run_id}`),
    el("span", { class: "quiet clip" }, [text, platformName(run.platform), lineText(run), run.status].filter(Boolean).join(" · ")));
}

/** Runs that the chosen one may be compared with: its references, then the newest ones; `isDefault` says that nobody has chosen it. */
async function suggestions(known, a, b, isDefault) {
  const id = known?.run_id;
  const here = known && `runs/${id}.json`;
  const [references, newest, commit] = await Promise.all([known ? readIfThere(follow(here, known.links.comparison)) : null, read("runs.json"),
    known?.links.commit ? readAll(follow(here, known.links.commit)) : []]);
  const named = Object.entries({ main: "the main line before it", previous: "the run before it", other_platform: "the other platform" })
    .map(([name, text]) => [references?.references[name].run, text]).filter(([run]) => run);
  const others = newest.data.filter((run) => doneCount(run) && (!known || run.platform === known.platform)).slice(0, MOST_OFFERED).map((run) => [run, ""]);
  const seen = new Set([id]);
  const runs = [...named, ...commit.filter(doneCount).map((run) => [run, "the same commit"]), ...others].filter(([run]) => !seen.has(run.run_id) && seen.add(run.run_id));
  const target = (other) => (known && known.run_id === a ? compareHref(a, other) : known ? compareHref(other, b) : compareHref(other, null));
  return section(known ? `Choose what to compare ${isDefault ? `the newest run that ended, run ${id},` : `run ${id}`} with` : "Choose a run", runs.length
    ? el("ul", { class: "items" }, runs.map(([run, text]) => offer(run, text, target(run.run_id)))) : nothing("No run with results is published."));
}

async function resultsOf(run) {
  const path = `runs/${run.run_id}.json`;
  const [results, failures] = await Promise.all([run.links.samples, run.links.failures].map((link) => readAll(follow(path, link))));
  const known = new Map(failures.map((one) => [one.regression_test_id, one]));
  return new Map(results.map((one) => [one.regression_test_id, { ...one, ...known.get(one.regression_test_id) }]));
}

async function compared(before, after) {
  const [then, now] = await Promise.all([before, after].map(resultsOf));
  const pairs = [...new Set([...then.keys(), ...now.keys()])].sort((x, y) => x - y).map((id) => [id, then.get(id), now.get(id)]);
  const buckets = Map.groupBy(pairs, bucketOf);
  const count = (name) => buckets.get(name)?.length ?? 0;
  const shown = BUCKETS.filter(([name]) => count(name));
  const partly = [before, after].filter((run) => !hasEnded(run));
  return [
    el("p", { class: "headline" }, [`${count("broken")} newly failing`, `${count("fixed")} fixed`, `${count("differently")} failing differently`, `${plural(count("passing"), "test")} passing in both`].join(", "), "."),
    ...partly.map((run) => el("p", { class: "box" }, `Run ${run.run_id} is ${statusWord(run.status)}: ${tally(run)}. The tests that it has not run are listed as such.`)),
    ...shown.map(([name, title, open]) => el("details", { open, class: "bucket" }, el("summary", {}, title, " ", el("span", { class: "count" }, String(count(name)))),
      el("ul", { class: "items" }, buckets.get(name).map((pair) => item(pair, before, after))))),
    shown.length ? null : nothing("No test fails in either."),
    slower(pairs, before, after),
  ];
}

function bucketOf([, then, now]) {
  const failed = [then, now].map((one) => one && one.status !== "pass");
  if (!now) return failed[0] ? "gone" : "passing before";
  if (!then) return failed[1] ? "added" : "passing after";
  if (!failed[0] && !failed[1]) return "passing";
  if (failed[0] !== failed[1]) return failed[1] ? "broken" : "fixed";
  return then.fingerprint === now.fingerprint ? "same" : "differently";
}

const wordOf = (one) => (one ? (one.classification ? (CODES[one.classification.code] ?? one.classification.code) : statusWord(one.status)) : "not run");

function place(run, one, id) {
  return one?.href ? resultHref(run.run_id, id) : testHref(id);
}

function item([id, then, now], before, after) {
  const shown = now ?? then;
  return el("li", {}, mark(shown.status, null),
    el("a", { class: "clip", href: place(now ? after : before, shown, id) }, `#${id} ${shown.sample_name ?? "unknown sample"}`),
    el("span", { class: "quiet" }, then ? el("a", { href: place(before, then, id) }, wordOf(then)) : "not run", " → ", now ? el("a", { href: place(after, now, id) }, wordOf(now)) : "not run"));
}

/** Tests that took much longer. Runtimes of two platforms do not compare. */
function slower(pairs, before, after) {
  if (before.platform !== after.platform) return null;
  const found = pairs.filter(([, then, now]) => then?.runtime_ms && now?.runtime_ms && now.runtime_ms > MUCH_SLOWER * then.runtime_ms && now.runtime_ms - then.runtime_ms >= SLOWER_BY_MS)
    .sort(([, a, b], [, c, d]) => d.runtime_ms - c.runtime_ms - (b.runtime_ms - a.runtime_ms));
  if (!found.length) return null;
  return section(`Slower by more than half (${found.length})`, table("Slower tests", ["Test", "Sample", "Before", "After"], found.slice(0, MOST_SLOWER).map(([id, then, now]) => [
    el("a", { href: testHref(id) }, `#${id}`), el("span", { class: "name" }, now.sample_name ?? "—"), ...[then, now].map((one) => el("span", { class: "number" }, duration(one.runtime_ms)))]), { class: "stacked" }));
}
