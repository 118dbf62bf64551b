"""SRTP and SRTCP of one direction of one transport.

AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714) are done here with ``cryptography``, a third of libsrtp's cost from
Python; AES_CM_128_HMAC_SHA1_80 (RFC 3711) goes through libsrtp. Sequence numbers are extended to packet indices
(roll-over counter and sequence number, RFC 3711 §3.3.1) by the caller, who also owns the replay windows of RTP.
"""

from __future__ import annotations

from typing import Self

import pylibsrtp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

#: Profile name (OpenSSL's) → octets of master key and of master salt.
PROFILES = {
    "SRTP_AEAD_AES_128_GCM": (16, 12),
    "SRTP_AEAD_AES_256_GCM": (32, 12),
    "SRTP_AES128_CM_SHA1_80": (16, 14),
}
TAG = 16
WINDOW = 1024
_WINDOW_MASK = (1 << WINDOW) - 1
_NOT_AUTHENTIC = "The packet is not authentic."
_REPLAYED = "The packet was seen before."


class Window:
    """Replay protection over packet indices: ``highest`` so far (-1 none) and a bit for each of the last 1024."""

    __slots__ = ("highest", "mask")

    def __init__(self) -> None:
        self.highest = -1
        self.mask = 0

    def index(self, sequence: int, bits: int = 16) -> int:
        """The packet index nearest to the highest one that ends in ``sequence`` (RFC 3711 §3.3.1)."""
        highest = self.highest
        if highest < 0:
            return sequence
        size = 1 << bits
        delta = (sequence - highest) & (size - 1)
        if delta >= size >> 1:
            delta -= size
        index = highest + delta
        return index if index >= 0 else sequence

    def fresh(self, index: int) -> bool:
        """Whether this index may still come: not seen, not too old."""
        behind = self.highest - index
        return behind < 0 or (behind < WINDOW and not self.mask >> behind & 1)

    def follow(self, count: int) -> None:
        """Note the next ``count`` authentic packets."""
        self.highest += count
        if self.mask is not _WINDOW_MASK:
            seen = self.mask << count | (1 << count) - 1 if count < WINDOW else _WINDOW_MASK
            self.mask = _WINDOW_MASK if seen & _WINDOW_MASK == _WINDOW_MASK else seen & _WINDOW_MASK

    def accept(self, index: int) -> None:
        """Note an authentic packet."""
        ahead = index - self.highest
        if ahead > 0:
            self.mask = (self.mask << ahead | 1) & _WINDOW_MASK if ahead < WINDOW else 1
            self.highest = index
        elif ahead > -WINDOW:
            self.mask |= 1 << -ahead


