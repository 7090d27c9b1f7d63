"""Mail for the tests: clients of the email SDK, messages, and a look into the development outbox by its operator."""

import inspect
import time

from azure.communication.email import EmailClient
from azure.communication.email.aio import EmailClient as AioEmailClient
from azure.core.credentials import AzureKeyCredential

from . import raw

VERSION = "api-version=2025-09-01"
OLD_VERSION = "api-version=2023-03-31"
POLLS = {"polling_interval": 0.2}


def sender(name="alpha") -> str:
    """Where a resource may always send from in development."""
    return f"donotreply@{name}.chancery.test"


def message(*to: str, **more) -> dict:
    """A mail to these addresses."""
    return {
        "senderAddress": sender(),
        "content": {"subject": "Hello ☃", "plainText": "a text", "html": "<p>a <b>text</b></p>"},
        "recipients": {"to": [{"address": address} for address in to or ("ada@example.com",)]},
        **more,
    }


def client(sdk, resource="alpha", **more):
    """The email client of a resource, from its connection string."""
    kind = AioEmailClient if sdk.flavour == "aio" else EmailClient
    text = sdk.server.resource(resource).connection_string
    return sdk._keep(kind.from_connection_string(text, **sdk.options(**more)))


def client_with_key(sdk, endpoint: str, key: str, **more):
    """An email client with any endpoint and key."""
    kind = AioEmailClient if sdk.flavour == "aio" else EmailClient
    return sdk._keep(kind(endpoint, AzureKeyCredential(key), **sdk.options(**more)))


async def outcome(poller) -> dict:
    """What the operation came to."""
    result = poller.result(30) if not _is_aio(poller) else poller.result()
    return await result if inspect.isawaitable(result) else result


def _is_aio(poller) -> bool:
    return inspect.iscoroutinefunction(poller.result)


async def send(email, mail: dict, **more) -> dict:
    """Sends, and waits until the operation has ended."""
    return await outcome(await email.begin_send(mail, **{**POLLS, **more}))


def operator(server, method: str, path: str, value=None, resource="alpha"):
    """A call of whoever runs the server."""
    found = server.resource(resource)
    token = server.ready["adminToken"]
    target = f"/operator/resources/{resource}/{path}"
    answer = raw.bearer(server, found, token, method, target, value)
    assert answer.status == 200, (answer.status, answer.body)
    return answer.json() if answer.body else None


def captured(server, message_id: str, resource="alpha") -> dict:
    """What the development outbox holds of a mail."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        for item in operator(server, "GET", "outbox?maxPageSize=200", resource=resource)["value"]:
            if item["messageId"] == message_id:
                return operator(server, "GET", f"outbox/{item['id']}", resource=resource)
        time.sleep(0.1)
    raise AssertionError(f"{message_id} is not in the outbox")


def fates(server, message_id: str, resource="alpha") -> dict:
    """What became of each recipient, by address."""
    told = operator(server, "GET", f"email/messages/{message_id}", resource=resource)
    return {one["address"]: one["status"] for one in told["recipients"]}
