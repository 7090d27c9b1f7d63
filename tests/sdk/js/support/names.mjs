// Resolves `*.localhost` to the loopback address, as RFC 6761 asks and as many resolvers do not.
import dns from "node:dns";

const ask = dns.lookup;

dns.lookup = function lookup(host, options, callback) {
  const isLocal = host === "localhost" || String(host).endsWith(".localhost");
  return ask.call(dns, isLocal ? "127.0.0.1" : host, options, callback);
};
