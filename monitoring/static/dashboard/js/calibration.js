// Whether confidence is earned: the reliability curve, and how many answers each point rests on.

import { element } from "./elements.js";
import { percent, rate, whole } from "./numbers.js";
import { bodyOf, empty, show, svg, table } from "./panels.js";

const WIDTH = 420;
const HEIGHT = 300;
const LEFT = 44;
const TOP = 10;
const BOTTOM = 250;
const COUNTS = 34;
const RIGHT = WIDTH - 12;
const TICKS = [0, 0.25, 0.5, 0.75, 1];
const COLUMNS = [["Confidence", true], ["Right", true], ["95 % interval", true], ["Answers", true]];

const across = (value) => LEFT + value * (RIGHT - LEFT);
const up = (value) => BOTTOM - COUNTS - value * (BOTTOM - COUNTS - TOP);

export function showCalibration(quality) {
  const place = bodyOf("model-calibration");
  const found = quality.calibration;
  if (!found || !found.points.length) {
    const n = found?.n ?? 0;
    show(place, empty(n ? "Too few labels" : "No labels", n
      ? `Only ${whole(n)} labelled predictions are in this time.`
      : "The curve needs labels of this time that are no corrections by users."));
    return;
  }
  show(place, facts(found), curve(found.points), numbers(found.points));
}

function facts({ n, error, brier, temperature }) {
  if (!error) return element("p", {}, `${whole(n)} labelled answers: too few for an error.`);
  const lean = error.gap > 0 ? "too sure" : "too modest";
  const verdict = error.p_value < 0.01 ? `more than chance makes of true probabilities (p ${error.p_value < 0.001 ? "< 0.001" : rate(error.p_value)}); on the whole ${lean}` : "no more than chance makes of true probabilities";
  const rest = [brier === null ? "" : `Brier score ${rate(brier)}`, temperature === null ? "" : `best temperature ${rate(temperature)}`].filter(Boolean).join(", ");
  return element("p", {}, element("strong", {}, `ECE ${rate(error.value)}`), ` over ${whole(n)} labelled answers: ${verdict}. ${rest}${rest ? "." : ""}`);
}

function curve(points) {
  const most = Math.max(...points.map((point) => point.n));
  const dots = points.flatMap((point) => [
    svg("line", { class: "bw-curve__bar", x1: across(point.confidence), x2: across(point.confidence), y1: up(point.low), y2: up(point.high) }),
    svg("rect", { class: "bw-curve__count", x: across(point.confidence) - 4, width: 8, y: BOTTOM - (COUNTS - 6) * point.n / most, height: (COUNTS - 6) * point.n / most }),
    titled(svg("circle", { class: "bw-curve__dot", cx: across(point.confidence), cy: up(point.accuracy), r: 4 }), point)]);
  const line = points.map((point) => `${across(point.confidence)},${up(point.accuracy)}`).join(" ");
  return svg("svg", { class: "bw-curve", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": "Reliability curve; its numbers are in the table below" },
    ...grid(), svg("line", { class: "bw-curve__true", x1: across(0), y1: up(0), x2: across(1), y2: up(1) }),
    svg("polyline", { class: "bw-curve__line", points: line }), ...dots);
}

function titled(dot, point) {
  dot.append(svg("title", {}, `confidence ${percent(point.confidence)}, right ${percent(point.accuracy)}, ${whole(point.n)} answers`));
  return dot;
}

function grid() {
  const lines = TICKS.flatMap((value) => [
    svg("line", { class: "bw-curve__grid", x1: across(0), x2: across(1), y1: up(value), y2: up(value) }),
    svg("line", { class: "bw-curve__grid", x1: across(value), x2: across(value), y1: TOP, y2: BOTTOM }),
    svg("text", { x: LEFT - 6, y: up(value) + 4, "text-anchor": "end" }, `${100 * value}`),
    svg("text", { x: across(value), y: BOTTOM + 16, "text-anchor": "middle" }, `${100 * value}`)]);
  return [...lines,
    svg("text", { x: across(0.5), y: BOTTOM + 36, "text-anchor": "middle" }, "confidence, % (bars: how many answers)"),
    svg("text", { x: -up(0.5), y: 12, "text-anchor": "middle", transform: "rotate(-90)" }, "right, %")];
}

function numbers(points) {
  const rows = points.map((point) => [percent(point.confidence), percent(point.accuracy), `${percent(point.low)} to ${percent(point.high)}`, whole(point.n)]);
  return element("details", { class: "bw-chart__details" }, element("summary", {}, "Show as table"), table("Reliability curve as a table", COLUMNS, rows));
}
