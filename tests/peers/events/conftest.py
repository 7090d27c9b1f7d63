"""One server, one webhook server, and the official SDK that reads what it was told."""

import json
import os
import subprocess

import pytest
from hooks import Hooks
from support import names, server as servers

names.install()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with servers.running(tmp_path_factory.mktemp("main")) as running:
        yield running


@pytest.fixture(scope="session")
def hooks():
    running = Hooks()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def read():
    """What @azure/eventgrid makes of bodies: `read(schema, [body, ...])`."""

    def through(schema, bodies):
        lines = "".join(json.dumps({"schema": schema, "body": body.decode()}) + "\n" for body in bodies)
        reader = os.environ["CHANCERY_EVENT_READER"]
        done = subprocess.run(["node", reader], input=lines, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()]

    return through
