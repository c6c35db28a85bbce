"""Capture on real veth pairs: what is heard, when, and what happens to the interface meanwhile."""

from __future__ import annotations

import contextlib
import random
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.clock import STEP, Clock
from exporter.vip.model import SECOND, Burst, CaptureChanged, Input, IPAddress, Kind, NeighbourSeen, Sighting
from exporter.wire import craft, ring
from exporter.wire.capture import Capture, open_source
from exporter.wire.decode import Decoder, IgnoreReason
from exporter.wire.frame_source import FrameSource
from exporter.wire.neighbours import FRAMES_A_SECOND, Neighbours
from exporter.wire.queue import Queue
from exporter.wire.ring import Ring
from tests import netns
from tests.wire.frames import (
    MAC,
    NA,
    NEIGHBOURLY,
    NODE,
    NODE6,
    NODE_MAC,
    NODE_NA,
    NODE_NS,
    NODE_REPLY,
    NODE_REQUEST,
    ORDINARY_REPLY,
    OTHER,
    PROBE6,
    REPLY,
    REQUEST,
    SPEAKING,
    UNCONCERNED,
    VIP,
    VIP6,
    with_bytes,
)

WATCHED: Mapping[IPAddress, int | None] = {VIP: None, VIP6: None}
NODES: frozenset[IPAddress] = frozenset((NODE, NODE6))


class Heard:
    """A capture and all that it delivered."""

    def __init__(
        self, wire: netns.Wire, vips: Mapping[IPAddress, int | None], nodes: frozenset[IPAddress], **options: object
    ) -> None:
        self.inputs: list[Input] = []
        self.errors: list[tuple[str, BaseException]] = []
        self.fail_with: BaseException | None = None
        self.hold = threading.Event()
        self.hold.set()
        with netns.inside(wire.here):
            self.capture = Capture(
                netns.DEVICE,
                decoder=Decoder(vips, nodes),
                clock=Clock(),
                deliver=self._deliver,
                on_error=lambda message, error: self.errors.append((message, error)),
                **options,  # type: ignore[arg-type]
            )
            self.capture.start()

    def _deliver(self, inputs: Sequence[Input]) -> None:
        self.hold.wait()
        self.inputs.extend(one for each in inputs for one in apart(each))
        if self.fail_with is not None:
            raise self.fail_with

    @property
    def sightings(self) -> list[Sighting]:
        return [each for each in list(self.inputs) if isinstance(each, Sighting)]

    @property
    def neighbours(self) -> list[tuple[IPAddress, bytes]]:
        return [(each.address, each.mac) for each in list(self.inputs) if isinstance(each, NeighbourSeen)]

    @property
    def ignored(self) -> dict[IgnoreReason, int]:
        return {reason: count for reason, count in self.capture.stats().ignored.items() if count}

    @property
    def changes(self) -> list[CaptureChanged]:
        return [each for each in list(self.inputs) if isinstance(each, CaptureChanged)]

    def await_sightings(self, count: int) -> list[Sighting]:
        until(lambda: len(self.sightings) >= count)
        return self.sightings

    def await_up(self, up: bool, within: float = 5.0) -> None:
        until(lambda: self.changes != [] and self.changes[-1].up is up, within)


def apart(each: Input) -> list[Input]:
    """A burst as the frames that it stands for."""
    if not isinstance(each, Burst):
        return [each]
    found = [replace(told, at=at) for told, times in each.heard for at in times]
    return sorted(found, key=lambda one: one.at)


