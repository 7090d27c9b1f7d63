"""Transports that call from a loopback address of their own, by the SDKs' public `transport` option.

After 20 failed sign-ins in a minute an address gets 429 in place of 401, and the tests fail to sign in much more often.
"""

import aiohttp
import requests
from azure.core.pipeline.transport import AioHttpTransport, RequestsTransport


class _From(requests.adapters.HTTPAdapter):
    def __init__(self, address: str):
        self._source = (address, 0)
        super().__init__()

    def init_poolmanager(self, *args, **kwargs):
        super().init_poolmanager(*args, source_address=self._source, **kwargs)


def transport(address: str, ca_file: str) -> RequestsTransport:
    session = requests.Session()
    session.trust_env = False
    session.mount("https://", _From(address))
    return RequestsTransport(session=session, connection_verify=ca_file)


def aio_transport(address: str, ca_file: str) -> AioHttpTransport:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(local_addr=(address, 0)),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
    return AioHttpTransport(session=session, connection_verify=ca_file)
