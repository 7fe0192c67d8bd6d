// The router: who answers, in which order, and what leaves.

import assert from "node:assert/strict";
import { SIZES, Visitor } from "../browser.mjs";
import { House } from "../house.mjs";
import { journey, stage } from "../stage.mjs";

/** A house with a model that answers, one that nobody listens for, and one elsewhere that nobody listens for. */
const SETTINGS = { TIMMY__CASCADE__PROVIDERS: "scripted,ollama,reflex", TIMMY__OLLAMA__URL: "http://127.0.0.1:9" };

/** Comes to a house of its own, whose ladder nobody else changes. */
async function alone(as, act) {
  const house = await House.start({ settings: SETTINGS });
  const visitor = await Visitor.come(stage.browser, house, as);
  try {
    await visitor.comeIn();
    await visitor.go("/router/status");
    await act(visitor, house);
    await visitor.done();
  } finally {
    await visitor.context.close().catch(() => {});
    await house.stop();
  }
}

const names = (page) => page.locator(".rung").evaluateAll((rungs) => rungs.map((rung) => rung.dataset.id));

async function stands(page, wanted) {
  await page.waitForFunction(
    (wanted) => JSON.stringify([...document.querySelectorAll(".rung")].map((rung) => rung.dataset.id)) === JSON.stringify(wanted),
    wanted,
  );
}

async function steer(visitor, house) {
  const { page } = visitor;
  const rung = (name) => page.locator(`#r-${name}`);
  assert.deepEqual(await names(page), ["scripted", "ollama", "reflex"]);
  await rung("ollama").getByRole("button", { name: "Ask ollama earlier" }).click();
  await stands(page, ["ollama", "scripted", "reflex"]);
  await page.getByRole("button", { name: "Undo" }).click();
  await stands(page, ["scripted", "ollama", "reflex"]);
  await rung("ollama").getByRole("button", { name: /^Switch off/ }).click();
  await rung("ollama").getByText("Switched off", { exact: true }).waitFor();
  await rung("ollama").getByRole("button", { name: /^Switch on/ }).click();
  await rung("ollama").getByRole("button", { name: /^Switch off/ }).waitFor();
  await page.getByRole("button", { name: "Local only for 1 h" }).click();
  await page.locator(".stays").getByText("Local only", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Let others be asked again" }).click();
  await page.locator(".stays").getByText("All here", { exact: true }).waitFor();
  assert.equal((await house.api("GET", "/api/v1/router/status")).local_only_ms, null);
  await page.getByLabel("How far it may travel").selectOption("Local only");
  await page.getByRole("button", { name: "Who would answer?" }).click();
  await page.getByText("scripted would be asked first. Nothing would leave this machine.").waitFor();
  assert.deepEqual(await visitor.barriers(), []);
}

// shows: dashboard: providers are put in another order, switched and kept here from the page of the router, with a way back
journey("steer the router", {}, () => alone({ size: SIZES.desk }, steer));

// shows: dashboard: the router is steered without JavaScript
journey("plain router", {}, () => alone({ size: SIZES.desk, scripts: false }, async (visitor) => {
  const { page } = visitor;
  await page.getByRole("button", { name: "Ask ollama earlier" }).click();
  assert.deepEqual(await names(page), ["ollama", "scripted", "reflex"]);
  await page.getByRole("button", { name: "Undo" }).click();
  assert.deepEqual(await names(page), ["scripted", "ollama", "reflex"]);
  await page.getByRole("button", { name: "Local only for 1 h" }).click();
  await page.locator(".stays").getByText("Local only", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Test ollama" }).click();
  await page.getByText("No answer", { exact: true }).waitFor().catch(() => page.reload());
  await page.getByText("No answer", { exact: true }).waitFor();
}));

// shows: dashboard: the router is steered on a phone
journey("phone router", {}, () => alone({ size: SIZES.phone, theme: "dark" }, async (visitor, house) => {
  await steer(visitor, house);
  const wide = await visitor.sideways();
  assert.ok(!wide, `${wide} sticks out`);
}));

// shows: dashboard: a provider is tried out while the page stays as it is, and its rung tells how it went
journey("try a provider out", {}, () => alone({ size: SIZES.desk }, async (visitor, house) => {
  const { page } = visitor;
  await visitor.live();
  await page.locator("#r-scripted").getByRole("button", { name: /^Test/ }).click();
  await page.locator("#r-scripted").getByText("Answered", { exact: true }).waitFor();
  await page.locator("#r-ollama").focus().catch(() => {});
  await page.locator("#r-ollama").evaluate((rung) => { rung.tabIndex = -1; rung.focus(); });
  await page.keyboard.press("T");
  await page.locator("#r-ollama").getByText("No answer", { exact: true }).waitFor();
  await page.locator("body").evaluate(() => document.activeElement?.blur());
  await page.keyboard.press("L");
  await page.locator(".stays").getByText("Local only", { exact: true }).waitFor();
  assert.ok((await house.api("GET", "/api/v1/router/status")).local_only_ms > 0);
  for (const [theme, size] of [["light", "desk"], ["dark", "desk"], ["light", "phone"], ["dark", "phone"]]) {
    await page.emulateMedia({ colorScheme: theme });
    await page.setViewportSize(SIZES[size]);
    await visitor.picture(`router-lived-${theme}-${size}`);
  }
}));
