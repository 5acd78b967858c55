// The guide's own: printing, which browsers make a PDF of.

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});
