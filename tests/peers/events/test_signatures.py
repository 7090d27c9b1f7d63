"""Signatures, checked by a verifier that shares no code with the server, as docs/formats/webhook-signature.md tells a receiver."""

import base64
import dataclasses
import datetime
import json
import time
import types

import pytest
import world
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from http_message_signatures import HTTPMessageVerifier, HTTPSignatureKeyResolver, algorithms
from http_message_signatures.exceptions import InvalidSignature
from support import raw

DIRECTORY = "/.well-known/http-message-signatures-directory"
COVERED = ("@method", "@target-uri", "content-type", "aeg-event-type", "content-digest")


class Keys(HTTPSignatureKeyResolver):
    """The key set as it is published."""

    def __init__(self, server):
        answer = raw.request(server, "GET", DIRECTORY)
        assert answer.status == 200, answer.body
        self.keys = {key["kid"]: key for key in json.loads(answer.body)["keys"]}

    def resolve_public_key(self, key_id):
        x = self.keys[key_id]["x"]
        return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))

    def resolve_private_key(self, key_id):
        raise KeyError(key_id)


class Receiver:
    """What a receiver checks: the signature, what it covers, the body, the time, and that it comes for the first time."""

    def __init__(self, server):
        self.verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Keys(server))
        self.seen = set()

    def take(self, request):
        message = types.SimpleNamespace(method=request.method, url=request.url, headers=request.headers)
        (found,) = self.verifier.verify(
            message,
            max_age=datetime.timedelta(seconds=300),
            expect_tag="chancery-event",
            require_components=COVERED,
            body=request.body,
        )
        if found.nonce in self.seen:
            raise InvalidSignature("sent before")
        self.seen.add(found.nonce)
        return found


@pytest.fixture(scope="module")
def requests(server, hooks):
    """The question and some events of one subscription."""
    world.subscribe(server, "signed", f"{hooks.base}/good-signed?code=a%20b", {"ChatThreadCreated"})
    talk = world.Talk(server, 1)
    for _ in range(3):
        talk.thread(topic="Plans ☃")
    told = hooks.wait("good-signed", 3)
    world.unsubscribe(server, "signed")
    return hooks.told("good-signed", kind="SubscriptionValidation") + told


def test_every_request_is_signed(server, requests):
    receiver = Receiver(server)
    for request in requests:
        found = receiver.take(request)
        assert found.body == request.body
        assert found.parameters["expires"] - found.parameters["created"] == 300
        assert abs(found.parameters["created"] - time.time()) < 60
    assert len(receiver.seen) == len(requests) == 4


def test_a_request_sent_again_is_refused(server, requests):
    receiver = Receiver(server)
    receiver.take(requests[0])
    with pytest.raises(InvalidSignature, match="sent before"):
        receiver.take(requests[0])


@pytest.mark.parametrize("what", ["body", "url", "method", "kind", "media", "late"])
def test_a_request_that_was_changed_is_refused(server, requests, what):
    request = requests[-1]
    headers = dict(request.headers)
    changes = {
        "body": {"body": request.body.replace(b"Plans", b"Plots")},
        "url": {"url": request.url.replace("good-signed", "good-other")},
        "method": {"method": "PUT"},
        "kind": {"headers": {**headers, "aeg-event-type": "SubscriptionValidation"}},
        "media": {"headers": {**headers, "content-type": "text/plain"}},
        "late": {"headers": {**headers, "signature-input": moved(headers["signature-input"])}},
    }
    with pytest.raises(InvalidSignature):
        Receiver(server).take(dataclasses.replace(request, **changes[what]))


def moved(signature_input):
    """With its end put off, which is signed too."""
    before, after = signature_input.split(";expires=")
    number, rest = after.split(";", 1)
    return f"{before};expires={int(number) + 600};{rest}"


def test_the_question_to_a_cloud_events_webhook_is_signed(server, hooks):
    world.subscribe(
        server,
        "cloud-signed",
        f"{hooks.base}/good-cloud-signed",
        {"ChatThreadCreated"},
        eventDeliverySchema="CloudEventSchemaV1_0",
    )
    (asked,) = hooks.told("good-cloud-signed", kind="OPTIONS")
    message = types.SimpleNamespace(method=asked.method, url=asked.url, headers=asked.headers)
    verifier = HTTPMessageVerifier(signature_algorithm=algorithms.ED25519, key_resolver=Keys(server))
    verifier.verify(
        message,
        expect_tag="chancery-event",
        require_components=("@method", "@target-uri", "webhook-request-origin"),
    )
    world.unsubscribe(server, "cloud-signed")


def test_another_geography_has_another_key(server):
    here = Keys(server).keys
    answer = raw.request(server, "GET", DIRECTORY, host=server.resource("beta").host)
    there = {key["kid"] for key in json.loads(answer.body)["keys"]}
    assert there and not there & set(here)
    assert all("d" not in key for key in here.values())
