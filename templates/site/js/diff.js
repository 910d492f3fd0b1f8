// A difference of two outputs: side by side, unified, or as text. Which one stands in the address.

import { follow, readIfThere } from "./api.js";
import { inWords, leftOut } from "./diff-words.js";
import { codeBlock, el, nothing } from "./dom.js";
import { number, plural } from "./format.js";
import { visible } from "./invisible.js";

const NARROW = 700;
const AT_ONCE = 40;

export async function diffView({ params, change }, from, href) {
  const document = await readIfThere(follow(from, href));
  if (!document) return [nothing("The difference is no longer published.")];
  const words = inWords(document).map((text) => el("p", { class: "in-words" }, text));
  if (!document.hunks?.length) return words;
  const { added_lines: added, removed_lines: removed, changed_hunks: hunks } = document.summary;
  const body = el("div", { class: "diff-body" });
  const views = { split: ["side by side", (unseen) => hunksOf(document, split, unseen)], unified: ["unified", (unseen) => hunksOf(document, unified, unseen)], text: ["as text", () => [codeBlock(document.patch ?? document.unified ?? "", "Unified difference")]] };
  const buttons = Object.entries(views).map(([name, [text]]) => el("button", { type: "button", onclick: () => choose({ diff: name }) }, text));
  const invisible = el("button", { type: "button", "aria-pressed": "false", title: "Tabs, no-break spaces, line ends, byte order marks, control characters", onclick: () => choose({ unseen: unseen ? "" : "1" }) }, "invisible characters");
  let name = params.get("diff") in views ? params.get("diff") : innerWidth < NARROW || isOneSided(document) ? "unified" : "split";
  let unseen = params.get("unseen") === "1";

  function choose(chosen) {
    name = chosen.diff ?? name;
    unseen = chosen.unseen === undefined ? unseen : chosen.unseen === "1";
    change(chosen);
    show();
  }

  function show() {
    body.replaceChildren(...views[name][1](unseen && signs(document)));
    for (const [i, key] of Object.keys(views).entries()) buttons[i].setAttribute("aria-pressed", String(key === name));
    invisible.setAttribute("aria-pressed", String(unseen));
    invisible.disabled = name === "text";
  }

  show();
  const parts = [el("span", { class: "removed" }, `−${removed} expected only`), el("span", { class: "added" }, `+${added} written only`), el("span", {}, plural(hunks, "place"))];
  return [...words, el("div", { class: "diff-head" }, el("p", {}, parts.flatMap((part) => [part, " "])), el("div", { class: "buttons", role: "group", "aria-label": "How to show the difference" }, buttons, invisible)),
    body, ...leftOut(document).map((text) => el("p", { class: "quiet" }, text))];
}

/** Whether all lines are of one side, as of an output that was not written: then nothing could stand beside them. */
function isOneSided({ hunks }) {
  return ["removed", "added"].some((kind) => hunks.every(({ lines }) => lines.every((line) => line.kind === kind)));
}

const ENDS = { lf: "\n", crlf: "\r\n", cr: "\r" };

/** What stands around the lines of each side, and nobody sees: before the first one, and after each that says no other. */
function signs({ expected, actual }) {
  const of = (side) => ({ before: side?.bom ? "\ufeff" : "", after: side?.line_ends });
  return { expected: of(expected), actual: of(actual) };
}

/** The hunks, the first ones at once and the others when asked for. */
function hunksOf({ hunks }, show, unseen) {
  const shown = hunks.slice(0, AT_ONCE).map((hunk) => show(hunk, unseen));
  if (hunks.length <= AT_ONCE) return shown;
  const more = el("button", { type: "button", onclick: () => more.replaceWith(...hunks.slice(AT_ONCE).map((hunk) => show(hunk, unseen))) }, `${hunks.length - AT_ONCE} more places`);
  return [...shown, more];
}

/** A line's text as nodes: all of it, or the part before, in and after what the other line lacks. */
function textOf(line, side, unseen, other = null) {
  const pieces = other ? apart(line.text, other.text) : [line.text, "", ""];
  const [start, middle, end] = unseen ? pieces.map(visible) : pieces;
  const mark = unseen && unseen[side];
  const last = mark && !line.omitted_after && ENDS[line[`${side}_end`] ?? mark.after];
  return [
    line.omitted_before ? el("span", { class: "left-out" }, `… ${number(line.omitted_before)} characters `) : null,
    mark && mark.before && (side === "expected" ? line.expected_line : line.actual_line) === 1 ? visible(mark.before) : null,
    start, pieces[1] && el("mark", {}, middle), end, last ? visible(last) : null,
    line.omitted_after ? el("span", { class: "left-out" }, ` ${number(line.omitted_after)} characters …`) : null,
  ];
}

function caption(hunk) {
  const from = (start) => start || "none";
  return `Line ${from(hunk.expected_start)} of what is expected, ${from(hunk.actual_start)} of what was written`;
}

const SIGNS = { added: "+", removed: "−", context: " " };

function unified(hunk, unseen) {
  return el("table", { class: "diff unified" }, el("caption", {}, caption(hunk)), el("tbody", {}, hunk.lines.map((line) => el("tr", { class: line.kind },
    numberCell(line.expected_line), numberCell(line.actual_line), signCell(line.kind), el("td", { class: "text" }, textOf(line, line.kind === "added" ? "actual" : "expected", unseen))))));
}

function split(hunk, unseen) {
  return el("table", { class: "diff split" }, el("caption", {}, caption(hunk)),
    el("thead", {}, el("tr", {}, ["Line", "Expected", "Line", "Written"].map((text, i) => el("th", { scope: "col", class: i % 2 ? null : "no" }, text)))),
    el("tbody", {}, paired(hunk.lines).map(([left, right]) => el("tr", {}, numberCell(left?.expected_line), textCell(left, right, "expected", unseen), numberCell(right?.actual_line), textCell(right, left, "actual", unseen)))));
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

function textCell(line, other, side, unseen) {
  if (!line) return el("td", { class: "text none" });
  return el("td", { class: `text ${line.kind}` }, textOf(line, side, unseen, line.kind === "context" ? null : other));
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
