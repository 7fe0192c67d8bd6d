// How it looks: themes, barriers, pictures.

import assert from "node:assert/strict";
import { SIZES } from "../browser.mjs";
import { DOOR, PAGES, things } from "../pages.mjs";
import { journey } from "../stage.mjs";

const ground = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

// shows: dashboard: the look is switched by the owner, stays, and can follow the system again
journey("switch the theme", { theme: "light" }, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/");
  const light = await ground(page);
  await page.getByRole("button", { name: "Dark look" }).first().click();
  await page.waitForFunction(() => document.documentElement.dataset.theme === "dark");
  const dark = await ground(page);
  assert.notEqual(dark, light);
  await visitor.go("/thinking");
  assert.equal(await ground(page), dark, "it holds on the next page");
  await page.getByRole("button", { name: "Look as the system" }).first().click();
  await page.waitForFunction(() => document.documentElement.dataset.theme !== "dark");
  assert.equal(await ground(page), light);
});

for (const size of Object.keys(SIZES)) {
  // shows: dashboard: axe finds no barrier on any page, in either theme, at three widths
  journey(`no barriers, ${size}`, { size }, async (visitor, house) => {
    const known = await things(house);
    for (const { name, at, heading } of PAGES) await look(visitor, name, at(known), heading, size);
  });

  // shows: login: axe finds no barrier on the login page
  journey(`no barriers at the door, ${size}`, { size, signedIn: false }, async (visitor, house) => {
    const known = await things(house);
    for (const { name, at, heading } of DOOR) await look(visitor, name, at(known), heading, size);
  });
}

/** The rules of levels A and AA that look at colours. */
const COLOURS = { type: "rule", values: ["color-contrast", "link-in-text-block"] };

/** Looks at a page in both themes. A theme changes colours and nothing else, so in the dark only those are looked at. */
async function look(visitor, name, at, heading, size) {
  const { page } = visitor;
  await page.emulateMedia({ colorScheme: "light" });
  await visitor.go(at);
  await page.getByRole("heading", { level: 1, name: heading }).waitFor();
  await visitor.picture(`${name}-light-${size}`);
  assert.deepEqual(await visitor.barriers(), [], `${name}, light, ${size}`);
  const light = await ground(page);
  await page.emulateMedia({ colorScheme: "dark" });
  assert.notEqual(await ground(page), light, `${name} has a dark look`);
  await visitor.picture(`${name}-dark-${size}`);
  assert.deepEqual(await visitor.barriers(COLOURS), [], `${name}, dark, ${size}`);
}
