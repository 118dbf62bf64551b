from ipaddress import ip_address

from commhub import machine


def test_usable_addresses_once_each_with_loopback_last() -> None:
    given = ["::1", "fe80::1", "2001:db8::1", "127.0.0.1", "169.254.0.1", "10.0.0.9", "10.0.0.9", "0.0.0.0"]
    found = machine.arranged(ip_address(text) for text in given)
    assert [str(each) for each in found] == ["10.0.0.9", "2001:db8::1", "127.0.0.1", "::1"]


def test_this_machine_has_loopback() -> None:
    assert ip_address("127.0.0.1") in machine.addresses()
