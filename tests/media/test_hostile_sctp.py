"""SCTP packets with a right checksum and a wrong inside: the peer's session ends with a sentence, or goes on."""

from __future__ import annotations

import asyncio
import struct

import pytest
from google_crc32c import value as crc32c

from commhub.media.association import Guard
from tests.media.test_transport import connected, data_channels
from tests.support import until
from tests.support.fuzz import Mutator
from tests.support.proofs import Figure


def sealed(packet: bytes) -> bytes:
    """With the checksum that RFC 9260 §6.8 asks for, and the tag left as it is."""
    packet = packet[:8] + bytes(4) + packet[12:]
    return packet[:8] + struct.pack("<I", crc32c(packet)) + packet[12:]


async def fuzz(count: int, seed: int, caplog: pytest.LogCaptureFixture) -> tuple[int, set[str]]:
    sentences: set[str] = set()
    done = rounds = 0
    while done < count:
        rounds += 1
        bench, transport, client = await connected(data=True)
        recorded: list[bytes] = []
        send = client.dtls._send_data

        async def keep(data: bytes, send=send, recorded=recorded) -> None:  # type: ignore[no-untyped-def]
            recorded.append(data)
            await send(data)

        client.dtls._send_data = keep  # type: ignore[method-assign]
        sctp, channels, _ = await data_channels(client)
        channels["_reliable"].send(b"r" * 3_000)
        channels["_lossy"].send(b"lossy")
        said = bench.events.said
        await until(lambda said=said: len(said) >= 3)  # type: ignore[misc]
        mutator = Mutator([one for one in recorded if len(one) > 12], seed + rounds)
        guard = transport.session._dtls._data_receiver
        assert isinstance(guard, Guard)
        while done < count:
            done += 1
            original = mutator.next()
            if len(original) < 12:
                continue
            tag = recorded[-1][:8]
            try:
                await asyncio.wait_for(guard._handle_data(sealed(tag + original[8:])), 2)
            except ConnectionError:
                sentences.add(transport.session._dtls.fault)
                break
            if sctp.state != "connected" or transport.session._sctp is None or transport.session._sctp.state != "connected":
                break
        bench.home.close(transport)
        await sctp.stop()
        await client.dtls.stop()
        await asyncio.sleep(0)
    assert "Traceback" not in caplog.text
    return rounds, sentences


async def test_any_packet_ends_that_session_or_nothing(caplog: pytest.LogCaptureFixture) -> None:
    _, sentences = await fuzz(60, 1, caplog)
    assert all(sentence.endswith(".") for sentence in sentences)


@pytest.mark.prove
@pytest.mark.timeout(1200)
async def test_any_of_many_packets_ends_that_session_or_nothing(caplog: pytest.LogCaptureFixture, figure: Figure) -> None:
    rounds, sentences = await fuzz(5_000, 2, caplog)
    assert all(sentence.endswith(".") for sentence in sentences)
    figure("5,000 hostile SCTP packets: sessions that ended", rounds, "")
