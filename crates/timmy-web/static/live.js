/* The live feed: one WebSocket for a tab. Slots ([data-live]) name the events that concern them and the
   fragment to fetch; the envelope only rings, the server draws. Nothing moves under the finger: rows wait
   behind a pill unless the page stands at its top, and a part in use is left alone. */
(() => {
  "use strict";
  const $ = (s, el = document) => el.querySelector(s);
  const $$ = (s, el = document) => [...el.querySelectorAll(s)];
  const SLOT_MS = 1000, PULSE_MS = 4000, SAY_MS = 10000, POLL_MS = 15000, ROWS_MAX = 200, RETRY_MAX_MS = 30000, STATE_MS = 5000;

  const word = $("#liveword"), pauseButton = $("#livepause"), said = $("#said");
  if (!word) return;
  let seq = Number(document.body.dataset.seq) || 0, paused = false, held = 0, lost = 0, tries = 0, socket = null;
  let offlineSince = null, open = false;
  const counts = new Map();

  /* --- the word in the header --- */
  const tell = () => {
    const [text, tone, label] = paused
      ? [held ? `Paused (${held})` : "Paused", "calm", "Resume live updates"]
      : open ? ["Live", "live", "Pause live updates"]
        : offlineSince && tries > 2
          ? [`Offline since ${offlineSince.toTimeString().slice(0, 5)}`, "warn", "Pause live updates"]
          : ["Reconnecting", "calm", "Pause live updates"];
    word.className = `st s13 ${tone}`;
    $("span", word).textContent = text;
    word.hidden = pauseButton.hidden = false;
    pauseButton.setAttribute("aria-pressed", String(paused));
    pauseButton.setAttribute("aria-label", label);
    pauseButton.title = `${label} (p)`;
  };
  pauseButton?.addEventListener("click", () => {
    paused = !paused;
    if (!paused) { held = 0; for (const slot of slots()) if (slot.dataset.due) ring(slot); }
    tell();
  });

  /* --- what changed, in words, at most every ten seconds --- */
  let saying = 0;
  const announce = (noun, n) => {
    counts.set(noun, (counts.get(noun) || 0) + n);
    if (saying) return;
    saying = setTimeout(() => {
      saying = 0;
      said.textContent = [...counts].map(([what, many]) => `${many} new ${what}${many === 1 ? "" : "s"}`).join(", ");
      counts.clear();
    }, SAY_MS);
  };

  /* --- slots --- */
  const slots = () => $$("[data-live]");
  const fits = (pattern, name) => pattern === "*" || pattern === name || (pattern.endsWith(".*") && name.startsWith(pattern.slice(0, -1)));
  const wants = (slot, name) => slot.dataset.live.split(" ").some(p => fits(p, name));
  const patterns = () => [...new Set(slots().flatMap(s => s.dataset.live.split(" ")))];
  /* What is open from the start keeps nothing back; what was opened, or typed into, is in use. */
  /* A button or a row that is found again by its id does not keep a part from being drawn anew. */
  const onButton = slot => slot.contains(document.activeElement) && document.activeElement.matches("button[id], [data-row][id]");
  const busy = (slot, lax) => slot.contains(document.activeElement) && document.activeElement !== document.body && !(lax && onButton(slot))
    || $$("input:not([type=hidden]), textarea", slot).some(f => f.value !== f.defaultValue || f.checked !== f.defaultChecked)
    || $("details[open]:not([data-open])", slot) || $(".htmx-request", slot);

  const timers = new WeakMap();
  const ring = slot => {
    slot.dataset.due = "1";
    if (timers.has(slot)) return;
    const wait = slot.dataset.mode === "pulse" ? PULSE_MS : SLOT_MS;
    const rest = Math.max(0, (Number(slot.dataset.last) || 0) + wait - Date.now());
    timers.set(slot, setTimeout(() => { timers.delete(slot); fetchSlot(slot); }, rest));
  };

  const parse = html => { const t = document.createElement("template"); t.innerHTML = html; return t.content; };
  const fetchSlot = async slot => {
    if (!slot.isConnected || document.hidden) return;
    const mode = slot.dataset.mode;
    if (paused && mode !== "pulse") return;
    delete slot.dataset.due;
    slot.dataset.last = Date.now();
    let url = slot.dataset.fragment;
    if (mode === "prepend") url += (url.includes("?") ? "&" : "?") + "after=" + newest(slot);
    let answer;
    try { answer = await fetch(url, { headers: { "HX-Request": "true", Accept: "text/html" } }); } catch { return; }
    if (answer.status === 401) { location.assign("/login"); return; }
    if (!answer.ok || answer.redirected) return;
    const part = parse(await answer.text());
    if (mode === "prepend") hold(slot, part);
    else if (mode === "pulse") pulse(slot, part);
    else if (busy(slot, true)) setTimeout(() => ring(slot), POLL_MS);
    else swap(slot, part);
  };

  const same = (a, b) => a.textContent.replace(/\s+/g, " ") === b.textContent.replace(/\s+/g, " ") && $$("[id],form", a).length === $$("[id],form", b).length;
  const swap = (slot, part) => {
    const whole = slot.id && part.firstElementChild?.id === slot.id ? part.firstElementChild : null;
    if (same(whole || part, slot)) return;
    const held = onButton(slot) ? document.activeElement.id : "";
    if (whole) slot.replaceWith(whole); else slot.replaceChildren(part);
    window.htmx?.process(whole || slot);
    const again = held ? document.getElementById(held) : null;
    if (again?.matches("[data-row]")) again.tabIndex = -1;
    again?.focus({ preventScroll: true });
  };

  /* --- rows --- */
  const newest = slot => Math.max(seq0, ...$$("[data-seq]", slot).concat($$("[data-seq]", held_(slot))).map(el => Number(el.dataset.seq) || 0));
  const seq0 = seq;
  const waiting = new WeakMap();
  const held_ = slot => { if (!waiting.has(slot)) waiting.set(slot, document.createDocumentFragment()); return waiting.get(slot); };
  const place = (list, part, fresh) => {
    let anchor = null;
    for (const el of [...part.children]) {
      const there = el.id && list.querySelector(`#${CSS.escape(el.id)}`);
      if (there) { anchor = there; continue; }
      if (anchor) anchor.after(el); else list.prepend(el);
      if (fresh && el.dataset.seq) el.classList.add("fresh");
      anchor = el;
    }
  };
  const pill = slot => $(`[data-pill="${slot.id}"]`);
  const release = slot => {
    /* More waited than are shown: the list begins anew, and says where the others are. */
    if (slot.dataset.over) { delete slot.dataset.over; slot.replaceChildren(); held_(slot).replaceChildren(); ring(slot); }
    place(slot, held_(slot), true);
    held_(slot).replaceChildren();
    const button = pill(slot);
    if (button) button.hidden = true;
    const empty = $(`[data-until="${slot.id}"]`);
    if (empty && slot.children.length) { empty.remove(); slot.closest("table")?.tHead?.classList.remove("sr"); }
    const rows = $$("[data-seq]", slot);
    for (const old of rows.slice(ROWS_MAX)) old.remove();
    window.htmx?.process(slot);
  };
  const hold = (slot, part) => {
    const rows = $$("[data-seq]", part).filter(el => !document.getElementById(el.id));
    if (!rows.length) return;
    const noun = slot.dataset.noun || "row";
    place(held_(slot), part, false);
    const much = $$("[data-seq]", held_(slot)).slice(ROWS_MAX);
    if (much.length) { slot.dataset.over = "1"; for (const old of much) old.remove(); }
    announce(noun, rows.length);
    if (scrollY < 8 && !slot.matches(":hover") && !busy(slot)) { release(slot); return; }
    const n = $$("[data-seq]", held_(slot)).length, button = pill(slot);
    if (!button) { release(slot); return; }
    $("span", button).textContent = `${n} new ${noun}${n === 1 ? "" : "s"}`;
    button.hidden = false;
  };
  document.addEventListener("click", e => {
    const button = e.target.closest("[data-pill]");
    if (!button) return;
    const slot = document.getElementById(button.dataset.pill);
    if (slot) { release(slot); scrollTo({ top: 0 }); $("[data-seq] a", slot)?.focus({ preventScroll: true }); }
  });

  /* --- the Pulse: strip, tab title, small icon, counts --- */
  const pulse = (slot, part) => {
    const fresh = part.firstElementChild;
    if (!fresh) return;
    if (!slot.contains(document.activeElement)) slot.replaceWith(fresh); else slot.dataset.due = "1";
    const { word: state, icon, waiting: n } = fresh.dataset;
    document.title = `${state} · ${document.body.dataset.title} · Timmy`;
    const tab = $("#tabicon");
    if (tab && icon && !tab.href.endsWith(icon)) tab.href = icon;
    const head = $("#headstate"), st = $(".st", fresh);
    if (head && st) head.replaceChildren(st.cloneNode(true));
    for (const count of $$("[data-waiting-count]")) { count.textContent = n; count.closest("[data-waiting]").hidden = n === "0"; }
  };

  /* --- the socket --- */
  const heard = (name, at) => {
    if (at && at <= seq) return;
    if (at) seq = at;
    if (paused) held += 1;
    for (const slot of slots()) if (wants(slot, name)) ring(slot);
  };
  const frame = text => {
    let message;
    try { message = JSON.parse(text); } catch { return; }
    if (message.v !== 1 && message.event !== "feed.gap") return;
    for (const one of message.batch || [message]) {
      if (one.event === "feed.gap") { seq = Math.max(seq, (Number(one.data?.from) || 1) - 1); slots().forEach(ring); }
      else heard(one.event, one.seq);
    }
    if (paused) tell();
  };
  const connect = () => {
    const url = new URL(`/swarm/live?after=${seq}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    socket = new WebSocket(url);
    socket.onopen = () => {
      if (lost) slots().forEach(ring);
      open = true; tries = 0; lost = 0; offlineSince = null;
      socket.send(JSON.stringify({ action: "subscribe", events: patterns() }));
      tell();
    };
    socket.onmessage = e => frame(e.data);
    socket.onclose = () => {
      open = false; lost += 1; tries += 1; offlineSince ??= new Date();
      tell();
      const wait = Math.min(RETRY_MAX_MS, 500 * 2 ** Math.min(tries, 6));
      setTimeout(connect, wait / 2 + Math.random() * wait / 2);
    };
  };
  setInterval(() => { if (!open) slots().forEach(ring); }, POLL_MS);
  /* What Timmy does right now begins without an event: the state is looked at now and then, and after an act. */
  const states = () => slots().filter(s => s.dataset.mode === "pulse" || s.id === "thinking-status");
  setInterval(() => { if (!document.hidden && open) states().forEach(ring); }, STATE_MS);
  document.addEventListener("htmx:afterRequest", () => [...states(), $("#slot-rail")].forEach(slot => slot && ring(slot)));
  document.addEventListener("visibilitychange", () => { if (!document.hidden) for (const slot of slots()) if (slot.dataset.due || !open) ring(slot); });
  if ("WebSocket" in window) connect();
})();
