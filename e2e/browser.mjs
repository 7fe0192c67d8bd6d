// One Chromium for all journeys, and visitors with clean cookies and a guard at their side.

import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const OUT = path.join(path.dirname(fileURLToPath(import.meta.url)), "out");

/** How long the page may take to show what was asked for. Generous: the machine may be small. */
export const WAIT_MS_MAX = 10_000;

/** The sizes at which the dashboard is looked at. */
export const SIZES = {
  desk: { width: 1440, height: 900 },
  tablet: { width: 820, height: 1180 },
  phone: { width: 390, height: 844 },
};

export async function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--disable-dev-shm-usage",
    ],
  });
}

/**
 * A visitor: a page with its own cookies. It remembers every request to another host, every error
 * on the console and every fault of a script; `done` refuses them.
 */
export class Visitor {
  static async come(browser, house, { size = SIZES.desk, theme = "light", scripts = true, session } = {}) {
    const visitor = new Visitor();
    visitor.house = house;
    visitor.foreign = [];
    visitor.faults = [];
    visitor.context = await browser.newContext({
      viewport: size,
      colorScheme: theme,
      javaScriptEnabled: scripts,
      hasTouch: size.width < 600,
      storageState: session,
      baseURL: house.address,
      reducedMotion: "reduce",
      timezoneId: "UTC",
      locale: "en-GB",
    });
    visitor.context.setDefaultTimeout(WAIT_MS_MAX);
    visitor.context.on("request", (request) => visitor.#look(request.url()));
    visitor.page = await visitor.context.newPage();
    visitor.page.on("websocket", (socket) => visitor.#look(socket.url().replace(/^ws/, "http")));
    visitor.page.on("pageerror", (error) => visitor.faults.push(String(error)));
    visitor.page.on("console", (message) => {
      // The browser reports an answer of 4xx as an error; journeys that provoke one look at it themselves.
      const expected = message.text().startsWith("Failed to load resource: the server responded with a status of 4");
      if (message.type() === "error" && !expected) visitor.faults.push(message.text());
    });
    return visitor;
  }

  #look(url) {
    const { protocol, origin } = new URL(url);
    if (protocol.startsWith("http") && origin !== this.house.address) this.foreign.push(url);
  }

  async go(where) {
    const answer = await this.page.goto(where, { waitUntil: "load" });
    assert.ok(answer === null || answer.status() < 500, `${where} answered ${answer?.status()}`);
    return answer;
  }

  /** Waits until the live feed is open, when the page has scripts. */
  async live() {
    await this.page.locator("#liveword", { hasText: /^\s*live/i }).waitFor();
  }

  /** Comes in by the form, with a fresh code. */
  async comeIn() {
    const { code } = await this.house.wayIn();
    await this.go("/login");
    await this.page.getByLabel("Code from your terminal").fill(code);
    await this.page.getByRole("button", { name: "Log in" }).click();
    await this.page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  }

  /** A picture of the whole page in e2e/out/, for people to look at: when PICTURES is set, or a journey failed. */
  async picture(name) {
    if (!process.env.PICTURES && !name.startsWith("failed-")) return;
    await mkdir(OUT, { recursive: true });
    await this.page.screenshot({ path: path.join(OUT, `${name}.png`), fullPage: true, animations: "disabled" });
  }

  /** Barriers that axe finds on the page, as sentences; `only` those of these groups, or of these rules. */
  async barriers(only = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]) {
    if (!(await this.page.evaluate(() => "axe" in globalThis))) await this.page.evaluate(AXE);
    const { violations } = await this.page.evaluate(
      (runOnly) => globalThis.axe.run(document, { runOnly, resultTypes: ["violations"] }),
      only,
    );
    return violations.map((v) => `${v.id}: ${v.help} (${v.nodes.map((n) => n.target.join(" ")).slice(0, 3).join(", ")})`);
  }

  /** Whether the page can be pushed sideways, and the first element that sticks out. */
  async sideways() {
    return this.page.evaluate(() => {
      const wide = document.documentElement.scrollWidth;
      const room = document.documentElement.clientWidth;
      if (wide <= room) return null;
      const out = [...document.querySelectorAll("body *")].find((e) => e.getBoundingClientRect().right > room + 1);
      return `${wide} px in ${room} px, first ${out?.tagName}.${out?.className}`;
    });
  }

  /** Goes, and refuses what the guard saw. */
  async done() {
    await this.context.close();
    assert.deepEqual(this.foreign, [], "requests to other hosts");
    assert.deepEqual(this.faults, [], "errors on the console");
  }
}
