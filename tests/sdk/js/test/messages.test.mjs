// Messages, receipts and typing through the JavaScript SDK.
import assert from "node:assert/strict";
import { test } from "node:test";

import { LIMITS } from "../support/expected.mjs";
import { items, main, pages } from "../support/sdk.mjs";
import { checkFresh, checkOrder, fails, texts, untilAfter } from "../support/shows.mjs";

test("sendMessage and getMessage", async () => {
  const [owner, guest] = [await main.user(), await main.user()];
  const thread = await main.makeThread(owner, guest);
  const sent = await owner.thread(thread).sendMessage(
    { content: 'Hello <b>you</b> & ☃ "q"' },
    { senderDisplayName: "Owner ☃", type: "text", metadata: { a: "1", ключ: "значение" } },
  );
  for (const user of [owner, guest]) {
    const message = await user.thread(thread).getMessage(sent.id);
    checkFresh(message);
    assert.deepEqual([message.id, message.type, message.sequenceId], [sent.id, "text", "3"]);
    assert.equal(message.content.message, 'Hello <b>you</b> & ☃ "q"');
    assert.equal(message.senderDisplayName, "Owner ☃");
    assert.deepEqual(message.metadata, { a: "1", ключ: "значение" });
    assert.deepEqual(message.sender, { kind: "communicationUser", communicationUserId: owner.id });
  }
});

test("html is sanitised", async () => {
  const owner = await main.user();
  const own = owner.thread(await main.makeThread(owner));
  const content = '<p>Hi <b>there</b><script>alert(1)</script><img src="x" onerror="alert(2)"><a href="javascript:x()">l</a></p>';
  const sent = await own.sendMessage({ content }, { type: "html" });
  const message = await own.getMessage(sent.id);
  assert.equal(message.type, "html");
  assert.ok(message.content.message.includes("<b>there</b>"));
  assert.doesNotMatch(message.content.message, /<script|alert|onerror|javascript:/i);
});

for (const type of ["topicUpdated", "participantAdded", "participantRemoved"]) {
  test(`a message of type ${type} cannot be sent`, async () => {
    const owner = await main.user();
    const own = owner.thread(await main.makeThread(owner));
    await fails(400, null, () => own.sendMessage({ content: "not mine to say" }, { type }));
    assert.equal((await items(own.listMessages())).length, 2);
  });
}

test("updateMessage and deleteMessage by the sender", async () => {
  const owner = await main.user();
  const own = owner.thread(await main.makeThread(owner));
  const { id } = await own.sendMessage({ content: "first" }, { metadata: { a: "1" }, senderDisplayName: "Me" });
  const before = await own.getMessage(id);
  await own.updateMessage(id, { content: "second", metadata: { b: "2" } });
  const edited = await own.getMessage(id);
  assert.deepEqual([edited.content.message, edited.metadata], ["second", { b: "2" }]);
  assert.deepEqual([edited.sequenceId, edited.createdOn, edited.sender], [before.sequenceId, before.createdOn, before.sender]);
  assert.ok(edited.editedOn >= edited.createdOn && Number(edited.version) > Number(before.version));
  await own.deleteMessage(id);
  for (const tomb of [await own.getMessage(id), (await items(own.listMessages()))[0]]) {
    assert.equal(tomb.id, id);
    assert.ok(tomb.deletedOn >= tomb.createdOn && Number(tomb.version) > Number(edited.version));
    assert.equal(tomb.content, undefined);
    assert.ok(tomb.metadata === undefined || Object.keys(tomb.metadata).length === 0);
    assert.deepEqual([tomb.sender, tomb.sequenceId, tomb.type], [before.sender, before.sequenceId, "text"]);
  }
  await own.deleteMessage(id);
  await fails(404, "notFound", () => own.updateMessage(id, { content: "back again" }));
});

test("only the sender may edit or delete; system messages belong to nobody", async () => {
  const [owner, guest] = [await main.user(), await main.user()];
  const thread = await main.makeThread(owner, guest);
  const { id } = await guest.thread(thread).sendMessage({ content: "mine" });
  const own = owner.thread(thread);
  const system = (await items(own.listMessages())).filter((message) => message.sender === undefined);
  for (const target of [id, ...system.map((message) => message.id)]) {
    await fails(403, "forbidden", () => own.updateMessage(target, { content: "changed" }));
    await fails(403, "forbidden", () => own.deleteMessage(target));
  }
  checkFresh(await own.getMessage(id));
});

