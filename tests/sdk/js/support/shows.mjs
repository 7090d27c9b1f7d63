// What every error must show through the SDK.
import assert from "node:assert/strict";

import { CODES } from "./expected.mjs";

const RETRYABLE = [429, 503];

/** `call` must fail with this status (or one of these); gives the SDK's error, its answer checked. */
export async function fails(status, kind, call) {
  let failure;
  try {
    await call();
  } catch (raised) {
    failure = raised;
  }
  assert.ok(failure, `expected ${status}, and it succeeded`);
  assert.equal(failure.name, "RestError", failure.stack);
  assert.ok([status].flat().includes(failure.statusCode), `${failure.statusCode} is not ${status}: ${failure.message}`);
  const { headers, bodyAsText } = failure.response;
  const body = JSON.parse(bodyAsText);
  assert.deepEqual(Object.keys(body), ["error"]);
  assert.ok(typeof body.error.code === "string" && body.error.code, bodyAsText);
  assert.ok(typeof body.error.message === "string" && body.error.message, bodyAsText);
  // The SDK itself must have understood the envelope.
  assert.equal(failure.code, body.error.code);
  if (kind) assert.ok(CODES[kind].includes(failure.code), `${failure.code} for ${kind}`);
  assert.match(headers.get("x-ms-request-id"), /^[0-9a-fA-F-]{32,36}$/);
  assert.ok(headers.get("MS-CV"));
  assert.match(headers.get("content-type"), /^application\/json/);
  assert.equal(headers.get("x-ms-client-request-id"), failure.request.headers.get("x-ms-client-request-id"));
  if (RETRYABLE.includes(failure.statusCode)) {
    const wait = Number(headers.get("retry-after"));
    assert.ok(wait >= 1 && wait <= 60, `retry-after ${wait}`);
  } else {
    for (const name of ["retry-after", "retry-after-ms", "x-ms-retry-after-ms"]) {
      assert.equal(headers.get(name), undefined, `${name} on the permanent error ${failure.statusCode}`);
    }
  }
  return failure;
}

/** All of an error answer that a caller can compare. */
export function likeness(failure) {
  const { error } = JSON.parse(failure.response.bodyAsText);
  const names = [...failure.response.headers].map(([name]) => name.toLowerCase()).sort();
  return { status: failure.statusCode, error, names };
}

/** Newest first; ids and sequence numbers fall together; no number twice; times do not run back. */
export function checkOrder(messages) {
  for (let n = 1; n < messages.length; n += 1) {
    const [newer, older] = [messages[n - 1], messages[n]];
    assert.ok(Number(newer.sequenceId) > Number(older.sequenceId), `${newer.sequenceId} before ${older.sequenceId}`);
    assert.ok(BigInt(newer.id) > BigInt(older.id), `${newer.id} before ${older.id}`);
    assert.ok(newer.createdOn >= older.createdOn);
  }
}

/** A message nobody has touched since it was sent. */
export function checkFresh(message) {
  assert.match(message.id, /^\d+$/);
  assert.equal(message.version, message.id);
  assert.ok(Math.abs(message.createdOn.getTime() - Number(message.id)) < 5000);
  assert.ok(Math.abs(message.createdOn.getTime() - Date.now()) < 60_000);
  assert.equal(message.editedOn, undefined);
  assert.equal(message.deletedOn, undefined);
}

/** What users wrote, in the order given; tombstones and system messages left out. */
export function texts(messages) {
  return messages
    .filter((message) => ["text", "html"].includes(message.type) && message.content !== undefined)
    .map((message) => message.content.message);
}

/** Sends messages until the server's clock is this far past a message; gives their ids. Needs no sleep. */
export async function untilAfter(thread, messageId, milliseconds) {
  const sent = [];
  do {
    sent.push((await thread.sendMessage({ content: "time passes" })).id);
  } while (Number(sent.at(-1)) < Number(messageId) + milliseconds);
  return sent;
}
