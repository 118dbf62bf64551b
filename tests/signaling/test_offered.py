from __future__ import annotations

import pytest
from livekit.protocol import models

from commhub.errors import Forbidden, HubError
from signaling import offered, tokens
from tests.support.client import Offer

ALL = tokens.permission({})


def test_what_is_sent_is_published() -> None:
    offer = offered.read(
        Offer(data=False).send("audio", "mic").send("video", "cam", ["q", "h", "f"]).send("video", "slides").text()
    )
    audio, video, second = offered.publications(offer, ALL)
    assert (audio.cid, audio.type, audio.source) == ("mic", models.TrackType.AUDIO, models.TrackSource.MICROPHONE)
    assert (video.cid, video.source, second.source) == ("cam", models.TrackSource.CAMERA, models.TrackSource.SCREEN_SHARE)
    assert [(layer.rid, layer.quality) for layer in video.layers] == [("q", 0), ("h", 1), ("f", 2)]
    assert video.simulcast_codecs[0].codec == "vp8"
    assert list(second.layers) == []


@pytest.mark.parametrize(
    ("rids", "lowest"),
    [
        (["f", "h", "q"], ["q", "h", "f"]),
        (["q", "f"], ["q", "f"]),
        (["0", "1", "2"], ["2", "1", "0"]),  # OBS: the best first
        (["hi", "lo"], ["lo", "hi"]),
    ],
)
def test_which_layer_is_the_lowest(rids: list[str], lowest: list[str]) -> None:
    offer = offered.read(Offer(data=False).send("video", "cam", rids).text())
    assert offered.lowest_first(offer.sections[0]) == lowest


def test_sections_without_a_track_id_or_with_the_same_one() -> None:
    offer = Offer(data=False).send("video", "x").send("video", "x").send("video", "y")
    offer.sections[2].msid = ("stream", "")
    assert [one.cid for one in offered.publications(offered.read(offer.text()), ALL)] == ["x", "mid 1", "mid 2"]


def test_only_granted_sources() -> None:
    screen = tokens.permission({"canPublishSources": ["screen_share"]})
    offer = offered.read(Offer(data=False).send("video", "x").text())
    assert offered.publications(offer, screen)[0].source == models.TrackSource.SCREEN_SHARE
    with pytest.raises(Forbidden, match="publishing audio"):
        offered.publications(offered.read(Offer(data=False).send("audio", "x").text()), screen)
    with pytest.raises(Forbidden, match="does not allow publishing"):
        offered.publications(offer, tokens.permission({"canPublish": False}))


def _without(offer: Offer, what: str) -> str:
    lines = offer.text().split("\r\n")
    return "\r\n".join(line for line in lines if not line.startswith(what))


@pytest.mark.parametrize(
    ("text", "status", "sentence"),
    [
        ("", 400, "A session description begins with v=0."),
        ("{}", 400, "A session description begins with v=0."),
        (
            _without(Offer(data=False).send("audio", "x"), "a=group"),
            422,
            "The offer has no media section within its bundle group.",
        ),
        (_without(Offer(data=False).send("audio", "x"), "a=ice"), 422, "The offer has no ICE credentials."),
        (_without(Offer(data=False).send("audio", "x"), "a=fingerprint"), 422, "The offer has no DTLS fingerprint."),
        (Offer(data=False).receive("audio", 33).text(), 422, "The offer has more than 32 media sections."),
    ],
)
def test_what_cannot_be_connected_to(text: str, status: int, sentence: str) -> None:
    with pytest.raises(HubError) as failed:
        offered.read(text)
    assert (failed.value.status, failed.value.message) == (status, sentence)


def test_nothing_to_publish_and_nothing_to_see() -> None:
    watching = offered.read(Offer(data=False).receive("audio").receive("video", 2).text())
    assert offered.places(watching) == (1, 2)
    with pytest.raises(offered.Unsuitable, match="no section that sends"):
        offered.publications(watching, ALL)
    with pytest.raises(offered.Unsuitable, match="no section that receives"):
        offered.places(offered.read(Offer(data=False).send("audio", "x").text()))


def test_no_codec_in_common() -> None:
    offer = Offer(data=False).send("audio", "x")
    del offer.sections[0].codecs[111]
    with pytest.raises(offered.Unsuitable, match=r"The audio section 0 offers no codec that can be forwarded \(Opus\)."):
        offered.publications(offered.read(offer.text()), ALL)
