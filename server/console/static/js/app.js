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
  if (opens) document.getElementById(opens.dataset.dialog).showModal();
  if (at("[data-close]")) at("dialog").close();
  if (event.target.matches("dialog")) event.target.close(); // beside the dialog
  if (at("[data-dismiss]")) at("[data-toast]").remove();
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
  words.dir = "auto";
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
  if (event.target.id === "drawer-body") document.getElementById("drawer").showModal();
});
