// Shows the development outbox. Everything it shows was written by somebody: it goes into the page as text alone, and HTML
// mail into a frame that has no script, no origin and may load nothing.
"use strict";

const POLL_MS = 2000;
const TALK = 20;
const ICONS = {
  mail: "M3 6.5A1.5 1.5 0 0 1 4.5 5h15A1.5 1.5 0 0 1 21 6.5v11a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 17.5zM3.5 7l8.5 6 8.5-6",
  text: "M4 5h16v11H10l-4 4v-4H4z",
};
const FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:";

let token = "";
let resource = "";
let kind = "";
let mark = null;
let items = [];
let chosen = null;
let seen = new Set();
let more = null;
const texts = new Map();
const replies = new Map();
const $ = (id) => document.getElementById(id);

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") node.className = value;
    else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function icon(what) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[what]);
  for (const [key, value] of [["viewBox", "0 0 24 24"], ["fill", "none"], ["stroke", "currentColor"], ["stroke-width", "1.7"], ["stroke-linejoin", "round"], ["aria-hidden", "true"]]) svg.setAttribute(key, value);
  svg.append(path);
  return svg;
}

async function ask(method, path, body) {
  const answer = await fetch(path, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body ? { "content-type": "application/json" } : {}) },
    body: body ? JSON.stringify(body) : undefined,
    cache: "no-store",
    credentials: "omit",
    referrerPolicy: "no-referrer",
  });
  if (answer.status === 401) {
    token = "";
    askForToken("The server does not know this token.");
    throw new Error("not known");
  }
  const read = await answer.json();
  if (!answer.ok) throw new Error(read.error?.message ?? `The server answered ${answer.status}.`);
  return read;
}

const outbox = (rest = "") => `/operator/resources/${encodeURIComponent(resource)}/outbox${rest}`;

function time(text) {
  const at = new Date(text);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" }) : at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
}

