// The grid: every test in every run of a branch and platform.

import { read, Walk } from "./api.js";
import { choice, el, nothing, textField } from "./dom.js";
import { readIndex, testText, wordFilter } from "./finding.js";
import { momentText, plural, shortSha } from "./format.js";
import { GridView, statusOf } from "./grid-view.js";
import { mainLine, PLATFORMS, platformName } from "./project.js";
import { resultHref, testHref } from "./router.js";
import { More } from "./loading.js";
import { mark, statusWord } from "./status.js";

const COLUMNS_AT_FIRST = 300;
const COLUMNS_MORE = 100;
const RECENT = 20;
const SORTS = [["category", "category"], ["flaky", "flakiness"], ["failure", "newest failure"], ["name", "name"]];
const ANY = "any";
const DEFAULTS = { platform: "linux", sort: "category" };

export async function gridPage(visit) {
  const { params, change, signal } = visit;
  const line = mainLine();
  const view = {
    platform: PLATFORMS.includes(params.get("platform")) ? params.get("platform") : "linux",
    line: params.get("line") ?? lineKey(line),
    sort: SORTS.some(([key]) => key === params.get("sort")) ? params.get("sort") : "category",
    q: params.get("q") ?? "",
    failing: params.get("failing") ?? "",
  };
  const [index] = await Promise.all([readIndex(), read(`grid/${view.platform}.json`)]);
  const tests = new Map(index.tests.map((test) => [test.regression_test_id, test]));
  const grid = new GridView({ describe, letter: letterAt, older: () => load(columns.length + COLUMNS_MORE), signal });
  const count = el("p", { class: "quiet", role: "status" });
  const lines = el("span", {});
  const foot = el("div", {});
  let walk, more, wanted, columns, lost;

  function start() {
    walk = new Walk(`grid/${view.platform}.json`);
    more = new More(visit, older);
    foot.replaceChildren(more.element);
    columns = [];
    wanted = COLUMNS_AT_FIRST;
    lost = new Set([lineKey(line), view.line]);
    update();
    more.load();
  }

  function load(atLeast) {
    wanted = Math.max(wanted, atLeast);
    more.load();
  }

  async function older() {
    const mine = walk;
    while (columns.length < wanted && !mine.done) {
      const { document } = await mine.next();
      if (signal.aborted || mine !== walk) return false;
      columns = columns.concat(columnsOf(document));
      update();
    }
    return !mine.done;
  }

  function columnsOf(document) {
    const places = new Map(document.meta.tests.map((id, place) => [id, place]));
    for (const run of document.data) lost.add(lineKey(run));
    const fits = document.data.filter((run) => (view.line === ANY || lineKey(run) === view.line) && /[^.]/.test(run.results));
    return fits.map((run) => ({ ...run, places }));
  }

  function update() {
    const found = rowsOf(columns, { ...view, tests });
    grid.set(arranged(found, view.sort), columns);
    count.textContent = columns.length ? `${plural(found.length, "test")} in ${plural(columns.length, "run")}, newest left` : "";
    const options = [...lost].sort().map((key) => [key, lineText(key, line)]);
    lines.replaceChildren(choice("Branch", [[ANY, "all"], ...options], view.line, set("line", start)));
    if (walk.done && !columns.length) grid.element.replaceWith(nothing("No run of this branch and platform has results."));
  }

  function set(name, then) {
    return (value) => {
      view[name] = value;
      change({ [name]: value === (name === "line" ? lineKey(line) : DEFAULTS[name]) ? "" : value });
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
  start();
  return [el("div", { class: "head" }, el("h1", {}, "Grid"), count, legend), form, grid.element, foot];
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
function rowsOf(columns, { tests, q, failing }) {
  const ids = new Set(columns.flatMap((column, i) => (i && column.places === columns[i - 1].places ? [] : [...column.places.keys()])));
  const fits = wordFilter(q);
  const rows = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const test = tests.get(id) ?? { regression_test_id: id, command: null, categories: [], sample_name: null };
    if (!fits(testText(test))) continue;
    const label = `${test.sample_name ?? ""} ${test.command ?? ""}`.trim() || "unknown test";
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
