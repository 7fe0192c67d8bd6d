// Models: what is here, what comes, what there is to get, and a file from an address.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { SIZES, Visitor } from "../browser.mjs";
import { House } from "../house.mjs";
import { journey, stage } from "../stage.mjs";

/** Something that begins as a model does, without a repetition. */
const FILE = Buffer.alloc(400_000);
for (let n = 0, state = 7; n < FILE.length; n += 1) {
  state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  FILE[n] = state >>> 24;
}
FILE.write("GGUF", 0, "latin1");
const SUM = createHash("sha256").update(FILE).digest("hex");

/** A server of one file that sends only its first part of each answer until it is let go on. */
async function far() {
  const waiting = [];
  let held = true;
  const server = createServer((ask, answer) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(ask.headers.range ?? "");
    const from = range ? Number(range[1]) : 0;
    const to = range?.[2] ? Number(range[2]) + 1 : FILE.length;
    answer.writeHead(range ? 206 : 200, {
      "content-length": to - from,
      ...(range && { "content-range": `bytes ${from}-${to - 1}/${FILE.length}` }),
    });
    const stop = held ? Math.min(to, Math.max(from, 160_000)) : to;
    answer.write(FILE.subarray(from, stop));
    if (stop === to) answer.end();
    else waiting.push(() => answer.end(FILE.subarray(stop, to)));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}/m.gguf`,
    goOn() {
      held = false;
      for (const go of waiting.splice(0)) go();
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Comes to a house of its own, whose models nobody else changes. */
async function alone(as, act) {
  const [house, server] = [await House.start(), await far()];
  const visitor = await Visitor.come(stage.browser, house, as);
  try {
    await visitor.comeIn();
    await visitor.go("/models");
    await act(visitor, server, house);
    await visitor.done();
  } finally {
    await visitor.context.close().catch(() => {});
    server.stop();
    await house.stop();
  }
}

const row = (page, name) => page.locator("li.row", { has: page.locator(".name", { hasText: name }) });

async function ask(page, name, url, sum) {
  const details = page.locator("#from");
  if (!(await details.evaluate((box) => box.open))) await page.locator("summary", { hasText: "Get a file from an address" }).click();
  await page.getByLabel("Address of a GGUF file").fill(url);
  await page.getByLabel("Name it gets").fill(name);
  await page.getByLabel("Its SHA-256").fill(sum);
  await page.getByRole("button", { name: "Get it" }).click();
}

/** Looks until it stands so. Without scripts a page is asked for again, as its link says. */
async function seen(visitor, scripts, name, words) {
  const there = row(visitor.page, name).getByText(words).first();
  for (let tries = 0; ; tries += 1) {
    try {
      return await there.waitFor({ timeout: scripts ? 10_000 : 700 });
    } catch (error) {
      if (scripts || tries === 20) throw error;
      await visitor.go("/models");
    }
  }
}

const walk = (scripts) => async (visitor, server, house) => {
  const { page } = visitor;
  await page.getByRole("heading", { level: 1, name: "Models" }).waitFor();
  await page.getByText("No model is registered.").waitFor();
  await row(page, "phi-4").getByText("Checksum unknown").first().waitFor();
  assert.equal(await row(page, "phi-4").getByRole("button").count(), 0, "what has no checksum is not offered");
  await ask(page, "kelp", server.url, SUM);
  await seen(visitor, scripts, "kelp", /Comes, 40 %/);
  if (scripts) assert.deepEqual(await visitor.barriers(), []);
  await row(page, "kelp").getByRole("button", { name: "Stop kelp" }).click();
  await seen(visitor, scripts, "kelp", "Stopped");
  server.goOn();
  await ask(page, "kelp", server.url, SUM);
  await seen(visitor, scripts, "kelp", /checked against the checksum the owner gave/);
  await row(page, "kelp").getByRole("button", { name: "Use kelp" }).click();
  await seen(visitor, scripts, "kelp", "Used");
  assert.equal((await house.api("GET", "/api/v1/models/kelp")).sha256, SUM);
  await ask(page, "weed", server.url, "");
  await seen(visitor, scripts, "weed", "Nothing was verified");
  await ask(page, "wrong", server.url, "ab".repeat(32));
  await seen(visitor, scripts, "wrong", /its checksum is another one/);
  await row(page, "kelp").getByRole("button", { name: "Remove kelp" }).click();
  await page.getByRole("button", { name: "Undo" }).click();
  await row(page, "kelp").getByRole("button", { name: "Remove kelp" }).waitFor();
  await ask(page, "foul", "http://192.0.2.1/m.gguf", "");
  await page.getByText(/This cannot be fetched/).first().waitFor();
  if (scripts) assert.deepEqual(await visitor.barriers(), []);
};

// shows: dashboard: a model is fetched from an address with its progress, stopped, gone on with, used and removed; what is not verified says so
journey("fetch a model", {}, () => alone({ size: SIZES.desk }, async (visitor, server, house) => {
  await visitor.live();
  await walk(true)(visitor, server, house);
}));

// shows: dashboard: a model is fetched and stopped without JavaScript
journey("plain models", {}, () => alone({ size: SIZES.desk, scripts: false }, walk(false)));

// shows: dashboard: a model is fetched and stopped on a phone
journey("phone models", {}, () => alone({ size: SIZES.phone, theme: "dark" }, async (visitor, server, house) => {
  await walk(true)(visitor, server, house);
  const wide = await visitor.sideways();
  assert.ok(!wide, `${wide} sticks out`);
}));

// Pictures of the page empty, with a pull that runs, with one that failed, and with models. Nothing else is looked at, so
// without pictures there is nothing to do.
if (process.env.PICTURES) journey("pictures of models", {}, () => alone({ size: SIZES.desk }, async (visitor, server) => {
  const { page } = visitor;
  const pictures = async (name) => {
    for (const [theme, size] of [["light", "desk"], ["dark", "desk"], ["light", "phone"], ["dark", "phone"]]) {
      await page.emulateMedia({ colorScheme: theme });
      await page.setViewportSize(SIZES[size]);
      await visitor.picture(`models-${name}-${theme}-${size}`);
    }
    await page.setViewportSize(SIZES.desk);
  };
  await pictures("empty");
  await ask(page, "kelp", server.url, SUM);
  await row(page, "kelp").getByText(/Comes, 40 %/).first().waitFor();
  await visitor.go("/models");
  await pictures("coming");
  server.goOn();
  await row(page, "kelp").getByRole("button", { name: "Use kelp" }).click();
  await row(page, "kelp").getByText("Used").first().waitFor();
  await ask(page, "wrong", server.url, "ab".repeat(32));
  await row(page, "wrong").getByText(/its checksum is another one/).first().waitFor();
  await visitor.go("/models");
  await pictures("lived");
}));
