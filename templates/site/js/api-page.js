// The API for those who write programs: what is where, live, and lines to copy.

import { API, read, readManifest } from "./api.js";
import { codeBlock, el, section, table } from "./dom.js";
import { number, time } from "./format.js";

const SHOWN = 4000;

export async function apiPage() {
  const manifest = await readManifest();
  const latest = manifest.latest_run_id;
  const places = [
    ["manifest.json", "where to start: what is published, since when, with which digests"],
    ["runs.json", "all runs, newest first; pagination.next links to the next page"],
    ...(latest === null ? [] : [[`runs/${latest}.json`, "a run"], [`runs/${latest}/samples.json`, "every result of it"], [`runs/${latest}/failures.json`, "those that did not pass"]]),
    ["samples.json", "all samples"], ["regression-tests.json", "all regression tests"],
    ["runs/by-branch.json", "the branches, each with a link to its runs"], ["regressions.json", "what broke and what was fixed on the main line"],
    ["search.json", "samples and tests, in few words"],
  ].filter(([path]) => path !== "regressions.json" || "regressions" in manifest.links);
  return [
    el("h1", {}, "The API"),
    el("p", {}, "All that this site shows is a tree of static JSON documents below ", el("a", { href: API.href }, el("code", {}, API.href)), ". Anybody may read it from anywhere: no key, no limit. Lists link to their next page, documents to each other; every link is relative."),
    el("p", { class: "quiet" }, `Version ${manifest.api_version}, ${number(manifest.counts.runs)} runs, ${number(manifest.counts.results)} results in ${number(manifest.counts.documents)} documents; last change published `, time(manifest.generated_at), "."),
    section("What is where", table("Documents", ["Document", "Holds", ""], places.map(([path, holds]) => [
      el("a", { href: new URL(path, API).href }, el("code", {}, path)), holds, el("button", { type: "button", onclick: (event) => example(event.target, path) }, "Show")]), { class: "stacked files" })),
    el("div", { id: "example", "aria-live": "polite" }),
    ...recipes().map(([title, text]) => section(title, codeBlock(text, title))),
  ];
}

async function example(button, path) {
  const box = document.getElementById("example");
  button.disabled = true;
  try {
    const text = JSON.stringify(path === "manifest.json" ? await readManifest() : await read(path), null, 2);
    box.replaceChildren(section(path, el("pre", { tabindex: 0, role: "region", "aria-label": path }, text.length > SHOWN ? `${text.slice(0, SHOWN)}\n…` : text)));
    box.scrollIntoView({ block: "nearest" });
  } catch (error) {
    box.replaceChildren(el("p", {}, error.message));
  }
  button.disabled = false;
}

function recipes() {
  const base = API.href;
  return [
    ["curl and jq", `curl -s ${base}runs.json | jq -r '.data[] | [.run_id, .status, .platform, .branch] | @tsv'

# What failed in the newest run of a branch
curl -s ${base}runs/by-branch/master.json | jq '.data[0].run_id'
curl -s ${base}runs/RUN/failures.json | jq -r '.data[] | [.regression_test_id, .status, .command] | @tsv'`],
    ["Python", `import json
from urllib.parse import urljoin
from urllib.request import urlopen

def walk(url):
    while url:
        page = json.load(urlopen(url))
        yield from page["data"]
        url = page["pagination"]["next"] and urljoin(url, page["pagination"]["next"])

for run in walk("${base}runs/by-branch/master.json"):
    print(run["run_id"], run["platform"], run["status"], run["summary"]["pass_count"])`],
    ["DuckDB", `SELECT run.branch, run.status, count(*)
FROM (SELECT unnest(data) AS run FROM read_json('${base}runs.json'))
GROUP BY ALL ORDER BY ALL;`],
  ];
}
