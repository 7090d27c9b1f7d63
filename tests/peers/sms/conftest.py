"""One centre and one server that is bound to it, for the whole run."""

import base64
import dataclasses
import os
import secrets
import subprocess

import pytest
from azure.communication.sms import SmsClient
from centre import Centre, wait
from support import names, server as servers

names.install()

CONFIG = """
[listener]
address = "127.0.0.1:0"
self_signed = true
data = "{folder}/data"

[[cell]]
geography = "europe"
engine = {{ kind = "sqlite", path = "{folder}/data/europe/store.sqlite" }}
kms = {{ kind = "local", path = "{folder}/data/europe/root.key" }}

[[cell.sms.carrier]]
name = "node"
host = "127.0.0.1"
port = {port}
tls = false
system_id = "chancery"
password = "file:{folder}/password"
window = 50
answer_timeout_secs = 2

[[resource]]
name = "contoso"
geography = "europe"
access_keys = ["file:{folder}/key"]
text_senders = ["CONTOSO", "US:55555"]
"""


@dataclasses.dataclass
class World:
    centre: Centre
    server: servers.Server
    client: SmsClient

    def start(self) -> None:
        self.server = launch(self.server.data.parent)

    def report(self, message_id: str) -> dict | None:
        """The delivery report of a text, by the operation that the SDK of Python has no call for."""
        from support import raw

        resource = self.server.resource("contoso")
        answer = raw.signed(self.server, resource, "GET", f"/deliveryReports/{message_id}?api-version=2026-01-23")
        return answer.json() if answer.status == 200 else None

    def delivered(self, message_ids, seconds: float = 90.0) -> None:
        """Waits until each text is reported as delivered."""
        for message_id in message_ids:
            wait(
                lambda: (self.report(message_id) or {}).get("deliveryStatus") == "Delivered",
                f"the report of {message_id}",
                seconds,
            )


def launch(folder) -> servers.Server:
    """`chancery serve` with the configuration in `folder`."""
    import json

    ready, log = folder / "ready.json", folder / "server.log"
    ready.unlink(missing_ok=True)
    line = [servers.binary(), "serve", "--config", str(folder / "chancery.toml"), "--ready-file", str(ready)]
    with log.open("ab") as sink:
        process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT)

    def begun():
        assert process.poll() is None, log.read_text(errors="replace")[-4000:]
        return ready.exists()

    wait(begun, "the server to start")
    return servers.Server(process, folder / "data", log, json.loads(ready.read_text()))


@pytest.fixture(scope="session")
def whole_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("texts")
    centre = Centre(folder)
    (folder / "data" / "europe").mkdir(parents=True)
    (folder / "chancery.toml").write_text(CONFIG.format(folder=folder, port=centre.port))
    for name, value in (("password", "secret"), ("key", base64.b64encode(secrets.token_bytes(64)).decode())):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    server = launch(folder)
    os.environ["REQUESTS_CA_BUNDLE"] = server.ca_file
    resource = server.resource("contoso")
    client = SmsClient.from_connection_string(resource.connection_string)
    world = World(centre, server, client)
    yield world
    world.server.stop()
    centre.stop()


@pytest.fixture
def world(whole_run):
    """Nothing came yet, and the centre is calm and connected."""
    whole_run.centre.reset()
    wait(lambda: whole_run.centre.state()["connections"] > 0, "the server to bind")
    return whole_run
