"""The form of an encrypted file. No I/O: bytes in, bytes out.

::

    file   = head frame* [end footer]
    head   = "CHsealed" version (1) algorithm (1) length of the name (2) salt (16) name
    frame  = length (4) nonce (12) ciphertext tag (16)        length: of ciphertext and tag, at most LIMIT
    end    = a frame whose length has its highest bit set
    footer = bytes of the end frame (4) "CHend\\r\\n\\x1a"

Numbers are big-endian. Key of the file = HKDF-SHA-256 (RFC 5869) of the session's key, with the salt, over "CommHub recording
file 1\\n" and the whole head; so head and name are proved by whatever opens. Additional data of a frame = salt, its number from
0 on (8), 0 or 1 for the end (1). Nonces are random: a frame may be written again after a failure. Algorithms: AES-256-GCM (1,
NIST SP 800-38D), SM4-GCM (2, GB/T 32907, RFC 8998).

What was recorded is the frames' contents one behind the other, then the end's ``tail``, with its ``patches`` laid over:
containers put sizes and tables into their beginnings when they are whole, and what is encrypted is never rewritten. ``sizes`` of
the end say where each frame is. A file without an end is being written, or was torn: what is not whole at its end was never
written.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAGIC: Final = b"CHsealed"
FOOTER: Final = b"CHend\r\n\x1a"
ALGORITHMS: Final = ("aes-256-gcm", "sm4-gcm")
LIMIT = 256 << 10  # bytes of one frame's content; more is written as several
END_LIMIT = 64 << 20
OVERHEAD = 32  # bytes of a frame beside its content
HEAD = 28  # bytes of a head beside its name
TAIL = 12  # bytes of a footer
KEY = 32  # bytes of a session's key
_ENDING = 1 << 31
_TAG, _NONCE = 16, 12
_HEAD = struct.Struct(">8sBBH16s")
_LENGTH = struct.Struct(">I")
_ABOUT = struct.Struct(">16sQB")


@dataclass(frozen=True, slots=True, repr=False)
class SessionKey:
    """``algorithm`` is the one that new files of the session are written with."""

    data: bytes
    algorithm: str


class End(msgspec.Struct, array_like=True, frozen=True):
    """What closes a file: bytes of each frame's content, bytes behind the last one, bytes in other ones' places."""

    sizes: list[int]
    tail: bytes = b""
    patches: list[tuple[int, bytes]] = []


_decode_end = msgspec.msgpack.Decoder(End).decode


class _Aead(Protocol):
    def encrypt(self, nonce: bytes, data: bytes, about: bytes, /) -> bytes: ...
    def decrypt(self, nonce: bytes, data: bytes, about: bytes, /) -> bytes: ...


class _Sm4:
    """SM4 in GCM, as :class:`AESGCM` is used."""

    def __init__(self, key: bytes) -> None:
        self._key = algorithms.SM4(key)

    def encrypt(self, nonce: bytes, data: bytes, about: bytes, /) -> bytes:
        encryptor = Cipher(self._key, modes.GCM(nonce)).encryptor()
        encryptor.authenticate_additional_data(about)
        return encryptor.update(data) + encryptor.finalize() + encryptor.tag

    def decrypt(self, nonce: bytes, data: bytes, about: bytes, /) -> bytes:
        decryptor = Cipher(self._key, modes.GCM(nonce, data[-_TAG:])).decryptor()
        decryptor.authenticate_additional_data(about)
        return decryptor.update(data[:-_TAG]) + decryptor.finalize()


class Sealing:
    """What one file's frames are made and opened with."""

    def __init__(self, key: SessionKey, head: bytes) -> None:
        """``head``: as long as :func:`head_size` says."""
        _, _, algorithm, _, self._salt = _HEAD.unpack_from(head)
        derive = HKDF(hashes.SHA256(), 32 if algorithm == 1 else 16, self._salt, b"CommHub recording file 1\n" + head)
        derived = derive.derive(key.data)
        self._aead: _Aead = AESGCM(derived) if algorithm == 1 else _Sm4(derived)

    def frame(self, number: int, data: bytes, *, end: bool = False) -> bytes:
        nonce = os.urandom(_NONCE)
        sealed = self._aead.encrypt(nonce, data, _ABOUT.pack(self._salt, number, end))
        return _LENGTH.pack(len(sealed) | (_ENDING if end else 0)) + nonce + sealed

    def open(self, number: int, frame: bytes, *, end: bool = False) -> bytes:
        """``frame`` as it lies there. ValueError when it is another one."""
        length = len(frame) - _LENGTH.size - _NONCE
        if length < _TAG or _LENGTH.unpack_from(frame)[0] != length | (_ENDING if end else 0):
            raise ValueError("A frame of an encrypted file has another length.")
        nonce, sealed = frame[_LENGTH.size : _LENGTH.size + _NONCE], frame[_LENGTH.size + _NONCE :]
        try:
            return self._aead.decrypt(nonce, sealed, _ABOUT.pack(self._salt, number, end))
        except InvalidTag:
            raise ValueError("A frame of an encrypted file is not what was written.") from None


