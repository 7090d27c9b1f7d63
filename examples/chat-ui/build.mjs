// The page as one script.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const HTML = `<!doctype html>
<meta charset="utf-8">
<title>Chancery</title>
<style>
  html, body, #chat { height: 100%; margin: 0; }
  .note { font: 1rem/1.5 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; padding: 0 1rem; }
</style>
<div id="chat"></div>
<script type="module" src="/page.js"></script>
`;

/** What is served, by path: content type and content. */
export async function pages() {
  const bundled = await build({
    entryPoints: [fileURLToPath(new URL("page.jsx", import.meta.url))],
    bundle: true,
    minify: true,
    format: "esm",
    platform: "browser",
    jsx: "automatic",
    write: false,
    define: { global: "globalThis", "process.env.NODE_ENV": '"production"' },
    loader: { ".svg": "dataurl", ".woff2": "dataurl" },
    logLevel: "error",
  });
  return new Map([
    ["/", ["text/html; charset=utf-8", HTML]],
    ["/page.js", ["text/javascript; charset=utf-8", bundled.outputFiles[0].contents]],
  ]);
}

/** Answers with the pages, at whatever port `server` listens. */
export function handler(served) {
  return (request, response) => {
    const found = served.get(new URL(request.url, "http://localhost").pathname);
    if (!found) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": found[0], "cache-control": "no-store" }).end(found[1]);
  };
}
