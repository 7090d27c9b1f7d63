// Mail through the JavaScript SDK: every operation and every documented error.
import assert from "node:assert/strict";
import { test } from "node:test";

import { AzureKeyCredential } from "@azure/core-auth";
import { EmailClient } from "@azure/communication-email";

import { captured, client, fates, message, operator, send, sender, someone } from "../support/mail.mjs";
import { limited, main, once } from "../support/sdk.mjs";
import { fails } from "../support/shows.mjs";

const FILE = { name: "a.txt", contentType: "text/plain", contentInBase64: "aGVsbG8=" };

test("beginSend and the operation", async () => {
  const to = someone();
  const result = await send(client(), message([to]));
  assert.equal(result.status, "Succeeded");
  assert.match(result.id, /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/);
  assert.equal(result.error, undefined);
  assert.deepEqual(await fates(result.id), { [to]: "Delivered" });
  const item = await captured(result.id);
  assert.equal(item.subject, "Hello ☃");
  assert.ok(item.from.includes(sender()));
});

test("a mail with all that it can have", async () => {
  const [to, cc, bcc] = [someone(), someone(), someone()];
  const mail = message([to], {
    recipients: {
      to: [{ address: to, displayName: "Ada Lovelace" }],
      cc: [{ address: cc, displayName: "Bücher & Co" }],
      bcc: [{ address: bcc }],
    },
    content: { subject: "all", plainText: "text", html: '<img src="cid:pixel">' },
    replyTo: [{ address: "help@example.com", displayName: "Help" }],
    headers: { "X-Order": "17" },
    attachments: [FILE, { name: "pixel.png", contentType: "image/png", contentInBase64: "iVBORw==", contentId: "pixel" }],
    disableUserEngagementTracking: true,
  });
  const result = await send(client(), mail);
  assert.deepEqual(await fates(result.id), { [to]: "Delivered", [cc]: "Delivered", [bcc]: "Delivered" });
  const { mail: kept } = await captured(result.id);
  const headers = Object.fromEntries(kept.headers.map(({ name, value }) => [name.toLowerCase(), value]));
  assert.ok(headers.to.includes("Ada Lovelace") && headers["reply-to"].includes("help@example.com"));
  assert.equal(headers["x-order"], "17");
  assert.ok(!kept.raw.includes(bcc));
  assert.deepEqual(kept.attachments.map((file) => file.name).sort(), ["a.txt", "pixel.png"]);
  assert.equal(kept.attachments.find((file) => file.name === "pixel.png").contentId, "pixel");
});

test("an operation id of the client's own sends once", async () => {
  const [email, operationId] = [client(), crypto.randomUUID()];
  const first = await send(email, message(), { operationId });
  const again = await send(email, message(), { operationId });
  assert.deepEqual([first.id, again.id], [operationId, operationId]);
  assert.equal(Object.keys(await fates(operationId)).length, 1);
});

test("a poller goes on from its state", async () => {
  const email = client();
  const poller = await email.beginSend(message(), { updateIntervalInMs: 100 });
  const resumed = await email.beginSend(message(), { resumeFrom: poller.toString(), updateIntervalInMs: 100 });
  const [one, other] = [await poller.pollUntilDone(), await resumed.pollUntilDone()];
  assert.equal(one.id, other.id);
});

test("a bounce, and the address is left alone", async () => {
  const [email, gone] = [client(), `bounce@${crypto.randomUUID()}.example`];
  const first = await send(email, message([gone]));
  assert.deepEqual(await fates(first.id), { [gone]: "Bounced" });
  await assert.rejects(send(email, message([gone])), /suppressed|Failed|failed/);
  const { value } = await operator("POST", "email/suppressions:explain", { address: gone });
  assert.equal(value[0].reason, "HardBounce");
  await operator("DELETE", `email/suppressions/${value[0].id}`);
  const again = await send(email, message([gone]));
  assert.deepEqual(await fates(again.id), { [gone]: "Bounced" });
});

const broken = {
  "recipients.to[0].displayName": () => message([], { recipients: { to: [{ address: someone(), displayName: null }] } }),
  "recipients.to[0].address": () => message([""]),
  "content.subject": () => message([someone()], { content: { subject: "", plainText: "t" } }),
  content: () => message([someone()], { content: { subject: "s", plainText: "" } }),
  "recipients.to": () => message([]),
  recipients: () => message(Array.from({ length: 51 }, someone)),
  "attachments[0].name": () => message([someone()], { attachments: [{ ...FILE, name: "run.exe" }] }),
  "attachments[1].contentId": () =>
    message([someone()], { attachments: [{ ...FILE, contentId: "a" }, { ...FILE, contentId: "a" }] }),
  headers: () => message([someone()], { headers: { Subject: "mine" } }),
};

for (const [path, mail] of Object.entries(broken)) {
  test(`a body that breaks a rule at ${path} is 400`, async () => {
    const failure = await fails(400, undefined, () => send(client(), mail()));
    assert.equal(failure.code, "BadRequest");
    assert.ok(failure.message.includes(`'${path}'`), failure.message);
    assert.equal(failure.response.headers.get("x-ms-error-code"), "BadRequest");
  });
}

test("what is not base64 is 400", async () => {
  const mail = message([someone()], { attachments: [{ ...FILE, contentInBase64: "!!!" }] });
  const failure = await fails(400, undefined, () => send(client(), mail));
  assert.ok(failure.message.includes("ContentBytes invalid. Should be base64."));
});

test("what is no address is 400", async () => {
  for (const bad of ["ada", "ada@", "a da@example.com"]) {
    const failure = await fails(400, undefined, () => send(client(), message([bad])));
    assert.ok(failure.message.includes("Invalid format for email address") && !failure.message.includes(`${bad} `));
  }
});

test("a domain that is not linked is 404, a sender that is not registered 400", async () => {
  const foreign = () => send(client(), message([someone()], { senderAddress: "donotreply@example.com" }));
  assert.equal((await fails(404, undefined, foreign)).code, "DomainNotLinked");
  const unknown = () => send(client(), message([someone()], { senderAddress: "info@alpha.chancery.test" }));
  assert.equal((await fails(400, undefined, unknown)).code, "InvalidSenderUserName");
});

test("a wrong key is 401", async () => {
  const wrong = new AzureKeyCredential(Buffer.alloc(64, 7).toString("base64"));
  const email = new EmailClient(main.resource().endpoint, wrong, once());
  await fails(401, "badKey", () => send(email, message()));
});

test("thirty mails a minute, then 429", async () => {
  const email = client("alpha", {}, limited);
  let done = 0;
  for (; done < 30; done += 1) await email.beginSend(message());
  const failure = await fails(429, "throttled", () => email.beginSend(message()));
  assert.equal(failure.code, "TooManyRequests");
});
