// One chart in its card: title, unit, legend with the values under the cursor, a table of the
// numbers, and what is said while there is none.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { HEIGHT, columnsOf, drawBars, optionsOf, shapeOf } from "./chart_options.js";
import { element } from "./elements.js";
import { MarkLayer } from "./marks.js";
import { compact } from "./numbers.js";
import { color } from "./theme.js";
import { showTime } from "./time_range.js";

const CURSOR = "model";
const LEAST_DRAG = 5;

export class Chart {
  // `act` holds zoom(from, to) and reset().
  constructor(spec, act) {
    this.act = act;
    this.hidden = new Set();
    this.marks = new MarkLayer();
    this.unit = element("span", { class: "bw-subtle" });
    this.badge = element("span", { class: "bw-badge bw-badge--info", hidden: true });
    this.legend = element("div", { class: "bw-legend" });
    this.place = element("div", { class: "bw-chart__place", role: "group" });
    this.told = element("div", { class: "bw-chart__told" });
    this.table = element("div", { class: "bw-scroll bw-chart__table", tabindex: "0", role: "region" });
    this.details = element("details", { class: "bw-chart__details", ontoggle: () => this.fillTable() },
      element("summary", {}, "Show as table"), this.table);
    this.title = element("h3", { id: `chart-${spec.id}` });
    this.help = element("p", { class: "bw-help" });
    this.root = element("section", { class: "bw-card bw-chart", "data-chart": spec.id, "aria-labelledby": `chart-${spec.id}` },
      element("div", { class: "bw-card__head" }, element("div", { class: "bw-chart__title" }, this.title, this.badge), this.unit),
      this.help, this.legend, this.place, this.told, this.details);
    this.sizes = new ResizeObserver(() => this.fit());
    this.sizes.observe(this.place);
    this.name(spec);
    this.say(element("p", { class: "bw-subtle bw-chart__wait" }, "Loading…"));
  }

  name(spec) {
    this.title.textContent = spec.title;
    this.unit.textContent = spec.unit;
    this.help.textContent = spec.help ?? "";
    this.badge.textContent = spec.badge ?? "";
    this.badge.hidden = !spec.badge;
    this.place.setAttribute("aria-label", `${spec.title}, ${spec.unit}: chart; its numbers are in the table below`);
    this.table.setAttribute("aria-label", `${spec.title} as a table`);
  }

  show(spec, window, marks) {
    this.name(spec);
    this.spec = spec;
    this.window = window;
    this.shownMarks = marks;
    this.root.setAttribute("aria-busy", "false");
    const hasNumbers = spec.series.some((series) => series.values.some((value) => value !== null));
    if (!hasNumbers || spec.empty) {
      this.drop();
      this.say(element("p", { class: "bw-chart__empty" }, spec.empty ?? "Nothing in this time."));
      return;
    }
    this.say();
    if (this.chart && this.shape === shapeOf(spec)) this.update();
    else this.draw();
    this.fillTable();
  }

  // Nothing could be read: say so, with a way to try again.
  fail(message, retry) {
    this.root.setAttribute("aria-busy", "false");
    this.drop();
    this.say(
      element("p", { class: "bw-note bw-note--bad", role: "alert" }, message),
      element("button", { class: "bw-button", type: "button", onclick: retry }, "Try again"),
    );
  }

  wait() {
    this.root.setAttribute("aria-busy", "true");
  }

  // Before the numbers are there, the axis can follow already.
  aim(window) {
    this.window = window;
    this.chart?.setScale("x", { min: window.from, max: window.to });
    this.root.dataset.from = Math.round(window.from);
    this.root.dataset.to = Math.round(window.to);
  }

  say(...nodes) {
    this.told.replaceChildren(...nodes);
    const isDrawn = nodes.length === 0;
    this.place.hidden = !isDrawn;
    this.legend.hidden = !isDrawn;
    this.details.hidden = !isDrawn;
  }

  update() {
    const { chart, spec, window } = this;
    chart.batch(() => {
      chart.setData(columnsOf(spec).data, false);
      this.aim(window);
    });
    this.marks.show(this.shownMarks, chart);
    this.showValues(chart.cursor.idx);
  }

  draw() {
    this.drop();
    const { data, columns } = columnsOf(this.spec);
    const options = optionsOf(this.spec, this.width(), this.window, this.hooks(), () => this.spec);
    this.columns = columns;
    this.shape = shapeOf(this.spec);
    this.chart = new uPlot(options, data, this.place);
    this.aim(this.window);
    this.makeLegend();
    for (const label of this.hidden) this.toggle(label, false);
    this.marks.show(this.shownMarks, this.chart);
  }

