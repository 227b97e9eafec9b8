// The form shows the fields of what was chosen, and says that a comparison runs.

const form = document.getElementById("drift-form");

function arrange() {
  for (const fields of form.querySelectorAll("[data-of]")) {
    const chosen = form.querySelector(`[name="${fields.dataset.of}"]:checked`)?.value;
    const isOff = chosen !== fields.dataset.value;
    fields.toggleAttribute("data-off", isOff);
    // What is not chosen does not belong into the address.
    for (const input of fields.querySelectorAll("input")) input.disabled = isOff;
  }
}

function showBusy() {
  document.getElementById("drift-busy").textContent = "Comparing …";
}

form.addEventListener("change", arrange);
form.addEventListener("submit", showBusy);
// Whoever comes back finds the form as it was, not busy.
window.addEventListener("pageshow", () => {
  document.getElementById("drift-busy").textContent = "";
  arrange();
});
arrange();
