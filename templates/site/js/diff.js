// A difference of two outputs: side by side, or unified. Which one is remembered while the page is open.

import { follow, readIfThere } from "./api.js";
import { codeBlock, el, nothing } from "./dom.js";
import { plural } from "./format.js";

const NARROW = 700;
const AT_ONCE = 40;

export async function diffView(from, href) {
  const document = await readIfThere(follow(from, href));
  if (!document) return [nothing("The difference is no longer published.")];
  if (!document.hunks?.length) return [nothing(`No lines to compare (${document.status ?? "unknown"}).`)];
  const { added_lines: added, removed_lines: removed, changed_hunks: hunks } = document.summary;
  const body = el("div", { class: "diff-body" });
  const views = { split: ["side by side", () => hunksOf(document, split)], unified: ["unified", () => hunksOf(document, unified)], text: ["as text", () => [codeBlock(document.unified ?? "", "Unified difference")]] };
  const buttons = Object.entries(views).map(([name, [text]]) => el("button", { type: "button", onclick: () => show(name) }, text));

  function show(name) {
    body.replaceChildren(...views[name][1]());
    for (const [i, key] of Object.keys(views).entries()) buttons[i].setAttribute("aria-pressed", String(key === name));
  }

  show(innerWidth < NARROW ? "unified" : "split");
  const parts = [el("span", { class: "removed" }, `−${removed} expected only`), el("span", { class: "added" }, `+${added} written only`), el("span", {}, plural(hunks, "place"))];
  return [el("div", { class: "diff-head" }, el("p", {}, parts.flatMap((part) => [part, " "])), el("div", { class: "buttons", role: "group", "aria-label": "How to show the difference" }, buttons)),
    document.status && !["different", "complete"].includes(document.status) ? el("p", { class: "quiet" }, document.status.replaceAll("_", " ")) : null, body].filter(Boolean);
}

/** The hunks, the first ones at once and the others when asked for. */
function hunksOf({ hunks }, show) {
  const shown = hunks.slice(0, AT_ONCE).map(show);
  if (hunks.length <= AT_ONCE) return shown;
  const more = el("button", { type: "button", onclick: () => more.replaceWith(...hunks.slice(AT_ONCE).map(show)) }, `${hunks.length - AT_ONCE} more places`);
  return [...shown, more];
}

function caption(hunk) {
  return `Line ${hunk.expected_start} of what is expected, ${hunk.actual_start} of what was written`;
}

const SIGNS = { added: "+", removed: "−", context: " " };

function unified(hunk) {
  return el("table", { class: "diff unified" }, el("caption", {}, caption(hunk)), el("tbody", {}, hunk.lines.map((line) => el("tr", { class: line.kind },
    numberCell(line.expected_line), numberCell(line.actual_line), signCell(line.kind), el("td", { class: "text" }, line.text)))));
}

function split(hunk) {
  return el("table", { class: "diff split" }, el("caption", {}, caption(hunk)),
    el("thead", {}, el("tr", {}, ["Line", "Expected", "Line", "Written"].map((text, i) => el("th", { scope: "col", class: i % 2 ? null : "no" }, text)))),
    el("tbody", {}, paired(hunk.lines).map(([left, right]) => el("tr", {}, numberCell(left?.expected_line), textCell(left, right), numberCell(right?.actual_line), textCell(right, left)))));
}

/** Lines as pairs of what is expected and what was written: removed ones stand beside the added ones that follow them. */
function paired(lines) {
  const pairs = [];
  let removed = [];
  let added = [];
  const flush = () => {
    for (let i = 0; i < Math.max(removed.length, added.length); i++) pairs.push([removed[i] ?? null, added[i] ?? null]);
    removed = [];
    added = [];
  };
  for (const line of lines) {
    if (line.kind === "removed") {
      if (added.length) flush();
      removed.push(line);
    } else if (line.kind === "added") added.push(line);
    else {
      flush();
      pairs.push([line, line]);
    }
  }
  flush();
  return pairs;
}

function numberCell(number) {
  return el("td", { class: "no" }, number === null || number === undefined ? "" : String(number));
}

function signCell(kind) {
  const word = { added: "added", removed: "removed" }[kind];
  return el("td", { class: "sign" }, el("span", { "aria-hidden": "true" }, SIGNS[kind]), word ? el("span", { class: "hidden" }, word) : null);
}

function textCell(line, other) {
  if (!line) return el("td", { class: "text none" });
  if (line.kind === "context" || !other) return el("td", { class: `text ${line.kind}` }, line.text);
  const [before, middle, after] = apart(line.text, other.text);
  return el("td", { class: `text ${line.kind}` }, before, middle && el("mark", {}, middle), after);
}

/** What a text has that the other lacks, between what both begin and end with. */
function apart(text, other) {
  const least = Math.min(text.length, other.length);
  let start = 0;
  while (start < least && text[start] === other[start]) start++;
  let end = 0;
  while (end < least - start && text[text.length - 1 - end] === other[other.length - 1 - end]) end++;
  return [text.slice(0, start), text.slice(start, text.length - end), text.slice(text.length - end)];
}
