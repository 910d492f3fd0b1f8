// A matrix of tests and runs that is drawn as far as it is visible. One link lies over the cell that is pointed at, so
// that the mouse, the keyboard and a screen reader all meet the same thing.

import { colour, el } from "./dom.js";
import { dayText } from "./format.js";

const ROW = 20;
const COLUMN = 15;
const HEAD = 40;
const CELL = { x: 1, y: 3, width: 13, height: 14 };
const KINDS = { p: "pass", f: "fail", m: "missing_output" };
const RUN_KINDS = { pass: "pass", fail: "fail", error: "error" };

/**
 * Rows are `{group, note}` or `{id, label, href}`; columns have `at` and `status`; `letter(row, column)` gives the result.
 * `describe(row, column)` gives the lines of the hint and the link of a cell; `older` is called near the end.
 */
export class GridView {
  constructor({ describe, letter, older, signal }) {
    Object.assign(this, { describe, letter, older, rows: [], columns: [], at: null, drawing: 0 });
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
    this.stage.addEventListener("pointerleave", () => (this.hint.hidden = true));
    this.link.addEventListener("keydown", (event) => this.key(event));
    this.link.addEventListener("focus", () => this.moveTo(this.at?.row ?? this.firstRow(), this.at?.column ?? 0, { reveal: true }));
  }

  /** Show other rows or columns. */
  set(rows, columns) {
    this.rows = rows;
    this.columns = columns;
    this.at = null;
    this.link.hidden = !rows.length || !columns.length;
    this.resize();
  }

  firstRow() {
    return this.rows.findIndex((row) => row.id !== undefined);
  }

  resize() {
    const { clientWidth, clientHeight } = this.element;
    if (!clientWidth) return;
    this.labelWidth = Math.min(330, Math.round(clientWidth * 0.42));
    const ratio = devicePixelRatio || 1;
    this.width = clientWidth;
    this.height = Math.min(clientHeight, HEAD + this.rows.length * ROW);
    this.space.style.width = `${this.labelWidth + this.columns.length * COLUMN + 8}px`;
    this.space.style.height = `${HEAD + this.rows.length * ROW}px`;
    this.stage.style.width = this.labels.style.width = `${clientWidth}px`;
    this.stage.style.height = `${this.height}px`;
    this.labels.style.width = `${this.labelWidth}px`;
    this.canvas.width = clientWidth * ratio;
    this.canvas.height = this.height * ratio;
    this.canvas.style.width = `${clientWidth}px`;
    this.canvas.style.height = `${this.height}px`;
    this.recolour();
  }

  recolour() {
    const names = ["pass", "fail", "missing", "error", "quiet", "line", "ground", "on-mark", "raised"];
    this.colours = Object.fromEntries(names.map((name) => [name, colour(name)]));
    this.schedule();
  }

  scrolled() {
    this.hint.hidden = true;
    this.schedule();
    if (this.element.scrollLeft + this.width > this.space.offsetWidth - 20 * COLUMN) this.older();
  }

  schedule() {
    this.drawing ||= requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
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
    return HEAD + row * ROW - this.element.scrollTop;
  }

  draw() {
    if (!this.width) return;
    const context = this.canvas.getContext("2d");
    const ratio = devicePixelRatio || 1;
    const window = this.visible();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = this.colours.ground;
    context.fillRect(0, 0, this.width, this.height);
    context.save();
    context.beginPath();
    context.rect(this.labelWidth, HEAD, this.width, this.height);
    context.clip();
    this.drawCells(context, window);
    context.restore();
    context.save();
    context.beginPath();
    context.rect(this.labelWidth, 0, this.width, HEAD);
    context.clip();
    this.drawHead(context, window);
    context.restore();
    this.drawLabels(window);
    if (this.at) this.placeLink();
  }

