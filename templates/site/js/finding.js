// Finding by words: the index of samples and tests, the texts by which they are found, and what fits.

import { readIfThere } from "./api.js";

/** The index: samples with their tests, tests with their sample's name. */
export async function readIndex() {
  const { samples, regression_tests: tests } = (await readIfThere("search.json")) ?? { samples: [], regression_tests: [] };
  const bySample = Map.groupBy(tests, (test) => test.sample_id);
  const names = new Map(samples.map((sample) => [sample.sample_id, sample.name]));
  return {
    tests: tests.map((test) => ({ ...test, sample_name: names.get(test.sample_id) ?? null })),
    samples: samples.map((sample) => ({ ...sample, tests: bySample.get(sample.sample_id) ?? [] })),
  };
}

/** The text by which a test, or a result of it, is found. */
export function testText(one) {
  return `#${one.regression_test_id} ${one.sample_name ?? ""} ${one.command ?? ""} ${one.categories.join(" ")}`;
}

/** The text by which a sample of the index is found. */
export function sampleText(one) {
  return `${one.sample_id} ${one.name ?? ""} ${one.sha ?? ""} ${[...one.tags, ...categoriesOf(one)].join(" ")}`;
}

/** The categories of a sample's tests, each once. */
export function categoriesOf({ tests }) {
  return [...new Set(tests.flatMap((test) => test.categories))].sort((a, b) => a.localeCompare(b, "en"));
}

/** Tells of texts whether each of the words is in them. */
export function wordFilter(q) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  return (text) => words.every((word) => text.toLowerCase().includes(word));
}
