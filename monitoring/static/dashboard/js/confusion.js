// Which class was taken for which, and how well each is recognised.

import { element } from "./elements.js";
import { interval, percent, whole } from "./numbers.js";
import { bodyOf, empty, estimateCell, show, table } from "./panels.js";

const MOST_LABELS = 12;
const OTHERS = "other labels";
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

export function showConfusion(quality) {
  const place = bodyOf("model-confusion");
  const { labels, counts } = fold(quality.confusion);
  if (!labels.length) {
    show(place, empty("No labels", "No prediction of this time has a label: give feedback, or label in the queue."));
    return;
  }
  const told = element("p", { class: "bw-matrix__told", "aria-live": "polite" },
    `${whole(quality.n_labelled)} of ${whole(quality.n_predicted)} predictions are labelled. Accuracy ${interval(quality.accuracy)}, macro F1 ${interval(quality.macro.f1)}.`);
  const cells = labels.map((_, i) => labels.map((__, j) => makeCell(labels, counts, i, j, told)));
  cells[0][0].tabIndex = 0;
  const head = labels.map((label) => element("th", { scope: "col", class: "bw-number", role: "columnheader" }, clipped(label)));
  const rows = labels.map((label, i) => element("tr", { role: "row" },
    element("th", { scope: "row", role: "rowheader" }, clipped(label)), ...cells[i],
    element("td", { class: "bw-number bw-subtle", role: "gridcell" }, whole(sum(counts[i])))));
  const grid = element("table", { class: "bw-table bw-matrix", role: "grid", "aria-label": "Confusion matrix: rows are true, columns predicted",
    onkeydown: (event) => move(event, cells) },
  element("thead", { role: "rowgroup" }, element("tr", { role: "row" },
    element("th", { scope: "col", role: "columnheader" }, "true ↓ predicted →"), ...head,
    element("th", { scope: "col", class: "bw-number", role: "columnheader" }, "all"))),
  element("tbody", { role: "rowgroup" }, ...rows));
  show(place, told, element("div", { class: "bw-scroll" }, grid));
}

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const clipped = (label) => element("span", { class: "bw-matrix__label", title: label }, label);

function makeCell(labels, counts, i, j, told) {
  const share = counts[i][j] / (sum(counts[i]) || 1);
  const said = `${labels[i]} taken for ${labels[j]}: ${whole(counts[i][j])}, ${percent(share)} of what is ${labels[i]}.`;
  const cell = element("td", {
    role: "gridcell", tabindex: "-1", title: said, class: `bw-number bw-matrix__cell${i === j ? " bw-matrix__cell--right" : ""}`,
    onfocus: () => { told.textContent = said; },
  }, whole(counts[i][j]), element("small", {}, percent(share)));
  cell.style.setProperty("--bw-share", `${Math.round(40 * share)}%`);
  return cell;
}

function move(event, cells) {
  const step = MOVES[event.key];
  const i = cells.findIndex((row) => row.includes(event.target));
  if (!step || i < 0) return;
  event.preventDefault();
  const j = cells[i].indexOf(event.target);
  const next = cells[i + step[0]]?.[j + step[1]];
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

// Many labels: the commonest by name, the others together.
function fold({ labels, counts }) {
  if (labels.length <= MOST_LABELS) return { labels, counts };
  const sizes = labels.map((_, i) => sum(counts[i]) + sum(counts.map((row) => row[i])));
  const kept = labels.map((_, i) => i).sort((a, b) => sizes[b] - sizes[a]).slice(0, MOST_LABELS - 1);
  const place = (i) => (kept.includes(i) ? kept.indexOf(i) : kept.length);
  const folded = Array.from({ length: kept.length + 1 }, () => Array(kept.length + 1).fill(0));
  counts.forEach((row, i) => row.forEach((n, j) => { folded[place(i)][place(j)] += n; }));
  return { labels: [...kept.map((i) => labels[i]), OTHERS], counts: folded };
}

const COLUMNS = [["Class", false], ["Precision", true], ["Recall", true], ["F1", true], ["Labelled", true]];

export function showClasses(quality) {
  const place = bodyOf("model-classes");
  if (!quality.classes.length) {
    show(place, empty("No labels", "Precision and recall need labels of this time."));
    return;
  }
  const rows = quality.classes.map((one) => [
    clipped(one.label), estimateCell(one.precision), estimateCell(one.recall), estimateCell(one.f1),
    one.verdict ? `${whole(one.support)}, too few` : whole(one.support)]);
  show(place, table("Quality by class", COLUMNS, rows));
}
