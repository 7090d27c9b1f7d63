"""Every operation on phone numbers, and every documented refusal, through the SDK."""

import datetime
import uuid

import pytest
import pytest_asyncio
from azure.communication.phonenumbers import (
    OperatorInformationOptions,
    PhoneNumberAssignmentType,
    PhoneNumberCapabilities,
    PhoneNumberCapabilityType,
    PhoneNumberType,
)
from azure.core.exceptions import HttpResponseError
from support import shows
from support.numbering import Numbering, done
from support.sdk import FLAVOURS, items, pages

BOTH = PhoneNumberCapabilities(
    calling=PhoneNumberCapabilityType.INBOUND_OUTBOUND, sms=PhoneNumberCapabilityType.INBOUND_OUTBOUND
)
CALLS = PhoneNumberCapabilities(calling="inbound", sms="none")
FAST = {"polling_interval": 0.02}


@pytest_asyncio.fixture(params=FLAVOURS)
async def phone(request, server):
    numbering = Numbering(request.param, server)
    yield numbering
    await numbering.close()


async def search(client, country="US", kind=PhoneNumberType.TOLL_FREE, capabilities=BOTH, **more):
    assignment = PhoneNumberAssignmentType.APPLICATION
    poller = await client.begin_search_available_phone_numbers(country, kind, assignment, capabilities, **FAST, **more)
    return await done(poller)


async def buy(client, found, **more):
    await done(await client.begin_purchase_phone_numbers(found.search_id, **FAST, **more))


async def owned(client) -> set[str]:
    return {number.phone_number for number in await items(client.list_purchased_phone_numbers())}


async def release(client, *numbers):
    for number in numbers:
        await done(await client.begin_release_phone_number(number, **FAST))


async def test_search_purchase_look_change_and_release(phone):
    client = phone.numbers()
    before = datetime.datetime.now(datetime.timezone.utc)
    found = await search(client, area_code="833", quantity=2)
    assert len(found.phone_numbers) == 2 and all(number.startswith("+1833555") for number in found.phone_numbers)
    assert (found.phone_number_type, found.assignment_type) == ("tollFree", "application")
    assert (found.cost.amount, found.cost.currency_code, found.cost.billing_frequency) == (2.0, "USD", "monthly")
    assert found.is_agreement_to_not_resell_required is False
    assert (found.error_code, found.error) == (0, "NoError")
    minutes = (found.search_expires_by - before).total_seconds() / 60
    assert 14 < minutes <= 15.5
    await buy(client, found)
    assert set(found.phone_numbers) <= await owned(client)
    number = await client.get_purchased_phone_number(found.phone_numbers[0])
    assert (number.id, number.phone_number) == (found.phone_numbers[0][1:], found.phone_numbers[0])
    assert (number.country_code, number.phone_number_type) == ("US", "tollFree")
    assert (number.capabilities.calling, number.capabilities.sms) == ("inbound+outbound", "inbound+outbound")
    assert abs((number.purchase_date - before).total_seconds()) < 60
    poller = await client.begin_update_phone_number_capabilities(number.phone_number, sms="inbound", calling="none", **FAST)
    changed = await done(poller)
    assert (changed.phone_number, changed.capabilities.calling, changed.capabilities.sms) == (
        number.phone_number,
        "none",
        "inbound",
    )
    await release(client, *found.phone_numbers)
    assert not set(found.phone_numbers) & await owned(client)
    with shows.fails(404, "notFound") as refused:
        await client.get_purchased_phone_number(found.phone_numbers[0])
    assert refused["error"]["target"] == "phonenumber"


async def test_what_is_not_there_is_out_of_stock(phone):
    client = phone.numbers()
    for more in ({"country": "FR", "kind": "tollFree"}, {"country": "US", "area_code": "999"}):
        found = await search(client, **more)
        assert found.phone_numbers == [] and (found.error_code, found.error) == (1000, "OutOfStock")
        with pytest.raises(HttpResponseError) as failed:
            await buy(client, found)
        assert "AllNumbersNotAcquired" in str(failed.value)


async def test_a_search_is_bought_once(phone):
    client = phone.numbers()
    found = await search(client)
    await buy(client, found)
    with shows.fails(409):
        await buy(client, found)
    with shows.fails(404, "notFound"):
        await client.begin_purchase_phone_numbers(str(uuid.uuid4()), **FAST)
    await release(client, *found.phone_numbers)


