"""Reading bits, most significant first, as every video bitstream counts them. No I/O, no clock."""

from __future__ import annotations


class Bits:
    """The bits of ``data`` from octet ``offset`` on. ValueError with ``torn`` behind the end."""

    __slots__ = ("_left", "_size", "_torn", "_value")

    def __init__(self, data: bytes, offset: int = 0, torn: str = "A bitstream header is torn.") -> None:
        self._value = int.from_bytes(data[offset:], "big")
        self._size = self._left = max(0, len(data) - offset) * 8
        self._torn = torn

    @property
    def at(self) -> int:
        """Bits read so far."""
        return self._size - self._left

    def read(self, count: int) -> int:
        if count > self._left:
            raise ValueError(self._torn)
        self._left -= count
        return (self._value >> self._left) & ((1 << count) - 1)

    def non_symmetric(self, count: int) -> int:
        """ns(n) of AV1 §4.10.7: a number below ``count``."""
        width = count.bit_length()
        short = (1 << width) - count
        value = self.read(width - 1)
        return value if value < short else (value << 1) - short + self.read(1)

    def exp_golomb(self) -> int:
        """uvlc() of AV1 §4.10.3."""
        zeros = 0
        while not self.read(1):
            zeros += 1
            if zeros > 32:
                raise ValueError("An Exp-Golomb number is too long.")
        return (1 << zeros) - 1 + self.read(zeros)


class Bytes:
    """Octets of ``data`` from ``offset`` on. ValueError behind the end."""

    __slots__ = ("_data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self._data, self.offset = data, offset

    def next(self) -> int:
        if self.offset >= len(self._data):
            raise ValueError("A payload descriptor is torn.")
        self.offset += 1
        return self._data[self.offset - 1]

    def leb128(self) -> int:
        """AV1 §4.10.5."""
        value = 0
        for shift in range(0, 35, 7):
            byte = self.next()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                return value
        raise ValueError("A LEB128 number is too long.")

    def take(self, size: int) -> bytes:
        if self.offset + size > len(self._data):
            raise ValueError("An element is longer than its packet.")
        self.offset += size
        return self._data[self.offset - size : self.offset]


def leb128(value: int) -> bytes:
    """AV1 §4.10.5."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
