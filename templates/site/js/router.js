// Where in the site one is: `#/runs/12?view=log`. It works on any static host, under any prefix, without a server's help.

/** The place that the address names. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { parts: path.split("/").filter(Boolean).map(decode), params: new URLSearchParams(query) };
}

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a place; parameters that are empty are left out. */
export function href(parts, params = {}) {
  const known = Object.entries(params).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const query = new URLSearchParams(known).toString();
  return `#/${parts.map(encodeURIComponent).join("/")}${query && `?${query}`}`;
}

const ONE_CHANGE_MS = 1500;

/** A reader's stay at one place. Once it is left, nothing that was begun there touches the address any more. */
export class Visit {
  #leaving = new AbortController();
  #changed = { names: "", at: -Infinity };

  constructor() {
    Object.assign(this, place());
    this.signal = this.#leaving.signal;
  }

  leave() {
    this.#leaving.abort();
  }

  /** Keep parameters in the address; those that are empty leave it, others stay. */
  keep = (params) => this.#write(params, "replaceState");

  /** As `keep`, but Back undoes it. A word that is being typed is one change. */
  change = (params) => {
    const names = Object.keys(params).join();
    const goesOn = names === this.#changed.names && performance.now() - this.#changed.at < ONE_CHANGE_MS;
    if (this.#write(params, goesOn ? "replaceState" : "pushState")) this.#changed = { names, at: performance.now() };
  };

  #write(params, how) {
    if (this.signal.aborted) return false;
    const now = place();
    const address = href(now.parts, { ...Object.fromEntries(now.params), ...params });
    if (address === href(now.parts, Object.fromEntries(now.params))) return false;
    history[how](how === "pushState" ? newEntry() : history.state, "", address);
    return true;
  }
}

const STORED = "scroll";
history.scrollRestoration = "manual"; // the browser would scroll before there is anything to scroll to
const scrolls = new Map(stored());
let following = false;

function stored() {
  try {
    return JSON.parse(sessionStorage.getItem(STORED)) ?? [];
  } catch {
    return []; // the reader forbids it
  }
}

function newEntry() {
  return { entry: `${Date.now()} ${Math.random()}` };
}

/** Stop remembering how far the page is scrolled; gives how far it was when the reader was here before, or null. */
export function scrollBefore() {
  following = false;
  if (!history.state?.entry) history.replaceState(newEntry(), "");
  return scrolls.get(history.state.entry) ?? null;
}

/** Remember from now on how far the page is scrolled. */
export function followScroll() {
  following = true;
}

addEventListener("scroll", () => following && scrolls.set(history.state?.entry, scrollY), { passive: true });
addEventListener("pagehide", () => {
  try {
    sessionStorage.setItem(STORED, JSON.stringify([...scrolls].slice(-100)));
  } catch {
    // the reader forbids it: a reloaded page begins at its top
  }
});

export const runHref = (id, params) => href(["runs", id], params);
export const resultHref = (run, test) => href(["runs", run, "results", test]);
export const sampleHref = (id) => href(["samples", id]);
export const testHref = (id) => href(["tests", id]);
