"""What evidence is made of: digests (SHA-256, SM3) and signatures (Ed25519, SM2 with SM3). No I/O, no clock.

SHA-256: FIPS 180-4; SM3: GB/T 32905; Ed25519: RFC 8032; SM2: GB/T 32918.2 with the standard's identity of the signer. Public
keys and signatures travel as lower-case hexadecimal digits.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

DIGESTS: Final = ("sha256", "sm3")
SIGNATURES: Final = ("ed25519", "sm2")
SIZE: Final = 32  # bytes of a digest, of either kind
_KEY_SIZES = {"ed25519": 32, "sm2": 64}


class Hash(Protocol):
    def update(self, data: bytes | bytearray | memoryview, /) -> None: ...
    def digest(self) -> bytes: ...


class _Sm3:
    def __init__(self) -> None:
        self._hash = hashes.Hash(hashes.SM3())

    def update(self, data: bytes | bytearray | memoryview, /) -> None:
        self._hash.update(data)

    def digest(self) -> bytes:
        return self._hash.copy().finalize()


def begin(algorithm: str) -> Hash:
    """A digest that grows. ValueError for one that is not known."""
    if algorithm == "sha256":
        return hashlib.sha256()
    if algorithm == "sm3":
        return _Sm3()
    raise ValueError(f"The digest {algorithm[:20]} is not known.")


def digest(algorithm: str, data: bytes | bytearray | memoryview) -> bytes:
    found = begin(algorithm)
    found.update(data)
    return found.digest()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """``id`` is the beginning of its SHA-256, 16 hexadecimal digits. ValueError for what is no such key."""

    algorithm: str
    data: bytes

    def __post_init__(self) -> None:
        if _KEY_SIZES.get(self.algorithm) != len(self.data):
            raise ValueError("A public key has a wrong form.")

    @property
    def id(self) -> str:
        return hashlib.sha256(self.data).hexdigest()[:16]

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Is this the signature of that message by the key's owner?"""
        if self.algorithm == "sm2":
            import gmssl_pyx

            try:
                return bool(gmssl_pyx.sm2_verify(self.data, message, signature))
            except gmssl_pyx.GmsslInnerError:
                return False
        try:
            Ed25519PublicKey.from_public_bytes(self.data).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True, repr=False)
class PrivateKey:
    public: PublicKey
    data: bytes  # 32 bytes

    @staticmethod
    def make(algorithm: str) -> PrivateKey:
        """ValueError for an algorithm that is not known."""
        if algorithm == "ed25519":
            return PrivateKey.of(algorithm, Ed25519PrivateKey.generate().private_bytes_raw())
        if algorithm == "sm2":
            import gmssl_pyx

            public, private = gmssl_pyx.sm2_key_generate()
            return PrivateKey(PublicKey("sm2", public), private)
        raise ValueError(f"The signature {algorithm[:20]} is not known.")

    @staticmethod
    def of(algorithm: str, data: bytes, public: bytes = b"") -> PrivateKey:
        """``public`` is needed for SM2. ValueError for what is no key."""
        if len(data) != 32:
            raise ValueError("A private key has a wrong form.")
        if algorithm == "ed25519":
            public = Ed25519PrivateKey.from_private_bytes(data).public_key().public_bytes_raw()
        return PrivateKey(PublicKey(algorithm, public), data)

    def sign(self, message: bytes) -> bytes:
        if self.public.algorithm == "sm2":
            import gmssl_pyx

            return bytes(gmssl_pyx.sm2_sign(self.data, self.public.data, message))
        return Ed25519PrivateKey.from_private_bytes(self.data).sign(message)
