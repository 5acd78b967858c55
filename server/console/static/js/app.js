// What every page does in the browser: the drawer of the navigation, dialogs,
// toasts, copying, and confirming by a typed name. All of it hangs on data-
// attributes and works for what htmx brings later.

const menu = document.getElementById("menu");
const side = document.getElementById("nav");
const shade = document.getElementById("shade");

function openMenu(open) {
  if (!menu) return;
  menu.setAttribute("aria-expanded", String(open));
  side.classList.toggle("open", open);
  shade.hidden = !open;
  (open ? side.querySelector("nav a") : menu).focus();
}

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest(selector);
  if (at("#menu")) openMenu(menu.getAttribute("aria-expanded") !== "true");
  if (at("#shade")) openMenu(false);
  const opens = at("[data-dialog]");
  if (opens) open(document.getElementById(opens.dataset.dialog));
  if (at("[data-close]")) at("dialog").close();
  if (event.target.matches("dialog")) event.target.close(); // beside the dialog
  if (at("[data-dismiss]")) {
    const place = placeOf(event.target);
    at("[data-toast]").remove();
    if (nowhere()) focusAt(place);
  }
  const copies = at("[data-copy]");
  if (copies) copy(copies);
  if (at("[aria-disabled=true]")) event.preventDefault();
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && side?.classList.contains("open")) openMenu(false);
});

document.addEventListener("input", (event) => {
  const typed = event.target;
  if (typed.dataset.typeName !== undefined) {
    typed.form.querySelector("button.danger").disabled = typed.value.trim() !== typed.dataset.typeName;
  }
  if (typed.dataset.enables) {
    document.getElementById(typed.dataset.enables).setAttribute("aria-disabled", String(!typed.checked));
  }
});

async function copy(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  button.classList.add("copied");
  say(document.getElementById("copied").textContent);
  setTimeout(() => button.classList.remove("copied"), 1500);
}

// say shows a toast, for modules of pages too.
export function say(text, kind = "done") {
  const toast = document.createElement("div");
  toast.className = `toast ${kind}`;
  toast.dataset.toast = "";
  const words = document.createElement("p");
  words.textContent = text;
  toast.append(words);
  document.getElementById("toasts").append(toast);
}

// A toast leaves by itself, but not while someone reads it or may act on it.
function leave(toast) {
  let timer;
  const stop = () => clearTimeout(timer);
  const start = () => {
    stop();
    timer = setTimeout(() => toast.remove(), toast.querySelector("form") ? 15000 : 6000);
  };
  toast.addEventListener("pointerenter", stop);
  toast.addEventListener("pointerleave", start);
  toast.addEventListener("focusin", stop);
  toast.addEventListener("focusout", start);
  if (!toast.classList.contains("failed")) start();
}

// What was wrong with a field was wrong with what it said.
document.addEventListener("input", (event) => {
  const field = event.target.closest(".field.wrong");
  if (!field) return;
  field.classList.remove("wrong");
  field.querySelector(".field-error").remove();
  event.target.removeAttribute("aria-invalid");
});

// prepare readies what is on the page, or came to it.
function prepare(root) {
  for (const typed of root.querySelectorAll("[data-type-name]")) {
    typed.form.querySelector("button.danger").disabled = true;
  }
  for (const toast of root.querySelectorAll("[data-toast]")) leave(toast);
}

prepare(document);
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });
new MutationObserver((changes) => {
  for (const change of changes) {
    for (const node of change.addedNodes) if (node.dataset?.toast !== undefined) leave(node);
  }
}).observe(document.getElementById("toasts"), { childList: true });

document.addEventListener("htmx:afterSwap", (event) => {
  prepare(event.target);
  if (event.target.id === "drawer-body") open(document.getElementById("drawer"));
});

// Focus ----------------------------------------------------------------------

// Who works by keyboard keeps their place when what they stand on is made anew: on
// the same thing, or on what came in its place.
const reachable = (root) => [...root.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")]
  .filter((element) => !element.disabled && element.checkVisibility());

// placeOf says where an element is in each thing around it that has an id.
function placeOf(element) {
  const place = [];
  for (let root = element.closest("[id]"); root; root = root.parentElement?.closest("[id]")) {
    place.push({ id: root.id, index: reachable(root).indexOf(element) });
  }
  return [...place, { id: "main", index: -1 }];
}

function focusAt(place) {
  const top = window.scrollY;
  for (const { id, index } of place) {
    const root = document.getElementById(id);
    const list = root ? reachable(root) : [];
    const there = index < 0 ? root : list[Math.min(index, list.length - 1)];
    there?.focus({ preventScroll: true });
    if (there && document.activeElement === there) break;
  }
  window.scrollTo(window.scrollX, top);
}

const nowhere = () => document.activeElement === document.body || !document.activeElement?.checkVisibility();
let stood = null;

document.addEventListener("htmx:beforeSwap", () => {
  stood = nowhere() ? null : placeOf(document.activeElement);
});
document.addEventListener("htmx:afterRequest", () => {
  if (stood && nowhere()) focusAt(stood);
  stood = null;
});

// A dialog gives the focus back to what opened it, or to what is there instead.
const opened = new WeakMap();

function open(dialog) {
  if (!dialog.open) opened.set(dialog, nowhere() ? [] : placeOf(document.activeElement));
  dialog.showModal();
  dialog.addEventListener("close", () => { if (nowhere()) focusAt(opened.get(dialog)); }, { once: true });
}
