// Reading the log.

import assert from "node:assert/strict";
import { things } from "../pages.mjs";
import { journey } from "../stage.mjs";

// shows: dashboard: the log is filtered by name, and the filter stands in the address
journey("filter events", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/swarm/events");
  await page.getByLabel("Name", { exact: true }).fill("watch.*");
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL(/type=watch/);
  const names = await page.locator("#events td.name").allInnerTexts();
  assert.ok(names.length > 0, "the watched folder left events");
  assert.deepEqual(names.filter((name) => !name.startsWith("watch.")), []);
  await page.locator("#events td.lead a").first().click();
  await page.waitForURL(/\/swarm\/events\/\d+$/);
  await page.goBack();
  await page.getByRole("link", { name: "Clear" }).click();
  await page.waitForURL((url) => !url.search.includes("watch"));
  const all = await page.locator("#events td.name").allInnerTexts();
  assert.ok(all.some((name) => !name.startsWith("watch.")), "without the filter there is more");
});

// shows: dashboard: a filter that is no pattern is explained, not failed
journey("a filter that makes no sense", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/swarm/events?type=a..b");
  assert.ok(await page.locator("#type-problem").innerText());
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "a..b", "what was typed is still there");
});

// shows: dashboard: an event leads to what caused it, and from there to what came of it
journey("walk the causes", {}, async (visitor, house) => {
  const { page } = visitor;
  const { event } = await things(house);
  await visitor.go(`/swarm/events/${event}`);
  const chain = page.getByRole("region", { name: "How it came to this" });
  assert.match(await chain.locator("[aria-current]").innerText(), /message\.replied/);
  await chain.getByRole("link").first().click();
  await page.waitForURL((url) => /^\/swarm\/events\/\d+$/.test(url.pathname) && !url.pathname.endsWith(`/${event}`));
  assert.match(await chain.locator("[aria-current]").innerText(), /message\.received/, "the question caused the answer");
  await chain.locator(`a[href="/swarm/events/${event}"]`).waitFor();
});
