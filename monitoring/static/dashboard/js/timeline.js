// A timeline, as /api/v1 gives it, as the charts that show it. Pure: numbers in, charts out.

import { compact, duration, milliseconds, percent, rate, short, whole } from "./numbers.js";

const SERIES = 6;
const FAMILIES = {
  inputs: ["Drift of inputs", "What the texts mean."],
  shape: ["Drift of the inputs' spread", "How the texts' meanings are spread."],
  outputs: ["Drift of outputs", "What the model answers."],
  hygiene: ["Drift of form", "Lengths, languages, scripts, unknown words."],
};
const EFFECT = "effect, 0.5 is none";
const NO_TRAFFIC = "Nothing was predicted in this time.";

export const seriesName = (i) => `series-${(i % SERIES) + 1}`;

// The charts before anything is known, so that their places are there.
export const SKETCHES = [
  ["traffic", "Traffic", "predictions"],
  ["latency", "Latency", "ms"],
  ["labels", "Label mix", "share of predictions"],
  ["confidence", "Confidence", "probability of the answer"],
  ["quality", "F1 by labels", "macro F1"],
  ["estimates", "Accuracy without labels", "estimated accuracy"],
].map(([id, title, unit]) => ({ id, title, unit, series: [], times: [] }));

// `versions` are all of the model's, so that each keeps its colour.
export function chartsOf(timeline, versions) {
  const order = [...versions].sort((a, b) => a - b).map(String);
  const colorOf = (version) => seriesName(Math.max(0, order.indexOf(String(version))));
  return [
    traffic(timeline, colorOf),
    latency(timeline),
    labels(timeline),
    confidence(timeline),
    quality(timeline, colorOf),
    estimates(timeline),
    ...drift(timeline),
  ];
}

const isEmpty = (values) => !values || values.every((value) => value === null);

function traffic({ times, traffic: counts, step_s }, colorOf) {
  const series = Object.entries(counts.by_version).map(([version, values]) => ({
    label: `version ${version}`, color: colorOf(version), values, fill: true }));
  if (!series.length) series.push({ label: "predictions", color: "series-1", values: counts.n, fill: true });
  series.push({ label: "failed", color: "bad", values: counts.failed, dash: [2, 3] });
  const isQuiet = [counts.n, counts.failed].every((all) => all.every((value) => !value));
  return {
    id: "traffic", title: "Traffic", unit: `predictions in ${duration(step_s)}`, times, series,
    help: "Answered by each version, and requests that failed.",
    bounds: [0, null], write: whole, tick: compact, empty: isQuiet ? NO_TRAFFIC : null,
  };
}

function latency({ times, latency_ms: found }) {
  const series = [["p50", "series-1"], ["p95", "series-5"], ["p99", "series-2"]].map(
    ([name, color]) => ({ label: name, color, values: found[name] }));
  return {
    id: "latency", title: "Latency", unit: "ms", times, series, bounds: [0, null],
    help: "Half, 95 % and 99 % of the answers were faster.",
    write: milliseconds, tick: compact, empty: isEmpty(found.p50) ? NO_TRAFFIC : null,
  };
}

function labels({ times, labels: counts }) {
  const names = Object.keys(counts);
  const totals = times.map((_, i) => names.reduce((sum, name) => sum + (counts[name][i] ?? 0), 0));
  const series = names.map((label, j) => ({
    label, color: seriesName(j), width: 1,
    values: counts[label].map((n, i) => (totals[i] ? (n ?? 0) / totals[i] : null)) }));
  return {
    id: "labels", title: "Label mix", unit: "share of predictions", times, series, isStacked: true,
    help: "What the model answered.", bounds: [0, 1], write: percent,
    tick: (value) => `${Math.round(100 * value)} %`, empty: names.length ? null : NO_TRAFFIC,
  };
}

function confidence({ times, confidence: found }) {
  return {
    id: "confidence", title: "Confidence", unit: "probability of the answer", times,
    help: "The median, and in the band four answers of five.",
    series: [{ label: "median", color: "series-1", values: found.p50, low: found.p10, high: found.p90 }],
    bounds: [0, 1], isFree: true, write: rate, tick: short, empty: isEmpty(found.p50) ? NO_TRAFFIC : null,
  };
}

