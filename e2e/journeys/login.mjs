// Coming in, and staying out.

import assert from "node:assert/strict";
import { journey } from "../stage.mjs";

// shows: login: a code from the terminal opens the door once
journey("login by code", { signedIn: false }, async (visitor, house) => {
  const { page } = visitor;
  const { code } = await house.wayIn();
  await visitor.go("/thinking");
  assert.equal(new URL(page.url()).pathname, "/login", "a stranger is sent to the door");
  await page.getByLabel("Code from your terminal").fill("WRONG-CODES");
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Code from your terminal").fill(code);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("heading", { level: 1, name: "Thoughts" }).waitFor();
  await page.getByRole("button", { name: "Log out" }).first().click();
  await page.getByRole("heading", { level: 1, name: "Come in" }).waitFor();
  await page.getByLabel("Code from your terminal").fill(code);
  await page.getByRole("button", { name: "Log in" }).click();
  await page.getByRole("alert").waitFor();
});

// shows: login: the link that timmy login prints opens the door, and the code leaves the address
journey("login by link", { signedIn: false }, async (visitor, house) => {
  const { page } = visitor;
  const { code, url } = await house.wayIn();
  assert.ok(url.startsWith(`${house.address}/login#`), `the code stands in the fragment, which is not sent: ${url}`);
  await page.goto(url);
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  assert.ok(!page.url().includes(code), "the code is gone from the address");
});

// shows: login: the link works in a tab that shows the login page already
journey("login by link in an open tab", { signedIn: false }, async (visitor, house) => {
  const { page } = visitor;
  await visitor.go("/login");
  const { code, url } = await house.wayIn();
  await page.evaluate((link) => location.assign(link), url);
  await page.getByRole("heading", { level: 1, name: "Home" }).waitFor();
  assert.ok(!page.url().includes(code), "the code is gone from the address");
});
