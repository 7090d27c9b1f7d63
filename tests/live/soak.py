"""Who listens misses nothing, hears nothing twice and everything in its order, and nothing that is not theirs.

Listeners of the resumable stream and of the push protocol over two nodes, whose connections are cut at random while the nodes
are killed in turn; at the end what each was told is compared with what the store lists. Then one is added and removed again and
again, and has their tokens revoked: after the answer nothing of that thread, or nothing at all, comes (law 9), neither at the node
that was asked nor at the other."""

import argparse
import asyncio
import collections
import json
import random
import sys
import tempfile
import time
from urllib.parse import quote

from acs import CHAT, IDENTITY
from nodes import Pair
from wires import Api, EventStream, Gone, Push

VERSION = f"api-version={CHAT}"
SENDERS = 8
# How long a connection lasts, in seconds, before it is cut.
LASTS = (1.0, 12.0)
# How long listeners may take to hear the last of it.
CATCH_UP = 120


def path(thread, below):
    """Of something in a thread."""
    return f"/chat/threads/{quote(thread, safe='')}{below}?{VERSION}"


class World:
    """Users and threads on a pair of nodes."""

    def __init__(self, pair, dice):
        self.pair, self.dice, self.up = pair, dice, set(pair.nodes)
        self.resource = pair.nodes[0].resource()

    def user(self):
        """(identifier, token)."""
        made = self.resource.create_user()
        return made.id, made.token

    def any_node(self):
        """One that is up."""
        return self.dice.choice(sorted(self.up, key=lambda node: node.port))

    async def thread(self, owner, members):
        """A thread with them in it."""
        body = {"topic": "soak", "participants": [{"communicationIdentifier": {"rawId": who}} for who, _ in members]}
        api = Api(self.pair.nodes[0])
        status, answer = await api.ask("POST", f"/chat/threads?{VERSION}", owner[1], body)
        assert status == 201, (status, answer)
        api.close()
        return answer["chatThread"]["id"]

    async def stored(self, thread, token):
        """The ids of its texts, oldest first."""
        ids, next_path, api = [], path(thread, "/messages") + "&maxPageSize=200", Api(self.pair.nodes[0])
        while next_path:
            status, page = await api.ask("GET", next_path, token)
            assert status == 200, (status, page)
            ids += [each["id"] for each in page["value"] if each["type"] == "text"]
            link = page.get("nextLink")
            next_path = "/" + link.split("/", 3)[3] if link else None
        api.close()
        return ids[::-1]


class Listener:
    """One user, by one of the two protocols, over connection after connection."""

    def __init__(self, world, number, user):
        self.world, self.number, self.token = world, number, user[1]
        self.heard = collections.defaultdict(list)  # by thread: ids, and None where a gap was announced
        self.cuts = self.losses = 0
        self.is_over = False

    async def run(self):
        """Listens until told that it is over."""
        cursor, attempt = None, 0
        while not self.is_over:
            attempt += 1
            node = self.world.any_node()
            is_stream = self.number % 2 == 0
            line = EventStream(node, self.token, cursor) if is_stream else Push(node, self.token, f"end-{self.number}", attempt)
            try:
                await asyncio.wait_for(line.open(), 15)
                lasts = self.world.dice.uniform(*LASTS)
                async with asyncio.timeout(lasts if self.world.is_rough else None):
                    while True:
                        await (self.stream(line) if is_stream else self.push(line))
            except (Gone, TimeoutError):
                self.cuts += 1
            finally:
                line.cut()
                cursor = getattr(line, "id", None)
            await asyncio.sleep(0.05)

    def gap(self):
        """It was announced that something before this may be missing."""
        for ids in self.heard.values():
            if ids and ids[-1] is not None:
                ids.append(None)

    async def stream(self, line):
        """One event of the stream."""
        name, data = await line.next()
        if name == "message":
            event = json.loads(data)
            if event["type"].endswith("ChatMessageReceived"):
                self.heard[event["data"]["threadId"]].append(event["data"]["messageId"])

    async def push(self, line):
        """One frame of the push protocol."""
        kind, body = await line.next()
        if kind == "loss":
            self.losses += 1
            self.gap()
        elif kind == "leave":
            raise Gone("asked to connect elsewhere")
        elif kind == "push" and body.get("eventId") == 200:
            self.heard[body["groupId"]].append(body["messageId"])


