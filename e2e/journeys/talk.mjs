// Talking, and stopping an answer.

import assert from "node:assert/strict";
import { SLOW_WORDS } from "../house.mjs";
import { journey } from "../stage.mjs";

const last = (page) => page.locator(".turn").last();

// shows: talk: an answer arrives on the open page and says who made it and where
journey("talk", {}, async (visitor) => {
  const { page } = visitor;
  const words = `What grows in the kelp folder, ${Date.now()}?`;
  await visitor.go("/talk");
  await visitor.live();
  await page.getByLabel("Message to Timmy").fill(words);
  await page.getByRole("button", { name: "Send" }).click();
  await page.locator(".turn.me", { hasText: words }).waitFor();
  await last(page).locator(".byline", { hasText: "scripted" }).waitFor();
  assert.match(await last(page).innerText(), /on this machine/);
  assert.equal(await page.getByLabel("Message to Timmy").inputValue(), "", "the field is empty again");
  await page.reload();
  assert.equal(await page.locator(".turn.me", { hasText: words }).count(), 1, "it was said once");
});

// shows: talk: stop ends an answer at once, and what had come is kept and marked
journey("stop an answer", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/talk");
  await visitor.live();
  await page.getByLabel("Message to Timmy").fill(SLOW_WORDS);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByRole("button", { name: /^Stop/ }).click();
  await last(page).getByText("Stopped by you").waitFor();
  await page.reload();
  await last(page).getByText("Stopped by you").waitFor();
});
