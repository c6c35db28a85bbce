"""Captures on one interface, in a thread of its own, and delivers what frames tell of VIPs and nodes as they come.

The thread outlives whatever happens to the interface: it says that it hears nothing, and goes on once it can.
Nothing is ever sent.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import select
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import itemgetter
from typing import NamedTuple

from exporter.clock import Clock
from exporter.vip.model import (
    SECOND,
    Burst,
    CaptureChanged,
    FramesMissed,
    Heard,
    Input,
    IPAddress,
    Nanoseconds,
    NeighbourSeen,
    Sighting,
)
from exporter.wire.decode import Decoder, IgnoreReason
from exporter.wire.frame_source import CapturedFrame, CaptureNotPermitted, FrameSource
from exporter.wire.interface import default_interface
from exporter.wire.neighbours import Neighbours
from exporter.wire.queue import Queue
from exporter.wire.ring import NoRingError, Ring

__all__ = ["Capture", "CaptureNotPermitted", "CaptureStats", "default_interface", "open_source"]

BUFFER_BYTES = 4 * 1024 * 1024
"""30,000 ARP messages at once, or those of a second and more at any pace."""
CHECK_INTERVAL: Nanoseconds = SECOND // 4
"""How often the interface is looked at: a deleted one says nothing of its own."""
FLOOD = 8
"""Frames in one batch from which on it is one: a thousand a second."""
PATIENCE = 0.05
"""Seconds that the next frames of a flood wait, at most."""
AFTER_FRAMES: Nanoseconds = SECOND // 50
"""Trouble that came with the last of some frames, which go first, is asked for so soon."""
PASSED_ON_WITHIN: Nanoseconds = SECOND // 4
"""Frames that the kernel has let in are read by then, if nothing else comes."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 0.5
"""Seconds between attempts to open, so that a re-created interface is captured on again within a second."""


@dataclass(frozen=True, slots=True)
class CaptureStats:
    device: str
    up: bool
    frames: int
    """Read, having passed the kernel's filter."""
    dropped: int
    """By the kernel, for want of buffer space."""
    reopens: int
    """How often capture came back after it had been lost."""
    errors: int
    """Failures of the program itself while it handled frames; each was reported to `on_error`."""
    last_frame_at: Nanoseconds | None
    ignored: Mapping[IgnoreReason, int]
    """Every reason, those that never occurred too."""


def open_source(
    device: str, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress], buffer_bytes: int
) -> FrameSource:
    """A ring; where the kernel gives none, its queue."""
    try:
        return Ring(device, vips, neighbours, buffer_bytes)
    except NoRingError as error:
        _warn_of_no_ring(str(error))
        return Queue(device, vips, neighbours, buffer_bytes)


@cache  # once: an interface that is missing is tried again and again
def _warn_of_no_ring(reason: str) -> None:
    logging.getLogger(__name__).warning("no ring to capture with (%s): a flood costs more and is lost sooner", reason)


class _Addresses(NamedTuple):
    """What to listen for."""

    vips: Mapping[IPAddress, int | None]
    neighbours: frozenset[IPAddress]


def _nobody(message: str, error: BaseException) -> None:
    """The default of `on_error`."""


