// A matrix of tests and runs that is drawn as far as it is visible. One link lies over the cell or column head that is
// pointed at, so that the mouse, the keyboard and a screen reader all meet the same thing.

import { colour, el } from "./dom.js";
import { dayText } from "./format.js";

const ROW = 20;
const COLUMN = 15;
const HEAD = 40;
const CELL = { x: 1, y: 3, width: 13, height: 14 };
const KINDS = { p: "pass", f: "fail", m: "missing_output" };
const RUN_KINDS = { pass: "pass", fail: "fail", error: "error" };
const COLOURS = ["pass", "fail", "missing", "error", "quiet", "line", "ground", "on-mark", "raised"];
const ON_HEADS = -1;
const STILL_MS = 250;

/**
 * Rows are `{group, note}` or `{id, label, href, letters}`; columns are runs. A place is a row, or `ON_HEADS`, and a
 * column. `describe(row, column)` gives the lines of its hint and its link, of the run itself if there is no row; `older`
 * is called near the end; `moved` gets what the address should hold: the chosen cell, and how far one has scrolled.
 */
export class GridView {
  constructor({ describe, older, moved, signal }) {
    Object.assign(this, { describe, older, moved, rows: [], columns: [], at: null, chosen: null, pending: null, drawing: 0, width: 0 });
    this.canvas = el("canvas", { "aria-hidden": "true" });
    this.labels = el("div", { class: "grid-labels" });
    this.link = el("a", { class: "grid-cursor", href: "#/grid", "aria-label": "Cells: move with the arrow keys" });
    this.hint = el("div", { class: "grid-hint", hidden: true, "aria-hidden": "true" });
    this.spoken = el("div", { class: "hidden", "aria-live": "polite" });
    this.stage = el("div", { class: "grid-stage" }, this.canvas, this.labels, this.link, this.hint);
    this.space = el("div", { class: "grid-space" }, this.stage);
    this.element = el("div", { class: "grid", tabindex: 0, role: "region", "aria-label": "Tests by runs" }, this.space, this.spoken);
    this.listen(signal);
  }

  listen(signal) {
    const size = new ResizeObserver(() => this.resize());
    size.observe(this.element);
    signal.addEventListener("abort", () => size.disconnect());
    addEventListener("themechange", () => this.recolour(), { signal });
    this.element.addEventListener("scroll", () => this.scrolled(), { passive: true });
    this.stage.addEventListener("pointermove", (event) => this.point(event));
    this.stage.addEventListener("pointerleave", () => this.unpoint());
    this.link.addEventListener("keydown", (event) => this.key(event));
    this.link.addEventListener("click", () => this.choose());
    this.link.addEventListener("focus", () => this.moveTo(this.at ?? { row: this.nextRow(ON_HEADS, 1), column: 0 }, { reveal: true }));
    this.link.addEventListener("blur", () => (this.hint.hidden = true));
  }

  /** Show other rows or columns. The chosen cell stays, if its test and run are still there. */
  set(rows, columns) {
    const kept = this.at && this.named(this.chosen ?? this.at);
    for (const [place, column] of columns.entries()) column.place = place;
    Object.assign(this, { rows, columns, at: null, chosen: null });
    this.link.hidden = !rows.length || !columns.length;
    this.resize();
    if (kept) this.choosePlace(kept);
  }

  /** Come back to what the address says: `at` is `RUN-TEST` or `RUN-`, `left` a run, `top` a test; each is used up. */
  restore(place) {
    this.pending = { ...place };
    for (const key of Object.keys(place)) place[key] = "";
    if (this.width) this.comeBack();
  }

  comeBack() {
    const { at, left, top } = this.pending;
    this.pending = null;
    if (left) this.element.scrollLeft = Math.max(0, this.columns.findIndex((run) => run.run_id === Number(left))) * COLUMN;
    if (top) this.element.scrollTop = Math.max(0, this.rows.findIndex((row) => row.id === Number(top))) * ROW;
    if (at) this.choosePlace(at);
    this.draw();
  }

  /** The chosen place as the address has it. */
  named({ row, column } = this.chosen) {
    return `${this.columns[column].run_id}-${row === ON_HEADS ? "" : this.rows[row].id}`;
  }

  choosePlace(name) {
    const [run, test] = name.split("-");
    const column = this.columns.findIndex((one) => one.run_id === Number(run));
    const row = test ? this.rows.findIndex((one) => one.id === Number(test)) : ON_HEADS;
    if (column < 0 || (test && row < 0)) return;
    this.chosen = { row, column };
    this.moveTo(this.chosen);
  }

  /** The place that one points at is the one to come back to. */
  choose() {
    this.chosen = this.at;
    this.moved({ at: this.chosen && this.named() });
  }

  nextRow(row, step) {
    let next = row + step;
    while (this.rows[next] && this.rows[next].id === undefined) next += Math.sign(step);
    return next;
  }

