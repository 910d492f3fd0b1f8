// The static API: documents by their path below `v1/`, and the links between them.

export const API = new URL("v1/", document.baseURI);

/** A document that is not published. */
export class NotPublished extends Error {}

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

async function fetchJson(path, options) {
  const url = new URL(path, API);
  // A link in a document could lead anywhere; we only ever read the API.
  if (!url.href.startsWith(API.href)) throw new NotPublished(path);
  const response = await fetch(url, options);
  if (response.status === 404 || response.status === 403) throw new NotPublished(path);
  if (!response.ok) throw new Error(`The server answered ${response.status} for ${path}`);
  return response.json();
}

/** The manifest as it is now, whatever the browser keeps. */
export function readManifest() {
  return fetchJson("manifest.json", { cache: "no-cache" });
}

/** Forget what was read: there is something newer. */
export function forget() {
  documents.clear();
}

/** The path that a link in the document at `path` leads to. */
export function follow(path, href) {
  return new URL(href, new URL(path, API)).href.slice(API.href.length);
}

/** Walk a list page by page, from its first; each step gives `{path, document}`. */
export async function* pages(path) {
  while (path) {
    const document = await read(path);
    yield { path, document };
    path = document.pagination.next && follow(path, document.pagination.next);
  }
}

/** All items of a numbered list. */
export async function readAll(path) {
  const items = [];
  for await (const { document } of pages(path)) items.push(...document.data);
  return items;
}

const PLAIN = /^(?!\.)(?!(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$))[a-z0-9._-]{0,79}[a-z0-9_-]$/;

/** The list of the runs with one value of a facet; null if there is none. */
export async function facetList(facet, value) {
  if (PLAIN.test(value) && !value.endsWith(".json")) return `runs/by-${facet}/${value}.json`;
  if (facet === "commit" || facet === "pr") return null;
  const index = `runs/by-${facet}.json`;
  for await (const { path, document } of pages(index)) {
    const found = document.data.find((item) => item.value === value);
    if (found) return follow(path, found.href);
  }
  return null;
}
