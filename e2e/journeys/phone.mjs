// The same house on a phone.

import assert from "node:assert/strict";
import { DOOR, PAGES } from "../pages.mjs";
import { journey } from "../stage.mjs";

// shows: dashboard: on a phone the tabs at the foot lead to every room, and the side is gone
journey("phone tabs", { size: "phone" }, async (visitor) => {
  const { page } = visitor;
  await visitor.go("/");
  assert.ok(!(await page.getByRole("navigation", { name: "Pages" }).isVisible()), "the side is not drawn");
  const tabs = page.getByRole("navigation", { name: "Groups" }).getByRole("link");
  const count = await tabs.count();
  assert.ok(count >= 2 && count <= 5, `${count} tabs`);
  for (let n = 0; n < count; n += 1) {
    await tabs.nth(n).tap();
    await page.waitForLoadState();
    assert.equal(await tabs.nth(n).getAttribute("aria-current"), "true");
    const box = await tabs.nth(n).boundingBox();
    assert.ok(box.height >= 44 && box.y + box.height <= 844, "a tab is large enough and at the foot");
  }
  await visitor.go("/");
  await page.getByRole("button", { name: /Pages in Now/ }).tap();
  await page.getByRole("dialog").getByRole("link", { name: /Talk/ }).tap();
  await page.getByRole("heading", { level: 1, name: "Talk" }).waitFor();
});

// shows: dashboard: no page can be pushed sideways, down to 320 pixels
journey("no sideways scroll", { size: "phone" }, async (visitor) => {
  for (const width of [390, 320]) {
    await visitor.page.setViewportSize({ width, height: 844 });
    for (const { name, at } of [...PAGES, ...DOOR]) {
      await visitor.go(at);
      assert.equal(await visitor.sideways(), null, `${name} at ${width}`);
    }
  }
});
