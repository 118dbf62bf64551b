import socket
from ipaddress import ip_address

import pytest

from commhub import machine


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
