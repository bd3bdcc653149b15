// Loaded before every other script but the theme's. The content policy demands Trusted Types: text becomes markup only
// through the gate here, whoever writes it (htmx, the administration's jQuery). What could act by itself is refused.
(function () {
  "use strict";
  if (!window.trustedTypes) return;

  const ACTING = new Set(
    "SCRIPT IFRAME FRAME FRAMESET OBJECT EMBED APPLET BASE META LINK STYLE NOSCRIPT ANIMATE SET FOREIGNOBJECT".split(" "),
  );
  const ADDRESSES = new Set(["href", "src", "action", "formaction", "data", "xlink:href", "background", "poster"]);
  const CODE = /^(on|hx-on|data-hx-on|srcdoc$)/;

  const parsing = window.trustedTypes.createPolicy("portal-gate", { createHTML: (markup) => markup });

  function isScriptAddress(value) {
    // Browsers drop blanks and control characters inside a scheme before they read it.
    return /^(javascript|vbscript|data):/i.test(value.replace(/[\u0000-\u0020\u00a0]/g, ""));
  }

  function actsByItself(element) {
    if (ACTING.has(element.nodeName.toUpperCase())) return true;
    return [...element.attributes].some(
      ({ name, value }) => CODE.test(name.toLowerCase()) || (ADDRESSES.has(name.toLowerCase()) && isScriptAddress(value)),
    );
  }

  function isHarmless(tree) {
    return [...tree.querySelectorAll("*")].every(
      (element) => !actsByItself(element) && (!element.content || isHarmless(element.content)),
    );
  }

  window.trustedTypes.createPolicy("default", {
    createHTML(markup) {
      // Parsed into a document of its own, in which nothing is loaded and nothing runs.
      const page = new DOMParser().parseFromString(parsing.createHTML(markup), "text/html");
      return isHarmless(page) ? markup : null;
    },
  });
})();
