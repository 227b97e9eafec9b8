// Texts on a plane. A canvas for a thousand points; the pointer, the arrow keys and a table tell
// what each is.

import { element } from "./elements.js";
import { percent, rate } from "./numbers.js";
import { bodyOf, empty, show, table } from "./panels.js";
import { color, onThemeChange } from "./theme.js";
import { showTime } from "./time_range.js";
import { seriesName } from "./timeline.js";

const HEIGHT = 380;
const MARGIN = 16;
const NEAR = 14;
const REASONS = {
  no_version: ["No live version", "Promote a version: the map is of one version's embeddings."],
  reservoir_off: ["No sample is kept", "BELLWETHER_RESERVOIR_SIZE is 0, so no embeddings of the traffic are kept."],
  no_traffic: ["Nothing in this time", "The version has no active reference, and no sample of its traffic lies in this time."],
  no_embeddings: ["No embeddings", "The texts of this time were kept without embeddings."],
};
const COLUMNS = [["Of", false], ["Text", false], ["Predicted", false], ["Score", true], ["True", false], ["x", true], ["y", true]];

let stopFollowing = () => {};

export function showMap(found, urlOf) {
  stopFollowing();
  const place = bodyOf("model-map");
  if (!found.points.length) {
    show(place, empty(...(REASONS[found.reason] ?? REASONS.no_traffic)));
    return;
  }
  const canvas = element("canvas", { "aria-hidden": "true" });
  const told = element("div", { class: "bw-map__told", "aria-live": "polite" }, hint(found));
  const frame = element("div", { class: "bw-map__frame", tabindex: "0", role: "group",
    "aria-label": "Embedding map. Arrow keys go from point to point, Enter opens a prediction." }, canvas);
  show(place, summary(found), legend(found), frame, told, numbers(found, urlOf));
  const plot = new Plot(canvas, frame, told, found, urlOf);
  const sizes = new ResizeObserver(() => plot.draw());
  sizes.observe(frame);
  const unwatch = onThemeChange(() => showMap(found, urlOf));
  stopFollowing = () => { sizes.disconnect(); unwatch(); };
}

const labelsOf = (found) => [...new Set(found.points.map((point) => point.label))].sort();
const hint = (found) => (found.n_window ? "Point at a text to read it; a click opens the prediction." : "No sample of the traffic lies in this time: these are the reference's texts.");

function summary({ version, n_reference, n_window, explained, reference }) {
  const spans = reference === null ? "the window's own spread" : `reference ${reference}`;
  const shares = explained.map((share) => percent(share)).join(" and ");
  return element("p", { class: "bw-help" }, `Version ${version}: ${n_reference} texts of the reference, ${n_window} of the traffic. The axes are the principal components of ${spans}; they carry ${shares} of its variance.`);
}

function legend(found) {
  const kinds = [["reference", "◇ reference"], ["window", "● traffic"]].filter(([kind]) => found[`n_${kind}`])
    .map(([, text]) => element("li", {}, text));
  const labels = labelsOf(found).map((label, i) => {
    const dot = element("span", { class: "bw-map__dot" });
    dot.style.background = color(seriesName(i));
    return element("li", {}, dot, label);
  });
  return element("ul", { class: "bw-map__legend", "aria-label": "Shapes and colours" }, ...kinds, ...labels);
}

function numbers(found, urlOf) {
  const place = element("div");
  const fill = () => {
    if (place.children.length) return;
    place.append(table("Embedding map as a table", COLUMNS, found.points.map((point) => [
      point.of === "window" ? "traffic" : point.of,
      point.prediction_id ? element("a", { class: "bw-clip", href: urlOf(point.prediction_id) }, said(point)) : element("span", { class: "bw-clip" }, said(point)),
      point.label, point.score === null ? "–" : rate(point.score), point.actual ?? "–", point.x.toFixed(2), point.y.toFixed(2)])));
  };
  return element("details", { class: "bw-chart__details bw-map__table", ontoggle: fill }, element("summary", {}, "Show as table"), place);
}

const said = (point) => point.text ?? "(its text is not kept)";

