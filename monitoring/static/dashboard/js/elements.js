// Elements without markup in strings: text stays text, whatever a model was asked.

// element("p", { class: "bw-note", "aria-live": "polite" }, "text", child)
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// What json_script left in the page under `id`.
export function readJson(id) {
  return JSON.parse(document.getElementById(id).textContent);
}

export function showError(place, error) {
  place.replaceChildren(element("p", { class: "bw-note bw-note--bad", role: "alert" }, error.message));
}
