// The playground: asks one or two versions with a ticket, shows all they say, and the code for it.

import { api } from "./api.js";
import { answerCard } from "./answers.js";
import { element, readJson } from "./elements.js";
import { LANGUAGES } from "./snippets.js";
import { readInput, readParameters, taskOf } from "./tasks.js";

const data = readJson("playground-data");
const place = (id) => document.getElementById(id);
const [form, modelField, versionField, besideField, textField, linesField, parametersField] =
  ["ask", "model", "version", "beside", "text", "lines", "parameters"].map(place);
const PAST = "bellwether.trials";
const MAX_PAST = 10;
let ticket = { text: "", until: 0 };
let language = LANGUAGES[0];

// --- whom to ask ---------------------------------------------------------------------------------

const modelOf = (name) => data.models.find((model) => model.name === name);
const versionOf = (choice) => modelOf(choice.model)?.versions.find((each) => each.number === choice.version);
const named = (choice) => `${choice.model}@${choice.version}`;

function option(value, text, isChosen) {
  return element("option", { value, selected: isChosen }, text);
}

function fillModels() {
  modelField.replaceChildren(...data.models.map((each) => option(each.name, each.name, each.name === data.first.model)));
  fillVersions(data.first.version);
  const beside = data.beside ? named(data.beside) : "";
  const others = data.models.map((model) => {
    const group = element("optgroup", { label: model.name });
    group.append(...model.versions.map((each) => {
      const value = named({ model: model.name, version: each.number });
      return option(value, `${model.name} v${each.number} (${each.role})`, value === beside);
    }));
    return group;
  });
  besideField.replaceChildren(option("", "nothing", !beside), ...others);
  if (beside && !versionOf(data.beside)) besideField.append(option(beside, `${beside} (not in memory)`, true));
}

function fillVersions(chosen) {
  const model = modelOf(modelField.value);
  versionField.replaceChildren(...model.versions.map((each) => option(each.number, `${each.number} (${each.role})`, each.number === chosen)));
  const isKnown = model.versions.some((each) => each.number === chosen);
  if (chosen && !isKnown) versionField.append(option(chosen, `${chosen} (not in memory)`, true));
}

function choices() {
  const chosen = [{ model: modelField.value, version: Number(versionField.value) }];
  const cut = besideField.value.lastIndexOf("@");
  if (cut > 0) chosen.push({ model: besideField.value.slice(0, cut), version: Number(besideField.value.slice(cut + 1)) });
  return chosen;
}

function task() {
  const [choice] = choices();
  return (versionOf(choice) ?? modelOf(choice.model).versions[0]).task;
}

function inputs() {
  if (!linesField.checked) return readInput(task(), textField.value);
  return textField.value.split("\n").map((line) => line.trim()).filter(Boolean).map((line) => readInput(task(), line));
}

// What can be sent, or why not.
function question() {
  try {
    return { asked: inputs(), parameters: readParameters(parametersField.value) };
  } catch (error) {
    return { problem: `What is not a text must be JSON: ${error.message}.` };
  }
}

// Another task starts with parameters of its own; what somebody wrote for this one stays.
let startedFor = "";

function startTask() {
  const name = task();
  if (name === startedFor) return;
  startedFor = name;
  const { parameters, input } = taskOf(name);
  parametersField.value = JSON.stringify(parameters);
  if (input && !textField.value.trim()) textField.value = JSON.stringify(input, null, 2);
}

// --- asking --------------------------------------------------------------------------------------

async function freshTicket() {
  if (Date.now() < ticket.until) return ticket.text;
  const made = await api("/api/v1/session-ticket", { method: "POST" });
  ticket = { text: made.ticket, until: Date.now() + (made.life_s - 30) * 1000 };
  return ticket.text;
}

function bodyFor({ asked, parameters }) {
  return { inputs: asked, parameters };
}

async function ask(choice, asked, isAgain = false) {
  const headers = { "X-API-Key": await freshTicket(), "X-Model-Pin": String(choice.version) };
  const began = performance.now();
  try {
    const answer = await api(`/api/v1/models/${choice.model}/predict`, { json: bodyFor(asked), headers, timeoutMs: 60000 });
    return { choice, answer, tripMs: performance.now() - began };
  } catch (error) {
    // A server that started anew with another secret knows no older ticket.
    if (error.code === "invalid_key" && !isAgain) {
      ticket.until = 0;
      return ask(choice, asked, true);
    }
    return { choice, error };
  }
}

function objection({ asked, problem }) {
  if (problem) return problem;
  const texts = (Array.isArray(asked) ? asked : [asked]).map((each) => typeof each === "string" ? each : JSON.stringify(each));
  if (!texts.some((text) => text.trim())) return "Write a text first.";
  if (texts.length > data.max_inputs) return `These are ${texts.length} texts; one request may hold ${data.max_inputs}.`;
  const longest = Math.max(...texts.map((text) => [...text].length));
  if (longest > data.max_chars) return `The longest text has ${longest} characters; ${data.max_chars} are allowed.`;
  return "";
}

async function submit() {
  const asked = question();
  const problem = objection(asked);
  if (problem) {
    showProblem(problem);
    textField.focus();
    return;
  }
  setBusy(true);
  try {
    const outcomes = await Promise.all(choices().map((choice) => ask(choice, asked)));
    show(outcomes, asked.asked);
    remember(outcomes);
  } finally {
    setBusy(false);
  }
}

