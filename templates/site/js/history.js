// The history of a few tests: a strip of results per test and platform, and a chart of runtimes. Older pages come as one
// scrolls.

import { Walk } from "./api.js";
import { runtimeChart } from "./chart.js";
import { el, nothing, whenSeen } from "./dom.js";
import { duration, momentText, plural, shortSha } from "./format.js";
import { More } from "./loading.js";
import { PLATFORMS, platformName } from "./project.js";
import { resultHref, testHref } from "./router.js";
import { mark, statusWord } from "./status.js";

const DRAWN = 120;

/** The history at the feed `path`, of these tests (`{id, label}`); all are of one sample. */
export async function historyView(visit, path, tests) {
  const walk = new Walk(path);
  const strips = tests.flatMap((test) => PLATFORMS.map((platform) => new Strip(test, platform, tests.length > 1)));
  const state = el("p", { class: "quiet", role: "status" });
  const charts = el("div", { class: "charts" });
  let count = 0;
  // All strips come from one feed: one that is scrolled to its end brings older results to all.
  const more = new More(visit, older, { name: "loaded" });

  async function older() {
    const { document } = await walk.next();
    for (const entry of document.data) {
      const strip = strips.find((one) => one.test.id === entry.regression_test_id && one.platform === entry.platform);
      strip?.add(entry);
      count += Boolean(strip);
    }
    for (const strip of strips) strip.show(walk.done ? null : () => more.load());
    state.textContent = walk.done ? `${plural(count, "result")}, back to the first.` : `The newest ${plural(count, "result")}; scroll a strip to its end for older ones.`;
    charts.replaceChildren(...tests.map(chart).filter(Boolean));
    return !walk.done;
  }

  function chart(test) {
    const series = strips.filter((strip) => strip.test.id === test.id);
    return series.some(({ entries }) => entries.some((entry) => entry.runtime_ms !== null)) ? runtimeChart(visit, series, `Runtimes of test ${test.id}`) : null;
  }

  for (const strip of strips) whenSeen(strip.end, () => strip.wants(), visit.signal, { root: strip.scroller, rootMargin: "0px 200px" });
  await more.first();
  if (!count && more.done) return nothing("No results.");
  return [el("div", { class: "strips" }, strips.map((strip) => strip.element)), state, more.element, charts];
}

/** One test's results on one platform, newest left. */
class Strip {
  constructor(test, platform, named) {
    Object.assign(this, { test, platform, entries: [], shown: 0, more: null });
    this.cells = el("span", { class: "cells" });
    this.end = el("span", { class: "end" });
    this.scroller = el("div", { class: "strip", tabindex: 0, role: "region", "aria-label": `Results of test ${test.id} on ${platformName(platform)}, newest first` }, this.cells, this.end);
    const name = named ? el("a", { href: testHref(test.id), class: "clip", title: test.label }, `#${test.id} ${test.label}`) : null;
    this.element = el("div", { class: "strip-row" }, el("div", { class: "strip-name" }, name, el("span", { class: "quiet" }, platformName(platform))), this.scroller);
    this.element.hidden = true;
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
    this.cells.append(...next.map((entry, i) => cell(entry, this.entries[this.shown + i + 1])));
    this.shown += next.length;
  }

  /** Its end came into sight: draw what is there, else ask for older results. */
  wants() {
    if (this.shown < this.entries.length) this.drawMore();
    else this.more?.();
  }
}

function cell(entry, older) {
  const broke = entry.status !== "pass" && older?.status === "pass";
  const text = `${statusWord(entry.status)}${broke ? ", broke here" : ""}: run ${entry.run_id}, ${shortSha(entry.commit_sha)}, ${momentText(entry.tested_at)}, ${duration(entry.runtime_ms)}`;
  return el("a", { href: resultHref(entry.run_id, entry.regression_test_id), class: broke ? "broke" : null, title: text, "aria-label": text }, mark(entry.status, null));
}
