// The labelling page: one text, one key a label. The walk itself is in labelling_session.js.

import { api } from "./api.js";
import { element } from "./elements.js";
import { Session } from "./labelling_session.js";

const root = document.getElementById("labeller");
const part = (name) => document.getElementById(`lb-${name}`);
const KEYED = 9;
const RESERVED = "suzm?";
const LOOK_AGAIN_MS = 30000;
let shown = null;
let keys = new Map();
let isRevealed = false;
let given = 0;
const today = Number(root.dataset.today);

const session = new Session({
  take: (limit) => api("/api/v1/audit/take", { json: { model: root.dataset.model, limit } }),
  send: async (act, { keepalive }) => {
    const path = `/api/v1/audit/${act.item.prediction_id}/${act.kind}`;
    await api(path, { json: act.kind === "label" ? { label: act.label } : {}, keepalive });
    if (act.kind === "label" && act.before?.kind !== "label") given += 1;
    if (session.unsent.length === 0) part("note").replaceChildren();
  },
  changed: draw,
  failed: (error, act) => {
    const what = act === null ? "No items came" : `«${act.label ?? "Skip"}» was not sent`;
    part("note").replaceChildren(
      element(
        "p",
        { class: "bw-note bw-note--bad", role: "alert" },
        `${what}: ${error.message} `,
        session.unsent.length || act === null
          ? element("button", { type: "button", class: "bw-button", onclick: again }, "Try again")
          : null,
      ),
    );
  },
});

function again() {
  part("note").replaceChildren();
  session.flush();
  session.fill();
}

function draw(state, said) {
  const item = state.current;
  part("item").hidden = item === null;
  part("empty").hidden = item !== null || state.isFilling;
  part("without-text").hidden = !state.withoutText;
  part("skip").disabled = item === null;
  part("undo").disabled = state.acts.length === 0 || state.back === 0;
  part("skip-name").textContent = state.earlier?.kind === "label" ? "Keep" : "Skip";
  if (item !== shown) show(item);
  mark(state.earlier);
  part("progress").textContent = progress(state);
  part("last").textContent = state.last ? compared(state.last) : "";
  if (said) part("said").textContent = said;
}

function show(item) {
  shown = item;
  // What is more than a label can only be judged by who sees it.
  reveal(Boolean(item?.answer));
  if (item === null) return;
  part("text").textContent = item.text.trim() ? item.text : "(blank)";
  part("text").scrollTop = 0;
  const when = new Date(item.at).toISOString().slice(0, 16).replace("T", " ");
  const facts = [`asked ${when} UTC`, `version ${item.version}`, item.segment];
  part("facts").textContent = facts.filter(Boolean).join(" · ");
  offer(item.labels);
}

// Buttons stay the same elements while the labels are the same, so that the focus stays, too.
function offer(labels) {
  const place = part("choices");
  if (place.dataset.labels === JSON.stringify(labels)) return;
  place.dataset.labels = JSON.stringify(labels);
  const isKeyed = labels.length <= KEYED;
  keys = isKeyed ? keysOf(labels) : new Map();
  const buttons = labels.map((label, i) => choice(label, isKeyed ? i : null));
  const field = element("input", {
    id: "lb-filter", class: "bw-input", type: "search", autocomplete: "off", oninput: narrow, onkeydown: pickFirst,
  });
  const filter = element("p", { class: "bw-field" }, element("label", { for: "lb-filter" }, "Find a label (Enter takes the first)"), field);
  place.classList.toggle("lb-choices--many", !isKeyed);
  place.replaceChildren(...(isKeyed ? [] : [filter]), ...buttons);
}

function choice(label, index) {
  const letter = [...keys].find(([key, meant]) => meant === label && Number.isNaN(Number(key)))?.[0];
  const hint = index === null ? null : [`${index + 1}`, letter?.toUpperCase()].filter(Boolean).join(" / ");
  return element(
    "button",
    { type: "button", class: "lb-choice", "data-label": label, "aria-keyshortcuts": index === null ? null : `${index + 1}`, onclick: () => choose(label) },
    hint ? element("kbd", { "aria-hidden": "true" }, hint) : null,
    element("span", {}, label),
  );
}

