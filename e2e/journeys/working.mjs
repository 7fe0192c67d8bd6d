// Timmy at work: a model that calls real tools, the questions this raises, and what the owner's words do on the disk.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { SIZES, Visitor } from "../browser.mjs";
import { workshop } from "../peer.mjs";
import { opened, stage } from "../stage.mjs";

/** How long one journey may take. What is very risky cools down for a minute. */
const JOURNEY_MS_MAX = 150_000;
/** How long a task may take to come to its end, or to its question. */
const WORK_MS_MAX = 30_000;
const LOOK_MS = 200;
const PASSWORD = "lantern orchard violet";
const REPORT = "All is well.\n";
/** Desk and phone, light and dark, and once without scripts. */
const WAYS = [
  { size: "desk", theme: "light", scripts: true },
  { size: "phone", theme: "dark", scripts: true },
  { size: "desk", theme: "dark", scripts: false },
];

let shop, session, risky;

/** Asks again and again until it is there. */
async function until(what, ask) {
  const end = Date.now() + WORK_MS_MAX;
  for (;;) {
    const found = await ask();
    if (found) return found;
    assert.ok(Date.now() < end, `${what} did not come in time`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

const task = (id) => shop.house.api("GET", `/api/tasks/${id}`);
const ended = (id) => until("the end of the task", async () => ((await task(id)).status === "completed" ? task(id) : null));

/** The question that the task raised. */
const question = (id) =>
  until("the question", async () => {
    const { items } = await shop.house.api("GET", "/api/approvals?status=pending&limit=50");
    return items.find((one) => one.subject.id === id && one.plan_hash);
  });

const writes = (name) => ["write_file", { path: path.join(shop.folder, name), how: "create", content: REPORT }];
const copies = (to) => ["run_command", { argv: ["cp", ".env", to], folder: shop.folder }];
const onDisk = (name) => readFile(path.join(shop.folder, name), "utf8");

/** A journey of one visitor in the house where work is done. */
function journey(name, { size = "desk", theme = "light", scripts = true } = {}, act) {
  test(`${name}, ${size}${scripts ? "" : " without scripts"}`, { timeout: JOURNEY_MS_MAX }, async () => {
    const visitor = await Visitor.come(stage.browser, shop.house, { size: SIZES[size], theme, scripts, session });
    try {
      await act(visitor, visitor.page);
    } catch (error) {
      await visitor.picture(`failed-${name.replaceAll(/\W+/g, "-")}-${size}`).catch(() => {});
      await visitor.context.close();
      throw error;
    }
    // What is refused on purpose is told by the browser as well.
    visitor.faults = visitor.faults.filter((fault) => !/40[39]|422/.test(fault));
    await visitor.done();
  });
}

/** Nothing is in the way of anybody, and nothing sticks out. Axe is a script, so it looks only where scripts run. */
async function fine(visitor, name, { size, theme, scripts }) {
  await visitor.picture(`${name}-${theme}-${size}`);
  if (scripts) assert.deepEqual(await visitor.barriers(), [], `axe: ${name}`);
  assert.equal(await visitor.sideways(), null, name);
}

const card = (page, id) => page.locator(`#a-${id}`);

async function say(page, id, button) {
  await card(page, id).locator("summary", { hasText: "Approve" }).click();
  await card(page, id).getByRole("button", { name: button }).click();
  await card(page, id).waitFor({ state: "detached" });
}

async function comeIn() {
  const visitor = await Visitor.come(stage.browser, shop.house);
  const { url } = await shop.house.wayIn();
  await visitor.go(url);
  await visitor.page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  session = await visitor.context.storageState();
  await visitor.done();
}

before(async () => {
  await opened();
  shop = await workshop();
  await writeFile(path.join(shop.folder, ".env"), "KELP=1\n");
  for (const name of ["always", "five"]) await mkdir(path.join(shop.folder, name));
  await comeIn();
  // Asked first, so that it has cooled down when the last journey comes to it.
  risky = [];
  for (let n = 1; n <= WAYS.length; n += 1) risky.push(await shop.ask(`Copy the keys, ${n}`, copies(`keys-${n}.env`)));
  for (const one of risky) await question(one.id);
});
after(async () => await shop?.end());

describe("with a model and tools", () => {
  for (const way of WAYS) {
    // shows: approvals: what is very risky tells how long it cools down, and counts, with and without JavaScript
    journey("cooling down", way, async (visitor, page) => {
      const { id } = await question(risky[0].id);
      await visitor.go("/approvals");
      const cool = card(page, id).locator(".cool");
      await cool.getByText("Very risky, so a yes counts from").waitFor();
      const left = () => (way.scripts ? cool.locator("b").innerText().then(parseFloat) : page.evaluate(() => document.querySelector(".cool rect").width.animVal.value));
      const first = await left();
      await until("a smaller count", async () => (await left()) < first);
      await fine(visitor, "cooling", way);
    });
  }

  WAYS.forEach((way, n) => {
    // shows: approvals: a card of a real run tells plan, files, reasons and undo; after one yes the work goes on and stands on the disk
    journey("a yes to a real plan", way, async (visitor, page) => {
      const made = await shop.ask(`Write report ${n + 1}`, writes(`report-${n + 1}.md`));
      const { id } = await question(made.id);
      assert.ok(!existsSync(path.join(shop.folder, `report-${n + 1}.md`)), "nothing before the yes");
      await visitor.go("/approvals");
      const one = card(page, id);
      await one.getByText(`report-${n + 1}.md`, { exact: false }).first().waitFor();
      for (const words of ["The new file can be removed.", "It changes something outside Timmy's own place", "milder: it can be undone"]) {
        await one.getByText(words).first().waitFor();
      }
      await one.locator("summary", { hasText: "The exact plan" }).click();
      await one.locator("pre", { hasText: "after_sha256" }).waitFor();
      await one.getByText("This is written into a new file.").waitFor();
      await fine(visitor, "asked", way);
      await say(page, id, "Yes, do exactly this");
      const done = await ended(made.id);
      assert.equal(await onDisk(`report-${n + 1}.md`), REPORT);
      assert.ok(done.steps.some((step) => step.evidence.some((line) => line.startsWith("sha256 "))), JSON.stringify(done.steps));

      await visitor.go(`/tasks/${made.id}`);
      await page.locator(".proof li", { hasText: "sha256" }).waitFor();
      const thing = page.locator("[id^=p-]", { hasText: `report-${n + 1}.md` }).last();
      await thing.locator("summary", { hasText: "Read it" }).click();
      await thing.getByText(REPORT.trim()).waitFor();
      await fine(visitor, "produced", way);
      await thing.getByRole("button", { name: /^Good/ }).click();
      await page.locator("[id^=p-] .sub", { hasText: /· Good/ }).waitFor();
      const again = page.locator("[id^=p-]", { hasText: `report-${n + 1}.md` }).last();
      await again.locator("summary", { hasText: "Send back" }).click();
      await again.getByLabel("What should be different").fill("Name the year.");
      await again.getByRole("button", { name: "Send it back" }).click();
      await page.getByRole("heading", { level: 1, name: `Again: ${made.title}` }).waitFor();
      await page.getByText("Name the year.").first().waitFor();
      const next = new URL(page.url()).pathname.split("/").pop();
      assert.equal((await task(next)).parent_task_id, made.id);
      await shop.house.api("POST", `/api/tasks/${next}/veto`);
    });
  });

  // shows: dashboard: what is typed into the page of a task stays while the task changes under it
  journey("a remark stays", {}, async (visitor, page) => {
    const made = await shop.ask("Nothing to write");
    await ended(made.id);
    await visitor.go(`/tasks/${made.id}`);
    await visitor.live();
    await page.locator("summary", { hasText: "Send it back" }).click();
    const remark = page.getByLabel("What should be different");
    await remark.fill("Half a rem");
    // Another task's event rings as well: the page asks for itself anew, and has to leave what is in use alone.
    const asked = page.waitForResponse((answer) => answer.url().endsWith(`/tasks/${made.id}/part`));
    await ended((await shop.ask("Another one")).id);
    await (await asked).finished();
    await page.waitForTimeout(LOOK_MS);
    await remark.pressSequentially("ark");
    assert.equal(await remark.inputValue(), "Half a remark");
  });

  // shows: approvals: a yes for always makes a rule, and what has the same shape is done without a question
  journey("always for this shape", {}, async (visitor, page) => {
    const first = await shop.ask("Write the first", writes("always/first.md"));
    const { id } = await question(first.id);
    await visitor.go("/approvals");
    await card(page, id).locator("summary", { hasText: "Approve" }).click();
    await card(page, id).getByText(`The shape: write_file in ${path.join(shop.folder, "always")}. For 90 days`).waitFor();
    await fine(visitor, "always", WAYS[0]);
    await card(page, id).getByRole("button", { name: "Yes, and always for this shape" }).click();
    await page.getByRole("region", { name: "Your rules" }).getByText("used 0 of 1000 times").waitFor();
    await ended(first.id);
    const second = await shop.ask("Write the second", writes("always/second.md"));
    await ended(second.id);
    assert.equal(await onDisk("always/second.md"), REPORT);
    await page.reload();
    const rules = page.getByRole("region", { name: "Your rules" });
    await rules.getByText("used 1 of 1000 times").waitFor();
    await fine(visitor, "ruled", WAYS[0]);
    await rules.locator("summary", { hasText: "Revoke" }).click();
    await rules.getByRole("button", { name: "Revoke, and ask again" }).click();
    await rules.getByText("revoked").waitFor();
    const third = await shop.ask("Write the third", writes("always/third.md"));
    await shop.house.api("POST", `/api/approvals/${(await question(third.id)).id}/reject`);
  });

  WAYS.forEach((way, n) => {
    // shows: dashboard: what a rule let run is undone from Home by a task, once, with and without JavaScript
    journey("have it undone", way, async (visitor, page) => {
      const folder = path.join(shop.folder, `undo-${n}`);
      await mkdir(folder);
      await shop.house.api("POST", "/api/rules", { tool: "write_file", folders: [folder] });
      const made = await shop.ask(`Write by a rule ${n}`, writes(`undo-${n}/kept.md`));
      await ended(made.id);
      await visitor.go("/");
      const ruled = page.getByRole("region", { name: "Done by your rules in the last day" });
      const row = ruled.locator("li", { hasText: `undo-${n}/kept.md` });
      await row.getByText("The new file can be removed.").waitFor();
      await fine(visitor, "ruled-home", way);
      await row.getByRole("button", { name: "Have it undone" }).click();
      await page.getByRole("heading", { level: 1, name: /^Undo: / }).waitFor();
      await page.getByText("The task is in the queue.").waitFor();
      await fine(visitor, "undoing", way);
      const undoing = await ended(new URL(page.url()).pathname.split("/").pop());
      assert.equal(undoing.parent_task_id, made.id);
      await visitor.go("/");
      await row.getByRole("link", { name: "Undoing it" }).waitFor();
      await row.getByText("Done", { exact: true }).waitFor();
      assert.equal(await row.getByRole("button").count(), 0, "it is undone once");
      await fine(visitor, "ruled-undone", way);
    });
  });

  // shows: approvals: five yeses suggest a rule; the owner sees what it would have answered and makes it
  journey("a rule is suggested", { size: "phone" }, async (visitor, page) => {
    for (let n = 1; n <= 5; n += 1) {
      const made = await shop.ask(`Write number ${n}`, writes(`five/${n}.md`));
      await shop.house.api("POST", `/api/approvals/${(await question(made.id)).id}/approve`);
      await ended(made.id);
    }
    await visitor.go("/approvals");
    const suggested = page.getByRole("region", { name: "Your answers suggest" });
    await suggested.getByText("You said yes 5 times in 30 days").waitFor();
    await suggested.locator("summary", { hasText: "What it would have answered" }).click();
    assert.equal(await suggested.locator("details li").count(), 5);
    await fine(visitor, "suggested", WAYS[1]);
    await suggested.getByRole("button", { name: "Allow it for 90 days" }).click();
    await page.getByRole("region", { name: "Your rules" }).getByText(`write_file in ${path.join(shop.folder, "five")}`, { exact: true }).waitFor();
    const sixth = await shop.ask("Write number 6", writes("five/6.md"));
    await ended(sixth.id);
    assert.equal(await onDisk("five/6.md"), REPORT);
  });
});

/** The journeys that need what has cooled down for a minute; others fill that minute. */
export function cooledDown() {
  WAYS.forEach((way, n) => {
    // shows: approvals: what is very risky needs the password; a wrong one is refused, with the right one it is done
    test(`very risky, ${way.size}${way.scripts ? "" : " without scripts"}`, { timeout: JOURNEY_MS_MAX }, async () => {
      const { id, not_before } = await question(risky[n].id);
      if (n === 0) await shop.house.api("PUT", "/api/login/password", { password: PASSWORD });
      // Setting it ended every session.
      if (n === 0) await comeIn();
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(not_before) - Date.now())));
      const visitor = await Visitor.come(stage.browser, shop.house, { ...way, size: SIZES[way.size], session });
      const { page } = visitor;
      try {
        await visitor.go("/approvals");
        assert.equal(await card(page, id).locator(".cool").count(), 0, "it has cooled down");
        await card(page, id).getByText("no rule may answer this").waitFor();
        const open = async () => {
          await card(page, id).locator("summary", { hasText: "Approve" }).click();
          return card(page, id).getByLabel("Your password");
        };
        await (await open()).fill("not the password");
        await fine(visitor, "step-up", way);
        await card(page, id).getByRole("button", { name: "Yes, do exactly this" }).click();
        await page.locator(".notice").getByText("The current password is wrong.").waitFor();
        await fine(visitor, "step-up-refused", way);
        assert.ok(!existsSync(path.join(shop.folder, `keys-${n + 1}.env`)), "nothing with a wrong one");
        await (await open()).fill(PASSWORD);
        await card(page, id).getByRole("button", { name: "Yes, do exactly this" }).click();
        await card(page, id).waitFor({ state: "detached" });
        await ended(risky[n].id);
        assert.equal(await onDisk(`keys-${n + 1}.env`), "KELP=1\n");
      } catch (error) {
        await visitor.picture(`failed-very-risky-${way.size}`).catch(() => {});
        throw error;
      }
      visitor.faults = visitor.faults.filter((fault) => !/403/.test(fault));
      await visitor.done();
    });
  });
}
