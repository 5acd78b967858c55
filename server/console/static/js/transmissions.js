// The list shows itself anew while it is read, but not while nobody sees it or a
// drawer is open over it.
document.addEventListener("htmx:beforeRequest", (event) => {
  const polled = event.target.id === "live" && !event.detail.requestConfig.triggeringEvent;
  if (polled && (document.hidden || document.querySelector("dialog[open]"))) event.preventDefault();
});
