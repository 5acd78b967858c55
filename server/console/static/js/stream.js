// A form with data-stream posts itself and shows how far the work is, line by
// line, until the last line brings what takes the place of the element that
// data-stream names. A button with data-after waits for a report there.

import { say } from "./app.js";

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.stream === undefined) return;
  event.preventDefault();
  const body = new FormData(form, event.submitter);
  const buttons = [...form.querySelectorAll("button")];
  for (const b of buttons) b.disabled = true;
  const bar = show(document.getElementById(form.dataset.stream));
  try {
    const multipart = form.enctype === "multipart/form-data";
    const answer = await fetch(form.action, {
      method: "POST",
      body: multipart ? body : new URLSearchParams(body),
      headers: { Accept: "application/x-ndjson" },
    });
    if (!answer.ok || !answer.headers.get("Content-Type").startsWith("application/x-ndjson")) throw new Error(answer.status);
    await read(answer.body, (line) => {
      if (line.html !== undefined) {
        const place = document.getElementById(form.dataset.stream);
        place.outerHTML = line.html;
        return;
      }
      bar.label.textContent = line.text ?? "";
      if (line.total) Object.assign(bar.progress, { max: line.total, value: line.done ?? 0 });
    });
  } catch (error) {
    bar.box.remove();
    say(document.getElementById("unreached")?.textContent ?? String(error), "failed");
  }
  for (const b of buttons) b.disabled = false;
  after();
});

// show puts a bar into the place, which runs until something is known.
function show(place) {
  const box = document.createElement("div");
  box.className = "progress";
  const label = document.createElement("span");
  const progress = document.createElement("progress");
  progress.setAttribute("aria-labelledby", "stream-label");
  label.id = "stream-label";
  box.append(label, progress);
  place.replaceChildren(box);
  return { box, label, progress };
}

async function read(stream, take) {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    rest += value ?? "";
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) if (line) take(JSON.parse(line));
    if (done) return;
  }
}

// A file is looked at before it is taken in.
function after() {
  for (const button of document.querySelectorAll("[data-after]")) {
    button.disabled = !document.querySelector(`#${button.dataset.after} [data-report]`);
  }
}

after();
document.addEventListener("change", (event) => {
  const form = event.target.form;
  if (form?.dataset.stream === undefined) return;
  document.getElementById(form.dataset.stream)?.replaceChildren();
  after();
});
