// The palette and the keys.

import assert from "node:assert/strict";
import { journey } from "../stage.mjs";

const palette = (page) => page.getByRole("dialog", { name: "Search or run" });
const field = (page) => palette(page).getByRole("combobox");
const current = async (page) => page.locator(`#${await field(page).getAttribute("aria-activedescendant")}`);

// shows: dashboard: the palette opens by key and button, finds pages, acts, things and settings, and gives the focus back
journey("palette", {}, async (visitor, house) => {
  const { page } = visitor;
  const { id } = await house.api("POST", "/thinking/api/inject", { content: "Kelp grows towards the light." });
  await visitor.go("/talk");
  await page.getByLabel("Message to Timmy").focus();
  await page.keyboard.press("Control+k");
  await field(page).waitFor();
  assert.deepEqual(await visitor.barriers(), []);
  await page.keyboard.press("Escape");
  assert.equal(await page.evaluate(() => document.activeElement.id), "say", "the focus is where it was");
  // The first entries come with the page, so none of them waits for an answer of the server.
  const atOnce = await page.evaluate(() => {
    globalThis.timmy.palette();
    return document.querySelectorAll("dialog [role=option]").length;
  });
  assert.ok(atOnce > 10, `${atOnce} entries in the first frame`);
  await page.keyboard.press("Escape");

  await page.getByRole("link", { name: "Search or run" }).click();
  await field(page).fill("heal");
  assert.match(await (await current(page)).innerText(), /Health/);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Health" }).waitFor();

  await page.keyboard.press("Control+k");
  await field(page).fill("kelp towards");
  await palette(page).getByRole("option", { name: /Kelp grows towards the light/ }).click();
  await page.waitForURL(`**/thinking/${id}`);

  const task = await house.api("POST", "/api/tasks", { title: "Mend the sluice gate", assigned_to: "owner" });
  await page.keyboard.press("Control+k");
  await field(page).fill("sluice mend");
  await palette(page).getByRole("option", { name: /Mend the sluice gate/ }).click();
  await page.waitForURL(`**/tasks/${task.id}`);
  await house.api("POST", `/api/tasks/${task.id}/veto`);

  await page.keyboard.press("Control+k");
  await field(page).fill("quiet hours begin");
  await palette(page).getByRole("option", { name: /thinking\.quiet_from/ }).click();
  await page.waitForURL("**/settings#thinking.quiet_from");
});

// shows: dashboard: an act of the palette is done where the visitor is, shows its twin in the terminal, and is taken back
journey("act from the palette", {}, async (visitor, house) => {
  const { page } = visitor;
  // The house is shared with other journeys, which pause too.
  const told = async name => (await house.json("events", "query", "--type", name)).items.length;
  const names = ["thinking.paused", "thinking.resumed"];
  const before = await Promise.all(names.map(told));
  await visitor.go("/talk");
  await visitor.live();
  await page.keyboard.press("Control+k");
  await field(page).fill("pause 1");
  assert.match(await (await current(page)).innerText(), /timmy thoughts pause 1h/);
  await page.keyboard.press("Enter");
  await page.getByText("Thinking is paused for 1 h.").waitFor();
  assert.equal(new URL(page.url()).pathname, "/talk");
  await page.keyboard.press("u");
  await page.getByText("Timmy thinks again.").waitFor();
  for (const [at, name] of names.entries()) assert.equal(await told(name), before[at] + 1, name);
});

// shows: dashboard: an act that needs words asks for them, in the palette
journey("an act that asks", {}, async (visitor) => {
  const { page } = visitor;
  const words = `Asked in the palette, ${Date.now()}.`;
  await visitor.go("/thinking");
  await visitor.live();
  await page.keyboard.press("Control+k");
  await field(page).fill("put a thought");
  await page.keyboard.press("Enter");
  await palette(page).getByRole("combobox", { name: /A thought for Timmy/ }).fill(words);
  await page.keyboard.press("Enter");
  await page.getByText("The thought joined the thread").waitFor();
  await page.getByRole("article").filter({ hasText: words }).waitFor();
});

// shows: dashboard: the palette is a page without JavaScript, where acts are forms
journey("plain palette", { scripts: false }, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/");
  await page.getByRole("link", { name: "Search or run" }).click();
  await page.getByLabel("Search pages, things, settings and acts").fill("dark look");
  await page.getByRole("button", { name: "Search" }).click();
  await page.getByRole("button", { name: "Dark look" }).first().click();
  await page.locator("html[data-theme=dark]").waitFor({ state: "attached" });
  await visitor.go("/palette?q=system");
  await page.getByRole("button", { name: "Look as the system" }).first().click();
});

