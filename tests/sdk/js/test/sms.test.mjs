// Every SMS operation, and every refusal of one, through the JavaScript SDKs: the stable one, and the preview, which
// alone has opt-outs.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AzureKeyCredential } from "@azure/core-auth";
import { SmsClient } from "@azure/communication-sms";
import { SmsClient as PreviewClient } from "@azure/communication-sms-preview";

import { main, once } from "../support/sdk.mjs";
import { fails } from "../support/shows.mjs";

const NAME = "CONTOSO";
const SHORT_CODE = "55555";
const TO = "+14255550100";
const MESSAGE_ID = /^Outgoing_\d{14}[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const KINDS = { stable: SmsClient, preview: PreviewClient };

const client = (Kind) => new Kind(main.resource().connectionString, once());

function accepted(item, to) {
  assert.equal(item.to, to);
  assert.equal(item.httpStatusCode, 202);
  assert.equal(item.successful, true);
  assert.equal(item.repeatabilityResult, "accepted");
  assert.match(item.messageId, MESSAGE_ID);
  assert.equal(item.errorMessage, undefined);
}

for (const [kind, Kind] of Object.entries(KINDS)) {
  test(`${kind}: texts are accepted for each recipient`, async () => {
    const to = [TO, "+14255550101", "+43660123456"];
    const items = await client(Kind).send({ from: NAME, to, message: "hello" }, { enableDeliveryReport: true, tag: "t" });
    assert.equal(items.length, 3);
    items.forEach((item, nth) => accepted(item, to[nth]));
    assert.equal(new Set(items.map((item) => item.messageId)).size, 3);
  });

  test(`${kind}: without options`, async () => {
    const [item] = await client(Kind).send({ from: SHORT_CODE, to: [TO], message: "hello" });
    accepted(item, TO);
  });

  test(`${kind}: a wrong number among good ones fails alone`, async () => {
    const [good, wrong] = await client(Kind).send({ from: NAME, to: [TO, "+112345678901"], message: "hello" });
    accepted(good, TO);
    assert.equal(wrong.httpStatusCode, 400);
    assert.equal(wrong.successful, false);
    assert.equal(wrong.messageId, undefined);
    assert.equal(wrong.errorMessage, "Invalid To phone number format.");
  });

  test(`${kind}: a sender of somebody else is 401`, async () => {
    for (const from of ["+18335550199", "66666", "ABCDEFGHIJKL"]) {
      await fails(401, "senderNotOwned", () => client(Kind).send({ from, to: [TO], message: "hello" }));
    }
  });

  test(`${kind}: whole requests that are refused`, async () => {
    const send = (change) => client(Kind).send({ from: NAME, to: [TO], message: "hello", ...change });
    const many = Array.from({ length: 101 }, (_, n) => `+1425555${String(n).padStart(4, "0")}`);
    await fails(400, "invalid", () => send({ to: ["Ad155500000000000"] }));
    await fails(400, "invalid", () => send({ to: many }));
    await fails(400, "invalid", () => send({ to: [] }));
    assert.equal((await send({ to: many.slice(0, 100) })).length, 100);
    accepted((await send({ message: "" }))[0], TO);
    accepted((await send({ message: "x".repeat(2048) }))[0], TO);
  });

  test(`${kind}: a wrong key is 401`, async () => {
    const wrong = new AzureKeyCredential(Buffer.alloc(64, "w").toString("base64"));
    const stranger = new Kind(main.resource().endpoint, wrong, once());
    await fails(401, "badKey", () => stranger.send({ from: NAME, to: [TO], message: "hello" }));
  });
}

test("opt-outs are added, removed and checked", async () => {
  const { optOuts } = client(PreviewClient);
  const to = ["+14255550188", "12"];
  for (const [verb, known] of [["add", true], ["add", true], ["remove", false], ["remove", false]]) {
    const [good, wrong] = await optOuts[verb](SHORT_CODE, to);
    assert.deepEqual(good, { to: to[0], httpStatusCode: 200, errorMessage: "" });
    assert.equal(wrong.httpStatusCode, 400);
    assert.equal(wrong.errorMessage, "Invalid recipient phone number format");
    const [said] = await optOuts.check(SHORT_CODE, to);
    assert.equal(said.isOptedOut, known);
    assert.equal(said.httpStatusCode, 200);
  }
});

test("who does not want to hear is sent nothing, and the sender is told nothing", async () => {
  const sms = client(PreviewClient);
  await sms.optOuts.add(SHORT_CODE, ["+14255550189"]);
  const [item] = await sms.send({ from: SHORT_CODE, to: ["+14255550189"], message: "hello" });
  accepted(item, "+14255550189");
});

test("opt-outs of a sender that has none, or is not ours", async () => {
  const { optOuts } = client(PreviewClient);
  for (const verb of ["add", "remove", "check"]) {
    await fails(401, "senderNotOwned", () => optOuts[verb]("+18335550199", [TO]));
    await fails(400, "invalid", () => optOuts[verb](NAME, [TO]));
  }
});

test("a partner of Messaging Connect is not there", async () => {
  const options = { enableDeliveryReport: true, messagingConnect: { apiKey: "k", partner: "p" } };
  await fails(400, "invalid", () => client(PreviewClient).send({ from: NAME, to: [TO], message: "hello" }, options));
});
