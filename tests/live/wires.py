"""Clients over asyncio streams, from the public descriptions alone: HTTP/1.1, server-sent events, and the push protocol of the
vendor's browser SDK over a WebSocket. The standard library only."""

import asyncio
import base64
import json
import os
import re
import secrets
import ssl


class Gone(Exception):
    """The connection ended, or was refused."""


async def connected(node):
    """A TLS connection to a node."""
    if node.context is None:
        node.context = ssl.create_default_context(cafile=node.ca_file)
    name = node.host.split(":")[0]
    try:
        return await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", node.port, ssl=node.context, server_hostname=name, limit=1 << 20), 10
        )
    except (OSError, asyncio.TimeoutError) as fault:
        raise Gone(str(fault)) from fault


async def head(reader):
    """The status and the headers of an answer."""
    try:
        text = (await reader.readuntil(b"\r\n\r\n")).decode()
    except (asyncio.IncompleteReadError, OSError) as fault:
        raise Gone(str(fault)) from fault
    first, *lines = text.split("\r\n")
    return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines if line)


class Api:
    """One kept-alive connection, one request at a time."""

    def __init__(self, node):
        self.node, self.reader, self.writer = node, None, None

    async def ask(self, method, path, token, body=None):
        """Status and answer; raises Gone when it is not known what became of it."""
        try:
            if self.writer is None:
                self.reader, self.writer = await connected(self.node)
            data = b"" if body is None else json.dumps(body).encode()
            lines = [
                f"{method} {path} HTTP/1.1",
                f"Host: {self.node.host}",
                f"Authorization: Bearer {token}",
                f"Content-Length: {len(data)}",
            ]
            if body is not None:
                lines.append("Content-Type: application/json")
            self.writer.write("\r\n".join([*lines, "", ""]).encode() + data)
            await self.writer.drain()
            status, headers = await asyncio.wait_for(head(self.reader), 60)
            data = await self.reader.readexactly(int(headers.get("content-length", 0)))
            return status, json.loads(data) if data else None
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as fault:
            self.close()
            raise Gone(str(fault)) from fault
        except Gone:
            self.close()
            raise

    def close(self):
        """Opens another with the next request."""
        if self.writer is not None:
            self.writer.transport.abort()
        self.reader = self.writer = None


class EventStream:
    """Server-sent events of one user, from an event's id on."""

    def __init__(self, node, token, after=None):
        self.node, self.token, self.id, self.writer, self.rest = node, token, after, None, b""

    async def open(self):
        """Asks for them; returns once they have begun."""
        self.reader, self.writer = await connected(self.node)
        resumed = f"Last-Event-ID: {self.id}\r\n" if self.id else ""
        self.writer.write(
            f"GET /chat/events HTTP/1.1\r\nHost: {self.node.host}\r\nAuthorization: Bearer {self.token}\r\n{resumed}\r\n".encode()
        )
        status, _ = await head(self.reader)
        if status != 200:
            raise Gone(f"status {status}")

    async def next(self):
        """The next event: its name and its data."""
        name, data = "message", None
        while True:
            line = await self.line()
            if not line:
                if data is not None:
                    return name, data
                name, data = "message", None
                continue
            field, _, value = line.partition(": ")
            if field == "id":
                self.id = value
            elif field == "event":
                name = value
            elif field == "data":
                data = value

    async def line(self):
        """A line of the body, whose chunks end with whole events."""
        while b"\n" not in self.rest:
            try:
                size = int((await self.reader.readuntil(b"\r\n")).strip() or b"0", 16)
                if size == 0:
                    raise Gone("the stream ended")
                self.rest += (await self.reader.readexactly(size + 2))[:-2]
            except (OSError, ValueError, asyncio.IncompleteReadError) as fault:
                raise Gone(str(fault)) from fault
        line, _, self.rest = self.rest.partition(b"\n")
        return line.decode()

    def cut(self):
        """As a cable that is pulled out."""
        if self.writer is not None:
            self.writer.transport.abort()


class Push:
    """The browser SDK's socket."""

    def __init__(self, node, token, endpoint, attempt=1):
        self.node, self.token, self.endpoint, self.writer, self.pings = node, token, endpoint, None, 0
        self.attempt = attempt

    async def open(self):
        """Handshake, socket, and the word that it is connected."""
        self.reader, self.writer = await connected(self.node)
        ask = f"GET /socket.io/1/?v=v4&epid={self.endpoint}&con_num=1_{self.attempt} HTTP/1.1\r\nHost: {self.node.host}\r\nX-Skypetoken: {self.token}\r\n\r\n"
        self.writer.write(ask.encode())
        status, headers = await head(self.reader)
        body = await self.reader.readexactly(int(headers["content-length"]))
        if status != 200:
            raise Gone(f"status {status}: {body[:200]}")
        session = body.decode().split(":")[0]
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        self.writer.write(
            f"GET /socket.io/1/websocket/{session} HTTP/1.1\r\nHost: {self.node.host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        status, _ = await head(self.reader)
        if status != 101:
            raise Gone(f"status {status}")
        while not (await self.frame()).startswith("5:::"):
            pass

    async def frame(self):
        """The next text of the server."""
        try:
            while True:
                first, length = await self.reader.readexactly(2)
                if length == 126:
                    length = int.from_bytes(await self.reader.readexactly(2), "big")
                elif length == 127:
                    length = int.from_bytes(await self.reader.readexactly(8), "big")
                text = await self.reader.readexactly(length)
                if first & 15 == 8:
                    raise Gone("closed")
                if first & 15 == 1:
                    return text.decode()
        except (OSError, asyncio.IncompleteReadError) as fault:
            raise Gone(str(fault)) from fault

    async def say(self, text):
        """Sends a text, masked as clients must."""
        data, mask = text.encode(), os.urandom(4)
        head_of = bytes([0x81]) + (bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big"))
        self.writer.write(head_of + mask + bytes(byte ^ mask[at % 4] for at, byte in enumerate(data)))

    async def next(self):
        """(kind, body): "push" with an event, "loss", "pong" with its number, "leave"."""
        while True:
            text = await self.frame()
            if text.startswith("3:::"):
                push = json.loads(text[4:])
                await self.say(f'3:::{{"id":{push["id"]},"status":200,"headers":{{}},"body":""}}')
                return "push", json.loads(push["body"])
            if text.startswith("6:::"):
                return "pong", int(re.match(r"6:::(\d+)", text).group(1))
            if "message_loss" in text:
                self.number = re.match(r"5:(\d+)\+?::", text)
                if self.number:
                    await self.say(f"6:::{self.number.group(1)}+[]")
                return "loss", None
            if "trouter.reconnect" in text or text.startswith("0::"):
                return "leave", None

    async def ping(self):
        """Asks whether it is there; the number comes back as a pong."""
        self.pings += 1
        await self.say(f'5:{self.pings}+::{{"name":"ping"}}')
        return self.pings

    def cut(self):
        """As a cable that is pulled out."""
        if self.writer is not None:
            self.writer.transport.abort()
