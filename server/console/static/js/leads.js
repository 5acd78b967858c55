// The list of leads: conditions that come and go, and an export that shows how far
// it is and can be stopped.
import { say } from "./app.js";

const form = document.getElementById("leads-form");
const conditions = document.getElementById("conditions");

document.getElementById("add-condition").addEventListener("click", () => {
  conditions.append(document.getElementById("condition").content.cloneNode(true));
  conditions.lastElementChild.querySelector("input").focus();
});

conditions.addEventListener("click", (event) => {
  const remove = event.target.closest("[data-remove]");
  if (!remove) return;
  remove.closest(".lead-condition").remove();
  form.dispatchEvent(new Event("change", { bubbles: true }));
});

// What is saved and exported is what the list shows now.
function settle() {
  const query = document.getElementById("list").dataset.query;
  for (const f of document.querySelectorAll("[data-query-form]")) f.elements.query.value = query;
}
document.addEventListener("htmx:afterSettle", settle);

// A menu closes by Escape and by a click beside it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = event.target.closest?.("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

const exporting = document.querySelector("[data-export]");
const bar = document.getElementById("export");
const progress = document.getElementById("export-bar");
const text = document.getElementById("export-text");

exporting.addEventListener("submit", async (event) => {
  event.preventDefault();
  const stop = new AbortController();
  document.getElementById("export-cancel").onclick = () => stop.abort();
  const body = new URLSearchParams(new FormData(exporting, event.submitter));
  for (const b of exporting.querySelectorAll("[name=format]")) b.disabled = true;
  bar.hidden = false;
  try {
    const answer = await fetch(exporting.action, { method: "POST", body, signal: stop.signal });
    if (!answer.ok) throw new Error(String(answer.status));
    await take(answer);
    say(exporting.dataset.done);
  } catch (error) {
    say(stop.signal.aborted ? exporting.dataset.cancelled : exporting.dataset.failed, stop.signal.aborted ? "done" : "failed");
  }
  bar.hidden = true;
  for (const b of exporting.querySelectorAll("[name=format]")) b.disabled = false;
});

// take reads the file as it comes and hands it over when it is whole.
async function take(answer) {
  const total = Number(answer.headers.get("X-Leads"));
  const numbers = new Intl.NumberFormat(document.documentElement.lang);
  const csv = answer.headers.get("Content-Type").startsWith("text/csv");
  const parts = [];
  let rows = 0, bytes = 0, quoted = false;
  for (const reader = answer.body.getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    bytes += value.length;
    if (csv) for (const b of value) if (b === 34) quoted = !quoted; else if (b === 10 && !quoted) rows++;
    if (csv) progress.value = total ? Math.min(rows / total, 1) : 1; else progress.removeAttribute("value");
    const far = csv ? `${numbers.format(Math.min(rows, total))} / ${numbers.format(total)}` : `${numbers.format(Math.round(bytes / 1024))} kB`;
    text.textContent = `${exporting.dataset.progress} ${far}`;
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(parts, { type: answer.headers.get("Content-Type") }));
  link.download = /filename="([^"]*)"/.exec(answer.headers.get("Content-Disposition"))[1];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
