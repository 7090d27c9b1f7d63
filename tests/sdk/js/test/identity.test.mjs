// Every identity operation, and every refusal of one, through the JavaScript SDK.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AzureKeyCredential } from "@azure/core-auth";
import { CommunicationIdentityClient } from "@azure/communication-identity";

import { LIMITS, SCOPES } from "../support/expected.mjs";
import { aged, items, main, once } from "../support/sdk.mjs";
import { fails, likeness } from "../support/shows.mjs";

const GUID = "11111111-2222-4333-8444-555555555555";
const SCOPE_SETS = [...SCOPES.map((scope) => [scope]), ["chat", "voip"], ["chat.join", "voip.join"], SCOPES];
const wrongKey = Buffer.alloc(64, "w").toString("base64");

function claims(token) {
  const [, payload] = token.split(".");
  assert.doesNotMatch(payload, /[-_]/);
  return JSON.parse(Buffer.from(payload, "base64").toString("ascii"));
}

function checkToken(issued, id, scopes, minutes) {
  const said = claims(issued.token);
  assert.equal(`8:${said.skypeid}`, id);
  assert.deepEqual(new Set(said.acsScope.split(",")), new Set(scopes));
  assert.equal(said.exp - said.iat, minutes * 60);
  assert.ok(issued.expiresOn instanceof Date);
  assert.ok(Math.abs(issued.expiresOn.getTime() / 1000 - said.exp) < 1);
  assert.ok(Math.abs(Date.now() / 1000 + minutes * 60 - said.exp) < 10);
}

test("createUser gives a new identity each time", async () => {
  const identity = main.identity();
  const [first, second] = [await identity.createUser(), await identity.createUser()];
  assert.match(first.communicationUserId, /^8:acs:[0-9a-f-]{36}_[0-9a-f-]+$/);
  assert.notEqual(first.communicationUserId, second.communicationUserId);
  assert.deepEqual(Object.keys(first), ["communicationUserId"]);
});

for (const scopes of SCOPE_SETS) {
  test(`createUserAndToken and getToken with ${scopes}`, async () => {
    const identity = main.identity();
    const made = await identity.createUserAndToken(scopes);
    checkToken(made, made.user.communicationUserId, scopes, 1440);
    const issued = await identity.getToken(made.user, scopes);
    checkToken(issued, made.user.communicationUserId, scopes, 1440);
  });
}

for (const minutes of [60, 61, 600, 1439, 1440]) {
  test(`tokens of ${minutes} minutes`, async () => {
    const identity = main.identity();
    const made = await identity.createUserAndToken(["chat"], { tokenExpiresInMinutes: minutes });
    checkToken(made, made.user.communicationUserId, ["chat"], minutes);
    const issued = await identity.getToken(made.user, ["voip"], { tokenExpiresInMinutes: minutes });
    checkToken(issued, made.user.communicationUserId, ["voip"], minutes);
  });
}

for (const minutes of [LIMITS.tokenMinutes[0] - 1, LIMITS.tokenMinutes[1] + 1, 0, -60, 1e9, 60.5]) {
  test(`tokens of ${minutes} minutes are refused`, async () => {
    const identity = main.identity();
    await fails(400, null, () => identity.createUserAndToken(["chat"], { tokenExpiresInMinutes: minutes }));
    const user = await identity.createUser();
    await fails(400, null, () => identity.getToken(user, ["chat"], { tokenExpiresInMinutes: minutes }));
  });
}

for (const scopes of [[], ["chats"], ["chat", "Voice"], ["chat", ""]]) {
  test(`scopes ${JSON.stringify(scopes)} are refused`, async () => {
    const user = await main.identity().createUser();
    await fails(400, null, () => main.identity().getToken(user, scopes));
  });
}

test("revokeTokens ends every token at once, and later ones are good", async () => {
  const first = await main.user();
  const second = await main.withScopes(first, "chat", "voip");
  await items(first.chat.listChatThreads());
  await main.identity().revokeTokens(first.identifier);
  for (const user of [first, second]) await fails(401, "badToken", () => items(user.chat.listChatThreads()));
  const third = await main.withScopes(first, "chat");
  assert.deepEqual(await items(third.chat.listChatThreads()), []);
});

