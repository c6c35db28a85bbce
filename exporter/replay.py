"""Runs a capture through the same core as live frames, on packet time."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from exporter.cluster.intent_file import IntentFile, Plan
from exporter.vip.core import Core
from exporter.vip.model import Input, IPAddress, Nanoseconds, NeighbourSeen, Sighting
from exporter.vip.snapshot import Event, Snapshot
from exporter.wire.capture_file import CaptureFile
from exporter.wire.decode import Decoder, IgnoreReason
from exporter.wire.neighbours import Neighbours

REPORT_EVERY = 4096
"""Packets between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What a capture shows. Times are nanoseconds since 1970, UTC."""

    snapshot: Snapshot
    """At the time of the last packet."""
    events: tuple[Event, ...]
    ignored: dict[str, int]
    packets: int
    first: Nanoseconds
    last: Nanoseconds
    warnings: tuple[str, ...]
    """What is wrong with the file, one line each, where that did not keep it from being read."""


def replay(
    path: str,
    *,
    vips: Collection[IPAddress] = (),
    intent: IntentFile | None = None,
    period: Nanoseconds | None = None,
    progress: Callable[[int, int | None], None] = lambda _done, _size: None,
) -> Replay:
    """Read a capture from front to back.

    Args:
        path: the file; `-`: standard input.
        vips: the addresses to watch; none: those of the intent file and every address that anyone announces.
        intent: what Kubernetes said meanwhile.
        period: announcement period of all VIPs; None: learned.
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
                run = _Run(at, decoder, vips, intent, period)
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
        run = run or _Run(now, decoder, vips, intent, period)
        run.events += run.core.tick(now)
        progress(capture.consumed, capture.size)
        return Replay(
            snapshot=run.core.snapshot(),
            events=tuple(run.events),
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
    ) -> None:
        self.core = Core(at=start, listening=True, discover=not vips, period=period)
        self.events: list[Event] = []
        self.neighbours = Neighbours()
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
        self.events += self.core.observe(event)
        # What a frame makes known, the decoder has found out by itself.
        if not isinstance(event, Sighting | NeighbourSeen) and self.core.generation != self._generation:
            self._generation = self.core.generation
            self._decoder.watch(self.core.watched(), self.core.neighbours())
            self.neighbours.keep(self.core.neighbours())
