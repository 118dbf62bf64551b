"""Pictures of NAL units with lengths instead of start codes (ISO/IEC 14496-15), whichever standard the units are of; parameter
sets go into the head of the file. No I/O, no clock."""

from __future__ import annotations

import base64
import binascii
from abc import abstractmethod

from commhub.media.messages import Codec
from recorder.frames import Format, Frame, Pictures


class Units(Pictures):
    """A standard says how packets are read (``_add``), what a unit is (``_unit``), which ones are parameter sets (``_learn``) and
    what they make a file's head say (``_format``)."""

    standard: str  # as sentences name it

    def __init__(self, codec: Codec) -> None:
        super().__init__(codec)
        self._fragment: list[bytes] = []
        self._sync = self._coded = False

    def _told(self, fmtp: str, names: tuple[str, ...]) -> None:
        """Parameter sets that were told by signalling: lists of base64."""
        for parameter in fmtp.split(";"):
            name, _, value = parameter.strip().partition("=")
            if name in names:
                for text in value.split(","):
                    try:
                        self._learn(base64.b64decode(text, validate=True))
                    except (binascii.Error, ValueError):
                        self.malformed += 1

    def _begin(self) -> None:
        self._fragment = []
        self._sync = self._coded = False

    def _part(self, head: bytes, body: bytes, *, first: bool, last: bool) -> None:
        """A fragment of a unit, whose own first octets are ``head``."""
        if first:
            self._fragment = [head]
        elif not self._fragment:
            raise ValueError(f"The first fragment of an {self.standard} unit is missing.")
        self._fragment.append(body)
        if last:
            self._unit(b"".join(self._fragment))
            self._fragment = []

    def _picture(self) -> Frame | None:
        if self._fragment:
            raise ValueError(f"The last fragment of an {self.standard} unit is missing.")
        if not self._coded:
            return None  # parameter sets on their own
        data = b"".join(len(nal).to_bytes(4, "big") + nal for nal in self._parts)
        form = self._format() if self._sync else None
        return Frame(self._time, self._at, data, form is not None, 0, form)

    @abstractmethod
    def _unit(self, nal: bytes) -> None: ...

    @abstractmethod
    def _learn(self, nal: bytes) -> None: ...

    @abstractmethod
    def _format(self) -> Format | None:
        """None while a parameter set is missing."""
