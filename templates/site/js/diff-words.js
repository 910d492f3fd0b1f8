// In what two outputs differ, in words.

import { number, plural } from "./format.js";

const ENCODINGS = { ascii: "ASCII", "utf-8": "UTF-8", "utf-16-le": "UTF-16 LE", "utf-16-be": "UTF-16 BE", "utf-32-le": "UTF-32 LE", "utf-32-be": "UTF-32 BE", "windows-1252": "Latin-1", mixed: "UTF-8 and Latin-1 mixed" };
const LINE_ENDS = { lf: "LF", crlf: "CR LF", cr: "CR", mixed: "mixed", none: "none" };
const NOT_COMPARED = {
  missing_expected: "There is nothing to compare: the file with the expected output is missing.",
  missing_actual: "There is nothing to compare: the file with the written output is missing.",
  too_large: "The outputs are too large to be compared.",
};

/** Sentences that say in what the outputs of a diff document differ, the most important first. */
export function inWords(document) {
  const { status, same_bytes: sameBytes, differs_in: aspects = [], expected, actual, summary } = document;
  if (NOT_COMPARED[status]) return [NOT_COMPARED[status]];
  if (sameBytes) return ["Both files hold the same bytes."];
  const words = aspects.filter((aspect) => ASPECTS[aspect]).map((aspect) => ASPECTS[aspect](expected, actual, summary));
  if (status === "identical") return [`The same text, only ${words.join("; ") || "other line ends"}.`];
  const only = aspects.length && !aspects.includes("text") ? "The same text in other bytes. " : "";
  return [...cues(summary, aspects), ...words.map((text, i) => `${i ? "" : only}${capital(text)}.`)];
}

const arrow = (from, to) => (from === to ? `${from}, in other places` : `${from} → ${to}`);

const ASPECTS = {
  encoding: (expected, actual, { reencoded_characters: characters }) =>
    `encoding: ${arrow(ENCODINGS[expected.encoding] ?? expected.encoding, ENCODINGS[actual.encoding] ?? actual.encoding)}${characters ? `, ${plural(characters, "character")}` : ""}`,
  bom: (_, actual) => `byte order mark: ${actual.bom ? "added" : "gone"}`,
  line_ends: (expected, actual) => `line ends: ${arrow(lineEnds(expected), lineEnds(actual))}`,
  final_newline: (_, actual) => `the last line's end: ${actual.final_newline ? "added" : "gone"}`,
};

/** How lines end: of mixed ends how many of each. */
function lineEnds({ line_ends: ends, line_end_counts: counts = {} }) {
  const told = Object.entries(counts).filter(([, count]) => count).map(([end, count]) => `${number(count)} ${LINE_ENDS[end]}`);
  return `${LINE_ENDS[ends]}${told.length ? ` (${told.join(", ")})` : ""}`;
}

/** What a reviewer of captions asks first; nothing unless both are captions. */
function cues(summary, aspects) {
  if (summary.cues_added === undefined || !aspects.includes("text")) return [];
  const parts = [[summary.cues_removed, "missing"], [summary.cues_added, "added"], [summary.cues_changed_text, "with other text"], [summary.cues_changed_time, "with other times"]];
  const told = parts.filter(([count]) => count).map(([count, what]) => `${plural(count, "caption")} ${what}`);
  return [told.length ? `${told.join(", ")}.` : "The captions are the same; numbers or other lines differ."];
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}

/** What is left out of a diff document, as sentences. */
export function leftOut({ summary, hunks, truncated = {} }) {
  const last = hunks.at(-1);
  const lines = (last?.omitted_removed ?? 0) + (last?.omitted_added ?? 0);
  const places = summary.changed_hunks - hunks.length;
  return [
    lines ? `Of the last place shown, ${number(last.omitted_removed)} expected and ${number(last.omitted_added)} written lines are left out.` : null,
    places > 0 ? `${plural(places, "more place")} ${places === 1 ? "is" : "are"} left out.` : null,
    truncated.comparison ? "The outputs are long: the difference may be smaller than shown." : null,
  ].filter(Boolean);
}
