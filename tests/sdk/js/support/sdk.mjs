// The official JavaScript SDKs against the servers that with_servers.py started. Nothing of the SDKs is patched.
import "./names.mjs";

import { readFileSync } from "node:fs";
import https from "node:https";

import { ChatClient, ChatThreadClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";

const told = process.env.CHANCERY_TEST_SERVERS;
if (!told) throw new Error("run this suite by tests/sdk/run: it needs servers (CHANCERY_TEST_SERVERS)");
const servers = JSON.parse(readFileSync(told, "utf8"));

let addresses = 0;

/**
 * Options of a client: no retries, so that the first answer is the one that is judged; and a loopback address of its
 * own, for after 20 failed sign-ins in a minute an address gets 429 in place of 401.
 */
export function once(options = {}) {
  addresses += 1;
  const localAddress = `127.${64 + (process.pid % 128)}.${addresses >> 8}.${(addresses & 255) || 1}`;
  const agent = new https.Agent({ keepAlive: true, localAddress });
  return { retryOptions: { maxRetries: 0 }, agent, ...options };
}

/** One running server as its ready file describes it. */
export class World {
  constructor(ready) {
    this.ready = ready;
  }

  resource(name = "alpha") {
    return this.ready.resources.find((resource) => resource.name === name);
  }

  /** The access key within a connection string. */
  key(name = "alpha") {
    return this.resource(name).connectionString.split(";accesskey=")[1];
  }

  identity(name = "alpha", options = {}) {
    return new CommunicationIdentityClient(this.resource(name).connectionString, once(options));
  }

  chat(token, name = "alpha", options = {}) {
    const credential = new AzureCommunicationTokenCredential(token);
    return new ChatClient(this.resource(name).endpoint, credential, once(options));
  }

  thread(token, threadId, name = "alpha", options = {}) {
    const credential = new AzureCommunicationTokenCredential(token);
    return new ChatThreadClient(this.resource(name).endpoint, threadId, credential, once(options));
  }

  /** A new user with a token of these scopes (`chat` if none is named). */
  async user(...scopes) {
    return this.userOf("alpha", ...scopes);
  }

  async userOf(name, ...scopes) {
    const made = await this.identity(name).createUserAndToken(scopes.length ? scopes : ["chat"]);
    return new User(this, name, made.user.communicationUserId, made.token);
  }

  /** The same user with another token. */
  async withScopes(user, ...scopes) {
    const issued = await this.identity(user.home).getToken(user.identifier, scopes);
    return new User(this, user.home, user.id, issued.token);
  }

  /** A new thread of `owner` with these others; gives its id. */
  async makeThread(owner, ...others) {
    const made = await owner.chat.createChatThread({ topic: "a topic" }, { participants: others.map((o) => o.as()) });
    return made.chatThread.id;
  }
}

/** A communication user with one token, and the clients that use it. */
export class User {
  #chat;

  constructor(world, home, id, token) {
    // All clients of a user call from one address, over one set of connections.
    Object.assign(this, { world, home, id, token, agent: once().agent });
  }

  get identifier() {
    return { communicationUserId: this.id };
  }

  get chat() {
    return (this.#chat ??= this.world.chat(this.token, this.home, { agent: this.agent }));
  }

  thread(threadId) {
    return this.world.thread(this.token, threadId, this.home, { agent: this.agent });
  }

  /** This user as a participant to create a thread with or to add. */
  as(more = {}) {
    return { id: this.identifier, ...more };
  }
}

export const main = new World(servers.main);
export const limited = new World(servers.limited);
export const aged = { world: new World(servers.aged.ready), ...servers.aged };

/** All items of a pager. */
export async function items(pager) {
  const all = [];
  for await (const item of pager) all.push(item);
  return all;
}

/** All pages of a pager; `between` is awaited after each. */
export async function pages(pager, between = async () => {}) {
  const all = [];
  for await (const page of pager.byPage()) {
    all.push(page);
    await between();
  }
  return all;
}
