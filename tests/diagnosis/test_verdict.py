"""What a participant's figures mean."""

from __future__ import annotations

from typing import Any

import pytest

from commhub.diagnosis.verdict import RULES, Fault, Grade, Surroundings, Verdict, judge
from commhub.media.messages import DownStats, PeerStats, UpStats


def up(**more: Any) -> UpStats:
    return UpStats(**{"track": "TR_v", "kind": "video", "source": "camera", "bitrate": 900_000, "age": 0.02, **more})


def down(**more: Any) -> DownStats:
    return DownStats(**{"track": "TR_o", "kind": "video", "bitrate": 900_000, "layer": 2, "wanted": 2, **more})


def person(**more: Any) -> PeerStats:
    sound = up(track="TR_a", kind="audio", source="microphone")
    well = {"connected": True, "over": "udp", "heard": 0.1, "rtt_ms": 20.0, "up": [up(), sound], "down": [down()]}
    return PeerStats(**{"peer": "PA_1", "identity": "p:t", "kind": "client", **well, **more})


def camera(state: str, why: tuple[str, str] = ("", ""), **more: Any) -> Verdict:
    stats = PeerStats(**{"peer": "PA_2", "identity": "c:line", "kind": "bridge", "up": [up()], **more})
    return judge(stats, Surroundings(camera=state, camera_why=why))


@pytest.mark.parametrize(
    ("stats", "code"),
    [
        (person(), "fine"),
        (person(over="tcp"), "over_tcp"),
        (person(up=[], down=[]), "fine"),
        (person(connected=False, heard=-1.0, over=""), "never_heard"),
        (person(heard=7.0), "unheard"),
        (person(connected=False, heard=3.0), "unheard"),
        (person(up=[up(loss=0.2)]), "up_bad"),
        (person(up=[up(loss=0.03)]), "up_noticed"),
        (person(up=[up(loss=0.01)]), "fine"),
        (person(up=[up(loss=0.5, muted=True)]), "fine"),
        (person(down=[down(loss=0.2)]), "down_bad"),
        (person(down=[down(loss=0.03)]), "down_noticed"),
        (person(down=[down(loss=0.2, upstream=0.19)]), "fine"),  # lost before us: not his network
        (person(down=[down(loss=0.5, seen=False)]), "fine"),
        (person(down=[down(loss=0.5, flows=False)]), "fine"),
        (person(down=[down(paused=True)], estimate=100_000), "starved"),
        (person(down=[down(layer=0)], estimate=300_000), "lowered"),
        (person(down=[down(layer=0)]), "fine"),  # nothing limits him: his publisher sends no more
        (person(up=[up(age=10.0)]), "client_still"),
        (person(up=[up(kind="audio", age=10.0)]), "fine"),  # silence may pause
        (person(up=[up(age=10.0, muted=True)]), "fine"),
        (person(rtt_ms=500.0), "trip_noticed"),
        (person(rtt_ms=1200.0), "trip_bad"),
        (person(up=[up(jitter_ms=300.0)]), "jitter_bad"),
        # What explains the rest stands first.
        (person(heard=9.0, up=[up(age=9.0, loss=0.4)]), "unheard"),
        (person(up=[up(loss=0.4, age=5.0)]), "up_bad"),
    ],
)
def test_people(stats: PeerStats, code: str) -> None:
    assert judge(stats).code == code


def test_cameras() -> None:
    failed = camera("failed", ("密码错误。", "The password is wrong."))
    assert (failed.code, failed.fault, failed.grade) == ("camera_failed", Fault.CAMERA, Grade.BAD)
    assert failed.text == ("摄像机打不开：密码错误。", "The camera cannot be opened: The password is wrong.")
    assert camera("connecting", up=[]).code == "camera_opening"
    assert camera("live").code == "fine"
    assert camera("live", up=[up(age=4.0)]).code == "camera_still"
    assert camera("live", up=[up(loss=0.05)]).code == "camera_loss"
    assert camera("idle", up=[]).code == "camera_idle"


def test_the_hub_blames_itself_before_others() -> None:
    bad = judge(person(up=[up(loss=0.3)]), Surroundings(late=0.4))
    assert (bad.code, bad.fault) == ("hub_late", Fault.HUB)
    assert "400" in bad.text[0]
    assert judge(person(down=[down(layer=0)], estimate=300_000), Surroundings(shed=True)).code == "hub_shed"


def test_every_rule_can_be_reached_and_says_what_to_do() -> None:
    codes = [rule.code for rule in RULES]
    assert len(set(codes)) == len(codes)
    for rule in RULES:
        assert all(rule.text), rule.code
        assert rule.grade is Grade.FINE or all(rule.step), rule.code
        assert (rule.fault is Fault.FINE) == (rule.grade is Grade.FINE), rule.code
    grades = [rule.grade for rule in RULES if rule.fault is not Fault.CAMERA]
    order = [Grade.BAD, Grade.NOTICED, Grade.FINE]
    assert [order.index(grade) for grade in grades] == sorted(order.index(grade) for grade in grades)
