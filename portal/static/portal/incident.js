// The page of one incident: buttons that copy a value which stands in their own attribute.
(function () {
  "use strict";

  async function copyValue(button) {
    let copied = true;
    try {
      await navigator.clipboard.writeText(button.dataset.copyValue);
    } catch {
      copied = false;
    }
    window.portal.announce(copied ? "Copied" : "Not copied: mark the value and press Ctrl+C");
    const label = button.firstChild;
    const before = label.textContent;
    label.textContent = copied ? "Copied" : "Not copied";
    setTimeout(() => (label.textContent = before), 2000);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-copy-value]");
    if (button) copyValue(button);
  });
})();
