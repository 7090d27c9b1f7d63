"""Requests made by hand, byte by byte: what the SDKs never send. Knows the signature scheme; knows no SDK."""

import base64
import dataclasses
import datetime
import hashlib
import hmac
import http.client
import itertools
import json
import socket
import ssl

DEADLINE = 15.0
IDENTITY = "api-version=2023-10-01"
CHAT = "api-version=2025-03-15"
JSON = [("Content-Type", "application/json")]

_addresses = itertools.cycle(f"127.0.{third}.{last}" for third in range(10, 60) for last in range(1, 255))


def fresh_address() -> str:
    """A loopback address no test used before: after 20 failed sign-ins in a minute an address gets 429 in place of 401.
    (Linux lets a client use all of 127.0.0.0/8.)"""
    return next(_addresses)


@dataclasses.dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.json()["error"]["code"]

    def names(self) -> set[str]:
        return {name.lower() for name in self.headers.keys()}


def tls(server, **changes) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=server.ca_file)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    for name, value in changes.items():
        setattr(context, name, value)
    return context


def connect(
    server, name: str = "localhost", source: str | None = None, timeout: float = DEADLINE, context=None
):
    """One TLS connection to 127.0.0.1, asking for the host `name`."""
    plain = socket.create_connection(
        ("127.0.0.1", server.port), timeout=timeout, source_address=(source, 0) if source else None
    )
    return (context or tls(server)).wrap_socket(plain, server_hostname=name)


def read(sock, method: str = "GET") -> Answer:
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    body = response.read()
    return Answer(response.status, response.headers, body)


def compose(method: str, target: str, headers, body: bytes = b"") -> bytes:
    """The bytes of a request; `headers` is a list, so that names may repeat."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def exchange(server, blob: bytes, *, name="localhost", source=None, timeout=DEADLINE, method="GET") -> Answer:
    """Sends bytes, reads one answer. A server may answer and close before it has read all: the answer counts."""
    with connect(server, name, source, timeout) as sock:
        try:
            sock.sendall(blob)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            pass
        return read(sock, method)


def request(
    server, method, target, headers=(), body=b"", *, host=None, source=None, timeout=DEADLINE
) -> Answer:
    """A well-formed request with exactly these headers, plus Host, Connection and, with a body, its length."""
    host = host or f"localhost:{server.port}"
    every = [("Host", host), ("Connection", "close"), *headers]
    if body and not any(name.lower() in ("content-length", "transfer-encoding") for name, _ in headers):
        every.append(("Content-Length", str(len(body))))
    elif (
        method in ("POST", "PATCH", "PUT")
        and not body
        and not any(n.lower() == "content-length" for n, _ in headers)
    ):
        every.append(("Content-Length", "0"))
    name = host.rsplit(":", 1)[0]
    return exchange(
        server, compose(method, target, every, body), name=name, source=source, timeout=timeout, method=method
    )


def http_date(when: datetime.datetime) -> str:
    return when.strftime("%a, %d %b %Y %H:%M:%S GMT")


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def body_hash(body: bytes) -> str:
    return base64.b64encode(hashlib.sha256(body).digest()).decode()


def sign(
    key: str, method: str, target: str, host: str, body: bytes = b"", when=None
) -> list[tuple[str, str]]:
    """The three headers of the access-key scheme, over exactly the target and host given."""
    date = http_date(when or now())
    digest = body_hash(body)
    text = f"{method}\n{target}\n{date};{host};{digest}"
    mac = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(mac).decode()
    return [
        ("x-ms-date", date),
        ("x-ms-content-sha256", digest),
        (
            "Authorization",
            f"HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}",
        ),
    ]


def signed(
    server, resource, method, target, value=None, *, when=None, extra=(), body=None, source=None
) -> Answer:
    """A correctly signed request to a resource, its body the JSON of `value` or the bytes of `body`."""
    payload = body if body is not None else (b"" if value is None else json.dumps(value).encode())
    headers = sign(resource.access_key, method, target, resource.host, payload, when)
    media = JSON if payload and not any(name.lower() == "content-type" for name, _ in extra) else []
    return request(
        server, method, target, [*headers, *media, *extra], payload, host=resource.host, source=source
    )


def bearer(
    server, resource, token, method, target, value=None, *, extra=(), body=None, source=None
) -> Answer:
    """A request with a user's token."""
    payload = body if body is not None else (b"" if value is None else json.dumps(value).encode())
    media = JSON if payload and not any(name.lower() == "content-type" for name, _ in extra) else []
    headers = [("Authorization", f"Bearer {token}"), *media, *extra]
    return request(server, method, target, headers, payload, host=resource.host, source=source)
