// The page of one model: one view, and all of its parts follow it.

import { api } from "./api.js";
import { showCalibration } from "./calibration.js";
import { Chart } from "./charts.js";
import { showClasses, showConfusion } from "./confusion.js";
import { makeControls, tell } from "./controls.js";
import { element, readJson } from "./elements.js";
import { showMap } from "./map.js";
import { showMarkList } from "./marks.js";
import { bodyOf, fail, isInUse, wait } from "./panels.js";
import { showSegments } from "./segments.js";
import { onThemeChange } from "./theme.js";
import { DEFAULT_RANGE, queryOf, readView, showTime, wholeMinutes, windowOf, writeView } from "./time_range.js";
import { SKETCHES, chartsOf } from "./timeline.js";

const SHORT_S = 30 * 60;
const FAST_MS = 5000;
const SLOW_MS = 15000;
// The parts below the charts cost more, and change less.
const ROUNDS_PER_DETAIL = 4;
const TIMEOUT_MS = 30000;
const QUALITY = { "model-confusion": showConfusion, "model-calibration": showCalibration, "model-classes": showClasses };
const QUALITY_PARTS = Object.keys(QUALITY);

class ModelPage {
  constructor(setup) {
    this.setup = setup;
    this.skew = setup.now - Date.now() / 1000;
    this.view = readView(window.location.search);
    this.base = this.view.range ?? DEFAULT_RANGE;
    this.charts = new Map();
    this.isFollowing = true;
    this.round = 0;
    this.place = document.getElementById("model-charts");
    this.zoomed = { zoom: (from, to) => this.choose({ range: null, ...wholeMinutes(from, to) }), reset: () => this.reset() };
    SKETCHES.forEach((sketch) => this.chartOf(sketch));
    this.showControls = makeControls(setup, {
      choose: (change) => this.choose(change),
      reset: () => this.reset(),
      setLive: (isOn) => { this.isFollowing = isOn; this.plan(); },
    });
  }

  start() {
    window.addEventListener("popstate", () => this.look(readView(window.location.search)));
    document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(this.timer) : this.tick()));
    onThemeChange(() => this.charts.forEach((chart) => chart.repaint()));
    this.look(this.view);
  }

  now() {
    return Date.now() / 1000 + this.skew;
  }

  choose(change) {
    const view = { ...this.view, ...change };
    if (change.range) {
      delete view.from;
      delete view.to;
    }
    const address = writeView(view);
    if (address !== writeView(this.view)) window.history.pushState(null, "", address);
    if (change.range) this.base = change.range;
    this.look(view);
  }

  reset() {
    if (!this.view.range) this.choose({ range: this.base });
  }

  // Show `view` from scratch: whatever is under way for another one does not count any more.
  look(view) {
    this.view = view;
    this.asked?.abort();
    this.asked = new AbortController();
    const window = windowOf(view, this.now());
    this.showControls(view, this.now(), !view.range);
    this.charts.forEach((chart) => { chart.aim(window); chart.wait(); });
    this.round = 0;
    this.isShown = false;
    tell("");
    return this.load(true);
  }

  tick() {
    if (!windowOf(this.view, this.now()).isLive || !this.isFollowing || document.hidden) return;
    this.round += 1;
    this.showControls(this.view, this.now(), !this.view.range);
    this.load(this.round % ROUNDS_PER_DETAIL === 0, true);
  }

  plan() {
    clearTimeout(this.timer);
    const { from, to, isLive } = windowOf(this.view, this.now());
    if (!isLive || !this.isFollowing || document.hidden) return;
    this.timer = setTimeout(() => this.tick(), to - from <= SHORT_S ? FAST_MS : SLOW_MS);
  }

  async load(withDetails, isGentle = false) {
    clearTimeout(this.timer);
    const { signal } = this.asked;
    const parts = [this.loadCharts(signal)];
    if (withDetails) parts.push(this.loadQuality(signal, isGentle), this.loadSegments(signal, isGentle), this.loadMap(signal, isGentle));
    await Promise.all(parts);
    if (!signal.aborted) this.plan();
  }

  get(path, query, signal) {
    return api(`${this.setup.api}${path}?${query}`, { signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]) });
  }

  // Ask, and do `show` with the answer or `refuse` with the error, unless another view is wanted.
  async ask(path, query, signal, show, refuse) {
    let answer;
    try {
      answer = await this.get(path, query, signal);
    } catch (error) {
      if (!signal.aborted) refuse(error.name === "TimeoutError" ? new Error("The server takes too long to answer.") : error);
      return;
    }
    if (!signal.aborted) show(answer);
  }

  loadCharts(signal) {
    const view = windowOf(this.view, this.now());
    return this.ask("timeline", queryOf(this.view, this.now()), signal,
      (timeline) => this.showCharts(timeline, view), (error) => this.failCharts(error));
  }

  showCharts(timeline, window) {
    const specs = chartsOf(timeline, this.setup.versions);
    const wanted = new Set(specs.map((spec) => spec.id));
    for (const [id, chart] of this.charts) {
      if (wanted.has(id)) continue;
      chart.remove();
      this.charts.delete(id);
    }
    for (const spec of specs) this.chartOf(spec).show(spec, window, timeline.marks);
    this.place.setAttribute("aria-busy", "false");
    showMarkList(document.getElementById("model-marks"), timeline.marks);
    this.isShown = true;
    if (this.isStale) tell(`Up to date again since ${showTime(this.now())}.`);
    this.isStale = false;
  }

  failCharts(error) {
    if (this.isShown) {
      // What was read before is still true: keep it, and say how old it is.
      this.isStale = true;
      tell(`Not refreshed: ${error.message}`);
      return;
    }
    this.place.setAttribute("aria-busy", "false");
    this.charts.forEach((chart) => chart.fail(error.message, () => this.look(this.view)));
    document.getElementById("model-marks").replaceChildren(element("p", { class: "bw-subtle" }, "Not known: the charts could not be read."));
  }

  chartOf(spec) {
    if (!this.charts.has(spec.id)) {
      const chart = new Chart(spec, this.zoomed);
      this.charts.set(spec.id, chart);
      this.place.append(chart.root);
    }
    return this.charts.get(spec.id);
  }

  loadQuality(signal, isGentle) {
    return this.fill(QUALITY_PARTS, "quality", queryOf(this.view, this.now(), { include: "calibration" }), signal, isGentle,
      (quality, id) => QUALITY[id](quality));
  }

  loadSegments(signal, isGentle) {
    const all = { ...this.view, segment: null };
    return this.fill(["model-segments"], "quality", queryOf(all, this.now(), { by: "segment" }), signal, isGentle,
      (quality) => showSegments(quality, (segment) => this.choose({ segment })));
  }

  loadMap(signal, isGentle) {
    const all = { ...this.view, segment: null };
    return this.fill(["model-map"], "map", queryOf(all, this.now()), signal, isGentle,
      (found) => showMap(found, (id) => this.setup.prediction.replace(this.setup.noId, id)));
  }

  // Ask once for parts of the page, and draw each. Gently: only those that nobody is at, and what
  // cannot be read leaves what was there.
  fill(ids, path, query, signal, isGentle, draw) {
    if (!isGentle) ids.forEach((id) => wait(bodyOf(id)));
    return this.ask(path, query, signal,
      (answer) => ids.filter((id) => !isGentle || !isInUse(bodyOf(id))).forEach((id) => draw(answer, id)),
      (error) => !isGentle && ids.forEach((id) => fail(bodyOf(id), error, () => this.look(this.view))));
  }
}

if (document.getElementById("model-setup")) new ModelPage(readJson("model-setup")).start();
