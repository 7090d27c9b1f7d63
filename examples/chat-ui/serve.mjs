// npm start -- "<connection string>"   serves the page, and prints one link for each of two people.
import { createServer } from "node:http";

import { handler, pages } from "./build.mjs";
import { link, meet } from "./people.mjs";

const connectionString = process.argv[2] ?? process.env.CHANCERY_CONNECTION_STRING;
if (!connectionString) {
  console.error('Start a server (`chancery dev`), and name it: npm start -- "endpoint=https://localhost:8443/;accesskey=..."');
  process.exit(2);
}
try {
  const { people } = await meet(connectionString, ["Ada", "Bob"]);
  const server = createServer(handler(await pages()));
  server.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", () => {
    const page = `http://localhost:${server.address().port}/`;
    console.log("Open one link in one window, the other in another:\n");
    for (const person of people) console.log(`  ${person.displayName}: ${link(page, person)}\n`);
    console.log("Ctrl+C ends it.");
  });
} catch (fault) {
  console.error(`It could not begin: ${fault.message}`);
  if (/certificate|self.signed/i.test(`${fault.message} ${fault.cause?.message}`)) {
    console.error("Node does not trust the server: set NODE_EXTRA_CA_CERTS to the CA file that `chancery dev` prints.");
  }
  process.exit(1);
}
