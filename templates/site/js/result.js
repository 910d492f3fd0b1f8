// The result of one test in one run.

import { NotPublished, readIfThere } from "./api.js";
import { diffView } from "./diff.js";
import { codeBlock, el, facts, nothing, section, table, whenSeen } from "./dom.js";
import { dayText, duration, time } from "./format.js";
import { runtimeChart } from "./chart.js";
import { part } from "./loading.js";
import { lineOf } from "./log.js";
import { platformName } from "./project.js";
import { resultHref, runHref, sampleHref, testHref } from "./router.js";
import { CODES, mark, statusBadge, verdictBadge } from "./status.js";
import { commandLine, commitLink, lineLink, lineText } from "./tested.js";

export async function resultPage(visit) {
  const { ids: [runId, testId] } = visit;
  const path = `runs/${runId}/samples/${testId}.json`;
  const test = () => readIfThere(`regression-tests/${testId}.json`);
  test().catch(() => null); // asked for early; the parts that need it say if it failed
  const result = await readIfThere(path);
  if (!result) return withoutDocument(runId, testId);
  const recent = async () => ((await test())?.recent[result.run.platform] ?? []).filter((entry) => entry.run_id <= runId);
  const outputs = result.outputs.map((output, place) => outputView(visit, { output, place, test, result }, path));
  return [
    heading(result),
    why(visit, result),
    section("Outputs", outputs.length ? outputs : nothing("None: only the exit code counts.")),
    section("Command", codeBlock(commandLine(result), "Command")),
    part(visit, async () => numbers(result, await recent())),
    result.log_excerpt?.length ? section("From the log", el("ol", { class: "log" }, result.log_excerpt.map(lineOf))) : null,
    section("Results before this one", part(visit, async () => previous(visit, result, await recent()))),
  ].filter(Boolean);
}

/** Whoever publishes may leave out the documents of results that passed. */
async function withoutDocument(runId, testId) {
  const run = await readIfThere(`runs/${runId}.json`);
  if (!run) throw new NotPublished(`run ${runId}`);
  return [el("h1", {}, `Test #${testId} in run ${runId}`),
    el("p", {}, "This result has no page of its own. It stands among ", el("a", { href: runHref(runId, { view: "results", q: `#${testId}` }) }, `the results of run ${runId}`),
      ", its history on the page of ", el("a", { href: testHref(testId) }, `test #${testId}`), ".")];
}

function heading(result) {
  const { run } = result;
  return el("div", { class: "head" },
    el("h1", {}, `Test #${result.regression_test_id} in run ${run.run_id}`), statusBadge(result.status), verdictBadge(result.verdict),
    result.accepted_today ? el("span", { class: "verdict" }, "accepted today") : null,
    el("p", {}, result.sample_id === null ? "unknown sample" : el("a", { href: sampleHref(result.sample_id) }, result.sample_name ?? `sample ${result.sample_id}`), " · ",
      el("a", { href: testHref(result.regression_test_id) }, "history of the test"), " · ",
      el("a", { href: runHref(run.run_id) }, `run ${run.run_id}`), ` on ${platformName(run.platform)} · `,
      lineLink(run), " · ", commitLink(run)));
}

function why(visit, { classification, verdict, run }) {
  if (!classification) return null;
  return el("div", { class: "box k-fail" }, el("p", {}, el("strong", { class: "begin" }, CODES[classification.code] ?? classification.code), ". ", classification.reason),
    verdict && el("p", { class: "quiet" }, verdictSentence(verdict, run),
      verdict.signature_changed && " It fails in another way than before.", verdict.flaky_test && verdict.code !== "flaky" && " The test is flaky, but has not failed like this.", mainSentence(verdict.main)),
    verdict && (verdict.last_pass_run ?? verdict.since_run) !== null ? part(visit, () => sinceWhen(verdict, run)) : null);
}

/** Since when it fails and when it passed last, each with the line that its run is of: the two may be of different ones. */
async function sinceWhen({ last_pass_run: passed, since_run: since }, run) {
  const told = async (id, text) => {
    const found = id !== null && id !== run.run_id && (await readIfThere(`runs/${id}.json`));
    return found ? [text, el("a", { href: runHref(id) }, `run ${id}`), " of ", lineLink(found), ", ", commitLink(found), ", ", dayText(found.completed_at ?? found.started_at), ". "] : null;
  };
  return el("p", { class: "quiet" }, await Promise.all([told(since, "It has failed since "), told(passed, "It last passed in ")]));
}

/** How a failure stands to the main line. */
function mainSentence(main) {
  if (!main) return null;
  const at = (id) => el("a", { href: runHref(id) }, `run ${id}`);
  const worse = main.worse ? " It is graver than the failure before." : "";
  if (main.state === "no_reference") return [" The main line has no result of this test.", worse];
  if (main.same_failure_run_id !== null) return [" The main line failed the same way in ", at(main.same_failure_run_id), " and passes in ", at(main.run_id), ": the base is old, rebase.", worse];
  const text = { broken: " It passes on the main line, in ", same: " It fails in the same way on the main line, in ", different: " It fails in another way on the main line, in " }[main.state];
  return text ? [text, at(main.run_id), ".", worse] : null;
}