def until(condition: Callable[[], bool], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it has not come true in time"
        time.sleep(0.005)


Start = Callable[..., Heard]


@pytest.fixture(params=[open_source, Queue], ids=["ring", "queue"])
def start(wire: netns.Wire, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Begin to capture on the wire; ends with the test. Both kinds of source must stand it all."""
    with contextlib.ExitStack() as running:

        def begin(
            vips: Mapping[IPAddress, int | None] = WATCHED,
            nodes: frozenset[IPAddress] = frozenset(),
            *,
            up: bool = True,
            **options: object,
        ) -> Heard:
            heard = Heard(wire, vips, nodes, **{"open_source": request.param, **options})
            running.callback(heard.capture.stop)
            running.callback(heard.hold.set)
            if up:
                heard.await_up(True)
            return heard

        yield begin


def test_hears_every_kind(wire: netns.Wire, start: Start) -> None:
    """Each message about a VIP becomes a sighting, in order; the rest never leaves the kernel."""
    heard = start()
    wire.send([*UNCONCERNED, *SPEAKING, *UNCONCERNED])
    kinds = [sighting.kind for sighting in heard.await_sightings(len(SPEAKING))]
    assert kinds == ["request", "reply", "na", "probe", "probe", "ordinary_request", "ordinary_reply", "solicited_na"]
    assert not any(sighting.outgoing for sighting in heard.sightings)
    stats = heard.capture.stats()
    assert (stats.frames, stats.dropped, sum(stats.ignored.values())) == (len(SPEAKING), 0, 0)
    assert set(stats.ignored) == set(IgnoreReason)


def test_hears_a_kernel(wire: netns.Wire, start: Start) -> None:
    """What a Linux host itself sends when it is given the VIPs is understood, checksums included."""
    heard = start()
    with netns.inside(wire.there):
        for family, switch in (("ipv4", "arp_notify"), ("ipv6", "ndisc_notify")):
            Path(f"/proc/sys/net/{family}/conf/{netns.DEVICE}/{switch}").write_text("1", encoding="ascii")
        Path(f"/proc/sys/net/ipv6/conf/{netns.DEVICE}/disable_ipv6").write_text("0", encoding="ascii")
    netns.ip("-n", wire.there, "address", "add", f"{VIP}/24", "dev", netns.DEVICE)
    wire.set_link("down", wire.there)
    wire.set_link("up", wire.there)
    netns.ip("-n", wire.there, "address", "add", f"{VIP6}/64", "dev", netns.DEVICE)
    expected = {(VIP, Kind.REQUEST), (VIP6, Kind.PROBE), (VIP6, Kind.NA)}
    until(lambda: {(sighting.vip, sighting.kind) for sighting in heard.sightings} >= expected, within=5)
    assert len({sighting.mac for sighting in heard.sightings}) == 1
    assert sum(heard.capture.stats().ignored.values()) == 0


def test_own_frames_are_outgoing(wire: netns.Wire, start: Start) -> None:
    """What this host sends is seen once, and marked."""
    heard = start()
    wire.send([REQUEST], wire.here)
    wire.send([REPLY])
    outgoing = [(sighting.kind, sighting.outgoing) for sighting in heard.await_sightings(2)]
    assert outgoing == [(Kind.REQUEST, True), (Kind.REPLY, False)]


def test_tags(wire: netns.Wire, start: Start) -> None:
    """A tag counts, stripped by the kernel (incoming) or in the frame (outgoing, or the inner of two)."""
    heard = start({VIP: 5, VIP6: None})
    wire.send([REQUEST, craft.tagged(REQUEST, 6), craft.tagged(REQUEST, 5, 5), craft.tagged(NA, 5)])
    wire.send([craft.tagged(REQUEST, 5), craft.tagged(REQUEST, 0, 5), craft.tagged(REQUEST, 5, 0)])
    wire.send([craft.tagged(REPLY, 5), REPLY], wire.here)
    wire.send([craft.tagged(NA, 0)])
    seen = [(sighting.kind, sighting.outgoing) for sighting in heard.await_sightings(5)]
    assert seen == [(Kind.REQUEST, False)] * 3 + [(Kind.REPLY, True), (Kind.NA, False)]
    assert heard.capture.stats().ignored[IgnoreReason.OTHER_VLAN] == 5


def test_times_are_the_kernels(wire: netns.Wire, start: Start) -> None:
    """A frame has the time of its arrival, though it is read much later."""
    clock = Clock()
    heard = start()
    heard.hold.clear()
    wire.send([REQUEST])
    time.sleep(0.3)
    before = clock.now()
    wire.send([REPLY])
    after = clock.now()
    time.sleep(0.3)
    heard.hold.set()
    late = heard.await_sightings(2)[1]
    assert before - STEP <= late.at <= after + STEP


def test_nothing_stray_at_the_start(wire: netns.Wire, start: Start) -> None:
    """Captures that open amid traffic count no frame that their filter would not pass."""
    stop = threading.Event()

    def chatter() -> None:
        with wire.sender() as sender:
            while not stop.is_set():
                for frame in UNCONCERNED:
                    sender.send(frame)

    talking = threading.Thread(target=chatter)
    talking.start()
    try:
        captures = [start() for _ in range(10)]
    finally:
        stop.set()
        talking.join()
    assert [heard.capture.stats().frames for heard in captures] == [0] * 10


def test_watch_loses_and_counts_nothing(wire: netns.Wire, start: Start) -> None:
    """While the addresses change under traffic, none of a VIP that stays is lost and no other frame is counted."""
    heard = start()
    more: Mapping[IPAddress, int | None] = {VIP: None, OTHER: None}
    other = craft.announcement(OTHER, MAC)
    with wire.sender() as sender:
        for number in range(3000):
            if number % 100 == 0:
                heard.capture.watch(more if number % 200 == 0 else {VIP: None})
            sender.send(REQUEST)
            sender.send(other)
    until(lambda: sum(sighting.vip == VIP for sighting in heard.sightings) == 3000)
    stats = heard.capture.stats()
    assert sum(stats.ignored.values()) == 0
    assert stats.frames == len(heard.sightings)


def test_watch_takes_effect(wire: netns.Wire, start: Start) -> None:
    """A new address is heard within a moment, a former one no more; none at all is possible."""
    heard = start({})
    wire.send([REQUEST])
    heard.capture.watch(WATCHED)
    time.sleep(0.1)
    wire.send([REPLY])
    assert [sighting.kind for sighting in heard.await_sightings(1)] == [Kind.REPLY]
    heard.capture.watch({})
    time.sleep(0.1)
    wire.send([REQUEST] * 3)
    time.sleep(0.1)
    assert heard.capture.stats().frames == 1


def test_hears_neighbours(wire: netns.Wire, start: Start) -> None:
    """Which MAC speaks for a node's own address is told once; what repeats it is counted, and no VIP suffers."""
    heard = start(WATCHED, NODES)
    wire.send([*NEIGHBOURLY, *UNCONCERNED, *SPEAKING])
    heard.await_sightings(len(SPEAKING))
    assert heard.neighbours == [(NODE, NODE_MAC), (NODE6, NODE_MAC)]
    assert heard.ignored == {IgnoreReason.NEIGHBOUR_REPEATED: len(NEIGHBOURLY) - 2}
    assert heard.capture.stats().frames == len(SPEAKING) + len(NEIGHBOURLY)


def test_hears_kernels_as_neighbours(wire: netns.Wire, start: Start) -> None:
    """Two Linux hosts that talk to each other give themselves away in both families, this one and the other."""
    for number, namespace in enumerate((wire.here, wire.there)):
        with netns.inside(namespace):
            Path(f"/proc/sys/net/ipv6/conf/{netns.DEVICE}/disable_ipv6").write_text("0", encoding="ascii")
        netns.ip("-n", namespace, "address", "add", f"{NODE + number}/24", "dev", netns.DEVICE)
        netns.ip("-n", namespace, "address", "add", f"{NODE6 + number}/64", "dev", netns.DEVICE, "nodad")
    heard = start({}, frozenset((NODE, NODE + 1, NODE6, NODE6 + 1)))
    with netns.inside(wire.here):
        for family, host in ((socket.AF_INET, NODE + 1), (socket.AF_INET6, NODE6 + 1)):
            with socket.socket(family, socket.SOCK_DGRAM) as question:
                question.sendto(b"who are you?", (str(host), 9))
    until(lambda: len(heard.neighbours) == 4)
    macs = dict(heard.neighbours)
    assert macs[NODE] == macs[NODE6]
    assert macs[NODE + 1] == macs[NODE6 + 1]
    assert len(set(macs.values())) == 2


def test_neighbours_come_and_go(wire: netns.Wire, start: Start) -> None:
    """Neighbours are listened to from `watch` on; one that becomes a VIP is a VIP; one that left is not heard."""
    heard = start()
    wire.send([NODE_REQUEST])
    heard.capture.watch(WATCHED, NODES)
    time.sleep(0.1)
    wire.send([NODE_REPLY])
    until(lambda: heard.neighbours == [(NODE, NODE_MAC)])
    heard.capture.watch({NODE: None}, NODES)
    time.sleep(0.1)
    wire.send([NODE_REQUEST, NODE_NA])
    until(lambda: heard.neighbours[1:] == [(NODE6, NODE_MAC)])
    assert [(sighting.vip, sighting.kind) for sighting in heard.sightings] == [(NODE, Kind.ORDINARY_REQUEST)]
    heard.capture.watch({NODE: None})
    time.sleep(0.1)
    wire.send([NODE_NS, NODE_REQUEST])
    heard.await_sightings(2)
    assert (heard.capture.stats().frames, heard.ignored) == (4, {})


def test_neighbours_survive_a_reopening(wire: netns.Wire, start: Start) -> None:
    """A capture that opens anew listens to the same neighbours, and has not forgotten what it told."""
    heard = start({}, NODES)
    wire.send([NODE_REQUEST])
    until(lambda: len(heard.neighbours) == 1)
    wire.disconnect()
    wire.connect()
    until(lambda: heard.capture.stats().reopens == 1)
    wire.send([NODE_REPLY, NODE_NS])
    until(lambda: len(heard.neighbours) == 2)
    assert heard.ignored == {IgnoreReason.NEIGHBOUR_REPEATED: 1}


def test_flood_of_neighbours(wire: netns.Wire, start: Start) -> None:
    """Random MACs by the ten thousand for a node's address: soon the kernel drops them, and no VIP frame is lost."""
    heard = start({VIP: None}, NODES, neighbours=Neighbours(deaf_for=SECOND // 2))
    chance = random.Random(4)
    flood = [with_bytes(NODE_REQUEST, 22, b"\x02" + chance.randbytes(5)) for _ in range(1000)]
    began = time.monotonic()
    with wire.sender() as sender:
        for number in range(50_000):
            sender.send(flood[number % 1000])
            if number % 100 == 0:
                sender.send(REQUEST)
    lasted = time.monotonic() - began
    heard.await_sightings(500)
    until(lambda: heard.capture.stats().frames == 500 + len(heard.neighbours) + sum(heard.ignored.values()))
    stats = heard.capture.stats()
    assert (len(heard.sightings), stats.dropped) == (500, 0)
    assert set(heard.ignored) <= {IgnoreReason.NEIGHBOUR_FLOOD, IgnoreReason.NEIGHBOUR_REPEATED}
    assert FRAMES_A_SECOND < stats.frames - 500 < 25_000
    assert len(heard.neighbours) <= 10 * (lasted + 1)


def test_a_flood_passes(wire: netns.Wire, start: Start) -> None:
    """After a flood nothing of neighbours leaves the kernel for a while; then they are heard again."""
    heard = start({VIP: None}, NODES, neighbours=Neighbours(deaf_for=2 * SECOND))
    wire.send([NODE_REPLY] * (FRAMES_A_SECOND + 50) + [REQUEST])
    heard.await_sightings(1)
    time.sleep(0.1)
    before = heard.capture.stats().frames
    wire.send([NODE_NS] * 50 + [REQUEST])
    heard.await_sightings(2)
    assert heard.capture.stats().frames == before + 1
    assert heard.neighbours == [(NODE, NODE_MAC)]

    def heard_again() -> bool:
        wire.send([NODE_NS])
        return (NODE6, NODE_MAC) in heard.neighbours

    until(heard_again)


def test_burst(wire: netns.Wire, start: Start) -> None:
    """Ten thousand frames while nobody reads: none is lost."""
    heard = start()
    heard.hold.clear()
    with wire.sender() as sender:
        for _ in range(10_000):
            sender.send(REQUEST)
    heard.hold.set()
    heard.await_sightings(10_000)
    until(lambda: heard.capture.stats().frames == 10_000)
    assert heard.capture.stats().dropped == 0


def test_drops_are_counted(wire: netns.Wire, start: Start) -> None:
    """What the kernel had no room for is counted, so that read and dropped make the whole."""
    heard = start(buffer_bytes=4096)
    heard.hold.clear()
    wire.send([REQUEST] * 2000)
    heard.hold.set()
    until(lambda: heard.capture.stats().frames + heard.capture.stats().dropped == 2000)
    assert heard.capture.stats().dropped > 0


def test_link_down_and_up(wire: netns.Wire, start: Start) -> None:
    """A link that goes down is reported at once, and within a second it is heard again."""
    heard = start()
    wire.set_link("down")
    heard.await_up(False, within=0.5)
    assert not heard.capture.stats().up
    assert heard.changes[-1].reason == "interface down"
    wire.set_link("up")
    heard.await_up(True, within=1.0)
    wire.send([REQUEST])
    heard.await_sightings(1)
    stats = heard.capture.stats()
    assert (stats.up, stats.reopens) == (True, 1)


def test_no_carrier(wire: netns.Wire, start: Start) -> None:
    """A cable without anybody at the other end is deaf too."""
    heard = start()
    wire.set_link("down", wire.there)
    heard.await_up(False, within=1.5)
    assert heard.changes[-1].reason == "no carrier"
    wire.set_link("up", wire.there)
    heard.await_up(True, within=1.0)


def test_deleted_and_created_again(wire: netns.Wire, start: Start) -> None:
    """An interface that is deleted and comes back is captured on again within a second."""
    heard = start()
    wire.disconnect()
    heard.await_up(False, within=1.0)
    time.sleep(1.2)
    wire.connect()
    heard.await_up(True, within=1.0)
    wire.send([REQUEST])
    assert [sighting.kind for sighting in heard.await_sightings(1)] == [Kind.REQUEST]
    assert [change.up for change in heard.changes] == [True, False, True]
    assert heard.capture.stats().reopens == 1


def test_replaced(wire: netns.Wire, start: Start) -> None:
    """An interface replaced between two looks at it is noticed, though its name never seemed to go."""
    heard = start()
    wire.disconnect()
    wire.connect()
    until(lambda: heard.capture.stats().reopens == 1)
    wire.send([REQUEST])
    heard.await_sightings(1)


def test_renamed(wire: netns.Wire, start: Start) -> None:
    """A renamed interface is not the one asked for; under its old name it is again."""
    heard = start()
    netns.ip("-n", wire.here, "link", "set", netns.DEVICE, "name", "eth9")
    heard.await_up(False)
    netns.ip("-n", wire.here, "link", "set", "eth9", "name", netns.DEVICE)
    wire.set_link("up")
    heard.await_up(True)


def test_moved_to_another_namespace(wire: netns.Wire, start: Start) -> None:
    """An interface that leaves for another namespace is lost."""
    heard = start()
    netns.ip("-n", wire.here, "link", "set", netns.DEVICE, "name", "eth9", "netns", wire.there)
    heard.await_up(False)
    time.sleep(0.4)
    assert heard.capture.alive
    assert not heard.capture.stats().up


def test_missing_at_the_start(wire: netns.Wire, start: Start) -> None:
    """An interface that is not there yet is said to be down once, and used when it comes."""
    wire.disconnect()
    heard = start(up=False)
    heard.await_up(False)
    time.sleep(0.8)
    wire.connect()
    heard.await_up(True, within=1.0)
    wire.send([REQUEST])
    heard.await_sightings(1)
    assert [(change.up, change.reason) for change in heard.changes] == [(False, "interface missing"), (True, "")]
    assert heard.capture.stats().reopens == 0


def test_waiting_costs_nothing(wire: netns.Wire, start: Start) -> None:
    """Waiting for an interface takes a few attempts a second, new addresses or not; they hold when it comes."""
    attempts = 0

    def counted(
        device: str, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress], buffer_bytes: int
    ) -> FrameSource:
        nonlocal attempts
        attempts += 1
        return open_source(device, vips, neighbours, buffer_bytes)

    wire.disconnect()
    heard = start({}, up=False, open_source=counted)
    heard.capture.watch(WATCHED)
    time.sleep(1)
    assert 2 <= attempts <= 8
    wire.connect()
    heard.await_up(True)
    wire.send([REQUEST])
    heard.await_sightings(1)


def test_changes_come_in_time_order(wire: netns.Wire, start: Start) -> None:
    """No input is older than one before it, link changes included."""
    heard = start()
    with wire.sender() as sender:
        for _ in range(3):
            for _ in range(200):
                with contextlib.suppress(OSError):
                    sender.send(REQUEST)
            wire.set_link("down")
            heard.await_up(False)
            wire.set_link("up")
            heard.await_up(True)
    times = [each.at for each in heard.inputs]
    assert times == sorted(times)
    assert heard.capture.stats().reopens == 3


def test_failing_receiver(wire: netns.Wire, start: Start) -> None:
    """A receiver that raises is reported and counted, and hears the next frame all the same."""
    heard = start()
    heard.fail_with = ValueError("the receiver's fault")
    wire.send([REQUEST])
    heard.await_sightings(1)
    heard.fail_with = None
    wire.send([REPLY])
    heard.await_sightings(2)
    assert heard.capture.alive
    assert [(message, str(error)) for message, error in heard.errors] == [
        ("delivery of captured frames failed", "the receiver's fault")
    ]
    assert heard.capture.stats().errors == 1


def test_malformed_frames(wire: netns.Wire, start: Start) -> None:
    """What is malformed but about a VIP is counted by its reason, and nothing stops."""
    heard = start()
    wire.send(
        [
            with_bytes(REQUEST, 18, "07"),
            with_bytes(REQUEST, 20, "0009"),
            with_bytes(REQUEST, 22, "ffffffffffff"),
            with_bytes(NA, 21, "40"),
            with_bytes(NA, 56, "0000"),
            REQUEST[:36],
            craft.tagged(REQUEST, 9),
            PROBE6,
        ]
    )
    heard.await_sightings(1)
    assert heard.ignored == {
        IgnoreReason.BAD_LENGTHS: 1,
        IgnoreReason.BAD_OPCODE: 1,
        IgnoreReason.BAD_SHA: 1,
        IgnoreReason.BAD_HOP_LIMIT: 1,
        IgnoreReason.BAD_CHECKSUM: 1,
        IgnoreReason.TRUNCATED: 1,
        IgnoreReason.OTHER_VLAN: 1,
    }


def test_stops_at_once(start: Start) -> None:
    """Stopping wakes a waiting thread, also one that waits for its interface."""
    heard = start()
    began = time.monotonic()
    assert heard.capture.stop()
    assert time.monotonic() - began < 0.5
    assert not heard.capture.alive
    assert not heard.capture.stats().up


def test_stops_while_the_interface_is_missing(wire: netns.Wire, start: Start) -> None:
    """Nor does it wait for an interface."""
    wire.disconnect()
    heard = start(up=False)
    time.sleep(0.5)
    began = time.monotonic()
    assert heard.capture.stop()
    assert time.monotonic() - began < 0.5


def test_never_sends(wire: netns.Wire, start: Start) -> None:
    """Capture opens, changes its filter, loses and regains the link, and the interface has sent nothing."""
    heard = start()
    wire.send(SPEAKING)
    heard.await_sightings(len(SPEAKING))
    heard.capture.watch({VIP: None})
    heard.capture.stop()
    with netns.inside(wire.here):
        lines = Path("/proc/thread-self/net/dev").read_text(encoding="ascii").splitlines()
    counters = next(line.split(":")[1].split() for line in lines if netns.DEVICE in line)
    received, sent = int(counters[1]), int(counters[9])
    assert (received, sent) == (len(SPEAKING), 0)


WITHOUT_THE_CAPABILITY = """
    from exporter.clock import STEP, Clock
    from exporter.wire.capture import Capture, CaptureNotPermitted
    from exporter.wire.decode import Decoder

    capture = Capture("lo", decoder=Decoder(), clock=Clock(), deliver=print)
    try:
        capture.start()
    except CaptureNotPermitted as error:
        print(error)
"""


def test_not_permitted() -> None:
    """Without CAP_NET_RAW the start fails at once, in one line that names the capability."""
    done = subprocess.run(
        [
            "setpriv",
            "--bounding-set=-net_raw",
            "--inh-caps=-net_raw",
            sys.executable,
            "-c",
            textwrap.dedent(WITHOUT_THE_CAPABILITY),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=20,
    )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == 1
    assert "CAP_NET_RAW" in done.stdout


def test_source_failure_is_survived(wire: netns.Wire, start: Start) -> None:
    """A fault of the program while it reads is reported; the interface is opened anew."""
    heard = start({VIP: None})

    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    with pytest.MonkeyPatch.context() as fault:
        fault.setattr(heard.capture, "_handle", broken)
        wire.send([ORDINARY_REPLY])
        heard.await_up(False)
    heard.await_up(True)
    wire.send([ORDINARY_REPLY])
    heard.await_sightings(1)
    assert heard.errors[0][0] == "capture failed"
    assert heard.capture.alive


def test_clock_set_back(wire: netns.Wire) -> None:
    """Frames whose stamps lie hours off, as after a step of the wall clock, are taken neither back nor ahead."""

    class Stepped(Clock):
        offset = -3600 * SECOND

        def from_wall(self, wall: int) -> int:
            return super().from_wall(wall) + self.offset

    clock = Stepped()
    inputs: list[Input] = []
    with netns.inside(wire.here):
        capture = Capture(netns.DEVICE, decoder=Decoder({VIP: None}), clock=clock, deliver=inputs.extend)
        capture.start()
    try:
        until(lambda: len(inputs) == 1)
        wire.send([REQUEST])
        until(lambda: len(inputs) == 2)
        clock.offset = 3600 * SECOND
        wire.send([REQUEST])
        until(lambda: len(inputs) == 3)
    finally:
        capture.stop()
    times = [each.at for each in inputs]
    assert times == sorted(times)
    assert times[-1] <= clock.now()


def test_the_kernel_gives_a_ring(wire: netns.Wire) -> None:
    with netns.inside(wire.here):
        source = open_source(netns.DEVICE, [VIP], [], 1 << 20)
    assert isinstance(source, Ring)
    source.close()


def test_without_a_ring_the_queue_is_read(wire: netns.Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some kernels and sandboxes have none."""
    monkeypatch.setattr(ring, "_TPACKET_V3", 99)
    with netns.inside(wire.here):
        source = open_source(netns.DEVICE, [VIP], [], 1 << 20)
    assert isinstance(source, Queue)
    source.close()
