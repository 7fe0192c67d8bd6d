// The queue: making tasks, putting them in order, and steering them.

import assert from "node:assert/strict";
import { journey } from "../stage.mjs";

/** Tasks that stay in the queue, since each waits for one that is never done: the owner's own. */
async function queued(house, count) {
  const gate = await house.api("POST", "/api/tasks", { title: "Something the owner does", assigned_to: "owner", requires_approval: true });
  const made = [];
  for (let n = 1; n <= count; n += 1) {
    made.push(await house.api("POST", "/api/tasks", { title: `Bed ${n} of ${gate.id.slice(-6)}`, assigned_to: "owner", needs: [gate.id] }));
  }
  return { gate, made };
}

const order = async (page, made) => {
  const ids = await page.locator("[data-turn]").evaluateAll((rows) => rows.map((row) => row.dataset.id));
  return ids.filter((id) => made.some((task) => task.id === id));
};

/** Waits until the rows stand like that. */
async function stands(page, made, wanted) {
  const ids = wanted.map((task) => task.id);
  await page.waitForFunction((ids) => {
    const shown = [...document.querySelectorAll("[data-turn]")].map((row) => row.dataset.id).filter((id) => ids.includes(id));
    return JSON.stringify(shown) === JSON.stringify(ids);
  }, ids);
}

async function cleaned(house, { gate, made }) {
  for (const task of [...made, gate]) await house.api("POST", `/api/tasks/${task.id}/veto`);
}

async function make(visitor) {
  const { page } = visitor;
  const title = `Count the kelp beds, ${Date.now()}`;
  await visitor.go("/tasks");
  await page.getByText("New task").click();
  await page.getByLabel("What is to be done").fill(title);
  await page.getByLabel("Who does it").fill("owner");
  await page.getByLabel("Wait for my word before it is begun").check();
  await page.getByRole("button", { name: "Make the task" }).click();
  const row = page.locator("#tasks .row", { hasText: title });
  await row.getByText("Waiting for you").waitFor({ state: "attached" });
  await row.getByRole("button", { name: /^Approve/ }).click();
  await page.locator("#tasks .row:not(.ember)", { hasText: title }).waitFor();
  await page.getByRole("link", { name: title }).click();
  await page.getByRole("heading", { level: 1, name: title }).waitFor();
  await page.locator("summary", { hasText: "Veto" }).click();
  await page.getByLabel(/There is no way back. Why you do not want it/).fill("counted already");
  await page.getByRole("button", { name: "Veto for good" }).click();
  await page.getByText("You did not want it.").waitFor();
}

// shows: dashboard: a task is made, approved and vetoed from the page of tasks
journey("make, approve and veto a task", {}, make);

// shows: dashboard: a task is made, approved and vetoed without JavaScript
journey("plain task", { scripts: false }, make);

// shows: dashboard: a task is made, approved and vetoed on a phone
journey("phone task", { size: "phone" }, make);

// shows: dashboard: tasks are put in order with the keyboard, and the row keeps the focus
journey("reorder by keys", {}, async (visitor, house) => {
  const { page } = visitor;
  const all = await queued(house, 3);
  const [a, b, c] = all.made;
  await visitor.go("/tasks");
  assert.deepEqual(await order(page, all.made), [a.id, b.id, c.id]);
  await page.locator(`#t-${b.id}`).evaluate((row) => { row.tabIndex = -1; row.focus(); });
  await page.keyboard.press("K");
  await stands(page, all.made, [b, a, c]);
  await page.waitForFunction((id) => document.activeElement?.closest(`#t-${CSS.escape(id)}`), b.id);
  await page.locator("#toast").getByRole("button", { name: "Undo" }).click();
  await stands(page, all.made, [a, b, c]);
  await cleaned(house, all);
});

