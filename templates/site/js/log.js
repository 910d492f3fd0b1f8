// A run's log, loaded page by page, searched as it comes.

import { pages } from "./api.js";
import { choice, el, nothing, textField } from "./dom.js";
import { number, plural } from "./format.js";

const DRAWN = 500;

export async function logView(path, signal) {
  const lines = [];
  const view = { q: "", level: "" };
  const list = el("ol", { class: "log", tabindex: 0, "aria-label": "Log" });
  const count = el("p", { class: "quiet", role: "status" });
  const more = el("button", { type: "button", onclick: () => draw(shown.length) }, "More lines");
  let shown = [];
  let drawn = 0;
  let complete = false;
  let cut = null;

  function update() {
    const words = view.q.toLowerCase();
    shown = lines.filter((line) => (!view.level || line.level === view.level) && (!words || line.message.toLowerCase().includes(words)));
    list.replaceChildren();
    drawn = 0;
    draw();
  }

  function draw() {
    list.append(...shown.slice(drawn, drawn + DRAWN).map(lineOf));
    drawn = Math.min(shown.length, drawn + DRAWN);
    more.hidden = drawn >= shown.length;
    const all = plural(lines.length, "line");
    count.textContent = `${shown.length === lines.length ? all : `${shown.length} of ${all}`}${complete ? "" : ", loading…"}${cut ? `; ${number(cut.omitted_bytes)} bytes are left out after line ${number(cut.after_line)}` : ""}`;
  }

  const set = (name) => (value) => {
    view[name] = value;
    update();
  };
  const levels = el("span", {});
  async function load() {
    for await (const { document } of pages(path)) {
      if (signal.aborted) return;
      lines.push(...document.data);
      cut = document.meta?.cut ?? null;
      update();
    }
    complete = true;
    const found = [...new Set(lines.map((line) => line.level).filter(Boolean))].sort();
    if (found.length > 1) levels.replaceChildren(choice("Level", [["", "any"], ...found.map((level) => [level, level])], "", set("level")));
    draw();
    if (!lines.length) list.replaceWith(nothing("The log is empty."));
  }
  await load();
  return [el("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, textField("Find in the log", "", set("q")), levels, count), list, more];
}

/** A line of a log, or of an excerpt of one. */
export function lineOf({ line, level, message, cut }) {
  const known = ["error", "critical", "warning"].includes(level?.toLowerCase()) ? level.toLowerCase() : null;
  return el("li", { class: known && `l-${known}`, value: line }, el("span", { class: "no", "aria-hidden": "true" }, line === null ? "" : String(line)), el("span", { class: "text" }, message, cut ? el("span", { class: "left-out" }, " …") : null));
}