test("an unknown message is 404", async () => {
  const owner = await main.user();
  const own = owner.thread(await main.makeThread(owner));
  await fails(404, "notFound", () => own.getMessage("1234567890123"));
  await fails(404, "notFound", () => own.updateMessage("1234567890123", { content: "x" }));
  await fails(404, "notFound", () => own.deleteMessage("1234567890123"));
  await fails([400, 404], null, () => own.sendReadReceipt({ chatMessageId: "1234567890123" }));
});

test("the longest message and one byte more", async () => {
  const owner = await main.user();
  const own = owner.thread(await main.makeThread(owner));
  const content = "x".repeat(LIMITS.messageBytes);
  const { id } = await own.sendMessage({ content });
  assert.equal((await own.getMessage(id)).content.message, content);
  await fails(400, null, () => own.sendMessage({ content: `${content}x` }));
  await fails(400, null, () => own.updateMessage(id, { content: `${content}x` }));
});

test("listMessages: pages, and stable while messages arrive", async () => {
  const [owner, guest] = [await main.user(), await main.user()];
  const thread = await main.makeThread(owner, guest);
  const own = owner.thread(thread);
  for (let n = 0; n < 8; n += 1) await own.sendMessage({ content: `old ${n}` });
  const listed = await pages(own.listMessages({ maxPageSize: 3 }), () =>
    guest.thread(thread).sendMessage({ content: "arrives meanwhile" }),
  );
  assert.deepEqual(listed.filter((page) => page.length).map((page) => page.length), [3, 3, 3, 1]);
  checkOrder(listed.flat());
  assert.deepEqual(texts(listed.flat()), [7, 6, 5, 4, 3, 2, 1, 0].map((n) => `old ${n}`));
});

test("listMessages since a start time, with older ones edited or deleted since", async () => {
  const owner = await main.user();
  const own = owner.thread(await main.makeThread(owner));
  const ids = [];
  for (const content of ["to edit", "to delete", "untouched"]) ids.push((await own.sendMessage({ content })).id);
  await untilAfter(own, ids[2], 5);
  await own.updateMessage(ids[0], { content: "edited since" });
  await own.deleteMessage(ids[1]);
  const startTime = new Date(Number(ids[2]) + 2);
  for (const options of [{ startTime }, { startTime, maxPageSize: 1 }]) {
    const listed = new Map((await items(own.listMessages(options))).map((message) => [message.id, message]));
    assert.equal(listed.get(ids[0]).content.message, "edited since");
    assert.ok(listed.get(ids[1]).deletedOn);
    assert.ok(!listed.has(ids[2]));
  }
});

test("read receipts: one each, the latest, with pages", async () => {
  const [owner, guest] = [await main.user(), await main.user()];
  const thread = await main.makeThread(owner, guest);
  const [own, theirs] = [owner.thread(thread), guest.thread(thread)];
  const [first, second] = [(await own.sendMessage({ content: "1" })).id, (await own.sendMessage({ content: "2" })).id];
  await theirs.sendReadReceipt({ chatMessageId: first });
  await theirs.sendReadReceipt({ chatMessageId: second });
  await theirs.sendReadReceipt({ chatMessageId: first });
  await own.sendReadReceipt({ chatMessageId: first });
  const listed = await items(own.listReadReceipts());
  const latest = Object.fromEntries(listed.map((receipt) => [receipt.sender.communicationUserId, receipt.chatMessageId]));
  assert.deepEqual(latest, { [guest.id]: second, [owner.id]: first });
  assert.equal(listed.length, 2);
  for (const receipt of listed) assert.ok(Math.abs(receipt.readOn.getTime() - Date.now()) < 60_000);
  assert.deepEqual((await pages(own.listReadReceipts({ maxPageSize: 1 }))).filter((page) => page.length).length, 2);
  assert.equal((await items(own.listReadReceipts({ skip: 1 }))).length, 1);
});

test("typing: sent once, then held back by the client for a while", async () => {
  const owner = await main.user();
  const own = owner.thread(await main.makeThread(owner));
  assert.equal(await own.sendTypingNotification({ senderDisplayName: "Me" }), true);
  assert.equal(await own.sendTypingNotification(), false);
});