function size(bytes) {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1048576 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / 1048576).toFixed(1)} MB`;
}

function outcome(one) {
  const words = { accepted: "delivered", refused: "refused", later: "put off" };
  const taken = one.outcome === "accepted" && ["bounce", "fail-receipt", "lose-receipt"].includes(one.rule);
  const parts = [taken ? "taken" : (words[one.outcome] ?? one.outcome)];
  if (one.rule) parts.push(`rule: ${one.rule}`);
  if (one.attempts > 1) parts.push(`${one.attempts} attempts`);
  return parts.join(" · ");
}

function blank(title, ...lines) {
  $("detail").replaceChildren(make("div", { class: "blank" }, make("h2", {}, title), ...lines));
}

function askForToken(why) {
  const field = make("input", { type: "password", placeholder: "Operator's token", autocomplete: "off", "aria-label": "Operator's token" });
  const open = (event) => {
    event.preventDefault();
    token = field.value.trim();
    start();
  };
  $("list").replaceChildren();
  blank(
    "Who is there?",
    make("p", {}, why),
    make("p", {}, "Open the link that ", make("code", {}, "chancery dev"), " prints, or paste the token: it is in ", make("code", {}, "operator.token"), " of the data folder, and in the ready file. It stays in the memory of this page alone."),
    make("form", { onsubmit: open }, field, make("button", { class: "primary" }, "Open")),
  );
  field.focus();
}

function shown() {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  return items.filter((item) => {
    if (kind && item.kind !== kind) return false;
    const all = [item.from, item.subject ?? "", item.preview, ...item.to.map((one) => one.address)].join(" ").toLowerCase();
    return words.every((word) => all.includes(word));
  });
}

function drawList() {
  const rows = shown().map((item) => {
    const failed = item.to.filter((one) => one.outcome !== "accepted" || one.rule);
    return make(
      "div",
      { class: `row${chosen === item.id ? " chosen" : ""}${seen.has(item.id) ? "" : " new"}`, "data-id": item.id, onclick: () => choose(item.id) },
      make("span", { class: "icon", title: item.kind === "mail" ? "Mail" : "Text" }, icon(item.kind)),
      make("span", { class: "who" }, item.to.map((one) => one.address).join(", ")),
      make("time", { datetime: item.at }, time(item.at)),
      item.kind === "mail" ? make("span", { class: "subject" }, item.subject || "(no subject)") : null,
      make("span", { class: "preview" }, item.preview || "(nothing to read)"),
      failed.length ? make("span", { class: "chips" }, ...failed.slice(0, 3).map((one) => make("span", { class: `chip ${one.outcome}` }, outcome(one)))) : null,
    );
  });
  if (more) rows.push(make("div", { class: "row", onclick: older }, make("span"), make("span", { class: "who" }, "Older messages")));
  $("list").replaceChildren(...rows);
  if (!items.length) {
    blank("Nothing was sent yet", make("p", {}, "Mail and texts that your program sends to ", make("code", {}, resource), " are captured here instead of leaving. Nothing reaches anybody."), make("p", {}, "Send to ", make("code", {}, "bounce@example.org"), " or ", make("code", {}, "slow@example.org"), " to see your program meet failure."));
  } else if (!chosen) {
    blank("Choose a message", make("p", {}, `${items.length}${more ? "+" : ""} captured.`));
  }
}

async function look() {
  if (!token) return;
  try {
    const state = await ask("GET", outbox("/state"));
    $("live").className = "";
    $("live").textContent = `${state.count} captured`;
    if (state.mark === mark) return;
    const first = mark === null;
    const list = await ask("GET", outbox());
    mark = state.mark;
    items = list.value;
    more = list.nextLink ?? null;
    if (first) seen = new Set(items.map((item) => item.id));
    if (chosen && !items.some((item) => item.id === chosen)) chosen = null;
    drawList();
    const now = items.find((item) => item.id === chosen);
    if (now?.kind === "text") choose(now.id);
  } catch (fault) {
    $("live").className = "off";
    $("live").textContent = fault instanceof TypeError ? "the server does not answer" : "stopped";
  }
}

async function older() {
  const url = new URL(more);
  const list = await ask("GET", url.pathname + url.search);
  list.value.forEach((item) => seen.add(item.id));
  items.push(...list.value);
  more = list.nextLink ?? null;
  drawList();
}

async function choose(id) {
  chosen = id;
  seen.add(id);
  drawList();
  document.querySelector(".row.chosen")?.scrollIntoView({ block: "nearest" });
  try {
    const summary = items.find((item) => item.id === id);
    if (summary?.kind === "text") return await drawTalk(summary);
    const item = await ask("GET", outbox(`/${id}`));
    if (chosen === id) drawMail(item);
  } catch (fault) {
    if (token) blank("This cannot be shown", make("p", { class: "error" }, fault.message));
  }
}

function bytes(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

function frame(mail) {
  const images = new Map(mail.attachments.filter((one) => one.contentId && /^image\/[a-z0-9.+-]+$/i.test(one.contentType)).map((one) => [one.contentId, one]));
  const html = mail.html.replace(/cid:([^"'\s)>]+)/gi, (whole, id) => {
    const image = images.get(id) ?? images.get(decodeSafely(id));
    return image ? `data:${image.contentType};base64,${image.content}` : whole;
  });
  const view = make("iframe", { sandbox: "", title: "The mail as it is rendered", referrerpolicy: "no-referrer" });
  view.srcdoc = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${FRAME_POLICY}">${html}`;
  return view;
}

