/* Tasks and approvals: rows are dragged to their place, and on a touch screen a yes is held down.
   Without this the arrows move a row, and a yes is given in two steps. */
(() => {
  "use strict";
  const { $$, send } = window.timmy || {};
  if (!send) return;
  const HOLD_MS = 700;

  /* The row is put where it is let go: before the one that follows it then, else behind the one above. */
  let held = null;
  const ready = () => { for (const r of $$("[data-turn]")) if (!r.draggable) r.draggable = true; };
  document.addEventListener("dragstart", e => {
    held = e.target.closest?.("[data-turn]");
    if (!held) return;
    e.dataTransfer.effectAllowed = "move";
    e.dataTransfer.setData("text/plain", held.dataset.id);
    e.dataTransfer.setDragImage(held, 20, 20);
    held.classList.add("held");
  });
  document.addEventListener("dragover", e => {
    const over = held && e.target.closest?.("[data-turn]");
    if (!over) return;
    e.preventDefault();
    if (over === held) return;
    const box = over.getBoundingClientRect();
    if (e.clientY < box.top + box.height / 2) over.before(held); else over.after(held);
  });
  document.addEventListener("drop", e => { if (held) e.preventDefault(); });
  document.addEventListener("dragend", () => {
    if (!held) return;
    const row = held, next = row.nextElementSibling, last = row.previousElementSibling;
    held = null;
    row.classList.remove("held");
    const to = next ? { before: next.dataset.id } : last ? { after: last.dataset.id } : null;
    if (to) send(`/tasks/${row.dataset.id}/move`, { ...to, query: document.querySelector("#tasks input[name=query]").value }, "#tasks");
  });
  ready();
  document.addEventListener("htmx:afterSettle", ready);
  document.addEventListener("pointerover", ready, { passive: true });

  /* Held down long enough, the summary of a yes sends its form; a short touch opens the second step. */
  let timer = 0;
  const let_go = () => { clearTimeout(timer); for (const h of $$(".holding")) h.classList.remove("holding"); };
  document.addEventListener("pointerdown", e => {
    const yes = e.pointerType === "touch" && e.target.closest?.("[data-hold] > summary");
    if (!yes) return;
    yes.classList.add("holding");
    timer = setTimeout(() => { let_go(); yes.parentElement.querySelector("form").requestSubmit(); }, HOLD_MS);
  });
  for (const end of ["pointerup", "pointercancel", "pointermove"]) document.addEventListener(end, e => { if (end !== "pointermove" || Math.hypot(e.movementX, e.movementY) > 8) let_go(); });
  document.addEventListener("contextmenu", e => { if (e.target.closest?.("[data-hold] > summary")) e.preventDefault(); });
})();
