// The history of a few tests: a strip of results per test and platform, and a chart of runtimes. Older pages come as one
// scrolls.

import { NotPublished, pages } from "./api.js";
import { runtimeChart } from "./chart.js";
import { el, nothing, whenSeen } from "./dom.js";
import { duration, momentText, platformName, plural, shortSha } from "./format.js";
import { PLATFORMS } from "./overview.js";
import { resultHref, testHref } from "./router.js";
import { mark, statusWord } from "./status.js";

const DRAWN = 120;

/** The history at the feed `path`, of these tests (`{id, label}`); all are of one sample. */
export async function historyView(path, tests, signal) {
  const feed = pages(path);
  const strips = tests.flatMap((test) => PLATFORMS.map((platform) => new Strip(test, platform, tests.length > 1)));
  const state = el("p", { class: "quiet", role: "status" });
  const charts = el("div", { class: "charts" });
  const drawn = new Map();
  let busy = false;
  let done = false;
  let count = 0;

  async function older() {
    if (busy || done) return;
    busy = true;
    try {
      const { value, done: end } = await feed.next();
      if (signal.aborted) return;
      done = end || !value.document.pagination.next;
      for (const entry of value?.document.data ?? []) {
        const strip = strips.find((one) => one.test.id === entry.regression_test_id && one.platform === entry.platform);
        strip?.add(entry);
        count += Boolean(strip);
      }
    } catch (error) {
      if (!(error instanceof NotPublished)) throw error;
      done = true;
    } finally {
      busy = false;
    }
    for (const strip of strips) strip.show(done ? null : olderAll);
    state.textContent = done ? `${plural(count, "result")}, back to the first.` : `The newest ${plural(count, "result")}; scroll a strip to its end for older ones.`;
    await draw();
  }

  // All strips come from one feed: one that is scrolled to its end brings older results to all.
  async function olderAll() {
    await older();
  }

  async function draw() {
    for (const test of tests) {
      const series = strips.filter((strip) => strip.test.id === test.id).map(({ platform, entries }) => ({ platform, entries }));
      if (!series.some(({ entries }) => entries.some((entry) => entry.runtime_ms !== null))) continue;
      const chart = await runtimeChart(series, `Runtimes of test ${test.id}`, signal);
      if (signal.aborted) return;
      if (drawn.has(test.id)) drawn.get(test.id).replaceChildren(...chart);
      else {
        drawn.set(test.id, el("figure", {}, chart));
        charts.append(drawn.get(test.id));
      }
    }
  }

  const list = el("div", { class: "strips" }, strips.map((strip) => strip.element));
  for (const strip of strips) whenSeen(strip.end, () => strip.wants(), signal, { root: strip.scroller, rootMargin: "0px 200px" });
  await older();
  if (!count && done) return [nothing("No results.")];
  return [list, state, charts];
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
