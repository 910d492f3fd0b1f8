// What was tested, in words and links: commits, pull requests, branches, commands, and how far a run is.

import { el, outside } from "./dom.js";
import { number, shortSha } from "./format.js";
import { mainLine, onMainLine } from "./project.js";
import { href } from "./router.js";
import { hasEnded } from "./status.js";

const GITHUB = /^[\w.-]+\/[\w.-]+$/;
const SHA = /^[0-9a-f]{7,64}$/i;

export const pullRequestHref = (number, params) => href(["pr", number], params);

/** A commit at its host; null where that is unknown. */
function commitUrl({ repository, commit_sha: sha, github_link: link = null }) {
  if (!SHA.test(sha ?? "")) return null;
  if (GITHUB.test(repository)) return `https://github.com/${repository}/commit/${sha}`;
  return link?.endsWith(`/commit/${sha}`) ? link : null;
}

/** What two commits of the main line differ in, at its host; null where that is unknown. */
export function compareUrl(good, bad) {
  const { repository } = mainLine();
  return GITHUB.test(repository) && SHA.test(good ?? "") && SHA.test(bad ?? "") ? `https://github.com/${repository}/compare/${good}...${bad}` : null;
}

export function pullRequestUrl(pr) {
  const { repository } = mainLine();
  return GITHUB.test(repository) ? `https://github.com/${repository}/pull/${pr}` : null;
}

/** A commit, short, as a link to it. */
export function commitLink(run, text = shortSha(run.commit_sha)) {
  return el("span", { class: "sha", title: run.commit_sha }, outside(commitUrl(run), text));
}

/** The pull request, or else the branch, that a run is of. */
export function lineText({ pr_number: pr, branch }) {
  return pr === null ? (branch ?? "no branch") : `PR ${pr}`;
}

export function lineLink(run) {
  const target = run.pr_number === null ? href([], { branch: run.branch }) : pullRequestHref(run.pr_number);
  return el("a", { href: target, class: onMainLine(run) ? "main" : null }, lineText(run));
}

/** A test's command, to be copied into a shell. */
export function commandLine({ command, sample_name: name }) {
  return ["ccextractor", command, name === null ? "SAMPLE" : quoted(name)].filter(Boolean).join(" ");
}

function quoted(name) {
  const plain = name.startsWith("-") ? `./${name}` : name;
  return /^[\w./+,:@%=-]+$/.test(plain) ? plain : `'${plain.replaceAll("'", "'\\''")}'`;
}

/** How many tests a run has results of. */
export function doneCount({ summary }) {
  return summary.pass_count + summary.fail_count + summary.missing_output_count;
}

/** How a run went in a few words: what passed, failed and was not run; or how far it is, or came. */
export function tally(run) {
  const { status, summary } = run;
  const failed = summary.fail_count + summary.missing_output_count;
  const done = doneCount(run);
  const of = `${number(done)} of ${number(summary.total_samples)}`;
  if (status === "queued") return "not begun";
  if (status === "running") return `${of} so far`;
  if (!hasEnded(run)) return done ? `${of}, then it ended` : "nothing was run";
  return [`${number(summary.pass_count)} pass`, failed && `${number(failed)} fail`, summary.skipped_count && `${number(summary.skipped_count)} not run`].filter(Boolean).join(", ");
}
