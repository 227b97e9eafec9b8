// How far each serving process is with the model's routes; asked once a second until it is settled.

import { api } from "./api.js";
import { element } from "./elements.js";

const EVERY_MS = 1000;
const IDLE_MS = 5000;
// A version's steps in a process, and how far each is on the way.
const STEPS = ["registered", "verified", "staged", "loading", "smoke", "warming", "ready", "active"];
const KINDS = { active: "good", ready: "good", standby: "info", failed: "bad", draining: "warn", unloaded: "" };
const WORDS = {
  registered: "found", verified: "files checked", staged: "in its place", loading: "loading",
  smoke: "golden inputs", warming: "warming up", ready: "ready", active: "answers",
  draining: "finishing its requests", standby: "on standby", unloaded: "unloaded", failed: "failed",
};

const place = document.getElementById("replicas");
const told = document.getElementById("told");
const state = document.getElementById("state");
const remedies = document.getElementById("remedies");

function badge(word, kind) {
  return element("span", { class: kind ? `bw-badge bw-badge--${kind}` : "bw-badge" }, word);
}

function judge(found) {
  if (found.state === "failed") return ["failed", "bad", found.reason || "A replica could not prepare the routes."];
  if (!found.replicas.length) return ["no replica runs", "warn", "No serving process is running. The routes are prepared when one starts."];
  if (found.state === "preparing") return ["being prepared", "warn", "The replicas prepare the routes. What answered before goes on answering."];
  if (found.converged) return ["settled", "good", "Every serving process answers with these routes."];
  return ["spreading", "warn", `The routes are committed; ${found.laggards.length} of ${found.replicas.length} replicas do not answer with them yet.`];
}

// How long it took from the first step to ready, or to its failure; `times` are when each began.
function preparing(times) {
  const moments = ["failed", ...STEPS.slice(0, STEPS.indexOf("ready") + 1)].map((step) => times[step]).filter(Number.isFinite);
  return moments.length > 1 ? Math.max(...moments) - Math.min(...moments) : null;
}

function track(version) {
  const at = STEPS.indexOf(version.state);
  const isBad = version.state === "failed";
  const percent = at < 0 ? 7 : at;
  const bar = element("span", { class: isBad ? "w-7 bw-bar--bad" : `w-${percent}` });
  const seconds = preparing(version.times ?? {});
  return element("div", { class: "bw-track" },
    element("span", {}, `version ${version.version}`),
    element("div", { class: "bw-bar", "aria-hidden": "true" }, bar),
    element("span", {}, badge(WORDS[version.state] ?? version.state, KINDS[version.state] ?? "warn"),
      seconds === null ? "" : ` ${seconds.toFixed(1)} s of preparing`),
    version.reason ? element("p", { class: "bw-track__why" }, version.reason) : null);
}

function replica(each, generation) {
  const isThere = each.applied >= generation;
  const heart = each.alive ? badge("alive", "good") : badge("silent", "bad");
  return element("div", { class: "bw-replica" },
    element("div", { class: "bw-replica__head" },
      element("strong", {}, each.id), heart,
      each.ready ? null : badge("not ready", "warn"),
      element("span", { class: "bw-subtle" },
        `${Math.round(each.rss_bytes / 1e6)} MB, ${isThere ? "answers with the committed routes" : "not there yet"}`)),
    ...(each.versions.length ? each.versions.map(track) : [element("p", { class: "bw-subtle" }, "It has no version of this model.")]));
}

function show(found) {
  const [word, kind, sentence] = judge(found);
  state.replaceChildren(badge(word, kind));
  if (told.textContent !== sentence) told.textContent = sentence;
  place.setAttribute("aria-busy", String(kind === "warn"));
  place.replaceChildren(...(found.replicas.length
    ? found.replicas.map((each) => replica(each, found.committed_generation))
    : [element("p", { class: "bw-subtle" }, "None has reported in the last half minute.")]));
  const hasFailed = found.replicas.some((each) => each.versions.some((one) => one.state === "failed"));
  if (remedies) remedies.hidden = found.state !== "failed" && !(hasFailed && !found.converged);
  if (kind === "good") settle();
  return kind;
}

// What was decided answers now: the table of routes says so, too.
function settle() {
  for (const row of document.querySelectorAll("#routes tr.bw-changed")) {
    row.cells[1].textContent = row.cells[2].textContent;
    row.classList.remove("bw-changed");
  }
}

function isDraining(found) {
  return found.replicas.some((each) => each.versions.some((one) => one.state === "draining"));
}

async function look() {
  if (document.hidden) return setTimeout(look, EVERY_MS);
  let kind = "warn", wait = EVERY_MS;
  try {
    const found = await api(place.dataset.api);
    kind = show(found);
    if (!found.replicas.length) wait = IDLE_MS;
    // Somebody has decided anew, and the table of routes is the page's.
    if (String(found.generation) !== place.dataset.generation) return location.reload();
    if (isDraining(found)) kind = "warn";
  } catch (error) {
    told.textContent = error.message;
    wait = IDLE_MS;
  }
  if (kind === "warn") setTimeout(look, wait);
}

if (place) look();
