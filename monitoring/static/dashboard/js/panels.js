// What the parts below the charts share: waiting, errors with a way to try again, empty places.

import { element } from "./elements.js";
import { NOTHING, rate } from "./numbers.js";

export const bodyOf = (id) => document.querySelector(`#${id} [data-body]`);

// Whether somebody is at it: then it is not exchanged only because time passed.
export function isInUse(place) {
  return place.contains(document.activeElement) || place.matches(":hover") || place.querySelector("details[open]") !== null;
}

export function wait(place) {
  if (!place.children.length) place.replaceChildren(element("p", { class: "bw-subtle" }, "Loading…"));
  place.setAttribute("aria-busy", "true");
}

export function show(place, ...nodes) {
  place.setAttribute("aria-busy", "false");
  place.replaceChildren(...nodes);
}

export function fail(place, error, retry) {
  show(place, element("p", { class: "bw-note bw-note--bad", role: "alert" }, error.message),
    element("button", { class: "bw-button", type: "button", onclick: retry }, "Try again"));
}

export function empty(title, why) {
  return element("div", { class: "bw-empty" }, element("p", { class: "bw-empty__title" }, title), element("p", {}, why));
}

// columns: [[title, isNumber]…]; rows: [[cell…]…], the first cell of each being its header.
export function table(name, columns, rows) {
  const head = columns.map(([title, isNumber]) =>
    element("th", { scope: "col", class: isNumber ? "bw-number" : null }, title));
  const body = rows.map((cells) => element("tr", {}, ...cells.map((cell, i) =>
    element(i ? "td" : "th", { scope: i ? null : "row", class: columns[i][1] ? "bw-number" : null }, cell))));
  return element("div", { class: "bw-scroll", tabindex: "0", role: "region", "aria-label": name },
    element("table", { class: "bw-table" }, element("thead", {}, element("tr", {}, ...head)), element("tbody", {}, ...body)));
}

// A rate with its interval below it.
export function estimateCell(estimate) {
  const { value, low, high } = estimate ?? {};
  if (value === null || value === undefined) return NOTHING;
  if (low === null) return rate(value);
  return element("span", {}, rate(value), element("small", { class: "bw-interval" }, `${low.toFixed(2)} to ${high.toFixed(2)}`));
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
