// The refused rows of an uploaded file, as CSV for whoever mends them.

import { element, readJson } from "./elements.js";

// The theme writes a chosen file's name into a text field of its own widget, which is not used here:
// without this it looks for that field in vain, and throws.
document.getElementById("f-file").hasChangeListener = true;

const quoted = (value) => `"${String(value).replaceAll('"', '""')}"`;

document.getElementById("save-refused")?.addEventListener("click", () => {
  const rows = readJson("refused").map((row) => [row.line, row.prediction_id, row.reason].map(quoted).join(","));
  const text = ["line,prediction_id,reason", ...rows, ""].join("\r\n");
  const url = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: url, download: "refused.csv" }).click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
});
