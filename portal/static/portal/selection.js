// Rows that are selected: with the mouse, with shift, with keys. The list replaces itself every few seconds; what is
// selected stays selected in it, and the keyboard stays where it was, or goes to the row that took its place.
(function () {
  "use strict";

  const chosen = new Set();
  let anchor = null; // where a range begins
  let latest = null; // the row that was acted on last
  let place = null; // of the focused row, while the list is replaced

  const boxes = () => [...document.querySelectorAll("[data-row] [data-select]")];
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const boxOf = (row) => row.querySelector("[data-select]");

  function mark(box, on) {
    const row = box.closest("[data-row]");
    box.checked = on;
    row.classList.toggle("is-selected", on);
    if (on) chosen.add(row.id);
    else chosen.delete(row.id);
  }

  const matching = () => document.getElementById("select-matching");
  const isEvery = () => Boolean(matching() && matching().checked);

  function tell() {
    const count = chosen.size;
    const words = isEvery() ? "All pages selected" : count ? `${count} selected` : "Nothing selected";
    const line = document.getElementById("selected");
    if (line) line.textContent = words;
    const all = document.getElementById("select-page");
    if (all) {
      all.checked = count > 0 && count === boxes().length;
      all.indeterminate = count > 0 && !all.checked;
    }
    window.portal.announce(words);
  }

  function unlessLessThanEvery() {
    if (matching() && boxes().some((box) => !box.checked)) matching().checked = false;
  }

  function toggle(row) {
    mark(boxOf(row), !boxOf(row).checked);
    unlessLessThanEvery();
    anchor = latest = row.id;
    tell();
  }

  function range(from, to) {
    const all = rows();
    const [first, last] = [all.indexOf(from), all.indexOf(to)].sort((one, other) => one - other);
    for (const row of all.slice(Math.max(0, first), last + 1)) mark(boxOf(row), true);
    latest = to.id;
    tell();
  }

  function every(on) {
    for (const box of boxes()) mark(box, on);
    if (!on && matching()) matching().checked = false;
    anchor = null;
    tell();
  }

  // All pages of the list as its filters are now; the form shows what that comes to before anything is decided.
  function everything() {
    if (!matching()) return;
    matching().checked = !matching().checked;
    every(matching().checked);
  }

  document.addEventListener("click", (event) => {
    if (event.target.id === "select-page") every(event.target.checked);
    if (event.target.closest("[data-action=clear]")) every(false);
    if (event.target.id === "select-matching") every(event.target.checked);
    const box = event.target.closest("[data-select]");
    if (!box) return;
    const row = box.closest("[data-row]");
    const start = event.shiftKey && anchor && document.getElementById(anchor);
    if (start) range(start, row);
    else {
      mark(box, box.checked);
      unlessLessThanEvery();
      anchor = latest = row.id;
      tell();
    }
  });

  // --- while the list is replaced --------------------------------------------------------------------------------------

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "queue" || !event.detail.shouldSwap) return;
    const row = document.activeElement.closest("#queue [data-row]");
    place = row ? { id: row.id, at: rows().indexOf(row) } : null;
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (!event.detail.elt || event.detail.elt.id !== "queue") return;
    const query = document.querySelector("#queue [name=query]");
    if (matching() && query && matching().value !== query.value) {
      matching().value = query.value;
      every(false); // other filters, other incidents
    }
    restore();
    const all = rows();
    const isLost = document.activeElement === document.body || document.activeElement === null;
    if (place && isLost && all.length) {
      window.portal.actions.focusRow(document.getElementById(place.id) || all[Math.min(place.at, all.length - 1)]);
    }
    place = null;
  });

  // Rows that were brought up to date where they are.
  document.addEventListener("queue:rows", restore);

  function restore() {
    const before = chosen.size;
    const kept = new Set(chosen);
    chosen.clear();
    for (const box of boxes()) mark(box, isEvery() || kept.has(box.closest("[data-row]").id));
    if (before !== chosen.size) tell();
  }

  // A page that comes back from the browser's history brings its ticks along; a browser may set them after the scripts.
  function found() {
    for (const box of boxes()) mark(box, isEvery() || box.checked);
    if (chosen.size) tell();
  }

  found();
  window.addEventListener("pageshow", found);

  window.portal.selection = {
    toggle,
    all: () => every(true),
    everything,
    clear: () => every(false),
    count: () => chosen.size || (isEvery() ? 1 : 0),
    last: () => (latest && document.getElementById(latest)) || null,
    extend(from, to) {
      anchor = anchor || from.id;
      range(document.getElementById(anchor) || from, to);
    },
  };
})();
