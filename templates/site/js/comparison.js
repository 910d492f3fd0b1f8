// A run against its references: what broke, what was fixed, what fails as before.

import { follow, readAll } from "./api.js";
import { el, nothing } from "./dom.js";
import { plural, shortSha } from "./format.js";
import { More } from "./loading.js";
import { resultHref, runHref, testHref } from "./router.js";
import { CODES, mark, statusWord, VERDICTS } from "./status.js";

const REFERENCES = { main: "main line", previous: "run before", other_platform: "other platform" };
const BUCKETS = [
  ["broken", "Broken here", true], ["fixed", "Fixed", true], ["failing_differently", "Still failing, but differently", true],
  ["failing_identically", "Still failing", false], ["no_reference", "Failing, with nothing to compare", false], ["not_rerun", "Not run this time", false],
];

/** `path` is the comparison's; `going` says that the run has not ended. */
export function comparisonView(visit, comparison, path) {
  const body = el("div", {});
  const all = Object.entries(REFERENCES).filter(([name]) => comparison.references[name]);
  const there = all.filter(([name]) => comparison.references[name].run);
  const known = there.length ? there : all.slice(0, 1); // it lists what fails even where there is nothing to compare with
  const inputs = known.map(([name, text]) => {
    const { run } = comparison.references[name];
    const input = el("input", { type: "radio", name: "reference", value: name, onchange: () => choose(name) });
    return el("label", {}, input, `Against the ${text}`, el("span", { class: "quiet" }, run ? `(run ${run.run_id})` : "(none)"));
  });

  function choose(name) {
    visit.change({ against: name });
    show(name);
  }

  function show(name) {
    body.replaceChildren(...against(visit, comparison, path, { ...comparison.references[name], text: REFERENCES[name] }));
  }

  const first = Math.max(0, known.findIndex(([name]) => name === visit.params.get("against")));
  inputs[first].querySelector("input").checked = true;
  show(known[first][0]);
  return [el("fieldset", { class: "tabs" }, el("legend", { class: "hidden" }, "Compare with"), inputs), body];
}

function against(visit, { run: here, going }, path, { run, text, unchanged_pass: passing, not_asked: unasked, counts, links, ...buckets }) {
  const sentence = run
    ? el("p", {}, "Against ", el("a", { href: runHref(run.run_id) }, `run ${run.run_id}`), ` of ${shortSha(run.commit_sha)}. ${plural(passing, "test")} passed in both.${unasked ? ` Not asked for here: ${plural(unasked, "failing test")}.` : ""}`)
    : el("p", {}, `There is no run of the ${text} to compare with.`);
  const shown = BUCKETS.filter(([name]) => buckets[name]?.length);
  return [sentence, ...shown.map(([name, title, open]) => bucket(visit, [here, run?.run_id], [going && name === "not_rerun" ? "Not yet run" : title, open], { results: buckets[name], count: counts?.[name], list: links?.[name] && follow(path, links[name]) })), shown.length ? null : nothing("No test went differently.")].filter(Boolean);
}

function bucket(visit, [run, reference], [title, open], { results, count, list }) {
  const items = el("ul", { class: "items" }, itemsOf(run, reference, results));
  const more = list && new More(visit, showAll, { button: `All ${count}` });
  async function showAll() {
    items.replaceChildren(...itemsOf(run, reference, await readAll(list)));
    return false;
  }
  return el("details", { open, class: "bucket" }, el("summary", {}, title, " ", el("span", { class: "count" }, String(count ?? results.length))), items, more?.element);
}

/** Of verdicts all but "still failing": under "Broken here" it would seem to contradict, under "Still failing" it is said. */
function itemsOf(run, reference, results) {
  return results.map((one) => el("li", {},
      mark(one.status ?? "none"),
      el("a", { class: "clip", href: one.href ? resultHref(run.run_id, one.regression_test_id) : testHref(one.regression_test_id) }, `#${one.regression_test_id} ${one.sample_name ?? "unknown sample"}`),
      el("span", { class: "quiet" }, [one.status !== "pass" && (CODES[one.code] ?? one.code), one.verdict !== "still_failing" && VERDICTS[one.verdict], one.reference_status && `was ${statusWord(one.reference_status)}${one.reference_run_id && one.reference_run_id !== reference ? ` in run ${one.reference_run_id}` : ""}`].filter(Boolean).join(" · "))));
}
