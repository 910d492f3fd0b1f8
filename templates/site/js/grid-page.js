// The grid: every test in every run of a branch and platform.

import { follow, lastManifest, read, readIfThere, Walk } from "./api.js";
import { choice, el, nothing, textField } from "./dom.js";
import { readIndex } from "./finding.js";
import { momentText, plural, shortSha } from "./format.js";
import { Results, SORTS } from "./grid-data.js";
import { GridView, statusOf } from "./grid-view.js";
import { More } from "./loading.js";
import { mainLine, PLATFORMS, platformName } from "./project.js";
import { resultHref, runHref } from "./router.js";
import { mark, statusWord } from "./status.js";

const COLUMNS_AT_FIRST = 150;
const COLUMNS_MORE = 100;
const PAGES_AHEAD = 4;
const ANY = "any";
const PULL_REQUESTS = "pull requests";

export async function gridPage(visit) {
  const { params, change, keep, signal } = visit;
  const main = lineKey(mainLine());
  const plain = { platform: "linux", line: main, sort: "category", q: "", failing: "", inactive: "" };
  const view = Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, params.get(name) ?? value]));
  if (!PLATFORMS.includes(view.platform)) view.platform = plain.platform;
  if (!SORTS.some(([key]) => key === view.sort)) view.sort = plain.sort;
  const place = { at: params.get("at") ?? "", left: params.get("left") ?? "", top: params.get("top") ?? "" };
  const [index, head] = await Promise.all([readIndex(), readIfThere(feedOf(view.platform))]);
  if (!head) return [el("h1", {}, "Grid"), nothing("No grid has been published yet: it comes with the next export.")];

  const grid = new GridView({ describe, older: () => load(results.columns.length + COLUMNS_MORE), moved: keep, signal });
  const count = el("p", { class: "quiet", role: "status" });
  const none = nothing("No test fits.");
  const lines = el("span", {});
  const foot = el("div", {});
  const seen = new Set();
  let results, walk, more, wanted;

  function start() {
    walk = new Walk(feedOf(view.platform));
    results = new Results(index);
    more = new More(visit, older);
    wanted = COLUMNS_AT_FIRST;
    foot.replaceChildren(more.element);
    return more.load();
  }

  function load(atLeast) {
    wanted = Math.max(wanted, atLeast);
    more.load();
  }

  async function older() {
    const [mine, into] = [walk, results];
    const lacks = (run) => run && !into.columns.some((one) => one.run_id === Number(run));
    const left = () => signal.aborted || mine !== walk;
    for (const enough of [() => grid.room(), () => wanted]) { // what is seen first asks for no more than it needs
      while (!mine.done && (into.columns.length < enough() || lacks(place.left))) {
        fetchAhead(view.platform, mine, into.columns.length, enough());
        const { document } = await mine.next();
        if (left()) return false;
        into.add(document, (run) => view.line === ANY || lineKey(run) === view.line);
        offerLines(document.data.map(lineKey));
        update();
      }
      await new Promise(requestAnimationFrame);
      if (left()) return false;
    }
    return !mine.done;
  }

  function offerLines(keys) {
    const known = seen.size;
    for (const key of [main, view.line, ...keys]) seen.add(key);
    seen.delete(ANY);
    if (seen.size === known) return;
    const options = [...seen].sort().map((key) => [key, lineText(key)]);
    lines.replaceChildren(choice("Branch", [[ANY, "all"], ...options], view.line, set("line", start)));
  }

  function update() {
    const rows = results.arranged(view);
    const found = rows.filter((row) => row.id !== undefined).length;
    const hidden = view.inactive ? 0 : results.rows().filter((row) => !row.active).length;
    grid.set(rows, results.columns);
    none.hidden = found > 0 || !results.columns.length;
    grid.element.classList.toggle("empty", !found);
    if (Object.values(place).some(Boolean) && (!place.left || results.columns.some((run) => run.run_id === Number(place.left)))) grid.restore(place);
    count.textContent = results.columns.length ? `${plural(found, "test")} in ${plural(results.columns.length, "run")}, newest left${hidden ? `; ${hidden} inactive not shown` : ""}` : "No run of this branch and platform has results.";
  }

  function set(name, then) {
    return (value) => {
      view[name] = value;
      for (const key of Object.keys(place)) place[key] = "";
      change({ [name]: value === plain[name] ? "" : value, ...place });
      then();
    };
  }

  function check(name, text) {
    return el("label", { class: "check" }, el("input", { type: "checkbox", checked: view[name] === "1", onchange: (event) => set(name, update)(event.target.checked ? "1" : "") }), text);
  }

  offerLines([]);
  const form = el("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
    choice("Platform", PLATFORMS.map((name) => [name, platformName(name)]), view.platform, set("platform", start)), lines,
    choice("Sort by", SORTS, view.sort, set("sort", update)),
    textField("Tests", view.q, set("q", update), { placeholder: "sample, command", title: "Words of the sample's name, the command or a category", id: "grid-filter" }),
    check("failing", "failing in the newest run"), check("inactive", "inactive tests too"));
  const legend = el("p", { class: "legend" }, ["pass", "fail", "missing_output"].map((status) => el("span", {}, mark(status, null), statusWord(status))));
  const skip = el("a", { class: "skip", href: "#grid", onclick: (event) => {
    event.preventDefault(); // the address after # is the site's own
    grid.link.focus();
  } }, "Skip to the grid");
  start();
  return [el("div", { class: "head" }, skip, el("h1", {}, "Grid"), count, legend), form, none, grid.element, foot];
}

function feedOf(platform) {
  return `grid/${platform}.json`;
}

/**
 * Ask at once for as many of the next pages as are likely needed until there are `enough` columns: each page names only the
 * one after it, but the manifest knows which there are. Where columns suffice, a run is looked for.
 */
async function fetchAhead(platform, walk, columns, enough) {
  const next = Number(/\/archive\/(\d+)\.json$/.exec(walk.path ?? "")?.[1] ?? NaN);
  const { partitions, partition_size: size, latest_run_id: latest } = await lastManifest().catch(() => ({}));
  const older = (partitions ?? []).map((one) => Math.floor(one.first_run_id / size)).filter((number) => number < next).reverse();
  const pagesRead = (latest + 1) / size - (next + 1);
  const needed = columns < enough ? Math.ceil((enough - columns) * pagesRead / columns) : PAGES_AHEAD;
  for (const number of older.slice(0, Math.min(needed, PAGES_AHEAD) - 1)) read(follow(feedOf(platform), `${platform}/archive/${number}.json`)).catch(() => null); // the walk says what fails
}

function describe(row, column) {
  const run = `run ${column.run_id}, ${shortSha(column.commit_sha)}${column.pr_number ? `, PR ${column.pr_number}` : ""}`;
  if (!row) return { lines: [`${run}: ${statusWord(column.status)}`, column.pr_number ? null : column.branch, momentText(column.at)].filter(Boolean), href: runHref(column.run_id) };
  const status = statusOf(row, column.place);
  return { lines: [`${statusWord(status)}: #${row.id} ${row.label}`, run, momentText(column.at)], href: status && resultHref(column.run_id, row.id) };
}

function lineKey({ repository, branch, pr_number: pr }) {
  return pr ? PULL_REQUESTS : `${repository} ${branch ?? ""}`;
}

function lineText(key) {
  if (key === PULL_REQUESTS) return key;
  const [repository, ...branch] = key.split(" ");
  return repository === mainLine().repository ? branch.join(" ") : `${branch.join(" ")} (${repository})`;
}
