// The search of predictions: addresses without empty fields, and times that clear «When».

const form = document.getElementById("search");
const [range, from, to] = ["f-range", "f-from", "f-to"].map((id) => document.getElementById(id));

// An address that somebody passes on should say what is searched, and no more.
form?.addEventListener("submit", () => {
  for (const field of form.elements) {
    if (field.name && !field.value) field.disabled = true;
  }
  if (from.value || to.value) range.disabled = true;
});

// Back from another page the form is as it was, and all of it can be used again.
window.addEventListener("pageshow", () => {
  for (const field of form?.elements ?? []) field.disabled = false;
});

range?.addEventListener("change", () => {
  if (range.value) from.value = to.value = "";
});
