"""The SMS centre of centre.mjs, started and told what to do."""

import http.client
import json
import os
import pathlib
import subprocess
import time


class Centre:
    """One running centre. Leave it with `stop`."""

    def __init__(self, folder: pathlib.Path):
        folder.mkdir(parents=True, exist_ok=True)
        ready = folder / "centre.json"
        script = os.environ["CHANCERY_SMS_CENTRE"]
        self.process = subprocess.Popen(["node", script, str(ready)], stdin=subprocess.PIPE)
        wait(ready.exists, "the centre to start")
        said = json.loads(ready.read_text())
        self.port, self.control_port = said["smpp"], said["control"]

    def ask(self, method: str, path: str, body=None) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.control_port, timeout=15)
        try:
            connection.request(method, path, json.dumps(body or {}))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def behave(self, **how) -> None:
        self.ask("POST", "/behaviour", how)

    def reset(self) -> None:
        self.ask("POST", "/reset")

    def deliver(self, **text) -> int:
        return self.ask("POST", "/deliver", text)["parts"]

    def state(self) -> dict:
        return self.ask("GET", "/state")

    def texts(self) -> dict[str, int]:
        """What came, and how often."""
        came: dict[str, int] = {}
        for submission in self.state()["submissions"]:
            came[submission["text"]] = came.get(submission["text"], 0) + 1
        return came

    def stop(self) -> None:
        self.process.stdin.close()
        assert self.process.wait(10) == 0


def wait(look, what: str, seconds: float = 60.0):
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.05)
    return found
