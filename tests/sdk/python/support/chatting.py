"""Small words for the chat tests: what a message says, when, in which order."""

import datetime

from azure.communication.chat import ChatMessageType

from .sdk import items

USER_TYPES = (ChatMessageType.TEXT, ChatMessageType.HTML)


def ids_of(participants) -> set[str]:
    return {participant.identifier.raw_id for participant in participants}


def text(message) -> str | None:
    return message.content.message if message.content is not None else None


def texts(messages) -> list[str]:
    """What users wrote, in the order given; tombstones and system messages left out."""
    return [text(m) for m in messages if m.type in USER_TYPES and text(m) is not None]


async def history(thread, **options) -> list:
    """All messages a user sees in a thread, newest first."""
    return await items(thread.list_messages(**options))


def moment(message_id: str) -> datetime.datetime:
    """Ids are Unix milliseconds."""
    return datetime.datetime.fromtimestamp(int(message_id) / 1000, datetime.timezone.utc)


def check_order(messages) -> None:
    """Newest first; ids and sequence numbers fall together; no number twice; times do not run back."""
    sequence = [int(m.sequence_id) for m in messages]
    assert sequence == sorted(sequence, reverse=True) and len(set(sequence)) == len(sequence), sequence
    ids = [int(m.id) for m in messages]
    assert ids == sorted(ids, reverse=True) and len(set(ids)) == len(ids), ids
    times = [m.created_on for m in messages]
    assert times == sorted(times, reverse=True), times


def check_fresh(message) -> None:
    """A message nobody has touched since it was sent."""
    assert message.id.isdecimal() and message.version == message.id
    assert message.created_on.utcoffset() == datetime.timedelta(0)
    assert abs((message.created_on - moment(message.id)).total_seconds()) < 5
    assert abs((message.created_on - datetime.datetime.now(datetime.timezone.utc)).total_seconds()) < 60
    assert message.edited_on is None and message.deleted_on is None


async def until_after(thread, message_id: str, milliseconds: int) -> list[str]:
    """Sends messages until the server's clock is this far past a message; gives their ids. Needs no sleep."""
    sent = []
    while not sent or int(sent[-1]) < int(message_id) + milliseconds:
        sent.append((await thread.send_message("time passes")).id)
    return sent
