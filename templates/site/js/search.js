// Search: direct ways to runs, commits and pull requests, and the index of samples and tests.

import { read, readIfThere } from "./api.js";
import { el, nothing, section } from "./dom.js";
import { categoriesOf, readIndex, sampleText, testText, wordFilter } from "./finding.js";
import { plural, shortSha } from "./format.js";
import { platformName } from "./project.js";
import { href, runHref, sampleHref, testHref } from "./router.js";
import { statusWord } from "./status.js";
import { lineText, pullRequestHref } from "./tested.js";

const MOST = 50;

export async function searchPage({ params }) {
  const q = (params.get("q") ?? "").trim();
  document.querySelector("#search input").value = q;
  if (!q) return [el("h1", {}, "Search"), el("p", {}, "By words of a test's command or category, a sample's name, hash or tag, a branch, a commit's SHA, or the number of a run, test, sample or pull request.")];
  const [index, newest] = await Promise.all([readIndex(), read("runs.json")]);
  const found = [
    ["Runs and pull requests", await direct(q)],
    ["Commits", await commits(q, newest.data)],
    ["Branches", branches(q, newest.data)],
    ["Tests", tests(q, index.tests)],
    ["Samples", samples(q, index.samples)],
  ].filter(([, items]) => items.length);
  return [el("h1", {}, `Search: ${q}`), found.length ? null : nothing("Nothing found. Of commits older than the newest hundred runs, give the full SHA."),
    ...found.map(([title, items]) => section(`${title} (${items.length})`, el("ul", { class: "items" }, items.slice(0, MOST)),
      items.length > MOST ? el("p", { class: "quiet" }, `${plural(items.length - MOST, "more")}: search for more words.`) : null))].filter(Boolean);
}

function item(target, text, more) {
  return el("li", {}, el("a", { href: target }, text), el("span", { class: "quiet clip" }, more ?? ""));
}

async function direct(q) {
  const number = /^(?:#|pr\s*#?\s*)?(\d{1,9})$/i.exec(q)?.[1];
  if (!number) return [];
  const [run, pr] = await Promise.all([readIfThere(`runs/${Number(number)}.json`), readIfThere(`runs/by-pr/${Number(number)}.json`)]);
  return [run && item(runHref(run.run_id), `Run ${run.run_id}`, `${statusWord(run.status)}, ${run.platform ? `${platformName(run.platform)}, ` : ""}${lineText(run)}`),
    pr?.data.length && item(pullRequestHref(number), `PR ${number}`, plural(pr.pagination.total, "run"))].filter(Boolean);
}

async function commits(q, runs) {
  if (!/^[0-9a-f]{4,40}$/i.test(q)) return [];
  const wanted = q.toLowerCase();
  const shas = new Set(runs.map((run) => run.commit_sha).filter((sha) => sha?.startsWith(wanted)));
  if (wanted.length === 40 && (await readIfThere(`runs/by-commit/${wanted}.json`))) shas.add(wanted);
  return [...shas].map((sha) => item(href([], { commit: sha }), shortSha(sha), runs.filter((run) => run.commit_sha === sha).slice(0, 1).map(lineText).join()));
}

function branches(q, runs) {
  const names = new Set(runs.filter((run) => run.pr_number === null).map((run) => run.branch).filter((name) => name?.toLowerCase().includes(q.toLowerCase())));
  return [...names].sort().map((name) => item(href([], { branch: name }), name));
}

function tests(q, all) {
  const fits = wordFilter(q);
  return all.filter((one) => fits(testText(one))).map((one) => item(testHref(one.regression_test_id), `#${one.regression_test_id} ${one.sample_name ?? ""}`, one.command));
}

function samples(q, all) {
  const fits = wordFilter(q);
  const hash = q.toLowerCase();
  return all.filter((one) => fits(sampleText(one)) || (hash.length > 12 && one.sha && hash.startsWith(one.sha)))
    .map((one) => item(sampleHref(one.sample_id), one.name ?? `Sample ${one.sample_id}`, [...one.tags, ...categoriesOf(one)].join(", ")));
}
