from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bridges.gb28181 import reports
from bridges.gb28181.gate import Gate
from bridges.gb28181.offer import UDP, parse
from bridges.gb28181.ports import Ports
from bridges.gb28181.receive import Poll, Receiver
from bridges.gb28181.reports import Reporter
from commhub.tasks import Tasks
from commhub.wire import rtcp

SSRC = 0x0102_0304


def block(data: bytes) -> rtcp.Report:
    (report,) = (one for one in rtcp.parse(data) if isinstance(one, rtcp.ReceiverReport))
    return report.reports[0]


def test_what_is_lost_between_two_reports() -> None:
    reporter = Reporter(7)
    assert block(reporter.report(SSRC, 65_500, 10, 0.0)) == rtcp.Report(SSRC, 0, 0, 65_500, 0, 0, 0)
    # A hundred numbers, of which 75 have come; the numbers begin again at 0.
    assert block(reporter.report(SSRC, 64, 85, 5.0)) == rtcp.Report(SSRC, 64, 25, 65_600, 0, 0, 0)
    assert block(reporter.report(SSRC, 164, 185, 10.0)) == rtcp.Report(SSRC, 0, 25, 65_700, 0, 0, 0)
    # Nothing came, and then all of it twice.
    assert block(reporter.report(SSRC, 164, 185, 15.0)).fraction == 0
    assert block(reporter.report(SSRC, 174, 205, 20.0)).lost == 15
    assert block(reporter.report(9, 4, 206, 25.0)) == rtcp.Report(9, 0, 0, 4, 0, 0, 0)


def test_the_device_s_own_report_is_answered_and_nonsense_passed_over() -> None:
    reporter = Reporter(7)
    reporter.heard(rtcp.build_sender_report(rtcp.SenderReport(SSRC, 0x1111_2222_3333_4444, 0, 1, 1)), 10.0)
    reporter.heard(b"\x80\xc8", 11.0)
    said = block(reporter.report(SSRC, 1, 1, 12.5))
    assert (said.lsr, said.dlsr) == (0x2222_3333, 2.5 * 65536)


def test_where_a_device_wants_them_is_read() -> None:
    def port(line: str) -> int | None:
        text = f"v=0\r\nc=IN IP4 192.0.2.9\r\nm=video 40000 RTP/AVP 96\r\n{line}\r\ny=0100000001\r\n"
        return parse(text.encode()).rtcp

    assert port("a=rtcp:40009") == 40_009
    assert port("a=rtcp:40009 IN IP4 203.0.113.9") == 40_009
    for wrong in ("a=rtcp:0", "a=rtcp:65536", "a=rtcp:4000000", "a=rtcp:x", "a=rtcp", "a=rtcp-mux"):
        assert port(wrong) is None, wrong


@contextmanager
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """An even port and the next one."""
    for _ in range(200):
        one, other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        with one, other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                if port % 2 == 0:
                    other.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            if port % 2 == 0:
                other.setblocking(False)
                yield one, other
                return
    raise AssertionError("no two ports side by side")


@pytest.mark.parametrize("way", ["next", "said", "unknown"])
async def test_a_device_that_sends_by_udp_hears_of_it(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(reports, "SECONDS", 0.05)
    async with Tasks("test") as tasks:
        with pair() as (media, control):
            got: list[bytes] = []
            gate = Gate(["127.0.0.1"], [SSRC])
            receiver = Receiver(UDP, Ports(0, 0), Poll(), tasks, gate, lambda packets, at: got.extend(packets), lambda: None,
                                lambda: None)  # fmt: skip
            receiver.open("127.0.0.1")
            try:
                assert receiver.reports is not None
                port, said = media.getsockname()[1], control.getsockname()[1]
                receiver.reports.towards({"next": port, "said": 9, "unknown": port + 2}[way], said if way == "said" else None)
                for number in range(20):
                    packet = b"\x80\x60" + number.to_bytes(2, "big") + bytes(4) + SSRC.to_bytes(4, "big") + b"x" * 20
                    media.sendto(packet, ("127.0.0.1", receiver.port))
                heard = asyncio.get_running_loop().sock_recv(control, 1500)
                if way == "unknown":
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(heard, 0.5)
                else:
                    said_block = block(await asyncio.wait_for(heard, 10))
                    assert (said_block.ssrc, said_block.lost) == (SSRC, 0)
            finally:
                receiver.close()