class Plot {
  constructor(canvas, frame, told, found, urlOf) {
    Object.assign(this, { canvas, frame, told, urlOf, points: found.points, labels: labelsOf(found), chosen: null });
    frame.addEventListener("pointermove", (event) => this.choose(this.nearest(event), false));
    frame.addEventListener("click", (event) => this.open(this.nearest(event)));
    frame.addEventListener("keydown", (event) => this.onKey(event));
    this.order = this.points.map((_, i) => i).sort((a, b) => this.points[a].x - this.points[b].x || this.points[a].y - this.points[b].y);
    this.draw();
  }

  draw() {
    const width = this.frame.clientWidth;
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = HEIGHT * ratio;
    this.canvas.style.height = `${HEIGHT}px`;
    this.lay(width);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.colors = this.labels.map((_, i) => color(seriesName(i)));
    // Traffic over the reference: it is what is asked about.
    for (const kind of ["reference", "window"]) {
      this.points.forEach((point, i) => point.of === kind && this.dot(context, i));
    }
    if (this.chosen !== null) this.ring(context);
  }

  lay(width) {
    const spread = (name) => [Math.min(...this.points.map((p) => p[name])), Math.max(...this.points.map((p) => p[name]))];
    const place = ([low, high], length, value) => MARGIN + (high > low ? (value - low) / (high - low) : 0.5) * (length - 2 * MARGIN);
    const [xs, ys] = [spread("x"), spread("y")];
    this.places = this.points.map((p) => [place(xs, width, p.x), HEIGHT - place(ys, HEIGHT, p.y)]);
  }

  dot(context, i) {
    const [x, y] = this.places[i];
    const point = this.points[i];
    context.beginPath();
    context.strokeStyle = context.fillStyle = this.colors[this.labels.indexOf(point.label)];
    context.globalAlpha = point.of === "window" ? 0.8 : 0.55;
    if (point.of === "window") {
      context.arc(x, y, 3.5, 0, 2 * Math.PI);
      context.fill();
    } else {
      context.moveTo(x, y - 4);
      for (const [dx, dy] of [[4, 0], [0, 4], [-4, 0]]) context.lineTo(x + dx, y + dy);
      context.closePath();
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  ring(context) {
    const [x, y] = this.places[this.chosen];
    context.beginPath();
    context.strokeStyle = color("strong");
    context.lineWidth = 2;
    context.arc(x, y, 8, 0, 2 * Math.PI);
    context.stroke();
    context.lineWidth = 1;
  }

  nearest(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    let [best, least] = [null, NEAR ** 2];
    this.places.forEach(([px, py], i) => {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [i, distance];
    });
    return best;
  }

  choose(i) {
    if (i === null || i === this.chosen) return;
    this.chosen = i;
    this.frame.classList.toggle("bw-map__frame--link", Boolean(this.points[i].prediction_id));
    this.told.replaceChildren(...tell(this.points[i], this.urlOf));
    this.draw();
  }

  open(i) {
    const id = i === null ? null : this.points[i].prediction_id;
    if (id) window.location.assign(this.urlOf(id));
  }

  onKey(event) {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
    if (event.key === "Enter") this.open(this.chosen);
    if (!step) return;
    event.preventDefault();
    const at = this.chosen === null ? (step > 0 ? -1 : this.order.length) : this.order.indexOf(this.chosen);
    this.choose(this.order[Math.min(this.order.length - 1, Math.max(0, at + step))]);
  }
}

function tell(point, urlOf) {
  const truth = point.actual ? `, truly ${point.actual}` : "";
  const score = point.score === null ? "" : ` (${rate(point.score)})`;
  const when = point.at ? ` at ${showTime(Date.parse(point.at) / 1000)}` : "";
  const where = point.of === "window" ? `Traffic${when}` : "Reference";
  return [
    element("p", { class: "bw-map__text" }, said(point)),
    element("p", {}, `${where}: predicted ${point.label}${score}${truth}. `,
      point.prediction_id ? element("a", { href: urlOf(point.prediction_id) }, "Open the prediction") : null)];
}
