/* Keys. What each one is and where it acts stands in timmy.keys, written from one table in Rust; what the device
   made of it stands on the body. An element that a key presses carries its name as data-act. */
(() => {
  "use strict";
  const { $, $$, el, turn, tell, keys, go } = window.timmy || {};
  if (!keys || !$) return;
  const ROWS = "main :is(.thought, tr[data-seq], .row, .setting.one, [data-row])";
  const CHORD_MS = 1500;
  const [state, ...own] = document.body.dataset.keys.split(".");
  const single = state !== "off";
  const mine = Object.fromEntries(own.map(word => word.split("-")).map(([id, code]) => [id, String.fromCharCode(parseInt(code, 16))]));
  const table = keys.map(([id, list, place]) => ({ id, place, list: list.length && mine[id] ? [mine[id], ...list.slice(1)] : list }));
  const shown = id => { const k = table.find(one => one.id === id)?.list[0]; return !k || (k.length === 1 && !single) ? "" : k === " " ? "Space" : k.startsWith("mod+") ? `Ctrl ${k.slice(4).toUpperCase()}` : k; };

  /* --- rows --- */
  const row = () => document.activeElement?.closest?.(ROWS);
  const move = by => {
    const rows = $$(ROWS).filter(r => r.getClientRects().length);
    const at = rows.indexOf(row());
    const next = rows[at < 0 ? (by > 0 ? rows.findIndex(r => r.getBoundingClientRect().bottom > 120) : -1) : at + by];
    if (!next) return;
    if (!next.hasAttribute("tabindex")) next.tabIndex = -1;
    next.focus();
  };
  const acts = r => $$("a[href], button", r).filter(a => !a.hidden && a.type !== "hidden" && a.textContent.trim());
  const open = r => $("[data-act=open], .name a, .lead a", r);
  const first = r => $("[data-act=first], .acts :is(button, a)", r);

  /* --- dialogs: the browser keeps the focus in and gives it back --- */
  const dialog = (name, label) => {
    const box = el("dialog", { class: `over ${name}`, "aria-label": label });
    document.body.append(box);
    box.addEventListener("close", () => box.remove());
    box.addEventListener("click", e => { if (e.target === box) box.close(); });
    return box;
  };
  const panel = r => {
    const box = dialog("panel", "What can be done");
    const list = el("ul");
    for (const act of acts(r)) {
      const key = shown(act.dataset.act);
      const item = el("button", { type: "button" }, act.textContent.replace(/\s+/g, " ").trim(), ...(key ? [el("kbd", {}, key)] : []));
      item.addEventListener("click", () => { box.close(); act.click(); });
      list.append(el("li", {}, item));
    }
    if (r.dataset.id) {
      const copy = el("button", { type: "button" }, "Copy its id", el("kbd", {}, shown("copy")));
      copy.addEventListener("click", () => { box.close(); take(r); });
      list.append(el("li", {}, copy));
    }
    box.append(el("h2", {}, "What can be done"), list);
    box.addEventListener("keydown", e => {
      const by = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[e.key];
      if (!by) return;
      e.preventDefault();
      const all = $$("button", box);
      all[(all.indexOf(document.activeElement) + by + all.length) % all.length]?.focus();
    });
    box.showModal();
  };
  const sheet = async () => {
    const box = dialog("sheetbox", "Keys");
    const close = el("button", { class: "btn small", type: "button" }, "Close");
    close.addEventListener("click", () => box.close());
    const body = el("div", {}, el("p", { class: "soft" }, "Fetching the keys."));
    box.append(el("div", { class: "bar" }, el("h2", { class: "big grow" }, "Keys"), close), body);
    box.showModal();
    try {
      const answer = await fetch("/keys", { headers: { "HX-Request": "true" } });
      if (!answer.ok) throw new Error("no sheet");
      const t = el("template");
      t.innerHTML = await answer.text();
      body.replaceChildren(t.content);
    } catch { body.replaceChildren(el("p", {}, "Timmy could not be reached. The page /keys shows the same.")); }
  };
  const take = async r => {
    if (!r.dataset.id) return;
    try { await navigator.clipboard.writeText(r.dataset.id); tell({ text: `Copied ${r.dataset.id}.` }); } catch { tell({ text: `Its id is ${r.dataset.id}.` }); }
  };

  /* --- the log: an act of the row that has the focus, or of the one event the page is about --- */
  const only = (id, r) => { const all = $$(`[data-act="${id}"]`, r || $("main")); return r || all.length === 1 ? all[0] : null; };
  const kind = r => { const link = only("like", r); return link ? decodeURIComponent(link.href.split("type:")[1]) : ""; };
  const narrow = (r, not) => {
    const it = kind(r);
    if (!it) return false;
    const gone = not ? [`type:${it}`] : [`-type:${it}`];
    const parts = ($("#q")?.defaultValue || "").match(/"(\\.|[^"])*"|[^\s"]+("(\\.|[^"])*")?/g) || [];
    const kept = parts.filter(p => !gone.includes(p) && (not || !p.startsWith("type:")));
    const added = `${not ? "-" : ""}type:${it}`;
    location.assign(`/swarm/events?q=${encodeURIComponent([...kept.filter(p => p !== added), added].join(" "))}`);
  };
  const same = (r, by) => {
    if (!r) { const link = $(by > 0 ? "main [rel=next]" : "main [rel=prev]"); link?.click(); return Boolean(link); }
    const rows = $$("tr[data-seq]").filter(one => one === r || kind(one) === kind(r));
    const next = rows[rows.indexOf(r) + by];
    if (!next) return false;
    next.tabIndex = -1;
    next.focus();
  };

  /* --- what keys do that no element does --- */
  const into = (sel, away) => { const f = $(sel); if (!f) { location.assign(away); return; } const d = f.closest("details"); if (d) d.open = true; f.focus(); };
  const does = {
    palette: () => window.timmy.palette?.(),
    search: () => { const f = $("main input[type=search], main [data-search]"); if (f) { f.focus(); f.select?.(); } else does.palette(); },
    sheet,
    capture: () => into("#thought", "/thinking#thought"),
    talk: () => into("#say", "/talk#say"),
    prev: () => $("main [rel=prev]")?.click(),
    next: () => $("main [rel=next]")?.click(),
    live: () => $("#livepause")?.click(),
    side: () => turn("side"),
    density: () => turn("density"),
    down: () => move(1),
    up: () => move(-1),
    open: r => open(r)?.click(),
    first: r => first(r)?.click(),
    panel,
    copy: take,
    back: r => r.contains(document.activeElement) && document.activeElement !== r ? r.focus() : document.activeElement.blur(),
    around: r => { const link = only("around", r); link?.click(); return Boolean(link); },
    like: r => narrow(r, false),
    unlike: r => narrow(r, true),
    same: r => same(r, 1),
    before: r => same(r, -1),
    local: () => window.timmy.send("/router/local", { minutes: 60 }, "#ladder"),
    choose: r => { const box = $("input[name=id]", r); box?.click(); return Boolean(box); },
    newest: () => { const b = $("[data-pill]:not([hidden])"); b?.click(); return Boolean(b); },
  };
  const press = (id, r) => {
    const b = (r && $(`[data-act="${id}"]`, r)) || (r ? null : $$(`[data-act="${id}"]`).find(a => a.getClientRects().length));
    b?.click();
    return Boolean(b);
  };
  const named = e => (e.ctrlKey || e.metaKey ? "mod+" : "") + (e.ctrlKey || e.metaKey ? (e.key.length === 1 ? e.key.toLowerCase() : e.key) : e.key);
  const typing = t => t.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable], [role=textbox]");
  const pressable = t => t.closest?.("a[href], button, summary, input, label");

  let chord = 0;
  document.addEventListener("keydown", e => {
    if (e.altKey || e.isComposing || e.defaultPrevented) return;
    const key = named(e);
    if (key === "mod+k" && !e.shiftKey) { e.preventDefault(); does.palette(); return; }
    if (e.repeat && !["j", "k", "ArrowDown", "ArrowUp"].includes(e.key)) return;
    if ($("dialog[open], [popover]:popover-open")) return;
    if (typing(e.target)) { if (e.key === "Escape" && row()) { e.target.blur(); } return; }
    if (chord && Date.now() - chord < CHORD_MS) {
      chord = 0;
      if (go[key]) { e.preventDefault(); location.assign(go[key]); }
      return;
    }
    const r = row();
    for (const { id, list, place } of table) {
      const at = list.indexOf(key);
      if (at < 0 || (key.length === 1 && !single)) continue;
      if (place === "row" ? !r && !["down", "up"].includes(id) : place && place !== document.body.dataset.page) continue;
      /* Arrows, Enter and the space belong to the browser unless a row itself, or nothing, has the focus. */
      if (key.startsWith("Arrow") && (!r || document.activeElement !== r)) continue;
      if (key === "Enter" && document.activeElement !== r) continue;
      if (key === " " && (pressable(e.target) || r)) continue;
      if (id === "go") { chord = Date.now(); return; }
      const done = does[id] ? does[id](r) !== false : press(id, place === "row" ? r : null);
      if (done) { e.preventDefault(); return; }
    }
  });

  /* A row that an act draws anew keeps the focus. */
  let before = "";
  document.addEventListener("htmx:beforeSwap", () => { before = row()?.id || ""; });
  document.addEventListener("htmx:afterSettle", () => {
    const again = before && document.activeElement === document.body && document.getElementById(before);
    if (again) { again.tabIndex = -1; again.focus({ preventScroll: true }); }
  });

  /* Buttons that a key presses say so; links to the sheet and the palette open them in place. */
  document.addEventListener("click", e => {
    const act = e.target.closest?.("[data-act]")?.dataset.act;
    if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.shiftKey || !(act === "sheet" || act === "palette")) return;
    e.preventDefault();
    does[act]();
  });
  if (/Mac|iPhone|iPad/.test(navigator.platform)) for (const k of $$("kbd")) k.textContent = k.textContent.replace("Ctrl ", "⌘");
  if (location.hash === "#thought" || location.hash === "#say") into(location.hash, "");
  Object.assign(window.timmy, { dialog, shown });
})();
