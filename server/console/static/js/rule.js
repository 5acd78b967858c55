// The rule editor: rows that are added, removed and ordered, the week that is
// painted, and which of the condition's two forms was changed last. All of it
// works by keyboard. The server is asked again whenever the form says
// rule-changed.

const inside = (event, selector) => event.target.closest?.(selector);
const form = () => document.getElementById("rule");
const changed = () => form().dispatchEvent(new CustomEvent("rule-changed"));
const conditionBy = (side) => { document.getElementById("condition-by").value = side; };

// Rows -----------------------------------------------------------------------

let added = 0;

function grow(list, template, focus) {
  const row = document.getElementById(template).content.firstElementChild.cloneNode(true);
  added += 1;
  for (const field of row.querySelectorAll("[name]")) field.name = field.name.replace("-KEY-", `-new${added}-`);
  const key = row.querySelector("[name=m-row]");
  if (key) key.value = `new${added}`;
  document.getElementById(list).append(row);
  row.querySelector(focus).focus();
  return row;
}

function remove(row) {
  const next = row.nextElementSibling ?? row.previousElementSibling;
  const list = row.parentElement;
  row.remove();
  const focus = next?.querySelector("[data-remove]") ?? document.getElementById(list.id === "mapping" ? "add-entry" : "add-condition");
  focus.focus();
}

function move(row, up) {
  const other = up ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  const focused = document.activeElement;
  other[up ? "before" : "after"](row);
  focused.focus();
  changed();
}

document.addEventListener("click", (event) => {
  if (inside(event, "#add-condition")) {
    grow("condition-list", "condition-row", "[name=cond-property]");
    conditionBy("rows");
  }
  if (inside(event, "#add-entry")) grow("mapping", "mapping-row", "input:not([type=hidden])");
  if (inside(event, "#add-routing")) {
    const row = grow("mapping", "mapping-row", "input:not([type=hidden])");
    const [target, source] = row.querySelectorAll(".mapping-main input");
    target.value = source.value = "RoutingID";
    target.select();
    changed();
  }
  const removed = inside(event, "[data-remove]")?.closest("li");
  if (removed) {
    if (removed.matches(".condition-row")) conditionBy("rows");
    remove(removed);
    changed();
  }
  const up = inside(event, "[data-up]");
  const down = inside(event, "[data-down]");
  if (up ?? down) move((up ?? down).closest("li"), Boolean(up));
});

document.addEventListener("keydown", (event) => {
  const row = inside(event, ".mapping-row");
  if (row && event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
    event.preventDefault();
    move(row, event.key === "ArrowUp");
  }
});

// A row is dragged by its grip: it goes where the pointer is.
document.addEventListener("pointerdown", (event) => {
  const row = inside(event, "[data-grip]")?.closest("li");
  if (!row || form().dataset.readonly !== undefined) return;
  event.preventDefault();
  row.classList.add("dragged");
  const list = row.parentElement;
  const drag = (moved) => {
    const under = [...list.children].find((other) => {
      const box = other.getBoundingClientRect();
      return moved.clientY >= box.top && moved.clientY <= box.bottom;
    });
    if (!under || under === row) return;
    under[under.compareDocumentPosition(row) & Node.DOCUMENT_POSITION_FOLLOWING ? "before" : "after"](row);
  };
  const drop = () => {
    row.classList.remove("dragged");
    document.removeEventListener("pointermove", drag);
    changed();
  };
  document.addEventListener("pointermove", drag);
  document.addEventListener("pointerup", drop, { once: true });
});

// The condition --------------------------------------------------------------

function showRow(row) {
  const operator = row.querySelector("[name=cond-operator]").value;
  row.querySelector("[name=cond-value]").hidden = operator === "empty" || operator === "filled";
  row.classList.toggle("either", row.querySelector("[name=cond-join]").value === "or" && row !== row.parentElement.firstElementChild);
}

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
    changed();
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
  if (paint !== null) changed();
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
  if (event.target.id === "editor") {
    prepare();
    (document.querySelector("#editor [autofocus]") ?? document.getElementById("trial"))?.scrollIntoView({ block: "center" });
  }
});
document.addEventListener("htmx:oobAfterSwap", () => {
  for (const row of document.querySelectorAll("#condition-list > li")) showRow(row);
});