// shows: dashboard: tasks are put in order by dragging them
journey("reorder by drag", {}, async (visitor, house) => {
  const { page } = visitor;
  const all = await queued(house, 3);
  const [a, b, c] = all.made;
  await visitor.go("/tasks");
  // The row moves under the mouse before its place is stored, and a page that is left in between stores nothing.
  const stored = page.waitForResponse((answer) => answer.url().endsWith(`/tasks/${c.id}/move`));
  await page.locator(`#t-${c.id}`).dragTo(page.locator(`#t-${a.id}`), { sourcePosition: { x: 300, y: 20 }, targetPosition: { x: 300, y: 3 } });
  await stands(page, all.made, [c, a, b]);
  assert.ok((await stored).ok());
  await page.reload();
  assert.deepEqual(await order(page, all.made), [c.id, a.id, b.id], "the order is stored");
  await cleaned(house, all);
});

// shows: dashboard: on a phone tasks are put in order with buttons, with and without JavaScript
for (const scripts of [true, false]) {
  journey(`phone reorder by buttons${scripts ? "" : " without scripts"}`, { size: "phone", theme: "dark", scripts }, async (visitor, house) => {
    const { page } = visitor;
    const all = await queued(house, 3);
    const [a, b, c] = all.made;
    await visitor.go("/tasks");
    if (scripts) assert.deepEqual(await visitor.barriers(), []);
    assert.equal(await visitor.sideways(), null);
    await page.getByRole("button", { name: `Earlier: ${c.title}` }).tap();
    await page.locator(`#t-${c.id} + #t-${b.id}`).waitFor();
    assert.deepEqual(await order(page, all.made), [a.id, c.id, b.id]);
    await page.getByRole("button", { name: `Later: ${a.title}` }).tap();
    await page.locator(`#t-${c.id} + #t-${a.id}`).waitFor();
    await page.reload();
    assert.deepEqual(await order(page, all.made), [c.id, a.id, b.id], "the order is stored");
    await cleaned(house, all);
  });
}

async function vetoRunning(visitor, house) {
  const { page } = visitor;
  const title = `Tell the long story, ${Date.now()}`;
  const task = await house.api("POST", "/api/tasks", { title });
  await visitor.go(`/tasks/${task.id}`);
  await page.getByText(/Being worked on/).waitFor();
  await page.locator("summary", { hasText: "Veto" }).click();
  await page.getByRole("button", { name: "Veto for good" }).click();
  await page.getByText("You did not want it.").waitFor();
  const then = await house.api("GET", `/api/tasks/${task.id}`);
  assert.equal(then.status, "vetoed");
  assert.ok(then.steps.at(-1).completed_at, "what ran has ended");
  await page.getByRole("heading", { name: "In the log" }).waitFor();
}

// shows: dashboard: a task that runs is vetoed on its page and stops
journey("veto a running task", {}, vetoRunning);

// shows: dashboard: a task that runs is vetoed on a phone and stops
journey("phone veto a running task", { size: "phone" }, vetoRunning);

// shows: dashboard: what came of a task is sent back with a remark, without JavaScript as well
for (const as of [{}, { scripts: false }, { size: "phone" }]) {
  journey(`send back ${JSON.stringify(as)}`, as, async (visitor, house) => {
    const { page } = visitor;
    const task = await house.api("POST", "/api/tasks", { title: `Count again, ${Date.now()}`, assigned_to: "owner" });
    await house.api("POST", `/api/tasks/${task.id}/complete`, { result: "Seven beds." });
    await visitor.go(`/tasks/${task.id}`);
    await page.locator("summary", { hasText: "Send it back" }).click();
    await page.getByLabel("What should be different").fill("Count the small ones too");
    await page.getByRole("button", { name: "Send back what came of it" }).click();
    await page.getByRole("heading", { level: 1, name: `Again: ${task.title}` }).waitFor();
    await page.getByText("Count the small ones too").first().waitFor();
    if (as.scripts !== false) assert.deepEqual(await visitor.barriers(), []);
    await house.api("POST", `/api/tasks/${new URL(page.url()).pathname.split("/").pop()}/veto`);
  });
}