async def send(world, threads, left):
    """Sends until none is left; what is not answered may have been stored, as the store will say."""
    apis = {node: Api(node) for node in world.pair.nodes}
    sent = 0
    while left and left[0] > 0:
        left[0] -= 1
        thread, owner = world.dice.choice(threads)
        try:
            status, answer = await apis[world.any_node()].ask(
                "POST", path(thread, "/messages"), owner[1], {"content": f"message {left[0]}", "type": "text"}
            )
            assert status in (201, 503), (status, answer)
            sent += status == 201
        except Gone:
            await asyncio.sleep(0.05)
    return sent


async def kill_in_turn(world, total, left):
    """Each node goes once and comes back: the first is killed, the second told to stop."""
    for turn, node in enumerate(world.pair.nodes):
        while left[0] > total * (2 - turn) // 3:
            await asyncio.sleep(0.05)
        world.up.discard(node)
        await asyncio.to_thread(node.stop if turn else node.kill)
        await asyncio.sleep(2)
        await asyncio.to_thread(node.start)
        world.up.add(node)


def judged(listener, thread, stored):
    """What is wrong with what a listener heard of a thread; None when nothing is."""
    heard = listener.heard[thread]
    if listener.number % 2 == 0:
        if heard == stored:
            return None
        lost, twice = set(stored) - set(heard), [each for each, times in collections.Counter(heard).items() if times > 1]
        return f"stream: {len(lost)} lost, {len(twice)} twice, in order: {heard == sorted(heard, key=int)}"
    place = {each: at for at, each in enumerate(stored)}
    before, is_gap = None, True
    for each in heard:
        if each is None:
            is_gap = True
            continue
        if each not in place:
            return f"push: {each} is not stored"
        if before is not None and (place[each] <= before or (not is_gap and place[each] != before + 1)):
            return f"push: {stored[before]} is followed by {each}"
        before, is_gap = place[each], False
    return None


async def soak(world, messages, listeners, thread_count):
    """The first part."""
    owners = [world.user() for _ in range(thread_count)]
    users = [world.user() for _ in range(listeners)]
    members = [[owner] for owner in owners]
    for number, user in enumerate(users):
        members[number % thread_count].append(user)
        members[(number * 7 + 3) % thread_count].append(user)
    threads = [(await world.thread(owner, who), owner) for owner, who in zip(owners, members)]
    world.is_rough = True
    all_listeners = [Listener(world, number, user) for number, user in enumerate(users)]
    running = [asyncio.create_task(listener.run()) for listener in all_listeners]
    await asyncio.sleep(2)
    begun, left = time.monotonic(), [messages]
    sent = sum(
        (await asyncio.gather(*[send(world, threads, left) for _ in range(SENDERS)], kill_in_turn(world, messages, left)))[:-1]
    )
    took = time.monotonic() - begun
    world.is_rough = False
    stored = {thread: await world.stored(thread, owner[1]) for thread, owner in threads}
    expected = [
        (listener, threads[at][0])
        for number, listener in enumerate(all_listeners)
        for at in {number % thread_count, (number * 7 + 3) % thread_count}
    ]
    deadline = time.monotonic() + CATCH_UP
    while time.monotonic() < deadline:
        behind = [1 for who, thread in expected if who.number % 2 == 0 and len(who.heard[thread]) < len(stored[thread])]
        if not behind:
            break
        await asyncio.sleep(0.5)
    await asyncio.sleep(2)
    wrong = [(who.number, said) for who, thread in expected if (said := judged(who, thread, stored[thread]))]
    for listener, task in zip(all_listeners, running):
        listener.is_over = True
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    total = sum(len(ids) for ids in stored.values())
    told = sum(len([each for each in ids if each]) for who in all_listeners for ids in who.heard.values())
    cuts, losses = sum(who.cuts for who in all_listeners), sum(who.losses for who in all_listeners)
    print(
        f"{sent} messages acknowledged, {total} stored, {told} told to {listeners} listeners in {took:.0f} s; "
        f"{cuts} connections cut, {losses} losses announced, a node killed and one stopped: {len(wrong)} wrong"
    )
    for number, said in wrong[:20]:
        print(f"  listener {number}: {said}")
    assert sent <= total, "what was acknowledged is stored"
    return not wrong


