// «Send a test» without leaving the page: what comes of it is told beside the button.

import { api } from "./api.js";
import { element } from "./elements.js";

async function send(form) {
  const id = form.dataset.test;
  const place = document.querySelector(`[data-outcome="${id}"]`);
  const button = form.querySelector("button");
  button.disabled = true;
  place.replaceChildren(badge("sending …", "info"), " This takes 10 s at most.");
  try {
    await api(`/api/v1/channels/${id}/test`, { method: "POST" });
    place.replaceChildren(badge("sent", "good"), " The test was delivered. Did it arrive?");
  } catch (error) {
    place.replaceChildren(badge("failed", "bad"), ` ${error.message}`);
  } finally {
    button.disabled = false;
  }
}

function badge(word, kind) {
  return element("span", { class: `bw-badge bw-badge--${kind}` }, word);
}

for (const form of document.querySelectorAll("form[data-test]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}
