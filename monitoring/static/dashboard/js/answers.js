// An answer of the playground as elements: scores as bars, tokens, timings, and a way to say what was
// right.

import { api } from "./api.js";
import { element } from "./elements.js";

const STAGES = { tokenize: "tokenise", queue: "queue", inference: "inference", total: "total" };
const NO_PREDICTION = "00000000-0000-0000-0000-000000000000";
const RETRIES_MS = [400, 1200];

// `outcome` is { choice, answer, tripMs, version } or { choice, error }.
export function answerCard(outcome, facts) {
  const { choice, answer, error } = outcome;
  if (error) return errorCard(choice, error);
  const digest = answer.digest ?? "";
  const card = element("article", { class: "bw-card", "aria-label": `Answer of ${answer.model} version ${answer.version}` },
    element("div", { class: "bw-card__head" },
      element("h3", {}, `${answer.model} v${answer.version}`),
      element("code", { class: "bw-subtle", title: digest }, digest.slice(0, 12))));
  const texts = Array.isArray(facts.asked) ? facts.asked : [facts.asked];
  answer.predictions.forEach((prediction, index) => {
    card.append(onePrediction(prediction, texts.length > 1 ? texts[index] : "", outcome, facts));
  });
  card.append(timings(answer.timing_ms ?? {}, outcome.tripMs));
  return card;
}

function errorCard(choice, error) {
  return element("article", { class: "bw-card" },
    element("h3", {}, `${choice.model} v${choice.version}`),
    element("div", { class: "bw-note bw-note--bad", role: "alert" },
      element("p", {}, error.message),
      element("p", {}, "Code: ", element("code", {}, error.code), error.status ? ` (HTTP ${error.status})` : "")));
}

function onePrediction(prediction, text, outcome, facts) {
  const part = element("section", { class: "bw-play__answer" });
  if (text) part.append(element("p", { class: "bw-play__quote" }, text));
  if (typeof prediction.label !== "string") {
    // Another task: all of it, as it came.
    part.append(element("pre", { tabindex: "0", "aria-label": "The answer as JSON" }, JSON.stringify(prediction, null, 2)));
    return part;
  }
  part.append(
    element("p", { class: "bw-figure" }, prediction.label, " ", element("small", {}, prediction.score.toFixed(4))),
    scores(prediction),
    counted(prediction, facts));
  if (facts.mayFeedback && prediction.id) part.append(feedback(prediction, outcome));
  return part;
}

function scores(prediction) {
  const list = element("dl", { class: "bw-scores" });
  for (const { label, score } of prediction.scores ?? [prediction]) {
    const bar = element("span");
    bar.style.width = `${Math.max(0, Math.min(1, score)) * 100}%`;
    list.append(
      element("dt", {}, label),
      element("dd", { class: "bw-bar", "aria-hidden": "true" }, bar),
      element("dd", { class: "bw-number" }, score.toFixed(4)));
  }
  return list;
}

function counted(prediction, facts) {
  const words = [`${prediction.n_tokens} tokens`];
  const line = element("p", { class: "bw-subtle" }, words.join(", "));
  if (prediction.truncated) line.append(" ", element("span", { class: "bw-badge bw-badge--warn" }, "cut to fit the model"));
  if (prediction.id) {
    const url = facts.predictionUrl.replace(NO_PREDICTION, prediction.id);
    line.append(" · ", element("a", { href: url }, "prediction ", prediction.id.slice(0, 8), "…"));
  } else {
    line.append(" · not kept");
  }
  return line;
}

function timings(timing, tripMs) {
  const list = element("dl", { class: "bw-play__timing", "aria-label": "Timings" });
  for (const [stage, title] of Object.entries(STAGES)) {
    if (stage in timing) list.append(pair(title, timing[stage]));
  }
  if (tripMs !== undefined) list.append(pair("seen from here", tripMs));
  return list;
}

function pair(title, ms) {
  return element("div", {}, element("dt", {}, title), element("dd", {}, `${ms.toFixed(1)} ms`));
}

function feedback(prediction, { version }) {
  const place = element("div", { class: "bw-feedback" });
  const told = element("span", { role: "status" });
  const labels = version?.labels ?? (prediction.scores ?? []).map((each) => each.label);
  const say = async (label) => {
    told.className = "";
    told.textContent = "Sending …";
    try {
      await send({ prediction_id: prediction.id, correct_label: label, source: "user" });
      told.className = "bw-badge bw-badge--good";
      told.textContent = `kept: ${label}`;
    } catch (error) {
      told.className = "bw-error";
      told.textContent = `${error.message} (${error.code})`;
    }
  };
  const right = element("button", { type: "button", class: "bw-button", onclick: () => say(prediction.label) }, "Right");
  const other = element("select", { class: "bw-input", "aria-label": "The correct label" },
    element("option", { value: "" }, "Wrong; correct is …"),
    ...labels.filter((label) => label !== prediction.label).map((label) => element("option", { value: label }, label)));
  other.addEventListener("change", () => { if (other.value) say(other.value); });
  place.append(right, other, told);
  return place;
}

// A prediction comes to the database a moment after its answer.
async function send(said) {
  for (const waitMs of RETRIES_MS) {
    try {
      return await api("/api/v1/feedback", { json: said });
    } catch (error) {
      if (error.status !== 404) throw error;
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
  return api("/api/v1/feedback", { json: said });
}