  drawCells(context, { row, rowEnd, column, columnEnd }) {
    const places = { p: [], f: [], m: [] };
    for (let r = row; r < rowEnd; r++) {
      const one = this.rows[r];
      if (one.id === undefined) {
        context.fillStyle = this.colours.raised;
        context.fillRect(this.labelWidth, this.top(r), this.width, ROW);
        continue;
      }
      for (let c = column; c < columnEnd; c++) places[this.letter(one, this.columns[c])]?.push([this.left(c) + CELL.x, this.top(r) + CELL.y]);
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
    const column = Math.floor((event.clientX - box.left - this.labelWidth + this.element.scrollLeft) / COLUMN);
    const row = Math.floor((event.clientY - box.top - HEAD + this.element.scrollTop) / ROW);
    const outside = event.clientX - box.left < this.labelWidth || event.clientY - box.top < HEAD;
    if (outside || !this.columns[column] || this.rows[row]?.id === undefined) {
      this.hint.hidden = true;
      return;
    }
    if (this.at?.row !== row || this.at?.column !== column || this.hint.hidden) this.moveTo(row, column, { hint: true });
  }

  moveTo(row, column, { hint = false, reveal = false } = {}) {
    if (!this.columns[column] || this.rows[row]?.id === undefined) return;
    this.at = { row, column };
    const { lines, href } = this.describe(this.rows[row], this.columns[column]);
    if (href) this.link.setAttribute("href", href);
    else this.link.removeAttribute("href");
    this.link.tabIndex = 0;
    this.link.setAttribute("aria-label", lines.join(", "));
    if (reveal) {
      this.reveal(row, column);
      this.spoken.textContent = lines.join(", ");
    }
    this.placeLink();
    this.hint.hidden = !hint && !reveal;
    if (!this.hint.hidden) this.placeHint(lines);
  }

  reveal(row, column) {
    const box = this.element;
    const x = column * COLUMN;
    const y = row * ROW;
    const width = this.width - this.labelWidth - COLUMN;
    const height = box.clientHeight - HEAD - ROW;
    box.scrollLeft = Math.min(x, Math.max(box.scrollLeft, x - width));
    box.scrollTop = Math.min(y, Math.max(box.scrollTop, y - height));
  }

  placeLink() {
    const left = this.left(this.at.column);
    const top = this.top(this.at.row);
    this.link.style.transform = `translate(${left}px, ${top}px)`;
    this.link.classList.toggle("away", left < this.labelWidth - 1 || top < HEAD - 1);
  }

  placeHint(lines) {
    this.hint.replaceChildren(...lines.map((line, i) => el(i ? "div" : "strong", {}, line)));
    const { offsetWidth, offsetHeight } = this.hint;
    const left = Math.max(4, Math.min(this.left(this.at.column) + COLUMN, this.width - offsetWidth - 4));
    const below = this.top(this.at.row) + ROW + 4;
    const top = below + offsetHeight > this.height ? this.top(this.at.row) - offsetHeight - 4 : below;
    this.hint.style.transform = `translate(${left}px, ${top}px)`;
  }

  key(event) {
    const steps = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0], Home: [0, -Infinity], End: [0, Infinity] };
    const step = steps[event.key];
    if (!step || !this.at || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    let row = this.at.row + step[0];
    while (this.rows[row] && this.rows[row].id === undefined) row += step[0];
    const column = Math.max(0, Math.min(this.columns.length - 1, this.at.column + step[1]));
    this.moveTo(this.rows[row] ? row : this.at.row, column, { reveal: true });
  }
}

function labelOf(row) {
  if (row.id === undefined) return el("div", { class: "grid-group" }, row.group, el("span", { class: "quiet" }, row.note));
  return el("a", { class: "grid-label", href: row.href, title: row.title }, el("span", { class: "id" }, `${row.id}`), el("span", { class: "clip" }, row.label));
}

/** The status that a letter stands for; null for no result. */
export function statusOf(letter) {
  return KINDS[letter] ?? null;
}
