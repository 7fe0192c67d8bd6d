// One house and one browser for all journeys, and the frame that each journey stands in.

import { after, before, test } from "node:test";
import { SIZES, Visitor, launch } from "./browser.mjs";
import { House } from "./house.mjs";

/** How long one journey may take. */
const JOURNEY_MS_MAX = 120_000;

export const stage = { house: undefined, browser: undefined, session: undefined };

let opening;

/** Opens house and browser, once; hooks that need them wait for it, as hooks of one level need not run in turn. */
export const opened = () => (opening ??= open());

before(opened);

async function open() {
  stage.browser = await launch();
  stage.house = await House.start();
  await stage.house.cli("watch", "add", await stage.house.project());
  const visitor = await Visitor.come(stage.browser, stage.house);
  await visitor.comeIn();
  stage.session = await visitor.context.storageState();
  await visitor.done();
}

after(async () => {
  await stage.browser?.close();
  await stage.house?.stop();
});

/**
 * A journey of one visitor. `as` says how the visitor comes: size, theme, scripts, and whether
 * signed in. What the guard of the visitor saw is looked at when the journey ends well.
 */
export function journey(name, as, act) {
  test(name, { timeout: JOURNEY_MS_MAX }, async () => {
    const { signedIn = true, size = "desk", ...rest } = as;
    const session = signedIn ? stage.session : undefined;
    const visitor = await Visitor.come(stage.browser, stage.house, { ...rest, size: SIZES[size], session });
    try {
      await act(visitor, stage.house);
    } catch (error) {
      await visitor.picture(`failed-${name.replaceAll(/\W+/g, "-")}`).catch(() => {});
      await visitor.context.close();
      throw error;
    }
    await visitor.done();
  });
}
