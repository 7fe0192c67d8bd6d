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

for (const theme of ["light", "dark"]) {
  for (const size of Object.keys(SIZES)) {
    // shows: dashboard: axe finds no barrier on any page, in either theme, at three widths
    journey(`no barriers, ${theme}, ${size}`, { theme, size }, async (visitor, house) => {
      const known = await things(house);
      for (const { name, at, heading } of PAGES) await look(visitor, name, at(known), heading, `${theme}-${size}`);
    });

    // shows: login: axe finds no barrier on the login page
    journey(`no barriers at the door, ${theme}, ${size}`, { theme, size, signedIn: false }, async (visitor) => {
      for (const { name, at, heading } of DOOR) await look(visitor, name, at(), heading, `${theme}-${size}`);
    });
  }
}

async function look(visitor, name, at, heading, suffix) {
  await visitor.go(at);
  await visitor.page.getByRole("heading", { level: 1, name: heading }).waitFor();
  await visitor.picture(`${name}-${suffix}`);
  assert.deepEqual(await visitor.barriers(), [], `${name}, ${suffix}`);
}
