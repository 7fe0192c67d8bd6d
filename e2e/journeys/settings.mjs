// Settings: this device, folders, tokens, and every key of the configuration.

import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { journey } from "../stage.mjs";

const saved = (page) => page.getByText("Written to timmy.toml. It takes effect at the next start.");

// shows: dashboard: a setting is changed on its page, says when it takes effect, and what is refused is not lost
journey("change a setting", {}, async (visitor, house) => {
  const { page } = visitor;
  const file = path.join(house.home, "timmy.toml");
  await writeFile(file, "# Written by hand.\n[talk]\nhistory_tokens = 2000 # enough\n");
  await visitor.go("/settings");
  await page.getByLabel("Filter the settings").fill("quiet");
  await page.locator('[id="talk.history_tokens"]').waitFor({ state: "hidden" });
  await page.getByLabel("thinking.quiet_from", { exact: true }).fill("22:00");
  await page.getByRole("button", { name: "Save thinking", exact: true }).click();
  await page.getByText("set both for quiet hours, or neither").first().waitFor();
  assert.equal(await page.getByLabel("thinking.quiet_from", { exact: true }).inputValue(), "22:00");
  await page.getByLabel("thinking.quiet_until", { exact: true }).fill("07:00");
  await page.getByRole("button", { name: "Save thinking", exact: true }).click();
  await saved(page).waitFor();
  const written = await readFile(file, "utf8");
  assert.ok(written.startsWith("# Written by hand.\n[talk]\nhistory_tokens = 2000 # enough\n"), written);
  assert.match(written, /quiet_from = "22:00"/);
  const row = page.locator('[id="thinking.quiet_from"]');
  assert.match(await row.innerText(), /"22:00" at the next start, now ""/);
  assert.match(await page.locator('[id="thinking.interval_seconds"]').innerText(), /Set by environment TIMMY__THINKING__INTERVAL_SECONDS/);
  await row.getByRole("button", { name: /^Default/ }).click();
  await page.getByText("set both for quiet hours, or neither").first().waitFor();
  const { items } = await house.json("events", "query", "--type", "settings.changed");
  assert.deepEqual(items.map((e) => e.data.key).sort(), ["thinking.quiet_from", "thinking.quiet_until"]);
});

// shows: dashboard: settings are changed without JavaScript
journey("plain setting", { scripts: false }, async (visitor, house) => {
  const { page } = visitor;
  await visitor.go("/settings?q=max_tokens");
  await page.getByLabel("talk.max_tokens", { exact: true }).fill("900");
  await page.getByRole("button", { name: "Save talk", exact: true }).click();
  await saved(page).waitFor();
  assert.match(await readFile(path.join(house.home, "timmy.toml"), "utf8"), /max_tokens = 900/);
  await page.locator('[id="talk.max_tokens"]').getByRole("button", { name: /^Default/ }).click();
  await page.getByText("Taken out of timmy.toml.").waitFor();
});

// shows: login: a token is made in Settings, shown once, used, and revoked when its name is typed
journey("a token from Settings", {}, async (visitor, house) => {
  const { page } = visitor;
  const name = `phone ${Date.now()}`;
  await visitor.go("/settings#tokens");
  await page.getByLabel("Who uses it").fill(name);
  await page.getByLabel("May", { exact: true }).selectOption("read");
  await page.getByRole("button", { name: "Make token" }).click();
  await page.getByRole("heading", { level: 1, name: "A new token" }).waitFor();
  const token = await page.locator("[data-secret]").innerText();
  const ask = () => fetch(`${house.address}/api/status`, { headers: { authorization: `Bearer ${token}` } });
  assert.equal((await ask()).status, 200);
  assert.deepEqual(await visitor.barriers(), []);
  await page.getByRole("link", { name: "I have copied it" }).click();
  assert.ok(!(await page.content()).includes(token), "it is shown once");
  const row = page.locator("#tokens li", { hasText: name });
  await row.getByText("Revoke", { exact: false }).first().click();
  await row.getByLabel(/There is no way back/).fill("wrong");
  await row.getByRole("button", { name: "Revoke token" }).click();
  await page.getByText("Nothing was revoked").first().waitFor();
  assert.equal((await ask()).status, 200);
  await row.getByText("Revoke", { exact: false }).first().click();
  await row.getByLabel(/There is no way back/).fill(name);
  await row.getByRole("button", { name: "Revoke token" }).click();
  await page.getByText("The token is revoked").waitFor();
  assert.equal((await ask()).status, 401);
});

