// Commits, newest first, each with its runs on both platforms side by side.

import { el } from "./dom.js";
import { whenOf } from "./format.js";
import { mainLine, PLATFORMS, platformName } from "./project.js";
import { runHref } from "./router.js";
import { newsBadges, statusBadge } from "./status.js";
import { commitLink, lineLink, tally } from "./tested.js";

/** A list that grows run by run; `nameOf(run)` names what was tested. */
export class CommitList {
  #groups = new Map();

  constructor(nameOf = lineName) {
    this.nameOf = nameOf;
    this.element = el("ol", { class: "commit-list" },
      el("li", { class: "heads", "aria-hidden": "true" }, el("span", {}, "Tested"), ...PLATFORMS.map((name) => el("span", {}, platformName(name)))));
  }

  get size() {
    return this.#groups.size;
  }

  add(run) {
    const line = run.pr_number ?? `${run.repository} ${run.branch}`; // pull requests come from any fork: the number says which
    const key = run.commit_sha === null ? `run ${run.run_id}` : `${line} ${run.commit_sha}`;
    if (!this.#groups.has(key)) {
      const cells = Object.fromEntries(PLATFORMS.map((platform) => [platform, el("div", { class: "cell" })]));
      this.#groups.set(key, cells);
      this.element.append(el("li", {}, this.#what(run), cells.linux, cells.windows));
    }
    const cells = this.#groups.get(key);
    (cells[run.platform] ?? cells.linux).append(runCell(run));
  }

  #what(run) {
    return el("div", { class: "what" }, el("div", { class: "clip" }, this.nameOf(run)),
      el("div", { class: "quiet" }, commitLink(run), whenOf({ created_at: run.created_at ?? run.started_at }, " ")));
  }
}

function lineName(run) {
  return [lineLink(run), run.repository === mainLine().repository ? null : el("span", { class: "quiet" }, ` ${run.repository}`)];
}

function runCell(run) {
  return el("a", { class: `run k-${run.status}`, href: runHref(run.run_id), title: `Run ${run.run_id} on ${platformName(run.platform)}` },
    el("span", { class: "on" }, platformName(run.platform)), " ",
    statusBadge(run.status), el("span", { class: "tally" }, tally(run)), newsBadges(run));
}