async def test_numbers_that_may_not_be_resold(phone):
    client = phone.numbers("beta")
    found = await search(client, "DE", "geographic", CALLS)
    assert found.is_agreement_to_not_resell_required is True
    with shows.fails(400) as refused:
        await buy(client, found)
    assert refused["error"]["target"] == "agreeToNotResell"
    await buy(client, found, agree_to_not_resell=True)
    assert set(found.phone_numbers) <= await owned(client)
    await release(client, *found.phone_numbers)


async def test_numbers_of_another_resource_are_as_none(phone):
    ours, theirs = phone.numbers("alpha"), phone.numbers("beta")
    found = await search(ours)
    await buy(ours, found)
    number = found.phone_numbers[0]
    calls = (
        lambda: theirs.get_purchased_phone_number(number),
        lambda: theirs.begin_release_phone_number(number, **FAST),
        lambda: theirs.begin_update_phone_number_capabilities(number, sms="none", **FAST),
    )
    for call in calls:
        with shows.fails(404, "notFound"):
            await call()
    assert number in await owned(ours)
    await release(ours, number)


async def test_refused_searches(phone):
    client = phone.numbers()
    for quantity in (0, 501):
        with shows.fails(400) as refused:
            await search(client, quantity=quantity)
        assert refused["error"]["target"] == "quantity"
    for arguments in ({"kind": "pager"}, {"country": "USA"}, {"area_code": "x"}):
        with shows.fails(400):
            await search(client, **arguments)
    with shows.fails(400):
        await search(client, capabilities=PhoneNumberCapabilities(calling="none", sms="none"))


async def test_capabilities_that_are_not_offered(phone):
    client = phone.numbers()
    found = await search(client, kind="geographic", capabilities=CALLS, area_code="206")
    await buy(client, found)
    with shows.fails(400) as refused:
        await client.begin_update_phone_number_capabilities(found.phone_numbers[0], sms="outbound", **FAST)
    assert refused["error"]["target"] == "capabilities"
    await release(client, *found.phone_numbers)


async def test_lists_in_pages(phone):
    client = phone.numbers("beta")
    found = await search(client, quantity=5)
    await buy(client, found)
    all_pages = await pages(client.list_purchased_phone_numbers(top=2))
    assert all(len(page) <= 2 for page in all_pages) and len(all_pages) >= 3
    numbers = [number.phone_number for page in all_pages for number in page]
    assert len(set(numbers)) == len(numbers) and set(found.phone_numbers) <= set(numbers)
    assert set(numbers) == await owned(client)
    await release(client, *found.phone_numbers)


async def test_what_is_offered(phone):
    client = phone.numbers()
    countries = await items(client.list_available_countries())
    assert ("US", "United States") in [(country.country_code, country.localized_name) for country in countries]
    localities = await items(client.list_available_localities("US"))
    seattle = next(one for one in localities if one.localized_name == "Seattle")
    division = seattle.administrative_division
    assert (division.abbreviated_name, division.localized_name) == ("WA", "Washington")
    named = await items(client.list_available_localities("US", administrative_division="WA"))
    assert {one.localized_name for one in named} == {"Bellevue", "Seattle"}
    offerings = await items(client.list_available_offerings("US", phone_number_type="tollFree"))
    assert [offering.available_capabilities.sms for offering in offerings] == ["inbound+outbound"]
    assert offerings[0].cost.amount == 2.0
    codes = await items(client.list_available_area_codes("US", "geographic", locality="Seattle", administrative_division="WA"))
    assert [code.area_code for code in codes] == ["206"]
    free = await items(client.list_available_area_codes("US", "tollFree", assignment_type="application"))
    assert "833" in [code.area_code for code in free]
    with shows.fails(400):
        await items(client.list_available_offerings("US", phone_number_type="pager"))


async def test_browsing(phone):
    client = phone.numbers()
    found = await client.browse_available_phone_numbers(
        country_code="US",
        phone_number_type="tollFree",
        sms_capability="inbound+outbound",
        calling_capability="inbound",
        assignment_type="application",
        phone_number_prefixes=["1877"],
    )
    assert found.phone_numbers and all(number.phone_number.startswith("+1877") for number in found.phone_numbers)
    one = found.phone_numbers[0]
    assert (one.status, one.country_code, one.id) == ("available", "US", one.phone_number[1:])
    again = await client.browse_available_phone_numbers(country_code="US", phone_number_type="tollFree")
    assert len(again.phone_numbers) == 100


