// Loaded before the first paint, so that a chosen theme never flashes. Without a choice the system decides.
(function () {
  "use strict";
  try {
    const chosen = localStorage.getItem("theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch {
    // Storage may be closed; the system's theme it is.
  }
})();
