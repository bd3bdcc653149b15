// What every page needs: the theme switch, times that stay current, copy buttons, menus that close, polling.
(function () {
  "use strict";

  const root = document.documentElement;
  const clockSkew = Date.now() - Number(root.dataset.now || 0) * 1000;
  const skew = root.dataset.now && Math.abs(clockSkew) > 5000 ? clockSkew : 0;

  // --- theme --------------------------------------------------------------------------------------------------------

  function showTheme() {
    const chosen = root.dataset.theme || "system";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen));
    }
  }

  function chooseTheme(choice) {
    if (choice === "system") delete root.dataset.theme;
    else root.dataset.theme = choice;
    showTheme();
  }

  // --- times that say how long ago (the same words as portal_text.ago) -------------------------------------------------

  const STEPS = [
    [60, 1, "s"],
    [3600, 60, "min"],
    [86400, 3600, "h"],
    [Infinity, 86400, "d"],
  ];

  function ago(iso) {
    const seconds = Math.max(0, Math.floor((Date.now() - skew - Date.parse(iso)) / 1000));
    const [, size, unit] = STEPS.find(([limit]) => seconds < limit);
    return `${Math.floor(seconds / size)} ${unit} ago`;
  }

  let isExact = false;

  function refreshTimes() {
    if (document.hidden) return;
    for (const time of document.querySelectorAll("time[data-ago]")) {
      // The title begins with the moment in the person's zone.
      const text = isExact ? time.title.split(" (")[0] : ago(time.dateTime);
      if (time.textContent !== text) time.textContent = text;
    }
  }

  function toggleTimes() {
    isExact = !isExact;
    root.classList.toggle("has-exact-times", isExact);
    refreshTimes();
    announce(isExact ? "Times are shown exactly" : "Times say how long ago");
  }

  // --- copying ----------------------------------------------------------------------------------------------------------

  async function copy(button) {
    const field = document.getElementById(button.dataset.copy);
    field.select();
    let copied = true;
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      copied = document.execCommand("copy");
    }
    announce(copied ? "Copied" : "Not copied: press Ctrl+C");
    const before = button.firstChild.textContent;
    button.firstChild.textContent = copied ? "Copied" : "Ctrl+C";
    setTimeout(() => (button.firstChild.textContent = before), 2000);
  }

  // --- polling: only while somebody can see it and nobody is marking text in it ---------------------------------------

  function poll() {
    if (document.hidden || !window.htmx) return;
    const selection = document.getSelection();
    const now = Date.now();
    for (const element of document.querySelectorAll("[data-poll]")) {
      const marking = selection && !selection.isCollapsed && element.contains(selection.anchorNode);
      if (marking || now - Number(element.dataset.polled || now - 1e9) < Number(element.dataset.poll) * 1000) continue;
      if (!element.dataset.polled) {
        element.dataset.polled = String(now);
        continue;
      }
      element.dataset.polled = String(now);
      window.htmx.trigger(element, "poll");
    }
  }

  // A page that asks by itself is no sign of its person: such requests say so, and do not keep the session alive.
  document.addEventListener("htmx:configRequest", (event) => {
    const cause = event.detail.triggeringEvent;
    if (cause && cause.type === "poll") event.detail.headers["X-Poll"] = "1";
  });

  function announce(text) {
    const place = document.getElementById("announce");
    if (place) place.textContent = text;
  }

  // A session that has ended answers with the sign-in page: go there instead of showing it inside the page.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr, pathInfo } = event.detail;
    const asked = pathInfo && pathInfo.requestPath && pathInfo.requestPath.split("?")[0];
    if (asked && xhr.responseURL && new URL(xhr.responseURL).pathname !== asked) {
      event.detail.shouldSwap = false;
      window.location.reload();
    }
  });

  // What a session showed leaves the screen with it: asked once a minute, and not answered for as long as a session may
  // rest counts as ended.
  const session = document.body.dataset.session;
  const rests = Number(document.body.dataset.sessionMinutes) * 60000;
  let answered = Date.now();

  async function lookAtSession() {
    const asked = Date.now();
    try {
      const headers = { "X-Poll": "1" };
      const answer = await fetch(session, { method: "HEAD", headers, redirect: "manual", cache: "no-store" });
      if (answer.type === "opaqueredirect") window.location.reload();
      answered = Math.max(answered, asked);
    } catch {
      if (Date.now() - answered < rests) return;
      document.getElementById("main").textContent = "The portal has not answered for a long time. Reload this page.";
      document.title = document.querySelector(".brand").textContent;
    }
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button && button.dataset.themeChoice) chooseTheme(button.dataset.themeChoice);
    if (button && button.dataset.copy) copy(button);
    if (button && button.dataset.dialog) document.getElementById(button.dataset.dialog).showModal();
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of document.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
  });

  window.portal = { announce, toggleTimes, now: () => Date.now() - skew };
  showTheme();
  refreshTimes();
  setInterval(refreshTimes, 1000);
  setInterval(poll, 500);
  if (session) setInterval(lookAtSession, 60000);
  document.addEventListener("visibilitychange", refreshTimes);
})();
