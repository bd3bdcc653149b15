// The queue: keyboard, what is new after each update, and a reader's place that does not move.
(function () {
  "use strict";

  const links = () => [...document.querySelectorAll("#queue [data-open]")];
  const rowIds = () => new Set([...document.querySelectorAll("#queue [data-row]")].map((row) => row.id));
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

  // The first row in sight stays where it is when others arrive above it.
  function anchor() {
    if (window.scrollY < 200) return null;
    const row = [...document.querySelectorAll("#queue [data-row]")].find((one) => one.getBoundingClientRect().top >= 0);
    return row ? { id: row.id, top: row.getBoundingClientRect().top } : null;
  }

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "queue" || !event.detail.shouldSwap) return;
    const isUpdate = event.detail.requestConfig.elt.id === "queue";
    before = { isUpdate, ids: rowIds(), anchor: isUpdate ? anchor() : null };
  });

  document.addEventListener("htmx:afterSettle", (event) => {
    if (!before || !document.getElementById("queue")) return;
    const { isUpdate, ids, anchor: place } = before;
    before = null;
    if (!isUpdate) {
      const count = links().length;
      window.portal.announce(count ? `${count} incidents shown` : "No incident matches");
      return;
    }
    const arrived = [...rowIds()].filter((id) => !ids.has(id));
    for (const id of arrived) document.getElementById(id).classList.add("is-new");
    const row = place && document.getElementById(place.id);
    if (row) window.scrollBy(0, row.getBoundingClientRect().top - place.top);
    if (arrived.length) window.portal.announce(`${arrived.length} new`);
  });

  // Nothing new, but the tenants have been looked at again.
  document.addEventListener("freshness", (event) => {
    const oldest = document.getElementById("oldest");
    if (oldest && event.detail.oldest) oldest.dateTime = event.detail.oldest;
  });

  // The closed list of tenants says how many are chosen; the page says so itself where it is loaded anew.
  document.addEventListener("change", (event) => {
    const place = document.getElementById("tenants-chosen");
    if (!place || event.target.name !== "tenant") return;
    const count = document.querySelectorAll("[name=tenant]:checked").length;
    place.textContent = count ? `Tenants (${count})` : "Tenants";
  });

  // The box above a long list of tenants narrows it.
  document.addEventListener("input", (event) => {
    const list = event.target.dataset && document.getElementById(event.target.dataset.narrow || "");
    if (!list) return;
    const wanted = event.target.value.trim().toLowerCase();
    for (const label of list.children) label.hidden = !label.textContent.toLowerCase().includes(wanted);
  });
})();
