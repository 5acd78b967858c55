// The rule editor: the week that is painted, and which of the condition's two forms
// was changed last. All of it works by keyboard. The server is asked again whenever
// the form says rows-changed.
import { changed, grow, inside } from "./rows.js";

const conditionBy = (side) => { document.getElementById("condition-by").value = side; };

// The condition --------------------------------------------------------------

function showRow(row) {
  const operator = row.querySelector("[name=cond-operator]").value;
  row.querySelector("[name=cond-value]").hidden = operator === "empty" || operator === "filled";
  row.classList.toggle("either", row.querySelector("[name=cond-join]").value === "or" && row !== row.parentElement.firstElementChild);
}

document.addEventListener("click", (event) => {
  if (inside(event, "#add-condition")) grow("condition-list", "condition-row", "[name=cond-property]");
  if (inside(event, "#add-condition, .condition-row [data-remove]")) conditionBy("rows");
});

document.addEventListener("input", (event) => {
  const row = inside(event, ".condition-row");
  if (row) {
    conditionBy("rows");
    showRow(row);
  }
  if (event.target.id === "f-Condition") conditionBy("text");
  if (event.target.id === "schedule") document.getElementById("week").hidden = event.target.value !== "hours";
  if (event.target.name === "Visibility") showViewers();
});

// What one is writing is not taken from under one's hands.
document.addEventListener("htmx:oobBeforeSwap", (event) => {
  const by = document.getElementById("condition-by")?.value;
  if (event.target.id === "f-Condition" && by !== "rows") event.detail.shouldSwap = false;
  if (event.target.id === "condition-rows" && by !== "text") event.detail.shouldSwap = false;
});

function showViewers() {
  const sight = document.querySelector("[name=Visibility]");
  if (sight) document.querySelector(".viewers").hidden = sight.value !== "chosen";
}

// The week -------------------------------------------------------------------

const cells = () => [...document.querySelectorAll(".week input")];

function enter(cell) {
  for (const other of cells()) other.tabIndex = -1;
  cell.tabIndex = 0;
  cell.focus();
}

document.addEventListener("keydown", (event) => {
  if (!inside(event, ".week input")) return;
  const all = cells();
  const at = all.indexOf(event.target);
  const forward = document.documentElement.dir === "rtl" ? -1 : 1;
  const step = { ArrowRight: forward, ArrowLeft: -forward, ArrowUp: -24, ArrowDown: 24 }[event.key];
  let to = all[at + step];
  if (event.key === "Home") to = all[at - (at % 24)];
  if (event.key === "End") to = all[at - (at % 24) + 23];
  if (!to) return;
  event.preventDefault();
  if (event.shiftKey) { // all up to there become as this one is
    const there = all.indexOf(to);
    const down = Math.abs(there - at) % 24 === 0 && at !== there ? 24 : 1;
    for (let i = at; i !== there; i += Math.sign(there - at) * down) all[i].checked = event.target.checked;
    to.checked = event.target.checked;
    changed(to);
  }
  enter(to);
});

let paint = null;

document.addEventListener("pointerdown", (event) => {
  const cell = inside(event, ".week input");
  if (cell) paint = !cell.checked;
});
document.addEventListener("pointerover", (event) => {
  const cell = inside(event, ".week input");
  if (cell && paint !== null && event.buttons === 1) cell.checked = paint;
});
document.addEventListener("pointerout", (event) => { // the first one is left as a stroke begins
  const cell = inside(event, ".week input");
  if (cell && paint !== null && event.buttons === 1) cell.checked = paint;
});
document.addEventListener("pointerup", () => {
  if (paint !== null) changed(cells()[0]);
  paint = null;
});

// ----------------------------------------------------------------------------

function prepare() {
  const all = cells();
  for (const [i, cell] of all.entries()) cell.tabIndex = i === 0 ? 0 : -1;
  for (const row of document.querySelectorAll("#condition-list > li")) showRow(row);
  showViewers();
}

prepare();
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id === "editor") prepare();
});
document.addEventListener("htmx:oobAfterSwap", () => {
  for (const row of document.querySelectorAll("#condition-list > li")) showRow(row);
});
