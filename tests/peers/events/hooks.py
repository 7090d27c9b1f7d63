"""A webhook server on the loopback address that remembers what it was told. How it behaves is the first part of the path:
`good`, `manual` (takes the question and does not answer it), `slow`, `hang`, `fail`, `move`, `strict` (verifies)."""

import dataclasses
import http.server
import json
import threading
import time

SLOW_SECONDS = 0.5


@dataclasses.dataclass
class Request:
    """One request as it came."""

    method: str
    url: str
    headers: dict
    body: bytes
    at: float

    @property
    def kind(self) -> str:
        return self.headers.get("aeg-event-type", "")

    def events(self) -> list:
        said = json.loads(self.body)
        return said if isinstance(said, list) else [said]


class Hooks:
    """A running webhook server."""

    def __init__(self):
        self.requests: list[Request] = []
        self.checks = None
        self._stopped = threading.Event()
        handler = type("Handler", (_Handler,), {"hooks": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.base = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()
        self._server.shutdown()

    def told(self, name: str, kind: str = "Notification") -> list[Request]:
        """What came to /NAME..., of this kind, oldest first."""
        begin = f"{self.base}/{name}"
        return [r for r in list(self.requests) if r.url.startswith(begin) and (r.kind == kind or r.method == kind)]

    def wait(self, name: str, count: int, seconds: float = 30.0, kind: str = "Notification") -> list[Request]:
        deadline = time.monotonic() + seconds
        while len(found := self.told(name, kind)) < count:
            assert time.monotonic() < deadline, f"{name}: {len(found)} of {count} within {seconds} s"
            time.sleep(0.02)
        return found


class _Handler(http.server.BaseHTTPRequestHandler):
    hooks: Hooks
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_OPTIONS(self):
        self._keep(b"")
        self.send_response(200)
        self.send_header("WebHook-Allowed-Origin", self.headers["WebHook-Request-Origin"])
        self.send_header("WebHook-Allowed-Rate", "120")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        request = self._keep(self.rfile.read(int(self.headers["Content-Length"])))
        name = self.path.split("/")[1].split("?")[0]
        if request.kind == "SubscriptionValidation":
            code = request.events()[0]["data"]["validationCode"]
            return self._answer(200, {} if name == "manual" else {"validationResponse": code})
        if name == "hang":
            self.hooks._stopped.wait(60)
            return None
        if name == "slow":
            time.sleep(SLOW_SECONDS)
        if name == "move":
            self.send_response(302)
            self.send_header("Location", f"{self.hooks.base}/moved")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        return self._answer({"fail": 500, "refuse": 400}.get(name, 200), {})

    def _keep(self, body: bytes) -> Request:
        headers = {name.lower(): value for name, value in self.headers.items()}
        url = f"http://{self.headers['Host']}{self.path}"
        request = Request(self.command, url, headers, body, time.monotonic())
        self.hooks.requests.append(request)
        return request

    def _answer(self, status: int, body: dict) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
