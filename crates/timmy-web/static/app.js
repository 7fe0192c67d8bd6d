/* Everything here is an extra: pages read, link and submit without it.
   Keys, the login link, and the small manners of tabs and forms. */
(() => {
  "use strict";
  const root = document.documentElement;
  const $ = (s, el = document) => el.querySelector(s);
  const $$ = (s, el = document) => [...el.querySelectorAll(s)];

  /* The door: a link carries the code in its fragment, which never reaches a server or its logs. */
  const login = $("#login");
  if (login) {
    const enter = () => {
      const code = new URLSearchParams(location.hash.slice(1)).get("code");
      if (!code) return;
      history.replaceState(null, "", location.pathname + location.search);
      $("#code", login).value = code;
      login.requestSubmit();
    };
    enter();
    /* A link pasted into the tab that shows this page changes the fragment and loads nothing. */
    addEventListener("hashchange", enter);
    return;
  }

  /* Tell, without moving anything, that an act was refused. */
  const refused = text => {
    const box = $("#refused");
    if (!box) return;
    $("span", box).textContent = text;
    box.hidden = !text;
    if (text) box.scrollIntoView({ block: "nearest" });
  };
  document.addEventListener("htmx:beforeRequest", () => refused(""));
  document.addEventListener("htmx:sendError", () => refused("Timmy could not be reached. Nothing was changed; try again when the header says live."));
  document.addEventListener("htmx:responseError", e => {
    const xhr = e.detail.xhr;
    if (xhr.status === 401) { location.assign("/login"); return; }
    let said = "";
    try { const error = JSON.parse(xhr.responseText).error; said = `${error.message} ${error.hint}`; } catch { said = ""; }
    refused(said.trim() || `Timmy refused this (${xhr.status}). Load the page again and try once more.`);
  });
  /* The server answers a script with the changed part when it sees this header, else with a redirect. */

  /* Density changes at once; the form remembers it. */
  const density = () => {
    const form = $("[data-density-form]");
    if (!form) return;
    const button = $("button", form);
    const next = button.value;
    const body = new URLSearchParams(new FormData(form));
    body.set("density", next);
    root.dataset.density = next;
    for (const b of $$("[data-density-form] button")) {
      b.value = next === "compact" ? "comfortable" : "compact";
      b.setAttribute("aria-label", `${b.value} rows`);
      b.title = `${b.value} rows (d)`;
    }
    fetch(form.action, { method: "POST", body, redirect: "manual" }).catch(() => {});
  };
  document.addEventListener("submit", e => {
    if (e.target.matches("[data-density-form]")) { e.preventDefault(); density(); }
  });

  /* Phone: pressing the tab you are on scrolls up; from the top it opens the group's sheet. */
  document.addEventListener("click", e => {
    const tab = e.target.closest(".tabs [aria-current]");
    if (!tab) return;
    e.preventDefault();
    if (scrollY > 8) scrollTo({ top: 0 });
    else $("#sheet")?.showPopover?.();
  });

  /* Elapsed time of what runs. */
  setInterval(() => {
    for (const el of $$("[data-elapsed]")) {
      const since = el.getAttribute("datetime") || el.closest("[data-since]")?.dataset.since;
      const s = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000));
      if (Number.isFinite(s)) el.textContent = s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
    }
  }, 1000);

  /* Keys: never in inputs, never with a modifier. */
  let chord = 0;
  document.addEventListener("keydown", e => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.isComposing || e.repeat) return;
    if (e.target.closest("input, textarea, select, [contenteditable]")) return;
    if (chord && Date.now() - chord < 1200) {
      chord = 0;
      const room = $(`.room[data-key="${CSS.escape(e.key)}"]`);
      if (room) { e.preventDefault(); location.assign(room.href); }
      return;
    }
    if (e.key === "g") chord = Date.now();
    else if (e.key === "t") {
      e.preventDefault();
      const say = $("#say");
      if (say) say.focus(); else location.assign("/talk#say");
    } else if (e.key === "d") density();
    else if (e.key === "p") $("#livepause")?.click();
  });
})();
