// What the grid shows: the runs that are loaded as columns, the tests as rows, and how each test went lately.

import { testText, wordFilter } from "./finding.js";
import { testHref } from "./router.js";

const RECENT = 20;
const UNKNOWN = { command: null, categories: [], sample_name: null, active: false };

export const SORTS = [["category", "category"], ["flaky", "flakiness"], ["failure", "newest failure"], ["name", "name"]];

/** The results of all tests in the loaded runs, newest first: a letter each, as the documents have them. */
export class Results {
  constructor(index) {
    this.columns = [];
    this.tests = new Map(index.tests.map((test) => [test.regression_test_id, test]));
    this.letters = new Map();
    this.known = null;
  }

  /** Add the runs of a page that `fits` takes, of those that have results. */
  add({ data, meta }, fits) {
    const runs = data.filter((run) => fits(run) && /[^.]/.test(run.results));
    const places = new Map(meta.tests.map((id, place) => [id, place]));
    for (const id of places.keys()) if (!this.letters.has(id)) this.letters.set(id, ".".repeat(this.columns.length));
    for (const [id, before] of this.letters) {
      const place = places.get(id);
      this.letters.set(id, before + (place === undefined ? ".".repeat(runs.length) : runs.map((run) => run.results[place]).join("")));
    }
    this.columns = this.columns.concat(runs);
    this.known = null;
  }

  /** All tests with a result in a loaded run, and how they went. */
  rows() {
    this.known ??= [...this.letters].sort(([a], [b]) => a - b).filter(([, letters]) => /[^.]/.test(letters)).map(([id, letters]) => rowOf({ ...(this.tests.get(id) ?? UNKNOWN), regression_test_id: id }, letters));
    return this.known;
  }

  /** The tests that fit, in order. */
  arranged({ q, failing, inactive, sort }) {
    const fits = wordFilter(q);
    const rows = this.rows().filter((row) => (inactive || row.active) && (!failing || /[fm]/.test(row.letters[0])) && fits(row.text));
    return sort === "category" ? grouped(rows) : rows.sort(ORDERS[sort]);
  }
}

function rowOf(test, letters) {
  const id = test.regression_test_id;
  const label = `${test.sample_name ?? ""} ${test.command ?? ""}`.trim() || "unknown test";
  const seen = letters.replaceAll(".", "");
  const states = seen.slice(0, RECENT).replaceAll("m", "f");
  const failure = letters.search(/[fm]/);
  return {
    id, label, letters, text: testText(test).toLowerCase(), active: test.active !== false, href: testHref(id), group: test.categories[0] ?? "No category",
    newest: seen[0], changes: (states.match(/p(?=f)|f(?=p)/g) ?? []).length, failure: failure < 0 ? Infinity : failure,
  };
}

const ORDERS = {
  flaky: (a, b) => b.changes - a.changes || a.id - b.id,
  failure: (a, b) => a.failure - b.failure || a.id - b.id,
  name: (a, b) => compare(a.label, b.label) || a.id - b.id,
};
const { compare } = new Intl.Collator("en", { numeric: true });

/** Rows by category, with a line above each. */
function grouped(rows) {
  const groups = [...Map.groupBy(rows, (row) => row.group)].sort(([a], [b]) => compare(a, b));
  return groups.flatMap(([name, group]) => {
    const broken = group.filter((row) => row.newest !== "p").length;
    return [{ group: name, note: broken ? ` ${broken} of ${group.length} failing` : ` ${group.length}` }, ...group];
  });
}
