// Times, durations and names as people read them.

import { el } from "./dom.js";

const RELATIVE = new Intl.RelativeTimeFormat("en", { numeric: "auto", style: "short" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const NUMBER = new Intl.NumberFormat("en");

const UNITS = [["year", 31557600], ["month", 2629800], ["week", 604800], ["day", 86400], ["hour", 3600], ["minute", 60]];

/** How long ago a time is, in words. */
export function agoText(iso, now = Date.now()) {
  const seconds = (now - Date.parse(iso)) / 1000;
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) ?? ["minute", 60];
  return Math.abs(seconds) < 60 ? "just now" : RELATIVE.format(-Math.trunc(seconds / length), unit);
}

/** `<time>` in the reader's zone, or how long ago; UTC when one points at it. */
export function time(iso, { ago = false } = {}) {
  if (!iso) return el("span", { class: "quiet" }, "—");
  const local = MOMENT.format(new Date(iso));
  const utc = `${iso.replace("T", " ").replace("Z", "")} UTC`;
  return el("time", { datetime: iso, title: ago ? `${local} (${utc})` : utc }, ago ? agoText(iso) : local);
}

/** When a run ended, began or was queued, as ago, after `before`; nothing while none of it is known. */
export function whenOf(run, before = null) {
  const at = run.completed_at ?? run.started_at ?? run.created_at;
  return at ? [before, time(at, { ago: true })] : null;
}

export function dayText(iso) {
  return iso ? DAY.format(new Date(iso)) : "";
}

export function momentText(iso) {
  return iso ? MOMENT.format(new Date(iso)) : "at an unknown time";
}

export function number(value) {
  return value === null || value === undefined ? "—" : NUMBER.format(value);
}

/** A duration in ms as text. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "—";
  if (ms < 1000) return `${ms} ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(ms < 10_000 ? 2 : 1)} s`;
  const minutes = Math.floor(ms / 60_000);
  return minutes < 60 ? `${minutes} min ${Math.round((ms % 60_000) / 1000)} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A size in bytes as text, in the units of disks: a KB is 1,000 bytes. */
export function sizeText(bytes) {
  const [unit, size] = [["GB", 1e9], ["MB", 1e6], ["KB", 1e3]].find(([, one]) => bytes >= one) ?? ["bytes", 1];
  const value = bytes / size;
  return `${NUMBER.format(value < 10 && size > 1 ? Number(value.toFixed(1)) : Math.round(value))} ${unit}`;
}

export function plural(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
}

export function shortSha(sha) {
  return sha ? sha.slice(0, 8) : "unknown commit";
}
