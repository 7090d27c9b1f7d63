"""SIP routing through the SDK: trunks and routes, and every refusal that ACS documents or its tests recorded."""

import pytest
import pytest_asyncio
from azure.communication.phonenumbers.siprouting import SipTrunk, SipTrunkRoute
from support import shows
from support.numbering import Numbering
from support.sdk import FLAVOURS, items

FIRST = SipTrunk(fqdn="sbs1.contoso.com", sip_signaling_port=5061)
SECOND = SipTrunk(fqdn="sbs2.contoso.com", sip_signaling_port=5062)
PATTERN = "^+[1-9][0-9]{3,23}$"


@pytest_asyncio.fixture(params=FLAVOURS)
async def sip(request, server):
    """The client of a resource whose configuration is empty."""
    numbering = Numbering(request.param, server)
    client = numbering.sip("beta")
    await client.set_routes([])
    await client.set_trunks([])
    yield client
    await numbering.close()


async def trunks(client) -> dict[str, int]:
    return {trunk.fqdn: trunk.sip_signaling_port for trunk in await items(client.list_trunks())}


async def refused(call, status, inner):
    """Refused in the words of ACS, as the tests of its SDKs recorded them."""
    with shows.fails(status) as seen:
        await call()
    assert (seen["error"]["code"], seen["error"]["innererror"]["code"]) == ("UnprocessableConfiguration", inner)
    assert seen["headers"]["x-ms-error-code"] == "UnprocessableConfiguration"


async def test_trunks(sip):
    assert await trunks(sip) == {}
    await sip.set_trunks([FIRST, SECOND])
    assert await trunks(sip) == {FIRST.fqdn: 5061, SECOND.fqdn: 5062}
    await sip.set_trunk(SipTrunk(fqdn=FIRST.fqdn, sip_signaling_port=7000))
    assert (await sip.get_trunk(FIRST.fqdn)).sip_signaling_port == 7000
    await sip.delete_trunk(SECOND.fqdn)
    assert await trunks(sip) == {FIRST.fqdn: 7000}
    await sip.set_trunks([SECOND])
    assert await trunks(sip) == {SECOND.fqdn: 5062}, "what is not in the new list is removed"
    with pytest.raises(KeyError):
        await sip.get_trunk(FIRST.fqdn)
    await sip.delete_trunk("unknown.contoso.com")


async def test_routes_keep_their_order(sip):
    await sip.set_trunks([FIRST, SECOND])
    routes = [
        SipTrunkRoute(name="z", number_pattern=PATTERN, trunks=[SECOND.fqdn, FIRST.fqdn], description="first of all"),
        SipTrunkRoute(name="a", number_pattern="\\+1[0-9]+", trunks=[]),
    ]
    await sip.set_routes(routes)
    stored = await items(sip.list_routes())
    assert [(route.name, route.number_pattern, route.trunks) for route in stored] == [
        ("z", PATTERN, [SECOND.fqdn, FIRST.fqdn]),
        ("a", "\\+1[0-9]+", []),
    ]
    assert stored[0].description == "first of all"
    await refused(lambda: sip.delete_trunk(FIRST.fqdn), 422, "MissingTrunk")
    assert len(await trunks(sip)) == 2
    await sip.set_routes([])
    await sip.delete_trunk(FIRST.fqdn)


async def test_what_breaks_a_rule(sip):
    def trunk(fqdn, port):
        return lambda: sip.set_trunk(SipTrunk(fqdn=fqdn, sip_signaling_port=port))

    def route(*all_of, **more):
        return lambda: sip.set_routes([SipTrunkRoute(**{"name": "n", "number_pattern": PATTERN, **one, **more}) for one in all_of])

    await sip.set_trunk(FIRST)
    for call, status, inner in (
        (trunk("-1", 5061), 422, "InvalidTrunkFqdn"),
        (trunk(SECOND.fqdn, 0), 422, "InvalidTrunkSipSignalingPort"),
        (trunk(SECOND.fqdn, 65536), 422, "InvalidTrunkSipSignalingPort"),
        (route({"name": ""}), 422, "InvalidRouteName"),
        (route({"number_pattern": ""}), 422, "InvalidRouteNumberPattern"),
        (route({"number_pattern": "("}), 422, "InvalidRouteNumberPattern"),
        (route({}, trunks=["unknown.contoso.com"]), 422, "MissingTrunk"),
        (route({}, {}), 400, "DuplicatedRoute"),
        (route({}, trunks=[FIRST.fqdn, FIRST.fqdn]), 400, "RouteWithDuplicatedTrunk"),
    ):
        await refused(call, status, inner)
    assert await trunks(sip) == {FIRST.fqdn: 5061}
    assert await items(sip.list_routes()) == []
