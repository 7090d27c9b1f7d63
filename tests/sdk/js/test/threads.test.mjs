// Threads and participants through the JavaScript SDK, with what it alone offers: metadata and retention.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { LIMITS } from "../support/expected.mjs";
import { items, main, pages } from "../support/sdk.mjs";
import { checkFresh, checkOrder, fails, likeness, texts, untilAfter } from "../support/shows.mjs";

const GUID = "11111111-2222-4333-8444-555555555555";
const idsOf = (participants) => new Set(participants.map((participant) => participant.id.communicationUserId));
const keep = (days) => ({ kind: "threadCreationDate", deleteThreadAfterDays: days });

test("createChatThread with participants, metadata and retention", async () => {
  const [owner, guest] = [await main.user(), await main.user()];
  const made = await owner.chat.createChatThread(
    { topic: "Planning" },
    {
      participants: [guest.as({ displayName: "The guest", metadata: { seat: "7" } })],
      metadata: { case: "4711", ключ: "значение" },
      retentionPolicy: keep(45),
    },
  );
  assert.ok(!made.invalidParticipants?.length);
  const thread = made.chatThread;
  assert.match(thread.id, /^19:[0-9A-Za-z_-]+@thread\.v2$/);
  assert.ok(Math.abs(thread.createdOn.getTime() - Date.now()) < 60_000);
  for (const seen of [thread, await owner.thread(thread.id).getProperties(), await guest.thread(thread.id).getProperties()]) {
    assert.equal(seen.id, thread.id);
    assert.equal(seen.topic, "Planning");
    assert.deepEqual(seen.createdBy, { kind: "communicationUser", communicationUserId: owner.id });
    assert.deepEqual(seen.metadata, { case: "4711", ключ: "значение" });
    assert.deepEqual(seen.retentionPolicy, keep(45));
    assert.deepEqual(seen.createdOn, thread.createdOn);
    assert.equal(seen.deletedOn, undefined);
  }
  const members = await items(owner.thread(thread.id).listParticipants());
  assert.deepEqual(idsOf(members), new Set([owner.id, guest.id]));
  const seenGuest = members.find((member) => member.id.communicationUserId === guest.id);
  assert.equal(seenGuest.displayName, "The guest");
  assert.deepEqual(seenGuest.metadata, { seat: "7" });

  const [topic, added] = await items(owner.thread(thread.id).listMessages());
  checkFresh(topic);
  checkFresh(added);
  assert.deepEqual([added.type, added.sequenceId], ["participantAdded", "1"]);
  assert.deepEqual(idsOf(added.content.participants), new Set([owner.id, guest.id]));
  assert.equal(added.content.initiator.communicationUserId, owner.id);
  assert.deepEqual([topic.type, topic.sequenceId], ["topicUpdated", "2"]);
  assert.equal(topic.content.topic, "Planning");
  assert.equal(topic.content.initiator.communicationUserId, owner.id);
  for (const system of [topic, added]) {
    assert.equal(system.sender, undefined);
    assert.equal(system.senderDisplayName, undefined);
  }
});

test("creation is idempotent by its token, for one user", async () => {
  const [owner, other] = [await main.user(), await main.user()];
  const idempotencyToken = randomUUID();
  const first = await owner.chat.createChatThread({ topic: "Once" }, { idempotencyToken });
  const again = await owner.chat.createChatThread({ topic: "Once" }, { idempotencyToken });
  assert.equal(again.chatThread.id, first.chatThread.id);
  assert.equal((await items(owner.chat.listChatThreads())).length, 1);
  const theirs = await other.chat.createChatThread({ topic: "Once" }, { idempotencyToken });
  assert.notEqual(theirs.chatThread.id, first.chatThread.id);
});

test("updateTopic writes a system message; updateProperties changes metadata and retention in silence", async () => {
  const owner = await main.user();
  const made = await owner.chat.createChatThread({ topic: "Before" }, { metadata: { a: "1" }, retentionPolicy: keep(30) });
  const own = owner.thread(made.chatThread.id);
  await own.updateTopic("After");
  const [newest] = await items(own.listMessages());
  assert.deepEqual([newest.type, newest.sequenceId, newest.content.topic], ["topicUpdated", "3", "After"]);

  await own.updateProperties({ metadata: { b: "2" } });
  let seen = await own.getProperties();
  assert.equal(seen.metadata.b, "2");
  assert.deepEqual([seen.topic, seen.retentionPolicy], ["After", keep(30)]);
  await own.updateProperties({ retentionPolicy: keep(90) });
  assert.deepEqual((await own.getProperties()).retentionPolicy, keep(90));
  await own.updateProperties({ retentionPolicy: { kind: "none" } });
  seen = await own.getProperties();
  assert.ok(seen.retentionPolicy === undefined || seen.retentionPolicy.kind === "none");
  assert.equal((await items(own.listMessages())).length, 3);
  await own.updateProperties({ topic: "Last", metadata: { c: "3" } });
  seen = await own.getProperties();
  assert.deepEqual([seen.topic, seen.metadata.c], ["Last", "3"]);
  assert.equal((await items(own.listMessages())).length, 4);
});

