// A server to test against: `chancery dev` in a folder of its own, or the one that CHANCERY_CONNECTION_STRING names.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer } from "node:net";

import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";

// The server's certificate is its own authority's; the SDK has no say in whom Node trusts.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
process.removeAllListeners("warning");

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts a server; `stop` ends it as an operator would, `kill` as a power cut would, `start` starts it again. */
export async function openServer() {
  const folder = mkdtempSync(join(tmpdir(), "chancery-browser-"));
  const port = await freePort();
  const ready = join(folder, "ready.json");
  let child;
  const start = async () => {
    rmSync(ready, { force: true });
    const args = ["dev", "--port", String(port), "--data", join(folder, "data"), "--ready-file", ready];
    child = spawn(process.env.CHANCERY_BIN, args, { stdio: ["ignore", "ignore", "inherit"] });
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.ended = ended;
    for (let tries = 0; ; tries += 1) {
      try {
        const told = JSON.parse(readFileSync(ready, "utf8"));
        // The first resource answers at localhost too, a name that is known everywhere.
        const [{ endpoint, connectionString }] = told.resources;
        return { ...told, connectionString: connectionString.replace(endpoint, told.endpoint) };
      } catch {
        if (tries > 200 || child.exitCode !== null) throw new Error("the server did not start");
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  };
  const told = await start();
  const end = async (signal) => {
    child.kill(signal);
    await child.ended;
  };
  return {
    told,
    start,
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    async close() {
      await end("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** People of a resource, and what they do by the ordinary API. */
export function people(connectionString) {
  const identities = new CommunicationIdentityClient(connectionString);
  const endpoint = /endpoint=([^;]+?)\/?;/i.exec(connectionString)[1];
  return {
    endpoint,
    identities,
    async person(displayName) {
      const user = await identities.createUser();
      const { token } = await identities.getToken(user, ["chat"]);
      const chat = new ChatClient(endpoint, new AzureCommunicationTokenCredential(token));
      return { user, token, chat, displayName, id: user.communicationUserId };
    },
  };
}