function verdictSentence({ code, line }, run) {
  const where = { own: run.pr_number === null ? "on this branch" : "in this pull request", main: "on the main line" }[line] ?? "";
  return { new_regression: `It passed ${where} before.`, still_failing: `It failed ${where} before this run, too.`, never_passed: `It has never passed ${where}.`,
    flaky: `It changes again and again ${where}: this may be chance.`, no_history: "There is no earlier result to compare with." }[code] ?? "";
}

function numbers(result, recent) {
  const times = recent.filter((entry) => entry.run_id !== result.run.run_id && entry.runtime_ms !== null).map((entry) => entry.runtime_ms).sort((a, b) => a - b);
  const median = times.length ? times[Math.floor(times.length / 2)] : null;
  const expected = result.exit_code === result.expected_rc ? `${result.exit_code}, as expected` : `${result.exit_code ?? "none"}, expected ${result.expected_rc ?? "none"}`;
  return facts([["Exit code", expected], ["Runtime", duration(result.runtime_ms)], [`Median of ${times.length} before`, median === null ? null : duration(median)], ["Categories", result.categories.join(", ")]]);
}

const AT_ONCE = 2; // differences; the others are loaded when they are seen
const MATCHES = { exact: "as expected", variant: "an accepted variant", different: "differs", missing: "was not written" };

/** An output, by the name of its file where the test's document tells it. */
function outputView(visit, { output, place, test, result }, path) {
  const body = el("div", {});
  const name = el("span", {}, `Output ${output.output_id}`);
  const state = `${MATCHES[output.match] ?? output.match}${output.accepted_today ? ", but is what is expected today" : ""}`;
  const hashes = el("dl", { class: "hashes" }, [["expected", output.expected_hash], ["written", output.got_hash]].map(([term, hash]) => hash && el("div", {}, el("dt", {}, term), el("dd", {}, el("code", { class: "clip", title: hash }, hash)))));
  const element = el("article", { class: "output" }, el("h3", {}, mark(output.status, null), " ", name, " ", state), lastWritten(output, result), body, hashes);
  test().then((found) => {
    const expected = found?.outputs.find((one) => one.id === output.output_id);
    if (expected?.expected_filename) name.replaceChildren(el("code", {}, expected.expected_filename));
  }, () => null);
  const fill = () => body.replaceChildren(part(visit, () => diffView(visit, path, output.diff)));
  if (output.diff && place < AT_ONCE) fill();
  else if (output.diff) whenSeen(element, once(fill), visit.signal);
  return element;
}

/** Where an output that is missing was written: whatever passes has written all. */
function lastWritten({ match, diff }, { regression_test_id: id, verdict }) {
  const passed = verdict?.last_pass_run ?? null;
  if (match !== "missing" || (diff && passed === null)) return null;
  return el("p", {}, diff ? null : "What was expected is not published. ",
    passed !== null ? ["The run that passed last wrote it: ", el("a", { href: resultHref(passed, id) }, `run ${passed}`), "."] : null);
}

function once(callback) {
  let called = false;
  return () => {
    if (!called) callback();
    called = true;
  };
}

function previous(visit, result, recent) {
  const before = recent.filter((entry) => entry.run_id !== result.run.run_id);
  if (!before.length) return earlier(result);
  const chart = recent.some((entry) => entry.runtime_ms !== null) ? runtimeChart(visit, [{ platform: result.run.platform, entries: recent }], "Runtime of this test until this run") : null;
  return [chart, table("Earlier results on this platform", ["Run", "Status", "Of", "Commit", "When", "Runtime"], before.slice(0, 15).map((entry) => [
    el("a", { href: resultHref(entry.run_id, result.regression_test_id) }, String(entry.run_id)), statusBadge(entry.status), el("span", { class: "clip", title: entry.branch }, lineText(entry)), el("span", { class: "sha", title: entry.commit_sha }, entry.commit_sha?.slice(0, 8) ?? ""), time(entry.tested_at, { ago: true }), el("span", { class: "number" }, duration(entry.runtime_ms))]), { class: "stacked" })];
}

/** The test's document tells its newest results alone: of those before an old run, the run knows one. */
function earlier({ previous: one, regression_test_id: id }) {
  if (!one) return nothing("There are none that recent; see the history of the test.");
  return el("p", {}, statusBadge(one.status), " in ", el("a", { href: resultHref(one.run_id, id) }, `run ${one.run_id}`), "; those before it are in ", el("a", { href: testHref(id) }, "the history of the test"), ".");
}
