// The queue: what is new after each update, and a reader's place that does not move.
(function () {
  "use strict";

  const links = () => [...document.querySelectorAll("#queue [data-open]")];
  const rowIds = () => new Set([...document.querySelectorAll("#queue [data-row]")].map((row) => row.id));
  let before = null;

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
