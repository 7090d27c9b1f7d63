"""The development outbox by its JSON routes: what was captured instead of sent. Knows no SDK."""

import base64
import email
import email.policy
import json
import time
import urllib.parse

from . import raw

WAIT_SECONDS = 20.0


def ask(server, method: str, target: str, body=None, token: str | None = None) -> raw.Answer:
    """One request of the operator, with the token of the ready file unless another is named."""
    content = b"" if body is None else json.dumps(body).encode()
    headers = [("Authorization", f"Bearer {token or server.ready['adminToken']}")]
    return raw.request(server, method, target, headers + (raw.JSON if content else []), content)


class Outbox:
    """The outbox of one resource."""

    def __init__(self, server, resource: str):
        self._server = server
        self._base = f"/operator/resources/{resource}/outbox"

    def _ask(self, method: str, rest: str = "", body=None):
        answer = ask(self._server, method, self._base + rest, body)
        assert answer.status == 200, (answer.status, answer.body)
        return answer.json()

    def find(self, to: str | None = None, kind: str | None = None) -> list[dict]:
        """What was captured, newest first: of one recipient, of one kind (`mail` or `text`)."""
        query = {name: value for name, value in (("recipient", to), ("kind", kind)) if value}
        return self._ask("GET", f"?{urllib.parse.urlencode(query)}" if query else "")["value"]

    def wait(self, to: str | None = None, kind: str | None = None, count: int = 1) -> list[dict]:
        """The same once there are so many; delivery follows the answer of the API."""
        deadline = time.monotonic() + WAIT_SECONDS
        while len(found := self.find(to, kind)) < count:
            assert time.monotonic() < deadline, f"{len(found)} of {count} within {WAIT_SECONDS} s"
            time.sleep(0.05)
        return found

    def read(self, item: dict | str) -> dict:
        """One item with its content."""
        return self._ask("GET", f"/{item if isinstance(item, str) else item['id']}")

    def message(self, item: dict | str) -> email.message.EmailMessage:
        """The mail as it would have left, read by Python's own parser."""
        return email.message_from_bytes(self.bytes(item), policy=email.policy.default)

    def bytes(self, item: dict | str) -> bytes:
        """The mail as it would have left, byte for byte."""
        return base64.b64decode(self.read(item)["mail"]["raw"])

    def rules(self, *rules: dict) -> dict:
        """Makes these the rules of the resource."""
        return self._ask("PUT", "/rules", {"rules": list(rules)})

    def receive(self, sender: str, to: str, text: str) -> None:
        """Makes a text come in as from a handset."""
        self._ask("POST", "/receive", {"from": sender, "to": to, "text": text})

    def clear(self) -> int:
        return self._ask("DELETE")["deleted"]
