// A run's log, loaded page by page, searched as it comes. What is searched for, and a line, stand in the address.

import { Walk } from "./api.js";
import { choice, el, nothing, textField, whenSeen } from "./dom.js";
import { number, plural } from "./format.js";
import { More } from "./loading.js";

const DRAWN = 500;

export async function logView(visit, path) {
  const { params, change, keep } = visit;
  const lines = [];
  const view = { q: params.get("q") ?? "", level: params.get("level") ?? "" };
  const marked = Number(params.get("line")) || null;
  const list = el("ol", { class: "log", tabindex: 0, "aria-label": "Log", onclick: choose });
  const count = el("p", { class: "quiet", role: "status" });
  const further = el("button", { type: "button", hidden: true, onclick: () => draw() }, "More lines");
  const levels = el("span", {});
  const none = el("p", { class: "nothing", hidden: true }, "No line fits.");
  const walk = new Walk(path);
  const loading = new More(visit, load);
  let shown = [];
  let drawn = 0;
  let cut = null;

  const fits = (line) => (!view.level || line.level === view.level) && (!view.q || line.message.toLowerCase().includes(view.q.toLowerCase()));

  async function load() {
    const { document } = await walk.next();
    lines.push(...document.data);
    shown.push(...document.data.filter(fits));
    cut = document.meta?.cut ?? null;
    if (drawn < DRAWN) draw();
    else tell();
    return !walk.done;
  }

  function update() {
    shown = lines.filter(fits);
    list.replaceChildren();
    drawn = 0;
    draw();
  }

  /** Draw some lines more, at least as far as the one that the address names. */
  function draw() {
    const until = Math.max(drawn + DRAWN, shown.findIndex((line) => line.line === marked) + DRAWN / 10);
    list.append(...shown.slice(drawn, until).map((line) => lineOf(line, marked)));
    drawn = Math.min(shown.length, until);
    tell();
  }

  function tell() {
    further.hidden = drawn >= shown.length;
    none.hidden = shown.length > 0 || !lines.length || !walk.done;
    const all = plural(lines.length, "line");
    count.textContent = `${shown.length === lines.length ? all : `${number(shown.length)} of ${all}`}${walk.done ? "" : " so far"}${cut ? `; ${number(cut.omitted_bytes)} bytes are left out after line ${number(cut.after_line)}` : ""}`;
  }

  /** The address names the line whose number one clicks. */
  function choose(event) {
    const line = event.target.classList.contains("no") && event.target.closest("li");
    if (!line) return;
    list.querySelector("[aria-current]")?.removeAttribute("aria-current");
    line.setAttribute("aria-current", "true");
    keep({ line: line.value });
  }

  function set(name) {
    return (value) => {
      view[name] = value;
      change({ [name]: value });
      update();
    };
  }

  function levelChoice() {
    const found = [...new Set([view.level, ...lines.map((line) => line.level)].filter(Boolean))].sort();
    return found.length > 1 || view.level ? choice("Level", [["", "any"], ...found.map((level) => [level, level])], view.level, set("level")) : [];
  }

  await loading.load();
  levels.replaceChildren(...[levelChoice()].flat());
  loading.load(Infinity)?.then(() => levels.childElementCount || levels.replaceChildren(...[levelChoice()].flat()));
  if (marked) whenSeen(list, () => scrollY || list.querySelector("[aria-current]")?.scrollIntoView({ block: "center" }), visit.signal);
  return [el("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, textField("Find in the log", view.q, set("q")), levels, count),
    lines.length || !walk.done ? [none, list] : nothing("The log is empty."), further, loading.element];
}

/** A line of a log, or of an excerpt of one. */
export function lineOf({ line, level, message, cut }, marked = null) {
  const known = ["error", "critical", "warning"].includes(level?.toLowerCase()) ? level.toLowerCase() : null;
  return el("li", { class: known && `l-${known}`, value: line, "aria-current": line !== null && line === marked ? "true" : null }, el("span", { class: "no", "aria-hidden": "true" }, line === null ? "" : String(line)), el("span", { class: "text" }, message, cut ? el("span", { class: "left-out" }, " …") : null));
}
