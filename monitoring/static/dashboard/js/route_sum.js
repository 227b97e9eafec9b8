// Under the editor of routes: what the live weights sum to, as they are typed.

const editor = document.getElementById("editor");
const sum = document.getElementById("sum");

function update() {
  let total = 0;
  for (const mode of editor.querySelectorAll("select[name^=mode-]")) {
    const weight = editor.elements[mode.name.replace("mode-", "weight-")];
    if (mode.value === "live") total += Number(weight.value) || 0;
  }
  sum.textContent = total;
  sum.classList.toggle("bw-off", total !== 100);
}

editor?.addEventListener("input", update);
if (editor) update();