// shows: dashboard: rows are reached, opened and acted on by keys, and a thought is kept and released by one
journey("keys on rows", {}, async (visitor, house) => {
  const { page } = visitor;
  const { id } = await house.think();
  await visitor.go("/thinking");
  await visitor.live();
  await page.keyboard.press("j");
  assert.equal(await page.evaluate(() => document.activeElement.id), `thought-${id}`);
  await page.keyboard.press("f");
  await page.getByText("The thought is kept.").waitFor();
  await page.locator(`#thought-${id}.kept`).waitFor();
  await page.keyboard.press("u");
  await page.getByText("The thought is no longer kept.").waitFor();
  await page.locator(`#thought-${id}:not(.kept)`).waitFor();
  await page.keyboard.press("j");
  await page.keyboard.press(".");
  const panel = page.getByRole("dialog", { name: "What can be done" });
  await panel.getByRole("button", { name: /^Reply/ }).waitFor();
  assert.deepEqual(await visitor.barriers(), []);
  await page.keyboard.press("Escape");
  await panel.waitFor({ state: "detached" });
  await page.keyboard.press("y");
  await page.waitForURL(/\/swarm\/events\/\d+$/);
  await page.keyboard.press("g");
  await page.keyboard.press("n");
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  await visitor.live();
  await page.keyboard.press("Space");
  await page.getByText("Thinking is paused for 1 h.").waitFor();
  await page.keyboard.press("u");
  await page.getByText("Timmy thinks again.").waitFor();
});

// shows: dashboard: single keys never act while typing, and are remapped or switched off for a device
journey("keys of a device", {}, async (visitor) => {
  const { page } = visitor;
  const density = () => page.evaluate(() => document.documentElement.dataset.density);
  await visitor.go("/settings");
  await page.keyboard.press("d");
  assert.equal(await density(), "compact");
  await page.keyboard.press("d");
  await page.getByLabel("Filter the settings").pressSequentially("dd");
  assert.equal(await density(), "comfortable", "a field takes the letters");
  await page.getByText("Choose other keys").click();
  await page.getByLabel("Make rows compact or comfortable").fill("t");
  await page.getByRole("button", { name: "Save keys" }).click();
  await page.getByText("would mean two things").first().waitFor();
  assert.equal(await page.getByLabel("Make rows compact or comfortable").inputValue(), "t", "what was typed is still there");
  await page.getByLabel("Make rows compact or comfortable").fill("q");
  await page.getByRole("button", { name: "Save keys" }).click();
  await page.getByText("The keys of this device are saved.").waitFor();
  await page.keyboard.press("d");
  assert.equal(await density(), "comfortable");
  await page.keyboard.press("q");
  assert.equal(await density(), "compact");
  await page.keyboard.press("q");
  await page.keyboard.press("?");
  const sheet = page.getByRole("dialog", { name: "Keys" });
  await sheet.getByText("Make rows compact or comfortable").waitFor();
  assert.match(await sheet.innerText(), /q\s+Make rows compact/);
  assert.deepEqual(await visitor.barriers(), []);
  await page.keyboard.press("Escape");
  await page.getByRole("switch", { name: "Single keys" }).uncheck();
  await page.getByRole("button", { name: "Save keys" }).click();
  await page.getByText("The keys of this device are saved.").waitFor();
  await page.keyboard.press("q");
  await page.keyboard.press("?");
  assert.equal(await density(), "comfortable");
  assert.equal(await sheet.count(), 0);
  await page.keyboard.press("Control+k");
  await field(page).waitFor();
});

// shows: dashboard: the side is made narrow by a key and stays so, and symbols keep their names
journey("narrow side", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/");
  await page.keyboard.press("\\");
  const side = page.getByRole("navigation", { name: "Pages" });
  assert.ok((await side.boundingBox()).width < 80);
  await page.waitForLoadState("networkidle");
  await visitor.go("/thinking");
  assert.ok((await side.boundingBox()).width < 80, "it holds on the next page");
  await side.getByRole("link", { name: /Events/ }).waitFor();
  assert.deepEqual(await visitor.barriers(), []);
  await page.keyboard.press("\\");
  assert.ok((await side.boundingBox()).width > 200);
  await page.waitForLoadState("networkidle");
});
