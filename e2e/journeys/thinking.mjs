// Watching Timmy think.

import assert from "node:assert/strict";
import { journey } from "../stage.mjs";

const thoughts = (page) => page.getByRole("region", { name: /thoughts/i }).getByRole("article");

// shows: thinking: a thought made elsewhere appears on the open page by itself, with its maker
journey("watch a thought arrive live", {}, async (visitor, house) => {
  const { page } = visitor;
  await visitor.go("/thinking");
  await visitor.live();
  const before = await thoughts(page).count();
  await page.evaluate(() => {
    globalThis.stayed = true;
  });
  const { id } = await house.think();
  const born = page.locator(`#thought-${id}`);
  await born.waitFor();
  assert.ok((await thoughts(page).count()) > before);
  assert.ok(await page.evaluate(() => globalThis.stayed), "the page was not loaded again");
  assert.match(await born.innerText(), /scripted/, "a scripted thought says so");
});

// shows: thinking: the owner puts a thought in, and it joins the thread as the owner's
journey("inject a thought", {}, async (visitor) => {
  const { page } = visitor;
  const words = `The kelp bed needs light, ${Date.now()}.`;
  await visitor.go("/thinking");
  await page.getByText("Put a thought in").click();
  await page.getByLabel(/Something for Timmy to think on/).fill(words);
  await page.getByRole("button", { name: "Add to the thread" }).click();
  const mine = thoughts(page).filter({ hasText: words });
  await mine.waitFor();
  assert.match(await mine.innerText(), /from you/);
  // Violet is Timmy's own voice; the owner's words stand in plain ink.
  const colour = (where) => where.evaluate((el) => getComputedStyle(el).color);
  assert.equal(await colour(mine.locator(".said")), await colour(page.locator("h1")), "the owner's words are not violet");
  await page.reload();
  assert.equal(await thoughts(page).filter({ hasText: words }).count(), 1, "it is stored, once");
});

// shows: thinking: the owner pauses thinking and lets it go on
journey("pause and resume", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/thinking");
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  await page.getByRole("button", { name: "Resume thinking" }).click();
  await page.getByRole("button", { name: "Think now" }).waitFor();
});

// shows: thinking: a thought can be kept and let go again
journey("keep a thought", {}, async (visitor, house) => {
  const { page } = visitor;
  const { id } = await house.think();
  await visitor.go("/thinking");
  const thought = page.locator(`#thought-${id}`);
  await thought.hover();
  await thought.getByRole("button", { name: /^Keep/ }).click();
  await thought.getByRole("button", { name: /^Release/ }).click();
  await thought.getByRole("button", { name: /^Keep/ }).waitFor();
});
