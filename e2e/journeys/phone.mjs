// The same house on a phone.

import assert from "node:assert/strict";
import { DOOR, PAGES, things } from "../pages.mjs";
import { journey } from "../stage.mjs";

// shows: dashboard: on a phone the tabs at the foot lead to every room, and the side is gone
journey("phone tabs", { size: "phone" }, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/");
  assert.ok(!(await page.getByRole("navigation", { name: "Pages" }).isVisible()), "the side is not drawn");
  const tabs = page.getByRole("navigation", { name: "Groups" }).getByRole("link");
  const count = await tabs.count();
  assert.ok(count >= 2 && count <= 5, `${count} tabs`);
  // The last tab first: a tab that leads to where the visitor is does not load, it opens the pages of its group.
  for (let n = count - 1; n >= 0; n -= 1) {
    await tabs.nth(n).tap();
    await tabs.nth(n).and(page.locator("[aria-current=true]")).waitFor();
    const box = await tabs.nth(n).boundingBox();
    assert.ok(box.height >= 44 && box.y + box.height <= 844, "a tab is large enough and at the foot");
  }
  await page.waitForURL((url) => url.pathname === "/");
  const sheet = page.getByRole("dialog");
  await page.getByRole("button", { name: /Pages in Now/ }).tap();
  await sheet.waitFor();
  await page.keyboard.press("Escape");
  await sheet.waitFor({ state: "hidden" });
  await tabs.first().tap();
  await sheet.getByRole("link", { name: /Talk/ }).tap();
  await page.getByRole("heading", { level: 1, name: "Talk" }).waitFor();
});

// shows: dashboard: no page can be pushed sideways, down to 320 pixels
journey("no sideways scroll", { size: "phone" }, async (visitor, house) => {
  const known = await things(house);
  for (const { name, at } of [...PAGES, ...DOOR]) {
    await visitor.go(at(known));
    for (const width of [390, 320]) {
      await visitor.page.setViewportSize({ width, height: 844 });
      assert.equal(await visitor.sideways(), null, `${name} at ${width}`);
    }
  }
});
