// Loads the page again while there is work, but not under the hands of somebody who chooses rows.

const EVERY_MS = 2000;

setTimeout(function again() {
  if (document.hidden || document.querySelector("input.action-select:checked")) {
    setTimeout(again, EVERY_MS);
  } else {
    location.reload();
  }
}, EVERY_MS);
