// Changing incidents: the dialog, the note that tells, and what is asked anew once something was decided. Without it the
// same forms work as plain pages.
(function () {
  "use strict";

  const dialog = document.getElementById("triage");
  const body = document.getElementById("triage-body");
  const toast = document.getElementById("toast");
  if (!dialog) return;
  let opener = null; // where the keyboard was: the row's id, or the element's

  // The note stands above the bar, which has as many lines as the window's width makes it.
  const bar = document.querySelector(".triage-bar.is-list");
  if (bar) {
    const height = () => document.documentElement.style.setProperty("--bar-height", `${bar.offsetHeight}px`);
    new ResizeObserver(height).observe(bar);
  }

  const row = () => document.activeElement.closest("[data-row]") || (window.portal.selection && window.portal.selection.last());

  // --- the dialog --------------------------------------------------------------------------------------------------------

  function open() {
    if (dialog.open) return;
    const place = document.activeElement.closest("[data-row]") || document.activeElement;
    opener = place.id;
    dialog.showModal();
  }

  function close() {
    if (dialog.open) dialog.close();
  }

  // The list may have been replaced meanwhile, so the place is found again by its name.
  dialog.addEventListener("close", () => {
    body.replaceChildren();
    const place = opener && document.getElementById(opener);
    if (!place) return;
    if (place.dataset.row !== undefined) window.portal.actions.focusRow(place);
    else place.focus({ preventScroll: true });
  });

  // htmx takes a form over a moment after it is there; a quick hand would be faster, and send it as a plain one.
  function arrived(event) {
    const { target } = event.detail;
    if (target === toast) window.htmx.process(toast);
    if (target !== body) return;
    window.htmx.process(body);
    open();
    const first = body.querySelector("[autofocus]") || body.querySelector("button");
    if (first) first.focus();
  }

  document.addEventListener("htmx:afterSwap", arrived);
  document.addEventListener("htmx:oobAfterSwap", arrived);

  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-close]")) close();
    if (event.target.closest("[data-dismiss]")) toast.replaceChildren();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    const form = event.target.closest(".triage-form");
    if (form) form.requestSubmit();
  });

  // --- what is sent ------------------------------------------------------------------------------------------------------

  // Nothing ticked: the action is about the row with the keyboard in it.
  document.addEventListener("htmx:configRequest", (event) => {
    const { elt, parameters } = event.detail;
    if (!elt.closest("#selection")) return;
    if (parameters.matching !== undefined) {
      delete parameters.incident; // the filters say it all
      return;
    }
    if (parameters.incident) return;
    const box = row() && row().querySelector("[data-select]");
    if (box) parameters.incident = box.value;
  });

  // --- what was decided --------------------------------------------------------------------------------------------------

  document.addEventListener("decided", (event) => {
    const form = document.getElementById("selection");
    if (form && event.detail.key) form.elements.key.value = event.detail.key;
    if (event.detail.open === false) {
      close();
      if (window.portal.selection) window.portal.selection.clear();
    }
    for (const part of document.querySelectorAll("[data-refresh]")) window.htmx.trigger(part, "poll");
    countDown();
  });

  document.addEventListener("htmx:responseError", (event) => failed(event, "The portal could not do this."));
  document.addEventListener("htmx:sendError", (event) => failed(event, "The portal did not answer."));

  function failed(event, words) {
    if (!event.detail.elt.closest("#selection, #triage, #toast, .change-list")) return;
    const line = document.createElement("p");
    line.textContent = `${words} Try once more: the same change is made only once.`;
    const note = document.createElement("div");
    note.className = "toast-body";
    note.append(line);
    toast.replaceChildren(note);
    close();
  }

  function countDown() {
    for (const form of document.querySelectorAll("[data-until]")) {
      const left = Math.ceil((Date.parse(form.dataset.until) - window.portal.now()) / 1000);
      if (left <= 0) form.remove();
      else form.querySelector("[data-left]").textContent = `${left} s left`;
    }
  }

  setInterval(countDown, 500);
})();
