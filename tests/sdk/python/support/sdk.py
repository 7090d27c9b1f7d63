"""The official Python SDKs, synchronous and asynchronous, behind one face, so that a test is written once.

Nothing of the SDKs is replaced or patched: a call is passed on as it stands, and what it gives is awaited if
it can be.
"""

import dataclasses
import datetime
import inspect

from azure.communication.chat import (
    ChatClient,
    ChatParticipant,
    ChatThreadClient,
    CommunicationTokenCredential,
)
from azure.communication.chat.aio import ChatClient as AioChatClient
from azure.communication.chat.aio import ChatThreadClient as AioChatThreadClient
from azure.communication.chat.aio import CommunicationTokenCredential as AioTokenCredential
from azure.communication.identity import CommunicationIdentityClient, CommunicationUserIdentifier
from azure.communication.identity.aio import CommunicationIdentityClient as AioIdentityClient
from azure.communication.sms import SmsClient
from azure.communication.sms.aio import SmsClient as AioSmsClient
from azure.core.credentials import AzureKeyCredential

from . import origin, raw

FLAVOURS = ("sync", "aio")


class Facade:
    """A client whose operations can be awaited in either flavour; pagers come back as they are."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        method = getattr(self.client, name)

        def call(*args, **kwargs):
            result = method(*args, **kwargs)
            if inspect.isawaitable(result) or hasattr(result, "by_page"):
                return result
            return _ready(result)

        return call


async def _ready(value):
    return value


async def items(pager) -> list:
    """All items of a pager."""
    if hasattr(pager, "__aiter__"):
        return [item async for item in pager]
    return list(pager)


async def pages(pager) -> list[list]:
    """All pages of a pager, each as a list."""
    return [page async for page in each_page(pager)]


async def each_page(pager):
    """The pages of a pager one after the other, so that a test may act between two of them."""
    if hasattr(pager, "__aiter__"):
        async for page in pager.by_page():
            yield [item async for item in page]
    else:
        for page in pager.by_page():
            yield list(page)


@dataclasses.dataclass
class User:
    """A communication user with one token, and the clients that use it."""

    sdk: "Sdk"
    resource: object
    identifier: CommunicationUserIdentifier
    token: str
    _chat: Facade | None = None

    @property
    def id(self) -> str:
        return self.identifier.properties["id"]

    @property
    def chat(self) -> Facade:
        if self._chat is None:
            self._chat = self.sdk.chat(self.resource, self.token)
        return self._chat

    def thread(self, thread_id: str) -> Facade:
        return self.sdk.thread(self.resource, self.token, thread_id)

    def as_participant(self, **more) -> ChatParticipant:
        return ChatParticipant(identifier=self.identifier, **more)


class Sdk:
    """One flavour of the SDKs against one server, from an address of its own. Keeps the clients it opened, to close
    them. With `plain` nothing is given to the SDKs but the CA."""

    def __init__(self, flavour: str, server, plain: bool = False):
        self.flavour = flavour
        self.server = server
        self.address = None if plain else raw.fresh_address()
        self._open: list = []
        self._identities: dict = {}

    @property
    def _aio(self) -> bool:
        return self.flavour == "aio"

    def options(self, **more) -> dict:
        """Client options: the server's own CA; no retries, so that the first answer is the one that is judged."""
        ca_file = self.server.ca_file
        if self.address is None:
            return {"connection_verify": ca_file, **more}
        make = origin.aio_transport if self._aio else origin.transport
        return {"transport": make(self.address, ca_file), "retry_total": 0, **more}

    def _keep(self, client) -> Facade:
        self._open.append(client)
        return Facade(client)

    def identity(self, resource="alpha", **more) -> Facade:
        """The identity client of a resource, from its connection string."""
        known = not more
        if known and resource in self._identities:
            return self._identities[resource]
        kind = AioIdentityClient if self._aio else CommunicationIdentityClient
        text = self.server.resource(resource).connection_string
        client = self._keep(kind.from_connection_string(text, **self.options(**more)))
        if known:
            self._identities[resource] = client
        return client

    def identity_with_key(self, endpoint: str, key: str, **more) -> Facade:
        """An identity client with any endpoint and key."""
        kind = AioIdentityClient if self._aio else CommunicationIdentityClient
        return self._keep(kind(endpoint, AzureKeyCredential(key), **self.options(**more)))

    def sms(self, resource="alpha", **more) -> Facade:
        """The SMS client of a resource, from its connection string."""
        kind = AioSmsClient if self._aio else SmsClient
        text = self.server.resource(resource).connection_string
        return self._keep(kind.from_connection_string(text, **self.options(**more)))

    def sms_with_key(self, endpoint: str, key: str, **more) -> Facade:
        """An SMS client with any endpoint and key."""
        kind = AioSmsClient if self._aio else SmsClient
        return self._keep(kind(endpoint, AzureKeyCredential(key), **self.options(**more)))

    def _credential(self, token: str):
        return AioTokenCredential(token) if self._aio else CommunicationTokenCredential(token)

    def chat(self, resource, token: str, **more) -> Facade:
        kind = AioChatClient if self._aio else ChatClient
        return self._keep(kind(resource.endpoint, self._credential(token), **self.options(**more)))

    def thread(self, resource, token: str, thread_id: str, **more) -> Facade:
        kind = AioChatThreadClient if self._aio else ChatThreadClient
        return self._keep(kind(resource.endpoint, self._credential(token), thread_id, **self.options(**more)))

    async def user(self, *scopes: str, resource="alpha", minutes: int | None = None) -> User:
        """A new user with a token of these scopes (`chat` if none is named)."""
        lasting = None if minutes is None else datetime.timedelta(minutes=minutes)
        identifier, token = await self.identity(resource).create_user_and_token(
            list(scopes or ("chat",)), token_expires_in=lasting
        )
        return User(self, self.server.resource(resource), identifier, token.token)

    async def with_scopes(self, user: User, *scopes: str) -> User:
        """The same user with another token."""
        token = await self.identity(user.resource.name).get_token(user.identifier, list(scopes))
        return User(self, user.resource, user.identifier, token.token)

    async def make_thread(self, owner: User, *others: User, topic="a topic") -> str:
        """A new thread of `owner` with these others; gives its id."""
        made = await owner.chat.create_chat_thread(
            topic, thread_participants=[other.as_participant() for other in others]
        )
        assert not made.errors, made.errors
        return made.chat_thread.id

    async def close(self) -> None:
        for client in reversed(self._open):
            # The synchronous identity and SMS clients have no `close` of their own.
            close = getattr(client, "close", None)
            if close is None:
                inner = getattr(client, "_identity_service_client", None) or client._sms_service_client
                close = inner.close
            result = close()
            if inspect.isawaitable(result):
                await result
        self._open.clear()
