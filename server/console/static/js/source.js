// The rows of an editor: more of them, emptying one, and picking a field of the
// last delivery for the row that was in hand.
const rows = document.querySelector("[data-rows]");
let current = null;

const inputs = (row) => [...row.querySelectorAll("input, textarea, select")];
const value = (row) => row.querySelector('input[list="incoming"]');
const all = () => [...rows.querySelectorAll("[data-row]")];

function renumber(row, number) {
  for (const element of [row, ...row.querySelectorAll("*")]) {
    for (const { name, value } of [...element.attributes]) {
      if (/\/\d+/.test(value)) element.setAttribute(name, value.replace(/\/\d+/, `/${number}`));
    }
  }
}

function empty(row) {
  for (const input of inputs(row)) {
    if (input.type === "checkbox") input.checked = false;
    else if (input.tagName === "SELECT") input.selectedIndex = 0;
    else input.value = "";
  }
  for (const error of row.querySelectorAll(".field-error")) error.remove();
  for (const field of row.querySelectorAll(".wrong")) field.classList.remove("wrong");
}

function add() {
  const row = all().at(-1).cloneNode(true);
  empty(row);
  renumber(row, all().length);
  rows.append(row);
  return row;
}

document.addEventListener("focusin", (event) => {
  current = event.target.closest("[data-row]") ?? current;
});

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  if (at("[data-add]")) inputs(add())[0].focus();
  const clear = at("[data-clear]");
  if (clear) {
    empty(clear.closest("[data-row]"));
    inputs(clear.closest("[data-row]"))[0].focus();
  }
  const pick = at("[data-pick]");
  if (pick) {
    if (!current || value(current).value) current = all().find((row) => !value(row).value) ?? add();
    const expression = current.querySelector("select").value === "Source";
    value(current).value = expression ? pick.dataset.expression : pick.dataset.pick;
    const target = inputs(current)[0];
    (target.value ? value(current) : target).focus();
  }
});
