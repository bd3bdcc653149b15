// The command list: every action that can be done here, every page, and incidents by number or tenant, in one box.
// It follows the pattern "combobox with listbox": focus stays in the box, the arrows choose.
(function () {
  "use strict";

  const dialog = document.getElementById("palette");
  if (!dialog) return;
  const box = document.getElementById("palette-box");
  const list = document.getElementById("palette-list");
  const found = document.getElementById("palette-found");
  const empty = document.getElementById("palette-empty");
  let opener = null;
  let at = 0;

  const options = () => [...dialog.querySelectorAll("[role=option]")].filter((one) => !one.hidden);

  function option(words, hint, keys, run) {
    const item = document.createElement("li");
    item.setAttribute("role", "option");
    item.className = "palette-option";
    const text = document.createElement("span");
    text.textContent = words;
    const note = document.createElement("span");
    note.className = "muted small";
    note.textContent = hint;
    item.append(text, note);
    if (keys) item.append(keys);
    item.dataset.words = `${words} ${hint}`.toLowerCase();
    item.addEventListener("click", () => {
      close();
      run();
    });
    return item;
  }

  function fill() {
    const { all, keysOf } = window.portal.actions;
    const actions = all().filter((action) => !["commands", "open"].includes(action.id));
    const made = actions.map((action) => option(action.words, action.group, keysOf(action), action.run));
    const pages = [...document.querySelectorAll(".nav a, [data-page]")].map((link) =>
      option(link.dataset.page || link.textContent.trim(), "Page", null, () => window.location.assign(link.href)),
    );
    list.replaceChildren(...made, ...pages);
    found.replaceChildren();
  }

  function narrow() {
    const words = box.value.trim().toLowerCase().split(/\s+/);
    for (const item of list.children) item.hidden = !words.every((word) => item.dataset.words.includes(word));
    choose(0);
  }

  function choose(next) {
    const all = options();
    // What is hidden keeps neither the choice nor the name that an option in sight gets.
    for (const one of dialog.querySelectorAll("[role=option]")) {
      one.removeAttribute("id");
      one.setAttribute("aria-selected", "false");
    }
    all.forEach((one, number) => (one.id = `palette-${number}`));
    at = all.length ? (next + all.length) % all.length : 0;
    all.forEach((one, number) => one.setAttribute("aria-selected", String(number === at)));
    empty.hidden = all.length > 0;
    if (!all.length) return box.removeAttribute("aria-activedescendant");
    box.setAttribute("aria-activedescendant", all[at].id);
    all[at].scrollIntoView({ block: "nearest" });
  }

  function open() {
    // The action belongs to where the keyboard was, so it must be found there again.
    opener = document.activeElement;
    fill();
    box.value = "";
    dialog.showModal();
    box.focus();
    narrow();
  }

  function close() {
    dialog.close();
    if (opener && opener.isConnected) opener.focus({ preventScroll: true });
  }

  box.addEventListener("input", narrow);
  box.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") choose(at + (event.key === "ArrowDown" ? 1 : -1));
    else if (event.key === "Enter") options()[at]?.click();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => {
    const item = event.target.closest("[data-href]");
    if (item) window.location.assign(item.dataset.href);
    if (event.target === dialog) close();
  });
  // Incidents and tenants come from the portal, a moment after the last key.
  dialog.addEventListener("htmx:afterSettle", () => choose(Math.min(at, options().length - 1)));

  window.portal.openPalette = open;
})();
