"""The official Python clients of phone numbers and SIP routing, synchronous and asynchronous, behind one face."""

import inspect

from azure.communication.phonenumbers import PhoneNumbersClient
from azure.communication.phonenumbers.aio import PhoneNumbersClient as AioPhoneNumbersClient
from azure.communication.phonenumbers.siprouting import SipRoutingClient
from azure.communication.phonenumbers.siprouting.aio import SipRoutingClient as AioSipRoutingClient

from . import origin, raw
from .sdk import Facade


async def done(poller):
    """What a poller ends with."""
    result = poller.result()
    return await result if inspect.isawaitable(result) else result


class Numbering:
    """One flavour of both clients against one server, from an address of its own."""

    def __init__(self, flavour: str, server):
        self.flavour = flavour
        self.server = server
        self.address = raw.fresh_address()
        self._open: list = []

    def _options(self) -> dict:
        make = origin.aio_transport if self.flavour == "aio" else origin.transport
        return {"transport": make(self.address, self.server.ca_file), "retry_total": 0}

    def _client(self, sync, aio, resource: str, **more) -> Facade:
        kind = aio if self.flavour == "aio" else sync
        text = self.server.resource(resource).connection_string
        client = kind.from_connection_string(text, **self._options(), **more)
        self._open.append(client)
        return Facade(client)

    def numbers(self, resource="alpha", **more) -> Facade:
        return self._client(PhoneNumbersClient, AioPhoneNumbersClient, resource, **more)

    def sip(self, resource="alpha") -> Facade:
        return self._client(SipRoutingClient, AioSipRoutingClient, resource)

    async def close(self) -> None:
        for client in self._open:
            # The synchronous client of numbers has no `close` of its own.
            close = getattr(client, "close", None) or client._phone_number_client.close
            result = close()
            if inspect.isawaitable(result):
                await result
        self._open.clear()
