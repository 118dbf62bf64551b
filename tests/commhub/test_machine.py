import socket
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from commhub import machine
from tests.support import wait_until


def test_a_free_port_is_the_wanted_one_or_another() -> None:
    first = machine.free_port("127.0.0.1", 0)
    assert machine.free_port("127.0.0.1", first) == first
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", first))
        assert machine.free_port("127.0.0.1", first) not in (0, first)


def test_usable_addresses_once_each_with_loopback_last() -> None:
    given = ["::1", "fe80::1", "2001:db8::1", "127.0.0.1", "169.254.0.1", "10.0.0.9", "10.0.0.9", "0.0.0.0"]
    found = machine.arranged(ip_address(text) for text in given)
    assert [str(each) for each in found] == ["10.0.0.9", "2001:db8::1", "127.0.0.1", "::1"]


def test_this_machine_has_loopback() -> None:
    assert ip_address("127.0.0.1") in machine.addresses()


def test_listening_sockets_of_a_name_and_of_a_taken_port() -> None:
    sockets = machine.listen("localhost", 0)
    try:
        assert {one.getsockname()[0] for one in sockets} <= {"127.0.0.1", "::1"}
        with pytest.raises(OSError, match="in use"):
            machine.listen("127.0.0.1", next(one for one in sockets if one.family == socket.AF_INET).getsockname()[1])
    finally:
        for one in sockets:
            one.close()


def test_a_turn_ends_before_its_process_does(tmp_path: Path) -> None:
    turn = tmp_path / "hub.turn"
    machine.wait_turn(turn)
    try:
        program = f"import pathlib; from commhub import machine; machine.wait_turn(pathlib.Path({str(turn)!r})); print('mine')"
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as other:
            wait_until((tmp_path / "hub.turn.next").exists)
            assert other.poll() is None
            machine.end_turn()
            assert other.communicate(timeout=10)[0] == b"mine\n"
    finally:
        machine.end_turn()


def test_who_waits_for_the_turn_says_so(tmp_path: Path) -> None:
    turn, note = tmp_path / "hub.turn", tmp_path / "hub.turn.next"
    program = f"import pathlib; from commhub import machine; machine.wait_turn(pathlib.Path({str(turn)!r})); input()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as first:
        wait_until(turn.exists)
        with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as second:
            wait_until(lambda: note.exists() and note.read_text() == f"{second.pid}\n")
            first.kill()
            second.communicate(b"\n", timeout=10)
            assert second.returncode == 0
