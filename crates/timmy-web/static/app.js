/* Everything here is an extra: pages read, link and submit without it.
   The login link, the look, what was done, and the small manners of tabs and forms. */
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
  /* One form holds all thoughts; what comes back takes the place of the one whose button was pressed. */
  document.addEventListener("htmx:beforeSwap", e => {
    const row = e.detail.elt.matches?.("form.thoughts") && e.detail.requestConfig.triggeringEvent?.submitter?.closest(".thought");
    if (row) e.detail.target = document.getElementById(row.id) || row;
  });
  document.addEventListener("htmx:sendError", () => refused("Timmy could not be reached. Nothing was changed; try again when the header says live."));
  document.addEventListener("htmx:responseError", e => {
    const xhr = e.detail.xhr;
    if (xhr.status === 401) { location.assign("/login"); return; }
    let said = "";
    try { const error = JSON.parse(xhr.responseText).error; said = `${error.message} ${error.hint}`; } catch { said = ""; }
    refused(said.trim() || `Timmy refused this (${xhr.status}). Load the page again and try once more.`);
  });
  /* The server answers a script with the changed part when it sees this header, else with a redirect. */

  /* The look changes at once; the form remembers it. */
  const csrf = () => $("input[name=csrf]")?.value || "";
  const send = (route, fields, target = "") => window.htmx.ajax("POST", route, {
    source: document.body, values: { csrf: csrf(), ...fields }, target: (target && $(target)) || document.body, swap: target && $(target) ? "outerHTML" : "none",
  });
  const OTHER = { density: ["comfortable", "compact"], side: ["wide", "narrow"] };
  const look = (name, value) => {
    if (name === "theme" && value === "system") delete root.dataset.theme; else root.dataset[name] = value;
    for (const b of $$(`button[name="${name}"]`)) {
      if (b.hasAttribute("aria-pressed")) { b.setAttribute("aria-pressed", String(b.value === value)); continue; }
      const label = `${b.value = OTHER[name].find(v => v !== value)} ${name === "side" ? "side" : "rows"}`;
      b.title = b.title.replace(/^.* (?=\()/, `${label} `);
      b.setAttribute("aria-label", label);
    }
    fetch("/look", { method: "POST", headers: { "HX-Request": "true" }, body: new URLSearchParams({ csrf: csrf(), [name]: value }) }).catch(() => {});
  };
  const turn = name => look(name, OTHER[name].find(v => v !== (root.dataset[name] || OTHER[name][0])));
  document.addEventListener("submit", e => {
    const name = e.submitter?.name;
    if (e.target.getAttribute("action") !== "/look" || !name) return;
    e.preventDefault();
    look(name, e.submitter.value);
  });

  /* What was done, and the way back: ten seconds, longer while somebody is there. */
  const toast = $("#toast");
  let leaving = 0;
  const leave = () => {
    clearTimeout(leaving);
    leaving = setTimeout(() => toast.matches(":hover, :focus-within") ? leave() : toast.replaceChildren(), 10000);
  };
  const el = (name, attributes = {}, ...inside) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...inside);
    return made;
  };
  const tell = ({ text, route, fields, part }) => {
    toast.replaceChildren(el("p", {}, text));
    if (route) {
      const hidden = Object.entries({ csrf: csrf(), ...fields }).map(([name, value]) => el("input", { type: "hidden", name, value }));
      toast.append(el("form", { method: "post", action: route, "data-part": part || "" }, ...hidden,
        el("button", { class: "btn small", "data-act": "undo" }, "Undo")));
    }
    leave();
  };
  if (toast?.children.length) leave();
  toast?.addEventListener("submit", e => {
    e.preventDefault();
    const { csrf: _, ...fields } = Object.fromEntries(new FormData(e.target));
    send(e.target.getAttribute("action"), fields, e.target.dataset.part);
    toast.replaceChildren();
  });
  document.addEventListener("did", e => tell(e.detail));
  Object.assign(window.timmy ||= {}, { $, $$, el, send, look, turn, tell, csrf });

  /* A list is narrowed while you type; without a script the form does it. */
  document.addEventListener("input", e => {
    const list = e.target.dataset?.filter;
    if (!list) return;
    const words = e.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const one of $$(list)) { const text = `${one.id} ${one.textContent}`.toLowerCase(); one.hidden = !words.every(w => text.includes(w)); }
    for (const group of $$(".settings .group")) group.hidden = !$(".one:not([hidden])", group);
  });

  /* Phone: pressing the tab you are on scrolls up; from the top it opens the group's sheet. */
  document.addEventListener("click", e => {
    const tab = e.target.closest(".tabs [aria-current]");
    if (!tab) return;
    e.preventDefault();
    if (scrollY > 8) scrollTo({ top: 0 });
    else $("#sheet")?.showPopover?.();
  });

  /* Elapsed time of what runs, and what is left until something. */
  const tick = () => {
    for (const el of $$("[data-elapsed]")) {
      const since = el.getAttribute("datetime") || el.closest("[data-since]")?.dataset.since;
      const s = Math.max(0, Math.round((Date.now() - Date.parse(since)) / 1000));
      if (Number.isFinite(s)) el.textContent = s < 60 ? `${s} s` : `${Math.floor(s / 60)} min ${s % 60} s`;
    }
    for (const el of $$("[data-left]")) {
      el.until ??= Date.now() + el.dataset.left * 1000;
      const s = Math.max(0, Math.ceil((el.until - Date.now()) / 1000));
      if (s) el.textContent = `${s} s`; else el.closest("p").textContent = "Very risky. A yes counts now.";
    }
    // What is said while a list is empty bears the same name, for the list that ends it.
    for (const el of $$(".num[data-until]")) {
      const s = Math.max(0, Math.round((Date.parse(el.dataset.until) - Date.now()) / 1000));
      const min = Math.floor(s / 60);
      el.textContent = !s ? ", any moment now" : s < 60 ? `, in ${s} s` : min < 60 ? `, in ${min} min ${s % 60} s` : `, in ${Math.floor(min / 60)} h ${min % 60} min`;
    }
  };
  tick();
  setInterval(tick, 1000);
})();
