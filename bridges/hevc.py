"""H.265 pictures of a camera on their way to who decodes them: units unchanged, put into packets (RFC 7798). No I/O, no clock."""

from __future__ import annotations

from commhub.media.messages import Codec
from commhub.wire import h264, h265

RATE = 90_000
_NAMES = (h265.VPS, h265.SPS, h265.PPS)
_MOST = ((983_040, 93), (2_228_224, 123), (8_912_896, 153))  # luma samples of a picture → level 3.1, 4.1, 5.1 (A.4.1)


class Hevc:
    """``push`` takes access units (annex B) and returns payloads; nothing before the first key frame whose parameter sets are
    known. ``sps`` is the newest one."""

    def __init__(self) -> None:
        self.running = False
        self.sps: h265.Sps | None = None
        self._sets: dict[int, bytes] = {}

    def forget(self) -> None:
        """Another device."""
        self.running, self.sps = False, None
        self._sets.clear()

    @property
    def reorders(self) -> bool:
        """Pictures come in another order than they are shown: there are B-frames."""
        return self.sps is not None and self.sps.reorder > 0

    def push(self, data: bytes, *, key: bool) -> list[bytes]:
        units = [unit for unit in h264.split_annex_b(data) if len(unit) > 2]
        own = {h265.kind(unit) for unit in units if self._learn(unit)}
        if key:
            units = [self._sets[kind] for kind in _NAMES if kind in self._sets and kind not in own] + units
            self.running = self.running or (self.sps is not None and len(self._sets) == len(_NAMES))
        return h265.packets(units) if self.running else []

    def _learn(self, unit: bytes) -> bool:
        kind = h265.kind(unit)
        if kind not in _NAMES:
            return False
        if self._sets.get(kind) != unit and len(unit) <= h264.PARAMETER_SET_LIMIT:
            if kind == h265.SPS:
                try:
                    self.sps = h265.parse_sps(unit)
                except ValueError:
                    return True  # a decoder may read it; what we know stays
            self._sets[kind] = unit
        return True

    def codec(self) -> Codec:
        """As it is offered to viewers (RFC 7798 §7.1). Once it runs."""
        sps = self.sps
        assert sps is not None
        level = min(sps.level or 186, next((level for most, level in _MOST if sps.width * sps.height <= most), 186))
        # Cameras write the highest level their encoder has; a viewer's decoder counts the picture's size.
        fmtp = f"level-id={level};profile-id={sps.profile or 1};tier-flag={sps.tier};tx-mode=SRST"
        return Codec(mime="video/H265", clock_rate=RATE, fmtp=fmtp)
