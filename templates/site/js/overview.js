// The overview: where the main line stands, what broke on it, and the newest commits on both platforms side by side.

import { API, facetList, follow, lastManifest, NotPublished, read, readIfThere, Walk } from "./api.js";
import { CommitList } from "./commits.js";
import { compareHref } from "./compare.js";
import { choice, codeBlock, el, facts, nothing, section, textField } from "./dom.js";
import { plural, time, whenOf } from "./format.js";
import { More, part } from "./loading.js";
import { mainLine, onMainLine, PLATFORMS, platformName } from "./project.js";
import { href, resultHref, runHref, testHref } from "./router.js";
import { hasEnded, mark, newsBadges, RUN_STATUSES, statusWord } from "./status.js";
import { commitLink, tally } from "./tested.js";

const FIELDS = ["branch", "repository", "platform", "status", "pr", "commit"];
const PAGES_AT_A_TIME = 5;

export async function overviewPage(visit) {
  const { params, change } = visit;
  const filters = Object.fromEntries(FIELDS.map((name) => [name, params.get(name) ?? ""]));
  const rows = el("div", { class: "commits", "aria-live": "polite" });

  function set(name, value) {
    filters[name] = value;
    change({ [name]: value, loaded: "" });
    visit.params.delete("loaded");
    return start();
  }

  function start() {
    const commits = new Commits(visit, { ...filters });
    rows.replaceChildren(commits.list.element, commits.more.element);
    return commits.more.first();
  }

  const head = await read("runs.json");
  const shown = start();
  const footer = further();
  freshness(footer).catch(() => null); // the frame says when the data cannot be reached
  return [
    el("h1", { class: "hidden" }, "Overview"),
    section(`${mainLine().branch} now`, part(visit, () => lines(head.data))),
    section("What changed last", part(visit, lastChanges)),
    part(visit, async () => {
      await shown;
      return section("Commits and pull requests", filterForm(filters, set, head.data), rows);
    }),
    footer,
  ];
}

async function lines(newest) {
  const now = (await readIfThere("regressions.json"))?.meta.main_now;
  return el("div", { class: "lines" }, await Promise.all(PLATFORMS.map((platform) => lineCard(platform, newest, now?.[platform]))));
}

async function lastChanges() {
  return changes((await readIfThere("regressions.json"))?.data ?? []);
}

/** Whether a run is of the main line, and has come to an end that tells something. */
function tells(run, platform) {
  return run.platform === platform && run.test_type === "commit" && onMainLine(run) && hasEnded(run);
}

/** The newest run of the main line on a platform that ended with results. */
async function newestRun(platform, newest) {
  let run = newest.find((one) => tells(one, platform));
  const list = run ? null : await facetList("branch", mainLine().branch);
  for (let path = list, i = 0; path && !run && i < PAGES_AT_A_TIME; i++) {
    const document = await readIfThere(path);
    run = document?.data.find((one) => tells(one, platform));
    path = document?.pagination.next ? follow(path, document.pagination.next) : null;
  }
  return run;
}

/** Where the main line stands on a platform, as badges and the list of failing tests count it: each test by its own newest result. */
async function lineCard(platform, newest, now) {
  const run = await newestRun(platform, newest);
  const grid = el("a", { href: href(["grid"], { platform }) }, "Grid");
  if (!run || !now?.results) return el("article", { class: "card" }, el("h3", {}, platformName(platform)), nothing("No finished run."), grid);
  const status = now.failing ? "fail" : "pass";
  return el("article", { class: `card k-${status}` },
    el("h3", {}, mark(status), " ", platformName(platform), " ", el("a", { href: href(["tests"]) }, now.failing ? `${now.failing} failing` : "passing"), el("span", { class: "quiet" }, ` of ${plural(now.results, "test")}`)),
    el("p", {}, "Newest ", el("a", { href: runHref(run.run_id) }, `run ${run.run_id}`), ` (${tally(run)}) `, newsBadges(run)),
    el("p", { class: "quiet" }, commitLink(run), whenOf(run, ", "), " · ", grid));
}

const WORDS = { fix: "fixed", regression: "broken", expectation: "expected otherwise" };
const MOST_CHANGES = 8;

/** The newest changes: those of flaky tests are noise, and come last, when asked for. */
function changes(data) {
  const news = data.filter((change) => !change.flaky);
  const noise = data.filter((change) => change.flaky);
  const list = (some) => el("ul", { class: "changes" }, some.slice(0, MOST_CHANGES).map(changeLine));
  return [
    news.length ? list(news) : nothing("No test that is not flaky has changed lately."),
    noise.length ? el("details", { class: "noise" }, el("summary", {}, `${plural(noise.length, "change")} of flaky tests`), list(noise)) : null,
  ];
}

