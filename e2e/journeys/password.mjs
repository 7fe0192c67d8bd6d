// The owner's password, in a house of its own: setting it ends the sessions of everybody else.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SIZES, Visitor } from "../browser.mjs";
import { House } from "../house.mjs";
import { stage } from "../stage.mjs";

const PASSWORD = "correct horse battery staple";

// shows: login: a password is set in Settings and opens the door, with and without JavaScript
test("password with and without scripts", { timeout: 120_000 }, async () => {
  const house = await House.start();
  try {
    for (const [size, theme] of [["desk", "light"], ["phone", "dark"]]) {
      const visitor = await Visitor.come(stage.browser, house, { scripts: size === "phone", size: SIZES[size], theme });
      const { page } = visitor;
      if (size === "desk") {
        await visitor.comeIn();
        await visitor.go("/settings");
        await page.getByLabel("New password").fill(PASSWORD);
        await page.getByLabel("The same again").fill("something else entirely");
        await page.getByRole("button", { name: "Set password" }).click();
        await page.getByText("differ").first().waitFor();
        await page.getByLabel("New password").fill(PASSWORD);
        await page.getByLabel("The same again").fill(PASSWORD);
        await page.getByRole("button", { name: "Set password" }).click();
        await page.getByText("The password is set").first().waitFor();
        await page.context().clearCookies();
      }
      await visitor.go("/login?next=/thinking");
      await page.getByLabel("Your password").fill("not this one at all");
      await page.getByRole("button", { name: "Log in", exact: true }).click();
      await page.getByRole("alert").waitFor();
      if (size === "phone") assert.deepEqual(await visitor.barriers(), [], "axe");
      await visitor.picture(`login-password-${size}-${theme}`);
      await page.getByLabel("Your password").fill(PASSWORD);
      await page.getByRole("button", { name: "Log in", exact: true }).click();
      await page.getByRole("heading", { level: 1, name: "Thoughts" }).waitFor();
      // The guard counts the refusals above, which are meant.
      visitor.faults = visitor.faults.filter((fault) => !/40[13]|422/.test(fault));
      await visitor.done();
    }
  } finally {
    await house.stop();
  }
});
