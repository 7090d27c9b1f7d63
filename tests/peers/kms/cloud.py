"""Moto as AWS KMS on a port of this machine, with what it lacks: keys that are disabled or wait for deletion refuse, and a
key that did not encrypt says so, as AWS documents (Encrypt and Decrypt, errors). Everything else is moto's.

usage: cloud.py FILE. Writes "PORT KEY KEY..." into FILE once it answers, and serves until it is ended.
"""

import os
import pathlib
import signal
import sys

for name, value in {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "eu-central-1"}.items():
    os.environ[name] = value

import boto3
from moto.core.exceptions import JsonRESTError
from moto.kms.exceptions import AccessDeniedException
from moto.kms.models import KmsBackend
from moto.server import ThreadedMotoServer


def guarded(method):
    """The same, for keys that are enabled alone."""

    def call(self, *args, **kwargs):
        key = self.keys.get(self.any_id_to_key_id(kwargs["key_id"])) if kwargs.get("key_id") else None
        if key and key.key_state == "PendingDeletion":
            raise JsonRESTError("KMSInvalidStateException", f"{key.arn} is pending deletion.")
        if key and not key.enabled:
            raise JsonRESTError("DisabledException", f"{key.arn} is disabled.")
        try:
            return method(self, *args, **kwargs)
        except AccessDeniedException as fault:
            raise JsonRESTError("IncorrectKeyException", "The key did not encrypt this.") from fault

    return call


def scheduled(method):
    """The same, but that a window of 30 days, the longest, is over at once: the key is gone."""

    def call(self, key_id, pending_window_in_days):
        when = method(self, key_id, pending_window_in_days)
        if pending_window_in_days == 30:
            del self.keys[self.get_key_id(key_id)]
        return when

    return call


KmsBackend.schedule_key_deletion = scheduled(KmsBackend.schedule_key_deletion)
KmsBackend.encrypt = guarded(KmsBackend.encrypt)
KmsBackend.decrypt = guarded(KmsBackend.decrypt)


def main():
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    client = boto3.client("kms", endpoint_url=f"http://127.0.0.1:{port}")
    keys = [client.create_key(Description=f"test {number}")["KeyMetadata"]["KeyId"] for number in range(6)]
    target = pathlib.Path(sys.argv[1])
    partial = target.with_suffix(".part")
    partial.write_text(" ".join([str(port), *keys]))
    partial.rename(target)
    signal.pause()


main()
