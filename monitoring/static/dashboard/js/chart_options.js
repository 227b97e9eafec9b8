// How a chart of `spec` is drawn by uPlot: its columns, series, axes and bands.

import { compact } from "./numbers.js";
import { color } from "./theme.js";

export const HEIGHT = 220;
const FONT = "12px system-ui, sans-serif";
const DAY = "\n{D} {MMM}";
// Tick distance, its text, and what is added where a year, month, day, hour, minute begins.
const TICKS = [
  [365 * 86400, "{YYYY}", null, null, null, null, null, null, 1],
  [28 * 86400, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [60, "{HH}:{mm}", DAY, null, DAY, null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", DAY, null, DAY, null, null, null, 1],
];

// [[x…], [y…], …] as uPlot wants it, and what stands in each column beyond x: a series' own values,
// or one end of its band.
export function columnsOf(spec) {
  const data = [spec.times];
  const columns = [];
  const stacked = spec.isStacked ? stack(spec.series) : null;
  spec.series.forEach((series, i) => {
    if (series.low) {
      data.push(series.low, series.high);
      columns.push({ series: i, end: "low" }, { series: i, end: "high" });
    }
    data.push(stacked ? stacked[i] : series.values);
    columns.push({ series: i, end: null });
  });
  return { data, columns };
}

// Each series on top of those after it, so that the first, painted first, is the highest.
function stack(all) {
  let below = all[0]?.values.map(() => 0) ?? [];
  const sums = all.map(() => null);
  for (let i = all.length - 1; i >= 0; i -= 1) {
    below = below.map((sum, j) => (all[i].values[j] === null ? null : sum + all[i].values[j]));
    sums[i] = below;
  }
  return sums;
}

// What must be equal for a drawn chart to take new numbers as they are.
export function shapeOf(spec) {
  return JSON.stringify(spec.series.map((series) => [series.label, series.color, Boolean(series.low)]));
}

// `current` gives the spec whose numbers are shown, which changes while the chart stays.
export function optionsOf(spec, width, window, parts, current) {
  const { columns } = columnsOf(spec);
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    padding: [8, 20, 0, 0],
    ...parts,
    scales: {
      x: { time: true, range: (chart, min, max) => [min ?? window.from, max ?? window.to] },
      y: { range: (chart, min, max) => yRange(spec, min, max) },
    },
    axes: [
      axis({ values: TICKS, space: 64 }),
      axis({ values: (chart, ticks) => ticks.map(spec.tick ?? compact), size: 56, space: 36 }),
    ],
    series: [{}, ...columns.map((column) => lineOf(spec, column, current))],
    bands: bandsOf(spec, columns),
  };
}

function axis(more) {
  const line = color("line");
  return {
    stroke: color("subtle"), font: FONT, grid: { stroke: line, width: 1 },
    ticks: { stroke: line, width: 1, size: 4 }, ...more,
  };
}

function yRange(spec, min, max) {
  const [lowest, highest] = spec.bounds ?? [null, null];
  if (min === null || max === null) return [lowest ?? 0, highest ?? 1];
  const low = Math.min(min, spec.includes ?? min);
  const high = Math.max(max, spec.includes ?? max);
  const margin = (high - low || Math.abs(high) || 1) * 0.08;
  return [
    lowest !== null ? Math.max(lowest, spec.isFree ? low - margin : lowest) : low - margin,
    highest !== null ? Math.min(highest, spec.isFree ? high + margin : highest) : high + margin,
  ];
}

function lineOf(spec, column, current) {
  const series = spec.series[column.series];
  if (column.end) return { stroke: "transparent", width: 0, points: { show: false }, spanGaps: spec.spanGaps };
  const stroke = color(series.color);
  return {
    stroke,
    width: series.width ?? 2,
    dash: series.dash,
    fill: spec.isStacked ? mixed(stroke, color("raised")) : series.fill ? withAlpha(stroke, 0.12) : undefined,
    spanGaps: spec.spanGaps,
    points: { show: true, size: 6, width: 1, fill: stroke, filter: (chart, i) => pointed(chart, i, current().series[column.series].flags) },
  };
}

// A line needs two neighbours; what has none is a point, and so is what is flagged.
function pointed(chart, column, flags) {
  const values = chart.data[column];
  const [from, to] = chart.series[0].idxs ?? [0, values.length - 1];
  const found = [];
  for (let i = from; i <= to; i += 1) {
    const isAlone = chart.series[column].spanGaps
      ? values.length < 2
      : (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null;
    if ((values[i] ?? null) !== null && (isAlone || flags?.[i])) found.push(i);
  }
  return found;
}

function bandsOf(spec, columns) {
  const bands = [];
  columns.forEach((column, i) => {
    if (column.end !== "low") return;
    const stroke = color(spec.series[column.series].color);
    bands.push({ series: [i + 2, i + 1], fill: withAlpha(stroke, 0.18) });
  });
  return bands;
}

// Intervals of points that stand alone have no band: they get a bar.
export function drawBars(chart, spec) {
  const { data, columns } = columnsOf(spec);
  const context = chart.ctx;
  context.save();
  columns.forEach((column, i) => {
    if (column.end !== "low" || !chart.series[i + 3]?.show) return;
    const [low, high] = [data[i + 1], data[i + 2]];
    context.strokeStyle = withAlpha(color(spec.series[column.series].color), 0.7);
    context.lineWidth = 1.5 * devicePixelRatio;
    for (let j = 0; j < low.length; j += 1) {
      const isAlone = (low[j - 1] ?? null) === null && (low[j + 1] ?? null) === null;
      if (low[j] === null || high[j] === null || !isAlone) continue;
      const x = chart.valToPos(data[0][j], "x", true);
      if (x < chart.bbox.left || x > chart.bbox.left + chart.bbox.width) continue;
      context.beginPath();
      context.moveTo(x, chart.valToPos(low[j], "y", true));
      context.lineTo(x, chart.valToPos(high[j], "y", true));
      context.stroke();
    }
  });
  context.restore();
}

// Areas that lie on each other must hide each other: paler, but not transparent.
function mixed(hex, ground) {
  const [front, back] = [hex, ground].map((each) => each.replace(/^#(.)(.)(.)$/, "#$1$1$2$2$3$3"));
  const parts = [1, 3, 5].map((i) => {
    const [a, b] = [front, back].map((each) => parseInt(each.slice(i, i + 2), 16));
    return Math.round(0.55 * a + 0.45 * b).toString(16).padStart(2, "0");
  });
  return `#${parts.join("")}`;
}

export function withAlpha(hex, alpha) {
  const byte = Math.round(alpha * 255).toString(16).padStart(2, "0");
  return /^#[0-9a-f]{6}$/i.test(hex) ? `${hex}${byte}` : hex;
}
