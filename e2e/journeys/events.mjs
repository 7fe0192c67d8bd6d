// Reading the log.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { SIZES } from "../browser.mjs";
import { things } from "../pages.mjs";
import { journey } from "../stage.mjs";

const box = (page) => page.getByRole("searchbox", { name: "Filter" });
const names = (page) => page.locator("#events td.name").allInnerTexts();
const filtered = async (page, text) => {
  await box(page).fill(text);
  await page.getByRole("button", { name: "Filter" }).click();
  await page.waitForURL((url) => url.searchParams.get("q") === text);
};

// shows: dashboard: the log is filtered by one text that stands in the address, and its parts are taken away one by one
journey("filter events", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/swarm/events");
  await filtered(page, "type:watch.* severity:info");
  const found = await names(page);
  assert.ok(found.length > 0, "the watched folder left events");
  assert.deepEqual(found.filter((name) => !name.startsWith("watch.")), []);
  assert.deepEqual(await visitor.barriers(), []);
  await page.locator("#events td.lead a").first().click();
  await page.waitForURL(/\/swarm\/events\/\d+$/);
  await page.goBack();
  await page.getByRole("link", { name: "Leave out type:watch.*" }).click();
  await page.waitForURL((url) => url.searchParams.get("q") === "severity:info");
  assert.ok((await names(page)).some((name) => !name.startsWith("watch.")), "without that part there is more");
  await page.getByRole("link", { name: "Clear" }).click();
  await page.waitForURL((url) => url.search === "");
  assert.equal(await box(page).inputValue(), "");
});

// shows: dashboard: a filter that makes no sense is explained with its place and the nearest word, not failed
journey("a filter that makes no sense", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/swarm/events?q=severty:error");
  assert.match(await page.locator("#q-problem").innerText(), /at character 1\. Did you mean `severity:`\?/);
  assert.equal(await box(page).inputValue(), "severty:error", "what was typed is still there");
  assert.deepEqual(await visitor.barriers(), []);
  await visitor.go("/swarm/events?type=a..b");
  assert.ok(await page.locator("#q-problem").innerText(), "addresses of before are explained too");
});

// shows: dashboard: what is said while a list is empty stays as it is while time passes
journey("nothing fits", {}, async (visitor) => {
  const { page } = visitor;
  await page.clock.install();
  for (const where of ["/swarm/events?q=type:nothing.here", "/thinking?kept=1", "/talk"]) {
    await visitor.go(where);
    const empty = page.locator("[data-until]");
    if (where.includes("nothing")) assert.equal(await empty.count(), 1);
    const said = await empty.allInnerTexts();
    await page.clock.runFor(3_000);
    assert.deepEqual(await empty.allInnerTexts(), said, where);
  }
});

// shows: dashboard: the histogram is walked by keyboard, each stretch narrows the list, and a span widens it again
journey("the histogram", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/swarm/events");
  await page.getByRole("link", { name: "1 h", exact: true }).click();
  await page.waitForURL(/span=1h/);
  await page.getByText(/events? in the last hour/).waitFor();
  const last = page.getByRole("list", { name: "Narrow the list to a stretch of time" }).getByRole("link").last();
  assert.match(await last.innerText(), /\d\d:\d\d to \d\d:\d\d: \d+ events?/);
  await last.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => /since:\S+ until:\S+/.test(url.searchParams.get("q") ?? ""));
  assert.ok((await names(page)).length > 0);
  await visitor.picture("events-zoomed-light-desk");
  await page.getByRole("link", { name: "24 h", exact: true }).click();
  await page.waitForURL((url) => !(url.searchParams.get("q") ?? "").includes("since:"));
});

// shows: dashboard: thirty seconds around an event are one key away, with the event marked
journey("around an event", {}, async (visitor, house) => {
  const { page } = visitor;
  const { event } = await things(house);
  await visitor.go(`/swarm/events/${event}`);
  await page.keyboard.press("w");
  await page.waitForURL(`**/swarm/events?around=${event}`);
  assert.equal(await page.locator("#events tr[aria-current]").getAttribute("data-seq"), String(event));
  assert.match(await box(page).inputValue(), /^since:\S+ until:\S+$/);
  assert.deepEqual(await visitor.barriers(), []);
  await visitor.picture("events-around-light-desk");
});

