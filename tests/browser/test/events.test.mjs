// All events of the browser SDK, for those who may hear them and for nobody else.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { clientIn, openBrowser } from "../support/browser.mjs";
import { openServer, people } from "../support/server.mjs";

let server, browser, world;

before(async () => {
  server = await openServer();
  browser = await openBrowser();
  world = people(server.told.connectionString);
});

after(async () => {
  await browser?.close();
  await server?.close();
});

async function listener(person, name) {
  const client = clientIn(await browser.page(), name);
  await client.create(world.endpoint, [person.token]);
  await client.start();
  await client.wait("realTimeNotificationConnected");
  return client;
}

test("every event reaches who is in the thread, with what it is about", async () => {
  const [ann, ben, eve] = [await world.person("Ann"), await world.person("Ben"), await world.person("Eve")];
  const [hearsAnn, hearsBen, hearsEve] = [await listener(ann, "ann"), await listener(ben, "ben"), await listener(eve, "eve")];

  const topic = '50% off, 100%41 %u0041 "ü😀"';
  const { chatThread } = await ann.chat.createChatThread(
    { topic },
    { participants: [{ id: ann.user, displayName: "Ann" }, { id: ben.user, displayName: "Ben 10%" }], metadata: { a: "%20" } },
  );
  const [created] = await hearsBen.wait("chatThreadCreated");
  assert.equal(created.threadId, chatThread.id);
  assert.equal(created.properties.topic, topic);
  assert.deepEqual(created.properties.metadata, { a: "%20" });
  assert.equal(created.createdBy.id.communicationUserId, ann.id);
  assert.deepEqual(created.participants.map((one) => one.displayName).sort(), ["Ann", "Ben 10%"]);
  assert.ok(Math.abs(new Date(created.createdOn) - Date.now()) < 60_000);
  await hearsAnn.wait("chatThreadCreated");

  const thread = ann.chat.getChatThreadClient(chatThread.id);
  const { id } = await thread.sendMessage(
    { content: "50% <b>ü</b> 😀" },
    { senderDisplayName: "Ann 1%", metadata: { key: "välue" } },
  );
  for (const hears of [hearsAnn, hearsBen]) {
    const [received] = await hears.wait("chatMessageReceived");
    assert.equal(received.id, id);
    assert.equal(received.threadId, chatThread.id);
    assert.equal(received.message, "50% <b>ü</b> 😀");
    assert.equal(received.type, "Text");
    assert.equal(received.sender.communicationUserId, ann.id);
    assert.equal(received.senderDisplayName, "Ann 1%");
    assert.deepEqual(received.metadata, { key: "välue" });
    assert.deepEqual(received.attachments, []);
    const stored = await thread.getMessage(id);
    assert.equal(new Date(received.createdOn).getTime(), stored.createdOn.getTime());
    assert.equal(received.version, stored.version);
  }
  const recipients = [await hearsAnn.wait("chatMessageReceived"), await hearsBen.wait("chatMessageReceived")];
  assert.deepEqual(recipients.map(([one]) => one.recipient.communicationUserId), [ann.id, ben.id]);

  await thread.sendMessage({ content: "<p>rich <b>text</b></p>" }, { type: "html" });
  const [, rich] = await hearsBen.wait("chatMessageReceived", 2);
  assert.equal(rich.type, "RichText/Html");
  assert.equal(rich.message, "<p>rich <b>text</b></p>");

  await thread.updateMessage(id, { content: "edited %41" });
  const [edited] = await hearsBen.wait("chatMessageEdited");
  assert.equal(edited.id, id);
  assert.equal(edited.message, "edited %41");
  assert.deepEqual(edited.metadata, { key: "välue" });
  assert.equal(new Date(edited.editedOn).getTime(), (await thread.getMessage(id)).editedOn.getTime());

  await thread.deleteMessage(id);
  const [deleted] = await hearsBen.wait("chatMessageDeleted");
  assert.equal(deleted.id, id);
  assert.equal(new Date(deleted.deletedOn).getTime(), (await thread.getMessage(id)).deletedOn.getTime());

  const bens = ben.chat.getChatThreadClient(chatThread.id);
  await bens.sendTypingNotification({ senderDisplayName: "Ben types" });
  const [typing] = await hearsAnn.wait("typingIndicatorReceived");
  assert.equal(typing.sender.communicationUserId, ben.id);
  assert.equal(typing.senderDisplayName, "Ben types");
  assert.ok(Math.abs(new Date(typing.receivedOn) - Date.now()) < 8_000);

  const { id: last } = await thread.sendMessage({ content: "read me" });
  await bens.sendReadReceipt({ chatMessageId: last });
  const [receipt] = await hearsAnn.wait("readReceiptReceived");
  assert.equal(receipt.chatMessageId, last);
  assert.equal(receipt.sender.communicationUserId, ben.id);
  assert.ok(Math.abs(new Date(receipt.readOn) - Date.now()) < 60_000);

  await thread.updateTopic("new % topic");
  const [updated] = await hearsBen.wait("chatThreadPropertiesUpdated");
  assert.equal(updated.properties.topic, "new % topic");
  assert.equal(updated.updatedBy.id.communicationUserId, ann.id);
  assert.equal(updated.updatedBy.displayName, "Ann");

  await thread.addParticipants({ participants: [{ id: eve.user, displayName: "Eve" }] });
  for (const hears of [hearsBen, hearsEve]) {
    const [added] = await hears.wait("participantsAdded");
    assert.equal(added.participantsAdded[0].id.communicationUserId, eve.id);
    assert.equal(added.participantsAdded[0].displayName, "Eve");
    assert.equal(added.addedBy.id.communicationUserId, ann.id);
  }
  await thread.sendMessage({ content: "hello Eve" });
  await hearsEve.wait("chatMessageReceived", 1, (one) => one.message === "hello Eve");

  await thread.removeParticipant(eve.user);
  const [removed] = await hearsBen.wait("participantsRemoved");
  assert.equal(removed.participantsRemoved[0].id.communicationUserId, eve.id);
  assert.equal(removed.removedBy.id.communicationUserId, ann.id);
  await hearsEve.wait("participantsRemoved");
  await thread.sendMessage({ content: "without Eve" });
  await hearsBen.wait("chatMessageReceived", 1, (one) => one.message === "without Eve");

  await ann.chat.deleteChatThread(chatThread.id);
  const [ended] = await hearsBen.wait("chatThreadDeleted");
  assert.equal(ended.threadId, chatThread.id);
  assert.equal(ended.deletedBy.id.communicationUserId, ann.id);

  const names = (await hearsEve.events()).map((one) => one.name);
  assert.deepEqual(names, ["realTimeNotificationConnected", "participantsAdded", "chatMessageReceived", "participantsRemoved"]);
  assert.ok(!(await hearsBen.events()).some((one) => one.name === "typingIndicatorReceived"), "nobody hears of their own typing");
});
