"""What holds for every sequence of inputs: properties of the core, searched by Hypothesis with a fixed seed."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from exporter.vip.core import Core
from exporter.vip.model import Input, Kind, Mac, Mode, Nanoseconds, Node, ServiceRef, seconds
from exporter.vip.snapshot import Event, Snapshot, VipSnapshot
from tests.vip.situations import (
    NEW_VIP,
    VIP,
    Run,
    announce,
    bound,
    capture,
    frame,
    frames,
    intent_fresh,
    interleave,
    lease,
    new_core,
    node,
    nodes,
    play,
    service,
    service_gone,
)

fixed = settings(
    max_examples=120, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
many = settings(fixed, max_examples=300)

# --- strategies -------------------------------------------------------------------------------------------------------

gaps = st.sampled_from(
    [0, 0, 0.001, 0.5, 1, 1.5, 2, 3, 3, 3, 3.5, 5, 6.999, 7, 7.001, 8, 10, 10.001, 15, 15.001, 20, 61]
)
hosts = st.sampled_from(["", "node-a", "node-b", "NODE-B.example.com", "node-c"])
periods = st.sampled_from([None, None, 0.0, 1.0, 5.0])
kinds = st.sampled_from([Kind.REQUEST, Kind.REPLY, Kind.NA, Kind.REQUEST, Kind.REPLY, Kind.PROBE, Kind.ORDINARY_REPLY])
addresses = st.sampled_from([(VIP,), (VIP,), (VIP,), (NEW_VIP,), (VIP, NEW_VIP), ()])
macs = st.sampled_from("AAABBBXCH")
"""A and X are of one node where the nodes are known; H is the mac that DHCP mode gives to every node."""

speaks = st.builds(
    lambda who, kind, vip, outgoing: [frame(who, 0, kind, vip=vip, outgoing=outgoing)],
    macs,
    kinds,
    st.sampled_from([VIP, VIP, VIP, NEW_VIP]),
    st.sampled_from([False, False, False, True]),
)
says = st.builds(
    lambda host, where, mode, hwaddr, version, period: service(
        0, host, addresses=where, mode=mode, hwaddr=hwaddr, announces_hwaddr=version, period=period
    ),
    hosts,
    addresses,
    st.sampled_from(list(Mode)),
    st.sampled_from([None, "H"]),
    st.sampled_from([None, True, False]),
    periods,
)
others = st.one_of(
    says,
    st.builds(lambda holder: lease(0, holder), hosts),
    st.builds(lambda *known: nodes(0, *known), st.sampled_from(["A", "AX", "AB"]), st.sampled_from(["B", "BX", "C"])),
    st.just(nodes(0)),
    st.builds(lambda devices: bound(0, *devices), st.sampled_from([(), ("eth0",), ("eth0", "vip-1")])),
    st.builds(lambda up, device: capture(0, up, device), st.booleans(), st.sampled_from(["eth0", "eth1"])),
    st.builds(lambda fresh: intent_fresh(0, fresh), st.booleans()),
    st.just(service_gone(0)),
)


def in_order(steps: Iterable[tuple[float, list[Input]]]) -> list[Input]:
    at, inputs = 0, []
    for gap, made in steps:
        at += seconds(gap)
        inputs += [replace(step, at=at) for step in made]
    return inputs


anything = st.lists(st.tuples(gaps, speaks | speaks | others), min_size=1, max_size=50).map(in_order)
wire_only = st.lists(
    st.tuples(gaps, st.builds(lambda who: frames(who, 0), st.sampled_from("AABBCX"))), min_size=1, max_size=60
).map(in_order)


def with_lease_expiry(inputs: list[Input]) -> list[Input]:
    """Leases of a real cluster run out 15 s after their renewal."""
    return [
        replace(step, expires=step.at + seconds(15)) if type(step).__name__ == "LeaseSeen" else step for step in inputs
    ]


# --- counters ---------------------------------------------------------------------------------------------------------


def counters(vip: VipSnapshot) -> dict[str, int]:
    flat = {
        name: getattr(vip, name)
        for name in ("moves", "mac_changes", "contests", "withdrawn_claims", "claimants_overflow")
    }
    labelled: tuple[tuple[str, Mapping[str, int]], ...] = (
        ("announcements", vip.announcements),
        ("sightings", vip.sightings),
        ("claims", vip.claims),
        ("source_moves", vip.source_moves),
    )
    for name, values in labelled:
        flat |= {f"{name}/{label}": value for label, value in values.items()}
    return flat


@given(inputs=anything, observer=st.sampled_from(["", "node-a", "node-b"]), listening=st.booleans())
@many
def test_counters_never_go_down(inputs: list[Input], observer: str, listening: bool) -> None:
    """Whatever comes, no counter of a VIP decreases, no claimant is over the cap, and nothing is raised."""
    run = Run(new_core(observer=observer, listening=listening))
    before = counters(run.vip())
    for step in with_lease_expiry(inputs):
        run.feed([step])
        vip = run.vip()
        now = counters(vip)
        assert all(now[name] >= value for name, value in before.items())
        assert len(vip.claimants) <= 16
        assert len(vip.listed_claimants) <= 16
        before = now


@given(inputs=anything, listening=st.booleans())
@fixed
def test_events_agree_with_counters(inputs: list[Input], listening: bool) -> None:
    """Each contest, withdrawn claim and mismatch has its event, and starts and ends alternate."""
    run = play(inputs, core=new_core(listening=listening))
    names, vip = run.names(), run.vip()
    assert names.count("contest_started") == vip.contests
    assert names.count("claim_withdrawn") == vip.withdrawn_claims
    assert names.count("mac_changed") == vip.mac_changes
    assert 0 <= names.count("contest_started") - names.count("contest_ended") <= vip.contests
    open_checks = names.count("mismatch_started") - names.count("mismatch_ended")
    assert open_checks == len(vip.mismatches)
    times = [event.at for event in run.events]
    assert times == sorted(times)


@given(inputs=wire_only, period=periods)
@many
def test_moves_are_at_most_the_changes_of_the_announcing_mac(inputs: list[Input], period: float | None) -> None:
    """With frames alone there is never a move that no change of the announcing mac could have caused."""
    run = play(inputs, until=1e5, core=new_core(period=period))
    speakers = [step.mac for step in inputs]
    changes = sum(one != other for one, other in pairwise(speakers))
    assert run.vip().moves <= changes
    assert run.names().count("vip_seen") == 1


@given(inputs=wire_only)
@fixed
def test_macs_of_one_node_never_move(inputs: list[Input]) -> None:
    """Whatever macs of one node announce, there is neither a move, nor a contest, nor a withdrawn claim."""
    run = play([*nodes(0, node("ABCX")), *inputs], until=1e5)
    vip = run.vip()
    assert (vip.moves, vip.contests, vip.withdrawn_claims) == (0, 0, 0)


# --- time -------------------------------------------------------------------------------------------------------------


def outcome(
    core: Core, inputs: Sequence[Input], ticks: Iterable[Nanoseconds], end: Nanoseconds
) -> tuple[Snapshot, list[Event]]:
    """Snapshot at the end and all events, with a tick at each of these times. At equal times the tick comes first."""
    events: list[Event] = []
    waiting = deque(sorted(ticks))
    for step in inputs:
        while waiting and waiting[0] <= step.at:
            events += core.tick(waiting.popleft())
        events += core.observe(step)
    while waiting and waiting[0] <= end:
        events += core.tick(waiting.popleft())
    events += core.tick(end)
    return core.snapshot(), events


@given(
    inputs=anything.map(with_lease_expiry),
    ticks=st.lists(st.integers(0, 600_000).map(lambda number: number * 1_000_000), max_size=60),
    step=st.sampled_from([1.0, 0.5, 7.0]),
    end=st.sampled_from([0.0, 7.0, 20.0, 1000.0]),
)
@many
def test_ticks_do_not_matter(inputs: list[Input], ticks: list[int], step: float, end: float) -> None:
    """Snapshot and events are the same without any tick, with ticks at random, and with ticks at a steady pace."""
    last = inputs[-1].at if inputs else 0
    until = last + seconds(end)
    steady = range(0, until, seconds(step))
    without = outcome(new_core(), inputs, (), until)
    assert outcome(new_core(), inputs, ticks, until) == without
    assert outcome(new_core(), inputs, steady, until) == without


@given(inputs=anything, late=st.lists(st.integers(0, 30), max_size=50))
@fixed
def test_late_inputs_are_taken_at_the_greatest_time(inputs: list[Input], late: list[int]) -> None:
    """An input that claims to be older than what came before counts as one of that time."""
    lagging = [
        replace(step, at=max(0, step.at - seconds(late[number]))) if number < len(late) else step
        for number, step in enumerate(inputs)
    ]
    greatest, clamped = 0, []
    for step in lagging:
        greatest = max(greatest, step.at)
        clamped.append(replace(step, at=greatest))
    until = greatest + seconds(30)
    assert outcome(new_core(), lagging, (), until) == outcome(new_core(), clamped, (), until)


@given(inputs=anything, by=st.sampled_from([1, seconds(0.1), seconds(12345.678), seconds(1.7e9)]))
@fixed
def test_only_differences_of_time_matter(inputs: list[Input], by: Nanoseconds) -> None:
    """The same inputs at another place of the time line give the same counters, states and events."""
    moved = [replace(step, at=step.at + by) for step in inputs]
    here, there = play(inputs), play(moved, core=new_core(at=by / 1e9))
    assert counters(here.vip()) == counters(there.vip())
    assert here.vip().state is there.vip().state
    assert [(event.name, event.at + by) for event in here.events] == [(event.name, event.at) for event in there.events]


@given(inputs=anything, other=st.lists(st.tuples(gaps, st.sampled_from("AB")), max_size=30))
@fixed
def test_vips_do_not_disturb_each_other(inputs: list[Input], other: list[tuple[float, str]]) -> None:
    """What one VIP shows is the same whether or not frames about a third come between, at equal times too."""
    third = VIP + 77
    frames_of_third = in_order((gap, frames(who, 0, vip=third)) for gap, who in other)
    until = max(step.at for step in [*inputs, *frames_of_third]) + seconds(30)
    alone, _ = outcome(new_core(watch=(VIP, NEW_VIP)), inputs, (), until)
    for mixed in (interleave(inputs, frames_of_third), interleave(frames_of_third, inputs)):
        together, _ = outcome(new_core(watch=(VIP, NEW_VIP, third)), mixed, (), until)
        assert [vip for vip in together.vips if vip.address != third] == list(alone.vips)


# --- clean moves ------------------------------------------------------------------------------------------------------

tenths = st.integers(-100, 100).map(lambda number: number / 10)


@given(
    gap=st.integers(1, 200).map(lambda number: number / 10),
    overlap=st.booleans(),
    offset=tenths,
    known=st.booleans(),
    source=st.sampled_from(["annotation", "lease", "both"]),
    settles_after=st.sampled_from([0.0, 0.4, 2.9]),
)
@example(gap=2.0, overlap=False, offset=10.0, known=True, source="annotation", settles_after=0.0)
@example(gap=2.0, overlap=False, offset=-10.0, known=True, source="both", settles_after=0.0)
@example(gap=7.0, overlap=True, offset=-10.0, known=True, source="annotation", settles_after=0.0)
@example(gap=7.0, overlap=True, offset=10.0, known=True, source="annotation", settles_after=0.0)
@many
def test_clean_move_counts_once(
    gap: float, overlap: bool, offset: float, known: bool, source: str, settles_after: float
) -> None:
    """A stops and B starts after any gap, or they overlap for at most grace; vipHost and lease follow or go ahead.

    It is one move, no contest, and no mismatch inside the settle time.
    """
    last = 99.0 + settles_after
    first = last - min(gap, 7.0) if overlap else last + gap
    change = max(0.1, first + offset)
    streams = [announce("A", from_=settles_after, until=last), announce("B", from_=first, until=first + 90)]
    if known:
        streams.append(nodes(0, "A", "B"))
    if source != "lease":
        streams += [service(0, "node-a"), service(change, "node-b")]
    if source != "annotation":
        streams += [lease(0, "node-a"), lease(change, "node-b")]
    run = play(interleave(*streams))
    vip = run.vip()
    assert (vip.moves, vip.contests, vip.withdrawn_claims) == (1, 0, 0)
    assert vip.holder == "node-b"
    assert run.names().count("vip_moved") == 1
    assert "mismatch_started" not in run.names()
    assert sum(run.core.snapshot().handover.counts) == 1


@given(offset=tenths)
@fixed
def test_clean_move_under_one_mac_counts_once(offset: float) -> None:
    """Where all nodes announce one mac, lease and vipHost change in either order: one move."""
    dhcp = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": True}
    run = play(
        interleave(
            nodes(0, "A", "B"),
            service(0, "node-a", **dhcp),
            lease(0, "node-a"),
            announce("H", until=90),
            lease(40, "node-b"),
            service(40 + offset, "node-b", **dhcp),
        )
    )
    assert (run.vip().moves, run.vip().holder) == (1, "node-b")
    assert "mismatch_started" not in run.names()


@pytest.mark.parametrize("source_first", [True, False])
def test_order_at_equal_time(source_first: bool) -> None:
    """vipHost's change at the very time of B's first frame: the same verdict whichever comes first."""
    change, new = service(32, "node-b"), announce("B", from_=32, until=60)
    before = interleave(nodes(0, "A", "B"), service(0, "node-a"), announce("A", until=30))
    run = play(before + interleave(*([change, new] if source_first else [new, change])))
    assert [(str(event.name), event.at) for event in run.events] == [("vip_seen", 0), ("vip_moved", seconds(32))]
    assert run.vip().last_move is not None
    assert run.vip().last_move.at == seconds(32)


@given(cuts=st.lists(st.sampled_from([9, 12, 15, 21, 30]), min_size=1, max_size=8))
@fixed
def test_alternating_clean_moves_count_one_each(cuts: list[int]) -> None:
    """A to B to A and so on, each announcing at least four times before the other takes over: one move each."""
    inputs, at = announce("A", until=30), 33
    for number, length in enumerate(cuts):
        inputs += announce("BA"[number % 2], from_=at, until=at + length)
        at += length + 3
    run = play(inputs, until=at + 5)
    assert (run.vip().moves, run.vip().contests, run.vip().withdrawn_claims) == (len(cuts), 0, 0)


# --- bounded memory ---------------------------------------------------------------------------------------------------


def elements(root: object) -> int:
    """How many elements all containers reachable from an object have in all."""
    seen: set[int] = set()
    queue: list[object] = [root]
    total = 0
    while queue:
        thing = queue.pop()
        if id(thing) in seen or isinstance(thing, (str, bytes, int, float, type)) or callable(thing):
            continue
        seen.add(id(thing))
        if isinstance(thing, Mapping):
            total += len(thing)
            queue += [*thing.keys(), *thing.values()]
        elif isinstance(thing, (list, tuple, set, frozenset, deque)):
            total += len(thing)
            queue += thing
        elif type(thing).__module__.startswith("exporter."):
            slots = [name for kind in type(thing).__mro__ for name in getattr(kind, "__slots__", ())]
            queue += [getattr(thing, name, None) for name in slots]
            queue += list(getattr(thing, "__dict__", {}).values())
    return total


def storm(kind: str, count: int) -> list[Input]:
    """Inputs of which an attacker or a broken cluster could send any number, 50 ms apart, beside A every 3 s."""
    chance = random.Random(kind)
    inputs: list[Input] = []
    for number in range(count):
        at = number * 0.05
        if number % 60 == 0:
            inputs += frames("A", at)
        stranger = Mac(b"\x06" + chance.randbytes(5))
        name = f"node-{chance.randrange(10**9)}"
        match kind:
            case "announcements":
                inputs.append(frame(stranger, at))
            case "announcements in pairs":
                inputs += [frame(stranger, at), frame(stranger, at)]
            case "probes":
                inputs.append(frame(stranger, at, Kind.PROBE))
            case "ordinary replies":
                inputs.append(frame(stranger, at, Kind.ORDINARY_REPLY))
            case "other addresses":
                inputs.append(frame(stranger, at, vip=VIP + 1 + number % 60_000))
            case "vipHost":
                inputs += service(at, name)
            case "leases":
                inputs += lease(at, name, expires=at + 15)
            case "addresses of the Service":
                inputs += service(at, name, addresses=(VIP, VIP + 1 + number))
            case "Services":
                ref = ServiceRef("kube-system", name)
                inputs += [*service(at, name, ref=ref), *service_gone(at, ref)]
            case "nodes":
                inputs += nodes(at, "A", Node(name, (), (stranger,)))
            case "capture":
                inputs += capture(at, up=bool(number % 2))
            case "moves":
                inputs += frames("AB"[number // 400 % 2], at)
    return inputs


@pytest.mark.parametrize(
    "kind",
    [
        "announcements",
        "announcements in pairs",
        "probes",
        "ordinary replies",
        "other addresses",
        "vipHost",
        "leases",
        "addresses of the Service",
        "Services",
        "nodes",
        "capture",
        "moves",
    ],
)
def test_memory_is_bounded(kind: str) -> None:
    """However long a storm lasts, the core's containers together stay as small as they were after its beginning."""
    run, sizes = Run(new_core()), []
    for number, step in enumerate(storm(kind, 6000)):
        run.core.observe(step)
        if number % 250 == 249:
            sizes.append(elements(run.core))
    assert len(sizes) >= 20
    assert max(sizes) < 4000
    assert max(sizes[len(sizes) // 2 :]) <= 1.3 * max(sizes[: len(sizes) // 2])


def test_flood_makes_few_events() -> None:
    """A flood of new macs is told once as a contest, not as an event a frame."""
    run = play(storm("announcements", 6000))
    assert run.names() == ["vip_seen", "contest_started"]


def test_core_is_what_memory_is_measured_on() -> None:
    """The measure sees what the core holds: more VIPs are more elements."""
    assert elements(new_core(watch=[VIP + number for number in range(50)])) > elements(new_core()) + 50
