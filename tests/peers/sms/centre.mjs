// An SMS centre by node-smpp, an SMPP stack that shares nothing with ours. It takes texts, throttles, hangs up in the middle
// of a window, and brings receipts early, late, twice and for ids nobody knows; it remembers what it got.
//
//   node centre.mjs READY_FILE
//
// READY_FILE gets {"smpp": port, "control": port}. It ends when its standard input does. Control, all JSON:
//   GET  /state                       what came and what was answered
//   POST /behaviour {...}             see `behaviour` below; what is not named stays
//   POST /deliver {from, to, text}    a text from a handset; cut into parts when it is long
//   POST /drop                        hangs up on everyone
//   POST /reset                       forgets what came; behaviour as at the start

import fs from 'node:fs';
import http from 'node:http';
import smpp from 'smpp';

const calm = () => ({
  answer: true, // false: submissions are never answered
  status: 0, // another command status refuses every submission
  throttleEvery: 0, // every so many submissions one is throttled
  dropEvery: 0, // after every so many submissions the connection is dropped, the last one unanswered
  dropsLeft: -1, // how often; -1 for always
  receipts: 'late', // none, early (before the answer), late (after it), twice, unknown (and a right one)
  receiptDelay: 5, // milliseconds, for late ones
  stat: 'DELIVRD',
  err: '000',
});

let behaviour = calm();
let submissions = [];
let counts = {};
let binds = [];
const sessions = new Set();
let numbers = 0;
let reference = 0;

function reset() {
  behaviour = calm();
  submissions = [];
  binds = [];
  counts = { submissions: 0, taken: 0, throttled: 0, dropped: 0, receipts: 0, delivered: 0, acknowledged: 0, refused: 0 };
}
reset();

function receiver() {
  return [...sessions].find((session) => session.receives && !session.closed) ?? null;
}

// Brings a PDU until it is taken; `done` hears the command status it was answered with.
function bring(fields, kind, done = () => {}) {
  const session = receiver();
  if (!session) {
    setTimeout(() => bring(fields, kind, done), 100);
    return;
  }
  counts[kind] += 1;
  let answered = false;
  session.deliver_sm(fields, (response) => {
    answered = true;
    if (response.command_status === 0) {
      counts.acknowledged += 1;
      done(0);
    } else {
      counts.refused += 1;
      setTimeout(() => bring(fields, kind, done), 200);
    }
  });
  // What was not answered before the connection ended is brought again, as a centre that keeps its word does.
  session.once('close', () => answered || bring(fields, kind, done));
}

function receipt(id, submit) {
  const at = '2601021504';
  return {
    esm_class: 0x04,
    source_addr: submit.destination_addr,
    source_addr_ton: 1,
    destination_addr: submit.source_addr,
    dest_addr_ton: 1,
    short_message:
      `id:${id} sub:001 dlvrd:001 submit date:${at} done date:${at} stat:${behaviour.stat} err:${behaviour.err} text:`,
  };
}

function textOf(pdu) {
  const message = pdu.short_message?.message ?? '';
  return Buffer.isBuffer(message) ? message.toString('hex') : message;
}

