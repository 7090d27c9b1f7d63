"""A client of the wire, written from its public description alone: access-key signatures, user tokens, raw requests.

It shares nothing with the server, so that the canaries are planted by an outsider, and needs the standard library only.
"""

import base64
import hashlib
import hmac
import http.client
import json
import socket
import ssl
from email.utils import formatdate
from urllib.parse import quote, urlsplit

IDENTITY = "2023-10-01"
CHAT = "2025-03-15"
SMS = "2026-01-23"
NUMBERS = "2025-06-01"
SIP = "2023-03-01"


class Unexpected(Exception):
    """The server answered something else than the scenario needs."""


class Resource:
    """One resource of a running server, reached over TLS with the server's own CA."""

    def __init__(self, connection_string: str, ca_file: str, geography: str):
        parts = dict(part.split("=", 1) for part in connection_string.split(";") if part)
        url = urlsplit(parts["endpoint"])
        self.geography = geography
        self.host, self.port = url.hostname, url.port or 443
        self.authority = url.netloc
        self.access_key = parts["accesskey"]
        self.operator_token = None
        self.context = ssl.create_default_context(cafile=ca_file)

    def socket(self) -> ssl.SSLSocket:
        """A fresh TLS connection to loopback under the resource's own name."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        return self.context.wrap_socket(plain, server_hostname=self.host)

    def raw(self, data: bytes) -> bytes:
        """Sends `data` as it is and returns what comes back before the peer closes or falls silent."""
        received = b""
        with self.socket() as connection:
            connection.settimeout(2)
            connection.sendall(data)
            try:
                while chunk := connection.recv(65536):
                    received += chunk
            except (TimeoutError, OSError):
                pass
        return received

    def request(self, method, path, body=b"", headers=None, expect=None):
        """One request over a connection of its own: (status, headers, body), the body parsed where it is JSON."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        connection.sock = self.socket()
        try:
            sent = {"Host": self.authority, **(headers or {})}
            if body or method in ("POST", "PATCH", "PUT"):
                sent.setdefault("Content-Length", str(len(body)))
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body or None)
            response = connection.getresponse()
            data = response.read()
            answer = response.status, response.headers
        finally:
            connection.close()
        if expect is not None and answer[0] not in (expect if isinstance(expect, tuple) else (expect,)):
            raise Unexpected(f"{method} {path.split('?')[0]}: {answer[0]} instead of {expect}: {data[:300]!r}")
        try:
            parsed = json.loads(data) if data else None
        except ValueError:
            parsed = data
        return answer[0], answer[1], parsed

    def signed(self, method, path, body=b"", headers=None, expect=None):
        """A request under the access key."""
        body = encode(body)
        return self.request(method, path, body, {**self.signature(method, path, body), **(headers or {})}, expect)

    def signature(self, method, path, body):
        """The headers that sign a request."""
        date = formatdate(usegmt=True)
        digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
        text = f"{method}\n{path}\n{date};{self.authority};{digest}"
        mac = hmac.new(base64.b64decode(self.access_key), text.encode(), hashlib.sha256).digest()
        signature = base64.b64encode(mac).decode()
        return {
            "x-ms-date": date,
            "x-ms-content-sha256": digest,
            "Authorization": f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
            "Content-Type": "application/json",
        }

    def operator(self, method, path, body=None, expect=None):
        """What the operator's plane answers, parsed."""
        sent = {"Authorization": f"Bearer {self.operator_token}", "Content-Type": "application/json"}
        return self.request(method, path, b"" if body is None else encode(body), sent, expect)[2]

    def create_user(self, scopes=("chat",)):
        """A new identity with a token: (id, token)."""
        _, _, answer = self.signed(
            "POST", f"/identities?api-version={IDENTITY}", {"createTokenWithScopes": list(scopes)}, expect=201
        )
        return User(self, answer["identity"]["id"], answer["accessToken"]["token"])


class User:
    """A communication user with a token."""

    def __init__(self, resource: Resource, identity: str, token: str):
        self.resource, self.id, self.token = resource, identity, token

    def participant(self, **more):
        """This user as a participant of a thread."""
        return {"communicationIdentifier": {"rawId": self.id, "communicationUser": {"id": self.id}}, **more}

    def call(self, method, path, body=b"", headers=None, expect=None):
        """A request under the user's token."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        sent = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, **(headers or {})}
        joint = "&" if "?" in path else "?"
        return self.resource.request(method, f"{path}{joint}api-version={CHAT}", encode(body), sent, expect)


def encode(body) -> bytes:
    """Bytes as they are, anything else as JSON."""
    return body if isinstance(body, bytes) else json.dumps(body).encode()


def escaped(text: str) -> str:
    """One path segment."""
    return quote(text, safe="")