function quality({ times, quality: found }, colorOf) {
  const series = Object.entries(found.by_version).filter(([, values]) => !isEmpty(values.value)).map(
    ([version, { value, low, high, n }]) => ({
      label: `version ${version}`, color: colorOf(version), values: value, low, high,
      cells: value.map((_, i) => ofLabels(value[i], low[i], high[i], n[i])) }));
  const isLabelled = series.length > 0;
  if (found.baseline) series.push(baselineOf(found.baseline, times));
  const name = found.metric === "macro_f1" ? "macro F1" : found.metric.replaceAll("_", " ");
  return {
    id: "quality", title: "F1 by labels", unit: name, times, series,
    help: "With 95 % intervals; dashed is what the reference promised.",
    bounds: [0, 1], isFree: true, write: rate, tick: short,
    empty: isLabelled ? null : "No prediction of this time has a label yet: give feedback, or label in the queue.",
  };
}

function ofLabels(value, low, high, n) {
  if (value === null) return n ? `too few (${n})` : "–";
  return low === null ? rate(value) : `${rate(value)} (${rate(low)} to ${rate(high)}), n = ${n}`;
}

function baselineOf({ version, value, low, high }, times) {
  const flat = (each) => times.map(() => each);
  const band = low === null || high === null ? {} : { low: flat(low), high: flat(high) };
  return { label: `baseline of version ${version}`, color: "series-6", dash: [8, 4], width: 1.5, values: flat(value), ...band };
}

function estimates({ times, estimates: found }) {
  const values = found?.value ?? [];
  return {
    id: "estimates", title: "Accuracy without labels", unit: "estimated accuracy", times: found ? times : [],
    badge: "estimate", bounds: [0, 1], isFree: true, write: rate, tick: short,
    help: "What confidence suggests; blind to a change of what is right.",
    series: [{ label: `estimate (${(found?.method ?? "").toUpperCase()})`, color: "series-4", dash: [6, 4],
      values, low: found?.low, high: found?.high }],
    empty: isEmpty(values) ? "No estimate in this time: it needs traffic, and a reference with labels." : null,
  };
}

// A family of detectors is a chart, each monitor a line in it.
function drift({ drift: found }) {
  const families = new Map();
  for (const one of found) families.set(one.family, [...(families.get(one.family) ?? []), one]);
  if (!families.size) return [emptyDrift()];
  return [...families].map(([family, all]) => driftChart(family, all));
}

function emptyDrift() {
  return { id: "drift-none", title: "Drift", unit: EFFECT, times: [], series: [],
    empty: "No monitor of all traffic compared this time with a reference." };
}

function driftChart(family, all) {
  const times = [...new Set(all.flatMap((one) => one.times))].sort((a, b) => a - b);
  const [title, help] = FAMILIES[family] ?? [`Drift: ${family.replaceAll("_", " ")}`, "Against the reference."];
  const series = all.map((one, i) => driftSeries(one, i, times));
  const limits = [...new Set(all.flatMap((one) => one.threshold))].filter((each) => each !== null);
  for (const limit of limits) {
    series.push({ label: `counts from ${short(limit)}`, color: "bad", dash: [4, 4], width: 1.5, values: times.map(() => limit) });
  }
  const isUnknown = all.every((one) => isEmpty(one.value));
  return {
    id: `drift-${family}`, title, unit: EFFECT, times, series, help: `${help} Dots: verdicts of drift.`,
    bounds: [0, 1], isFree: true, includes: 0.5, spanGaps: true, write: short, tick: short,
    empty: isUnknown ? "Compared, but with too few texts to say anything." : null,
  };
}

function driftSeries(one, i, times) {
  const place = new Map(times.map((at, j) => [at, j]));
  const values = times.map(() => null);
  const cells = times.map(() => null);
  const flags = times.map(() => false);
  one.times.forEach((at, j) => {
    const p = one.p_value[j] ?? null;
    const by = [one.detectors?.[j] ?? one.detector, p === null ? null : `p ${p < 0.001 ? "< 0.001" : short(p)}`];
    const verdict = one.verdict[j].toLowerCase().replaceAll("_", " ");
    values[place.get(at)] = one.value[j];
    flags[place.get(at)] = one.verdict[j] === "DRIFT";
    cells[place.get(at)] = one.value[j] === null ? verdict : `${short(one.value[j])}, ${verdict} (${by.filter(Boolean).join(", ")})`;
  });
  return { label: one.name, color: seriesName(i), values, cells, flags };
}