def session_keys(key_size: int, master: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """``(RTP key, RTP salt, RTCP key, RTCP salt)`` of a GCM profile from master key and salt (RFC 3711 §4.3, RFC 7714 §11)."""
    key, salt = master[:key_size], master[key_size:]
    padded = int.from_bytes(salt + bytes(14 - len(salt)), "big")

    def prf(label: int, size: int) -> bytes:
        start = (padded ^ label << 48) << 16
        return Cipher(AES(key), CTR(start.to_bytes(16, "big"))).encryptor().update(bytes(size))

    return prf(0, key_size), prf(2, 12), prf(3, key_size), prf(5, 12)


class _Context:
    """What both directions share. ``salt`` and ``rtcp_salt`` are integers: a nonce is made by one XOR."""

    _INBOUND = False

    def __init__(self, profile: str, master: bytes) -> None:
        sizes = PROFILES.get(profile)
        if sizes is None:
            raise ValueError("This SRTP profile is not supported.")
        if len(master) != sum(sizes):
            raise ValueError("The SRTP keying material has a wrong length.")
        self.gcm: AESGCM | None = None
        self.rtcp: AESGCM | None = None
        self.salt = self.rtcp_salt = 0
        self.session: pylibsrtp.Session | None = None
        if profile.startswith("SRTP_AEAD"):
            self._use(*session_keys(sizes[0], master))
            return
        kind = pylibsrtp.Policy.SSRC_ANY_INBOUND if self._INBOUND else pylibsrtp.Policy.SSRC_ANY_OUTBOUND
        policy = pylibsrtp.Policy(key=bytes(master), ssrc_type=kind)
        policy.allow_repeat_tx = True  # an answer to a NACK is the same packet again
        policy.window_size = WINDOW
        self.session = pylibsrtp.Session(policy)

    def _use(self, key: bytes, salt: bytes, rtcp_key: bytes, rtcp_salt: bytes) -> None:
        self.gcm, self.salt = AESGCM(key), int.from_bytes(salt, "big")
        self.rtcp, self.rtcp_salt = AESGCM(rtcp_key), int.from_bytes(rtcp_salt, "big")

    @classmethod
    def from_session_keys(cls, key: bytes, salt: bytes) -> Self:
        """A GCM context with the same given session key and salt for RTP and RTCP, as test vectors have it."""
        self = cls("SRTP_AEAD_AES_128_GCM", bytes(28))
        self._use(key, salt, key, salt)
        return self

    def nonce(self, ssrc: int) -> int:
        """The constant part of a stream's nonces: ``nonce(ssrc) ^ index`` as 12 octets is the IV (RFC 7714 §8.1)."""
        return self.salt ^ ssrc << 48


class Outbound(_Context):
    """Protects what leaves. A pair (SSRC, index) may only ever be used for one and the same packet."""

    def __init__(self, profile: str, master: bytes) -> None:
        super().__init__(profile, master)
        self._index = 0

    def protect(self, header: bytes, payload: bytes | memoryview, ssrc: int, index: int) -> bytes:
        """One RTP packet; ``index`` is the extended sequence number whose low 16 bits stand in the header."""
        if self.gcm is not None:
            return header + self.gcm.encrypt(((ssrc << 48 | index) ^ self.salt).to_bytes(12, "big"), payload, header)
        assert self.session is not None
        try:
            return self.session.protect(header + payload)
        except (pylibsrtp.Error, TypeError) as error:
            raise ValueError("The packet cannot be protected.") from error

    def protect_rtcp(self, packet: bytes) -> bytes:
        """One compound RTCP packet (RFC 7714 §9)."""
        if self.rtcp is None:
            assert self.session is not None
            try:
                return self.session.protect_rtcp(packet)
            except (pylibsrtp.Error, TypeError) as error:
                raise ValueError("The packet cannot be protected.") from error
        self._index = self._index + 1 & 0x7FFFFFFF
        index = self._index
        trailer = (0x80000000 | index).to_bytes(4, "big")
        nonce = (int.from_bytes(packet[4:8], "big") << 48 | index) ^ self.rtcp_salt
        return packet[:8] + self.rtcp.encrypt(nonce.to_bytes(12, "big"), packet[8:], packet[:8] + trailer) + trailer


class Inbound(_Context):
    """Opens what arrives. ValueError for what is not authentic, and for RTCP that was seen before."""

    _INBOUND = True

    def __init__(self, profile: str, master: bytes) -> None:
        super().__init__(profile, master)
        self._windows: dict[int, Window] = {}

    def unprotect(self, packet: bytes | memoryview, header: int, ssrc: int, index: int) -> bytes:
        """The payload of one RTP packet whose header has ``header`` octets. The caller has checked ``index`` for replay."""
        if self.gcm is not None:
            try:
                nonce = ((ssrc << 48 | index) ^ self.salt).to_bytes(12, "big")
                return self.gcm.decrypt(nonce, packet[header:], packet[:header])
            except InvalidTag as error:
                raise ValueError(_NOT_AUTHENTIC) from error
        assert self.session is not None
        try:
            return self.session.unprotect(bytes(packet))[header:]
        except (pylibsrtp.Error, TypeError) as error:
            raise ValueError(_NOT_AUTHENTIC) from error

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """The compound RTCP packet."""
        if self.rtcp is None:
            assert self.session is not None
            try:
                return self.session.unprotect_rtcp(packet)
            except (pylibsrtp.Error, TypeError) as error:
                raise ValueError(_NOT_AUTHENTIC) from error
        if len(packet) < 8 + TAG + 4:
            raise ValueError("The SRTCP packet is too short.")
        trailer = packet[-4:]
        word = int.from_bytes(trailer, "big")
        index, ssrc = word & 0x7FFFFFFF, int.from_bytes(packet[4:8], "big")
        window = self._windows.get(ssrc)
        if window is not None and not window.fresh(index):
            raise ValueError(_REPLAYED)
        nonce = ((ssrc << 48 | index) ^ self.rtcp_salt).to_bytes(12, "big")
        try:
            if word >> 31:
                plain = packet[:8] + self.rtcp.decrypt(nonce, packet[8:-4], packet[:8] + trailer)
            else:  # authenticated only
                self.rtcp.decrypt(nonce, packet[-4 - TAG : -4], packet[: -4 - TAG] + trailer)
                plain = packet[: -4 - TAG]
        except InvalidTag as error:
            raise ValueError(_NOT_AUTHENTIC) from error
        if window is None:
            if len(self._windows) >= WINDOW:
                del self._windows[next(iter(self._windows))]
            window = self._windows[ssrc] = Window()
        window.accept(index)
        return plain
