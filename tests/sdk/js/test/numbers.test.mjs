// Every operation on phone numbers and on SIP routing, and their refusals, through the JavaScript SDK.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { PhoneNumbersClient, SipRoutingClient } from "@azure/communication-phone-numbers";

import { items, main, once, pages } from "../support/sdk.mjs";
import { fails } from "../support/shows.mjs";

const numbers = (name = "alpha") => new PhoneNumbersClient(main.resource(name).connectionString, once());
const sip = (name = "alpha") => new SipRoutingClient(main.resource(name).connectionString, once());
const BOTH = { calling: "inbound+outbound", sms: "inbound+outbound" };
const FAST = { intervalInMs: 20, updateIntervalInMs: 20 };

async function search(client, more = {}) {
  const asked = {
    countryCode: "US",
    phoneNumberType: "tollFree",
    assignmentType: "application",
    capabilities: BOTH,
    ...more,
  };
  const poller = await client.beginSearchAvailablePhoneNumbers(asked, FAST);
  return poller.pollUntilDone();
}

async function buy(client, found, options = {}) {
  const poller = await client.beginPurchasePhoneNumbers(found.searchId, { ...FAST, ...options });
  await poller.pollUntilDone();
}

async function release(client, ...all) {
  for (const number of all) await (await client.beginReleasePhoneNumber(number, FAST)).pollUntilDone();
}

const owned = async (client) => (await items(client.listPurchasedPhoneNumbers())).map((one) => one.phoneNumber);

test("search, purchase, look, change and release", async () => {
  const client = numbers();
  const found = await search(client, { areaCode: "844", quantity: 2 });
  assert.equal(found.phoneNumbers.length, 2);
  assert.ok(found.phoneNumbers.every((number) => number.startsWith("+1844555")));
  assert.equal(found.cost.amount, 2);
  assert.equal(found.isAgreementToNotResellRequired, false);
  assert.ok(found.searchExpiresBy instanceof Date);
  await buy(client, found);
  const number = await client.getPurchasedPhoneNumber(found.phoneNumbers[0]);
  assert.equal(number.phoneNumber, found.phoneNumbers[0]);
  assert.deepEqual({ ...number.capabilities }, BOTH);
  const poller = await client.beginUpdatePhoneNumberCapabilities(number.phoneNumber, { sms: "inbound", calling: "none" }, FAST);
  const changed = await poller.pollUntilDone();
  assert.deepEqual({ ...changed.capabilities }, { calling: "none", sms: "inbound" });
  await release(client, ...found.phoneNumbers);
  const left = await owned(client);
  assert.ok(!left.includes(found.phoneNumbers[0]) && !left.includes(found.phoneNumbers[1]));
  await fails(404, "notFound", () => client.getPurchasedPhoneNumber(found.phoneNumbers[0]));
});

test("what is not there is out of stock", async () => {
  const client = numbers();
  const found = await search(client, { areaCode: "999" });
  assert.deepEqual([found.phoneNumbers.length, found.errorCode, found.error], [0, 1000, "OutOfStock"]);
  await assert.rejects(() => buy(client, found), /AllNumbersNotAcquired|no phone number/);
});

test("a search is bought once, and only by its resource", async () => {
  const client = numbers();
  const found = await search(client);
  await fails(404, "notFound", () => buy(numbers("beta"), found));
  await buy(client, found);
  await fails(409, null, () => buy(client, found));
  await fails(404, "notFound", () => numbers("beta").beginReleasePhoneNumber(found.phoneNumbers[0], FAST));
  await release(client, ...found.phoneNumbers);
});

test("numbers that may not be resold", async () => {
  const client = numbers("beta");
  const capabilities = { calling: "inbound", sms: "none" };
  const found = await search(client, { countryCode: "DE", phoneNumberType: "geographic", capabilities });
  assert.equal(found.isAgreementToNotResellRequired, true);
  await fails(400, null, () => buy(client, found));
  await buy(client, found, { agreeToNotResell: true });
  await release(client, ...found.phoneNumbers);
});

test("refused searches", async () => {
  for (const more of [{ quantity: 501 }, { phoneNumberType: "pager" }, { countryCode: "USA" }, { areaCode: "x" }]) {
    await fails(400, null, () => search(numbers(), more));
  }
});

test("lists in pages", async () => {
  const client = numbers("beta");
  const found = await search(client, { quantity: 5 });
  await buy(client, found);
  const all = await pages(client.listPurchasedPhoneNumbers({ top: 2 }));
  const seen = all.flat().map((one) => one.phoneNumber);
  assert.ok(all.length >= 3 && all.every((page) => page.length <= 2));
  assert.equal(new Set(seen).size, seen.length);
  for (const number of found.phoneNumbers) assert.ok(seen.includes(number));
  await release(client, ...found.phoneNumbers);
});