class Capture:
    """One interface.

    Args:
        device: the interface's name.
        decoder: this capture's own; its watched addresses are the first ones, `watch` replaces them.
        clock: the time line of all that is delivered.
        deliver: called in the capture thread with what frames tell and each `CaptureChanged`, in the order of their
            times.
        buffer_bytes: what the kernel may keep of frames that are not read yet.
        neighbours: this capture's own; how much it makes of frames about nodes' own addresses.
        on_error: called in the capture thread with a constant message and the exception; capture goes on.
        open_source: what to read from.
    """

    def __init__(
        self,
        device: str,
        *,
        decoder: Decoder,
        clock: Clock,
        deliver: Callable[[Sequence[Input]], None],
        buffer_bytes: int = BUFFER_BYTES,
        neighbours: Neighbours | None = None,
        on_error: Callable[[str, BaseException], None] = _nobody,
        open_source: Callable[[str, Iterable[IPAddress], Iterable[IPAddress], int], FrameSource] = open_source,
    ) -> None:
        self.device = device
        self._decoder = decoder
        self._clock = clock
        self._deliver = deliver
        self._buffer_bytes = buffer_bytes
        self._on_error = on_error
        self._open_source = open_source
        self._neighbours = neighbours or Neighbours()

        self._wanted = _Addresses(decoder.watched, decoder.neighbours)
        self._applied = self._wanted
        self._listens = True
        """To the neighbours among the applied addresses."""
        self._filter_changed_at: Nanoseconds | None = None

        self._up: bool | None = None
        self._was_up = False
        self._frames = 0
        self._dropped = 0
        self._reopens = 0
        self._errors = 0
        self._last_at = 0
        self._last_frame_at: Nanoseconds | None = None
        self._ignored = dict.fromkeys(IgnoreReason, 0)

        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._wake)
        self._stopping = False
        self._source: FrameSource | None = None
        self._thread = threading.Thread(target=self._run, name=f"capture-{device}", daemon=True)

    def start(self) -> None:
        """Open the interface and begin. An interface that is missing is waited for.

        Raises:
            CaptureNotPermitted: waiting would not help.
        """
        with contextlib.suppress(OSError):
            self._source = self._open()
        self._thread.start()

    def stop(self, timeout: float = 1.0) -> bool:
        """End the thread, which takes it no time unless `deliver` does. Returns whether it has ended."""
        self._stopping = True
        self._notify()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def watch(self, vips: Mapping[IPAddress, int | None], neighbours: frozenset[IPAddress] = frozenset()) -> None:
        """Watch these addresses from now on. Takes effect within a moment.

        No frame about an address that stays watched is lost, and none about the others is counted.

        Args:
            vips: each with its VLAN id or None.
            neighbours: nodes' own addresses, as long as there is no flood of frames about them.
        """
        self._wanted = _Addresses(dict(vips), neighbours)
        self._notify()

    @property
    def alive(self) -> bool:
        """Whether the thread runs. It ends by `stop` only; if it ever did otherwise, this is where it shows."""
        return self._thread.is_alive()

    def stats(self) -> CaptureStats:
        return CaptureStats(
            device=self.device,
            up=bool(self._up) and self.alive,
            frames=self._frames,
            dropped=self._dropped,
            reopens=self._reopens,
            errors=self._errors,
            last_frame_at=self._last_frame_at,
            ignored=dict(self._ignored),
        )

    # --- all below runs in the capture thread, `_open` and `_notify` excepted ---------------------------------------

    def _notify(self) -> None:
        os.eventfd_write(self._wake, 1)

    def _calm(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.eventfd_read(self._wake)

    def _open(self) -> FrameSource:
        listened = self._apply()
        self._decoder.watch(*listened)
        self._filter_changed_at = None
        return self._open_source(self.device, *listened, self._buffer_bytes)

    def _apply(self) -> _Addresses:
        """Make what is wanted what is applied; returns what to listen for."""
        self._applied = self._wanted
        self._listens = self._neighbours.listen(self._clock.now())
        self._neighbours.keep(self._applied.neighbours)
        return self._listened()

    def _listened(self) -> _Addresses:
        return self._applied if self._listens else self._applied._replace(neighbours=frozenset())

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._stopping:
            try:
                self._source = self._source or self._open()
                pause = FIRST_PAUSE
                self._read(self._source)
            except (OSError, CaptureNotPermitted) as error:
                self._lose(_reason(error))
            except Exception as error:  # noqa: BLE001 - a thread that ends is worse than any fault of the program
                self._report("capture failed", error)
                self._lose("capture failed")
            if not self._stopping:
                select.select([self._wake], [], [], pause)
                self._calm()
                pause = min(2 * pause, LONGEST_PAUSE)
        self._close()

    def _read(self, source: FrameSource) -> None:
        poller = select.poll()
        poller.register(source.fileno(), select.POLLIN)
        poller.register(self._wake, select.POLLIN)
        self._check(source)
        next_check = self._clock.now() + CHECK_INTERVAL
        frames: Sequence[CapturedFrame] = ()
        while not self._stopping:
            ready = poller.poll((AFTER_FRAMES if frames else CHECK_INTERVAL) / 1e6)
            if any(descriptor == self._wake for descriptor, _ in ready):
                self._calm()
            try:
                frames = source.read()
            except OSError as error:
                if error.errno != errno.ENETDOWN:
                    raise
                frames, next_check = (), 0
            if frames and not self._up:
                self._check(source)
            if frames or self._filter_changed_at is not None:
                self._handle(frames)
            if sum(len(frame.stamps) for frame in frames) >= FLOOD and not poller.poll(0):
                # To wake up costs far more than a frame does, so in a flood let more of it come together.
                select.select([self._wake], [], [], min(source.patience, PATIENCE))
            if self._wanted is not self._applied or self._neighbours.listen(self._clock.now()) is not self._listens:
                self._change_filter(source)
            if self._clock.now() >= next_check:
                self._check(source)
                next_check = self._clock.now() + CHECK_INTERVAL

    def _check(self, source: FrameSource) -> None:
        dropped = source.take_dropped()
        if dropped:
            self._dropped += dropped
            self._last_at = max(self._last_at, self._clock.now())
            self._hand_over([FramesMissed(self._last_at, self.device)])
        reason = source.why_deaf()
        self._set_up(not reason, reason)

    def _change_filter(self, source: FrameSource) -> None:
        listened = self._apply()
        # The queue still holds frames that passed the old filter: until they are through, both sets are known.
        self._decoder.watch({**self._decoder.watched, **listened.vips}, self._decoder.neighbours | listened.neighbours)
        source.watch(*listened)
        self._filter_changed_at = self._clock.now()

    def _handle(self, frames: Sequence[CapturedFrame]) -> None:
        now = self._clock.now()
        # One conversion serves the whole batch, since both time lines run alike.
        monotonic = self._clock.from_wall(0)
        heard: list[Heard] = []
        others: list[tuple[Nanoseconds, NeighbourSeen | IgnoreReason]] = []
        before, newest = self._last_at, 0
        for data, outgoing, stripped_tag, stamps in frames:
            times = [stamp + monotonic for stamp in stamps]
            newest = max(newest, times[-1])
            if times[0] < before or times[-1] > now:
                # A wall clock stepped between stamp and reading must not put a frame before its time or into the
                # future.
                times = [min(max(at, before), now) for at in times]
            self._frames += len(times)
            self._last_at = self._last_frame_at = max(self._last_at, times[-1])
            outcome = self._decoder.decode(data, times[0], outgoing=outgoing, stripped_tag=stripped_tag)
            if isinstance(outcome, Sighting):
                heard.append(Heard(outcome, times))
            else:
                others += [(at, outcome) for at in times]
        for at, other in sorted(others, key=itemgetter(0)):
            judged = self._neighbours.judge(other, at)
            if isinstance(judged, NeighbourSeen):
                heard.append(Heard(replace(judged, at=at), (at,)))
            else:
                self._ignored[judged] += 1
        changed_at = self._filter_changed_at
        if changed_at is not None and (newest > changed_at or now > changed_at + PASSED_ON_WITHIN):
            self._decoder.watch(*self._listened())
            self._filter_changed_at = None
        if heard:
            self._hand_over(_in_order(heard))

    def _set_up(self, up: bool, reason: str = "") -> None:
        if up is self._up:
            return
        self._up = up
        if up:
            self._reopens += self._was_up
            self._was_up = True
        self._last_at = max(self._last_at, self._clock.now())
        self._hand_over([CaptureChanged(self._last_at, self.device, up, reason)])

    def _lose(self, reason: str) -> None:
        self._close()
        self._set_up(False, reason)

    def _close(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            with contextlib.suppress(OSError):
                self._dropped += source.take_dropped()
            source.close()

    def _hand_over(self, inputs: Sequence[Input]) -> None:
        try:
            self._deliver(inputs)
        except Exception as error:  # noqa: BLE001 - the receiver's fault must not end the thread
            self._report("delivery of captured frames failed", error)

    def _report(self, message: str, error: BaseException) -> None:
        self._errors += 1
        with contextlib.suppress(Exception):
            self._on_error(message, error)


def _in_order(heard: list[Heard]) -> Sequence[Input]:
    """As inputs, in the order of their times."""
    heard.sort(key=_first)
    if any(len(times) > 1 for _, times in heard):
        return [Burst(heard[0].told.at, tuple(heard))]
    return [told for told, _ in heard]


def _first(heard: Heard) -> Nanoseconds:
    return heard.told.at


def _reason(error: OSError | CaptureNotPermitted) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return str(error)