function submitted(session, pdu) {
  counts.submissions += 1;
  const due = (every) => every > 0 && counts.submissions % every === 0;
  const refuse = (status) => session.send(pdu.response({ command_status: status }));
  if (behaviour.status !== 0) return refuse(behaviour.status);
  if (due(behaviour.throttleEvery)) {
    counts.throttled += 1;
    return refuse(smpp.ESME_RTHROTTLED);
  }
  numbers += 1;
  const id = `m-${numbers}`;
  const drop = due(behaviour.dropEvery) && behaviour.dropsLeft !== 0;
  const answered = behaviour.answer && !drop;
  counts.taken += 1;
  const udh = (pdu.short_message?.udh ?? []).map((element) => [...element]);
  submissions.push({ id, answered, from: pdu.source_addr, to: pdu.destination_addr, text: textOf(pdu), udh, coding: pdu.data_coding });
  if (drop) {
    behaviour.dropsLeft -= behaviour.dropsLeft > 0 ? 1 : 0;
    counts.dropped += 1;
    return session.destroy();
  }
  if (!behaviour.answer) return undefined;
  const wanted = (pdu.registered_delivery & 1) === 1 && behaviour.receipts !== 'none';
  if (wanted && behaviour.receipts === 'early') bring(receipt(id, pdu), 'receipts');
  session.send(pdu.response({ message_id: id }));
  if (!wanted || behaviour.receipts === 'early') return undefined;
  const times = behaviour.receipts === 'twice' ? 2 : 1;
  setTimeout(() => {
    if (behaviour.receipts === 'unknown') bring(receipt(`nobody-${numbers}`, pdu), 'receipts');
    for (let time = 0; time < times; time += 1) bring(receipt(id, pdu), 'receipts');
  }, behaviour.receiptDelay);
  return undefined;
}

const centre = smpp.createServer({}, (session) => {
  sessions.add(session);
  session.on('close', () => {
    session.closed = true;
    sessions.delete(session);
  });
  session.on('error', () => session.destroy());
  const bind = (receives) => (pdu) => {
    binds.push({ system_id: pdu.system_id, version: pdu.interface_version, kind: pdu.command });
    if (pdu.password !== 'secret') {
      session.send(pdu.response({ command_status: smpp.ESME_RINVPASWD }));
      return session.close();
    }
    session.receives = receives;
    return session.send(pdu.response());
  };
  session.on('bind_transceiver', bind(true));
  session.on('bind_receiver', bind(true));
  session.on('bind_transmitter', bind(false));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => {
    session.send(pdu.response());
    session.close();
  });
  session.on('submit_sm', (pdu) => submitted(session, pdu));
});

// A text as a handset sends it: in UCS-2, in parts of 67 characters when it is longer than 70.
function deliver({ from, to, text }) {
  const base = { source_addr: from, source_addr_ton: 1, destination_addr: to, dest_addr_ton: 1, data_coding: 8 };
  const utf16 = Buffer.from(text, 'utf16le').swap16();
  if (utf16.length <= 140) {
    bring({ ...base, short_message: utf16 }, 'delivered');
    return 1;
  }
  reference = (reference + 1) % 256;
  const total = Math.ceil(utf16.length / 134);
  const parts = Array.from({ length: total }, (_, at) => at);
  // The last part first: networks promise no order.
  for (const at of parts.reverse()) {
    const udh = Buffer.from([5, 0, 3, reference, total, at + 1]);
    const body = utf16.subarray(at * 134, (at + 1) * 134);
    bring({ ...base, esm_class: 0x40, short_message: Buffer.concat([udh, body]) }, 'delivered');
  }
  return total;
}

const control = http.createServer(async (request, response) => {
  let body = '';
  for await (const chunk of request) body += chunk;
  const given = body === '' ? {} : JSON.parse(body);
  let answer = {};
  switch (`${request.method} ${request.url}`) {
    case 'GET /state':
      answer = { counts, submissions, binds, connections: sessions.size };
      break;
    case 'POST /behaviour':
      Object.assign(behaviour, given);
      break;
    case 'POST /deliver':
      answer = { parts: deliver(given) };
      break;
    case 'POST /drop':
      for (const session of sessions) session.destroy();
      break;
    case 'POST /reset':
      reset();
      break;
    default:
      response.statusCode = 404;
  }
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answer));
});

const listening = (server, start) => new Promise((done) => { server.once('listening', done); start(); });
await listening(centre, () => centre.listen(0, '127.0.0.1'));
await listening(control, () => control.listen(0, '127.0.0.1'));
const ready = { smpp: centre.address().port, control: control.address().port };
fs.writeFileSync(`${process.argv[2]}.new`, JSON.stringify(ready));
fs.renameSync(`${process.argv[2]}.new`, process.argv[2]);
process.stdin.on('end', () => process.exit(0)).resume();
