"""Webhooks: written, sent in order per room, again until they are taken, verified as LiveKit's users do."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from livekit.protocol import models, webhook

from commhub.addresses import AllowList
from commhub.log import Secret
from commhub.store import Store, tables
from commhub.webhooks import Backoff, Receiver, Webhooks
from commhub.webhooks.outbox import Limits
from tests.support.proofs import Figure
from tests.support.receiver import SECRET, WebhookHost

QUICK = Backoff(0.02, 0.1)


def receiver(host: WebhookHost, **more: Any) -> Receiver:
    return Receiver(host.url, "APItest", Secret(SECRET), **more)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = Store(f"sqlite+aiosqlite:///{tmp_path / 'hub.db'}")
    await store.open()
    yield store
    await store.close()


@pytest.fixture
async def host() -> AsyncIterator[WebhookHost]:
    async with WebhookHost() as host:
        yield host


@asynccontextmanager
async def running(store: Store, *hosts: WebhookHost, allow: list[str] | None = None, **more: Any) -> AsyncIterator[Webhooks]:
    entries = [host.allow for host in hosts] if allow is None else allow
    webhooks = Webhooks(store, [receiver(host) for host in hosts], AllowList(entries), backoff=QUICK, **more)
    await webhooks.start()
    try:
        yield webhooks
    finally:
        await webhooks.close()


def room(name: str) -> models.Room:
    return models.Room(sid=f"RM_{name}", name=name)


def say(webhooks: Webhooks, name: str, number: int) -> None:
    person = models.ParticipantInfo(sid=f"PA_{number}", identity=f"p{number}")
    kind = "participant_left" if number % 2 else "participant_joined"
    webhooks.emit(kind, room=room(name), participant=person, unique=f"{name} {number}")


def numbers(events: list[webhook.WebhookEvent]) -> dict[str, list[int]]:
    """Room → the numbers of its events in order of arrival."""
    found: dict[str, list[int]] = defaultdict(list)
    for event in events:
        found[event.room.name].append(int(event.participant.sid.removeprefix("PA_")))
    return found


async def true(condition: Callable[[], bool]) -> None:
    """Waits for it, ten seconds at most."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def states(store: Store) -> list[str]:
    async with store.reading() as reading:
        return [row.state for row in await reading.all(sa.select(tables.webhooks.c.state).order_by(tables.webhooks.c.seq))]


async def test_an_event_reads_as_livekits_and_verifies(store: Store, host: WebhookHost) -> None:
    async with running(store, host) as webhooks:
        person = models.ParticipantInfo(sid="PA_1", identity="wang", name="王")
        track = models.TrackInfo(sid="TR_1", type=models.TrackType.VIDEO, source=models.TrackSource.CAMERA)
        webhooks.emit("track_published", room=room("a"), participant=person, track=track)
        (event,) = await host.until(1)
    assert host.bad == []
    assert event.event == "track_published"
    assert event.room.name == "a"
    assert event.participant.name == "王"
    assert event.track.source == models.TrackSource.CAMERA
    assert event.id.startswith("EV_")
    assert event.created_at > 1_700_000_000
    assert host.headers[0]["Content-Type"] == "application/webhook+json"
    assert await states(store) == ["delivered"]


async def test_another_secret_is_refused_by_the_receiver(store: Store, host: WebhookHost) -> None:
    other = Receiver(host.url, "APItest", Secret("another secret of 32 characters …"))
    webhooks = Webhooks(store, [other], AllowList([host.allow]), backoff=QUICK)
    await webhooks.start()
    webhooks.emit("room_started", room=room("a"))
    await true(lambda: bool(host.bad))
    await webhooks.close()
    assert host.events == []
    assert await states(store) == ["pending"]


async def test_of_a_secret_room_nobody_is_told(store: Store, host: WebhookHost) -> None:
    def secret(name: str, key: str) -> bool:
        return key == "hub" and name.startswith("view_")

    async with running(store, host, secret=secret) as webhooks:
        webhooks.emit("room_started", room=room("view_1"), key="hub", unique="1")
        async with store.transaction() as transaction:
            await webhooks.write(transaction, "room_started", room=room("view_2"), key="hub", unique="2")
        webhooks.emit("room_started", room=room("view_3"), key="APItest", unique="3")
        webhooks.emit("room_started", room=room("a"), key="hub", unique="4")
        await host.until(2)
    assert sorted(event.room.name for event in host.events) == ["a", "view_3"]  # rooms go side by side
    assert await states(store) == ["delivered"] * 2


