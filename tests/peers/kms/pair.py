"""Two nodes over one PostgreSQL, and what two resources of theirs are asked meanwhile: one with a customer's key, one without."""

import base64
import collections
import http.client
import json
import os
import secrets
import subprocess
import threading
import time

from kept import GEOGRAPHY, arguments

from acs import CHAT, IDENTITY, Resource, escaped
from servers import Postgres, Server, free_port

HOME, NEXT = "home", "next"


class Node(Server):
    """One node of the pair."""

    def __init__(self, folder, pair):
        super().__init__(arguments(), folder, [], None)
        self.pair, self.port = pair, free_port()
        self.config = self.folder / "chancery.toml"
        self.ca_file = str(self.data / "ca" / "ca.pem")
        self.config.write_text(
            f"""
[listener]
address = "127.0.0.1:{self.port}"
self_signed = true
data = "{self.data}"
public_hosts = ["localhost"]
[operator]
token = "file:{pair.folder}/operator"
[events]
allow = ["127.0.0.0/8"]
allow_http = true
[alerts]
webhook = "{pair.hooks.base}/good/alerts"
[sandbox]
mode = "required"
[[cell]]
geography = "{GEOGRAPHY}"
engine = {{ kind = "postgres", url = "file:{pair.folder}/database" }}
kms = {{ kind = "local", path = "{pair.folder}/keys/root.key" }}
[[cell.key_service]]
name = "contoso-key"
kms = {{ kind = "aws-kms", region = "eu-central-1", key = "{pair.key}", endpoint = "{pair.endpoint}", access_key_id = "file:{pair.folder}/id", secret_access_key = "file:{pair.folder}/secret" }}
[[cell.key_service]]
name = "root-2"
kms = {{ kind = "local", path = "{pair.folder}/keys/root-2.key" }}
[[resource]]
name = "{HOME}"
geography = "{GEOGRAPHY}"
access_keys = ["file:{pair.folder}/{HOME}.key"]
key_service = "contoso-key"
[[resource]]
name = "{NEXT}"
geography = "{GEOGRAPHY}"
access_keys = ["file:{pair.folder}/{NEXT}.key"]
"""
        )

    def start(self):
        """Starts it, and waits until it says that it is ready."""
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        self.launch("serve", "--log", "info", "--config", str(self.config), "--ready-file", str(ready))
        self.wait(ready.exists)

    def kill(self):
        """kill -9."""
        self.process.kill()
        self.process.wait()

    def resource(self, name):
        """One of the two resources, asked at this node."""
        text = f"endpoint=https://{name}.localhost:{self.port}/;accesskey={self.pair.keys[name]}"
        resource = Resource(text, self.ca_file, GEOGRAPHY)
        resource.operator_token = self.pair.token
        return resource

    def says(self, *verb):
        """What a verb of the program says as JSON; it must end well."""
        line = [self.arguments.server, *verb, "--json", "--config", str(self.config)]
        done = subprocess.run(line, capture_output=True, text=True, timeout=300, check=False)
        if done.returncode:
            raise RuntimeError(f"{verb}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)


class Pair:
    """Both nodes, on a database of their own."""

    def __init__(self, folder, hooks, endpoint, key):
        self.folder, self.hooks, self.endpoint, self.key = folder, hooks, endpoint, key
        self.token = secrets.token_hex(32)
        self.keys = {name: base64.b64encode(secrets.token_bytes(64)).decode() for name in (HOME, NEXT)}
        database = f"pair_{secrets.token_hex(4)}"
        maker = Postgres.__new__(Postgres)
        maker.connect = dict(part.split("=", 1) for part in os.environ["CHANCERY_TEST_POSTGRES"].split())
        maker.psql_program = os.path.join(os.environ["CHANCERY_TEST_POSTGRES_BIN"], "psql")
        maker.psql(f"create database {database}")
        url = "postgres://{user}:{password}@{host}:{port}/".format(**maker.connect) + database
        kept = {"operator": self.token, "database": url, "id": "AKIDEXAMPLE", "secret": "surely-a-secret"}
        for name, text in {**kept, **{f"{name}.key": key for name, key in self.keys.items()}}.items():
            (folder / name).write_text(text)
            (folder / name).chmod(0o600)
        self.nodes = []
        for name in ("one", "two"):
            (folder / name).mkdir()
            self.nodes.append(Node(folder / name, self))

    def __enter__(self):
        for node in self.nodes:
            node.start()
        return self

    def __exit__(self, *_):
        for node in self.nodes:
            if node.process and node.process.poll() is None:
                node.kill()


Answer = collections.namedtuple("Answer", "at resource node kind status code seconds")


class Load:
    """Users who read and write without a pause, each over one connection at a time. Everything is remembered."""

    def __init__(self, pair, users=2):
        self.pair, self.answers, self.sent, self.broken = pair, [], collections.defaultdict(list), []
        self.ends = threading.Event()
        self.threads, self.readers = [], []
        for name in (HOME, NEXT):
            made = pair.nodes[0].resource(name).create_user()
            answer = made.call("POST", "/chat/threads", {"topic": "kept"}, expect=201)[2]
            thread = escaped(answer["chatThread"]["id"])
            self.readers.append((name, made.token))
            for node in range(len(pair.nodes)):
                for number in range(users):
                    work = (name, node, made.token, thread, f"{name}-{node}-{number}")
                    self.threads.append(threading.Thread(target=self.work, args=work, daemon=True))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.ends.set()
        for thread in self.threads:
            thread.join(30)

    def work(self, name, home, token, thread, user):
        """Sends, reads and makes users, in turns; the other node is asked while the own one does not answer."""
        connection, count, at, back = None, 0, home, 0.0
        path = f"/chat/threads/{thread}/messages?api-version={CHAT}"
        while not self.ends.is_set():
            count += 1
            kind = ("send", "read", "send", "make")[count % 4]
            begun = time.monotonic()
            if at != home and begun >= back:
                connection, at = self.closed(connection), home
            resource = self.pair.nodes[at].resource(name) if connection is None else resource
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(resource.host, resource.port, timeout=30)
                    connection.sock = resource.socket()
                text = f"{user}-{count}"
                status, answer = self.ask(connection, resource, kind, path, token, text)
            except (OSError, http.client.HTTPException):
                self.broken.append((time.monotonic(), name, at))
                connection, at, back = self.closed(connection), 1 - at, time.monotonic() + 1
                time.sleep(0.05)
                continue
            code = (answer or {}).get("error", {}).get("code") if status >= 400 else None
            self.answers.append(Answer(begun, name, at, kind, status, code, time.monotonic() - begun))
            if kind == "send" and status == 201:
                self.sent[name, thread].append((answer["id"], text))
            time.sleep(0.02 if status < 400 else 0.1)
        self.closed(connection)

    @staticmethod
    def closed(connection):
        """No connection any more."""
        if connection is not None:
            connection.close()

    @staticmethod
    def ask(connection, resource, kind, path, token, text):
        """One request over a connection that stays open."""
        if kind == "make":
            body = json.dumps({"createTokenWithScopes": ["chat"]}).encode()
            path = f"/identities?api-version={IDENTITY}"
            headers = resource.signature("POST", path, body)
        else:
            body = json.dumps({"content": text}).encode() if kind == "send" else b""
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        method = "GET" if kind == "read" else "POST"
        path = path + "&maxPageSize=20" if kind == "read" else path
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": resource.authority, "Content-Length": str(len(body)), **headers}.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        data = response.read()
        return response.status, json.loads(data) if data else None

    def between(self, begin, end, **wanted):
        """The answers to what was asked in between."""
        all_of = lambda one: all(getattr(one, name) == value for name, value in wanted.items())
        return [one for one in list(self.answers) if begin <= one.at < end and all_of(one)]

    def slowest(self, begin, end, resource):
        """The 99th percentile of what a resource took, in milliseconds, and of how many."""
        times = sorted(one.seconds for one in self.between(begin, end, resource=resource))
        return times[int(len(times) * 0.99)] * 1000, len(times)