for (const days of [LIMITS.retentionDays[0] - 1, LIMITS.retentionDays[1] + 1, 0, -30, 30.5]) {
  test(`a retention of ${days} days is refused`, async () => {
    const owner = await main.user();
    await fails(400, null, () => owner.chat.createChatThread({ topic: "x" }, { retentionPolicy: keep(days) }));
    const own = owner.thread(await main.makeThread(owner));
    await fails(400, null, () => own.updateProperties({ retentionPolicy: keep(days) }));
  });
}

test("metadata beyond its size is refused, for threads and participants", async () => {
  const [owner, guest] = [await main.user(), await main.user()];
  const tooMuch = { key: "v".repeat(LIMITS.metadataBytes) };
  await fails(400, null, () => owner.chat.createChatThread({ topic: "x" }, { metadata: tooMuch }));
  const own = owner.thread(await main.makeThread(owner));
  await fails(400, null, () => own.updateProperties({ metadata: tooMuch }));
  await fails(400, null, () => own.addParticipants({ participants: [guest.as({ metadata: tooMuch })] }));
});

test("topics: missing, empty, too long", async () => {
  const owner = await main.user();
  await fails(400, null, () => owner.chat.createChatThread({ topic: "" }));
  await fails(400, null, () => owner.chat.createChatThread({ topic: "x".repeat(LIMITS.topicChars + 1) }));
  const own = owner.thread(await main.makeThread(owner));
  await fails(400, null, () => own.updateTopic("x".repeat(LIMITS.topicChars + 1)));
  assert.equal((await own.getProperties()).topic, "a topic");
});

test("listChatThreads with pages and a start time", async () => {
  const owner = await main.user();
  const made = [];
  for (let n = 0; n < 5; n += 1) made.push(await main.makeThread(owner));
  const listed = await pages(owner.chat.listChatThreads({ maxPageSize: 2 }));
  assert.deepEqual(listed.map((page) => page.length), [2, 2, 1]);
  assert.deepEqual(new Set(listed.flat().map((thread) => thread.id)), new Set(made));
  const stamps = listed.flat().map((thread) => thread.lastMessageReceivedOn.getTime());
  assert.deepEqual(stamps, [...stamps].sort((a, b) => b - a));

  const revived = owner.thread(made[0]);
  const mark = (await revived.sendMessage({ content: "mark" })).id;
  await untilAfter(revived, mark, 5);
  const startTime = new Date(Number(mark) + 2);
  assert.deepEqual((await items(owner.chat.listChatThreads({ startTime }))).map((thread) => thread.id), [made[0]]);
});

test("deleteChatThread: 404 for its members, 403 for others as ever", async () => {
  const [owner, guest, stranger] = [await main.user(), await main.user(), await main.user()];
  const thread = await main.makeThread(owner, guest);
  await guest.chat.deleteChatThread(thread);
  for (const user of [owner, guest]) {
    await fails(404, "notFound", () => user.thread(thread).getProperties());
    await fails(404, "notFound", () => items(user.thread(thread).listMessages()));
    await fails(404, "notFound", () => user.thread(thread).sendMessage({ content: "too late" }));
  }
  await fails(403, "forbidden", () => stranger.thread(thread).getProperties());
});

