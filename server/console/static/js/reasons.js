// Reasons are put into order by dragging their rows; the buttons up and down do
// the same by keyboard.

let dragged = null;

const row = (event) => event.target.closest?.("[data-reason]");
const order = () => [...document.querySelectorAll("[data-reason]")].map((r) => r.dataset.reason).join(",");
let before = "";

document.addEventListener("dragstart", (event) => {
  dragged = row(event);
  if (!dragged) return;
  before = order();
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", dragged.dataset.reason);
  dragged.classList.add("dragged");
});

document.addEventListener("dragover", (event) => {
  const over = row(event);
  if (!dragged || !over) return;
  event.preventDefault();
  if (over === dragged) return;
  const { top, height } = over.getBoundingClientRect();
  over[event.clientY < top + height / 2 ? "before" : "after"](dragged);
});

document.addEventListener("drop", (event) => {
  if (dragged) event.preventDefault();
});

document.addEventListener("dragend", () => {
  if (!dragged) return;
  dragged.classList.remove("dragged");
  dragged = null;
  const list = document.getElementById("reasons");
  if (order() === before) return;
  htmx.ajax("POST", list.dataset.order, { source: list, target: "#reasons", select: "#reasons", swap: "outerHTML", values: { ids: order() } });
});
