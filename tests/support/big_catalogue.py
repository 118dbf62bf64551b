"""The far ends of a large catalogue, each a process of its own: ``bridge`` says it over the link, a part for each channel;
``client`` asks the interface all the while and prints how long each answer took."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import aiohttp

from commhub.media.link import Link, listen
from commhub.media.messages import BridgeSnapshot, CataloguePart, Channel, DeviceState, Hello, Message
from tests.support.catalogues import PLATFORM

STREETS = [a + b for a in "临滨云青长文东西南北古新前后上下" for b in "江河湖山桥路渊港城门堤岸"]
PLACES = ("大堤", "泵站", "下穿", "水闸", "路口", "学校", "医院", "广场", "地铁站", "码头")


def channels(count: int) -> Iterator[Channel]:
    """A platform's tree: an organisation for each street, which comes when its first camera has come."""
    names = itertools.cycle(itertools.product(PLACES, STREETS))
    for number, (place, street) in zip(range(count), names, strict=False):
        code = f"3402000000216{STREETS.index(street):07d}"
        if number < len(STREETS):
            yield Channel(code, name=f"{street}街道", kind="virtual")
        yield Channel(
            f"3402000000132{number:07d}",
            name=f"{street}{place} {'球机' if number % 3 else '枪机'} {number:05d}",
            parents=[code],
            manufacturer="Sample",
            model="DS-2DE",
            address=f"{street}{place}旁",
            online=number % 20 != 0,
            ptz=1 if number % 3 else 3,
            longitude=120 + number / 1e6,
            latitude=30 + number / 1e6,
            more={"CivilCode": "340200", "Block": "1", "Secrecy": "0"},
        )


async def bridge(folder: Path, count: int) -> None:
    """Says it as fast as the link takes it, when it is asked for."""
    linked: asyncio.Queue[Link] = asyncio.Queue()

    def handle(link: Link, message: Message) -> Message | None:
        if isinstance(message, Hello):
            linked.put_nowait(link)
            return BridgeSnapshot([])
        return None

    await listen(folder, "bridge-gb28181", lambda link: None, handle)
    link = await linked.get()
    link.tell(DeviceState(device=PLATFORM, online=True, address="192.0.2.9:5060", transport="tcp"))
    told = list(channels(count))
    for number, channel in enumerate(told, 1):
        last = number == len(told)
        link.tell(CataloguePart(PLATFORM, 1, [channel], number, len(told), last, last, number))
        if number % 200 == 0:
            await asyncio.sleep(0.01)
    await link.closed.wait()


QUESTIONS = {
    "list": "/cameras?limit=50",
    "search initials": "/cameras?q=ljdd",
    "search Chinese": "/cameras?q=%E4%B8%B4%E6%B1%9F%20%E6%B3%B5%E7%AB%99",
    "search pinyin": "/cameras?q=wenyuanxuexiao&online=true",
    "tree": "/camera-tree",
    "tree, one node": "/camera-tree?parent={node}",
    "cameras below a node": "/cameras?deep=true&node={node}",
}


async def client(base: str, cookie: str, node: str, rounds: int) -> None:
    """``rounds`` 0: until nobody reads its words any more. A line of JSON for each round: question → seconds."""
    headers = {"Cookie": cookie, "Accept-Encoding": "identity"}
    async with aiohttp.ClientSession(headers=headers) as session:
        taken: dict[str, list[float]] = defaultdict(list)
        for turn in itertools.count(1):
            for name, path in QUESTIONS.items():
                began = time.perf_counter()
                async with session.get(f"{base}/api/v1{path.format(node=node)}") as response:
                    answer = await response.json()
                    assert response.status == 200, answer
                taken[name].append(time.perf_counter() - began)
                await asyncio.sleep(0.02)
            if turn == rounds or (rounds == 0 and turn % 5 == 0):
                print(json.dumps(taken), flush=True)
                taken.clear()
            if turn == rounds:
                return


if __name__ == "__main__":
    if sys.argv[1] == "bridge":
        asyncio.run(bridge(Path(sys.argv[2]), int(sys.argv[3])))
    else:
        asyncio.run(client(sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5])))
