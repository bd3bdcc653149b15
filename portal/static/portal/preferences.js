// The preferences page: the zone that the browser is in is one press away, where the list has it.
(function () {
  "use strict";
  const list = document.getElementById("id_time_zone");
  const offer = document.getElementById("browser-zone");
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const known = [...list.options].some((option) => option.value === zone);
  if (!known || list.value === zone) return;
  document.getElementById("browser-zone-name").textContent = zone;
  offer.hidden = false;
  document.getElementById("use-browser-zone").addEventListener("click", () => {
    list.value = zone;
    offer.hidden = true;
    list.focus();
    window.portal.announce(`${zone} is chosen; keep it with the button below`);
  });
})();
