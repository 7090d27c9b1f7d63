// Reads events with the official SDK. In: lines of JSON {schema, body}; out: one line each, what the SDK made of it.
import { createInterface } from "node:readline";
import { EventGridDeserializer, isSystemEvent } from "@azure/eventgrid";

const reader = new EventGridDeserializer();
for await (const line of createInterface({ input: process.stdin })) {
  const { schema, body } = JSON.parse(line);
  const events =
    schema === "cloud" ? await reader.deserializeCloudEvents(body) : await reader.deserializeEventGridEvents(body);
  const [event] = events;
  const type = event.eventType ?? event.type;
  const time = event.eventTime ?? event.time;
  console.log(
    JSON.stringify({
      count: events.length,
      type,
      known: isSystemEvent(type, event),
      dated: time instanceof Date && !Number.isNaN(time.getTime()),
      data: event.data,
    }),
  );
}
