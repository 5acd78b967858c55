// The list shows itself anew while it is read: whoever stands on something in it
// stands there afterwards, and nothing changes under an open drawer.
let held = null;

const focusable = (root) => [...root.querySelectorAll("a, button")];

document.addEventListener("htmx:beforeRequest", (event) => {
  const polled = event.target.id === "live" && !event.detail.requestConfig.triggeringEvent;
  if (polled && (document.hidden || document.querySelector("dialog[open]"))) event.preventDefault();
});

document.addEventListener("htmx:beforeSwap", (event) => {
  const live = document.getElementById("live");
  const focus = document.activeElement;
  held = null;
  if (event.detail.target !== live || !live.contains(focus)) return;
  const place = focus.id ? focus : focus.closest("[id]");
  held = { id: place.id, index: focusable(place).indexOf(focus), y: window.scrollY };
});

document.addEventListener("htmx:afterSettle", () => {
  if (!held || document.activeElement !== document.body) return;
  const place = document.getElementById(held.id);
  const focus = held.index < 0 ? place : place && focusable(place)[held.index];
  focus?.focus({ preventScroll: true });
  window.scrollTo(window.scrollX, held.y);
  held = null;
});
