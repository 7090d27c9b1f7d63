"""Servers for the whole run, SDKs for one test. Every server must end cleanly, or the run fails."""

import concurrent.futures
import threading

import pytest
import pytest_asyncio
from support import aged as aged_server
from support import names, raw, sdk as sdks, server as servers

names.install()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Two resources in two geographies; no rate limits."""
    with servers.running(tmp_path_factory.mktemp("main")) as running:
        yield running


@pytest.fixture(scope="session")
def limited_server(tmp_path_factory):
    """The same with the rate limits of ACS."""
    with servers.running(tmp_path_factory.mktemp("limited"), flags=["--acs-rate-limits"]) as running:
        yield running


@pytest.fixture(scope="session")
def aged(tmp_path_factory):
    """A server that holds a user whose token has expired."""
    expired = aged_server.start(tmp_path_factory.mktemp("aged"))
    yield expired
    expired.server.stop()


@pytest_asyncio.fixture(params=sdks.FLAVOURS)
async def sdk(request, server):
    """Each flavour of the Python SDKs against the main server."""
    driver = sdks.Sdk(request.param, server)
    yield driver
    await driver.close()


@pytest_asyncio.fixture(params=sdks.FLAVOURS)
async def limited(request, limited_server):
    """Each flavour of the Python SDKs against the server with rate limits."""
    driver = sdks.Sdk(request.param, limited_server)
    yield driver
    await driver.close()


@pytest.fixture(scope="session")
def alpha(server):
    return server.resource("alpha")


@pytest.fixture(scope="session")
def beta(server):
    return server.resource("beta")


@pytest.fixture(scope="session")
def make_user(server, alpha):
    """Makes users by raw requests, for tests that are not about the SDKs: gives (id, token)."""

    def make(*scopes, resource=None, minutes=1440):
        asked = {"createTokenWithScopes": list(scopes or ("chat",)), "expiresInMinutes": minutes}
        made = raw.signed(server, resource or alpha, "POST", f"/identities?{raw.IDENTITY}", asked)
        assert made.status == 201, (made.status, made.body)
        return made.json()["identity"]["id"], made.json()["accessToken"]["token"]

    return make


@pytest.fixture(scope="session")
def crowd(server, alpha):
    """The ids of as many users of alpha as asked for; made once, and more when more are asked for."""
    known: list[str] = []
    guard = threading.Lock()

    def make_one(_):
        made = raw.signed(server, alpha, "POST", f"/identities?{raw.IDENTITY}", {})
        assert made.status == 201, (made.status, made.body)
        return made.json()["identity"]["id"]

    def some(count: int) -> list[str]:
        with guard, concurrent.futures.ThreadPoolExecutor(8) as pool:
            known.extend(pool.map(make_one, range(max(0, count - len(known)))))
        return known[:count]

    return some
