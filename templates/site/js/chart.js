// Runtimes over time, drawn by uPlot, which is loaded when the first chart is.

import { colour, el } from "./dom.js";
import { dayText, duration, momentText } from "./format.js";
import { part } from "./loading.js";
import { platformName } from "./project.js";

let loading = null;

/** uPlot; a script that did not load is asked for again the next time. */
function loadPlot() {
  loading ??= new Promise((resolve, reject) => {
    const script = el("script", { src: `${document.body.dataset.assets}uplot.js`, onload: () => resolve(globalThis.uPlot), onerror: () => reject(new Error("The script that draws charts did not load.")) });
    document.head.append(script);
  });
  loading.catch(() => (loading = null));
  return loading;
}

/** A chart of runtimes, newest left as everywhere: `series` are `{platform, entries}` with entries newest first. Failures are marked by crosses. */
export function runtimeChart(visit, series, title) {
  return el("figure", {}, el("figcaption", {}, title), part(visit, () => plot(visit, series, title)));
}

async function plot({ signal }, series, title) {
  const Plot = await loadPlot();
  const known = series.map(({ platform, entries }) => ({ platform, entries: entries.filter((one) => one.runtime_ms !== null && one.tested_at).reverse() })).filter(({ entries }) => entries.length);
  const root = el("div", { class: "plot", role: "img", "aria-label": `${title}: ${known.map(summary).join("; ")}` });
  let chart = null;
  const draw = () => {
    chart?.destroy();
    chart = new Plot(options(Plot, known, root.clientWidth || 600), data(Plot, known), root);
  };
  const size = new ResizeObserver(() => (chart ? chart.setSize({ width: root.clientWidth, height: 180 }) : draw()));
  size.observe(root);
  signal.addEventListener("abort", () => size.disconnect());
  addEventListener("themechange", () => chart && draw(), { signal });
  return root;
}

function summary({ platform, entries }) {
  const times = entries.map((entry) => entry.runtime_ms);
  return `${platformName(platform)} ${entries.length} results from ${duration(Math.min(...times))} to ${duration(Math.max(...times))}`;
}

function hourText(at) {
  return new Date(at * 1000).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** The ticks of the time axis: days, and hours where ticks are closer, after the first of each day. */
function whenTexts(times, step) {
  const days = times.map((at) => dayText(new Date(at * 1000).toISOString()));
  return times.map((at, i) => (step >= 86_400 || days[i] !== days[i - 1] ? days[i] : hourText(at)));
}

function data(Plot, known) {
  const tables = known.map(({ entries }) => {
    const byTime = new Map(entries.map((entry) => [Date.parse(entry.tested_at) / 1000, entry]));
    const times = [...byTime.keys()].sort((a, b) => a - b);
    return [times, times.map((at) => byTime.get(at).runtime_ms / 1000), times.map((at) => (byTime.get(at).status === "pass" ? null : byTime.get(at).runtime_ms / 1000))];
  });
  return Plot.join(tables);
}

function options(Plot, known, width) {
  const axis = { stroke: colour("quiet"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const series = known.flatMap(({ platform }) => [
    { label: platformName(platform), stroke: colour(`series-${platform}`), width: 1.5, dash: platform === "windows" ? [5, 3] : [], spanGaps: true, points: { show: false }, value: (_, value) => (value === null ? "—" : `${value.toFixed(2)} s`) },
    { label: `${platformName(platform)} failed`, stroke: colour("fail"), paths: () => null, points: { show: true, size: 7, width: 2, fill: colour("ground") }, value: (_, value) => (value === null ? "—" : `${value.toFixed(2)} s`) },
  ]);
  return { width, height: 180, legend: { live: true }, cursor: { points: { size: 6 } }, scales: { x: { dir: -1 }, y: { range: (_, low, high) => [0, (high || 1) * 1.1] } },
    axes: [{ ...axis, values: (_, times, place, space, step) => whenTexts(times, step) }, { ...axis, size: 52, values: (_, values) => values.map((value) => `${value} s`) }], series: [{ label: "When", value: (_, at) => (at === null ? "—" : momentText(new Date(at * 1000).toISOString())) }, ...series] };
}