async def test_reservations(phone):
    client = phone.numbers()
    browsed = await client.browse_available_phone_numbers(country_code="US", phone_number_type="tollFree")
    first, second, third = browsed.phone_numbers[:3]
    reservation_id = str(uuid.uuid4())
    made = await client.create_or_update_reservation(reservation_id=reservation_id, numbers_to_add=[first, second])
    assert (made.id, made.status) == (reservation_id, "active")
    assert {number.status for number in made.phone_numbers.values()} == {"reserved"}
    changed = await client.create_or_update_reservation(
        reservation_id=reservation_id, numbers_to_add=[third], numbers_to_remove=[first.id]
    )
    assert set(changed.phone_numbers) == {second.id, third.id} and changed.expires_at >= made.expires_at
    listed = {one.id: one for one in await items(client.list_reservations(max_page_size=1))}
    assert not listed[reservation_id].phone_numbers
    await done(await client.begin_purchase_reservation(reservation_id, **FAST))
    completed = await client.get_reservation(reservation_id)
    assert completed.status == "completed"
    assert {number.status for number in completed.phone_numbers.values()} == {"purchased"}
    assert {second.phone_number, third.phone_number} <= await owned(client)
    for call in (
        lambda: client.delete_reservation(reservation_id),
        lambda: client.create_or_update_reservation(reservation_id=reservation_id, numbers_to_add=[first]),
        lambda: client.begin_purchase_reservation(reservation_id, **FAST),
    ):
        with shows.fails(409):
            await call()
    await release(client, second.phone_number, third.phone_number)


async def test_a_number_that_is_taken_fails_alone(phone):
    ours = phone.numbers()
    browsed = await ours.browse_available_phone_numbers(country_code="US", phone_number_type="tollFree")
    first, second = browsed.phone_numbers[:2]
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    await ours.create_or_update_reservation(reservation_id=one, numbers_to_add=[first])
    partly = await ours.create_or_update_reservation(reservation_id=other, numbers_to_add=[first, second])
    failed = partly.phone_numbers[first.id]
    assert (failed.status, failed.error.code) == ("error", "FailedToReserveNumber")
    assert partly.phone_numbers[second.id].status == "reserved"
    for reservation in (one, other):
        await ours.delete_reservation(reservation)
        with shows.fails(404, "notFound"):
            await ours.get_reservation(reservation)
    with shows.fails(404, "notFound"):
        await ours.delete_reservation(one)
    empty = str(uuid.uuid4())
    await ours.create_or_update_reservation(reservation_id=empty)
    with shows.fails(400):
        await ours.begin_purchase_reservation(empty, **FAST)


async def test_operator_information(phone):
    client = phone.numbers()
    plain = await client.search_operator_information("+447700900123")
    assert [one.phone_number for one in plain.values] == ["+447700900123"]
    assert plain.values[0].international_format.startswith("+44 ") and plain.values[0].number_type is None
    options = OperatorInformationOptions(include_additional_operator_details=True)
    rich = await client.search_operator_information(["+447700900123", "+14155550100"], options=options)
    mobile, place = rich.values
    assert (mobile.number_type, mobile.iso_country_code) == ("mobile", "GB")
    assert (mobile.operator_details.name, mobile.operator_details.mobile_country_code) == ("Contoso Mobile", "234")
    assert (place.number_type, place.national_format) == ("geographic", "(415) 555-0100")
    with shows.fails(400):
        await client.search_operator_information("12")


async def test_older_versions(phone):
    for version in ("2022-12-01", "2025-04-01"):
        client = phone.numbers(api_version=version)
        with shows.fails(404, "notFound"):
            await client.get_purchased_phone_number("+14155550100")
        found = await search(client)
        assert len(found.phone_numbers) == 1


async def test_a_development_server_gives_each_resource_a_number(phone, server):
    for resource in server.ready["resources"]:
        numbers = resource["phoneNumbers"]
        assert numbers and set(numbers) <= await owned(phone.numbers(resource["name"]))
