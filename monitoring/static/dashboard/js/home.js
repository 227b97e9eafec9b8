// The page reads itself anew: only the sections that changed are put in place of the old ones, and
// focus, open details and scrolling stay. A hidden tab asks nothing; whoever reads may pause it.

const live = document.querySelector("[data-live]");
const bar = document.getElementById("home-refresh");
const told = bar.querySelector("[data-told]");
const button = bar.querySelector("[data-pause]");
const everyMs = 1000 * Number(bar.dataset.every);
const before = new Map(sections(live).map((section) => [section.id, section.innerHTML]));
let paused = false;
let timer = 0;
let readAt = Date.now();
let trouble = "";

function sections(root) {
  return [...root.querySelectorAll(":scope > section[id]")];
}

// Where the focus is, in words that the next reading can find again.
function focusOf(section) {
  const element = document.activeElement;
  if (!section.contains(element)) return null;
  const same = (other) =>
    other.tagName === element.tagName &&
    other.getAttribute("href") === element.getAttribute("href") &&
    other.getAttribute("aria-label") === element.getAttribute("aria-label") &&
    other.textContent === element.textContent;
  const all = [...section.querySelectorAll(element.tagName)].filter(same);
  return { same, tag: element.tagName, index: all.indexOf(element) };
}

function place(section, html) {
  const focus = focusOf(section);
  const open = [...section.querySelectorAll("details[open]")].map((details) => details.id);
  const scrolled = [...section.querySelectorAll(".bw-scroll")].map((box) => box.scrollLeft);
  section.innerHTML = html;
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  section.querySelectorAll(".bw-scroll").forEach((box, i) => { box.scrollLeft = scrolled[i] ?? 0; });
  if (focus) {
    const all = [...section.querySelectorAll(focus.tag)].filter(focus.same);
    (all[focus.index] ?? all[0])?.focus({ preventScroll: true });
  }
}

function isSelecting() {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && live.contains(selection.anchorNode);
}

async function read() {
  // What somebody is about to copy must not go away under the mouse.
  if (isSelecting()) return;
  try {
    const answer = await fetch(location.href, {
      headers: { "X-Bellwether-Part": "live" },
      credentials: "same-origin",
      signal: AbortSignal.timeout(10000),
    });
    if (answer.redirected) throw new Error("You are signed out: load the page again.");
    if (!answer.ok) throw new Error(`The server answers ${answer.status}.`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").body;
    for (const section of sections(fresh)) {
      const here = document.getElementById(section.id);
      if (!here || before.get(section.id) === section.innerHTML) continue;
      before.set(section.id, section.innerHTML);
      place(here, section.innerHTML);
    }
    readAt = Date.now();
    trouble = "";
  } catch (error) {
    const isOurs = error instanceof Error && error.constructor === Error;
    trouble = isOurs ? error.message : "The server does not answer.";
  }
  tell();
}

function tell() {
  const seconds = Math.round((Date.now() - readAt) / 1000);
  const age = seconds < 2 ? "just now" : seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
  const state = paused ? "Paused" : trouble || `Every ${everyMs / 1000} s`;
  told.textContent = `${state}; updated ${age}.`;
  button.textContent = paused ? "Go on" : "Pause";
  bar.dataset.state = paused ? "paused" : trouble ? "trouble" : "live";
}

function schedule() {
  clearInterval(timer);
  if (!paused && !document.hidden) timer = setInterval(read, everyMs);
}

button.hidden = false;
button.addEventListener("click", () => {
  paused = !paused;
  if (!paused) read();
  schedule();
  tell();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !paused && Date.now() - readAt >= everyMs) read();
  schedule();
});
setInterval(() => { if (!document.hidden) tell(); }, 1000);
schedule();
tell();
