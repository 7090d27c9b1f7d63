"""Texts from the official SDK through the real server to an SMS centre that shares no code with it, and receipts back."""

import pytest
from centre import wait

SENDER = "CONTOSO"


def numbers(count: int, start: int = 0) -> list[str]:
    return [f"+1425555{number:04}" for number in range(start, start + count)]


def send(world, to, said, sender=SENDER) -> list[str]:
    results = world.client.send(sender, to, said, enable_delivery_report=True)
    assert all(result.successful for result in results), results
    return [result.message_id for result in results]


def send_many(world, count: int, word: str) -> dict[str, str]:
    """That many texts, each saying something of its own: what it says, and its id."""
    return {f"{word} {at}": send(world, numbers(1, at), f"{word} {at}")[0] for at in range(count)}


def test_a_text_arrives_and_its_receipt_comes_back(world):
    (message_id,) = send(world, numbers(1), "Hello [world] {\N{EURO SIGN}}")
    world.delivered([message_id])
    (submission,) = world.centre.state()["submissions"]
    assert submission["text"] == "Hello [world] {\N{EURO SIGN}}"
    assert (submission["from"], submission["to"]) == (SENDER, "14255550000")
    assert world.report(message_id)["from"] == SENDER


def test_a_long_text_arrives_in_parts_and_is_delivered_when_all_are(world):
    said = "Grüße \N{GRINNING FACE} " * 20
    (message_id,) = send(world, numbers(1), said)
    world.delivered([message_id])
    parts = sorted(world.centre.state()["submissions"], key=lambda one: one["udh"][0][-1])
    assert len(parts) > 2 and "".join(part["text"] for part in parts) == said


@pytest.mark.parametrize("when", ["early", "late", "twice", "unknown"])
def test_receipts_count_whenever_they_come(world, when):
    world.centre.behave(receipts=when)
    texts = send_many(world, 20, when)
    world.delivered(texts.values())
    assert world.centre.texts() == dict.fromkeys(texts, 1)
    assert world.centre.state()["counts"]["refused"] == 0, "even of unknown ids: the centre must not bring them for ever"


def test_a_text_that_cannot_be_delivered_is_reported_so(world):
    world.centre.behave(stat="UNDELIV", err="005")
    (message_id,) = send(world, numbers(1), "in vain")
    report = wait(lambda: world.report(message_id), "a report")
    report = wait(
        lambda: (found := world.report(message_id)) and found["deliveryStatus"] == "Failed" and found, "a failure"
    )
    assert report["deliveryStatus"] == "Failed"


def test_a_refusal_of_the_centre_is_reported(world):
    world.centre.behave(status=0x0B)
    (message_id,) = send(world, numbers(1), "refused")
    wait(lambda: (world.report(message_id) or {}).get("deliveryStatus") == "Failed", "a failure")


def test_throttling_delays_and_loses_nothing(world):
    world.centre.behave(throttleEvery=7)
    texts = send_many(world, 60, "throttled")
    world.delivered(texts.values(), 180)
    assert world.centre.texts() == dict.fromkeys(texts, 1), "a throttled text was not taken, so none comes twice"
    assert world.centre.state()["counts"]["throttled"] > 0


def test_a_connection_dropped_in_mid_window_loses_nothing(world):
    world.centre.behave(dropEvery=40, dropsLeft=3)
    texts = send_many(world, 150, "dropped")
    world.delivered(texts.values(), 180)
    state, came = world.centre.state(), world.centre.texts()
    assert came.keys() == texts.keys()
    # Only what was under way when the connection ended may come twice: the centre took it and could not say so.
    twice = sum(times - 1 for times in came.values())
    assert state["counts"]["dropped"] == 3 and twice <= 3 * 50, twice


def test_texts_wait_for_a_centre_that_is_away(world):
    world.centre.ask("POST", "/drop")
    texts = send_many(world, 10, "waiting")
    world.delivered(texts.values(), 120)
    assert world.centre.texts().keys() == texts.keys()


def test_texts_outlive_a_restart(world):
    world.centre.behave(status=0x58)
    texts = send_many(world, 20, "kept")
    world.server.stop()
    world.centre.behave(status=0)
    world.start()
    wait(lambda: len(world.centre.texts()) == 20, "the texts of before", 180)
    assert world.centre.texts() == dict.fromkeys(texts, 1)
