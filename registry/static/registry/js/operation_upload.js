// Sends an archive in one piece and says how far it is, which a form by itself cannot.

const form = document.getElementById("upload");
const told = document.getElementById("told");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const { name, pooling, note, promote } = form.elements;
  const model = name.value.split("/").map(encodeURIComponent).join("/");
  const wanted = new URLSearchParams({ pooling: pooling.value, note: note.value, promote: promote.checked });
  // fetch tells nothing of a request under way.
  const request = new XMLHttpRequest();
  request.open("PUT", `/api/v1/models/${model}/archive?${wanted}`);
  request.setRequestHeader("X-Upload-Ticket", form.dataset.ticket);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.upload.addEventListener("progress", ({ loaded, total }) => {
    const percent = Math.floor((100 * loaded) / (total || 1));
    told.textContent = percent < 100 ? `${percent} % sent` : "Sent. It is being checked …";
  });
  request.addEventListener("error", () => {
    told.textContent = "The connection broke: try again.";
  });
  request.addEventListener("load", () => answered(request));
  told.textContent = "0 % sent";
  request.send(document.getElementById("id_file").files[0]);
});

function answered(request) {
  const answer = read(request.responseText);
  if (request.status === 201 || request.status === 202) {
    location.href = `${form.dataset.operations}${answer.operation || answer.id}/change/`;
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
