// Runs in the browser: the unmodified SDK, and a notebook of every event it raises.
import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";

const EVENTS = [
  "chatMessageReceived",
  "chatMessageEdited",
  "chatMessageDeleted",
  "typingIndicatorReceived",
  "readReceiptReceived",
  "chatThreadCreated",
  "chatThreadDeleted",
  "chatThreadPropertiesUpdated",
  "participantsAdded",
  "participantsRemoved",
];
const CONNECTION = ["realTimeNotificationConnected", "realTimeNotificationDisconnected"];

const clients = new Map();

function listen(client, notebook, names) {
  for (const name of names) {
    client.on(name, (event) => notebook.push({ name, event: JSON.parse(JSON.stringify(event ?? null)), at: Date.now() }));
  }
}

window.chat = {
  /** A client called `name`; `tokens` are given out one after the other, the last one again and again. */
  async create(name, endpoint, tokens, refreshProactively = false) {
    const left = [...tokens];
    const asked = [];
    const next = async () => {
      asked.push(Date.now());
      return left.length > 1 ? left.shift() : left[0];
    };
    const first = await next();
    const credential = new AzureCommunicationTokenCredential({ token: first, tokenRefresher: next, refreshProactively });
    const client = new ChatClient(endpoint, credential);
    const notebook = [];
    clients.set(name, { client, notebook, asked });
    listen(client, notebook, CONNECTION);
  },
  async start(name) {
    const { client, notebook } = clients.get(name);
    await client.startRealtimeNotifications();
    listen(client, notebook, EVENTS);
  },
  stop: (name) => clients.get(name).client.stopRealtimeNotifications(),
  listenAgain(name) {
    const { client, notebook } = clients.get(name);
    listen(client, notebook, CONNECTION);
  },
  events: (name) => clients.get(name).notebook,
  asked: (name) => clients.get(name).asked.length,
  forget(name) {
    clients.get(name).notebook.length = 0;
  },
};
