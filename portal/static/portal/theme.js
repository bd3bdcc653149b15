// Loaded before the first paint, so that a chosen theme never flashes. Pages of signed-in people come with their choice;
// it is kept here for the pages on which nobody is known yet. Without a choice the system decides.
(function () {
  "use strict";
  const root = document.documentElement;
  try {
    if ("person" in root.dataset) {
      const chosen = [root.dataset.theme, root.dataset.contrast].filter(Boolean).join(" ");
      if (chosen) localStorage.setItem("theme", chosen);
      else localStorage.removeItem("theme");
      return;
    }
    const kept = (localStorage.getItem("theme") || "").split(" ");
    root.dataset.theme = kept.find((word) => word === "light" || word === "dark") || "";
    if (kept.includes("more")) root.dataset.contrast = "more";
  } catch {
    // Storage may be closed; the system's theme it is.
  }
})();
