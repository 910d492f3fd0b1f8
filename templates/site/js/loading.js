// What loads on its own. Where something fails, its place in the page says so with a button to try again, and the rest
// of the page stands.

import { NotPublished, Outdated } from "./api.js";
import { el } from "./dom.js";

export function loadingLine() {
  return el("p", { class: "loading" }, "Loading…");
}

/** What failed, in words, and a button to try again. */
export function failure(error, retry) {
  const outdated = error instanceof Outdated; // what led there has to be read anew, too
  return el("p", { class: "failure", role: "alert" },
    error instanceof NotPublished ? "What should stand here is no longer published. " : `${error.message} `,
    el("button", { type: "button", onclick: outdated ? () => dispatchEvent(new Event("refresh")) : retry }, outdated ? "Load the page anew" : "Try again"));
}

const waiting = new WeakMap();

/** A part of a page that fills itself with what `load()` gives: nodes, lists of them, or null. */
export function part({ signal }, load) {
  const box = el("div", { class: "part" });
  async function fill() {
    box.replaceChildren(loadingLine());
    try {
      const content = await load();
      if (!signal.aborted) box.replaceChildren(...nodes(content));
    } catch (error) {
      if (signal.aborted) return;
      console.warn(error);
      box.replaceChildren(failure(error, fill));
    }
  }
  waiting.set(box, fill());
  return box;
}

/** What a page or a part is made of, as a flat list. */
export function nodes(content) {
  return [content].flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false);
}

/** Resolves when all parts in an element are filled, or have failed. */
export async function settled(node) {
  const parts = node instanceof Element ? [node, ...node.querySelectorAll(".part")] : [];
  await Promise.all(parts.map((one) => waiting.get(one)));
}

/**
 * Loads more of a list, piece by piece: its `element` is a button, "Loading…", what failed, or the end.
 *
 * `step()` loads one piece, adds it to the page and tells whether there is more. Without `button` nothing but the page
 * itself calls `load`. How many pieces there are is kept in the address as `name`, so that who comes back finds as many.
 */
export class More {
  #busy = null;

  constructor(visit, step, { button = null, end = () => null, name = null } = {}) {
    Object.assign(this, { visit, step, button, end, name, count: 0, done: false });
    this.element = el("div", { class: "more", role: "status" });
    this.#idle();
  }

  /** As many pieces as the address asks for, at least one. */
  first() {
    return this.load(Math.max(1, Number(this.visit.params.get(this.name)) || 1));
  }

  /** Load until there are so many pieces, or all; by default one more. It never fails: it says in the page what did. */
  load(wanted = this.count + 1) {
    if (this.done || this.visit.signal.aborted) return null;
    this.#busy ??= this.#load(wanted).finally(() => (this.#busy = null));
    return this.#busy;
  }

  async #load(wanted) {
    const { signal, keep } = this.visit;
    this.element.replaceChildren(loadingLine());
    try {
      while (this.count < wanted && !this.done) {
        const more = await this.step();
        if (signal.aborted) return;
        this.done = !more;
        this.count += 1;
      }
      this.#idle();
    } catch (error) {
      if (signal.aborted) return;
      console.warn(error);
      this.element.replaceChildren(failure(error, () => this.load(wanted)));
    }
    if (this.name && this.count > 1) keep({ [this.name]: this.count });
  }

  #idle() {
    const button = this.button && el("button", { type: "button", onclick: () => this.load() }, this.button);
    this.element.replaceChildren(...nodes(this.done ? this.end() : button));
  }
}
