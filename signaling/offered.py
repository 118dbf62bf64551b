"""What a WHIP or WHEP client's offer says, as the room's state machine wants to hear it. No I/O, no clock.

WHIP has no ``add_track``: what is published is read from the sections that send. WHEP has no ``subscription``: what can be
shown is the number of sections that receive.
"""

from __future__ import annotations

from livekit.protocol import models, rtc

from commhub.errors import Forbidden, HubError, Invalid
from commhub.media import negotiation
from commhub.wire import sdp

MAX_SECTIONS = 32
#: What the first, second … section of a kind is taken for.
_SOURCES = {
    "video": (models.TrackSource.CAMERA, models.TrackSource.SCREEN_SHARE),
    "audio": (models.TrackSource.MICROPHONE, models.TrackSource.SCREEN_SHARE_AUDIO),
}
_TYPES = {"video": models.TrackType.VIDEO, "audio": models.TrackType.AUDIO}
_QUALITIES = (models.VideoQuality.LOW, models.VideoQuality.MEDIUM, models.VideoQuality.HIGH)


class Unsuitable(HubError):
    """The offer can be read, but there is nothing in it that can be done (RFC 9725 §4.2)."""

    status, code = 422, "unsuitable_offer"


def read(text: str) -> sdp.Description:
    """Invalid for what is no offer, Unsuitable for one that cannot be connected to."""
    try:
        offer = sdp.parse(text)
    except ValueError as error:
        raise Invalid(str(error), "无法识别媒体描述（SDP）。", code="bad_sdp") from None
    if len(offer.sections) > MAX_SECTIONS:
        raise Unsuitable(f"The offer has more than {MAX_SECTIONS} media sections.", "媒体描述的段数过多。")
    living = used(offer)
    if not living:
        raise Unsuitable("The offer has no media section within its bundle group.", "媒体描述中没有可用的媒体段（需要 BUNDLE）。")
    if not living[0].ufrag or not living[0].password:
        raise Unsuitable("The offer has no ICE credentials.", "媒体描述缺少 ICE 凭据。")
    if not living[0].fingerprints:
        raise Unsuitable("The offer has no DTLS fingerprint.", "媒体描述缺少 DTLS 指纹。")
    return offer


def used(offer: sdp.Description) -> list[sdp.Section]:
    return [section for section in offer.sections if section.port and section.mid in offer.bundle]


def publications(offer: sdp.Description, permission: models.ParticipantPermission) -> list[rtc.AddTrackRequest]:
    """One for each section that sends. Unsuitable when there is none, Forbidden for more than the token allows."""
    if not permission.can_publish:
        raise Forbidden("The token does not allow publishing.", "令牌不允许发布音视频。")
    requests: list[rtc.AddTrackRequest] = []
    cids: set[str] = set()
    for section in used(offer):
        if not negotiation.is_publication(section):
            continue
        codec = negotiation.choose(section)
        if codec is None:
            known = "Opus" if section.kind == "audio" else "VP8, H.264, VP9, AV1, H.265"
            raise Unsuitable(
                f"The {section.kind} section {section.mid} offers no codec that can be forwarded ({known}).",
                f"没有可转发的编码（支持 {known}）。",
            )
        cid = section.msid[1] if section.msid else ""
        if not cid or cid in cids:
            cid = f"mid {section.mid}"
        cids.add(cid)
        earlier = sum(_TYPES[section.kind] == request.type for request in requests)
        source = _source(section.kind, earlier, permission)
        requests.append(_publication(section, codec, cid, source))
    if not requests:
        raise Unsuitable("The offer has no section that sends audio or video.", "媒体描述中没有要发送的音视频。")
    return requests


def _source(kind: str, earlier: int, permission: models.ParticipantPermission) -> models.TrackSource:
    granted = permission.can_publish_sources
    allowed = [source for source in _SOURCES[kind] if not granted or source in granted]
    if not allowed:
        raise Forbidden(f"The token does not allow publishing {kind}.", "令牌不允许发布这类音视频。")
    return allowed[min(earlier, len(allowed) - 1)]


def _publication(section: sdp.Section, codec: sdp.Codec, cid: str, source: models.TrackSource) -> rtc.AddTrackRequest:
    request = rtc.AddTrackRequest(cid=cid, type=_TYPES[section.kind], source=source)
    rids = lowest_first(section)[:3]
    if len(rids) > 1:
        request.layers.extend(models.VideoLayer(quality=quality, rid=rid) for quality, rid in zip(_QUALITIES, rids, strict=False))
    if section.kind == "video":
        request.simulcast_codecs.add(codec=codec.name.lower(), cid=cid, layers=request.layers)
    return request


def lowest_first(section: sdp.Section) -> list[str]:
    """The rids of a simulcast section. LiveKit's names say which is which; encoders with names of their own (OBS: 0, 1, 2)
    write the best first."""
    rids = [rid for rid in section.simulcast if section.rids.get(rid) == "send"]
    if set(rids) <= set(negotiation.LOWEST_FIRST):
        return sorted(rids, key=negotiation.LOWEST_FIRST.index)
    return rids[::-1]


def places(offer: sdp.Description) -> tuple[int, int]:
    """How many sections there are to hear and to see in. Unsuitable when there are none."""
    kinds = [section.kind for section in used(offer) if negotiation.is_slot(section)]
    if not kinds:
        raise Unsuitable("The offer has no section that receives audio or video.", "媒体描述中没有要接收的音视频。")
    return kinds.count("audio"), kinds.count("video")
