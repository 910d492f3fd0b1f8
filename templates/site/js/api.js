// The static API: documents by their path below `v1/`, and the links between them.

export const API = new URL("v1/", document.baseURI);

/** A document that is not published. */
export class NotPublished extends Error {}

/** A page of a list to which another page led, and which is gone: there is a newer list. */
export class Outdated extends Error {}

const documents = new Map();

/** Read a document, once; raises NotPublished if there is none. */
export function read(path) {
  if (!documents.has(path)) {
    const reading = fetchJson(path);
    documents.set(path, reading);
    reading.catch(() => documents.delete(path));
  }
  return documents.get(path);
}

/** Read a document that may not exist; null then. */
export async function readIfThere(path) {
  try {
    return await read(path);
  } catch (error) {
    if (error instanceof NotPublished) return null;
    throw error;
  }
}

const PATIENCE_MS = 60_000;

/** Every error is one whose message can be shown as it is. */
async function fetchJson(path, options) {
  const url = new URL(path, API);
  // A link in a document could lead anywhere; we only ever read the API.
  if (!url.href.startsWith(API.href)) throw new NotPublished(path);
  const name = `v1/${path}`;
  let response;
  try {
    response = await fetch(url, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch (error) {
    throw new Error(error.name === "TimeoutError" ? `The server has not sent ${name} within a minute.` : "The server could not be reached. Is there a connection?", { cause: error });
  }
  if (!response.ok) response.text().catch(() => null); // unread, it would keep its connection
  if (response.status === 404 || response.status === 403) throw new NotPublished(`${name} is not published.`);
  if (!response.ok) throw new Error(`The server failed to send ${name} (status ${response.status}).`);
  try {
    return await response.json();
  } catch (error) {
    throw new Error(`${name} did not arrive whole.`, { cause: error });
  }
}

let manifest = null;

/** The manifest as it is now, whatever the browser keeps. */
export function readManifest() {
  manifest = fetchJson("manifest.json", { cache: "no-cache" });
  return manifest;
}

/** The manifest as it was read last. */
export function lastManifest() {
  return manifest ?? readManifest();
}

/** Forget what was read: there is something newer. */
export function forget() {
  documents.clear();
}

/** The path that a link in the document at `path` leads to. */
export function follow(path, href) {
  return new URL(href, new URL(path, API)).href.slice(API.href.length);
}

/** A walk through a list, page by page from its first. A step that fails can be tried again. */
export class Walk {
  #path;
  #begun = false;

  constructor(path) {
    this.#path = path;
  }

  get done() {
    return this.#path === null;
  }

  /** The page that comes next. */
  get path() {
    return this.#path;
  }

  /** The next page, as `{path, document}`. */
  async next() {
    const path = this.#path;
    let document;
    try {
      document = await read(path);
    } catch (error) {
      if (!this.#begun || !(error instanceof NotPublished)) throw error;
      throw new Outdated("An older part of this list is no longer where it was: the data has changed meanwhile.", { cause: error });
    }
    this.#begun = true;
    this.#path = document.pagination.next && follow(path, document.pagination.next);
    return { path, document };
  }
}

/** All items of a list. */
export async function readAll(path) {
  const items = [];
  for (const walk = new Walk(path); !walk.done; ) items.push(...(await walk.next()).document.data);
  return items;
}

const PLAIN = /^(?!\.)(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[a-z0-9._-]{0,79}[a-z0-9_-]$/;

/** The list of the runs with one value of a facet; null if there is none. */
export async function facetList(facet, value) {
  if (PLAIN.test(value) && !value.endsWith(".json")) return `runs/by-${facet}/${value}.json`;
  if (facet === "commit" || facet === "pr") return null;
  for (const walk = new Walk(`runs/by-${facet}.json`); !walk.done; ) {
    const { path, document } = await walk.next();
    const found = document.data.find((item) => item.value === value);
    if (found) return follow(path, found.href);
  }
  return null;
}
