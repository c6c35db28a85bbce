"""Runs a capture through the same core as live frames, on packet time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import replace

from exporter.cluster.intent_file import IntentFile, Plan
from exporter.publish.replayed import Replay
from exporter.vip.announcers import Announcers
from exporter.vip.core import Core
from exporter.vip.model import (
    ANNOUNCEMENTS,
    EventName,
    Input,
    IPAddress,
    Nanoseconds,
    NeighbourSeen,
    Sighting,
    parse_mac,
)
from exporter.vip.snapshot import Event
from exporter.wire.capture_file import CaptureFile
from exporter.wire.decode import Decoder, IgnoreReason
from exporter.wire.neighbours import Neighbours

REPORT_EVERY = 4096
"""Packets between two reports of progress."""


def replay(
    path: str,
    *,
    vips: Collection[IPAddress] = (),
    intent: IntentFile | None = None,
    period: Nanoseconds | None = None,
    announcers: bool = False,
    progress: Callable[[int, int | None], None] = lambda _done, _size: None,
) -> Replay:
    """Read a capture from front to back.

    Args:
        path: the file; `-`: standard input.
        vips: the addresses to watch; none: those of the intent file and every address that anyone announces.
        intent: what Kubernetes said meanwhile.
        period: announcement period of all VIPs; None: learned.
        announcers: note who announced what when, too.
        progress: hears how many bytes are done, and of how many (None: not known).

    Raises:
        CaptureFileError: the file cannot be used.
    """
    start = dict.fromkeys(vips)
    decoder = Decoder(start) if vips else Decoder.discovering()
    if intent is not None:
        wanted = [entry for entry in intent.entries if not vips or set(entry.said.addresses) & set(vips)]
        intent = replace(intent, entries=tuple(wanted))
        decoder.watch(
            start | {address: entry.vlan for entry in wanted for address in entry.said.addresses},
            frozenset(address for node in intent.nodes or () for address in node.addresses),
        )
    ignored: Counter[IgnoreReason] = Counter()
    run: _Run | None = None
    packets, first, now = 0, 0, 0
    with CaptureFile(path, decoder) as capture:
        for at, outcome in capture:
            if run is None:
                first = now = at
                run = _Run(at, decoder, vips, intent, period, announcers=announcers)
            now = max(now, at)
            packets += 1
            if packets % REPORT_EVERY == 0:
                progress(capture.consumed, capture.size)
            run.catch_up(now)
            if isinstance(outcome, NeighbourSeen):
                outcome = run.neighbours.judge(outcome, now)  # noqa: PLW2901 - what comes of it in the end
            if isinstance(outcome, IgnoreReason):
                ignored[outcome] += 1
            else:
                # A frame that is older than one before it counts as seen now.
                run.observe(outcome if outcome.at == now else replace(outcome, at=now))
        run = run or _Run(now, decoder, vips, intent, period, announcers=announcers)
        run.events += run.core.tick(now)
        progress(capture.consumed, capture.size)
        return Replay(
            snapshot=run.core.snapshot(),
            events=tuple(run.events),
            announced=run.announcers.heard(run.core.watched(), run.core.whose) if run.announcers is not None else None,
            ignored={str(reason): number for reason, number in sorted(ignored.items())},
            packets=packets,
            first=first,
            last=now,
            warnings=capture.warnings,
        )


class _Run:
    """The core on its way through a capture, with the intent file's time line beside it."""

    def __init__(
        self,
        start: Nanoseconds,
        decoder: Decoder,
        vips: Collection[IPAddress],
        intent: IntentFile | None,
        period: Nanoseconds | None,
        *,
        announcers: bool,
    ) -> None:
        self.core = Core(at=start, listening=True, discover=not vips, period=period)
        self.events: list[Event] = []
        self.neighbours = Neighbours()
        self.announcers = Announcers() if announcers else None
        self._decoder = decoder
        self._generation = self.core.generation
        for address in vips:
            self.core.watch(address)
        plan = intent.plan(start=start) if intent else Plan((), ())
        self._later = deque(plan.later)
        for event in plan.initial:
            self.observe(event)

    def catch_up(self, now: Nanoseconds) -> None:
        """Take what the intent file says until `now`."""
        while self._later and self._later[0].at <= now:
            self.observe(self._later.popleft())

    def observe(self, event: Input) -> None:
        told = self.core.observe(event)
        if self.announcers is not None:
            _note(self.announcers, event, told)
        self.events += told
        # What a frame makes known, the decoder has found out by itself.
        if not isinstance(event, Sighting | NeighbourSeen) and self.core.generation != self._generation:
            self._generation = self.core.generation
            self._decoder.watch(self.core.watched(), self.core.neighbours())
            self.neighbours.keep(self.core.neighbours())


_TAKE_OVERS = {EventName.VIP_SEEN: "mac", EventName.VIP_MOVED: "to_mac", EventName.MAC_CHANGED: "to_mac"}
"""The events that tell of a holder, with the field that has its MAC."""


def _note(announcers: Announcers, event: Input, told: Iterable[Event]) -> None:
    if isinstance(event, Sighting) and event.kind in ANNOUNCEMENTS:
        announcers.hear(event.at, event.vip, event.mac)
    for one in told:
        mac = one.fields.get(_TAKE_OVERS.get(one.name, ""))
        if one.vip is not None and isinstance(mac, str) and mac:
            announcers.hold(one.at if one.since is None else one.since, one.vip, parse_mac(mac))