async def test_rooms_go_side_by_side_and_each_in_order(store: Store, host: WebhookHost) -> None:
    host.delay = 0.002
    async with running(store, host) as webhooks:
        for number in range(50):
            for name in "abcdef":
                say(webhooks, name, number)
        await host.until(300)
    assert numbers(host.events) == {name: list(range(50)) for name in "abcdef"}
    assert 2 <= host.busiest <= 8


async def test_a_receiver_that_is_down_gets_all_of_it_later_in_order(store: Store, host: WebhookHost) -> None:
    """The short form of the proof below."""
    await host.down()
    async with running(store, host) as webhooks:
        for number in range(20):
            for name in "abcde":
                say(webhooks, name, number)
        counts = webhooks.counts()[receiver(host).id]
        await true(lambda: counts.failures >= 3)
        assert webhooks.down() == {receiver(host).id: True}
        await host.up()
        await host.until(100)
        await true(lambda: counts.waiting == 0)
        assert webhooks.down() == {receiver(host).id: False}
    assert numbers(host.events) == {name: list(range(20)) for name in "abcde"}


async def test_what_waits_survives_the_hub_and_keeps_its_id(store: Store, host: WebhookHost) -> None:
    await host.down()
    async with running(store, host) as webhooks:
        for number in range(10):
            say(webhooks, "a", number)
        await true(lambda: webhooks.counts()[receiver(host).id].failures >= 1)
    async with store.reading() as reading:
        ids = [row.event_id for row in await reading.all(sa.select(tables.webhooks.c.event_id).order_by(tables.webhooks.c.seq))]
    await host.up()
    async with running(store, host) as webhooks:
        # A restarted hub tells again what it finds; it is the same event.
        say(webhooks, "a", 0)
        say(webhooks, "a", 10)
        await host.until(11)
    assert numbers(host.events) == {"a": list(range(11))}
    assert [event.id for event in host.events][:10] == ids


async def test_a_fact_and_its_webhook_are_one_transaction(store: Store, host: WebhookHost) -> None:
    async def fails(webhooks: Webhooks) -> None:
        async with store.transaction() as transaction:
            await webhooks.write(transaction, "room_started", room=room("a"), unique="never")
            raise RuntimeError("undone")

    async with running(store, host) as webhooks:
        with pytest.raises(RuntimeError, match="undone"):
            await fails(webhooks)
        webhooks.emit("room_started", room=room("a"), unique="first")
        async with store.transaction() as transaction:
            await webhooks.write(transaction, "room_finished", room=room("a"), unique="second")
        await host.until(2)
    assert [event.event for event in host.events] == ["room_started", "room_finished"]


async def test_a_slow_receiver_keeps_nobody_else_waiting(store: Store, host: WebhookHost) -> None:
    async with WebhookHost() as slow:
        slow.delay = 30
        async with running(store, slow, host) as webhooks:
            for number in range(30):
                say(webhooks, f"r{number % 10}", number)
            await host.until(30, within=5)
    assert slow.events == []
    assert slow.busiest <= 8


async def test_an_event_that_is_refused_holds_its_room_until_it_is_given_up(store: Store, host: WebhookHost) -> None:
    host.answer = lambda event: 400 if event.room.name == "bad" and event.participant.sid == "PA_0" else 200
    at = [1_000_000_000_000]
    async with running(store, host, utc=lambda: at[0]) as webhooks:
        for number in range(3):
            say(webhooks, "bad", number)
            say(webhooks, "good", number)
        await host.until(3)
        counts = webhooks.counts()[receiver(host).id]
        await true(lambda: counts.failures >= 3)
        assert numbers(host.events) == {"good": [0, 1, 2]}
        at[0] += 86_399 * 1_000_000_000
        say(webhooks, "bad", 3)
        await asyncio.sleep(0.3)
        assert numbers(host.events) == {"good": [0, 1, 2]}
        at[0] += 2 * 1_000_000_000
        await host.until(6)
        # What stood behind it has tries of its own.
        assert numbers(host.events) == {"good": [0, 1, 2], "bad": [1, 2, 3]}
        await true(lambda: counts.waiting == 0)
        assert counts.dead == 1


