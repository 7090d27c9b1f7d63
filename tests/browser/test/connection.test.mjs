// The connection of the browser SDK: what becomes of it when it drops, when the server goes and comes, when tokens end.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { clientIn, openBrowser } from "../support/browser.mjs";
import { openServer, people } from "../support/server.mjs";

let server, browser, world, ann, ben, thread;

before(async () => {
  server = await openServer();
  browser = await openBrowser();
  world = people(server.told.connectionString);
  [ann, ben] = [await world.person("Ann"), await world.person("Ben")];
  const { chatThread } = await ann.chat.createChatThread(
    { topic: "connections" },
    { participants: [{ id: ben.user, displayName: "Ben" }] },
  );
  thread = ann.chat.getChatThreadClient(chatThread.id);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

let sent = 0;

/** Sends a message and waits until each of `clients` has heard of it, once. */
async function heard(...clients) {
  sent += 1;
  const content = `message ${sent}`;
  await thread.sendMessage({ content });
  for (const client of clients) await client.wait("chatMessageReceived", 1, (event) => event.message === content);
  return content;
}

/** How often a client was told of a message. */
async function times(client, content) {
  const events = await client.events();
  return events.filter((one) => one.name === "chatMessageReceived" && one.event.message === content).length;
}

async function listener(person, name, page, tokens) {
  const client = clientIn(page ?? (await browser.page()), name);
  await client.create(world.endpoint, tokens ?? [person.token]);
  await client.start();
  await client.wait("realTimeNotificationConnected");
  return client;
}

test("two tabs, and two clients in one of them, hear the same", async () => {
  const context = await browser.browser.newContext({ ignoreHTTPSErrors: true });
  const [one, two] = [await browser.page(context), await browser.page(context)];
  const clients = [await listener(ben, "first", one), await listener(ben, "second", one), await listener(ben, "third", two)];
  const content = await heard(...clients);
  for (const client of clients) assert.equal(await times(client, content), 1);
  await two.close();
  await heard(clients[0], clients[1]);
  await context.close();
});

test("stop and start again", async () => {
  const client = await listener(ben, "ben");
  await heard(client);
  await client.stop();
  const missed = `message ${(sent += 1)}`;
  await thread.sendMessage({ content: missed });
  await client.forget();
  await client.listenAgain();
  await client.start();
  await client.wait("realTimeNotificationConnected");
  const content = await heard(client);
  assert.equal(await times(client, content), 1);
  assert.equal(await times(client, missed), 0);
});

test("a dropped connection is made again", async () => {
  const page = await browser.page();
  const client = await listener(ben, "ben", page);
  const session = await page.context().newCDPSession(page);
  await session.send("Network.enable");
  await client.forget();
  const none = { latency: 0, downloadThroughput: -1, uploadThroughput: -1 };
  await session.send("Network.emulateNetworkConditions", { offline: true, ...none });
  await page.evaluate(() => window.dispatchEvent(new Event("offline")));
  await client.wait("realTimeNotificationDisconnected", 1, () => true, 60);
  await session.send("Network.emulateNetworkConditions", { offline: false, ...none });
  await client.wait("realTimeNotificationConnected", 1, () => true, 60);
  const content = await heard(client);
  assert.equal(await times(client, content), 1);
});

test("a killed server is found again, and so is one that was drained", async () => {
  const client = await listener(ben, "ben");
  for (const end of [server.kill, server.stop]) {
    await client.forget();
    await end();
    await client.wait("realTimeNotificationDisconnected", 1, () => true, 60);
    await server.start();
    await client.wait("realTimeNotificationConnected", 1, () => true, 60);
    const content = await heard(client);
    assert.equal(await times(client, content), 1);
  }
});

test("who is revoked hears nothing more, and with a new token again", async () => {
  const eve = await world.person("Eve");
  await thread.addParticipants({ participants: [{ id: eve.user, displayName: "Eve" }] });
  const client = await listener(eve, "eve");
  await heard(client);
  await client.forget();
  await world.identities.revokeTokens(eve.user);
  await client.wait("realTimeNotificationDisconnected");
  const missed = `message ${(sent += 1)}`;
  await thread.sendMessage({ content: missed });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  assert.equal(await times(client, missed), 0);
  const { token } = await world.identities.getToken(eve.user, ["chat"]);
  const again = await listener(eve, "again", undefined, [token]);
  await heard(again);
});

// The browser's clock runs ahead: a token lives for an hour at least.
test("a token that is about to expire is asked for anew, and is the one of the next connection", async () => {
  const page = await browser.page();
  await page.clock.install();
  const short = await world.identities.getToken(ben.user, ["chat"], { tokenExpiresInMinutes: 60 });
  const { token } = await world.identities.getToken(ben.user, ["chat"]);
  const client = clientIn(page, "ben");
  await client.create(world.endpoint, [short.token, token], true);
  await client.start();
  await client.wait("realTimeNotificationConnected");
  await heard(client);
  const shaken = [];
  page.on("request", (request) => {
    if (/socket\.io\/1\/\?/.test(request.url())) shaken.push(request.headers()["x-skypetoken"]);
  });
  await page.clock.fastForward("00:52:00");
  for (let tries = 0; (await client.asked()) < 2; tries += 1) {
    assert.ok(tries < 100, "the library asks for another token");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await client.forget();
  await server.kill();
  await server.start();
  await client.wait("realTimeNotificationConnected", 1, () => true, 60);
  assert.equal(shaken.at(-1), token);
  const content = await heard(client);
  assert.equal(await times(client, content), 1);
});

test("where no WebSocket gets through the SDK polls", async () => {
  const page = await browser.page();
  await page.evaluate(() => {
    // As behind a proxy that lets none through: each is refused.
    window.WebSocket = class extends window.WebSocket {
      constructor() {
        super("wss://127.0.0.1:1/");
      }
    };
  });
  const polls = [];
  page.on("request", (request) => request.url().includes("/xhr-polling/") && polls.push(request.method()));
  const client = await listener(ben, "ben", page);
  for (let count = 0; count < 5; count += 1) {
    const content = await heard(client);
    assert.equal(await times(client, content), 1);
  }
  assert.ok(polls.includes("GET") && polls.includes("POST"), polls.join(" "));
  await client.stop();
});
