"""Who comes in, who is there, who is gone: on the wire, without sockets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bridges.gb28181 import outs
from bridges.gb28181.registrar import Policy
from bridges.sip.transaction import Flow
from commhub.media.messages import DeviceSeen, DeviceState, Terms
from tests.support.gb_platform import DEVICE, DOMAIN, FLOW, PLATFORM, Camera, Table, xml

OTHER = "34020000001110000002"


def states(table: Table) -> list[tuple[bool, str]]:
    return [(one.online, one.code) for one in table.told(DeviceState)]


def test_a_device_registers() -> None:
    table = Table()
    camera = Camera(table)
    challenge = camera.ask()
    assert challenge.status == 401
    header = challenge.headers.get("WWW-Authenticate")
    assert header.startswith(f'Digest realm="{DOMAIN}", nonce="')
    assert "algorithm=MD5" in header
    assert "qop" not in header
    assert challenge.headers.get("X-GB-ver") == "3.0"
    welcome = camera.ask(proof=camera.proof(challenge))
    assert welcome.status == 200
    assert welcome.headers.get("Expires") == "3600"
    assert welcome.headers.get("Contact") == f"<sip:{DEVICE}@192.0.2.64:5060>"
    assert welcome.headers.get("Date") == "2026-11-25T12:00:00.000"
    assert welcome.headers.get("X-GB-ver") == "3.0"
    (state,) = table.told(DeviceState)
    assert (state.device, state.online, state.address, state.transport, state.version) == (
        DEVICE,
        True,
        "192.0.2.64:5060",
        "UDP",
        "2.0",
    )
    assert outs.Learn(DEVICE, FLOW) in table.done
    assert outs.Online(DEVICE) in table.done


def test_the_uri_in_the_proof_is_what_the_device_thinks_it_is() -> None:
    table = Table()
    camera = Camera(table)
    assert camera.ask(proof=camera.proof(camera.ask(), uri="sip:192.168.0.1:5060")).status == 200


def test_sha_256_is_asked_of_those_that_know_it() -> None:
    table = Table(Terms(DEVICE, "secret", algorithm="SHA-256"))
    camera = Camera(table)
    camera.algorithm = "SHA-256"
    challenge = camera.ask()
    assert "algorithm=SHA-256" in challenge.headers.get("WWW-Authenticate")
    assert camera.ask(proof=camera.proof(challenge)).status == 200
    other = Camera(Table(Terms(DEVICE, "secret", algorithm="SHA-256")))
    assert other.register().status == 403
    assert states(other.table) == [(False, "wrong_algorithm")]


def test_a_wrong_password_is_403_and_told_once() -> None:
    table = Table()
    camera = Camera(table)
    for _ in range(3):
        assert camera.register(password="wrong").status == 403
    assert states(table) == [(False, "wrong_password")]
    assert camera.register().status == 200
    assert states(table)[-1] == (True, "")


def test_an_old_nonce_is_stale_and_a_used_one_too() -> None:
    table = Table()
    camera = Camera(table)
    challenge = camera.ask()
    table.wait(120)
    answer = camera.ask(proof=camera.proof(challenge))
    assert answer.status == 401
    assert "stale=true" in answer.headers.get("WWW-Authenticate")
    proof = camera.proof(answer)
    assert camera.ask(proof=proof).status == 200
    again = camera.ask(proof=proof)  # a replay
    assert again.status == 401
    assert "stale=true" in again.headers.get("WWW-Authenticate")


def test_a_proof_seen_on_the_way_is_nobody_elses() -> None:
    table = Table()
    camera = Camera(table)
    proof = camera.proof(camera.ask())
    thief = Camera(table, flow=replace(FLOW, host="192.0.2.66"))
    assert thief.ask(proof=proof).status == 401
    assert not table.told(DeviceState)


def test_passwords_are_not_guessed_quickly_and_the_device_itself_is_not_locked_out() -> None:
    table = Table()
    camera = Camera(table)
    assert camera.register().status == 200
    thief = Camera(table, flow=replace(FLOW, host="198.51.100.7"))
    tried = 0
    for number in range(60):
        if thief.register(password=f"guess {number}").headers.get("Retry-After"):
            break
        tried += 1
    assert tried <= 5
    many = [Camera(table, flow=replace(FLOW, host=f"203.0.{number}.9")) for number in range(100)]
    guesses = [one.register(password="guess").headers.get("Retry-After") for one in many]
    assert guesses.count("") <= 30
    assert camera.register().status == 200
    table.wait(60)
    assert not thief.register(password="again").headers.get("Retry-After")


def test_what_cannot_have_been_sent_from_there_counts_against_nobody() -> None:
    table = Table()
    camera = Camera(table)
    forged = camera.proof(camera.ask()).replace('nonce="', 'nonce="A')
    for _ in range(20):
        assert camera.ask(proof=forged).status == 401
    assert camera.register().status == 200


def test_an_unknown_device_waits_outside_and_is_told_once_a_minute() -> None:
    table = Table()
    stranger = Camera(table, OTHER, X_GB_ver="3.0", User_Agent="NVR 4200")
    for _ in range(10):
        assert stranger.ask().status == 403
    (seen,) = table.told(DeviceSeen)
    assert seen == DeviceSeen(device=OTHER, address="192.0.2.64:5060", transport="UDP", version="3.0", agent="NVR 4200")
    table.wait(61)
    stranger.ask()
    assert len(table.told(DeviceSeen)) == 2


def test_a_flood_of_invented_codes_is_not_the_hubs() -> None:
    table = Table()
    for number in range(1000):
        assert Camera(table, f"3402000000111{number:07}").ask().status in (403, 401)
    assert len(table.told(DeviceSeen)) <= 100


def test_what_is_no_code_is_refused_without_a_word() -> None:
    table = Table()
    for code in ("admin", "1", "3402000000111000000x", "340200000011100000010"):
        assert Camera(table, code).ask().status == 403
    assert not table.told(DeviceSeen)


def test_it_signs_out() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    answer = camera.register(0)
    assert (answer.status, answer.headers.get("Expires")) == (200, "0")
    assert states(table)[-1] == (False, "signed_out")
    assert outs.Offline(DEVICE) in table.done
    assert camera.beat().status == 403


def test_expires_stands_in_contact_or_nowhere_or_is_absurd() -> None:
    table = Table()
    camera = Camera(table)
    assert camera.register(None, Contact=f"<sip:{DEVICE}@192.0.2.64>;expires=120").headers.get("Expires") == "120"
    assert camera.register(None).headers.get("Expires") == "3600"
    assert camera.register(5).headers.get("Expires") == "30"
    assert camera.register(4_000_000_000).headers.get("Expires") == "604800"


def test_a_registration_that_is_not_renewed_ends() -> None:
    table = Table()
    camera = Camera(table)
    camera.register(120)
    for _ in range(5):
        table.wait(25)
        assert camera.beat().status == 200
    table.wait(30)
    assert states(table)[-1] == (False, "expired")
    assert camera.beat().status == 403


def test_the_date_can_be_left_out_for_all_or_for_one() -> None:
    assert not Camera(Table(policy=Policy(date=False))).register().headers.get("Date")
    assert not Camera(Table(Terms(DEVICE, "secret", date=False))).register().headers.get("Date")


def test_another_server_takes_them() -> None:
    table = Table(policy=Policy(redirect="34020000002000000002@192.0.2.2:5060"))
    answer = Camera(table).register()
    assert answer.status == 302
    assert answer.headers.get("Contact") == "<sip:34020000002000000002@192.0.2.2:5060>"
    assert answer.headers.get("Expires") == "3600"
    assert not table.told(DeviceState)


# ---- signs of life


def test_three_missed_heartbeats_and_a_second() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    table.wait(180.5)
    assert states(table) == [(True, "")]
    table.wait(1)
    assert states(table)[-1] == (False, "silent")
    assert camera.beat().status == 200
    assert states(table)[-1] == (True, "")


def test_the_interval_is_what_the_device_does() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    for _ in range(4):
        table.wait(20)
        camera.beat()
    assert table.platform.devices[0].state().heartbeat == 20
    table.wait(60.9)
    assert states(table)[-1] == (True, "")
    table.wait(0.2)
    assert states(table)[-1] == (False, "silent")


def test_the_hub_hears_what_was_learned_and_not_every_beat() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    for _ in range(40):
        table.wait(20)
        camera.beat()
    assert [one.heartbeat for one in table.told(DeviceState)] == [60, 20]


def test_what_a_device_says_does_not_work_is_told_when_it_changes() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    one, other = "34020000001310000001", "34020000001310000002"

    def beats(*faulty: str) -> None:
        table.wait(20)
        info = f"<Info>{''.join(f'<DeviceID>{code}</DeviceID>' for code in faulty)}</Info>" if faulty else ""
        assert camera.say(xml("Notify", "Keepalive", f"<Status>OK</Status>{info}", device=camera.code)).status == 200

    for faulty in [(), (other, one, "no code", one), (one, other), (one,), (one,), ()]:
        beats(*faulty)
    said = [state.faulty for state in table.told(DeviceState)]
    assert [now for now, before in zip(said, [[], *said], strict=False) if now != before] == [[one, other], [one], []]
    beats(*(f"3402000000131{number:07d}" for number in range(1500)))
    assert len(table.told(DeviceState)[-1].faulty) == 1000


def test_one_late_heartbeat_does_not_change_what_was_learned() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    for gap in (20, 20, 20, 55, 20, 20):
        table.wait(gap)
        camera.beat()
    assert table.platform.devices[0].state().heartbeat == 20


def test_any_message_is_life_but_no_heartbeat() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    for _ in range(40):
        table.wait(30)
        camera.say(b"")
    assert states(table) == [(True, "")]
    assert table.platform.devices[0].state().heartbeat == 60


def test_an_unregistered_heartbeat_is_403_so_that_it_registers() -> None:
    table = Table()
    assert Camera(table).beat().status == 403
    assert Camera(table, OTHER).beat().status == 403


def test_another_address_is_not_believed() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    spoof = Camera(table, flow=replace(FLOW, host="192.0.2.99"))
    table.forget()
    assert spoof.beat().status == 403
    assert not [one for one in table.done if isinstance(one, outs.Learn)]
    device = table.platform.device(DEVICE)
    assert device is not None
    assert device.flow == FLOW


def test_its_port_may_change_with_every_message() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    camera.flow = replace(FLOW, port=40_001)
    camera.beat()
    device = table.platform.device(DEVICE)
    assert device is not None
    assert device.flow == camera.flow
    assert outs.Offline(DEVICE) not in table.done


def test_long_messages_by_tcp_do_not_move_a_device_of_udp() -> None:
    table = Table()
    camera = Camera(table)
    camera.register()
    camera.flow = Flow("TCP", FLOW.host, 50_000, "192.0.2.1:5060", 7)
    assert camera.beat().status == 200
    device = table.platform.device(DEVICE)
    assert device is not None
    assert device.flow == FLOW
    assert table.done[-1] != outs.Learn(DEVICE, camera.flow)
    assert outs.Learn(f"{DEVICE} also", camera.flow) in table.done


def test_a_broken_connection_is_offline_until_the_next_one() -> None:
    table = Table()
    first = Flow("TCP", FLOW.host, 50_000, "192.0.2.1:5060", 7)
    camera = Camera(table, flow=first)
    camera.register()
    table.take(table.platform.disconnected(first, [DEVICE], table.now))
    assert states(table)[-1] == (False, "disconnected")
    camera.flow = replace(first, port=50_001, connection=8)
    assert camera.beat().status == 200
    assert states(table)[-1] == (True, "")
    table.take(table.platform.disconnected(first, [], table.now))  # the old one once more
    assert states(table)[-1] == (True, "")


# ---- restarts


def calls_over(table: Table) -> bool:
    return outs.Offline(DEVICE) in table.done


def test_a_refresh_changes_nothing() -> None:
    table = Table()
    camera = Camera(table)
    camera.welcomed()
    assert camera.register().status == 200
    table.wait(1)
    assert not calls_over(table)
    assert not table.posts()


def test_a_new_call_id_is_a_restart() -> None:
    table = Table()
    camera = Camera(table)
    camera.welcomed()
    camera.call_id = "call-2"
    camera.register()
    table.wait(0.5)
    assert calls_over(table)
    assert [one.command for one in table.documents()] == ["DeviceInfo"]


def test_a_new_call_id_at_every_refresh_is_none() -> None:
    table = Table()
    camera = Camera(table)
    camera.welcomed()
    for number in range(3):
        for _ in range(50):
            table.wait(59)
            camera.beat()
        table.forget()
        camera.call_id = f"call-{number + 2}"
        camera.register()
        assert not calls_over(table)
        assert not table.documents("DeviceInfo")


def test_a_new_call_id_on_the_same_connection_is_none() -> None:
    table = Table()
    camera = Camera(table, flow=Flow("TCP", FLOW.host, 50_000, "192.0.2.1:5060", 7))
    camera.welcomed()
    camera.call_id = "call-2"
    camera.register()
    assert not calls_over(table)


def test_a_thousand_devices_are_not_asked_at_once() -> None:
    codes = [f"3402000000111{number:07}" for number in range(1000)]
    table = Table(*(Terms(code, "secret") for code in codes))
    for code in codes:
        assert Camera(table, code).register().status == 200
    table.wait(1)
    assert 100 < len(table.documents("DeviceInfo")) < 200
    table.wait(5)
    assert len(table.documents("DeviceInfo")) == 1000


# ---- the hub's words


def test_nobody_is_refused_before_the_hub_has_said_who_may() -> None:
    table = Table(admitted=False)
    camera = Camera(table)
    with pytest.raises(AssertionError):
        camera.ask()  # no answer yet
    table.admit(Terms(DEVICE, "secret"))
    assert [one.response.status for one in table.done if isinstance(one, outs.Respond)] == [401]


def test_who_is_not_admitted_any_more_is_gone() -> None:
    table = Table()
    camera = Camera(table)
    camera.welcomed()
    table.admit()
    assert outs.Offline(DEVICE) in table.done
    assert outs.Forget(DEVICE) in table.done
    assert camera.beat().status == 403
    assert table.platform.figures()["registered"] == 0


def test_a_new_password_counts_at_once() -> None:
    table = Table()
    camera = Camera(table)
    camera.welcomed()
    table.admit(Terms(DEVICE, "fresh"))
    assert states(table)[-1] == (False, "changed")
    assert camera.beat().status == 403
    assert camera.register().status == 403
    assert camera.register(password="fresh").status == 200


def test_nothing_is_kept_of_those_that_came_and_went() -> None:
    table = Table()
    camera = Camera(table)
    camera.welcomed()
    for number in range(200):
        camera.call_id = f"power cycle {number}"
        camera.register()
        table.wait(2)
        table.answer_all()
    camera.register(0)
    table.wait(60)
    table.answer_all()
    table.wait(600)
    table.answer_all()
    figures = table.platform.figures()
    assert {name: value for name, value in figures.items() if value} == {"admitted": 1}
    assert PLATFORM not in str(figures)
