// A model behind a real socket, speaking the OpenAI-compatible protocol. What it does stands in the task it is given:
// one call of a tool after the other, then words.

import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { House } from "./house.mjs";

/** Bytes of a request that are read. */
const REQUEST_BYTES_MAX = 4_000_000;

/** What a task says so that the model does it: calls of tools, each with its arguments. */
export const script = (...calls) => calls.map(([tool, args]) => `CALL ${tool} ${JSON.stringify(args)} END`).join("\n");

/** What the model says next, as one frame of a stream. */
function next({ messages = [] }) {
  const words = messages.map((message) => message.content).filter((text) => typeof text === "string");
  const calls = [...words.join("\n").matchAll(/CALL (\w+) (\{.*?\}) END/g)];
  const said = messages.filter((message) => message.role === "tool").length;
  if (said >= calls.length) return [{ content: "It is done." }, "stop"];
  const [, name, args] = calls[said];
  return [{ tool_calls: [{ index: 0, id: `call-${said}`, type: "function", function: { name, arguments: args } }] }, "tool_calls"];
}

async function body(request) {
  const chunks = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > REQUEST_BYTES_MAX) throw new Error("a request to the model is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function answer(request, reply) {
  if (request.method === "GET") {
    reply.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ data: [{ id: "peer" }] }));
    return;
  }
  const [delta, finish_reason] = next(JSON.parse(await body(request)));
  const frame = { model: "peer", choices: [{ index: 0, delta, finish_reason }] };
  reply.writeHead(200, { "content-type": "text/event-stream" }).end(`data: ${JSON.stringify(frame)}\n\ndata: [DONE]\n\n`);
}

/** A house of its own in which that model works, with a folder its tools may write in. */
export async function workshop() {
  const server = createServer((request, reply) => answer(request, reply).catch((error) => reply.destroy(error)));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const outer = await mkdtemp(path.join(tmpdir(), "timmy-e2e-work-"));
  const [home, folder] = [path.join(outer, "home"), path.join(outer, "work")];
  await mkdir(home);
  await mkdir(folder);
  const url = `http://127.0.0.1:${server.address().port}/v1`;
  const settings = `[provider.peer]\nurl = ${JSON.stringify(url)}\nmodel = "peer"\nplace = "local"\n[tools]\nfolders_write = [${JSON.stringify(folder)}]\n`;
  await writeFile(path.join(home, "timmy.toml"), settings);
  const house = await House.start({ home, settings: { TIMMY__CASCADE__PROVIDERS: "peer" } });
  const end = async () => {
    await house.stop();
    await new Promise((resolve) => server.close(resolve));
    await rm(outer, { recursive: true, force: true });
  };
  /** Makes a task that does these calls. */
  const ask = (title, ...calls) => house.api("POST", "/api/tasks", { title, description: script(...calls) });
  return { house, folder, ask, end };
}