function changeLine(change) {
  return el("li", {},
    mark(change.status, WORDS[change.kind]), el("span", { class: "what" }, WORDS[change.kind] ?? change.kind, " on ", platformName(change.platform)),
    el("a", { class: "clip", href: change.href ? resultHref(change.run_id, change.regression_test_id) : testHref(change.regression_test_id), title: change.sample_name }, `#${change.regression_test_id} ${change.sample_name ?? ""}`),
    el("span", { class: "quiet" }, el("a", { href: runHref(change.run_id) }, `run ${change.run_id}`), ", ", time(change.at, { ago: true })));
}

/** How to go on from here: to follow, to download, to write programs, to show a badge. */
function further() {
  const root = new URL("..", API).href;
  const { branch } = mainLine();
  const badge = /^[a-z0-9._-]+$/.test(branch) ? codeBlock(`[![${branch}](${root}badges/${branch}.svg)](${root})`, "Badge in Markdown") : null;
  return el("footer", { class: "further" }, facts([
    ["Follow", el("a", { href: "v1/feeds/regressions.xml", type: "application/atom+xml" }, `What breaks on ${branch} (Atom)`)],
    ["Download", el("a", { href: href(["download"]) }, "NDJSON, Parquet, SQLite")],
    ["API", [el("a", { href: href(["api"]) }, "JSON documents"), ", ", el("a", { href: "v1/openapi.json" }, "OpenAPI")]],
    ["Last change published", el("span", { class: "published" }, "—")],
    ["Badge", badge],
  ]));
}

async function freshness(footer) {
  const { generated_at: at } = await lastManifest();
  footer.querySelector(".published").replaceChildren(time(at, { ago: true }));
}

function filterForm(filters, change, newest) {
  const set = (name) => (value) => change(name, value);
  const repositories = [...new Set([...newest.map((run) => run.repository), ...(filters.repository ? [filters.repository] : [])])].sort();
  const branches = el("datalist", { id: "branches" }, [...new Set(newest.map((run) => run.branch).filter(Boolean))].sort().map((value) => el("option", { value })));
  const typed = (label, name, attributes) => {
    const field = textField(label, filters[name], () => {}, attributes);
    field.querySelector("input").addEventListener("change", (event) => set(name)(event.target.value.trim()));
    return field;
  };
  return el("form", { class: "filters", onsubmit: (event) => event.preventDefault() },
    typed("Branch", "branch", { list: "branches" }), branches,
    choice("Repository", [["", "all"], ...repositories.map((name) => [name, name])], filters.repository, set("repository")),
    choice("Platform", [["", "both"], ...PLATFORMS.map((name) => [name, platformName(name)])], filters.platform, set("platform")),
    choice("Status", [["", "any"], ...RUN_STATUSES.map((name) => [name, statusWord(name)])], filters.status, set("status")),
    typed("Pull request", "pr", { inputmode: "numeric", size: 6 }),
    typed("Commit", "commit", { placeholder: "SHA", size: 12 }),
    el("p", { class: "action" }, el("a", { href: compareHref(null, null) }, "Compare two runs")));
}

/** The list that holds the fewest runs beside those that the filters ask for; null if there are none. */
async function bestList(filters) {
  if (/^[0-9a-f]{40}$/i.test(filters.commit)) return `runs/by-commit/${filters.commit.toLowerCase()}.json`;
  if (/^\d+$/.test(filters.pr)) return `runs/by-pr/${Number(filters.pr)}.json`;
  for (const facet of ["branch", "repository", "status", "platform"]) {
    if (filters[facet]) return facetList(facet, filters[facet]);
  }
  return "runs.json";
}

/** Runs of which the filters hold, put together by commit, loaded page by page. */
class Commits {
  constructor(visit, filters) {
    Object.assign(this, { filters, list: new CommitList(), walk: null });
    this.more = new More(visit, () => this.step(), { button: "Older commits", end: () => this.end(), name: "loaded" });
  }

  fits(run) {
    const { branch, repository, platform, status, pr, commit } = this.filters;
    return (!branch || run.branch === branch) && (!repository || run.repository === repository) && (!platform || run.platform === platform) &&
      (!status || run.status === status) && (!pr || run.pr_number === Number(pr)) && (!commit || run.commit_sha?.startsWith(commit.toLowerCase()));
  }

  end() {
    if (this.list.size) return el("span", { class: "quiet" }, `${plural(this.list.size, "commit")}; there are no older ones.`);
    return nothing(Object.values(this.filters).some(Boolean) ? "No run fits these filters." : "No run is published yet.");
  }

  /** Some commits more; tells whether there may be others. */
  async step() {
    const before = this.list.size;
    try {
      if (!this.walk) {
        const list = await bestList(this.filters);
        if (!list) return false;
        this.walk = new Walk(list);
      }
      for (let i = 0; i < PAGES_AT_A_TIME && !this.walk.done && this.list.size < before + 20; i++) {
        const { document } = await this.walk.next();
        for (const run of document.data.filter((one) => this.fits(one))) this.list.add(run);
      }
    } catch (error) {
      if (!(error instanceof NotPublished)) throw error;
      return false; // no run has this value
    }
    return !this.walk.done;
  }
}
