"""Resolves `*.localhost` to the loopback address, as RFC 6761 asks and as many resolvers do not."""

import socket

_ask = socket.getaddrinfo


def _getaddrinfo(host, *args, **kwargs):
    name = host.decode() if isinstance(host, bytes) else host
    if name and (name == "localhost" or name.endswith(".localhost")):
        return _ask("127.0.0.1", *args, **kwargs)
    return _ask(host, *args, **kwargs)


def install() -> None:
    socket.getaddrinfo = _getaddrinfo
