// The vendor's chat UI, unmodified: two people in two browsers, each of whom sees what the other does.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

import { handler, pages } from "../../../examples/chat-ui/build.mjs";
import { link, meet } from "../../../examples/chat-ui/people.mjs";
import { FLAGS } from "../support/browser.mjs";
import { openServer, people as peopleOf } from "../support/server.mjs";

const SEEN = { timeout: 15_000 };
const pictures = process.env.CHANCERY_TEST_ARTIFACTS;
let server, web, browser;

before(async () => {
  server = await openServer();
  web = createServer(handler(await pages()));
  await new Promise((resolve) => web.listen(0, "127.0.0.1", resolve));
  browser = await chromium.launch({
    executablePath: process.env.CHANCERY_CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
});

after(async () => {
  await browser?.close();
  web?.close();
  await server?.close();
});

/** A person's window, as somebody sees it who opens the link. */
async function windowOf(person) {
  const context = await browser.newContext({ ignoreHTTPSErrors: true, viewport: { width: 720, height: 640 } });
  const page = await context.newPage();
  page.on("pageerror", (fault) => console.error(`${person.displayName}: ${fault.message}`));
  await page.goto(link(`http://localhost:${web.address().port}/`, person));
  await page.waitForSelector("#sendbox", SEEN);
  return page;
}

const see = (page, text) => page.getByText(text, { exact: true }).first().waitFor(SEEN);
const seeNoMore = (page, text) => page.getByText(text, { exact: true }).first().waitFor({ ...SEEN, state: "detached" });

async function say(page, text) {
  await page.fill("#sendbox", text);
  await page.press("#sendbox", "Enter");
}

/** What the menu of one's own message offers. */
async function choose(page, text, what) {
  await page.getByText(text, { exact: true }).first().hover();
  await page.getByRole("button", { name: /more options|actions/i }).last().click(SEEN);
  await page.getByRole("menuitem", { name: what }).first().click(SEEN);
}

async function picture(windows) {
  if (!pictures) return;
  mkdirSync(pictures, { recursive: true });
  const shots = await Promise.all(windows.map((page) => page.screenshot()));
  const page = await browser.newPage({ viewport: { width: 1460, height: 660 } });
  const images = shots.map((shot) => `<img src="data:image/png;base64,${shot.toString("base64")}">`);
  await page.setContent(`<body style="margin:8px;display:flex;gap:4px;background:#888">${images.join("")}</body>`);
  await page.screenshot({ path: join(pictures, "chat-ui.png") });
  await page.close();
}

test("two people see what each other does", async () => {
  const { people, chat } = await meet(server.told.connectionString, ["Ada", "Bob"]);
  const [ada, bob] = await Promise.all(people.map(windowOf));
  const both = [ada, bob];
  const thread = chat.getChatThreadClient(people[0].threadId);

  await say(ada, "Good morning, Bob.");
  await see(bob, "Good morning, Bob.");

  // Typing: seen while it lasts, and gone with the message.
  await bob.locator("#sendbox").pressSequentially("Good morning, Ada!", { delay: 40 });
  await ada.getByText(/is typing/).first().waitFor(SEEN);
  await bob.press("#sendbox", "Enter");
  await see(ada, "Good morning, Ada!");
  await ada.getByText(/is typing/).first().waitFor({ ...SEEN, state: "detached" });

  // What Bob has on his screen counts as read, and Ada's window says so.
  const read = async () => {
    const readers = [];
    for await (const receipt of thread.listReadReceipts()) readers.push(receipt.sender.communicationUserId);
    return readers.includes(people[1].userId);
  };
  for (let tries = 0; !(await read()); tries += 1) {
    assert.ok(tries < 50, "Bob's window says that it was read");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }

  await ada.getByLabel("Message seen by others").first().waitFor(SEEN);

  await choose(ada, "Good morning, Bob.", /edit/i);
  const box = ada.locator('[data-ui-id="edit-box"]');
  await box.fill("Good evening, Bob.");
  await box.press("Enter");
  await see(bob, "Good evening, Bob.");
  await seeNoMore(bob, "Good morning, Bob.");

  await say(bob, "A mistake.");
  await see(ada, "A mistake.");
  await choose(bob, "A mistake.", /(delete|remove)/i);
  await seeNoMore(ada, "A mistake.");

  await ada.evaluate(() => window.adapter.setTopic("Second light"));
  for (const page of both) await see(page, "Second light");

  const eve = await peopleOf(server.told.connectionString).person("Eve");
  await thread.addParticipants({ participants: [{ id: eve.user, displayName: "Eve" }] });
  for (const page of both) await page.getByText(/Eve joined the chat/).first().waitFor(SEEN);
  await picture(both);
  await ada.evaluate((id) => window.adapter.removeParticipant(id), eve.id);
  for (const page of both) await page.getByText(/Eve left the chat/).first().waitFor(SEEN);

  // Who is removed is told, and hears no more.
  await ada.evaluate((id) => window.adapter.removeParticipant(id), people[1].userId);
  await bob.getByText(/no longer|removed|left/i).first().waitFor(SEEN);
  await say(ada, "Not for Bob.");
  await see(ada, "Not for Bob.");
  assert.equal(await bob.getByText("Not for Bob.").count(), 0);
});
