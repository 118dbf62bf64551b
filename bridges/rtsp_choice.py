"""What is taken of that which a camera offers. No I/O, no clock."""

from __future__ import annotations

from bridges import rtsp_sdp
from bridges.faults import Fault

#: Sound that becomes Opus (:mod:`bridges.transcode`).
AUDIO_CODECS = frozenset({"PCMA", "PCMU", "MPEG4-GENERIC"})


def choose(description: rtsp_sdp.Description) -> tuple[rtsp_sdp.Media, rtsp_sdp.Media | None]:
    """The first H.264 video, else H.265, and the first sound that can be used. Fault ``no_video`` or ``codec_unsupported``."""
    offered = [media for media in description.media if not media.backchannel and media.payload_type >= 0]
    videos = [media for media in offered if media.kind == "video"]
    if not videos:
        raise Fault("no_video")
    plain = [media for media in videos if media.codec == "H264" and media.fmtp.get("packetization-mode", "1") != "2"]
    # With sprop-max-don-diff units come interleaved (RFC 7798 section 4.4.2); no camera does that.
    hevc = [media for media in videos if media.codec in ("H265", "HEVC") and media.fmtp.get("sprop-max-don-diff", "0") == "0"]
    usable = plain or hevc
    if not usable:
        raise Fault("codec_unsupported", _CODEC_NAMES.get(videos[0].codec, ""))
    usable[0].clock_rate = 90_000
    audios = [media for media in offered if media.kind == "audio" and media.codec in AUDIO_CODECS and media.clock_rate]
    return usable[0], audios[0] if audios else None


_CODEC_NAMES = {
    "H265": "H.265",
    "HEVC": "H.265",
    "JPEG": "MJPEG",
    "MP4V-ES": "MPEG-4",
    "MP2T": "MPEG-TS",
    "MPV": "MPEG-2",
    "H263": "H.263",
    "H263-1998": "H.263",
    "H264": "H.264 (packetization-mode=2)",
    "VP8": "VP8",
    "VP9": "VP9",
    "AV1": "AV1",
}
