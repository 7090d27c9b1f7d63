// Mail for the tests: clients of the email SDK, messages, and a look into the development outbox by its operator.
import https from "node:https";

import { EmailClient } from "@azure/communication-email";

import { main, once } from "./sdk.mjs";

export const sender = (name = "alpha") => `donotreply@${name}.chancery.test`;

/** Somebody nobody wrote to before. */
export const someone = () => `${crypto.randomUUID()}@example.com`;

/** A mail to these addresses. */
export function message(to = [someone()], more = {}) {
  return {
    senderAddress: sender(),
    content: { subject: "Hello ☃", plainText: "a text", html: "<p>a <b>text</b></p>" },
    recipients: { to: to.map((address) => ({ address })) },
    ...more,
  };
}

export function client(name = "alpha", options = {}, world = main) {
  return new EmailClient(world.resource(name).connectionString, once(options));
}

/** Sends, and waits until the operation has ended. */
export async function send(email, mail, options = {}) {
  const poller = await email.beginSend(mail, { updateIntervalInMs: 100, ...options });
  return poller.pollUntilDone();
}

/** A call of whoever runs the server. */
export function operator(method, path, value, name = "alpha", world = main) {
  const url = new URL(`/operator/resources/${name}/${path}`, world.resource(name).endpoint);
  const body = value === undefined ? undefined : JSON.stringify(value);
  const headers = { authorization: `Bearer ${world.ready.adminToken}` };
  if (body) Object.assign(headers, { "content-type": "application/json", "content-length": Buffer.byteLength(body) });
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method, headers }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part) => (text += part));
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text ? JSON.parse(text) : undefined);
        else reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
      });
    });
    request.on("error", reject).end(body);
  });
}

/** What became of each recipient, by address. */
export async function fates(id, name = "alpha") {
  const told = await operator("GET", `email/messages/${id}`, undefined, name);
  return Object.fromEntries(told.recipients.map((one) => [one.address, one.status]));
}

/** What the development outbox holds of a mail. */
export async function captured(id, name = "alpha") {
  for (let tries = 0; tries < 100; tries += 1) {
    const { value } = await operator("GET", "outbox?maxPageSize=200", undefined, name);
    const item = value.find((one) => one.messageId === id);
    if (item) return operator("GET", `outbox/${item.id}`, undefined, name);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${id} is not in the outbox`);
}
