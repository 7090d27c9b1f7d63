"""The real server for these tests: `chancery dev` with its doors for mail open, and its operator's plane."""

import json
import os
import ssl
import subprocess
import tempfile
import time
import urllib.request


class Server:
    """Started with a folder of its own; `close` ends it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="chancery-smtp-")
        command = [os.environ["CHANCERY_BIN"], "dev", "--port", "0", "--smtp-port", "0", "--bounce-port", "0"]
        command += ["--json", "--data", self.folder.name]
        log = os.path.join(self.folder.name, "log")
        with open(log, "wb") as sink:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink)
        text = ""
        while not text.endswith("\n}\n"):
            line = self.process.stdout.readline().decode()
            if not line:
                with open(log) as said:
                    raise RuntimeError("the server did not start: " + said.read())
            text += line
        self.ready = json.loads(text)
        self.tls = ssl.create_default_context(cafile=self.ready["caFile"])
        self.submission = self._port("smtpSubmission")
        self.reports = self._port("smtpReports")

    def _port(self, name):
        return int(self.ready[name].rsplit(":", 1)[1])

    def close(self):
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0, "the server did not stop well"
        self.process.stdout.close()
        self.folder.cleanup()

    def ask(self, method, path, body=None, raw=False, token=True, media="application/json"):
        """What the operator's plane, or a public page, answers."""
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.ready["endpoint"] + path, data=data, method=method)
        if token:
            request.add_header("authorization", "Bearer " + self.ready["adminToken"])
        if data is not None:
            request.add_header("content-type", media)
        with urllib.request.urlopen(request, context=self.tls) as answer:
            content = answer.read()
        return content if raw else json.loads(content)

    def user(self, name):
        """Lets `name` submit mail; its password."""
        path = "/operator/resources/dev/email/smtpUsers"
        return self.ask("POST", path, {"username": name})["password"]

    def mails(self, recipient, count=1):
        """The captured mails to `recipient`, waited for: (item, message bytes)."""
        path = "/operator/resources/dev/outbox"
        for _ in range(200):
            found = self.ask("GET", f"{path}?kind=mail&recipient={recipient}")["value"]
            if len(found) >= count:
                items = [self.ask("GET", f"{path}/{one['id']}") for one in found]
                return [(item, self.ask("GET", f"{path}/{item['id']}/raw", raw=True)) for item in items]
            time.sleep(0.05)
        raise AssertionError(f"no mail to {recipient}")
