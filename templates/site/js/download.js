// Everything to take home: the files of the newest snapshot, and how to keep a copy of the API.

import { API, follow, readIfThere } from "./api.js";
import { codeBlock, el, nothing, section, table } from "./dom.js";
import { plural, sizeText, time } from "./format.js";

const INDEX = "snapshots.json";
const KINDS = [["README.txt", "what the files and their columns mean"], ["SHA256SUMS", "a checksum of each file"], [".ndjson.gz", "a JSON object a line"], [".parquet", "Parquet"], [".sqlite.gz", "all tables, for SQLite"]];

export async function downloadPage() {
  const [newest, ...older] = (await readIfThere(INDEX))?.snapshots ?? [];
  return [
    el("h1", {}, "Download"),
    section("Everything, in files", newest ? snapshot(newest) : nothing("No snapshot is published here."),
      older.length ? el("p", { class: "quiet" }, `${plural(older.length, "older snapshot")} in `, el("a", { href: new URL(INDEX, API).href }, `v1/${INDEX}`), ".") : null),
    section("A copy that stays up to date", el("p", {}, "All documents, and later those that have changed; by the exporter's own command:"), codeBlock(`exporter mirror ${API.href} copy`, "Command")),
  ];
}

function snapshot(one) {
  const holds = ({ name, rows }) => [KINDS.find(([end]) => name.endsWith(end))?.[1], rows === null ? null : plural(rows, "row")].filter(Boolean).join(", ");
  return [el("p", {}, "Of ", time(one.created_at), `: ${plural(one.counts.runs, "run")}, ${plural(one.counts.results, "result")}.`),
    table("Files", ["File", "Holds", "Size"], one.files.map((file) => [
      el("a", { href: new URL(follow(INDEX, file.href), API).href, download: true }, file.name), holds(file), el("span", { class: "number" }, sizeText(file.bytes))]), { class: "stacked files" })];
}
