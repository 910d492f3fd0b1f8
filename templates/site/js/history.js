// The history of a few tests: strips of results per test and platform, the main line's first, and a chart of runtimes that
// runs the same way. Older pages come as one scrolls.

import { Walk } from "./api.js";
import { runtimeChart } from "./chart.js";
import { el, nothing } from "./dom.js";
import { duration, momentText, plural, shortSha } from "./format.js";
import { More } from "./loading.js";
import { mainLine, PLATFORMS, platformName } from "./project.js";
import { resultHref, testHref } from "./router.js";
import { mark, statusWord } from "./status.js";
import { lineText } from "./tested.js";

const DRAWN = 120;

/** The history at the feed `path`, of these tests (`{id, label}`); all are of one sample. */
export async function historyView(visit, path, tests) {
  const walk = new Walk(path);
  // One test has room for a strip of the main line, and one of all else.
  const lines = tests.length === 1 ? [true, false] : [null];
  const strips = tests.flatMap((test) => lines.flatMap((main) => PLATFORMS.map((platform) => new Strip({ test, platform, main, named: tests.length > 1 }))));
  const state = el("p", { class: "quiet", role: "status" });
  const charts = el("div", { class: "charts" });
  let count = 0;
  // All strips come from one feed: one that is scrolled to its end brings older results to all.
  const more = new More(visit, older, { button: "Older results", name: "loaded" });

  async function older() {
    const { document } = await walk.next();
    for (const entry of document.data) {
      const strip = strips.find((one) => one.holds(entry));
      strip?.add(entry);
      count += Boolean(strip);
    }
    for (const strip of strips) strip.show(walk.done ? null : () => more.load());
    state.textContent = walk.done ? `${plural(count, "result")}, back to the first.` : `${plural(count, "result")}, newest left.`;
    charts.replaceChildren(...tests.map(chart).filter(Boolean));
    return !walk.done;
  }

  function chart(test) {
    const series = PLATFORMS.map((platform) => ({ platform, entries: strips.filter((strip) => strip.test.id === test.id && strip.platform === platform)
      .flatMap(({ entries }) => entries).sort((a, b) => b.run_id - a.run_id) }));
    return series.some(({ entries }) => entries.some((entry) => entry.runtime_ms !== null)) ? runtimeChart(visit, series, `Runtimes of test ${test.id}, newest left`) : null;
  }

  await more.first();
  if (!count && more.done) return nothing("No results.");
  return [el("div", { class: "strips" }, strips.map((strip) => strip.element)), state, more.element, charts];
}

/** One test's results on one platform, newest left: of the main line, of all else, or (`main` is null) of both. */
class Strip {
  constructor({ test, platform, main, named }) {
    Object.assign(this, { test, platform, main, entries: [], shown: 0, more: null });
    const line = main === null ? "" : main ? `, ${mainLine().branch}` : ", PRs and branches";
    this.cells = el("span", { class: "cells" });
    this.end = el("span", { class: "end" });
    this.scroller = el("div", { class: "strip", tabindex: 0, role: "region", "aria-label": `Results of test ${test.id} on ${platformName(platform)}${line}, newest first` }, this.cells, this.end);
    const name = named ? el("a", { href: testHref(test.id), class: "clip", title: test.label }, `#${test.id} ${test.label}`) : null;
    this.element = el("div", { class: main === false ? "strip-row aside" : "strip-row" }, el("div", { class: "strip-name" }, name, el("span", { class: main ? null : "quiet" }, platformName(platform), line)), this.scroller);
    this.element.hidden = true;
    this.scroller.addEventListener("scroll", () => this.scrolled(), { passive: true });
  }

  holds(entry) {
    return entry.regression_test_id === this.test.id && entry.platform === this.platform && (this.main === null || entry.main_line === this.main);
  }

  add(entry) {
    this.entries.push(entry);
  }

  show(more) {
    this.more = more;
    this.element.hidden = !this.entries.length;
    if (this.shown < DRAWN) this.drawMore();
    this.end.textContent = more ? "…" : "";
  }

  drawMore() {
    const next = this.entries.slice(this.shown, this.shown + DRAWN);
    this.cells.append(...next.map((entry, i) => cell(entry, this.#before(this.shown + i))));
    this.shown += next.length;
  }

  /** The result before one of the main line, there; those of pull requests have none in common. */
  #before(place) {
    return this.entries[place].main_line ? this.entries.slice(place + 1, place + 1 + DRAWN).find((one) => one.main_line) : null;
  }

  /** Where its end comes into sight: draw what is there, else ask for older results. */
  scrolled() {
    const { scrollLeft, clientWidth, scrollWidth } = this.scroller;
    if (scrollLeft + clientWidth < scrollWidth - 200) return;
    if (this.shown < this.entries.length) this.drawMore();
    else this.more?.();
  }
}

function cell(entry, older) {
  const broke = entry.status !== "pass" && older?.status === "pass";
  const text = `${statusWord(entry.status)}${broke ? ", broke here" : ""}: run ${entry.run_id}, ${lineText(entry)}, ${shortSha(entry.commit_sha)}, ${momentText(entry.tested_at)}, ${duration(entry.runtime_ms)}`;
  return el("a", { href: resultHref(entry.run_id, entry.regression_test_id), class: broke ? "broke" : null, title: text, "aria-label": text }, mark(entry.status, null));
}
