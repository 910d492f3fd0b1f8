// A sample: what it is, which tests run on it, and how they went.

import { follow, read } from "./api.js";
import { el, facts, nothing, section, table } from "./dom.js";
import { time } from "./format.js";
import { historyView } from "./history.js";
import { part } from "./loading.js";
import { PLATFORMS } from "./project.js";
import { href, testHref } from "./router.js";
import { statusBadge } from "./status.js";

export async function samplePage(visit) {
  const { ids: [id] } = visit;
  const path = `samples/${id}.json`;
  const sample = await read(path);
  const tests = sample.regression_tests.map((test) => ({ id: test.regression_test_id, label: test.command ?? "" }));
  const { upload } = sample;
  return [
    el("div", { class: "head" }, el("h1", {}, sample.original_name ?? `Sample ${id}`), sample.active ? null : el("span", { class: "verdict" }, "inactive"),
      el("p", {}, sample.tags.map((tag) => [el("a", { class: "tag", href: href(["samples"], { q: tag }) }, tag), " "]))),
    facts([["Number", String(id)], ["Extension", sample.extension], ["SHA-256", sample.sha && el("code", { class: "clip" }, sample.sha)],
      ["From", upload?.platform], ["Uploaded with", upload?.parameters && el("code", {}, upload.parameters)], ["For version", upload?.version], ["Notes", upload?.notes]]),
    section("Tests", tests.length ? table("Tests on this sample", ["Test", "Command", ...["Linux", "Windows"]], sample.regression_tests.map((test) => [
      el("a", { href: testHref(test.regression_test_id) }, `#${test.regression_test_id}`), el("code", {}, test.command ?? ""),
      ...PLATFORMS.map((platform) => (test.newest[platform] ? statusBadge(test.newest[platform]) : el("span", { class: "quiet" }, "—")))]), { class: "stacked" }) : nothing("No test uses it.")),
    section("History", part(visit, () => historyView(visit, follow(path, sample.links.history), tests))),
    sample.issues.length ? section("Issues", el("ul", { class: "plain" }, sample.issues.map((issue) => el("li", {}, issue.issue_id === null ? "" : `#${issue.issue_id} `, issue.title ?? "", " ", el("span", { class: "quiet" }, issue.status ?? "", " ", time(issue.created_at)))))) : null,
    sample.extra_files.length ? section("Extra files", el("ul", { class: "plain" }, sample.extra_files.map((file) => el("li", {}, `${file.original_name ?? file.id}${file.extension ? `.${file.extension}` : ""}`)))) : null,
    el("p", { class: "quiet" }, "Data: ", el("a", { href: `v1/${path}` }, `v1/${path}`)),
  ].filter(Boolean);
}