def head(name: str, algorithm: str) -> bytes:
    """Of a new file."""
    said = name.encode()
    return _HEAD.pack(MAGIC, 1, 1 + ALGORITHMS.index(algorithm), len(said), os.urandom(16)) + said


def head_size(data: bytes) -> int:
    """Of a file that begins with ``data`` (:data:`HEAD` bytes). ValueError when it is none of these."""
    if len(data) < HEAD or data[: len(MAGIC)] != MAGIC:
        raise ValueError("A file of an encrypted recording is not encrypted.")
    _, version, algorithm, length, _ = _HEAD.unpack_from(data)
    if version != 1 or not 1 <= algorithm <= len(ALGORITHMS):
        raise ValueError("An encrypted file is of another version.")
    return HEAD + int(length)


def name(head: bytes) -> str:
    """ValueError when it is none."""
    try:
        return head[HEAD:].decode()
    except UnicodeDecodeError:
        raise ValueError("An encrypted file has no readable name.") from None


def content(data: bytes) -> tuple[int, bool]:
    """Bytes of the content of the frame that begins with ``data`` (4 bytes), and whether it is the end. ValueError for no frame:
    what was never written."""
    if len(data) < _LENGTH.size:
        raise ValueError("A frame of an encrypted file is torn.")
    (length,) = _LENGTH.unpack_from(data)
    ending = bool(length & _ENDING)
    size = int(length & ~_ENDING) - _TAG
    if not 0 < size <= (END_LIMIT if ending else LIMIT):
        raise ValueError("A frame of an encrypted file has an impossible length.")
    return size, ending


def end_size(footer: bytes, room: int) -> int:
    """Bytes of the end frame before the footer; 0 when there is none. ``room``: bytes that it may have at most."""
    if len(footer) != TAIL or footer[_LENGTH.size :] != FOOTER:
        return 0
    (size,) = _LENGTH.unpack_from(footer)
    return int(size) if OVERHEAD < size <= min(room, END_LIMIT) else 0


def read_end(data: bytes, room: int) -> End:
    """``data``: the end's content; ``room``: bytes of all frames before. ValueError when the two do not belong together."""
    end = read_any_end(data)
    size = sum(end.sizes)
    if size + OVERHEAD * len(end.sizes) != room or any(one <= 0 for one in end.sizes):
        raise ValueError("An encrypted file has not the frames that it says.")
    if any(offset < 0 or offset + len(patch) > size for offset, patch in end.patches):
        raise ValueError("An encrypted file is changed where it has nothing.")
    return end


def read_any_end(data: bytes) -> End:
    """Of frames that may not be there any more. ValueError when it is none."""
    try:
        return _decode_end(data)
    except msgspec.DecodeError:
        raise ValueError("The end of an encrypted file has a wrong form.") from None


class Pen:
    """Writes one file: :attr:`head` first, then what :meth:`seal` gives. ``sizes``: of frames that are there already."""

    def __init__(self, key: SessionKey, head: bytes, sizes: list[int] | None = None) -> None:
        self.head = head
        self.sizes = sizes if sizes is not None else []
        self._sealing = Sealing(key, head)

    def seal(self, data: bytes) -> bytes:
        out = []
        for at in range(0, len(data), LIMIT):
            part = data[at : at + LIMIT]
            out.append(self._sealing.frame(len(self.sizes), part))
            self.sizes.append(len(part))
        return b"".join(out)

    def back(self, frames: int) -> None:
        """There are so many frames only: the others were refused."""
        del self.sizes[frames:]

    def end(self, tail: bytes = b"", patches: list[tuple[int, bytes]] | None = None) -> bytes:
        said = msgspec.msgpack.encode(End(self.sizes, tail, patches or []))
        frame = self._sealing.frame(0, said, end=True)
        return frame + _LENGTH.pack(len(frame)) + FOOTER