test("participants: add with shared history, list with pages and skip, remove", async () => {
  const owner = await main.user();
  const others = [await main.user(), await main.user(), await main.user()];
  const thread = await main.makeThread(owner);
  const own = owner.thread(thread);
  const early = (await own.sendMessage({ content: "early" })).id;
  await untilAfter(own, early, 5);
  const added = await own.addParticipants({
    participants: [
      others[0].as({ shareHistoryTime: new Date(0), displayName: "All" }),
      others[1].as(),
      others[2].as({ shareHistoryTime: new Date(Number(early) + 2) }),
    ],
  });
  assert.ok(!added.invalidParticipants?.length);
  const saw = [];
  for (const other of others) saw.push(texts(await items(other.thread(thread).listMessages())));
  assert.ok(saw[0].includes("early"));
  assert.deepEqual(saw[1], []);
  assert.ok(!saw[2].includes("early") && saw[2].includes("time passes"));

  const whole = (await items(own.listParticipants())).map((member) => member.id.communicationUserId);
  assert.deepEqual(new Set(whole), new Set([owner.id, ...others.map((other) => other.id)]));
  const listed = await pages(own.listParticipants({ maxPageSize: 3 }));
  assert.deepEqual(listed.flat().map((member) => member.id.communicationUserId), whole);
  assert.equal(listed[0].length, 3);
  const rest = await items(own.listParticipants({ skip: 2 }));
  assert.deepEqual(rest.map((member) => member.id.communicationUserId), whole.slice(2));

  await own.removeParticipant(others[0].identifier);
  const [removed] = await items(own.listMessages());
  assert.equal(removed.type, "participantRemoved");
  assert.deepEqual(idsOf(removed.content.participants), new Set([others[0].id]));
  assert.equal(removed.content.initiator.communicationUserId, owner.id);
  assert.equal((await items(own.listParticipants())).length, 3);
});

test("a removed participant reads up to the removal and no further", async () => {
  const [owner, leaver] = [await main.user(), await main.user()];
  const thread = await main.makeThread(owner, leaver);
  const [own, theirs] = [owner.thread(thread), leaver.thread(thread)];
  const before = (await own.sendMessage({ content: "before" })).id;
  await own.removeParticipant(leaver.identifier);
  const after = (await own.sendMessage({ content: "after" })).id;
  assert.deepEqual(texts(await items(theirs.listMessages())), ["before"]);
  assert.equal((await theirs.getMessage(before)).content.message, "before");
  await fails(404, "notFound", () => theirs.getMessage(after));
  await fails(403, "forbidden", () => theirs.sendMessage({ content: "still here?" }));
  await fails(403, "forbidden", () => items(theirs.listParticipants()));
  await fails(403, "forbidden", () => theirs.sendReadReceipt({ chatMessageId: before }));
  await fails(403, "forbidden", () => theirs.sendTypingNotification());
});

test("invalid participants are named and the others added", async () => {
  const [owner, good, later] = [await main.user(), await main.user(), await main.user()];
  const foreign = await main.identity("beta").createUser();
  const bad = [
    { id: foreign },
    { id: { communicationUserId: `8:acs:${GUID}_${GUID}` } },
    { id: { microsoftTeamsUserId: GUID } },
    { id: { phoneNumber: "+14255550123" } },
  ];
  const targets = new Set([foreign.communicationUserId, `8:acs:${GUID}_${GUID}`, `8:orgid:${GUID}`, "4:+14255550123"]);
  const check = (refused) => {
    assert.deepEqual(new Set(refused.map((error) => error.target)), targets);
    for (const error of refused) {
      assert.ok(["403", "404"].includes(error.code) && error.message);
      // As ACS answers for a Teams user in a plain thread.
      if (error.target.startsWith("8:orgid:")) assert.equal(error.code, "403");
    }
  };
  const made = await owner.chat.createChatThread({ topic: "Some" }, { participants: [...bad, good.as()] });
  check(made.invalidParticipants);
  const own = owner.thread(made.chatThread.id);
  check((await own.addParticipants({ participants: [later.as(), ...bad] })).invalidParticipants);
  assert.deepEqual(idsOf(await items(own.listParticipants())), new Set([owner.id, good.id, later.id]));
});

test("a stranger gets what a thread that is not gives", async () => {
  const [owner, stranger] = [await main.user(), await main.user()];
  const thread = await main.makeThread(owner);
  const seen = [];
  for (const id of [thread, "19:00000000000000000000000000000000@thread.v2"]) {
    seen.push(likeness(await fails(403, "forbidden", () => stranger.thread(id).getProperties())));
  }
  assert.deepEqual(seen[0], seen[1]);
});

test("checks of order hold over a thread with everything in it", async () => {
  const [owner, guest] = [await main.user(), await main.user()];
  const own = owner.thread(await main.makeThread(owner));
  for (let n = 0; n < 4; n += 1) {
    await own.sendMessage({ content: String(n) });
    await own.updateTopic(`topic ${n}`);
    await own.addParticipants({ participants: [guest.as()] });
    await own.removeParticipant(guest.identifier);
  }
  const listed = await items(own.listMessages());
  assert.equal(listed.length, 2 + 16);
  checkOrder(listed);
});
