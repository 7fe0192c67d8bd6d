/* The palette: a list that narrows while you type. The first entries are in timmy.entries, so it opens at once;
   the server adds things and settings. Without a script, the same stands on /palette. */
(() => {
  "use strict";
  const { $, $$, el, send, look, dialog, entries, icons } = window.timmy || {};
  if (!entries || !dialog) return;
  const WAIT_MS = 120, SHOWN_MAX = 40;
  const SVG = "http://www.w3.org/2000/svg";
  const icon = name => {
    const svg = document.createElementNS(SVG, "svg"), use = document.createElementNS(SVG, "use");
    svg.setAttribute("class", "i");
    svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", `${icons}#${name}`);
    svg.append(use);
    return svg;
  };
  const near = (words, { t, w = "" }) => {
    const text = `${t} ${w}`.toLowerCase();
    return words.every(word => text.includes(word));
  };

  window.timmy.palette = () => {
    if ($("dialog.palette")) return;
    const box = dialog("palette", "Search or run");
    const field = el("input", {
      class: "input", type: "text", role: "combobox", "aria-expanded": "true", "aria-controls": "found", "aria-autocomplete": "list",
      "aria-label": "Search pages, things, settings and acts", placeholder: "A page, a thing, a setting, or something to do",
      autocomplete: "off", autocapitalize: "off", spellcheck: "false", maxlength: "200",
    });
    const list = el("div", { id: "found", role: "listbox", "aria-label": "What fits" });
    const said = el("p", { class: "sr", role: "status" });
    box.append(el("div", { class: "search" }, icon("search"), field), list, said);
    let shown = [], at = 0, moved = false, asking = null, waiting = 0, answer = null;

    const mark = to => {
      at = shown.length ? (to + shown.length) % shown.length : 0;
      $$("[role=option]", list).forEach((option, n) => {
        option.setAttribute("aria-selected", String(n === at));
        if (n !== at) return;
        field.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      });
      if (!shown.length) field.removeAttribute("aria-activedescendant");
    };
    const draw = (items, keep) => {
      const before = keep && moved && shown[at]?.t;
      moved &&= keep;
      shown = items.slice(0, SHOWN_MAX);
      list.replaceChildren();
      let group = null, name = null;
      const flat = field.value.trim() || asking;
      shown.forEach((entry, n) => {
        const shelf = entry.s || "Do";
        if (!flat && shelf !== name) {
          name = shelf;
          group = el("div", { role: "group", "aria-labelledby": `shelf-${n}` }, el("p", { id: `shelf-${n}`, class: "shelf" }, name));
          list.append(group);
        }
        const option = el("div", { role: "option", id: `found-${n}`, class: "one" }, icon(entry.i), el("span", { class: "cut" }, entry.t));
        if (entry.c) option.append(el("code", {}, entry.c)); else if (entry.n) option.append(el("span", { class: "dim s13" }, entry.n));
        option.addEventListener("click", () => { mark(n); choose(); });
        option.addEventListener("pointermove", () => { if (at !== n) { moved = true; mark(n); } });
        (flat ? list : group).append(option);
      });
      if (!shown.length) list.append(el("p", { class: "soft none" }, asking ? "Type it, then press Enter." : "Nothing fits. Try fewer letters."));
      const again = before ? shown.findIndex(entry => entry.t === before) : 0;
      mark(Math.max(0, again));
      said.textContent = asking ? "" : `${shown.length} ${shown.length === 1 ? "entry" : "entries"}`;
    };
    const local = () => {
      const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
      const rank = ({ t }) => (t.toLowerCase().startsWith(words[0]) ? 0 : 1000) + t.length;
      const fit = entries.filter(entry => near(words, entry));
      return words.length ? fit.sort((a, b) => rank(a) - rank(b)) : fit;
    };
    const ask = () => {
      clearTimeout(waiting);
      answer?.abort();
      waiting = setTimeout(async () => {
        answer = new AbortController();
        const q = field.value;
        try {
          const got = await fetch(`/palette/find?q=${encodeURIComponent(q)}`, { signal: answer.signal, headers: { Accept: "application/json", "HX-Request": "true" } });
          if (got.ok && field.value === q && !asking) draw((await got.json()).items, true);
        } catch { /* what is here stays: the palette works without an answer */ }
      }, WAIT_MS);
    };
    const run = (entry, fields) => {
      if (!entry.l) {
        box.close();
        if (entry.p === "/look") look(...Object.entries(fields)[0]); else send(entry.p, fields);
        return;
      }
      const form = el("form", { method: "post", action: entry.p }, ...Object.entries({ csrf: window.timmy.csrf(), ...fields }).map(([name, value]) => el("input", { type: "hidden", name, value })));
      document.body.append(form);
      form.submit();
    };
    const choose = () => {
      if (asking) {
        if (field.value.trim()) run(asking, { [asking.a[0]]: field.value });
        return;
      }
      const entry = shown[at];
      if (!entry) return;
      if (entry.h === "/keys") { box.close(); $("[data-act=sheet]") ? $("[data-act=sheet]").click() : location.assign(entry.h); } else if (entry.h) { box.close(); location.assign(entry.h); } else if (entry.a) {
        asking = entry;
        const [, label, example] = entry.a;
        field.value = "";
        field.setAttribute("aria-label", label);
        field.placeholder = `${label}, such as: ${example}`;
        field.maxLength = 32000;
        answer?.abort();
        clearTimeout(waiting);
        draw([], false);
        field.setAttribute("aria-expanded", "false");
      } else run(entry, entry.f || {});
    };
    field.addEventListener("input", () => { if (!asking) { draw(local(), false); ask(); } });
    field.addEventListener("keydown", e => {
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[e.key];
      if (by) { e.preventDefault(); moved = true; if (shown.length) mark(Math.abs(by) === 1 ? at + by : Math.min(Math.max(at + by, 0), shown.length - 1)); } else if (e.key === "Enter" && !e.isComposing) { e.preventDefault(); choose(); }
    });
    box.addEventListener("cancel", e => {
      if (!asking) return;
      e.preventDefault();
      asking = null;
      field.value = "";
      field.placeholder = "A page, a thing, a setting, or something to do";
      field.setAttribute("aria-label", "Search pages, things, settings and acts");
      field.setAttribute("aria-expanded", "true");
      draw(local(), false);
    });
    box.addEventListener("close", () => { clearTimeout(waiting); answer?.abort(); });
    draw(local(), false);
    box.showModal();
    field.focus();
    ask();
  };
})();
