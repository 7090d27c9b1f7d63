"""Starts and ends the real binary. Knows the command line and the ready file; knows nothing of HTTP."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parents[4]
START_SECONDS = 30.0
STOP_SECONDS = 20.0
TWO_GEOGRAPHIES = ("alpha:unitedstates", "beta:europe")


def binary() -> str:
    """The server to test: CHANCERY_BIN, else what `cargo build` left."""
    named = os.environ.get("CHANCERY_BIN")
    if named:
        return named
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    return str(target / "debug" / "chancery")


@dataclasses.dataclass(frozen=True)
class Resource:
    """One resource as the ready file describes it."""

    name: str
    geography: str
    endpoint: str
    connection_string: str

    @property
    def access_key(self) -> str:
        return self.connection_string.split(";accesskey=", 1)[1]

    @property
    def host(self) -> str:
        """Host and port, as a client signs them."""
        return self.endpoint.split("//", 1)[1].rstrip("/")


class Server:
    """One running server. `stop` asserts a clean end."""

    def __init__(self, process, data: pathlib.Path, log: pathlib.Path, ready: dict):
        self.process = process
        self.data = data
        self.log = log
        self.ready = ready
        self.ca_file = ready["caFile"]
        self.endpoint = ready["endpoint"]
        self.port = int(self.endpoint.rstrip("/").rsplit(":", 1)[1])
        self.resources = [
            Resource(entry["name"], entry["geography"], entry["endpoint"], entry["connectionString"])
            for entry in ready["resources"]
        ]

    def resource(self, name: str) -> Resource:
        return next(resource for resource in self.resources if resource.name == name)

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        """SIGTERM to this process alone; it must drain and end with 0."""
        assert self.process.poll() is None, f"the server ended by itself:\n{self.output()[-4000:]}"
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"no end within {STOP_SECONDS} s of SIGTERM") from None
        assert code == 0, f"exit code {code} after SIGTERM:\n{self.output()[-4000:]}"

    def abandon(self) -> None:
        """Ends the process without judging it: for what runs after a failure."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def command(data: pathlib.Path, ready_file: pathlib.Path, resources=TWO_GEOGRAPHIES, flags=()) -> list[str]:
    line = [binary(), "dev", "--port", "0", "--data", str(data), "--ready-file", str(ready_file)]
    for resource in resources:
        line += ["--resource", resource]
    return line + list(flags)


def start(folder: pathlib.Path, resources=TWO_GEOGRAPHIES, flags=(), env=None) -> Server:
    """Starts a server whose state is in `folder`/data, and returns when it accepts requests."""
    folder.mkdir(parents=True, exist_ok=True)
    ready_file = folder / "ready.json"
    ready_file.unlink(missing_ok=True)
    log = folder / "server.log"
    line = command(folder / "data", ready_file, resources, flags)
    with log.open("ab") as sink:
        process = subprocess.Popen(
            line,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
        )
    deadline = time.monotonic() + START_SECONDS
    while not ready_file.exists():
        if process.poll() is not None:
            raise AssertionError(
                f"{line} ended with {process.returncode}:\n{log.read_text(errors='replace')[-4000:]}"
            )
        if time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise AssertionError(
                f"not ready within {START_SECONDS} s:\n{log.read_text(errors='replace')[-4000:]}"
            )
        time.sleep(0.02)
    # The file is written whole or not at all: the first sight of it must parse.
    return Server(process, folder / "data", log, json.loads(ready_file.read_text()))


@contextlib.contextmanager
def running(folder: pathlib.Path, **options):
    """A server for the length of a `with`, ended cleanly, or just ended if the body failed."""
    server = start(folder, **options)
    try:
        yield server
    except BaseException:
        server.abandon()
        raise
    server.stop()