test("deleteUser ends tokens, removes messages, and may be repeated", async () => {
  const [keeper, leaver] = [await main.user(), await main.user()];
  const thread = await main.makeThread(keeper, leaver);
  await leaver.thread(thread).sendMessage({ content: "farewell-2b7d" });
  await main.identity().deleteUser(leaver.identifier);
  await fails(401, "badToken", () => items(leaver.chat.listChatThreads()));
  const left = await items(keeper.thread(thread).listMessages());
  assert.ok(!left.some((message) => message.content?.message === "farewell-2b7d"));
  await main.identity().deleteUser(leaver.identifier);
  // Not documented by ACS: answered as for an identity of someone else.
  await fails(401, "notOwned", () => main.identity().getToken(leaver.identifier, ["chat"]));
});

test("getTokenForTeamsUser is clearly not built", async () => {
  const failure = await fails(501, "notImplemented", () =>
    main.identity().getTokenForTeamsUser({ teamsUserAadToken: "a.b.c", clientId: "an-app", userObjectId: GUID }),
  );
  assert.match(failure.message, /teams/i);
});

test("identities of another resource are not owned, existing or not", async () => {
  const theirs = await main.identity("beta").createUser();
  const prefix = theirs.communicationUserId.split("_")[0];
  const ids = [theirs, { communicationUserId: `${prefix}_${GUID}` }, { communicationUserId: `8:acs:${GUID}_${GUID}` }];
  const calls = {
    issue: (user) => main.identity().getToken(user, ["chat"]),
    revoke: (user) => main.identity().revokeTokens(user),
    remove: (user) => main.identity().deleteUser(user),
  };
  for (const call of Object.values(calls)) {
    const answers = [];
    for (const user of ids) answers.push(likeness(await fails(401, "notOwned", () => call(user))));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
  }
  await main.identity("beta").getToken(theirs, ["chat"]);
});

test("a wrong key, and the key of another resource, are 401", async () => {
  const { endpoint } = main.resource("alpha");
  for (const key of [wrongKey, main.key("beta")]) {
    const identity = new CommunicationIdentityClient(endpoint, new AzureKeyCredential(key), once());
    await fails(401, "badKey", () => identity.createUser());
    await fails(401, "badKey", () => identity.createUserAndToken(["chat"]));
  }
});

test("an endpoint with a trailing slash", async () => {
  const endpoint = `${main.resource("alpha").endpoint.replace(/\/$/, "")}/`;
  const identity = new CommunicationIdentityClient(endpoint, new AzureKeyCredential(main.key()), once());
  const user = await identity.createUser();
  await identity.revokeTokens(user);
});

test("a token that has expired is 401", async () => {
  const { world, token, thread, user } = aged;
  await fails(401, "badToken", () => items(world.chat(token).listChatThreads()));
  await fails(401, "badToken", () => world.thread(token, thread).sendMessage({ content: "too late" }));
  const fresh = await world.identity().getToken({ communicationUserId: user }, ["chat"]);
  assert.equal((await world.thread(fresh.token, thread).getProperties()).topic, "before");
});

test("an unknown api-version is named", async () => {
  const chat = main.chat((await main.user()).token, "alpha", { apiVersion: "2020-01-01" });
  const failure = await fails(400, "unsupportedVersion", () => chat.createChatThread({ topic: "no" }));
  assert.match(failure.message, /2020-01-01/);
});

test("no permanent error is retried", async () => {
  const tries = [];
  const count = {
    policy: {
      name: "count",
      async sendRequest(request, next) {
        const answer = await next(request);
        tries.push(answer.status);
        return answer;
      },
    },
    position: "perRetry",
  };
  const identity = main.identity("alpha", { retryOptions: { maxRetries: 3 }, additionalPolicies: [count] });
  const theirs = await main.identity("beta").createUser();
  await fails(401, null, () => identity.getToken(theirs, ["chat"]));
  await fails(400, null, () => identity.createUserAndToken(["nonsense"]));
  await fails(501, null, () => identity.getTokenForTeamsUser({ teamsUserAadToken: "t", clientId: "a", userObjectId: "u" }));
  assert.deepEqual(tries, [401, 400, 501]);
});
