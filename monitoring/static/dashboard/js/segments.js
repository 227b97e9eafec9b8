// Parts of the traffic beside each other, the worst first.

import { element } from "./elements.js";
import { percent, rate, whole } from "./numbers.js";
import { bodyOf, empty, estimateCell, show, table } from "./panels.js";

const COLUMNS = [["Segment", false], ["F1", true], ["Against all", true], ["Labelled", true], ["Predictions", true]];

// `choose(segment)` narrows the page to one.
export function showSegments(quality, choose) {
  const place = bodyOf("model-segments");
  if (!quality.groups.length) {
    show(place, empty("No traffic", "Nothing was predicted in this time."));
    return;
  }
  const all = quality.macro.f1.value;
  const groups = [...quality.groups].sort((a, b) => worth(a) - worth(b) || b.n_predicted - a.n_predicted);
  const rows = groups.map((group) => {
    const f1 = group.macro.f1;
    return [
      element("button", { type: "button", class: "bw-link", title: "Narrow the page to it", onclick: () => choose(group.group) },
        group.group || "(none given)"),
      group.verdict ? "too few labels" : estimateCell(f1),
      group.verdict || all === null ? "–" : difference(f1, all),
      `${whole(group.n_labelled)} (${percent(group.coverage)})`,
      whole(group.n_predicted)];
  });
  show(place, table("Quality by segment", COLUMNS, rows));
}

// Too few labels say nothing: they come last.
const worth = (group) => (group.verdict || group.macro.f1.value === null ? 2 : group.macro.f1.value);

// Its interval lies below what all have: said by a word, too.
function difference(f1, all) {
  const gap = f1.value - all;
  const sign = gap < 0 ? "−" : "+";
  const text = `${sign}${rate(Math.abs(gap))}`;
  if (f1.high < all) return element("span", { class: "bw-badge bw-badge--bad" }, `${text} worse`);
  if (f1.low > all) return element("span", { class: "bw-badge bw-badge--good" }, `${text} better`);
  return text;
}