// shows: watching: a folder is no longer watched from Settings, and that is taken back
journey("stop watching and undo", {}, async (visitor, house) => {
  const { page } = visitor;
  const folder = await house.project("reef");
  await house.cli("watch", "add", folder);
  await visitor.go("/settings");
  await visitor.live();
  const row = page.locator("#folders li", { hasText: "reef" });
  await row.getByRole("button", { name: /Stop watching/ }).click();
  await row.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Undo" }).click();
  await row.waitFor();
  await house.cli("watch", "remove", folder);
});

// shows: dashboard: an act is taken back without JavaScript
journey("plain undo", { scripts: false }, async (visitor, house) => {
  const { page } = visitor;
  const { id } = await house.think();
  await visitor.go("/thinking");
  await page.locator(`#thought-${id} [data-act=keep]`).click();
  await page.getByRole("button", { name: "Undo" }).click();
  await page.locator(`#thought-${id}:not(.kept)`).waitFor();
  await page.getByText("The thought is no longer kept.").waitFor();
  await page.reload();
  assert.equal(await page.getByText("The thought is no longer kept.").count(), 0, "it is told once");
});

// shows: dashboard: the look changes at once, without loading the page again, and stays
journey("look in Settings", { theme: "light" }, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/settings");
  await page.evaluate(() => { globalThis.stayed = true; });
  const theme = page.getByRole("form", { name: "Theme" });
  await theme.getByRole("button", { name: "Dark" }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  assert.equal(await theme.getByRole("button", { name: "Dark" }).getAttribute("aria-pressed"), "true");
  await page.getByRole("form", { name: "Rows" }).getByRole("button", { name: "Compact" }).click();
  assert.ok(await page.evaluate(() => globalThis.stayed));
  await page.waitForLoadState("networkidle");
  await page.reload();
  assert.equal(await page.evaluate(() => `${document.documentElement.dataset.theme} ${document.documentElement.dataset.density}`), "dark compact");
  await theme.getByRole("button", { name: "System" }).click();
  await page.getByRole("form", { name: "Rows" }).getByRole("button", { name: "Comfortable" }).click();
  await page.waitForLoadState("networkidle");
});

// shows: dashboard: fewer of a seed shows in the list of seeds on the open page
journey("fewer, live", {}, async (visitor, house) => {
  const { page } = visitor;
  const { id } = await house.think();
  await visitor.go("/thinking");
  await visitor.live();
  const seed = page.locator(".seeds li", { hasText: "existential" });
  const before = await seed.innerText();
  await page.locator(`#thought-${id}`).hover();
  await page.locator(`#thought-${id} [data-act=fewer]`).click();
  await page.waitForFunction((was) => [...document.querySelectorAll(".seeds li")].some((li) => /existential/.test(li.innerText) && li.innerText !== was), before);
  await page.keyboard.press("u");
  await page.getByText("The wish for fewer is taken back.").waitFor();
});

for (const [name, wish] of [["more contrast", { contrast: "more" }], ["forced colours", { forcedColors: "active" }]]) {
  // shows: dashboard: pages stay readable with more contrast and with the colours of the system
  journey(`readable with ${name}`, {}, async (visitor) => {
    const { page } = visitor;
    await page.emulateMedia(wish);
    for (const at of ["/", "/thinking", "/settings", "/keys"]) {
      await visitor.go(at);
      assert.deepEqual(await visitor.barriers(), [], at);
    }
    if (wish.contrast) {
      const ink = await page.evaluate(() => { const s = getComputedStyle(document.documentElement); return [s.getPropertyValue("--ink-3"), s.getPropertyValue("--ink-2")]; });
      assert.equal(ink[0], ink[1], "meta text is as strong as other text");
    }
  });
}
