// The frame around all pages: which page to show, how fresh the data is, light or dark.

import { forget, NotPublished, readManifest } from "./api.js";
import { apiPage } from "./api-page.js";
import { comparePage } from "./compare.js";
import { el } from "./dom.js";
import { downloadPage } from "./download.js";
import { agoText, momentText, number } from "./format.js";
import { gridPage } from "./grid-page.js";
import { samplesPage, testsPage } from "./lists.js";
import { failure, loadingLine, nodes, settled } from "./loading.js";
import { overviewPage } from "./overview.js";
import { pullRequestPage } from "./pull-request.js";
import { resultPage } from "./result.js";
import { followScroll, href, scrollBefore, Visit } from "./router.js";
import { runPage } from "./run.js";
import { samplePage } from "./sample.js";
import { searchPage } from "./search.js";
import { testPage } from "./test.js";

const ID = /^-?\d+$/;
const ROUTES = [
  [[], overviewPage],
  [["grid"], gridPage],
  [["runs", ID], runPage],
  [["runs", ID, "results", ID], resultPage],
  [["pr", ID], pullRequestPage],
  [["compare"], comparePage],
  [["samples"], samplesPage],
  [["samples", ID], samplePage],
  [["tests"], testsPage],
  [["tests", ID], testPage],
  [["search"], searchPage],
  [["api"], apiPage],
  [["download"], downloadPage],
];

const main = document.getElementById("main");
let visit = null;

/** The page for a place, and the ids in its path. */
function pageFor(parts) {
  const fits = (wanted, part) => (wanted instanceof RegExp ? wanted.test(part) : wanted === part);
  const found = ROUTES.find(([wanted]) => wanted.length === parts.length && wanted.every((one, i) => fits(one, parts[i])));
  return { page: found?.[1], ids: parts.filter((_, i) => found?.[0][i] === ID).map(Number) };
}

async function show() {
  const first = !visit;
  visit?.leave();
  visit = new Visit();
  const { signal, parts } = visit;
  const scroll = scrollBefore();
  const { page, ids } = pageFor(parts);
  const root = el("div", { class: "page" }, loadingLine());
  main.replaceChildren(root);
  markNavigation(parts);
  if (!first) {
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  try {
    if (!page) throw new NotPublished(location.hash);
    await reveal(root, nodes(await page(Object.assign(visit, { ids }))), signal);
  } catch (error) {
    if (!signal.aborted) root.replaceChildren(...failed(error));
  }
  if (signal.aborted) return;
  document.title = `${root.querySelector("h1")?.textContent ?? "Overview"} · CCExtractor CI`;
  if (scroll && scrollY === 0) scrollTo(0, scroll);
  followScroll();
  document.documentElement.dataset.shown = location.hash;
}

/** Show a page from its top, as far as it is loaded: so nothing that one reads is pushed away by what comes later. */
async function reveal(root, content, signal) {
  for (const node of content) {
    await settled(node);
    if (signal.aborted) return;
    root.lastChild.replaceWith(node, loadingLine());
  }
  if (!signal.aborted) root.lastChild.remove();
}

function failed(error) {
  if (error instanceof NotPublished) {
    return [el("h1", {}, "There is nothing here"),
      el("p", {}, "The address is wrong, or what stood here is no longer published. "),
      el("p", {}, el("a", { href: href([]) }, "To the overview"))];
  }
  console.warn(error);
  return [el("h1", {}, "This did not load"), failure(error, show)];
}

function markNavigation(parts) {
  for (const link of document.querySelectorAll(".top nav a")) {
    const here = link.getAttribute("href").slice(2) === (parts[0] === "runs" ? "" : (parts[0] ?? ""));
    if (here) link.setAttribute("aria-current", parts.length > 1 ? "true" : "page");
    else link.removeAttribute("aria-current");
  }
  const field = document.querySelector("#search input");
  if (parts[0] !== "search") field.value = "";
}

const POLL_MS = 60_000;
let snapshot = null;

/** Say how fresh the data is; warn when it is old; offer what is new. */
async function checkFreshness() {
  const fresh = document.getElementById("fresh");
  const notices = document.getElementById("notices");
  let manifest;
  try {
    manifest = await readManifest();
  } catch (error) {
    const unpublished = error instanceof NotPublished;
    if (snapshot === null) notices.replaceChildren(notice(unpublished ? "Nothing has been published here yet." : "It cannot be asked just now how fresh this data is."));
    return;
  }
  fresh.textContent = agoText(manifest.generated_at);
  fresh.title = `Last change published ${momentText(manifest.generated_at)} (${manifest.generated_at}); ${number(manifest.counts.runs)} runs`;
  const age = (Date.now() - Date.parse(manifest.generated_at)) / 1000;
  const isNew = snapshot !== null && snapshot !== manifest.snapshot;
  if (isNew) notices.replaceChildren(notice("New results were published.", el("button", { type: "button", onclick: refresh }, "Show them")));
  else if (age > Number(document.body.dataset.staleAfter)) {
    const text = `This data may be out of date: the last change was published ${agoText(manifest.generated_at)}. Either nothing was tested since, or the export has stopped.`;
    notices.replaceChildren(notice(text));
    notices.firstChild.classList.add("stale");
  } else notices.replaceChildren();
  snapshot ??= manifest.snapshot;
}

function notice(text, ...more) {
  return el("p", { class: "notice" }, text, " ", ...more);
}

function refresh() {
  snapshot = null;
  forget();
  checkFreshness();
  show();
}
addEventListener("refresh", refresh);

/** What is cut off at its end is said whole when one points at it. */
function nameClipped({ target }) {
  const clipped = target.closest?.(".clip");
  if (clipped && !clipped.title && clipped.scrollWidth > clipped.clientWidth) clipped.title = clipped.textContent;
}

const THEMES = { auto: "Auto", light: "Light", dark: "Dark" };

function remembered(name, value) {
  try {
    if (value !== undefined) localStorage.setItem(name, value);
    return localStorage.getItem(name);
  } catch {
    return null; // the reader forbids it
  }
}

function setTheme(theme) {
  const button = document.getElementById("theme");
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  button.textContent = THEMES[theme];
  button.setAttribute("aria-label", `Colours: ${THEMES[theme].toLowerCase()}`);
  recolour();
}

function recolour() {
  dispatchEvent(new Event("themechange"));
}

function startTheme() {
  const names = Object.keys(THEMES);
  let theme = names.includes(remembered("theme")) ? remembered("theme") : "auto";
  setTheme(theme);
  document.getElementById("theme").addEventListener("click", () => {
    theme = names[(names.indexOf(theme) + 1) % names.length];
    remembered("theme", theme);
    setTheme(theme);
  });
}

document.getElementById("skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address after # is the site's own
  main.focus();
});
document.getElementById("search").addEventListener("submit", (event) => {
  event.preventDefault();
  location.hash = href(["search"], { q: new FormData(event.target).get("q").trim() });
});
addEventListener("pointerover", nameClipped, { passive: true });
addEventListener("focusin", nameClipped);
addEventListener("hashchange", show);
for (const query of ["(prefers-color-scheme: dark)", "(forced-colors: active)", "print"]) matchMedia(query).addEventListener("change", recolour);
setInterval(() => document.hidden || checkFreshness(), POLL_MS);
startTheme();
show();
checkFreshness();
