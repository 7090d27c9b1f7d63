"""Runs a command (the JavaScript suite) with servers at its side: Node reads its extra CA certificates only when it
starts, so the servers must be there first. All servers must end cleanly afterwards.

    python with_servers.py <command> [argument ...]

The command finds in its environment NODE_EXTRA_CA_CERTS, and in CHANCERY_TEST_SERVERS the path of a JSON file
`{"main": <ready>, "limited": <ready>, "aged": {"ready": <ready>, "user", "token", "thread"}}`.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

from support import aged, server


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="chancery-sdk-") as name:
        folder = pathlib.Path(name)
        started = []
        try:
            started.append(server.start(folder / "main"))
            started.append(server.start(folder / "limited", flags=["--acs-rate-limits"]))
            expired = aged.start(folder / "aged")
            started.append(expired.server)
            code = run(folder, started, expired)
        except BaseException:
            for running in started:
                running.abandon()
            raise
        for running in started:
            running.stop()
        return code


def run(folder: pathlib.Path, started, expired) -> int:
    main_server, limited, past = started
    authorities = folder / "authorities.pem"
    authorities.write_text("".join(pathlib.Path(running.ca_file).read_text() for running in started))
    told = folder / "servers.json"
    told.write_text(
        json.dumps(
            {
                "main": main_server.ready,
                "limited": limited.ready,
                "aged": {
                    "ready": past.ready,
                    "user": expired.user,
                    "token": expired.token,
                    "thread": expired.thread,
                },
            }
        )
    )
    environment = {
        **os.environ,
        "NODE_EXTRA_CA_CERTS": str(authorities),
        "CHANCERY_TEST_SERVERS": str(told),
    }
    return subprocess.run(sys.argv[1:], env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
