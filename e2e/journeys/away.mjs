// The house goes away while its page is open, and comes back.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { SIZES, Visitor } from "../browser.mjs";
import { House } from "../house.mjs";
import { journey, stage } from "../stage.mjs";

for (const [theme, size] of [["light", "desk"], ["dark", "phone"]]) {
  // shows: dashboard: a page whose house has stopped says since when, on every width, and goes on by itself when it is back
  journey(`the house stops and comes back, ${theme}, ${size}`, { size }, async () => {
    const home = await mkdtemp(path.join(tmpdir(), "timmy-e2e-away-"));
    let house = await House.start({ home });
    const visitor = await Visitor.come(stage.browser, house, { size: SIZES[size], theme });
    try {
      const { page } = visitor;
      await visitor.comeIn();
      await visitor.go("/swarm/events?q=type:token.*");
      await page.locator("#liveword", { hasText: /^\s*live/i }).waitFor({ state: "attached" });
      const port = Number(new URL(house.address).port);
      await house.stop();
      const away = page.locator("#liveword", { hasText: /Offline since \d\d:\d\d/ });
      await away.waitFor();
      assert.equal(await page.locator("#headstate").isVisible(), false, "how he was is not how he is");
      assert.deepEqual(await visitor.barriers(), []);
      assert.equal(await visitor.sideways(), null);
      await visitor.picture(`away-${theme}-${size}`);
      house = await House.start({ home, port });
      await page.locator("#liveword", { hasText: /^\s*live/i }).waitFor({ state: "attached" });
      await house.cli("token", "create", "--name", "after-the-break", "--scope", "read");
      await page.getByText("after-the-break").first().waitFor();
    } finally {
      await visitor.context.close();
      await house.stop();
      await rm(home, { recursive: true, force: true });
    }
  });
}
