// Approvals: what waits for the owner's word.

import assert from "node:assert/strict";
import { journey } from "../stage.mjs";

const ask = (house, title) => house.api("POST", "/api/tasks", { title, assigned_to: "owner", requires_approval: true });
const status = async (house, task) => (await house.api("GET", `/api/tasks/${task.id}`)).status;

async function decideTwo(visitor, house) {
  const { page } = visitor;
  const stamp = Date.now();
  const yes = await ask(house, `Yes to this, ${stamp}`);
  const no = await ask(house, `No to that, ${stamp}`);
  await visitor.go("/approvals");
  const card = (task) => page.locator(".ask", { hasText: task.title });
  await card(yes).locator("summary", { hasText: "Approve" }).click();
  await card(yes).getByRole("button", { name: "Yes, do exactly this" }).click();
  await card(yes).waitFor({ state: "detached" });
  await card(no).locator("summary", { hasText: "Reject" }).click();
  await card(no).getByLabel(/Why/).fill("not now");
  await card(no).getByRole("button", { name: "No, do not" }).click();
  await card(no).waitFor({ state: "detached" });
  assert.equal(await status(house, yes), "approved");
  assert.equal(await status(house, no), "vetoed");
  await house.api("POST", `/api/tasks/${yes.id}/veto`);
}

// shows: approvals: a question is answered from its card, yes in two steps and no with a reason
journey("approve and reject", {}, decideTwo);

// shows: approvals: a question is answered without JavaScript
journey("plain approve", { scripts: false }, decideTwo);

// shows: approvals: a question is answered on a phone
journey("phone approve", { size: "phone" }, decideTwo);

async function batch(visitor, house) {
  const { page } = visitor;
  const tasks = [];
  for (let n = 0; n < 3; n += 1) tasks.push(await ask(house, `Together ${n}, ${Date.now()}`));
  await visitor.go("/approvals");
  for (const task of tasks.slice(0, 2)) await page.getByRole("checkbox", { name: `Choose ${task.title}` }).check();
  await page.locator("summary", { hasText: "Decide" }).click();
  assert.deepEqual(await visitor.barriers(), []);
  assert.equal(await visitor.sideways(), null);
  await page.getByRole("button", { name: "Reject the chosen" }).click();
  await page.locator(".ask", { hasText: tasks[0].title }).waitFor({ state: "detached" });
  assert.deepEqual(await Promise.all(tasks.map((task) => status(house, task))), ["vetoed", "vetoed", "pending_approval"]);
  await house.api("POST", `/api/tasks/${tasks[2].id}/veto`);
}

// shows: approvals: several questions are answered at once
journey("batch decide", {}, batch);

// shows: approvals: several questions are answered at once on a phone
journey("phone batch decide", { size: "phone", theme: "dark" }, batch);

// shows: dashboard: a question that waits stands on Home, with its count beside it
journey("asked on Home", {}, async (visitor, house) => {
  const { page } = visitor;
  const task = await ask(house, `Look at this on Home, ${Date.now()}`);
  await visitor.go("/");
  await page.getByRole("link", { name: task.title, exact: true }).click();
  await page.getByRole("heading", { level: 1, name: "Approvals" }).waitFor();
  await house.api("POST", `/api/tasks/${task.id}/veto`);
});

// shows: approvals: on a phone a yes is given by holding it down
journey("hold to approve", { size: "phone" }, async (visitor, house) => {
  const { page } = visitor;
  const task = await ask(house, `Hold for this, ${Date.now()}`);
  await visitor.go("/approvals");
  const card = page.locator(".ask", { hasText: task.title });
  const yes = card.locator("[data-hold] > summary");
  const touch = { pointerType: "touch", bubbles: true, isPrimary: true };
  await yes.dispatchEvent("pointerdown", touch);
  await page.waitForTimeout(200);
  await yes.dispatchEvent("pointerup", touch);
  await page.waitForTimeout(800);
  assert.equal(await status(house, task), "pending_approval", "a short touch is no yes");
  await yes.dispatchEvent("pointerdown", touch);
  await card.waitFor({ state: "detached" });
  assert.equal(await status(house, task), "approved");
  await house.api("POST", `/api/tasks/${task.id}/veto`);
});
