// Sends a job's file in one piece and says how far it is, which a form by itself cannot.

const form = document.getElementById("upload");
const told = document.getElementById("told");
const ENDINGS = { csv: "csv", jsonl: "jsonl", ndjson: "jsonl", parquet: "parquet", txt: "text" };

document.getElementById("id_file").addEventListener("change", (event) => {
  const ending = event.target.files[0]?.name.replace(/\.gz$/i, "").split(".").pop().toLowerCase();
  if (ENDINGS[ending]) {
    form.elements.format.value = ENDINGS[ending];
  }
});

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { model, format, text_column, label_column, keep_columns } = form.elements;
  const name = model.value.split("/").map(encodeURIComponent).join("/");
  const wanted = new URLSearchParams({ format: format.value, keep_columns: keep_columns.checked });
  if (text_column.value) wanted.set("text_column", text_column.value);
  if (label_column.value) wanted.set("label_column", label_column.value);
  told.textContent = "0 % sent";
  const ticket = await freshTicket();
  // fetch tells nothing of a request under way.
  const request = new XMLHttpRequest();
  request.open("POST", `/api/v1/models/${name}/jobs?${wanted}`);
  request.setRequestHeader("Authorization", `Bearer ${ticket}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const percent = Math.floor((100 * loaded) / (total || 1));
    told.textContent = percent < 100 ? `${percent} % sent` : "Sent. It is being looked at …";
  });
  request.addEventListener("error", () => {
    told.textContent = "The connection broke: try again.";
  });
  request.addEventListener("load", () => answered(request));
  request.send(document.getElementById("id_file").files[0]);
});

// Tickets last for minutes, and pages stay open for longer: the page is asked for another one.
async function freshTicket() {
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    return page.getElementById("upload").dataset.ticket;
  } catch {
    return form.dataset.ticket;
  }
}

function answered(request) {
  const answer = read(request.responseText);
  if (request.status === 202) {
    location.href = `${form.dataset.jobs}${answer.id}/change/`;
  } else {
    told.textContent = answer.error?.message ?? `Refused: ${request.status}`;
  }
}

function read(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {}; // A proxy's page: its status is told.
  }
}