  resize() {
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth) return;
    this.labelWidth = labelWidthOf(clientWidth);
    const ratio = devicePixelRatio || 1;
    const height = Math.min(clientHeight, HEAD + this.rows.length * ROW);
    this.space.style.width = `${this.labelWidth + this.columns.length * COLUMN + 8}px`;
    this.space.style.height = `${HEAD + this.rows.length * ROW}px`;
    if (clientWidth !== this.width || height !== this.height || ratio !== this.ratio) {
      Object.assign(this, { width: clientWidth, height, ratio });
      this.stage.style.width = this.labels.style.width = this.canvas.style.width = `${clientWidth}px`;
      this.stage.style.height = this.canvas.style.height = `${height}px`;
      this.labels.style.width = `${this.labelWidth}px`;
      this.canvas.width = clientWidth * ratio;
      this.canvas.height = height * ratio;
    }
    if (this.colours) this.schedule();
    else this.recolour();
    if (this.pending) this.comeBack();
  }

  recolour() {
    this.colours = Object.fromEntries(COLOURS.map((name) => [name, colour(name)]));
    this.draw(); // at once: a printer does not wait
  }

  scrolled() {
    this.hint.hidden = true;
    this.schedule();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.rested(), STILL_MS);
    if (this.element.scrollLeft + this.width > this.space.offsetWidth - 20 * COLUMN) this.older();
  }

  rested() {
    const { row, column } = this.visible();
    const top = this.rows[this.nextRow(row - 1, 1)];
    this.moved({ left: column ? this.columns[column]?.run_id : "", top: row ? top?.id : "" });
  }

  schedule() {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  }

  /** How many columns can be seen at once; before the grid has its place in the page, rather more. */
  room() {
    const width = this.element.clientWidth || innerWidth;
    return Math.ceil((width - labelWidthOf(width)) / COLUMN);
  }

  /** The rows and columns that are visible, as first and one past the last. */
  visible() {
    const { scrollTop, scrollLeft } = this.element;
    const row = Math.floor(scrollTop / ROW);
    const column = Math.floor(scrollLeft / COLUMN);
    return {
      row, rowEnd: Math.min(this.rows.length, row + Math.ceil((this.height - HEAD) / ROW) + 1),
      column, columnEnd: Math.min(this.columns.length, column + Math.ceil((this.width - this.labelWidth) / COLUMN) + 1),
    };
  }

  left(column) {
    return this.labelWidth + column * COLUMN - this.element.scrollLeft;
  }

  top(row) {
    return row === ON_HEADS ? 0 : HEAD + row * ROW - this.element.scrollTop;
  }

  draw() {
    if (!this.width) return;
    const context = this.canvas.getContext("2d");
    const window = this.visible();
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.fillStyle = this.colours.ground;
    context.fillRect(0, 0, this.width, this.height);
    this.clipped(context, HEAD, () => this.drawCells(context, window));
    this.clipped(context, 0, () => this.drawHead(context, window));
    this.drawLabels(window);
    if (this.at) this.placeLink();
  }

  /** Draw right of the labels and below `top`. */
  clipped(context, top, draw) {
    context.save();
    context.beginPath();
    context.rect(this.labelWidth, top, this.width, this.height);
    context.clip();
    draw();
    context.restore();
  }

  drawCells(context, { row, rowEnd, column, columnEnd }) {
    const places = { p: [], f: [], m: [] };
    for (let r = row; r < rowEnd; r++) {
      const { id, letters } = this.rows[r];
      const y = this.top(r) + CELL.y;
      if (id === undefined) {
        context.fillStyle = this.colours.raised;
        context.fillRect(this.labelWidth, y - CELL.y, this.width, ROW);
        continue;
      }
      for (let c = column; c < columnEnd; c++) places[letters[c]]?.push([this.left(c) + CELL.x, y]);
    }
    for (const [letter, name] of [["p", "pass"], ["f", "fail"], ["m", "missing"]]) {
      context.beginPath();
      for (const [x, y] of places[letter]) context.rect(x, y, CELL.width, CELL.height);
      context.fillStyle = this.colours[name];
      context.fill();
    }
    context.beginPath();
    for (const [x, y] of places.f) {
      context.moveTo(x + 4, y + 4.5);
      context.lineTo(x + 9, y + 9.5);
      context.moveTo(x + 9, y + 4.5);
      context.lineTo(x + 4, y + 9.5);
    }
    for (const [x, y] of places.m) {
      context.moveTo(x + 3.5, y + 7);
      context.lineTo(x + 9.5, y + 7);
    }
    context.strokeStyle = this.colours["on-mark"];
    context.lineWidth = 1.5;
    context.stroke();
  }

  drawHead(context, { column, columnEnd }) {
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "top";
    let end = -Infinity;
    for (let c = column; c < columnEnd; c++) {
      const run = this.columns[c];
      const day = dayText(run.at);
      const left = this.left(c);
      if (day && (c === column || day !== dayText(this.columns[c - 1].at)) && left > end) {
        context.fillStyle = this.colours.quiet;
        context.fillText(day, left + 1, 4);
        context.fillRect(left, 4, 1, 16);
        end = left + context.measureText(day).width + 8;
      }
      const kind = RUN_KINDS[run.status];
      context.fillStyle = kind ? this.colours[kind] : this.colours.line;
      context.fillRect(left + CELL.x, HEAD - 12, CELL.width, run.status === "pass" ? 4 : 8);
    }
  }

  drawLabels({ row, rowEnd }) {
    const wanted = this.rows.slice(row, rowEnd);
    if (this.shownRows !== this.rows || this.shownFrom !== row || this.labels.childElementCount !== wanted.length) {
      this.labels.replaceChildren(...wanted.map(labelOf));
      this.shownRows = this.rows;
      this.shownFrom = row;
    }
    this.labels.style.top = `${HEAD}px`;
    this.labels.style.height = `${this.height - HEAD}px`;
    for (const [i, label] of [...this.labels.children].entries()) label.style.transform = `translateY(${this.top(row + i) - HEAD}px)`;
  }

  point(event) {
    const box = this.stage.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const column = Math.floor((x - this.labelWidth + this.element.scrollLeft) / COLUMN);
    const row = y < HEAD ? ON_HEADS : Math.floor((y - HEAD + this.element.scrollTop) / ROW);
    if (x < this.labelWidth || !this.isPlace({ row, column })) this.unpoint();
    else if (this.at?.row !== row || this.at?.column !== column || this.hint.hidden) this.moveTo({ row, column }, { hint: true });
  }

  /** Nothing is pointed at: the link goes back to the cell that was chosen. */
  unpoint() {
    this.hint.hidden = true;
    if (this.chosen && this.at !== this.chosen) this.moveTo(this.chosen);
  }

  isPlace({ row, column }) {
    return Boolean(this.columns[column]) && (row === ON_HEADS || this.rows[row]?.id !== undefined);
  }

  moveTo(place, { hint = false, reveal = false } = {}) {
    if (!this.isPlace(place)) return;
    this.at = place;
    const { lines, href } = this.describe(this.rows[place.row], this.columns[place.column]);
    if (href) this.link.setAttribute("href", href);
    else this.link.removeAttribute("href");
    this.link.tabIndex = 0;
    this.link.setAttribute("aria-label", lines.join(", "));
    if (reveal) {
      this.reveal(place);
      this.spoken.textContent = lines.join(", ");
    }
    this.placeLink();
    this.hint.hidden = !hint && !reveal;
    if (!this.hint.hidden) this.placeHint(lines);
  }

  reveal({ row, column }) {
    const box = this.element;
    const x = column * COLUMN;
    const width = this.width - this.labelWidth - COLUMN;
    box.scrollLeft = Math.min(x, Math.max(box.scrollLeft, x - width));
    if (row === ON_HEADS) return;
    const y = row * ROW;
    const height = box.clientHeight - HEAD - ROW;
    box.scrollTop = Math.min(y, Math.max(box.scrollTop, y - height));
  }

  placeLink() {
    const left = this.left(this.at.column);
    const top = this.top(this.at.row);
    const onHeads = this.at.row === ON_HEADS;
    this.link.style.transform = `translate(${left}px, ${top}px)`;
    this.link.style.height = `${onHeads ? HEAD : ROW}px`;
    this.link.classList.toggle("away", left < this.labelWidth - 1 || (!onHeads && top < HEAD - 1));
  }

  placeHint(lines) {
    this.hint.replaceChildren(...lines.map((line, i) => el(i ? "div" : "strong", {}, line)));
    const { offsetWidth, offsetHeight } = this.hint;
    const left = Math.max(4, Math.min(this.left(this.at.column) + COLUMN, this.width - offsetWidth - 4));
    const below = this.top(this.at.row) + (this.at.row === ON_HEADS ? HEAD : ROW) + 4;
    const top = below + offsetHeight > this.height ? this.top(this.at.row) - offsetHeight - 4 : below;
    this.hint.style.transform = `translate(${left}px, ${top}px)`;
  }

  key(event) {
    const page = Math.max(1, Math.floor((this.height - HEAD) / ROW) - 1);
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity], PageUp: [-page, 0], PageDown: [page, 0] }[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.at ??= { row: this.nextRow(ON_HEADS, 1), column: 0 };
    const [first, last] = [this.nextRow(ON_HEADS, 1), this.rows.length - 1]; // a group is never the last row
    let row = step[0] ? this.nextRow(this.at.row, step[0]) : this.at.row;
    if (row < first) row = event.key === "ArrowUp" || this.at.row === ON_HEADS ? ON_HEADS : first;
    const column = Math.max(0, Math.min(this.columns.length - 1, this.at.column + step[1]));
    this.moveTo({ row: Math.min(row, last), column }, { reveal: true });
    this.choose();
  }
}

function labelWidthOf(width) {
  return Math.min(330, Math.round(width * 0.42));
}

function labelOf(row) {
  if (row.id === undefined) return el("div", { class: "grid-group", title: row.group }, el("span", { class: "clip" }, row.group), el("span", { class: "quiet clip" }, row.note));
  return el("a", { class: "grid-label", href: row.href, title: row.label }, el("span", { class: "id" }, `${row.id}`), el("span", { class: "clip" }, row.label));
}

/** The status of a row's result in a column; null if it has none. */
export function statusOf(row, place) {
  return KINDS[row.letters[place]] ?? null;
}