function decodeSafely(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function links(mail) {
  const found = new Map();
  if (mail.html) {
    const inert = new DOMParser().parseFromString(mail.html, "text/html");
    for (const one of inert.querySelectorAll("a[href]")) found.set(one.getAttribute("href"), one.textContent.trim());
  }
  for (const url of (mail.text ?? "").match(/https?:\/\/[^\s<>"]+/g) ?? []) if (!found.has(url)) found.set(url, "");
  return [...found].filter(([url]) => /^https?:\/\//i.test(url));
}

function remote(mail) {
  return /(?:src|background|href)\s*=\s*["']?\s*(?:https?:)?\/\/|url\(\s*["']?(?:https?:)?\/\//i.test((mail.html ?? "").replace(/<a\s[^>]*>/gi, ""));
}

function drawMail(item) {
  const mail = item.mail;
  const field = (name) => mail.headers.find((one) => one.name.toLowerCase() === name)?.value;
  const facts = make("dl", { class: "facts" });
  const fact = (name, ...content) => facts.append(make("dt", {}, name), make("dd", {}, ...content));
  fact("From", item.from);
  for (const name of ["To", "Cc", "Reply-To"]) if (field(name.toLowerCase())) fact(name, field(name.toLowerCase()));
  fact("Went to", ...item.to.map((one) => make("span", { class: `chip ${one.outcome}`, title: outcome(one) }, `${one.address} · ${outcome(one)}`)));
  fact("When", `${new Date(item.at).toLocaleString()} · ${size(item.size)} · operation ${item.messageId}`);
  const found = links(mail);
  const tabs = [];
  if (mail.html) tabs.push(["HTML", () => [remote(mail) ? make("div", { class: "note" }, "This mail names things elsewhere. They are not loaded here.") : null, frame(mail)]]);
  if (mail.text) tabs.push(["Text", () => [make("pre", {}, mail.text)]]);
  if (found.length) tabs.push([`Links (${found.length})`, () => [make("ul", { class: "links" }, ...found.map(([url, text]) => make("li", {}, make("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, text || url), make("small", {}, url))))]]);
  tabs.push(["Headers", () => [make("table", {}, make("tbody", {}, ...mail.headers.map((one) => make("tr", {}, make("th", {}, one.name), make("td", {}, one.value)))))]]);
  tabs.push(["Source", () => [make("pre", {}, new TextDecoder().decode(bytes(mail.raw).slice(0, 262144)))]]);
  const body = make("div", { class: "body" });
  const buttons = tabs.map(([name, draw], at) =>
    make("button", { type: "button", role: "tab", onclick: () => show(at) }, name),
  );
  function show(at) {
    buttons.forEach((button, index) => button.setAttribute("aria-selected", String(index === at)));
    body.replaceChildren(...tabs[at][1]().filter(Boolean));
  }
  const files = mail.attachments.map((one) =>
    make("a", { class: "file", href: "#", title: one.contentType, onclick: (event) => { event.preventDefault(); save(one.name, "application/octet-stream", bytes(one.content)); } }, one.name, make("small", {}, size(one.size))),
  );
  const actions = make("span", { class: "actions" },
    make("button", { type: "button", onclick: () => save(`${item.id}.eml`, "message/rfc822", bytes(mail.raw)) }, "Save .eml"),
    make("button", { type: "button", class: "danger", onclick: () => remove(item.id) }, "Delete"),
  );
  $("detail").replaceChildren(
    make("div", { class: "head" }, make("h2", {}, item.subject || "(no subject)"), facts),
    ...(files.length ? [make("div", { class: "files" }, ...files)] : []),
    make("div", { class: "tabs", role: "tablist" }, ...buttons, actions),
    body,
  );
  show(0);
}

async function drawTalk(summary) {
  const [from, to] = [summary.from, summary.to[0]?.address ?? ""];
  const talk = items.filter((item) => item.kind === "text" && item.from === from && item.to[0]?.address === to).slice(0, TALK).reverse();
  for (const one of talk) if (!texts.has(one.id)) texts.set(one.id, (await ask("GET", outbox(`/${one.id}`))).text);
  if (chosen !== summary.id) return;
  const talked = `${from} ${to}`;
  const lines = talk.map((one) => ({ at: one.at, one }));
  lines.push(...(replies.get(talked) ?? []));
  lines.sort((a, b) => (a.at < b.at ? -1 : 1));
  const thread = make("div", { class: "thread" });
  let last = "";
  for (const { at, one, reply } of lines) {
    const minute = at.slice(0, 16);
    if (minute !== last) thread.append(make("div", { class: "when" }, time(at)));
    last = minute;
    if (reply) {
      thread.append(make("div", { class: "bubble out" }, reply), make("div", { class: "meta out" }, "handed in as from this handset"));
      continue;
    }
    const { text, segments, encoding } = texts.get(one.id);
    const sort = encoding === "gsm7" ? "GSM-7" : "UCS-2";
    thread.append(
      make("div", { class: `bubble in${one.id === summary.id ? " chosen" : ""}` }, text),
      make("div", { class: "meta" }, `${segments} segment${segments === 1 ? "" : "s"}, ${sort}`, ...one.to.map((to) => make("span", { class: `chip ${to.outcome}` }, outcome(to)))),
    );
  }
  const field = make("textarea", { placeholder: "Answer as this handset, e.g. STOP", "aria-label": "Answer" });
  const send = async (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (!text) return;
    // Before it is sent, so that what answers it stands below it.
    const at = new Date().toISOString();
    try {
      await ask("POST", outbox("/receive"), { from: to, to: from, text });
      replies.set(talked, [...(replies.get(talked) ?? []), { at, reply: text }]);
      drawTalk(summary);
    } catch (fault) {
      thread.append(make("div", { class: "meta out error" }, fault.message));
    }
  };
  field.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey) send(event); });
  const phone = make("div", { class: "phone" },
    make("div", { class: "top" }, make("strong", {}, from), make("span", {}, `on the handset ${to}`)),
    thread,
    make("form", { class: "reply", onsubmit: send }, field, make("button", { class: "primary" }, "Send")),
  );
  $("detail").replaceChildren(phone);
  thread.scrollTop = thread.scrollHeight;
}

async function remove(id) {
  await ask("DELETE", outbox(`/${id}`));
  chosen = null;
  look();
}

async function rules() {
  const known = await ask("GET", outbox("/rules"));
  const dialog = make("dialog");
  const table = (list, own) => list.map((rule, at) =>
    make("tr", {}, make("td", {}, rule.match), make("td", {}, make("span", { class: "chip" }, rule.action)),
      make("td", {}, rule.action === "slow" ? `${rule.seconds} s` : rule.action === "throttle" ? `${rule.times} time${rule.times === 1 ? "" : "s"}` : rule.code ?? ""),
      make("td", {}, own ? make("button", { type: "button", onclick: () => put(list.filter((_, index) => index !== at)) }, "Remove") : "built in")));
  async function put(list) {
    try {
      await ask("PUT", outbox("/rules"), { rules: list });
      dialog.remove();
      rules();
    } catch (fault) {
      wrong.textContent = fault.message;
    }
  }
  const pattern = make("input", { placeholder: "Address or number, * for anything", "aria-label": "Address or number" });
  const action = make("select", { "aria-label": "What happens" }, ...["bounce", "refuse", "slow", "throttle", "lose-receipt", "fail-receipt"].map((name) => make("option", {}, name)));
  const wrong = make("p", { class: "error" });
  dialog.append(
    make("h2", {}, "Failure rules"),
    make("p", {}, "The first rule that fits an address decides. Built-in ones stand behind yours, so bounce@ anywhere always bounces."),
    make("form", { class: "add", onsubmit: (event) => { event.preventDefault(); put([...known.rules, { match: pattern.value, action: action.value }]); } }, pattern, action, make("button", { class: "primary" }, "Add")),
    wrong,
    make("div", { class: "scroll" }, make("table", {}, make("thead", {}, make("tr", {}, ...["Address or number", "What happens", "", ""].map((name) => make("th", {}, name)))), make("tbody", {}, ...table(known.rules, true), ...table(known.builtIn, false)))),
    make("div", { class: "end" }, make("button", { type: "button", onclick: () => dialog.close() }, "Close")),
  );
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

async function start() {
  if (!token) return askForToken("This page shows mail and texts, so it asks for the operator's token.");
  try {
    const { value } = await ask("GET", "/operator/resources");
    const menu = $("resource");
    menu.replaceChildren(...value.map((one) => make("option", { value: one.name }, `${one.name} · ${one.geography}`)));
    menu.hidden = value.length < 2;
    resource = value[0]?.name ?? "";
    await look();
  } catch (fault) {
    if (token) blank("The server does not answer", make("p", { class: "error" }, fault.message));
  }
}

$("resource").addEventListener("change", (event) => {
  resource = event.target.value;
  [mark, chosen] = [null, null];
  look();
});
$("search").addEventListener("input", drawList);
$("rules").addEventListener("click", rules);
$("clear").addEventListener("click", async () => {
  if (!items.length || !confirm(`Delete everything in the outbox of ${resource}?`)) return;
  await ask("DELETE", outbox());
  [chosen, mark] = [null, null];
  look();
});
document.querySelectorAll("[data-kind]").forEach((button) => button.addEventListener("click", () => {
  kind = button.dataset.kind;
  document.querySelectorAll("[data-kind]").forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
  drawList();
}));
$("list").addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const all = shown();
  const next = all[all.findIndex((item) => item.id === chosen) + step];
  if (next) choose(next.id);
});

// Out of the address at once, so that neither history nor a shared screen keeps it.
token = new URLSearchParams(location.hash.slice(1)).get("token") ?? "";
history.replaceState(null, "", location.pathname);
start();
setInterval(look, POLL_MS);