// Digits in the version's order, and first letters where they are unlike each other.
function keysOf(labels) {
  const found = new Map(labels.map((label, i) => [`${i + 1}`, label]));
  const letters = labels.map((label) => label[0].toLowerCase());
  labels.forEach((label, i) => {
    const isOne = letters.filter((letter) => letter === letters[i]).length === 1;
    if (isOne && /[a-z]/.test(letters[i]) && !RESERVED.includes(letters[i])) found.set(letters[i], label);
  });
  return found;
}

function choose(label) {
  session.label(label);
  const field = document.getElementById("lb-filter");
  if (field) {
    field.value = "";
    narrow();
    field.focus();
  }
}

function narrow() {
  const wanted = document.getElementById("lb-filter").value.trim().toLowerCase();
  for (const button of part("choices").querySelectorAll(".lb-choice")) {
    button.hidden = !button.dataset.label.toLowerCase().includes(wanted);
  }
}

function pickFirst(event) {
  if (event.key !== "Enter" || !event.target.value.trim()) return;
  event.preventDefault();
  const first = part("choices").querySelector(".lb-choice:not([hidden])");
  if (first) choose(first.dataset.label);
}

function mark(earlier) {
  for (const button of part("choices").querySelectorAll(".lb-choice")) {
    const isSaid = earlier?.kind === "label" && earlier.label === button.dataset.label;
    button.setAttribute("aria-pressed", String(isSaid));
  }
  part("earlier").textContent =
    earlier === null ? "" : `You ${earlier.kind === "skip" ? "skipped this" : `said ${earlier.label}`}. Another label replaces it.`;
}

function reveal(isWanted) {
  isRevealed = isWanted && session.current !== null;
  part("reveal").setAttribute("aria-expanded", String(isRevealed));
  part("reveal-name").textContent = isRevealed ? "Hide the model's answer" : "Show the model's answer";
  part("answer").hidden = !isRevealed;
  if (isRevealed) {
    const { label, score, answer } = session.current;
    const said = `The model said ${label}, with ${score.toFixed(3)}.`;
    part("answer").textContent = [said, ...linesOf(answer ?? {})].join("\n");
  }
}

// Every field of an answer is a line, and so is each item of a list.
function linesOf(answer) {
  const plain = (value) => (value instanceof Object ? JSON.stringify(value) : `${value}`);
  return Object.entries(answer).flatMap(([name, value]) =>
    Array.isArray(value) ? [`${name}:`, ...value.map((each) => `  ${plain(each)}`)] : [`${name}: ${plain(value)}`]);
}

function progress(state) {
  const counts = [`${state.labelled} labelled now`, `${today + given} today`, `${state.open} open`];
  if (state.pace !== null) counts.push(`${state.pace.toFixed(1)} s a text`);
  return counts.join(" · ");
}

function compared(act) {
  // Where people say right or wrong, the model said something else altogether.
  if (!act.item.labels.includes(act.item.label)) return `Saved: ${act.label}.`;
  const same = act.item.label === act.label;
  return `Saved: ${act.label}. The model had said ${same ? "the same" : act.item.label}.`;
}

const ACTS = {
  s: () => session.skip(),
  u: () => session.undo(),
  z: () => session.undo(),
  arrowleft: () => session.undo(),
  m: () => reveal(!isRevealed),
  "?": () => part("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest?.("input, textarea, select, dialog")) return;
  const key = event.key.toLowerCase();
  const act = keys.has(key) && session.current ? () => choose(keys.get(key)) : ACTS[key];
  if (!act) return;
  event.preventDefault();
  act();
});

part("skip").addEventListener("click", ACTS.s);
part("undo").addEventListener("click", ACTS.u);
part("help").addEventListener("click", ACTS["?"]);
part("reveal").addEventListener("click", ACTS.m);
part("look").addEventListener("click", again);

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") session.flush({ keepalive: true });
});
window.addEventListener("pagehide", () => {
  session.flush({ keepalive: true });
  const ids = session.giveUp();
  if (ids.length) api("/api/v1/audit/let-go", { json: { ids }, keepalive: true }).catch(() => {});
});
window.addEventListener("pageshow", (event) => event.persisted && session.fill());
window.addEventListener("online", again);
setInterval(() => {
  if (session.current === null && document.visibilityState === "visible") session.fill();
}, LOOK_AGAIN_MS);

session.fill();
