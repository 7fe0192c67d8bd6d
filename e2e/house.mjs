// A real Timmy in a temporary home: started, asked, stopped.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const BINARY = process.env.TIMMY_BINARY ?? path.join(ROOT, "target/debug/timmy");

/** Until the server must have said where it listens. */
const START_MS_MAX = 20_000;
/** Until the server must have ended after it was asked to. */
const STOP_MS_MAX = 10_000;

/** How often a thought is asked for again while another one is being made. */
const THINK_TRIES_MAX = 20;

/**
 * Settings that make a run repeatable. The scripted provider answers, so no model is needed, and
 * thoughts come only when they are asked for.
 */
const SETTINGS = {
  TIMMY__CASCADE__PROVIDERS: "scripted,reflex",
  // Long enough and slow enough that an answer can be watched as it comes, and stopped.
  TIMMY__SCRIPTED__REPLIES: Array.from({ length: 3 }, (_, n) => `Scripted words number ${n + 1}: the tide comes in and the kelp bends; it goes out and the kelp stands up again. Nobody thought of this; it stands in the settings of a test.`).join(","),
  TIMMY__SCRIPTED__CHUNK_MS: "60",
  TIMMY__THINKING__INTERVAL_SECONDS: "86400",
  TIMMY__THINKING__ADAPTIVE_REST: "false",
};

/** Words whose answer is stopped. Every scripted answer comes slowly, piece by piece, so that there is something to stop. */
export const SLOW_WORDS = "Tell me the long story, slowly.";

export class House {
  #child;
  #ended;
  #said = "";

  /** Starts a server. `home` is made and a port found when they are not given; `settings` go to the environment. */
  static async start({ home, port = 0, settings = {} } = {}) {
    const house = new House();
    house.home = home ?? (await mkdtemp(path.join(tmpdir(), "timmy-e2e-")));
    house.ours = home === undefined;
    house.env = { ...process.env, ...SETTINGS, ...settings };
    const child = spawn(BINARY, ["serve", "--home", house.home, "--port", String(port)], {
      env: house.env,
      stdio: ["ignore", "pipe", "pipe"],
    });
    house.#child = child;
    house.#ended = new Promise((resolve) => child.once("exit", (code, signal) => resolve({ code, signal })));
    house.address = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no address in time:\n${house.#said}`)), START_MS_MAX);
      const read = (chunk) => {
        house.#said += chunk;
        const found = house.#said.match(/^listening on (http:\/\/\S+)/m);
        if (found) {
          clearTimeout(timer);
          resolve(found[1].replace(/\/$/, ""));
        }
      };
      child.stdout.on("data", read);
      child.stderr.on("data", read);
      child.once("error", reject);
      house.#ended.then(({ code }) => reject(new Error(`ended with ${code} before it listened:\n${house.#said}`)));
    });
    return house;
  }

  /** Everything the server printed so far. */
  get said() {
    return this.#said;
  }

  /** Runs a command of the same binary against this home and gives what it printed. */
  async cli(...args) {
    const { stdout } = await run(BINARY, [...args, "--home", this.home], { env: this.env, timeout: 30_000 });
    return stdout;
  }

  /** The same with `--json`, read. */
  async json(...args) {
    return JSON.parse(await this.cli(...args, "--json"));
  }

  /** Asks for one thought. A thought that is being made already is waited for, then one more is asked for. */
  async think() {
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.json("think", "--seed", "existential");
      } catch (error) {
        if (tries === THINK_TRIES_MAX) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  /** A fresh way in: `{code, url}`. */
  async wayIn() {
    const { code, url } = await this.json("login");
    assert.ok(code && url, "timmy login --json gives a code and a link");
    return { code, url };
  }

  /** A call of the JSON interface as the owner's script would make it. */
  async api(method, where, body) {
    this.token ??= (await this.json("token", "create", "--name", "e2e", "--scope", "admin")).token;
    const answer = await fetch(this.address + where, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    assert.ok(answer.ok, `${method} ${where} answered ${answer.status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** A small git repository that can be watched. */
  async project(name = "kelp") {
    const folder = path.join(this.home, "..", `${path.basename(this.home)}-${name}`);
    await mkdir(folder, { recursive: true });
    await writeFile(path.join(folder, "README.md"), `# ${name}\n`);
    const git = (...args) =>
      run("git", ["-c", "user.name=Ada", "-c", "user.email=ada@house.test", "-c", "commit.gpgsign=false", ...args], {
        cwd: folder,
      });
    await git("init", "-q", "-b", "main");
    await git("add", ".");
    await git("commit", "-q", "-m", "Plant the first bed");
    (this.projects ??= []).push(folder);
    return folder;
  }

  /** Asks the server to end; it must do so in time and with 0. */
  async stop() {
    this.#child.kill("SIGTERM");
    let timer;
    const late = new Promise((resolve) => {
      timer = setTimeout(() => resolve({ code: "late" }), STOP_MS_MAX);
    });
    const { code, signal } = await Promise.race([this.#ended, late]);
    clearTimeout(timer);
    if (code === "late") this.#child.kill("SIGKILL");
    if (this.ours) await rm(this.home, { recursive: true, force: true });
    for (const folder of this.projects ?? []) await rm(folder, { recursive: true, force: true });
    assert.equal(code, 0, `the server ended with ${code ?? signal}:\n${this.#said}`);
  }
}
