// The list of alerts renews itself: the same page is asked again, and its list put in place.

const live = document.getElementById("alerts-live");
const status = document.getElementById("alerts-status");
const pause = document.getElementById("alerts-pause");
const everyMs = Number(live.dataset.refreshS) * 1000;
let isPaused = false;

function told() {
  return new Date().toISOString().slice(11, 19);
}

async function refresh() {
  if (isPaused || document.hidden) return;
  try {
    const answer = await fetch(location.href, {
      credentials: "same-origin",
      signal: AbortSignal.timeout(10000),
    });
    if (!answer.ok || answer.redirected) throw new Error(`HTTP ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    replace(page.getElementById("alerts-live"));
    status.textContent = `Refreshed at ${told()} UTC.`;
  } catch {
    status.textContent = `Not refreshed at ${told()} UTC: the server did not answer. It is tried again.`;
  }
}

// Whoever stands on a link stays there.
function replace(fresh) {
  if (!fresh || fresh.innerHTML === live.innerHTML) return;
  const focused = live.contains(document.activeElement) ? document.activeElement.id : "";
  live.replaceChildren(...fresh.childNodes);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? "Go on refreshing" : "Stop refreshing";
  status.textContent = isPaused ? "Not refreshing." : "";
  if (!isPaused) refresh();
});

pause.hidden = false;
status.textContent = `Refreshes itself every ${everyMs / 1000} s.`;
setInterval(refresh, everyMs);