  hooks() {
    return {
      cursor: {
        drag: { x: true, y: false, setScale: false },
        // The place is shared, what is dragged is not: every chart follows the address.
        sync: { key: CURSOR, scales: ["x", null], filters: { pub: (type) => !/mousedown|mouseup|dblclick/.test(type) } },
        bind: { dblclick: () => () => { this.act.reset(); return null; } },
        points: { size: 7 },
        y: false,
      },
      hooks: {
        setCursor: [(chart) => this.showValues(chart.cursor.idx)],
        setScale: [(chart, key) => key === "x" && chart.status && this.marks.place(chart)],
        setSize: [(chart) => this.marks.place(chart)],
        draw: [(chart) => drawBars(chart, this.spec)],
        setSelect: [(chart) => this.dragged(chart)],
      },
    };
  }

  dragged(chart) {
    const { left, width } = chart.select;
    if (width < LEAST_DRAG) return;
    const [from, to] = [left, left + width].map((x) => chart.posToVal(x, "x"));
    chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.act.zoom(from, to);
  }

  makeLegend() {
    this.at = element("span", { class: "bw-legend__at" });
    this.values = this.spec.series.map(() => element("span", { class: "bw-legend__value" }));
    const buttons = this.spec.series.map((series, i) =>
      element("button", {
        type: "button", class: "bw-legend__item", "aria-pressed": "true", title: "Show or hide",
        onclick: () => this.toggle(series.label),
      }, swatch(series), element("span", {}, series.label), this.values[i]));
    this.legend.replaceChildren(...buttons, this.at);
  }

  toggle(label, isShown = this.hidden.has(label)) {
    if (isShown) this.hidden.delete(label);
    else this.hidden.add(label);
    const place = this.spec.series.findIndex((series) => series.label === label);
    if (place < 0 || !this.chart) return;
    this.columns.forEach((column, i) => {
      if (column.series === place) this.chart.setSeries(i + 1, { show: isShown });
    });
    this.legend.children[place].setAttribute("aria-pressed", String(isShown));
  }

  showValues(i) {
    if (!this.at) return;
    const isThere = i !== null && i !== undefined && this.spec.times[i] !== undefined;
    this.at.textContent = isThere ? showTime(this.spec.times[i]) : "";
    this.spec.series.forEach((series, j) => {
      this.values[j].textContent = isThere ? cellOf(this.spec, series, i) : "";
    });
  }

  fillTable() {
    if (!this.details.open || !this.spec) return;
    const { spec } = this;
    const head = element("tr", {}, element("th", { scope: "col" }, "Time"),
      ...spec.series.map((series) => element("th", { scope: "col", class: "bw-number" }, series.label)));
    const rows = [];
    spec.times.forEach((at, i) => {
      if (spec.series.every((series) => series.values[i] === null)) return;
      rows.push(element("tr", {}, element("th", { scope: "row" }, showTime(at)),
        ...spec.series.map((series) => element("td", { class: "bw-number" }, cellOf(spec, series, i)))));
    });
    this.table.replaceChildren(element("table", { class: "bw-table" },
      element("caption", { class: "bw-sr" }, `${spec.title}, ${spec.unit}`),
      element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  width() {
    return Math.max(200, Math.floor(this.place.clientWidth || this.root.clientWidth - 34));
  }

  fit() {
    if (this.chart && this.width() !== this.chart.width) this.chart.setSize({ width: this.width(), height: HEIGHT });
  }

  repaint() {
    if (this.chart) this.draw();
  }

  drop() {
    this.chart?.destroy();
    this.chart = null;
  }

  remove() {
    this.sizes.disconnect();
    this.drop();
    this.root.remove();
  }
}

function swatch(series) {
  const line = element("span", { class: series.dash ? "bw-swatch bw-swatch--dashed" : "bw-swatch" });
  line.style.borderColor = color(series.color);
  return line;
}

function cellOf(spec, series, i) {
  if (series.cells) return series.cells[i] ?? "–";
  const write = spec.write ?? compact;
  const text = write(series.values[i]);
  const low = series.low?.[i] ?? null;
  return low === null || series.values[i] === null ? text : `${text} (${write(low)} to ${write(series.high[i])})`;
}
