"""A token that has truly expired: issued by the real server while its clock stood in the past.

The shortest token lives an hour, so the server is started on a data folder with its clock moved back (libfaketime,
preloaded; the binary is untouched), asked for a token, ended, and started again in the present.
"""

import dataclasses
import datetime
import importlib.util
import pathlib

from . import raw, server

BACK = datetime.timedelta(minutes=90)


@dataclasses.dataclass(frozen=True)
class Expired:
    server: server.Server
    user: str
    token: str
    thread: str


def _library() -> str:
    spec = importlib.util.find_spec("libfaketime")
    assert spec is not None and spec.origin is not None, "libfaketime is a requirement of this suite"
    found = sorted(pathlib.Path(spec.origin).parent.rglob("libfaketime.so.1"))
    assert found, "libfaketime was installed without its library"
    return str(found[0])


def _clock_moved_back() -> dict[str, str]:
    return {
        "LD_PRELOAD": _library(),
        "FAKETIME": f"-{int(BACK.total_seconds())}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def start(folder: pathlib.Path) -> Expired:
    """A server in the present which knows a user, whose only token ran out half an hour ago, and a thread of theirs."""
    with server.running(folder, env=_clock_moved_back()) as past:
        resource = past.resource("alpha")
        asked = {"createTokenWithScopes": ["chat"], "expiresInMinutes": 60}
        then = raw.now() - BACK
        made = raw.signed(past, resource, "POST", f"/identities?{raw.IDENTITY}", asked, when=then)
        assert made.status == 201, (made.status, made.body)
        identity, token = made.json()["identity"]["id"], made.json()["accessToken"]["token"]
        # It was a good token while it lasted.
        thread = raw.bearer(past, resource, token, "POST", f"/chat/threads?{raw.CHAT}", {"topic": "before"})
        assert thread.status == 201, (thread.status, thread.body)
    return Expired(server.start(folder), identity, token, thread.json()["chatThread"]["id"])
