// The controls of a view: presets, own times, filters, live refresh and the link.

import { element } from "./elements.js";
import { PRESETS, fieldTime, wholeMinutes, windowOf, zoneName } from "./time_range.js";

const ALL = "all";
const byId = (id) => document.getElementById(id);

// `act` holds choose(change), reset(), setLive(isOn); the returned function shows a view.
export function makeControls(setup, act) {
  const presets = PRESETS.map(([key, title]) =>
    element("button", { class: "bw-button", type: "button", "data-range": key,
      onclick: () => act.choose({ range: key }) }, title));
  byId("range-presets").append(...presets);
  byId("range-zone").textContent = zoneName();
  fillSelect(byId("range-version"), "All versions", setup.versions.map((number) => [
    String(number), `Version ${number}${number === setup.live ? " (live)" : ""}`]));
  fillSelect(byId("range-segment"), "All segments", setup.segments.map((name) => [
    `=${name}`, name || "(none given)"]));
  byId("range-version").addEventListener("change", (event) =>
    act.choose({ version: event.target.value === ALL ? null : event.target.value }));
  byId("range-segment").addEventListener("change", (event) =>
    act.choose({ segment: event.target.value === ALL ? null : event.target.value.slice(1) }));
  byId("range-form").addEventListener("submit", (event) => {
    event.preventDefault();
    submitTimes(act);
  });
  byId("range-reset").addEventListener("click", act.reset);
  byId("range-live").addEventListener("change", (event) => act.setLive(event.target.checked));
  byId("range-link").addEventListener("click", copyLink);
  return (view, now, canReset) => showView(view, now, canReset, presets);
}

function fillSelect(select, all, choices) {
  const options = choices.map(([value, title]) => element("option", { value }, title));
  select.replaceChildren(element("option", { value: ALL }, all), ...options);
}

function submitTimes(act) {
  const [from, to] = ["range-from", "range-to"].map((id) => new Date(byId(id).value) / 1000);
  if (!(from < to)) {
    tell("“From” must be before “To”, and both must be given.");
    byId("range-from").focus();
    return;
  }
  tell("");
  act.choose({ range: null, ...wholeMinutes(from, to) });
}

function showView(view, now, canReset, presets) {
  const shown = windowOf(view, now);
  for (const preset of presets) {
    preset.setAttribute("aria-pressed", String(preset.dataset.range === view.range));
  }
  for (const [id, at] of [["range-from", shown.from], ["range-to", shown.to]]) {
    // Somebody may be writing there.
    if (document.activeElement !== byId(id)) byId(id).value = fieldTime(at);
  }
  select(byId("range-version"), view.version ?? ALL, `Version ${view.version}`);
  select(byId("range-segment"), view.segment === null ? ALL : `=${view.segment}`, view.segment);
  byId("range-reset").disabled = !canReset;
  byId("range-live").disabled = !shown.isLive;
  byId("range-live").parentElement.title = shown.isLive ? "" : "Only a range that ends now can follow it.";
}

// A link may name what had no traffic lately.
function select(field, value, title) {
  if (![...field.options].some((option) => option.value === value)) {
    field.append(element("option", { value }, title));
  }
  field.value = value;
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(window.location.href);
    tell("The link to this view is copied.");
  } catch {
    // Without https there is no clipboard: the address bar has it.
    tell(`Copy it from the address bar: ${window.location.href}`);
  }
}

export function tell(text) {
  byId("range-told").textContent = text;
}
