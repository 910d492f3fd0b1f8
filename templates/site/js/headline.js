// What a pull request breaks, in one sentence: the rules and words of `exporter report`, which a test holds it to.

import { shortSha } from "./format.js";
import { platformName } from "./project.js";
import { hasEnded } from "./status.js";
import { doneCount } from "./tested.js";

/** How a failure stands to the main line, the gravest first. */
export const KINDS = ["broken", "flaky", "on_main", "not_on_main"];

export function kindOf({ verdict: { code, main } }) {
  const state = main?.state ?? null;
  if (state === "no_reference") return "not_on_main";
  if (state !== "broken" && !(state === null && ["new_regression", "flaky"].includes(code))) return "on_main";
  return code === "flaky" ? "flaky" : "broken";
}

/**
 * Of runs, newest first, the newest that ended with results on each platform; else the newest there. Where an earlier run of
 * the same commit has more results, as if some tests were run again, the runs down to the one with the most follow it.
 */
export function newestByPlatform(runs) {
  const byPlatform = new Map();
  for (const run of runs) byPlatform.set(run.platform, [...(byPlatform.get(run.platform) ?? []), run]);
  return [...byPlatform.entries()].sort(([a], [b]) => ((a ?? "~") < (b ?? "~") ? -1 : 1)).flatMap(([platform, there]) => {
    const ended = there.filter(hasEnded);
    const [newest] = ended.length ? ended : there;
    if (!ended.length || platform === null || newest.commit_sha === null) return [newest];
    const ofCommit = ended.filter((run) => run.commit_sha === newest.commit_sha);
    const most = Math.max(...ofCommit.map(doneCount));
    return ofCommit.slice(0, 1 + ofCommit.findIndex((run) => doneCount(run) === most));
  });
}

/**
 * The failures `[{run, failures}]` of chosen runs; of several on a platform those that are a test's newest result at the commit.
 * `statuses` is platform → test → its newest status there.
 */
export function newestFailures(reports, statuses) {
  const known = {};
  return reports.map(({ run, failures }) => {
    const { platform } = run;
    if (reports.filter((one) => one.run.platform === platform).length < 2) return { run, failures };
    const told = (known[platform] ??= new Set());
    const kept = failures.filter(({ regression_test_id: id }) => !told.has(id) && ["fail", "missing_output"].includes(statuses[platform]?.get(id)));
    for (const { regression_test_id: id } of kept) told.add(id);
    return { run, failures: kept };
  });
}

/** The tests that fail in some runs, `[{run, failures}]`: `{regression_test_id, kind, failures}`, by kind, then by test. */
export function merged(reports) {
  const found = new Map();
  for (const { run, failures } of reports) {
    for (const failure of failures) {
      const id = failure.regression_test_id;
      if (!found.has(id)) found.set(id, { regression_test_id: id, kind: KINDS.at(-1), failures: [] });
      const one = found.get(id);
      one.failures.push({ run, ...failure });
      if (KINDS.indexOf(kindOf(failure)) < KINDS.indexOf(one.kind)) one.kind = kindOf(failure);
    }
  }
  return [...found.values()].sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.regression_test_id - b.regression_test_id);
}

/** "Breaks 6 tests on Linux, 2 on Windows; 3 flaky; 11 fail on the main line too". */
export function headline(reports) {
  if (!reports.length) return "No run is published";
  const ended = reports.filter(({ run }) => hasEnded(run));
  if (!ended.length) return `No run has finished; newest: ${reports[0].run.status}`;
  const counts = new Map();
  for (const { run, failures } of ended) counts.set(platform(run), (counts.get(platform(run)) ?? 0) + failures.filter((one) => kindOf(one) === "broken").length);
  const broken = [...counts].filter(([, count]) => count);
  const first = broken.length
    ? `Breaks ${broken.map(([name, count], i) => `${count} ${i ? "" : count === 1 ? "test " : "tests "}on ${name}`).join(", ")}`
    : `Breaks nothing on ${[...counts.keys()].join(" and ")}`;
  const tests = merged(ended);
  const count = (kind) => tests.filter((one) => one.kind === kind).length;
  const fail = (some) => `${some} ${some === 1 ? "fails" : "fail"}`;
  const newest = reports.reduce((a, b) => (b.run.run_id > a.run.run_id ? b : a)).run;
  return [
    first,
    count("flaky") && `${count("flaky")} flaky`,
    count("on_main") && `${fail(count("on_main"))} on the main line too`,
    count("not_on_main") && `${fail(count("not_on_main"))}, not run on the main line`,
    ...new Set(reports.filter(({ run }) => !hasEnded(run) || run.commit_sha !== newest.commit_sha)
      .map(({ run }) => `${platform(run)} ${hasEnded(run) ? `of the earlier commit ${run.commit_sha ? shortSha(run.commit_sha) : "unknown"}` : run.status}`)),
  ].filter(Boolean).join("; ");
}

function platform(run) {
  return run.platform === null ? "an unknown platform" : platformName(run.platform);
}
