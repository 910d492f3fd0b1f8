// The grid: every test in every run of a branch and platform.

import { NotPublished, pages, read, readIfThere } from "./api.js";
import { choice, el, nothing, textField } from "./dom.js";
import { momentText, platformName, plural, shortSha } from "./format.js";
import { GridView, statusOf } from "./grid-view.js";
import { mainLine, PLATFORMS } from "./overview.js";
import { keep, resultHref, testHref } from "./router.js";
import { mark, statusWord } from "./status.js";

const COLUMNS_AT_FIRST = 300;
const COLUMNS_MORE = 100;
const RECENT = 20;
const SORTS = [["category", "category"], ["flaky", "flakiness"], ["failure", "newest failure"], ["name", "name"]];
const ANY = "any";

export async function gridPage({ params, signal }) {
  const line = mainLine();
  const view = {
    platform: PLATFORMS.includes(params.get("platform")) ? params.get("platform") : "linux",
    line: params.get("line") ?? lineKey(line),
    sort: SORTS.some(([key]) => key === params.get("sort")) ? params.get("sort") : "category",
    q: params.get("q") ?? "",
    failing: params.get("failing") ?? "",
  };
  const index = await readIfThere("search.json");
  const tests = new Map((index?.regression_tests ?? []).map((test) => [test.regression_test_id, test]));
  const names = new Map((index?.samples ?? []).map((sample) => [sample.sample_id, sample.name]));
  const grid = new GridView({ describe, letter: letterAt, older: () => load(columns.length + COLUMNS_MORE), signal });
  const count = el("p", { class: "quiet", role: "status" });
  const lines = el("span", {});
  let feed, columns, busy, lost;

  async function start() {
    feed = pages(`grid/${view.platform}.json`);
    columns = [];
    busy = false;
    lost = new Set([lineKey(line), view.line]);
    update();
    await load(COLUMNS_AT_FIRST);
  }

  async function load(wanted) {
    if (busy || !feed) return;
    busy = true;
    const mine = feed;
    while (columns.length < wanted) {
      const { value, done } = await feed.next();
      if (signal.aborted || mine !== feed) return;
      if (done) {
        feed = null;
        break;
      }
      columns = columns.concat(columnsOf(value.document));
      update();
    }
    busy = false;
  }

  function columnsOf(document) {
    const places = new Map(document.meta.tests.map((id, place) => [id, place]));
    for (const run of document.data) lost.add(lineKey(run));
    const fits = document.data.filter((run) => (view.line === ANY || lineKey(run) === view.line) && /[^.]/.test(run.results));
    return fits.map((run) => ({ ...run, places }));
  }

  function update() {
    keep({ ...view, line: view.line === lineKey(line) ? "" : view.line, sort: view.sort === "category" ? "" : view.sort });
    const found = rowsOf(columns, { ...view, tests, names });
    grid.set(arranged(found, view.sort), columns);
    count.textContent = columns.length ? `${plural(found.length, "test")} in ${plural(columns.length, "run")}, newest left` : "";
    const options = [...lost].sort().map((key) => [key, lineText(key, line)]);
    lines.replaceChildren(choice("Branch", [[ANY, "all"], ...options], view.line, set("line", start)));
    if (!feed && !columns.length) grid.element.replaceWith(nothing("No run of this branch and platform has results."));
  }

  function set(name, then) {
    return (value) => {
      view[name] = value;
      then();
    };
  }

  function describe(row, column) {
    const status = statusOf(letterAt(row, column));
    return {
      lines: [`${statusWord(status)}: #${row.id} ${row.label}`, `run ${column.run_id}, ${shortSha(column.commit_sha)}${column.pr_number ? `, PR ${column.pr_number}` : ""}`, momentText(column.at)],
      href: status && resultHref(column.run_id, row.id),
    };
  }

  const form = el("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
    choice("Platform", PLATFORMS.map((name) => [name, platformName(name)]), view.platform, set("platform", start)), lines,
    choice("Sort by", SORTS, view.sort, set("sort", update)),
    textField("Tests", view.q, set("q", update), { placeholder: "name, command, category", id: "grid-filter" }),
    el("label", { class: "check" }, el("input", { type: "checkbox", checked: view.failing === "1", onchange: (event) => set("failing", update)(event.target.checked ? "1" : "") }), "failing in the newest run"));
  const legend = el("p", { class: "legend" }, ["pass", "fail", "missing_output"].map((status) => el("span", {}, mark(status, null), statusWord(status))));
  try {
    await read(`grid/${view.platform}.json`);
  } catch (error) {
    if (error instanceof NotPublished) return [el("h1", {}, "Grid"), nothing("No grid has been published yet: it comes with the next export.")];
    throw error;
  }
  start();
  return [el("div", { class: "head" }, el("h1", {}, "Grid"), count, legend), form, grid.element];
}

