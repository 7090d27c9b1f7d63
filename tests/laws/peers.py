"""The world outside, as far as the canaries need it: a webhook, a mail server, a name server. Standard library only."""

import json
import socketserver
import struct
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "peers" / "events"))
from hooks import Hooks  # noqa: E402


class Serving:
    """A server on the loopback address, in a thread of its own."""

    def __init__(self, kind, handler):
        handler = type("Handler", (handler,), {"peer": self})
        self.server = kind(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Answers nobody any more."""
        self.server.shutdown()
        self.server.server_close()


class Names(Serving):
    """A name server that knows texts alone: {name: [text]}."""

    def __init__(self):
        self.texts = {}
        super().__init__(socketserver.ThreadingUDPServer, _Question)

    def answer(self, asked: bytes) -> bytes:
        """The reply to one question (RFC 1035): its texts, or that there is no such name."""
        at, labels = 12, []
        while asked[at]:
            labels.append(asked[at + 1 : at + 1 + asked[at]].decode())
            at += 1 + asked[at]
        question = asked[12 : at + 5]
        (kind,) = struct.unpack(">H", asked[at + 1 : at + 3])
        name = ".".join(labels).lower()
        known = any(each == name or each.endswith("." + name) for each in self.texts)
        records = [self._record(text) for text in self.texts.get(name, [])] if kind == 16 else []
        flags = 0x8180 if known else 0x8183
        return asked[:2] + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)

    @staticmethod
    def _record(text: str) -> bytes:
        parts = [text[at : at + 255].encode() for at in range(0, len(text), 255)]
        data = b"".join(bytes([len(part)]) + part for part in parts)
        return b"\xc0\x0c" + struct.pack(">HHIH", 16, 1, 1, len(data)) + data


class _Question(socketserver.BaseRequestHandler):
    def handle(self):
        data, connection = self.request
        connection.sendto(self.peer.answer(data), self.client_address)


class MailServer(Serving):
    """Takes mail by SMTP and remembers it: (sender, recipients, message). Recipients that begin with `bounce` are unknown to
    it, those that begin with `later` are to come again."""

    def __init__(self):
        self.mails = []
        super().__init__(socketserver.ThreadingTCPServer, _Session)

    def wait(self, mark: str, seconds: float = 30):
        """The first mail that holds `mark`."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for mail in list(self.mails):
                if mark in mail[2]:
                    return mail
            time.sleep(0.05)
        raise RuntimeError("a mail did not come")


class _Session(socketserver.StreamRequestHandler):
    def handle(self):
        self.say("220 mx.example")
        sender, recipients = "", []
        while line := self.rfile.readline().decode(errors="replace").strip():
            verb = line.split(":")[0].upper()
            if verb == "MAIL FROM":
                sender, recipients = line.split("<", 1)[1].split(">")[0], []
                self.say("250 ok")
            elif verb == "RCPT TO":
                to = line.split("<", 1)[1].split(">")[0]
                code = "550 5.1.1 unknown" if to.startswith("bounce") else "450 4.2.0 later"
                good = not to.startswith(("bounce", "later"))
                recipients += [to] if good else []
                self.say("250 ok" if good else code)
            elif verb == "DATA":
                self.say("354 go on")
                text = b""
                while (part := self.rfile.readline()) not in (b".\r\n", b""):
                    text += part
                self.peer.mails.append((sender, recipients, text.decode(errors="replace")))
                self.say("250 taken")
            elif verb == "QUIT":
                return self.say("221 bye")
            else:
                self.say("250 mx.example" if verb.startswith(("EHLO", "HELO", "RSET", "NOOP")) else "502 no")

    def say(self, text: str):
        self.wfile.write(f"{text}\r\n".encode())


class Peers:
    """All of them, once for a run."""

    def __enter__(self):
        self.hooks, self.names, self.mail = Hooks(), Names(), MailServer()
        return self

    def __exit__(self, *_):
        for each in (self.hooks, self.names, self.mail):
            each.stop()


def dead_letters_of(answer) -> str:
    """The dead letters of an answer, as text."""
    return json.dumps((answer or {}).get("value", []))
