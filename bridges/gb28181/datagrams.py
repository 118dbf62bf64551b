"""Datagrams as they come in bursts: many for one call of the kernel (recvmmsg(2)), where it has that; else one for each."""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Callable

Place = tuple[str, int]

COUNT = 64  # datagrams of one call
_SIZE = 65_536  # of each: pages that are never written cost nothing
_NAME = 28  # octets of sockaddr_in6
_KNOWN = 4096  # senders whose addresses are remembered
_HEAD = 64  # octets of struct mmsghdr where pointers have 8
_LENGTH = 14  # where msg_len stands in it, in words

_libc = ctypes.CDLL(None, use_errno=True)
_receive: Callable[..., int] | None = None
if struct.calcsize("P") == 8 and hasattr(_libc, "recvmmsg"):
    _libc.recvmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
    _receive = _libc.recvmmsg


class Mail:
    """``read`` takes what waits in a socket, up to ``most`` datagrams. One for all sockets of a process, which are read one
    after the other."""

    def __init__(self) -> None:
        self.most = 1 if _receive is None else COUNT  # datagrams of one reading
        self._data = bytearray(COUNT * _SIZE)
        self._view = memoryview(self._data)
        self._names = bytearray(COUNT * _NAME)
        self._places: dict[bytes, Place] = {}
        self._heads = bytearray(COUNT * _HEAD)
        self._words = memoryview(self._heads).cast("I")
        data, names = (ctypes.addressof(ctypes.c_char.from_buffer(one)) for one in (self._data, self._names))
        self._vectors = bytearray(b"".join(struct.pack("PN", data + at * _SIZE, _SIZE) for at in range(COUNT)))
        vectors = ctypes.addressof(ctypes.c_char.from_buffer(self._vectors))
        for at in range(COUNT):
            # msg_name, msg_namelen, msg_iov, msg_iovlen, msg_control, msg_controllen, msg_flags, msg_len
            struct.pack_into("PIPNPNi4xI", self._heads, at * _HEAD, names + at * _NAME, _NAME, vectors + at * 16, 1, 0, 0, 0, 0)
        self._at = ctypes.addressof(ctypes.c_char.from_buffer(self._heads))
        self._fresh = bytes(self._heads)

    def read(self, sock: socket.socket) -> list[tuple[Place, list[bytes]]]:
        """Datagrams in order, those together that came from one place. BlockingIOError where nothing waits; OSError."""
        if _receive is None:
            size, source = sock.recvfrom_into(self._view)
            return [(source[:2], [bytes(self._view[:size])])]
        count = _receive(sock.fileno(), self._at, COUNT, socket.MSG_DONTWAIT, None)
        if count <= 0:
            raise OSError(ctypes.get_errno(), "No datagram was read.")
        view, names = self._view, self._names
        sizes = self._words[_LENGTH : 16 * count : 16].tolist()
        packets = [bytes(view[at : at + size]) for at, size in zip(range(0, count * _SIZE, _SIZE), sizes, strict=True)]
        self._heads[: count * _HEAD] = self._fresh[: count * _HEAD]  # the kernel has written lengths and flags there
        first = bytes(names[:_NAME])
        if names[: count * _NAME] == first * count:
            return [(self._place(first), packets)]
        found: list[tuple[Place, list[bytes]]] = []
        for at, packet in zip(range(0, count * _NAME, _NAME), packets, strict=True):
            place = self._place(bytes(names[at : at + _NAME]))
            if found and found[-1][0] == place:
                found[-1][1].append(packet)
            else:
                found.append((place, [packet]))
        return found

    def _place(self, name: bytes) -> Place:
        place = self._places.get(name)
        if place is None:
            if len(self._places) >= _KNOWN:
                self._places.clear()
            port = int.from_bytes(name[2:4], "big")
            if struct.unpack_from("H", name)[0] == socket.AF_INET6:
                place = (socket.inet_ntop(socket.AF_INET6, name[8:24]), port)
            else:
                place = (socket.inet_ntop(socket.AF_INET, name[4:8]), port)
            self._places[name] = place
        return place
