"""The exporter's inner parts, joined as the program joins them, on virtual time; frames and objects are put in by hand.

Real: the decoder, what is made of neighbours, the reconciler with its core, the watch of the cluster with its loops
and readers, the state file, the exposition. Not here: sockets, HTTP, the scheduler.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from exporter.cluster.intent_file import read_intent_file
from exporter.cluster.interests import Interests
from exporter.cluster.loop import Timing
from exporter.cluster.watch import ClusterWatcher
from exporter.publish.metrics import Exposition
from exporter.publish.records import event_record
from exporter.publish.state_file import StateFile
from exporter.publish.status import CaptureStatus, ExporterStatus
from exporter.reconciler import Reconciler
from exporter.vip.core import Core
from exporter.vip.model import CaptureChanged, Input, NodesSeen, Sighting
from exporter.vip.snapshot import Event
from exporter.wire.decode import Decoder, IgnoreReason
from exporter.wire.neighbours import Neighbours
from tests.soak.api_server import Server
from tests.soak.virtual_clock import SECOND, VirtualClock

DEVICE = "eth0"
AT_ONCE = Timing(backoff_first=0.0, backoff_most=0.0, pace=0.0)
"""The pauses of a loop are real time, of which there is none here."""


class Observer:
    """One run of the exporter.

    Args:
        state: the state file of its runs; None: it remembers nothing.
        intent: the intent file with the VIPs that Kubernetes does not know of.
    """

    def __init__(
        self, clock: VirtualClock, server: Server, interests: Interests, intent: Path, state: Path | None
    ) -> None:
        self._clock = clock
        self._server = server
        self._state = None if state is None else StateFile(state, retention=3600 * SECOND, clock=clock)
        self._decoder = Decoder()
        self._neighbours = Neighbours()
        self._ignored = dict.fromkeys(IgnoreReason, 0)
        self._frames = 0
        self.events: Counter[str] = Counter()
        self._reconciler = Reconciler(Core(at=clock.now()), clock=clock, publish=self._publish, watch=self._watch)
        self._exposition = Exposition(snapshot=self._reconciler.snapshot, status=self._status, to_wall=clock.to_wall)
        if self._state is not None:
            self._deliver(self._state.load().holders)
        plan = read_intent_file(intent).plan(start=clock.now())
        self._deliver([one for one in plan.initial if not isinstance(one, NodesSeen)])
        self.hear(True)
        self.cluster = ClusterWatcher(clock=clock, deliver=self._deliver, interests=interests, timing=AT_ONCE)
        self.cluster._client = server
        self.cluster.start()
        self.settle()

    def settle(self) -> None:
        """Let the watch loops take what the server has for them."""
        self._server.settle(lambda: len(self.cluster._loops))

    def hear(self, up: bool) -> None:
        """Capture works from now on, or stops."""
        self._deliver([CaptureChanged(self._clock.now(), DEVICE, up)])

    def take(self, frame: bytes) -> None:
        """One frame from the wire, as the capture thread takes it."""
        now = self._clock.now()
        self._frames += 1
        outcome = self._decoder.decode(frame, now)
        if not isinstance(outcome, Sighting):
            outcome = self._neighbours.judge(outcome, now)
        if isinstance(outcome, IgnoreReason):
            self._ignored[outcome] += 1
        else:
            self._deliver([outcome])

    def tick(self) -> None:
        """What the scheduler does each second."""
        self.cluster.tick()
        self.settle()
        self._reconciler.tick()
        if self._state is not None and self._clock.now() % (60 * SECOND) < SECOND:
            self._state.keep(self._reconciler.snapshot())

    def stop(self) -> None:
        if self._state is not None:
            self._state.keep(self._reconciler.snapshot())
            self._state.close()
            assert self._state.up, self._state.reason
        self.cluster.stop()

    def scrape(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
        """Every sample of /metrics."""
        _, body = self._exposition.render()
        families = text_string_to_metric_families(body.decode())
        return {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in families
            for sample in family.samples
        }

    def _deliver(self, inputs: Iterable[Input]) -> None:
        self._reconciler.deliver(list(inputs))

    def _publish(self, events: Iterable[Event]) -> None:
        for event in events:
            self.events[event.name] += 1
            if self._state is not None:
                self._state.note(event_record(event, self._clock.to_wall), event.at)

    def _watch(self, vips: Mapping, neighbours: frozenset) -> None:
        self._decoder.watch(vips, neighbours)
        self._neighbours.keep(neighbours)

    def _status(self) -> ExporterStatus:
        ignored = {str(reason): number for reason, number in self._ignored.items()}
        capture = CaptureStatus(
            device=DEVICE, up=True, frames=self._frames, dropped=0, reopens=0, last_frame=None, ignored=ignored
        )
        return ExporterStatus(captures=[capture])
