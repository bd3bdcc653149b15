// Every action of the portal with its key, once: the list behind "?", the command list and the keys themselves read it.
// An action without a way of its own presses the button or link of the page that bears its name in data-action, so that
// an action can be done with a key exactly where it can be done with the mouse.
(function () {
  "use strict";

  const press = (id) => () => pressable(id).click();
  const goTo = (id) => () => window.location.assign(pressable(id).href);

  const ACTIONS = [
    { id: "next-row", group: "List", keys: ["j", "ArrowDown"], words: "Next row", run: () => move(1), can: hasRows },
    { id: "previous-row", group: "List", keys: ["k", "ArrowUp"], words: "Previous row", run: () => move(-1), can: hasRows },
    { id: "open", group: "List", keys: ["o", "Enter"], words: "Open the row", run: () => currentLink().click(), can: () => Boolean(currentLink()) },
    { id: "select", group: "List", keys: ["x"], words: "Select the row", run: () => selection().toggle(currentRow()), can: canSelect },
    { id: "select-down", group: "List", keys: ["J", "Shift+ArrowDown"], words: "Select down to the next row", run: () => extend(1), can: canSelect },
    { id: "select-up", group: "List", keys: ["K", "Shift+ArrowUp"], words: "Select up to the previous row", run: () => extend(-1), can: canSelect },
    { id: "select-page", group: "List", keys: ["*"], words: "Select all rows of the page", run: () => selection().all(), can: () => Boolean(selection()) && hasRows() },
    { id: "select-matching", group: "List", keys: ["e"], words: "Select all that match, on every page", run: () => selection().everything(), can: () => Boolean(selection()) && hasRows() },
    { id: "arrivals", group: "List", keys: ["l"], words: "Show what has arrived", run: () => arrivals().click(), can: () => Boolean(arrivals()) },
    { id: "clear", group: "List", keys: ["Escape"], words: "Select nothing", run: () => selection().clear(), can: () => Boolean(selection() && selection().count()) },
    { id: "assign-to-me", group: "Incident", keys: ["a"], words: "Assign to me", run: press("assign-to-me") },
    { id: "assign", group: "Incident", keys: ["A"], words: "Assign to somebody …", run: press("assign") },
    { id: "status", group: "Incident", keys: ["s"], words: "Change the status, reopen …", run: press("status") },
    { id: "classify", group: "Incident", keys: ["v"], words: "Classify …", run: press("classify") },
    { id: "tags", group: "Incident", keys: ["t"], words: "Change tags …", run: press("tags") },
    { id: "comment", group: "Incident", keys: ["c"], words: "Comment …", run: press("comment") },
    { id: "resolve", group: "Incident", keys: ["r"], words: "Resolve with classification …", run: press("resolve") },
    { id: "next-incident", group: "Incident", keys: ["n"], words: "Next incident", run: press("next-incident") },
    { id: "undo", group: "Incident", keys: ["u"], words: "Undo the last change", run: press("undo") },
    { id: "go-queue", group: "Go to", keys: ["g q"], words: "Queue", run: goTo("go-queue") },
    { id: "go-dashboard", group: "Go to", keys: ["g d"], words: "Overview", run: goTo("go-dashboard") },
    { id: "go-changes", group: "Go to", keys: ["g m"], words: "My changes", run: goTo("go-changes") },
    { id: "go-tenants", group: "Go to", keys: ["g t"], words: "Tenants", run: goTo("go-tenants") },
    { id: "go-preferences", group: "Go to", keys: ["g p"], words: "Preferences", run: goTo("go-preferences") },
    { id: "search", group: "Everywhere", keys: ["/"], words: "Look for words", run: search, can: () => Boolean(words() || pressable("go-queue")) },
    { id: "times", group: "Everywhere", keys: ["z"], words: "Show times exactly, or how long ago", run: () => window.portal.toggleTimes(), can: () => true },
    { id: "commands", group: "Everywhere", keys: ["Ctrl+K", "."], words: "Commands, pages and incidents", run: () => window.portal.openPalette(), can: () => true },
    { id: "keys", group: "Everywhere", keys: ["?"], words: "This list", run: showKeys, can: () => true },
  ];

  const isOff = document.documentElement.dataset.keys === "off";
  let begun = "";
  let begunAt = 0;

  // --- what is on the page ---------------------------------------------------------------------------------------------

  function pressable(id) {
    const all = document.querySelectorAll(`[data-action="${id}"]`);
    // What lies in a closed menu can be gone to, but not seen: an address is enough.
    return [...all].find((one) => !one.disabled && (one.href || one.getClientRects().length)) || null;
  }

  const can = (action) => (action.can ? Boolean(action.can()) : Boolean(pressable(action.id)));
  const selection = () => window.portal.selection || null;
  const words = () => document.getElementById("words");
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const currentRow = () => document.activeElement.closest("[data-row]") || selection()?.last() || null;
  const currentLink = () => currentRow()?.querySelector("[data-open]") || null;

  const arrivals = () => document.querySelector("#arrivals:not([hidden]) [data-arrivals]");

  function hasRows() {
    return rows().length > 0;
  }

  function canSelect() {
    return Boolean(selection() && currentRow());
  }

  function move(step) {
    const all = rows();
    const at = all.indexOf(currentRow());
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
    focusRow(all[next]);
    return all[next];
  }

  function focusRow(row) {
    row.querySelector("[data-open]").focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function extend(step) {
    const from = currentRow();
    selection().extend(from, move(step));
  }

  function search() {
    if (words()) words().focus();
    else window.location.assign(`${pressable("go-queue").href}#words`);
  }

  // --- the list behind "?" ---------------------------------------------------------------------------------------------

  function keyOf(text) {
    const key = document.createElement("kbd");
    key.textContent = text.replace("ArrowDown", "↓").replace("ArrowUp", "↑").replace("Escape", "Esc");
    return key;
  }

  function keysOf(action) {
    const place = document.createElement("span");
    action.keys.forEach((key, at) => {
      if (at) place.append(" or ");
      key.split(" ").forEach((one, part) => place.append(part ? " then " : "", keyOf(one)));
    });
    return place;
  }

  function showKeys() {
    const dialog = document.getElementById("keys");
    const list = document.getElementById("keys-list");
    list.replaceChildren();
    for (const group of new Set(ACTIONS.map((action) => action.group))) {
      const title = document.createElement("h3");
      title.textContent = group;
      const facts = document.createElement("dl");
      facts.className = "facts keys";
      for (const action of ACTIONS.filter((one) => one.group === group)) {
        const term = document.createElement("dt");
        const text = document.createElement("dd");
        term.append(keysOf(action));
        text.textContent = action.words;
        facts.append(term, text);
      }
      list.append(title, facts);
    }
    dialog.showModal();
  }

  // --- keys --------------------------------------------------------------------------------------------------------------

  function isTyping(target) {
    const fields = "input:not([type=checkbox], [type=radio]), select, textarea, dialog, [contenteditable], [role=combobox]";
    // Until the next frame after a dialog has closed, the keyboard is still in the field that was in it.
    if (target.closest("dialog:not([open])")) return false;
    return target.closest(fields) !== null;
  }

  // The key as the table spells it: the shift key decides about letters, and caps lock does not.
  function spelled(event) {
    const key = event.key.length === 1 && event.key.toLowerCase() !== event.key.toUpperCase()
      ? (event.shiftKey ? event.key.toUpperCase() : event.key.toLowerCase())
      : event.key;
    return event.shiftKey && key.startsWith("Arrow") ? `Shift+${key}` : key;
  }

  const isCharacter = (keys) => [...keys.split(" ")].every((one) => one.length === 1);

  function wanted(event) {
    const key = spelled(event);
    const recent = begun && event.timeStamp - begunAt < 2000 ? `${begun} ${key}` : "";
    begun = "";
    const found = ACTIONS.find((action) => recent && action.keys.includes(recent));
    if (found) return found;
    if (ACTIONS.some((action) => action.keys.some((keys) => keys.startsWith(`${key} `)))) {
      begun = key;
      begunAt = event.timeStamp;
    }
    return ACTIONS.find((action) => action.keys.includes(key));
  }

  function isLeftAlone(event, key) {
    const inMenu = event.target.closest("details[open] .menu-panel, [role=listbox], [role=menu]") !== null;
    // Arrows scroll the page as ever, unless somebody is in the list already; Enter does what is focused.
    if (key.includes("Arrow")) return inMenu || !event.target.closest("[data-row]");
    if (key === "Enter") return true;
    return key === "Escape" && document.querySelector("details[data-menu][open]") !== null;
  }

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      if (!document.querySelector("dialog[open]")) window.portal.openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || isTyping(event.target)) return;
    if (isOff && isCharacter(event.key)) return;
    const action = wanted(event);
    if (!action || isLeftAlone(event, spelled(event)) || !can(action)) return;
    event.preventDefault();
    action.run();
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-action=keys], [data-action=commands]");
    if (button) ACTIONS.find((action) => action.id === button.dataset.action).run();
  });

  if (window.location.hash === "#words" && words()) words().focus();
  window.portal.actions = { all: () => ACTIONS.filter(can), keysOf, focusRow };
})();
