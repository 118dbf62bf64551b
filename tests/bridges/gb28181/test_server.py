"""The whole bridge on sockets: a device calls in, the hub hears, asks, moves and pulls."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bridges.simulated.device import code
from bridges.simulated.tree import district
from commhub.errors import HubError
from commhub.media.messages import (
    AlarmRaised,
    AskDevice,
    ChannelsChanged,
    Control,
    DeviceAnswer,
    DeviceSeen,
    Done,
    Move,
    Position,
    Terms,
)
from tests.support import until
from tests.support.bridge import continuous, marked
from tests.support.gb28181 import DEVICE, PASSWORD, device
from tests.support.gb_bridge import Hub, bridge, where
from tests.support.media_worker import MediaWorker
from tests.support.proofs import Figure

CAMERA, FIXED = code("110105", "131", 1), code("110105", "132", 2)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_from_registration_to_media(tmp_path: Path, transport: str) -> None:
    async with MediaWorker(tmp_path) as worker, bridge(tmp_path) as server, Hub(tmp_path) as hub:
        async with device(where(server), transport=transport) as made:
            state = await hub.online()
            assert (state.transport, state.version) == (transport.upper(), "3.0")
            parts = await hub.catalogue()
            channels = [one for part in parts for one in part.channels]
            assert [one.channel for one in channels] == [CAMERA, FIXED]
            assert channels[0].ptz == 1
            assert parts[-1].complete
            await until(lambda: (one := hub.device()) is not None and one.name == "测试录像机")
            hub.pull(f"gb28181://{DEVICE}/{CAMERA}", "media-0")
            await hub.turns("live")
            await until(lambda: marked(worker.of("cam")) >= 10)
            assert continuous(worker.of("cam"))
            hub.pull("", source="cam")
            await until(lambda: made.counts["BYE"] == 1)
            assert made.counts["INVITE"] == 1
        await hub.offline("signed_out")


async def test_the_hub_asks_and_orders(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server)) as made:
        await hub.online()
        await hub.catalogue()

        async def ask(what: str, channel: str = CAMERA, **values: str) -> DeviceAnswer:
            answer = await hub.link.ask(AskDevice(DEVICE, channel, what, values))
            assert isinstance(answer, DeviceAnswer)
            return answer

        async def order(verb: str, **values: str) -> None:
            assert await hub.link.ask(Control(DEVICE, CAMERA, verb, values)) == Done()

        assert (await ask("status", "")).items[0]["Online"] == "ONLINE"
        assert (await ask("info", "")).items[0]["DeviceName"] == "测试录像机"
        assert (await ask("config", "", kinds="BasicParam")).items[0]["BasicParam.HeartBeatInterval"] == "60"
        await order("preset_set", number="3", name="大门")
        assert (await ask("presets")).items == [{"number": "3", "name": "大门"}]
        await order("preset_call", number="3")
        await order("record_start")
        await order("guard_on")
        await order("alarm_reset", method="2")
        now = 1_795_579_200 * 10**9
        found = await ask("records", start=str(now - 3600 * 10**9 * 40), end=str(now))
        assert found.complete
        with pytest.raises(HubError, match=r"A preset is a number from 1 to 255\."):
            await order("preset_call", number="0")
        with pytest.raises(HubError, match=r"There is no such question\."):
            await ask("nothing")
        run = (await ask("catalogue", "")).items[0]["run"]
        await until(lambda: any(str(one.run) == run for one in [*hub.told(object)] if hasattr(one, "run")))
        assert {command.what for command in made.commands} >= {"PTZCmd", "RecordCmd", "GuardCmd", "AlarmCmd"}


async def test_who_is_not_there_is_said_so(tmp_path: Path) -> None:
    async with bridge(tmp_path), Hub(tmp_path) as hub:
        with pytest.raises(HubError) as caught:
            await hub.link.ask(AskDevice(DEVICE, "", "info"))
        assert (caught.value.code, caught.value.status) == ("device_offline", 503)
        with pytest.raises(HubError) as caught:
            await hub.link.ask(Control(DEVICE, CAMERA, "reboot"))
        assert caught.value.message_zh == "设备不在线。"


async def test_it_moves_and_stops_when_the_hub_is_gone(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server)) as made:
        await hub.online()
        await hub.catalogue()
        hub.link.tell(Move(DEVICE, CAMERA, pan=0.5))
        await until(lambda: made.mounts[CAMERA].speeds[0] > 0.4)
        hub.link.close()
        await until(lambda: made.mounts[CAMERA].speeds == (0, 0, 0))


async def test_alarms_positions_and_changes(tmp_path: Path) -> None:
    terms = Terms(DEVICE, PASSWORD, positions=True)
    async with bridge(tmp_path) as server, Hub(tmp_path, terms) as hub, device(where(server)) as made:
        await hub.online()
        await hub.catalogue()
        await until(lambda: server.platform.figures()["subscriptions"] == 3)
        await made.alarm(FIXED, priority=1, method=2)
        await until(lambda: bool(hub.told(AlarmRaised)))
        raised = hub.told(AlarmRaised)[0]
        assert (raised.device, raised.channel, raised.priority, raised.method, raised.kind) == (DEVICE, FIXED, 1, 2, 1)
        await until(lambda: any(one.what == "AlarmCmd" for one in made.commands))
        await made.position(CAMERA, 116.4, 39.9, speed=30)
        await until(lambda: bool(hub.told(Position)))
        assert (hub.told(Position)[0].longitude, hub.told(Position)[0].speed) == (116.4, 30)
        made.change("OFF", made.entries[FIXED])
        await until(lambda: bool(hub.told(ChannelsChanged)))
        (changed,) = hub.told(ChannelsChanged)[0].channels
        assert (changed.channel, changed.event, changed.online) == (FIXED, "OFF", False)


async def test_alarms_wait_for_a_hub(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server)) as made:
        await hub.online()
        await hub.catalogue()
        hub.link.close()
        await until(lambda: not server.hubs.links)
        await made.alarm(FIXED, message=True)
        async with Hub(tmp_path, epoch=2) as second:
            await until(lambda: bool(second.told(AlarmRaised)))
            assert (await second.online()).online


async def test_a_catalogue_that_no_hub_has_heard_is_read_again(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub, device(where(server)) as made:
        await hub.online()
        await hub.catalogue()
        await until(lambda: server.platform.figures()["subscriptions"] == 2)
        hub.link.close()
        await until(lambda: not server.hubs.links)
        made.change("OFF", made.entries[FIXED])
        await until(lambda: bool(server._missed))
        async with Hub(tmp_path, epoch=2) as second:
            parts = await second.catalogue()
            assert {one.channel: one.online for part in parts for one in part.channels}[FIXED] is False


async def test_a_lower_platform_brings_a_tree(tmp_path: Path) -> None:
    lower = "33010600002000000001"
    entries = district(lower, 60)
    async with (
        MediaWorker(tmp_path),
        bridge(tmp_path) as server,
        Hub(tmp_path, Terms(lower, PASSWORD)) as hub,
        device(where(server), code=lower, entries=entries),
    ):
        await hub.online(lower)
        parts = await hub.catalogue(lower)
        assert parts[-1].complete
        found = {one.channel: one for part in parts for one in part.channels}
        assert set(found) == {one.code for one in entries}
        kinds = Counter(one.kind for one in found.values())
        assert kinds["camera"] == 60
        assert min(kinds[kind] for kind in ("region", "group", "virtual", "device")) >= 1
        camera = next(one for one in found.values() if one.kind == "camera" and one.online)
        assert any(parent in found for parent in camera.parents)
        hub.pull(f"gb28181://{lower}/{camera.channel}", "media-0")
        await hub.turns("live")


SPEECH = (
    *("attributes", "gb2312-lies", "gbk-lies", "no-declaration", "bare-ampersand", "nul-end", "double-close", "sn-zero"),
    *("digit-domain", "no-length", "strange-contact", "one-item", "empty-page", "repeated-items", "lists-itself"),
    *("moving-port", "strict-200"),
)


async def test_devices_with_faults_are_understood(tmp_path: Path) -> None:
    codes = {quirk: code("110105", "118", 100 + number) for number, quirk in enumerate(SPEECH)}
    terms = [Terms(one, PASSWORD) for one in codes.values()]
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(bridge(tmp_path))
        hub = await stack.enter_async_context(Hub(tmp_path, *terms))
        for quirk, one in codes.items():
            made = device(where(server), code=one, quirks=[quirk], heartbeat=0.3, version="2.0")
            await stack.enter_async_context(made)
        found, answered = {}, {}
        for quirk, one in codes.items():
            await hub.online(one)
            found[quirk] = {entry.channel for part in await hub.catalogue(one) for entry in part.channels} - {one}
            answered[quirk] = isinstance(await hub.link.ask(AskDevice(one, "", "status")), DeviceAnswer)
        assert found == {quirk: {CAMERA, FIXED} for quirk in SPEECH}
        assert answered == dict.fromkeys(SPEECH, True)
        beats = server.platform.counts["notify keepalive"]
        await until(lambda: server.platform.counts["notify keepalive"] >= beats + 3 * len(SPEECH))
        states = {quirk: hub.device(one) for quirk, one in codes.items()}
        assert {quirk: state is not None and state.online for quirk, state in states.items()} == dict.fromkeys(SPEECH, True)


async def test_an_unknown_device_waits_and_is_admitted(tmp_path: Path) -> None:
    async with (
        bridge(tmp_path) as server,
        Hub(tmp_path, Terms("3" * 20, "x")) as hub,
        device(where(server), wait=None) as made,
    ):
        await until(lambda: bool(hub.told(DeviceSeen)))
        assert hub.told(DeviceSeen)[0].device == DEVICE
        assert not made.registered.is_set()
        hub.admit(Terms(DEVICE, PASSWORD))
        await hub.online()


async def test_a_restarted_bridge_finds_its_devices(tmp_path: Path) -> None:
    async with bridge(tmp_path) as server, Hub(tmp_path) as hub:
        address = where(server)
        async with device(address) as made:
            await hub.online()
            await hub.catalogue()
            await server.close()
            registered = made.counts.copy()
            async with bridge(tmp_path, port=address[1]), Hub(tmp_path, epoch=2) as second:
                await second.online(seconds=2)
                assert await second.link.ask(Control(DEVICE, CAMERA, "key_frame")) == Done()
                assert (await second.catalogue())[-1].complete
            assert made.counts["Control DeviceControl"] == registered["Control DeviceControl"] + 1


async def power_cycles(folder: Path, number: int) -> list[float]:
    """Seconds from each sign-in to the tenth packet."""
    found = []
    async with MediaWorker(folder) as worker, bridge(folder) as server, Hub(folder) as hub, device(where(server)) as made:
        await hub.online()
        hub.pull(f"gb28181://{DEVICE}/{CAMERA}", "media-0")
        await hub.turns("live")
        await hub.catalogue()
        before, files = len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))
        for _ in range(number):
            made.registered.clear()
            await made.power_cycle()
            await asyncio.wait_for(made.registered.wait(), 5)
            began, packets = time.monotonic(), len(worker.packets)
            await until(lambda packets=packets: len(worker.packets) >= packets + 10, 10)  # type: ignore[misc]
            found.append(time.monotonic() - began)
        assert server.counters()["gb28181_registered"] == 1
        await until(lambda: len(asyncio.all_tasks()) <= before + 3)
        assert len(os.listdir("/proc/self/fd")) <= files + 4
    return found


async def test_power_cycles_leave_nothing_behind(tmp_path: Path) -> None:
    assert len(await power_cycles(tmp_path, 3)) == 3


@pytest.mark.prove
async def test_twenty_power_cycles(tmp_path: Path, figure: Figure) -> None:
    slowest = max(await power_cycles(tmp_path, 20))
    name = "GB/T 28181 device power-cycled 20 times: slowest from sign-in to picture"
    assert figure(name, round(slowest, 2), "s", goal="≤ 5 s")