const PULL_REQUESTS = "pull requests";

function lineKey({ repository, branch, pr_number: pr }) {
  return pr ? PULL_REQUESTS : `${repository} ${branch ?? ""}`;
}

function lineText(key, main) {
  if (key === PULL_REQUESTS) return key;
  const [repository, ...branch] = key.split(" ");
  return repository === main.repository ? branch.join(" ") : `${branch.join(" ")} (${repository})`;
}

function letterAt(row, column) {
  const place = column.places.get(row.id);
  return place === undefined ? "." : column.results[place];
}

/** The tests that have a result in one of the columns and fit the filter, with what sorting needs. */
function rowsOf(columns, { tests, names, q, failing }) {
  const ids = new Set(columns.flatMap((column, i) => (i && column.places === columns[i - 1].places ? [] : [...column.places.keys()])));
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const test = tests.get(id) ?? { command: null, categories: [], sample_id: null };
    const name = names.get(test.sample_id) ?? "";
    const label = `${name} ${test.command ?? ""}`.trim() || "unknown test";
    const text = `#${id} ${label} ${test.categories.join(" ")}`.toLowerCase();
    if (!words.every((word) => text.includes(word))) continue;
    const row = { id, label, title: label, href: testHref(id), group: test.categories[0] ?? "No category", ...recentOf(id, columns) };
    if (row.seen && (!failing || row.newest !== "p")) rows.push(row);
  }
  return rows;
}

/** How a test went in the newest columns. */
function recentOf(id, columns) {
  let seen = 0;
  let changes = 0;
  let last = null;
  let newest = null;
  let failure = Infinity;
  for (let i = 0; i < columns.length && (seen < RECENT || failure === Infinity); i++) {
    const letter = letterAt({ id }, columns[i]);
    if (letter === ".") continue;
    newest ??= letter;
    if (letter !== "p") failure = Math.min(failure, i);
    if (seen++ < RECENT) {
      changes += last !== null && (last === "p") !== (letter === "p");
      last = letter;
    }
  }
  return { seen, changes, newest, failure };
}

const ORDERS = {
  flaky: (a, b) => b.changes - a.changes || a.id - b.id,
  failure: (a, b) => a.failure - b.failure || a.id - b.id,
  name: (a, b) => a.label.localeCompare(b.label, "en", { numeric: true }) || a.id - b.id,
};

/** Rows in order; by category with a line above each. */
function arranged(rows, sort) {
  if (sort !== "category") return rows.sort(ORDERS[sort]);
  const groups = new Map();
  for (const row of rows) {
    if (!groups.has(row.group)) groups.set(row.group, []);
    groups.get(row.group).push(row);
  }
  const names = [...groups.keys()].sort((a, b) => a.localeCompare(b, "en"));
  return names.flatMap((name) => {
    const group = groups.get(name);
    const broken = group.filter((row) => row.newest !== "p").length;
    return [{ group: name, note: broken ? ` ${broken} of ${group.length} failing` : ` ${group.length}` }, ...group];
  });
}