async def test_a_hub_that_was_off_for_two_days_tries_before_it_gives_up(store: Store, host: WebhookHost) -> None:
    at = [1_000_000_000_000]
    await host.down()
    async with running(store, host, utc=lambda: at[0]) as webhooks:
        say(webhooks, "a", 0)
        await true(lambda: webhooks.counts()[receiver(host).id].failures >= 1)
    at[0] += 2 * 86_400 * 1_000_000_000
    await host.up()
    async with running(store, host, utc=lambda: at[0]):
        await host.until(1)


async def test_redirects_are_not_followed_and_the_address_must_be_allowed(store: Store, host: WebhookHost) -> None:
    host.answer = lambda event: 302
    async with running(store, host) as webhooks:
        webhooks.emit("room_started", room=room("a"))
        await true(lambda: webhooks.counts()[receiver(host).id].failures >= 2)
    assert host.events == []
    tries = host.tries
    assert tries == webhooks.counts()[receiver(host).id].failures
    async with running(store, host, allow=["127.0.0.1:1", "0.0.0.0/0:*"]) as webhooks:
        await true(lambda: webhooks.counts()[receiver(host).id].failures >= 2)
    assert host.tries == tries  # loopback needs an entry of its own


async def test_a_receiver_that_never_ends_its_answer_is_cut_off(store: Store) -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
                sent.append(65536)
        except ConnectionError:
            done.set()

    sent: list[int] = []
    done = asyncio.Event()
    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    one = Receiver(f"http://127.0.0.1:{port}/", "APItest", Secret(SECRET))
    webhooks = Webhooks(store, [one], AllowList([f"127.0.0.1:{port}"]), backoff=QUICK)
    await webhooks.start()
    webhooks.emit("room_started", room=room("a"))
    await asyncio.wait_for(done.wait(), 10)
    await webhooks.close()
    server.close()
    assert sum(sent) < 16 << 20
    assert webhooks.counts()[one.id].delivered == 1  # it said 200


async def test_a_receiver_gets_the_rooms_its_key_reaches(store: Store, host: WebhookHost) -> None:
    one = receiver(host, reaches=lambda key: key == "APItest")
    webhooks = Webhooks(store, [one], AllowList([host.allow]), backoff=QUICK)
    await webhooks.start()
    webhooks.emit("room_started", room=room("other"), key="APIother")
    webhooks.emit("room_started", room=room("mine"), key="APItest")
    await host.until(1)
    await webhooks.close()
    assert [event.room.name for event in host.events] == ["mine"]
    assert len(await states(store)) == 1


async def test_the_table_is_bounded(store: Store, host: WebhookHost) -> None:
    await host.down()
    async with running(store, host) as webhooks:
        for number in range(30):
            say(webhooks, "a", number)
        await true(lambda: webhooks.counts()[receiver(host).id].waiting >= 30)
    await host.up()
    async with running(store, host, limits=Limits(pending=10, delivered=4)) as webhooks:
        await host.until(10)
    assert numbers(host.events)["a"][-10:] == list(range(20, 30))
    async with running(store, host, limits=Limits(pending=10, delivered=4, dead_seconds=0)) as webhooks:
        assert webhooks.counts()[receiver(host).id].waiting == 0
    assert await states(store) == ["delivered"] * 4


async def test_events_of_a_receiver_that_is_configured_no_longer_are_given_up(store: Store, host: WebhookHost) -> None:
    await host.down()
    async with running(store, host) as webhooks:
        say(webhooks, "a", 0)
        await true(lambda: webhooks.counts()[receiver(host).id].waiting >= 1)
    async with running(store):
        assert await states(store) == ["dead"]


async def test_without_receivers_nothing_is_written(store: Store) -> None:
    async with running(store) as webhooks:
        webhooks.emit("room_started", room=room("a"))
        async with store.transaction() as transaction:
            await webhooks.write(transaction, "room_finished", room=room("a"))
    assert await states(store) == []


def test_a_kind_that_livekit_does_not_know_is_refused(store: Store) -> None:
    from commhub.webhooks.event import event

    with pytest.raises(ValueError, match=r"^room_paused is no kind of webhook\.$"):
        event("room_paused", 0)


