// Buttons with data-copy put that text on the clipboard, and say so.

async function copy(button) {
  const text = button.dataset.copy;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS a page may not write to the clipboard: the text is shown whole, to be taken by hand.
    button.firstChild.textContent = text;
    getSelection().selectAllChildren(button);
    return;
  }
  button.dataset.copied = "";
  const told = document.getElementById("copied");
  if (told) told.textContent = "The digest is copied.";
  setTimeout(() => delete button.dataset.copied, 2000);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("[data-copy]");
  if (button) copy(button);
});
