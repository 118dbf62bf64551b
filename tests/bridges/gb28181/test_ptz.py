from __future__ import annotations

from collections.abc import Callable

import pytest

from bridges.gb28181 import ptz

BYTE, NIBBLE = 1 / 255, 1 / 15

GOLDEN: dict[str, tuple[Callable[[], str], str]] = {
    "stop": (lambda: ptz.move(0, 0, 0), "A50F0100000000B5"),
    "right 40": (lambda: ptz.move(0x40 * BYTE, 0, 0), "A50F0101400000F6"),
    "left 40": (lambda: ptz.move(-0x40 * BYTE, 0, 0), "A50F0102400000F7"),
    "down 40": (lambda: ptz.move(0, -0x40 * BYTE, 0), "A50F0104004000F9"),
    "up 40": (lambda: ptz.move(0, 0x40 * BYTE, 0), "A50F0108004000FD"),
    "zoom in 8": (lambda: ptz.move(0, 0, 8 * NIBBLE), "A50F011000008045"),
    "zoom out 8": (lambda: ptz.move(0, 0, -8 * NIBBLE), "A50F012000008055"),
    "up, right, in": (lambda: ptz.move(0x1F * BYTE, 0x1F * BYTE, 8 * NIBBLE), "A50F01191F1F808C"),
    "focus near 20": (lambda: ptz.lens(-0x20 * BYTE, 0), "A50F014220000017"),
    "focus far 20": (lambda: ptz.lens(0x20 * BYTE, 0), "A50F014120000016"),
    "iris close 20": (lambda: ptz.lens(0, -0x20 * BYTE), "A50F01480020001D"),
    "iris open 20": (lambda: ptz.lens(0, 0x20 * BYTE), "A50F014400200019"),
    "lens stop": (lambda: ptz.lens(0, 0), "A50F0140000000F5"),
    "preset set 1": (lambda: ptz.preset("preset_set", 1), "A50F018100010037"),
    "preset call 1": (lambda: ptz.preset("preset_call", 1), "A50F018200010038"),
    "preset delete 255": (lambda: ptz.preset("preset_delete", 255), "A50F018300FF0037"),
    "cruise 1 add preset 2": (lambda: ptz.cruise("cruise_add", 1, 2), "A50F01840102003C"),
    "cruise 1 delete all": (lambda: ptz.cruise("cruise_remove", 1), "A50F01850100003B"),
    "cruise 1 speed 0x123": (lambda: ptz.cruise("cruise_speed", 1, 0x123), "A50F01860123106F"),
    "cruise 1 stay 20 s": (lambda: ptz.cruise("cruise_stay", 1, 20), "A50F018701140051"),
    "cruise 1 start": (lambda: ptz.cruise("cruise_start", 1), "A50F01880100003E"),
    "scan 1 start": (lambda: ptz.scan("scan_start", 1), "A50F01890100003F"),
    "scan 1 left": (lambda: ptz.scan("scan_left", 1), "A50F018901010040"),
    "scan 1 right": (lambda: ptz.scan("scan_right", 1), "A50F018901020041"),
    "scan 1 speed 0x123": (lambda: ptz.scan("scan_speed", 1, 0x123), "A50F018A01231073"),
    "wiper on": (lambda: ptz.switch("aux_on", 1), "A50F018C01000042"),
    "wiper off": (lambda: ptz.switch("aux_off", 1), "A50F018D01000043"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name: str) -> None:
    make, wire = GOLDEN[name]
    assert make() == wire
    ptz.parse(wire)


def test_the_address_is_part_of_the_sum_only() -> None:
    assert ptz.command(ptz.STOP, address=0) == "A50F0000000000B4"
    assert ptz.command(ptz.STOP, address=0x234) == "A50F3400000002EA"


@pytest.mark.parametrize("axes", [(1, 1, 1), (-1, -1, -1), (7, -7, 0.5), (1e-9, 0, 0)])
def test_opposite_directions_are_never_together_and_speeds_never_leave_their_range(axes: tuple[float, float, float]) -> None:
    said = ptz.parse(ptz.move(*axes))
    for pair in ((ptz.LEFT, ptz.RIGHT), (ptz.UP, ptz.DOWN), (ptz.ZOOM_IN, ptz.ZOOM_OUT)):
        assert not all(said.code & one for one in pair)
    assert (said.first > 0) == (axes[0] != 0)
    assert (said.third > 0) == (axes[2] != 0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ptz.preset("preset_call", 0), "A preset is a number from 1 to 255."),
        (lambda: ptz.preset("preset_call", 256), "A preset is a number from 1 to 255."),
        (lambda: ptz.cruise("cruise_add", 256), "A cruise is a number from 0 to 255."),
        (lambda: ptz.cruise("cruise_speed", 1, 4096), "A cruise's value is a number from 0 to 4095."),
        (lambda: ptz.scan("scan_speed", 1, -1), "A scan's speed is a number from 0 to 4095."),
        (lambda: ptz.switch("aux_on", 300), "A switch is a number from 0 to 255."),
        (lambda: ptz.command(256), "A PTZ command has a value that does not fit."),
        (lambda: ptz.parse("A50F0100000000B6"), "A PTZ command is not eight octets with a right sum."),
        (lambda: ptz.parse("A50F01"), "A PTZ command is not eight octets with a right sum."),
        (lambda: ptz.parse("x"), "A PTZ command is not eight octets with a right sum."),
    ],
)
def test_what_does_not_fit(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        make()
    assert str(caught.value) == sentence
