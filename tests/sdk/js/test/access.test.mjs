// Who may do what, through the JavaScript SDK: the scope table, ended tokens, rate limits.
import assert from "node:assert/strict";
import { test } from "node:test";

import { MESSAGES, OPERATIONS, SCOPES } from "../support/expected.mjs";
import { items, limited, main } from "../support/sdk.mjs";
import { fails } from "../support/shows.mjs";

async function scene() {
  const [user, other, third] = [await main.user(), await main.user(), await main.user()];
  const thread = await main.makeThread(user, other);
  const message = (await user.thread(thread).sendMessage({ content: "mine" })).id;
  return { user, other, third, thread, message };
}

/** The SDK call of each row of the scope table, made by `user`. */
function calls(user, { thread, message, other, third }) {
  const client = user.thread(thread);
  return {
    "create thread": () => user.chat.createChatThread({ topic: "new" }),
    "update thread": () => client.updateTopic("renamed"),
    "delete thread": () => user.chat.deleteChatThread(thread),
    "add participants": () => client.addParticipants({ participants: [third.as()] }),
    "remove participant": () => client.removeParticipant(other.identifier),
    "list threads": () => items(user.chat.listChatThreads()),
    "get thread": () => client.getProperties(),
    "list participants": () => items(client.listParticipants()),
    "send message": () => client.sendMessage({ content: "hello" }),
    "get message": () => client.getMessage(message),
    "list messages": () => items(client.listMessages()),
    "update message": () => client.updateMessage(message, { content: "edited" }),
    "delete message": () => client.deleteMessage(message),
    "send read receipt": () => client.sendReadReceipt({ chatMessageId: message }),
    "list read receipts": () => items(client.listReadReceipts()),
    "send typing": () => client.sendTypingNotification(),
  };
}

for (const [name, allowed] of Object.entries(OPERATIONS)) {
  for (const scope of SCOPES) {
    test(`${name} with ${scope}`, async () => {
      const set = await scene();
      const user = await main.withScopes(set.user, scope);
      const call = calls(user, set)[name];
      if (allowed.includes(scope)) await call();
      else await fails(403, "forbidden", call);
    });
  }
}

test("each operation is 403 for a stranger and 401 with a foreign, revoked or forged token", async () => {
  const set = await scene();
  const stranger = await main.user();
  for (const [name, call] of Object.entries(calls(stranger, set))) {
    if (name === "create thread" || name === "list threads") continue;
    const failure = await fails(403, "forbidden", call);
    assert.equal(failure.message, MESSAGES.forbidden);
  }
  const foreign = await main.userOf("beta");
  foreign.home = "alpha";
  const revoked = await main.user();
  await main.identity().revokeTokens(revoked.identifier);
  const forged = await main.user();
  const [header, payload, signature] = forged.token.split(".");
  forged.token = `${header}.${payload}.${signature.startsWith("A") ? "B" : "A"}${signature.slice(1)}`;
  for (const user of [foreign, revoked, forged]) {
    for (const call of Object.values(calls(user, set))) await fails(401, "badToken", call);
  }
});

test("over the limit: 429 with Retry-After, and the SDK's own retry succeeds", async () => {
  const owner = await limited.user();
  const thread = await limited.makeThread(owner);
  const own = owner.thread(thread);
  for (let n = 0; n < 5; n += 1) await own.updateTopic(`t${n}`);
  const failure = await fails(429, "throttled", () => own.updateTopic("one too many"));
  assert.equal(failure.message, MESSAGES.throttled);
  const patient = limited.thread(owner.token, thread, "alpha", { retryOptions: { maxRetries: 5 } });
  await patient.updateTopic("at last");
  assert.equal((await own.getProperties()).topic, "at last");
});