test("what is offered", async () => {
  const client = numbers();
  const countries = await items(client.listAvailableCountries());
  assert.equal(countries.find((one) => one.countryCode === "GB").localizedName, "United Kingdom");
  const localities = await items(client.listAvailableLocalities("US", { administrativeDivision: "California" }));
  assert.deepEqual(localities.map((one) => one.localizedName), ["San Francisco"]);
  const offerings = await items(client.listAvailableOfferings("GB", { phoneNumberType: "mobile" }));
  assert.equal(offerings[0].cost.currencyCode, "GBP");
  const free = await items(client.listAvailableTollFreeAreaCodes("US"));
  assert.ok(free.some((one) => one.areaCode === "888"));
  const places = await items(client.listAvailableGeographicAreaCodes("US", { locality: "Chicago", administrativeDivision: "IL" }));
  assert.deepEqual(places.map((one) => one.areaCode), ["312"]);
  const mobile = await items(client.listAvailableMobileAreaCodes("SE"));
  assert.deepEqual(mobile.map((one) => one.areaCode), ["70"]);
});

test("browsing and reservations", async () => {
  const client = numbers();
  const browsed = await client.browseAvailablePhoneNumbers({ countryCode: "US", phoneNumberType: "tollFree", phoneNumberPrefixes: ["1888"] });
  const [first, second] = browsed.phoneNumbers;
  assert.ok(first.phoneNumber.startsWith("+1888") && first.status === "available");
  const [reservationId, other] = [randomUUID(), randomUUID()];
  const made = await client.createOrUpdateReservation({ reservationId }, { add: [first, second] });
  assert.equal(made.status, "active");
  assert.equal(made.phoneNumbers[first.id].status, "reserved");
  const partly = await client.createOrUpdateReservation({ reservationId: other }, { add: [first] });
  assert.equal(partly.phoneNumbers[first.id].error.code, "FailedToReserveNumber");
  await client.deleteReservation(other);
  await fails(404, "notFound", () => client.getReservation(other));
  await client.createOrUpdateReservation({ reservationId }, { remove: [second.id] });
  const listed = await items(client.listReservations());
  assert.ok(listed.some((one) => one.id === reservationId));
  await (await client.beginReservationPurchase(reservationId, FAST)).pollUntilDone();
  assert.equal((await client.getReservation(reservationId)).status, "completed");
  await fails(409, null, () => client.deleteReservation(reservationId));
  await release(client, first.phoneNumber);
});

test("operator information", async () => {
  const client = numbers();
  const plain = await client.searchOperatorInformation(["+14155550100"]);
  assert.equal(plain.values[0].nationalFormat, "(415) 555-0100");
  assert.equal(plain.values[0].numberType, undefined);
  const rich = await client.searchOperatorInformation(["+447700900000"], { includeAdditionalOperatorDetails: true });
  assert.equal(rich.values[0].operatorDetails.name, "Contoso Mobile");
  await fails(400, null, () => client.searchOperatorInformation(["12"]));
});

test("trunks and routes", async () => {
  const client = sip();
  await client.setRoutes([]);
  await client.setTrunks([]);
  const trunks = [
    { fqdn: "sbs1.contoso.com", sipSignalingPort: 5061 },
    { fqdn: "sbs2.contoso.com", sipSignalingPort: 5062 },
  ];
  assert.deepEqual(await client.setTrunks(trunks), trunks);
  const routes = [
    { name: "z", description: "d", numberPattern: "^+[1-9][0-9]{3,23}$", trunks: ["sbs2.contoso.com"] },
    { name: "a", description: "e", numberPattern: "x", trunks: [] },
  ];
  const stored = await client.setRoutes(routes);
  assert.deepEqual(stored.map((route) => route.name), ["z", "a"]);
  assert.deepEqual((await items(client.listRoutes())).map((route) => route.name), ["z", "a"]);
  assert.equal((await client.getTrunk("sbs1.contoso.com")).sipSignalingPort, 5061);
  const refused = [
    [422, () => client.deleteTrunk("sbs2.contoso.com")],
    [422, () => client.setTrunk({ fqdn: "-1", sipSignalingPort: 1 })],
    [422, () => client.setTrunk({ fqdn: "sbs3.contoso.com", sipSignalingPort: 0 })],
    [422, () => client.setRoutes([{ ...routes[1], name: "" }])],
    [422, () => client.setRoutes([{ ...routes[1], numberPattern: "" }])],
    [422, () => client.setRoutes([{ ...routes[1], trunks: ["unknown.contoso.com"] }])],
    [400, () => client.setRoutes([routes[1], routes[1]])],
  ];
  for (const [status, call] of refused) {
    const failure = await fails(status, null, call);
    assert.equal(failure.code, "UnprocessableConfiguration");
  }
  await client.setRoutes([]);
  await client.deleteTrunk("sbs2.contoso.com");
  assert.deepEqual((await items(client.listTrunks())).map((trunk) => trunk.fqdn), ["sbs1.contoso.com"]);
  await assert.rejects(() => client.getTrunk("sbs2.contoso.com"), { code: "NotFound" });
});
