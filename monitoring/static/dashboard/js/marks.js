// What happened meanwhile: a line on every chart, and a list that the keyboard reaches.

import { element } from "./elements.js";
import { showTime } from "./time_range.js";

const KINDS = {
  promoted: ["promoted", "good"],
  rolled_back: ["rolled back", "warn"],
  routed: ["routed", "info"],
  retired: ["retired", ""],
  rejected: ["rejected", "bad"],
  rebaselined: ["new baseline", "info"],
  alert_firing: ["alert", "bad"],
  alert_resolved: ["resolved", "good"],
};
const isSame = (some, others) => JSON.stringify(some) === JSON.stringify(others);
const kindOf = (mark) => KINDS[mark.kind] ?? [mark.kind.replaceAll("_", " "), ""];

// Lines over a chart; they move with its scale.
export class MarkLayer {
  constructor() {
    this.marks = [];
    this.root = element("div", { class: "bw-marks", "aria-hidden": "true" });
  }

  show(marks, chart) {
    if (!isSame(marks, this.marks)) this.root.replaceChildren(...marks.map(makeLine));
    this.marks = marks;
    this.place(chart);
  }

  place(chart) {
    if (this.root.parentElement !== chart.over) chart.over.append(this.root);
    const { min, max } = chart.scales.x;
    this.marks.forEach((mark, i) => {
      const line = this.root.children[i];
      line.hidden = !(mark.at >= min && mark.at <= max);
      line.style.left = `${chart.valToPos(mark.at, "x")}px`;
    });
  }
}

function makeLine(mark, i) {
  const title = `${showTime(mark.at)}: ${mark.title}`;
  const attributes = { class: lookOf("bw-mark", mark), title, "data-mark": i, tabindex: "-1" };
  return mark.url
    ? element("a", { ...attributes, href: mark.url })
    : element("span", attributes);
}

function lookOf(name, mark) {
  const [, kind] = kindOf(mark);
  return kind ? `${name} ${name}--${kind}` : name;
}

let listed = null;

export function showMarkList(place, marks) {
  // What somebody is reading, or has reached by the keyboard, stays.
  if (isSame(marks, listed) && place.isConnected && place.children.length) return;
  listed = marks;
  if (!marks.length) {
    place.replaceChildren(element("p", { class: "bw-subtle" }, "Nothing was promoted, rolled back or re-baselined, and no alert fired or ended in this time."));
    return;
  }
  const rows = marks.map((mark, i) => [mark, i]).reverse().map(([mark, i]) => makeRow(mark, i));
  place.replaceChildren(element("ol", { class: "bw-marklist", tabindex: "0", "aria-label": "Newest first" }, ...rows));
}

function makeRow(mark, i) {
  const point = (isOn) => () => {
    for (const line of document.querySelectorAll(`.bw-mark[data-mark="${i}"]`)) {
      line.classList.toggle("bw-mark--pointed", isOn);
    }
  };
  return element("li", {
    onmouseenter: point(true), onmouseleave: point(false), onfocusin: point(true), onfocusout: point(false),
  },
  element("time", { datetime: new Date(mark.at * 1000).toISOString() }, showTime(mark.at)),
  element("span", { class: lookOf("bw-badge", mark) }, kindOf(mark)[0]),
  mark.url ? element("a", { href: mark.url }, mark.title) : element("span", {}, mark.title));
}
