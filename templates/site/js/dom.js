// Elements. Whatever comes from data goes in as text or as an attribute's value, never as markup.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element. Attributes that are null or false are left out, functions listen (`onclick`), strings become text. */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).flatMap(shown));
  return node;
}

const TURNS = /([\u202a-\u202e\u2066-\u2069])/u;

/** A text in which characters that turn the direction of what follows are signs: in a name they would turn what stands beside it, too. */
function shown(child) {
  if (child instanceof Node || !TURNS.test(child)) return [child];
  return String(child).split(TURNS).map((part, i) => (i % 2 ? unseen(part) : part));
}

/** A sign for a character that nobody sees. */
export function unseen(character, name = "invisible character", text = `U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}`) {
  return el("span", { class: "unseen", title: name }, text);
}

/** A link to a place outside; plain text unless it is one that a browser should follow. */
export function outside(href, text) {
  return /^https?:\/\//i.test(href ?? "") ? el("a", { href, rel: "noopener noreferrer" }, text) : text;
}

/** A button that copies a text, and says so. */
function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "copy", onclick: copy }, label);
  async function copy() {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy";
    }
    setTimeout(() => (button.textContent = label), 2000);
  }
  return button;
}

/** Commands or code, with a button to copy them. */
export function codeBlock(text, label) {
  return el("div", { class: "code" }, el("pre", { tabindex: 0, "aria-label": label, role: "region" }, text), copyButton(text));
}

/** A section under a heading. */
export function section(title, ...children) {
  return el("section", {}, el("h2", {}, title), ...children);
}

/** Facts as a list of terms; those whose value is null are left out. */
export function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", { class: "facts" }, known.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))));
}

/** A table; `rows` are lists of cells, the first of which heads its row. Cells are text or nodes. With the class `stacked`, phones show a row's cells below each other. */
export function table(caption, heads, rows, attributes = {}) {
  const head = el("tr", {}, heads.map((text) => (text ? el("th", { scope: "col" }, text) : el("td", {}))));
  return el("div", { class: "table", tabindex: 0, role: "region", "aria-label": caption },
    el("table", attributes,
      el("caption", { class: "hidden" }, caption),
      el("thead", {}, head),
      el("tbody", {}, rows.map((cells) => el("tr", {}, cells.map((cell, i) => (i ? el("td", { "data-head": heads[i] }, cell) : el("th", { scope: "row" }, cell))))))));
}

/** A line that stands where there is nothing to show. */
export function nothing(text) {
  return el("p", { class: "nothing" }, text);
}

/** A select with a label; `options` are [value, text] pairs. */
export function choice(label, options, value, onchange) {
  const select = el("select", { onchange: () => onchange(select.value) },
    options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)));
  return el("label", { class: "field" }, el("span", {}, label), select);
}

/** A text field with a label that reports while one types. */
export function textField(label, value, oninput, attributes = {}) {
  const input = el("input", { type: "search", value, autocomplete: "off", spellcheck: "false", ...attributes, oninput: () => oninput(input.value.trim()) });
  return el("label", { class: "field" }, el("span", {}, label), input);
}

/** Call back when an element comes near the visible part of the page. */
export function whenSeen(element, callback, signal, options = { rootMargin: "400px" }) {
  const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && callback(), options);
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect());
  return observer;
}

/** The colour that the style calls `--name`, as the theme has it now. */
export function colour(name) {
  const probe = el("span", { class: "probe" });
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