async def removals(world, rounds):
    """The second part: one user who listens at both nodes is added and removed by the first."""
    owner, guest = world.user(), world.user()
    thread = await world.thread(owner, [owner])
    api = Api(world.pair.nodes[0])
    lines = [Push(node, guest[1], f"guest-{at}") for at, node in enumerate(world.pair.nodes)]
    for line in lines:
        await line.open()
    breaches = 0

    async def ask(below, body, status):
        answer = await api.ask("POST", path(thread, below), owner[1], body)
        assert answer[0] == status, answer

    async def until_pong(line, number):
        """What comes until the answer to a ping: whatever comes after it was sent after it."""
        seen = []
        while (got := await asyncio.wait_for(line.next(), 20)) != ("pong", number):
            seen.append(got)
        return seen

    for turn in range(rounds):
        who = {"communicationIdentifier": {"rawId": guest[0]}}
        await ask("/participants/:add", {"participants": [who]}, 201)
        await ask("/messages", {"content": "may be heard", "type": "text"}, 201)
        if world.dice.random() < 0.5:
            await asyncio.sleep(world.dice.uniform(0, 0.004))
        await ask("/participants/:remove", {"rawId": guest[0]}, 204)
        # From here on nothing but the removal itself.
        for number, line in [(await line.ping(), line) for line in lines]:
            await until_pong(line, number)
        await ask("/messages", {"content": "must not be heard", "type": "text"}, 201)
        for number, line in [(await line.ping(), line) for line in lines]:
            after = await until_pong(line, number)
            breaches += sum(kind == "push" and body["eventId"] != 261 for kind, body in after)
        if turn % 1000 == 999:
            print(f"  {turn + 1} removals", flush=True)
    print(f"{rounds} removals, {2 * rounds} looks at both nodes: {breaches} breaches")
    return breaches == 0


async def revocations(world, rounds):
    """The third part: one user who listens at both nodes, whose tokens are revoked by the first."""
    owner, guest = world.user(), world.user()
    thread = await world.thread(owner, [owner, guest])
    api, identity, breaches = Api(world.pair.nodes[0]), quote(guest[0], safe=""), 0

    async def send(text):
        answer = await api.ask("POST", path(thread, "/messages"), owner[1], {"content": text, "type": "text"})
        assert answer[0] == 201, answer

    async def rest(line):
        seen = []
        try:
            while True:
                seen.append(await asyncio.wait_for(line.next(), 20))
                if seen[-1][0] == "leave":
                    return seen
        except Gone:
            return seen

    for turn in range(rounds):
        scopes = {"scopes": ["chat"]}
        _, _, answer = world.resource.signed(
            "POST", f"/identities/{identity}/:issueAccessToken?api-version={IDENTITY}", scopes, expect=200
        )
        lines = [Push(node, answer["token"], f"guest-{turn}-{at}") for at, node in enumerate(world.pair.nodes)]
        for line in lines:
            await line.open()
        await send("may be heard")
        if world.dice.random() < 0.5:
            await asyncio.sleep(world.dice.uniform(0, 0.004))
        await asyncio.to_thread(
            world.resource.signed,
            "POST", f"/identities/{identity}/:revokeAccessTokens?api-version={IDENTITY}", None, expect=204
        )
        await send("must not be heard")
        for line in lines:
            heard = [body["messageBody"] for kind, body in await rest(line) if kind == "push" and body["eventId"] == 200]
            breaches += "must not be heard" in heard
            line.cut()
        if turn % 1000 == 999:
            print(f"  {turn + 1} revocations", flush=True)
    print(f"{rounds} revocations, {2 * rounds} looks at both nodes: {breaches} breaches")
    return breaches == 0


async def main(arguments):
    """Both parts; whether all is well."""
    with tempfile.TemporaryDirectory() as folder, Pair(folder) as pair:
        for node in pair.nodes:
            node.context = None
        world = World(pair, random.Random(arguments.seed))
        well = await soak(world, arguments.messages, arguments.listeners, arguments.threads)
        well &= await removals(world, arguments.rounds)
        return await revocations(world, arguments.revocations) and well


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=5_000)
    parser.add_argument("--listeners", type=int, default=100)
    parser.add_argument("--threads", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--revocations", type=int, default=250)
    parser.add_argument("--seed", type=int, default=7)
    sys.exit(0 if asyncio.run(main(parser.parse_args())) else 1)
