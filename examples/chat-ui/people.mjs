// Two people and a thread that both are in.
import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";

/** The people, each with all that a window needs to know, and the thread's first participant's client. */
export async function meet(connectionString, names) {
  const endpoint = /endpoint=([^;]+?)\/?;/i.exec(connectionString)?.[1];
  if (!endpoint) throw new Error("a connection string looks like endpoint=https://localhost:8443/;accesskey=...");
  const identities = new CommunicationIdentityClient(connectionString);
  const people = [];
  for (const displayName of names) {
    const { user, token } = await identities.createUserAndToken(["chat"]);
    people.push({ endpoint, token, userId: user.communicationUserId, displayName });
  }
  const [first] = people;
  const chat = new ChatClient(endpoint, new AzureCommunicationTokenCredential(first.token));
  const participants = people.map(({ userId, displayName }) => ({ id: { communicationUserId: userId }, displayName }));
  const { chatThread } = await chat.createChatThread({ topic: "First light" }, { participants });
  return { chat, people: people.map((person) => ({ ...person, threadId: chatThread.id })) };
}

/** The address of a person's window. */
export const link = (page, person) => `${page}#${encodeURIComponent(JSON.stringify(person))}`;
