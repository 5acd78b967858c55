// Rows that are added, removed, ordered by keyboard and dragged by their grip: those
// of a mapping and of a condition. Whoever has the focus in one keeps it. The form
// says rows-changed whenever rows come, go or move.

export const inside = (event, selector) => event.target.closest?.(selector);
export const changed = (at) => {
  forgive(at);
  at.closest("form").dispatchEvent(new CustomEvent("rows-changed"));
};

// forgive forgets what was wrong with a mapping that is not as it was any more.
function forgive(at) {
  if (at.closest("#mapping")) document.getElementById("mapping-error").replaceChildren();
}

document.addEventListener("input", (event) => forgive(event.target));

let added = 0;

// grow adds a row made of a template to a list, and puts the focus into it.
export function grow(list, template, focus) {
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
  (next?.querySelector("[data-remove]") ?? document.getElementById(list.dataset.adds)).focus();
  changed(list);
}

function move(row, up) {
  const other = up ? row.previousElementSibling : row.nextElementSibling;
  if (!other) return;
  const focused = document.activeElement;
  other[up ? "before" : "after"](row);
  focused.focus();
  changed(row);
}

const firstField = "input:not([type=hidden])";

document.addEventListener("click", (event) => {
  if (inside(event, "#add-entry")) grow("mapping", "mapping-row", firstField);
  const sent = [...document.querySelectorAll("#mapping [name$=-Source]")].find((source) => source.value === "RoutingID");
  if (inside(event, "#add-routing") && sent) sent.focus(); // once is enough
  else if (inside(event, "#add-routing")) {
    const row = grow("mapping", "mapping-row", firstField);
    const [target, source] = row.querySelectorAll(".mapping-main input");
    target.value = source.value = "RoutingID";
    target.select();
    changed(row);
  }
  const removed = inside(event, "[data-remove]")?.closest("li");
  if (removed) remove(removed);
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
  if (!row || row.closest("fieldset:disabled")) return;
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
    changed(row);
  };
  document.addEventListener("pointermove", drag);
  document.addEventListener("pointerup", drop, { once: true });
});

// What came of a test is seen, or the first field that is wrong.
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "editor") return;
  (document.querySelector("#editor [autofocus]") ?? document.getElementById("trial"))?.scrollIntoView({ block: "center" });
});

// The settings of another connector come while one types on: what is typed by then
// stays, and what is open stays open.
let settings = null;

document.addEventListener("htmx:beforeSwap", (event) => {
  const old = event.detail.target;
  if (old.id !== "settings") return;
  settings = { open: old.querySelector("details")?.open, fields: [...old.querySelectorAll("[name]")] };
});
document.addEventListener("htmx:afterSwap", (event) => {
  if (event.target.id !== "settings" || !settings) return;
  for (const { name, value, checked } of settings.fields) {
    const field = event.target.querySelector(`[name="${CSS.escape(name)}"]`);
    if (!field) continue;
    if (field.type === "checkbox") field.checked = checked;
    else if (field.tagName !== "SELECT" || [...field.options].some((option) => option.value === value)) field.value = value;
  }
  const more = event.target.querySelector("details");
  if (more && settings.open) more.open = true;
  settings = null;
});