// shows: dashboard: keys on a row of the log: only this name, not this name, its neighbours, its id, its chain
journey("keys of the log", {}, async (visitor, house) => {
  const { page } = visitor;
  await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: house.address });
  const { event } = await things(house);
  await visitor.go(`/swarm/events?q=before:${event + 1}`);
  await page.keyboard.press("j");
  const row = () => page.evaluate(() => document.activeElement.closest("tr")?.dataset.seq);
  const name = () => page.evaluate(() => document.activeElement.closest("tr").querySelector(".name").innerText.trim());
  assert.equal(await row(), String(event));
  const first = await name();
  await page.keyboard.press("#");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), String(event));
  await page.keyboard.press("I");
  await page.waitForURL((url) => url.searchParams.get("q") === `before:${event + 1} -type:${first}`);
  assert.ok(!(await names(page)).includes(first));
  await visitor.go("/swarm/events?q=-type:message.replied");
  await page.keyboard.press("j");
  const second = await name();
  await page.keyboard.press("i");
  await page.waitForURL((url) => url.searchParams.get("q") === `-type:message.replied type:${second}`);
  assert.deepEqual([...new Set(await names(page))], [second]);
  for (const n of [1, 2]) await house.cli("token", "create", "--name", `neighbour-${n}-${Date.now()}`, "--scope", "read");
  await visitor.go("/swarm/events?q=type:token.created");
  await page.keyboard.press("j");
  const newest = await row();
  await page.keyboard.press("n");
  const older = await row();
  assert.ok(Number(older) < Number(newest), `${older} lies before ${newest}`);
  await page.keyboard.press("N");
  assert.equal(await row(), newest);
  await visitor.go(`/swarm/events?q=before:${event + 1}`);
  await page.keyboard.press("j");
  await page.keyboard.press("y");
  await page.waitForURL(/\/swarm\/events\/\d+$/);
});

// shows: dashboard: live rows come in, wait while paused, and come when it goes on
journey("pause the live log", {}, async (visitor, house) => {
  const { page } = visitor;
  await visitor.go("/swarm/events?q=type:token.*");
  await visitor.live();
  await page.keyboard.press("p");
  await page.locator("#liveword", { hasText: "Paused" }).waitFor();
  const made = `paused-${Date.now()}`;
  await house.cli("token", "create", "--name", made, "--scope", "read");
  await page.locator("#liveword", { hasText: /Paused \(\d+\)/ }).waitFor();
  assert.equal(await page.getByText(made).count(), 0, "nothing moves while it is paused");
  await page.keyboard.press("p");
  await page.getByText(made).first().waitFor();
});

// shows: dashboard: when more came while the live log was paused than are shown at once, the list says so where they are missing
for (const [theme, size] of [["light", "desk"], ["dark", "phone"]]) {
  journey(`more came while the live log was paused, ${theme}, ${size}`, { theme, size }, async (visitor, house) => {
    const { page } = visitor;
    // On the phone the word stands there without being shown.
    const word = (hasText) => page.locator("#liveword", { hasText }).waitFor({ state: "attached" });
    await house.api("POST", "/thinking/api/inject", { content: "before the pause" });
    await visitor.go("/swarm/events?q=type:timmy.thought");
    await word(/^\s*live/i);
    const rows = page.locator("#events tr[data-seq]");
    const last = Number(await rows.first().getAttribute("data-seq"));
    await page.getByRole("button", { name: "Pause live updates" }).click();
    await word("Paused");
    for (let n = 0; n < 55; n += 1) await house.api("POST", "/thinking/api/inject", { content: `while paused ${n}` });
    await word(/Paused \(\d+\)/);
    await page.getByRole("button", { name: "Resume live updates" }).click();
    const between = page.locator("#events tr[data-between] a");
    await between.waitFor();
    const above = await page.locator("#events tr:has(+ tr[data-between])").getAttribute("data-seq");
    const below = await page.locator("#events tr[data-between] + tr").getAttribute("data-seq");
    assert.ok(Number(above) > last + 1 && Number(below) <= last, `${above} ${below} ${last}`);
    assert.deepEqual(await visitor.barriers(), []);
    assert.equal(await visitor.sideways(), null);
    await visitor.picture(`live-between-${theme}-${size}`);
    await between.click();
    await page.waitForURL(new RegExp(`before=${above}`));
    assert.ok(Number(await rows.first().getAttribute("data-seq")) < Number(above));
  });
}

// shows: dashboard: what fits the filter is taken along as a file
journey("export events", {}, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/swarm/events?q=type:watch.*");
  const coming = page.waitForEvent("download");
  await page.getByRole("link", { name: /Export/ }).click();
  const download = await coming;
  assert.match(download.suggestedFilename(), /^timmy-events-.*\.ndjson$/);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(lines.length > 0);
  assert.deepEqual(lines.filter((line) => !line.event.startsWith("watch.")), []);
});

for (const theme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    // shows: dashboard: the filtered log, its help and what it says of a filter it refuses have no barrier at any width
    journey(`the filtered log, ${theme}, ${size}`, { theme, size }, async (visitor) => {
      const { page } = visitor;
      await visitor.go('/swarm/events?q=severity:info -type:pulse.* since:24h "kelp" actor:timmy');
      await page.getByText("What can stand here").click();
      assert.deepEqual(await visitor.barriers(), []);
      assert.equal(await visitor.sideways(), null);
      await visitor.picture(`events-filtered-${theme}-${size}`);
      await visitor.go("/swarm/events?q=severty:error");
      assert.deepEqual(await visitor.barriers(), []);
      assert.equal(await visitor.sideways(), null);
      await visitor.picture(`events-refused-${theme}-${size}`);
    });
  }
}

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
