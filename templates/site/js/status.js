// What statuses look like: a colour, a shape and a word each, so that none of the three is needed alone.

import { el, svg } from "./dom.js";
import { plural } from "./format.js";
import { platformName } from "./project.js";

const SHAPES = {
  pass: "M3 8.5 6.5 12 13 4.5",
  fail: "M4 4l8 8M12 4l-8 8",
  missing_output: "M3.5 8h9",
  error: "M8 3v6M8 12v.5",
  canceled: "M3.5 12.5l9-9",
  incomplete: "M5 8h.1M8 8h.1M11 8h.1",
  running: "M5.5 4v8l6-4z",
  queued: "M8 4.5V8l2.5 2",
};

const WORDS = {
  pass: "pass", fail: "fail", missing_output: "missing output", error: "error", canceled: "canceled",
  incomplete: "incomplete", running: "running", queued: "queued",
};

export const RUN_STATUSES = ["pass", "fail", "error", "canceled", "incomplete", "running", "queued"];

/** Whether a run ended with results. */
export function hasEnded({ status }) {
  return status === "pass" || status === "fail";
}

export function statusWord(status) {
  return WORDS[status] ?? (status === null ? "no result" : String(status));
}

/** The status's mark alone; `label` null hides it from screen readers, where words stand beside it. */
export function mark(status, label = statusWord(status)) {
  const attributes = label === null ? { "aria-hidden": "true" } : { role: "img", "aria-label": label };
  return svg("svg", { class: `mark s-${WORDS[status] ? status : "none"}`, viewBox: "0 0 16 16", ...attributes },
    svg("rect", { width: 16, height: 16, rx: 3 }), svg("path", { d: SHAPES[status] ?? "M8 8h.1" }));
}

/** The mark and the word. */
export function statusBadge(status) {
  return el("span", { class: "status" }, mark(status, null), statusWord(status));
}

/** What is new in a run, in a badge: what it breaks that passes on the main line; of a run there, what it newly breaks. */
export function newsBadges(run) {
  const { main, verdicts } = run.failures ?? {};
  const aside = Object.values(main ?? {}).some(Boolean); // runs of the main line are not held against it
  const count = (aside ? main.broken : verdicts?.new_regression) ?? 0;
  return [
    count ? el("strong", { class: "verdict v-new_regression" }, aside ? `breaks ${count}` : `${count} newly broken`) : null,
    run.suspect ? el("span", { class: "verdict", title: `${run.suspect.count} tests newly end alike` }, `the machine? ${CODES[run.suspect.code] ?? run.suspect.code} × ${run.suspect.count}`) : null,
  ];
}

/** A sign that the machine is at fault and not the change, in words; null without one. */
export function machineText({ suspect, platform }) {
  return suspect && el("p", { class: "box k-error" }, el("strong", {}, "Perhaps the machine: "),
    `${plural(suspect.count, "test")} newly failed with "${CODES[suspect.code] ?? suspect.code}" on ${platformName(platform)}.`);
}

export const VERDICTS = {
  new_regression: "newly broken",
  still_failing: "still failing",
  never_passed: "never passed",
  flaky: "flaky",
  no_history: "no history",
};

export function verdictBadge(verdict) {
  const flaky = verdict?.flaky_test && verdict.code !== "flaky" ? ", flaky test" : "";
  return verdict && el("span", { class: `verdict v-${verdict.code in VERDICTS ? verdict.code : "other"}` }, `${VERDICTS[verdict.code] ?? verdict.code}${flaky}`);
}

/** How failures stand to the main line. */
export const MAIN_STATES = {
  broken: "passes on the main line",
  same: "fails the same way on the main line",
  different: "fails differently on the main line",
  no_reference: "not run on the main line",
};

export const CODES = {
  SEGFAULT: "crash",
  ABORT: "abort",
  KILLED: "killed",
  TIMEOUT: "timeout",
  MISSING_OUTPUT: "missing output",
  EXIT_CODE_MISMATCH: "wrong exit code",
  OUTPUT_DIFF: "output differs",
};
