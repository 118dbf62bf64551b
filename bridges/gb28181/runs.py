"""The catalogues that are being read, one run of a device at a time. No I/O, no clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from bridges.gb28181.asking import GONE, SILENT, UNREACHABLE, Refusal, refused
from bridges.gb28181.catalogue import Part, Run
from bridges.gb28181.devices import Device
from bridges.gb28181.manscdp import Document
from bridges.gb28181.outs import Clocks, Out, Tell
from bridges.gb28181.post import Office
from bridges.sip.message import Response
from commhub import log as logs
from commhub.media.messages import CataloguePart

log = logs.get(__name__)

JOIN_SECONDS = 10.0  # who asks while a run is that young, or goes on, gets that one
AGAIN_SECONDS = 15.0  # after a run that lost something; once

Began = Callable[["int | Refusal", float], None]


class Runs:
    """``first`` is the number of the first run: later ones, of a later process too, have greater ones."""

    def __init__(self, us: str, office: Office, clocks: Clocks, outs: list[Out], counts: Counter[str], first: int) -> None:
        self._us, self._office, self._clocks, self._outs, self._counts = us, office, clocks, outs, counts
        self._number = first
        self._all: dict[str, Run] = {}
        self._timed: dict[str, float] = {}  # when the clock of a device's run is set to
        self._again: dict[str, float] = {}  # devices that get a second try, and when

    def __len__(self) -> int:
        return len(self._all)

    def start(self, device: Device, now: float, began: Began, *, second: bool = False) -> None:
        """``began`` hears the run's number, when the device has taken the question."""
        running = self._all.get(device.device)
        if running is not None and running.asked and (now - running.began < JOIN_SECONDS or running.started):
            began(running.number, now)
            return
        if not device.registered or device.flow is None:
            began(UNREACHABLE, now)
            return
        if running is not None:
            self._finish(device, running, now, again=False)
        self._number += 1
        run = Run(self._number, 0, now)
        self._all[device.device] = run

        def posted(what: Response | str, at: float) -> None:
            if isinstance(what, Response) and what.status < 300:
                began(run.number, at)
                return
            began(refused(what) if isinstance(what, Response) else SILENT if what == "timeout" else GONE, at)
            if self._all.get(device.device) is run and not run.started:
                self._finish(device, run, at)

        run.sn = self._office.message(device, "Query", "Catalog", device.device, [], posted)
        if not second:
            self._again.pop(device.device, None)
        self._arm(device, run)

    def take(self, device: Device, document: Document, now: float) -> None:
        """A page: of the run that asked, whatever its SN, or of one that nobody asked for, which removes nothing."""
        self._counts["catalogue pages"] += 1
        run = self._all.get(device.device)
        if run is None:
            if not document.items():
                return  # the empty page that comes behind the end
            self._number += 1
            run = self._all[device.device] = Run(self._number, document.sn, now, asked=False)
        refused_before = run.refused
        for part in run.take(document, now, us=self._us, gcj02=device.terms.gcj02):
            self._tell(device, run, part)
        self._counts["catalogue entries refused"] += run.refused - refused_before
        self._arm(device, run)

    def drop(self, device: Device, now: float) -> None:
        """It is gone, or restarted."""
        self._again.pop(device.device, None)
        if run := self._all.get(device.device):
            self._finish(device, run, now, again=False)

    def _arm(self, device: Device, run: Run) -> None:
        due = run.deadline
        if self._timed.get(device.device, float("inf")) > due:
            self._timed[device.device] = due
            self._clocks.at(due, lambda at: self._tick(device, due, at))

    def _tick(self, device: Device, due: float, now: float) -> None:
        if self._timed.get(device.device) == due:
            del self._timed[device.device]
        run = self._all.get(device.device)
        if run is None:
            return
        for part in run.tick(now):
            if part.last:
                self._end(device, run, part, now)
                return
            self._tell(device, run, part)
        self._arm(device, run)

    def _finish(self, device: Device, run: Run, now: float, *, again: bool = True) -> None:
        self._end(device, run, run.end(), now, again=again)

    def _end(self, device: Device, run: Run, part: Part, now: float, *, again: bool = True) -> None:
        self._all.pop(device.device, None)
        self._timed.pop(device.device, None)
        self._tell(device, run, part)
        log.info(
            "catalogue read", device=device.device, run=run.number, received=run.received, total=run.total,
            complete=part.complete,
        )  # fmt: skip
        self._counts["catalogues complete" if part.complete else "catalogues incomplete"] += 1
        if part.complete:
            self._again.pop(device.device, None)
        elif again and run.asked and device.device not in self._again:
            self._again[device.device] = now + AGAIN_SECONDS
            self._clocks.at(now + AGAIN_SECONDS, lambda at: self._second(device, at))

    def _second(self, device: Device, now: float) -> None:
        if device.device in self._again and device.online and device.device not in self._all:
            self.start(device, now, lambda *_: None, second=True)

    def _tell(self, device: Device, run: Run, part: Part) -> None:
        told = CataloguePart(
            device=device.device,
            run=run.number,
            channels=part.channels,
            received=part.received,
            total=part.total,
            last=part.last,
            complete=part.complete,
            told=part.told,
        )
        self._outs.append(Tell(told))
