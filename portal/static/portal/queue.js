// The queue: keyboard, what is new after each update, and a row under the pointer or the focus that does not move.
(function () {
  "use strict";

  const links = () => [...document.querySelectorAll("#queue [data-open]")];
  const rows = (within) => [...within.querySelectorAll("[data-row]")];
  let before = null;

  function move(step) {
    const all = links();
    if (!all.length) return;
    const at = all.findIndex((link) => link.closest("[data-row]").contains(document.activeElement));
    const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(all.length - 1, Math.max(0, at + step));
    all[next].focus();
    all[next].closest("[data-row]").scrollIntoView({ block: "nearest" });
  }

  function isTyping(target) {
    return target.closest("input:not([type=checkbox]), select, textarea, dialog, [contenteditable]") !== null;
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const inMenu = event.target.closest("details[open]") !== null;
    const keys = {
      j: () => move(1),
      k: () => move(-1),
      "/": () => document.getElementById("words").focus(),
      "?": () => document.getElementById("keys").showModal(),
    };
    // Arrows scroll the page as ever, unless somebody is already in the list.
    if (!inMenu && event.target.closest("[data-row]")) {
      keys.ArrowDown = keys.j;
      keys.ArrowUp = keys.k;
    }
    if (!keys[event.key]) return;
    event.preventDefault();
    keys[event.key]();
  });

  // --- updates ----------------------------------------------------------------------------------------------------------

  // The row that somebody is at: with the focus in it, or under the pointer.
  function heldRow() {
    const focused = document.activeElement && document.activeElement.closest("#queue [data-row]");
    return focused || document.querySelector("#queue [data-row]:hover");
  }

  // Its place would change, or it would be gone.
  function wouldMove(held, fresh) {
    const place = (all) => all.findIndex((row) => row.id === held.id);
    return place(rows(document.getElementById("queue"))) !== place(rows(fresh));
  }

  function stamps(within) {
    return new Map(rows(within).map((row) => [row.id, row.dataset.stamp]));
  }

  function announceRows(detail) {
    document.dispatchEvent(new CustomEvent("queue:rows", { detail }));
  }

  // The answer beside the page, to compare with. Only htmx makes markup of text, through the gate.
  function aside(text) {
    const holder = document.createElement("div");
    window.htmx.swap(holder, text, { swapStyle: "innerHTML", swapDelay: 0, settleDelay: 0 });
    return holder.querySelector("#queue");
  }

  // Everything but places: rows that stay get their new content where they are, new ones wait behind a button.
  function holdBack(queue, fresh) {
    const known = stamps(queue);
    const waiting = rows(fresh).filter((row) => !known.has(row.id)).length;
    const changed = rows(fresh).filter((row) => known.has(row.id) && known.get(row.id) !== row.dataset.stamp);
    for (const row of changed) {
      const old = document.getElementById(row.id);
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      const now = document.importNode(row, true);
      now.classList.add("is-changed");
      old.replaceWith(now);
      window.htmx.process(now);
      if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
    }
    for (const part of [".counts", ".queue-line > .muted"]) {
      const [old, now] = [queue.querySelector(part), fresh.querySelector(part)];
      if (old && now) old.replaceWith(document.importNode(now, true));
    }
    // From now on only what is newer than this is told; the path that htmx asks is in the attribute.
    queue.setAttribute("hx-get", fresh.getAttribute("hx-get") || queue.getAttribute("hx-get"));
    window.htmx.process(queue);
    const words = waiting ? `${waiting} new` : "New order";
    const bar = document.getElementById("arrivals");
    if (bar.hidden || bar.firstElementChild.textContent !== words) window.portal.announce(words);
    bar.firstElementChild.textContent = words;
    bar.hidden = false;
    announceRows({ changed: changed.map((row) => row.id), arrived: [] });
  }

  const isWaiting = () => {
    const bar = document.getElementById("arrivals");
    return bar !== null && !bar.hidden;
  };

  // What waits is asked for as soon as nobody is at a row, or at a press of the button: an address without a version
  // answers with everything.
  const everything = (path) => path.replace(/([?&])version=[^&]*&?/, "$1");

  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id === "queue" && isWaiting() && !heldRow()) event.detail.path = everything(event.detail.path);
  });

  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-arrivals]")) return;
    const queue = document.getElementById("queue");
    before = { isUpdate: true, isWanted: true };
    window.htmx.ajax("GET", everything(queue.getAttribute("hx-get")), { target: "#queue", swap: "outerHTML" });
  });

  // The first row in sight stays where it is when others arrive above it.
  function anchor() {
    if (window.scrollY < 200) return null;
    const row = rows(document).find((one) => one.getBoundingClientRect().top >= 0);
    return row ? { id: row.id, top: row.getBoundingClientRect().top } : null;
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    const queue = document.getElementById("queue");
    if (event.detail.target !== queue || !event.detail.shouldSwap) return;
    const isWanted = Boolean(before && before.isWanted);
    const isUpdate = isWanted || event.detail.requestConfig.elt.id === "queue";
    before = { isUpdate, isWanted, stamps: stamps(queue), anchor: isUpdate && !isWanted ? anchor() : null };
    const held = isUpdate && !isWanted ? heldRow() : null;
    if (!held) return;
    const fresh = aside(event.detail.serverResponse);
    if (!fresh || !wouldMove(held, fresh)) return;
    event.detail.shouldSwap = false;
    before = null;
    holdBack(queue, fresh);
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (!before || !before.stamps || !document.getElementById("queue")) return;
    const { isUpdate, isWanted, stamps: known, anchor: place } = before;
    before = null;
    if (!isUpdate) {
      const count = links().length;
      window.portal.announce(count ? `${count} incidents shown` : "No incident matches");
      announceRows({ changed: [], arrived: [] });
      return;
    }
    const shown = rows(document.getElementById("queue"));
    const arrived = shown.filter((row) => !known.has(row.id));
    const changed = shown.filter((row) => known.has(row.id) && known.get(row.id) !== row.dataset.stamp);
    for (const row of arrived) row.classList.add("is-new");
    for (const row of changed) row.classList.add("is-changed");
    const row = place && document.getElementById(place.id);
    if (row) window.scrollBy(0, row.getBoundingClientRect().top - place.top);
    if (isWanted && arrived.length) arrived[0].querySelector("[data-open]").focus();
    if (arrived.length && !isWanted) window.portal.announce(`${arrived.length} new`);
    announceRows({ changed: changed.map((one) => one.id), arrived: arrived.map((one) => one.id) });
  });

  // Nothing new, but the tenants have been looked at again.
  document.addEventListener("freshness", (event) => {
    const oldest = document.getElementById("oldest");
    if (oldest && event.detail.oldest) oldest.dateTime = event.detail.oldest;
  });

  // Closed menus say how much is chosen in them; the page says so itself where it is loaded anew.
  document.addEventListener("change", (event) => {
    const form = document.getElementById("filters");
    if (!form || !form.contains(event.target)) return;
    const tenants = document.getElementById("tenants-chosen");
    const count = form.querySelectorAll("[name=tenant]:checked").length;
    if (tenants) tenants.textContent = count ? `Tenants (${count})` : "Tenants";
    const more = [...form.querySelectorAll("#more :is(select, input)")].filter((one) => one.value && one.name !== "clock");
    document.getElementById("more-chosen").textContent = more.length ? `More filters (${more.length})` : "More filters";
  });
})();
