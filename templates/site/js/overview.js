// The overview: where the main line stands, what broke on it, and the newest commits on both platforms side by side.

import { facetList, follow, NotPublished, read, readAll, readIfThere, Walk } from "./api.js";
import { choice, el, nothing, section, textField } from "./dom.js";
import { plural, shortSha, time } from "./format.js";
import { More, part } from "./loading.js";
import { mainLine, onMainLine, PLATFORMS, platformName } from "./project.js";
import { href, resultHref, runHref, testHref } from "./router.js";
import { mark, newsBadges, RUN_STATUSES, statusBadge, statusWord } from "./status.js";

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
    rows.replaceChildren(commits.list, commits.more.element);
    return commits.more.first();
  }

  const head = await read("runs.json");
  const shown = start();
  return [
    el("h1", { class: "hidden" }, "Overview"),
    section(`${mainLine().branch} now`, part(visit, () => lines(head.data))),
    part(visit, lastChanges),
    part(visit, async () => {
      await shown;
      return section("Commits and pull requests", filterForm(filters, set, head.data), rows);
    }),
  ];
}

async function lines(newest) {
  const failing = await failingNow();
  return el("div", { class: "lines" }, await Promise.all(PLATFORMS.map((platform) => lineCard(platform, newest, failing))));
}

async function lastChanges() {
  const regressions = await readIfThere("regressions.json");
  return regressions && section("What changed last", changes(regressions.data));
}

/** Whether a run is of the main line, and has come to an end that tells something. */
function tells(run, platform) {
  return run.platform === platform && run.test_type === "commit" && onMainLine(run) && ["pass", "fail"].includes(run.status);
}

/** The tests that fail on the main line now, as badges and the list of tests count them: each by its own newest result. */
async function failingNow() {
  return (await readIfThere("regression-tests/failing.json")) ? readAll("regression-tests/failing.json") : [];
}

async function lineCard(platform, newest, failing) {
  let run = newest.find((one) => tells(one, platform));
  const list = run ? null : await facetList("branch", mainLine().branch);
  for (let path = list, i = 0; path && !run && i < PAGES_AT_A_TIME; i++) {
    const document = await readIfThere(path);
    run = document?.data.find((one) => tells(one, platform));
    path = document?.pagination.next ? follow(path, document.pagination.next) : null;
  }
  const grid = el("a", { href: href(["grid"], { platform }) }, "Grid");
  if (!run) return el("article", { class: "card" }, el("h3", {}, platformName(platform)), nothing("No finished run."), grid);
  const count = failing.filter((one) => one.platform === platform).length;
  const status = count ? "fail" : "pass";
  return el("article", { class: `card k-${status}` },
    el("h3", {}, mark(status), " ", platformName(platform), " ", el("a", { href: href(["tests"]) }, count ? `${count} failing` : "passing")),
    el("p", {}, tally(run), newsBadges(run)),
    el("p", { class: "quiet" }, el("a", { href: runHref(run.run_id) }, `Run ${run.run_id}`), " of ", el("code", {}, shortSha(run.commit_sha)), ", ",
      time(run.completed_at ?? run.started_at ?? run.created_at, { ago: true }), " · ", grid));
}

/** What passed of what was to be tested. */
export function tally({ summary }) {
  return el("span", { class: "tally" }, `${summary.pass_count}/${summary.total_samples}`, el("span", { class: "hidden" }, " pass"));
}

function changes(data) {
  if (!data.length) return nothing("No test has changed yet.");
  const words = { fix: "fixed", regression: "broken", expectation: "expected otherwise" };
  return el("ul", { class: "changes" }, data.slice(0, 8).map((change) => el("li", {},
    mark(change.status, words[change.kind]), el("span", { class: "what" }, words[change.kind] ?? change.kind, " on ", platformName(change.platform), change.flaky ? ", flaky" : ""),
    el("a", { class: "clip", href: change.href ? resultHref(change.run_id, change.regression_test_id) : testHref(change.regression_test_id) },
      `#${change.regression_test_id} ${change.sample_name ?? ""}`),
    el("span", { class: "quiet" }, el("a", { href: runHref(change.run_id) }, `run ${change.run_id}`), ", ", time(change.at, { ago: true })))));
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
    typed("Commit", "commit", { placeholder: "SHA", size: 12 }));
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
    Object.assign(this, { filters, groups: new Map(), walk: null });
    this.list = el("ol", { class: "commit-list" }, el("li", { class: "heads", "aria-hidden": "true" }, el("span", {}, "Tested"), ...PLATFORMS.map((name) => el("span", {}, platformName(name)))));
    this.more = new More(visit, () => this.step(), { button: "Older commits", end: () => this.end(), name: "loaded" });
  }

  fits(run) {
    const { branch, repository, platform, status, pr, commit } = this.filters;
    return (!branch || run.branch === branch) && (!repository || run.repository === repository) && (!platform || run.platform === platform) &&
      (!status || run.status === status) && (!pr || run.pr_number === Number(pr)) && (!commit || run.commit_sha?.startsWith(commit.toLowerCase()));
  }

  end() {
    return this.groups.size ? el("span", { class: "quiet" }, `${plural(this.groups.size, "commit")}; there are no older ones.`) : nothing("No run fits these filters.");
  }

  /** Some commits more; tells whether there may be others. */
  async step() {
    const before = this.groups.size;
    try {
      if (!this.walk) {
        const list = await bestList(this.filters);
        if (!list) return false;
        this.walk = new Walk(list);
      }
      for (let i = 0; i < PAGES_AT_A_TIME && !this.walk.done && this.groups.size < before + 20; i++) {
        const { document } = await this.walk.next();
        for (const run of document.data.filter((one) => this.fits(one))) this.add(run);
      }
    } catch (error) {
      if (!(error instanceof NotPublished)) throw error;
      return false; // no run has this value
    }
    return !this.walk.done;
  }

  add(run) {
    const key = run.commit_sha === null ? `run ${run.run_id}` : `${run.repository} ${run.branch} ${run.pr_number} ${run.commit_sha}`;
    if (!this.groups.has(key)) {
      const cells = Object.fromEntries(PLATFORMS.map((platform) => [platform, el("div", { class: "cell" })]));
      this.groups.set(key, cells);
      this.list.append(el("li", {}, what(run), cells.linux, cells.windows));
    }
    const cells = this.groups.get(key);
    (cells[run.platform] ?? cells.linux).append(runCell(run));
  }
}

/** What was tested: a commit of a branch, or of a pull request. */
function what(run) {
  const { repository } = mainLine();
  const name = run.pr_number !== null
    ? el("a", { href: href([], { pr: run.pr_number }) }, `PR ${run.pr_number}`)
    : el("a", { href: href([], { branch: run.branch }), class: onMainLine(run) ? "main" : null }, run.branch ?? "no branch");
  return el("div", { class: "what" },
    el("div", { class: "clip" }, name, run.repository === repository ? null : el("span", { class: "quiet" }, ` ${run.repository}`)),
    el("div", { class: "quiet" }, el("a", { href: href([], { commit: run.commit_sha }), class: "sha" }, shortSha(run.commit_sha)), " ",
      time(run.created_at ?? run.started_at, { ago: true })));
}

function runCell(run) {
  const counts = ["pass", "fail"].includes(run.status);
  return el("a", { class: `run k-${run.status}`, href: runHref(run.run_id), title: `Run ${run.run_id} on ${platformName(run.platform)}` },
    el("span", { class: "on" }, platformName(run.platform)), " ",
    statusBadge(run.status), counts ? tally(run) : null, newsBadges(run));
}
