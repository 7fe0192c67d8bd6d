// Without JavaScript: everything reads, every act is a form.

import assert from "node:assert/strict";
import { journey } from "../stage.mjs";

const plain = { scripts: false };

// shows: login: the door opens without JavaScript
journey("plain login", { ...plain, signedIn: false }, async (visitor) => {
  await visitor.comeIn();
});

// shows: dashboard: Home reads without JavaScript
journey("plain home", plain, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/");
  await page.getByRole("heading", { level: 2, name: /Latest thought/ }).waitFor();
  await page.getByText("kelp", { exact: false }).first().waitFor();
});

// shows: talk: a message is sent and its answer read without JavaScript
journey("plain talk", plain, async (visitor) => {
  const { page } = visitor;
  const words = `Are you there, ${Date.now()}?`;
  await visitor.go("/talk");
  await page.getByLabel("Message to Timmy").fill(words);
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText(words).first().waitFor();
  // The page reloads itself while an answer is being made.
  await page.locator(".turn").last().locator(".byline", { hasText: "scripted" }).waitFor();
});

// shows: thinking: a thought is put in without JavaScript
journey("plain inject", plain, async (visitor) => {
  const { page } = visitor;
  const words = `Written with forms alone, ${Date.now()}.`;
  await visitor.go("/thinking");
  await page.getByText("Put a thought in").click();
  await page.getByLabel(/Something for Timmy to think on/).fill(words);
  await page.getByRole("button", { name: "Add to the thread" }).click();
  await page.getByRole("article").filter({ hasText: words }).waitFor();
});

// shows: dashboard: the log is filtered, narrowed in time and freed again without JavaScript
journey("plain filter", plain, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/swarm/events");
  await page.getByRole("searchbox", { name: "Filter" }).fill("actor:owner");
  await page.getByRole("button", { name: "Filter" }).click();
  const actors = await page.locator("#events td.who").allInnerTexts();
  assert.ok(actors.length > 0);
  assert.deepEqual([...new Set(actors.map((actor) => actor.trim()))], ["owner"]);
  await page.getByRole("list", { name: "Narrow the list to a stretch of time" }).getByRole("link").last().click();
  await page.waitForURL((url) => /^actor:owner since:\S+ until:\S+$/.test(url.searchParams.get("q") ?? ""));
  await page.getByRole("link", { name: "Leave out actor:owner" }).click();
  await page.waitForURL((url) => !(url.searchParams.get("q") ?? "").includes("actor"));
  await page.locator("#events td.at a").first().click();
  await page.locator("#events tr[aria-current]").waitFor();
});