@pytest.mark.prove
@pytest.mark.timeout(1200)
async def test_a_receiver_that_is_down_for_ten_minutes_gets_5000_events_in_order(
    store: Store, host: WebhookHost, figure: Figure
) -> None:
    """Real minutes and the shipped back-off; the events are said over the whole time."""
    rooms, each, away = 50, 100, 600.0
    await host.down()
    webhooks = Webhooks(store, [receiver(host)], AllowList([host.allow]))
    await webhooks.start()
    began = time.monotonic()
    for number in range(each):
        for name in range(rooms):
            say(webhooks, f"r{name}", number)
        await asyncio.sleep(max(0.0, began + (number + 1) * away / each - time.monotonic()))
    tries = webhooks.counts()[receiver(host).id].failures
    await host.up()
    up = time.monotonic()
    await host.until(rooms * each, within=120)
    took = time.monotonic() - up
    await true(lambda: webhooks.counts()[receiver(host).id].waiting == 0)
    await webhooks.close()
    in_order = sum(1 for told in numbers(host.events).values() if told == list(range(each)))
    assert figure("webhooks: rooms of 50 in order after 10 min without receiver, 5,000 events", in_order, "rooms", goal="= 50")
    assert figure("webhooks: events delivered after 10 min without receiver", len(host.events), "events", goal="= 5,000")
    assert figure("webhooks: until all 5,000 were there, from the receiver's return", took, "s", goal="≤ 60 s")
    figure("webhooks: tries while the receiver was away 10 min", tries, "tries")


async def said(store: Store) -> list[tuple[str, str]]:
    """Kind and room of everything written, in order."""
    w = tables.webhooks.c
    async with store.reading() as reading:
        return [(row.kind, row.room) for row in await reading.all(sa.select(w.kind, w.room).order_by(w.seq))]


def begin(webhooks: Webhooks, name: str, sid: str) -> None:
    """A room with somebody who publishes; sids as ``sid`` says."""
    person, track = models.ParticipantInfo(sid=f"PA_{sid}", identity="wang"), models.TrackInfo(sid=f"TR_{sid}")
    place = models.Room(sid=f"RM_{sid}", name=name)
    webhooks.emit("room_started", room=place, unique=f"RM_{sid}")
    webhooks.emit("participant_joined", room=place, participant=person, unique=f"PA_{sid}")
    webhooks.emit("track_published", room=place, participant=person, track=track, unique=f"TR_{sid} 1")


ENDS = ["track_unpublished", "participant_left", "room_finished"]


async def test_the_end_is_told_when_everything_died_at_once(store: Store, host: WebhookHost) -> None:
    async with running(store, host) as webhooks:
        begin(webhooks, "gone", "a")
        begin(webhooks, "stays", "b")
        await host.until(6)
    async with running(store, host) as webhooks:
        begin(webhooks, "stays", "b")  # found again
        going_on = [("room_started", "RM_b"), ("participant_joined", "PA_b"), ("track_published", "TR_b 1")]
        await webhooks.ends(going_on)
        await host.until(9)
        await webhooks.ends(going_on)
        await asyncio.sleep(0.1)
    ended = host.events[6:]
    assert [(event.event, event.room.name) for event in ended] == [(kind, "gone") for kind in ENDS]
    assert ended[1].participant.identity == "wang"
    assert ended[0].track.sid == "TR_a"
    assert all(event.created_at > 1_700_000_000 for event in ended)


async def test_a_room_that_begins_anew_ends_what_was_in_the_one_before(store: Store, host: WebhookHost) -> None:
    async with running(store, host) as webhooks:
        begin(webhooks, "r", "a")
        begin(webhooks, "r", "a")  # told again: it is the same
        begin(webhooks, "r", "b")
        await host.until(9)
    started = ["room_started", "participant_joined", "track_published"]
    assert [event.event for event in host.events] == [*started, *ENDS, *started]
    assert [event.room.sid for event in host.events] == ["RM_a"] * 6 + ["RM_b"] * 3


async def test_what_was_ended_is_not_ended_again(store: Store, host: WebhookHost) -> None:
    async with running(store, host) as webhooks:
        begin(webhooks, "r", "a")
        webhooks.emit("track_unpublished", room=room("r"), unique="TR_a 1")
        webhooks.emit("participant_left", room=room("r"), unique="PA_a")
        webhooks.emit("room_finished", room=room("r"), unique="RM_a")
        await webhooks.ends([])
        await host.until(6)
        await webhooks.ends([])
    assert len(await said(store)) == 6
    assert [event.event for event in host.events][3:] == ENDS


async def test_what_is_said_while_the_ends_are_told_goes_on(store: Store, host: WebhookHost) -> None:
    async with running(store, host) as webhooks:
        begin(webhooks, "r", "a")
        await webhooks.ends([])  # not yet written, not yet seen by whoever asked
        await host.until(3)
        await asyncio.sleep(0.1)
    assert len(host.events) == 3
