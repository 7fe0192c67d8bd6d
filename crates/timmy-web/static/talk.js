/* Talk: Enter sends, and an answer is shown while it is being made. htmx posts the forms and puts the turns
   into the page; this file only reads the stream. Without it the page reloads every three seconds. */
(() => {
  "use strict";
  const $ = (s, el = document) => el.querySelector(s);
  const turns = $("#turns"), form = $("#composer"), say = $("#say");
  if (!turns) return;
  const POLL_MS = 3000, STREAM_TRIES_MAX = 3;
  const foot = form || turns;
  const atEnd = () => turns.getBoundingClientRect().bottom < innerHeight + 80;
  const toEnd = () => { const under = turns.getBoundingClientRect().bottom + foot.offsetHeight + 120 - innerHeight; if (under > 0) scrollBy({ top: under }); };

  const finish = async turn => {
    const id = turn.dataset.turn;
    let answer;
    try { answer = await fetch(`/talk/${id}/turn`, { headers: { "HX-Request": "true" } }); } catch { return false; }
    if (!answer.ok) return false;
    const t = document.createElement("template");
    t.innerHTML = await answer.text();
    const whole = t.content.firstElementChild;
    if (!whole || whole.dataset.turn) return false;
    const end = atEnd();
    turn.replaceWith(whole);
    window.htmx?.process(whole);
    if (end) toEnd();
    $("#said").textContent = whole.matches(".failed") ? "No answer came." : "Timmy has answered.";
    return true;
  };
  const poll = turn => setTimeout(async () => { if (turn.isConnected && !await finish(turn)) poll(turn); }, POLL_MS);

  const add = (words, text) => {
    $("[data-wait]", words)?.remove();
    let p = words.lastElementChild;
    if (!p) { p = document.createElement("p"); words.append(p); }
    const end = atEnd();
    p.append(text);
    if (end) toEnd();
  };

  const read = async (turn, tries = 0) => {
    if (turn.dataset.reading) return;
    turn.dataset.reading = "1";
    const words = $("[data-words]", turn);
    let done = false;
    try {
      const answer = await fetch(`/talk/${turn.dataset.turn}/stream`, { headers: { Accept: "text/event-stream" } });
      if (!answer.ok || !answer.body) throw new Error("no stream");
      if (tries) words.replaceChildren();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done: over } = await reader.read();
        if (over) break;
        rest += value.replace(/\r\n?/g, "\n");
        for (let at; (at = rest.indexOf("\n\n")) >= 0; rest = rest.slice(at + 2)) {
          let name = "message", data = "";
          for (const line of rest.slice(0, at).split("\n")) {
            if (line.startsWith("event:")) name = line.slice(6).trim();
            else if (line.startsWith("data:")) data += line.slice(5).trimStart();
          }
          if (name === "delta") { try { add(words, JSON.parse(data).text); } catch { /* a broken piece is not shown */ } }
          if (name === "done") done = true;
        }
        if (done) { reader.cancel(); break; }
      }
    } catch { /* the answer is in the store whatever became of the stream */ }
    delete turn.dataset.reading;
    if (await finish(turn)) return;
    if (!done && tries < STREAM_TRIES_MAX) setTimeout(() => turn.isConnected && read(turn, tries + 1), 500 * 2 ** tries);
    else poll(turn);
  };
  const scan = () => { for (const turn of turns.querySelectorAll("[data-turn]")) read(turn); };

  document.addEventListener("htmx:afterSwap", e => {
    scan();
    if (e.detail.requestConfig?.elt !== form) return;
    say.value = "";
    $("#about")?.remove();
    $("[name=about]", form)?.remove();
    $("[data-until=turns]")?.remove();
    toEnd();
  });
  say?.addEventListener("keydown", e => {
    if (e.key !== "Enter" || e.shiftKey || e.isComposing || matchMedia("(pointer: coarse)").matches) return;
    e.preventDefault();
    if (say.value.trim()) form.requestSubmit();
  });
  scan();
  if (form && !location.hash && turns.querySelector(".turn")) toEnd();
})();
