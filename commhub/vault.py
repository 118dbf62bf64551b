"""Secrets of the hub that lie on disk: one file each, readable by its owner only, apart from the database they protect."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE = 12


class Vault:
    """``folder`` is made on first use. A secret is made when it is asked for the first time, and stays. ``sealing`` is the name
    of the one that seals."""

    def __init__(self, folder: Path, sealing: str = "records") -> None:
        self._folder, self._sealing = folder, sealing
        self._known: dict[str, bytes] = {}

    def secret(self, name: str) -> str:
        """64 hexadecimal digits (32 random bytes)."""
        path = self._folder / name
        with contextlib.suppress(FileNotFoundError):
            return path.read_text("ascii").strip()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Written beside and linked into place: of two processes that start together one wins, and both read the same.
        fresh = self._folder / f".{name}.{secrets.token_hex(8)}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
        return path.read_text("ascii").strip()

    def seal(self, text: str, about: str) -> bytes:
        """AES-256-GCM; ``about`` (an id) is bound in, so that a sealed text cannot be moved to another record."""
        nonce = os.urandom(_NONCE)
        return nonce + self._cipher().encrypt(nonce, text.encode(), about.encode())

    def unseal(self, sealed: bytes, about: str) -> str:
        """ValueError when it was sealed with another key, for another record, or is damaged."""
        try:
            return self._cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], about.encode()).decode()
        except (InvalidTag, ValueError):
            raise ValueError("A sealed secret does not open with this key.") from None

    def digest(self, text: str) -> str:
        """32 hexadecimal digits by which a sealed text is found again: HMAC-SHA-256 with a key that is apart from the database,
        so that nobody who has only that can try all telephone numbers."""
        return hmac.digest(self._key("digests"), text.encode(), "sha256")[:16].hex()

    def _cipher(self) -> AESGCM:
        return AESGCM(self._key(self._sealing))

    def _key(self, name: str) -> bytes:
        """Read once: an import seals thousands."""
        if name not in self._known:
            self._known[name] = bytes.fromhex(self.secret(name))
        return self._known[name]
