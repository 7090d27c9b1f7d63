// A headless Chromium, and a page in it with the SDK.
import { createServer } from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium } from "playwright-core";

export const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Serves one page with the SDK in it, and starts a browser that trusts the server under test. */
export async function openBrowser({ page = "page.js" } = {}) {
  const bundled = await build({
    entryPoints: [fileURLToPath(new URL(page, import.meta.url))],
    bundle: true,
    format: "iife",
    platform: "browser",
    write: false,
    define: { global: "globalThis", "process.env.NODE_ENV": '"production"' },
    logLevel: "error",
  });
  const script = bundled.outputFiles[0].contents;
  const server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.setHeader("content-type", isScript ? "text/javascript" : "text/html");
    response.end(isScript ? script : '<!doctype html><meta charset="utf-8"><script src="/page.js"></script>');
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const browser = await chromium.launch({
    executablePath: process.env.CHANCERY_CHROMIUM ?? "/usr/bin/chromium",
    args: FLAGS,
  });
  const url = `http://127.0.0.1:${server.address().port}/`;
  return {
    browser,
    /** A page of a context of its own, or of `context`. */
    async page(context) {
      const own = context ?? (await browser.newContext({ ignoreHTTPSErrors: true }));
      const opened = await own.newPage();
      opened.on("pageerror", (fault) => console.error("in the page:", fault.message));
      await opened.goto(url);
      return opened;
    },
    async close() {
      await browser.close();
      server.close();
    },
  };
}

/** A client in `page`, driven from here. */
export function clientIn(page, name) {
  const call = (method, ...rest) =>
    page.evaluate(([method, name, rest]) => window.chat[method](name, ...rest), [method, name, rest]);
  const client = {
    create: (endpoint, tokens, early) => call("create", endpoint, tokens, early),
    start: () => call("start"),
    stop: () => call("stop"),
    listenAgain: () => call("listenAgain"),
    events: () => call("events"),
    forget: () => call("forget"),
    asked: () => call("asked"),
    /** Waits until `count` events of a kind (and that fit) were raised, and gives them. */
    async wait(kind, count = 1, fits = () => true, seconds = 15) {
      const end = Date.now() + seconds * 1000;
      for (;;) {
        const found = (await client.events()).filter((one) => one.name === kind && fits(one.event));
        if (found.length >= count) return found.map((one) => one.event);
        if (Date.now() > end) {
          const seen = (await client.events()).map((one) => one.name);
          throw new Error(`${name}: ${found.length} of ${count} ${kind} in ${seconds} s; raised: ${seen.join(", ")}`);
        }
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
  };
  return client;
}
