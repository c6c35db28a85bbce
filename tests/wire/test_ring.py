"""The ring on a real veth pair hears what the queue hears, whatever the lengths, tags and numbers of frames."""

from __future__ import annotations

import random
import select
import time
from collections import Counter
from collections.abc import Sequence
from operator import itemgetter

import pytest

from exporter.wire.frame_source import CapturedFrame, FrameSource
from exporter.wire.queue import Queue
from exporter.wire.ring import BLOCK_BYTES, HAND_OVER_AFTER, Ring
from tests import netns
from tests.wire.frames import NA, NODE, NODE6, ORDINARY_REPLY, REPLY, REQUEST, VIP, VIP6, with_bytes

Frame = tuple[bytes, bool, int | None]


def drain(source: FrameSource) -> list[tuple[int, Frame]]:
    """All there is until nothing has come for a while: each frame with its stamp."""
    found = []
    while select.select([source], [], [], 0.3)[0]:
        found += [(stamp, (one.data, one.outgoing, one.stripped_tag)) for one in source.read() for stamp in one.stamps]
    return found


def in_order(found: list[tuple[int, Frame]]) -> list[Frame]:
    return [frame for _, frame in sorted(found, key=itemgetter(0))]


def varied(count: int) -> list[bytes]:
    """Frames of the VIP of many lengths, some tagged, some again and again."""
    chance = random.Random(7)
    kinds = [REQUEST, REPLY, ORDINARY_REPLY, NA]
    frames = []
    while len(frames) < count:
        frame = chance.choice(kinds) + bytes(chance.choice([0, 0, 0, 18, 18, chance.randrange(1400)]))
        if chance.random() < 0.2:
            frame = frame[:12] + bytes.fromhex("8100") + chance.randrange(4096).to_bytes(2, "big") + frame[12:]
        if chance.random() < 0.3:
            frame = with_bytes(frame, 6, chance.randbytes(3))
        frames += [frame] * chance.choice([1, 1, 1, 2, 40])
    return frames[:count]


@pytest.mark.parametrize("outgoing", [False, True])
def test_hears_the_same_as_the_queue(wire: netns.Wire, *, outgoing: bool) -> None:
    """Also on the side that sends, where tags stand in the frame itself and it begins elsewhere."""
    with netns.inside(wire.there if outgoing else wire.here):
        ring, queue = (kind(netns.DEVICE, [VIP, VIP6], [NODE, NODE6], 4 << 20) for kind in (Ring, Queue))
    # Not at once after a socket has asked for stamps does the kernel take them where frames come in, before they queue.
    wire.send([REQUEST])
    assert len(drain(ring)) == len(drain(queue)) == 1
    sent = varied(2000)
    wire.send(sent)
    by_ring, by_queue = drain(ring), drain(queue)
    assert Counter(frame for _, frame in by_ring) == Counter(frame for _, frame in by_queue)
    assert in_order(by_ring) == in_order(by_queue)
    assert len(by_ring) == len(sent)
    assert all(frame[1] is outgoing for _, frame in by_ring)
    for source in (ring, queue):
        assert source.take_dropped() == 0
        source.close()


def test_equal_frames_of_a_block_come_once_with_all_their_stamps(wire: netns.Wire) -> None:
    with netns.inside(wire.here):
        ring = Ring(netns.DEVICE, [VIP], [], 1 << 20)
    before = time.time_ns()
    wire.send([REQUEST] * 5000)
    batches: list[Sequence[CapturedFrame]] = []
    while select.select([ring], [], [], 0.3)[0]:
        batches.append(ring.read())
    after = time.time_ns()
    ring.close()
    stamps = [stamp for batch in batches for one in batch for stamp in one.stamps]
    assert all(len(batch) <= 1 for batch in batches)
    assert len(stamps) == 5000
    assert stamps == sorted(stamps)
    assert before <= stamps[0]
    assert stamps[-1] <= after


def test_a_lone_frame_is_handed_over_soon(wire: netns.Wire) -> None:
    with netns.inside(wire.here):
        ring = Ring(netns.DEVICE, [VIP], [], 1 << 20)
    waits = []
    for _ in range(20):
        wire.send([REQUEST])
        assert select.select([ring], [], [], 5)[0]
        (frame,) = ring.read()
        waits.append((time.time_ns() - frame.stamps[0]) / 1e9)
    ring.close()
    # The least of them, for any may have waited for a processor.
    assert min(waits) <= 2 * HAND_OVER_AFTER


def test_goes_round(wire: netns.Wire) -> None:
    """Many times as much as the ring holds, read as it comes: nothing is lost or told twice."""
    with netns.inside(wire.here):
        ring = Ring(netns.DEVICE, [VIP], [], 4 * BLOCK_BYTES)
    heard = []
    for turn in range(40):
        wire.send([with_bytes(REQUEST, 6, turn.to_bytes(3, "big"))] * 100)
        heard += [frame[0][8] for _, frame in drain_now(ring)]
    assert heard == [turn for turn in range(40) for _ in range(100)]
    assert ring.take_dropped() == 0
    ring.close()


def drain_now(source: FrameSource) -> list[tuple[int, Frame]]:
    """As `drain`, for a hundred frames."""
    found: list[tuple[int, Frame]] = []
    while len(found) < 100:
        assert select.select([source], [], [], 5)[0]
        found += [(stamp, (one.data, one.outgoing, one.stripped_tag)) for one in source.read() for stamp in one.stamps]
    return found


def test_trouble_comes_after_the_frames_before_it(wire: netns.Wire) -> None:
    """A link that goes down tells so once, and what came before is still in the kernel's open block."""
    with netns.inside(wire.here):
        ring = Ring(netns.DEVICE, [VIP], [], 1 << 20)
    wire.send([REQUEST] * 3)
    wire.set_link("down")
    (frame,) = ring.read()
    assert len(frame.stamps) == 3
    with pytest.raises(OSError, match="down"):
        ring.read()
    assert ring.read() == ()
    ring.close()


def test_what_is_lost_is_counted_once(wire: netns.Wire) -> None:
    with netns.inside(wire.here):
        ring = Ring(netns.DEVICE, [VIP], [], 2 * BLOCK_BYTES)
    wire.send([REQUEST] * 2000)
    dropped = ring.take_dropped()
    assert dropped > 0
    assert ring.take_dropped() == 0
    assert len(drain(ring)) + dropped == 2000
    ring.close()