function setBusy(isBusy) {
  place("go").disabled = isBusy;
  place("go").textContent = isBusy ? "Asking …" : "Ask";
  document.querySelector(".bw-play__answers").setAttribute("aria-busy", String(isBusy));
}

function showProblem(text) {
  place("answers").replaceChildren(element("p", { class: "bw-note bw-note--warn", role: "alert" }, text));
}

function show(outcomes, asked) {
  const facts = { mayFeedback: data.may_feedback, predictionUrl: data.prediction_url, asked };
  place("answers").replaceChildren(...outcomes.map((outcome) => answerCard({ ...outcome, version: versionOf(outcome.choice) }, facts)));
  place("told").textContent = outcomes.map(told).join(" ");
}

function told({ choice, answer, error }) {
  if (error) return `Version ${choice.version} did not answer: ${error.message}`;
  const labels = answer.predictions.map((each) => each.label ?? "an answer");
  return `Version ${answer.version} says ${labels.join(", ")}.`;
}

// --- code ----------------------------------------------------------------------------------------

function showCode() {
  const [choice] = choices();
  const version = versionOf(choice);
  const asked = question();
  if (asked.problem) {
    place("code").textContent = asked.problem;
    return;
  }
  const call = {
    base: data.base,
    model: choice.model,
    task: task(),
    body: bodyFor(asked),
    pin: place("pin").checked ? choice.version : 0,
    labels: version?.labels.length ?? 0,
  };
  place("code").textContent = language.write(call);
  for (const tab of place("languages").children) {
    const isChosen = tab.dataset.language === language.id;
    tab.setAttribute("aria-selected", String(isChosen));
    tab.tabIndex = isChosen ? 0 : -1;
  }
}

function fillLanguages() {
  place("languages").replaceChildren(...LANGUAGES.map((each) => element("button", {
    type: "button", role: "tab", "data-language": each.id, onclick: () => choose(each),
  }, each.title)));
  place("languages").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(LANGUAGES[(LANGUAGES.indexOf(language) + step + LANGUAGES.length) % LANGUAGES.length]);
    place("languages").querySelector("[aria-selected=true]").focus();
  });
}

function choose(each) {
  language = each;
  showCode();
}

async function copy() {
  let isCopied = true;
  try {
    await navigator.clipboard.writeText(place("code").textContent);
  } catch {
    // No clipboard without https: the code is selected, so that a key press copies it.
    isCopied = false;
    getSelection().selectAllChildren(place("code"));
  }
  place("copy").textContent = isCopied ? "Copied" : "Selected: press Ctrl+C";
  setTimeout(() => { place("copy").textContent = "Copy"; }, 2000);
}

// --- what was asked before -----------------------------------------------------------------------

function readPast() {
  try {
    return JSON.parse(sessionStorage.getItem(PAST) ?? "[]");
  } catch {
    return [];
  }
}

function remember(outcomes) {
  const trial = {
    model: modelField.value,
    version: Number(versionField.value),
    beside: besideField.value,
    text: textField.value,
    lines: linesField.checked,
    parameters: parametersField.value,
    said: outcomes.map(({ answer, error }) => error ? error.code : `v${answer.version} ${answer.predictions[0].label ?? ""}`).join(" · "),
  };
  keepPast([trial, ...readPast()].slice(0, MAX_PAST));
}

function keepPast(past) {
  try {
    sessionStorage.setItem(PAST, JSON.stringify(past));
  } catch {
    // The tab's store is full or closed: the list is a convenience.
  }
  showPast(past);
}

function showPast(past) {
  place("past").replaceChildren(...past.map((trial) => element("li", {}, element("button", {
    type: "button", onclick: () => recall(trial),
  }, element("span", { class: "bw-clip" }, trial.text), element("span", { class: "bw-subtle" }, trial.said)))));
  place("no-past").hidden = past.length > 0;
  place("forget").hidden = past.length === 0;
}

function recall(trial) {
  if (modelOf(trial.model)) {
    modelField.value = trial.model;
    fillVersions(trial.version);
  }
  besideField.value = trial.beside;
  if (besideField.selectedIndex < 0) besideField.value = "";
  startTask();
  textField.value = trial.text;
  linesField.checked = trial.lines;
  parametersField.value = trial.parameters ?? parametersField.value;
  changed();
  textField.focus();
}

// --- the form ------------------------------------------------------------------------------------

function changed() {
  const { asked } = question();
  const n = Array.isArray(asked) ? `${asked.length} of at most ${data.max_inputs} texts, ` : "";
  place("count").textContent = `${n}${[...textField.value].length.toLocaleString("en")} of at most ${data.max_chars.toLocaleString("en")} characters`;
  showCode();
}

function start() {
  fillModels();
  fillLanguages();
  place("pin").checked = data.first.version !== modelOf(data.first.model).versions[0].number;
  form.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
  form.addEventListener("input", changed);
  modelField.addEventListener("change", () => { fillVersions(0); startTask(); changed(); });
  versionField.addEventListener("change", () => {
    place("pin").checked = Number(versionField.value) !== modelOf(modelField.value).versions[0].number;
    startTask();
    changed();
  });
  textField.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  });
  for (const button of document.querySelectorAll("[data-example]")) {
    button.addEventListener("click", () => { textField.value = button.dataset.example; changed(); form.requestSubmit(); });
  }
  place("clear").addEventListener("click", () => { textField.value = ""; changed(); textField.focus(); });
  place("pin").addEventListener("change", showCode);
  place("copy").addEventListener("click", copy);
  place("forget").addEventListener("click", () => keepPast([]));
  showPast(readPast());
  startTask();
  changed();
}

start();
