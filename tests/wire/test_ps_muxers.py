"""Program streams of other people's muxers, and ours in another demuxer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import av
import pytest

from commhub.wire import ps, ps_write
from tests.support.streams import (
    SILENCE,
    TICKS,
    h264_pictures,
    h265_pictures,
    octets,
    rtp,
)

# ---- other people's muxers

FFMPEG = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=320x180:r=25"]
TONE = ["-f", "lavfi", "-i", "sine=sample_rate=48000"]
X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "25"]
X265 = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"]
GST = ["gst-launch-1.0", "-q", "videotestsrc", "num-buffers=50", "!", "video/x-raw,width=320,height=180,framerate=25/1", "!"]
GST_REST = (
    "x264enc tune=zerolatency key-int-max=25 ! h264parse ! mux. audiotestsrc num-buffers=30 ! audio/x-raw,rate=48000"
    " ! audioconvert ! avenc_aac ! aacparse ! mux. mpegpsmux name=mux ! filesink location="
)
PEERS = {
    "ffmpeg's VOB": [*FFMPEG, *TONE, "-t", "2", *X264, "-bf", "0", "-c:a", "mp2", "-f", "vob"],
    "ffmpeg's MPEG with B-frames": [*FFMPEG, "-t", "2", *X264, "-bf", "2", "-f", "mpeg"],
    "ffmpeg's MPEG with H.265": [*FFMPEG, "-t", "2", *X265, "-f", "mpeg"],
    "ffmpeg's transport stream": [*FFMPEG, *TONE, "-t", "2", *X264, "-bf", "0", "-c:a", "aac", "-f", "mpegts"],
    "ffmpeg's transport stream with H.265": [*FFMPEG, "-t", "2", *X265, "-f", "mpegts"],
    "GStreamer's mpegpsmux": [*GST, *GST_REST.split()],
}  # fmt: skip


@pytest.mark.peer
@pytest.mark.parametrize("peer", PEERS)
def test_streams_of_other_muxers_read_as_pyav_reads_them(peer: str, tmp_path: Path) -> None:
    path = tmp_path / "stream"
    command = [*PEERS[peer]]
    command = [*command[:-1], command[-1] + str(path)] if command[-1].endswith("location=") else [*command, str(path)]
    subprocess.run(command, check=True, timeout=60)
    data = path.read_bytes()
    with av.open(str(path)) as file:
        read = [(packet.stream.type, packet.pts, bytes(packet)) for packet in file.demux() if packet.size]
    for over_rtp in (False, True):
        demuxer = ps.Demuxer()
        found = rtp([data], demuxer, limit=1316) if over_rtp else octets(data, demuxer)
        seen = [unit for unit in found if unit.kind == "video"]
        theirs = [(pts, one) for kind, pts, one in read if kind == "video"]
        # a packet of PyAV's may have lost its leading zero, which belongs to the start code
        assert [unit.data.strip(b"\0") for unit in seen] == [one.strip(b"\0") for _, one in theirs]
        known = [(unit.pts, pts) for unit, (pts, _) in zip(seen, theirs, strict=True) if pts is not None]
        assert len(known) > len(seen) // 3
        assert all(abs(own - other) <= 1 for own, other in known)
        heard = [unit for unit in found if unit.kind == "audio"]
        if demuxer.sound == "aac":
            theirs = [(pts, one) for kind, pts, one in read if kind == "audio"]
            assert [unit.data for unit in heard] == [one for _, one in theirs]
            assert all(abs(unit.pts - (pts or 0)) <= 2 for unit, (pts, _) in zip(heard, theirs, strict=True))
        assert demuxer.counts.damaged == demuxer.counts.unreadable == 0


@pytest.mark.peer
@pytest.mark.parametrize("codec", ["h264", "h265"])
def test_pyav_reads_what_we_write(codec: str, tmp_path: Path) -> None:
    video = h264_pictures() if codec == "h264" else h265_pictures()
    muxer = ps_write.Muxer(codec, "pcma")
    data = b"".join(
        muxer.video(one, 90_000 + number * TICKS, key=number % 6 == 0) + muxer.audio(SILENCE, 90_000 + number * TICKS)
        for number, one in enumerate(video)
    )
    path = tmp_path / "own.ps"
    path.write_bytes(data)
    with av.open(str(path), format="mpeg") as file:
        assert file.streams.video[0].codec_context.name == {"h264": "h264", "h265": "hevc"}[codec]
        decoded = [frame.pts for frame in file.decode(video=0)]
    assert len(decoded) == len(video)
    assert decoded == [90_000 + number * TICKS for number in range(len(video))]
