"""Frames that repeat within a moment: judged at once, they give what each by itself would have given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.vip.core import Core
from exporter.vip.model import SECOND, Burst, Heard, Input, IPAddress, Kind, NeighbourSeen, Sighting, seconds
from exporter.vip.nodes import NEIGHBOUR_AGE
from exporter.vip.vip import Vip
from tests.vip.more import heard, remembered
from tests.vip.situations import (
    NEW_VIP,
    VIP,
    Run,
    announce,
    frame,
    frames,
    interleave,
    mac_of,
    new_core,
    node,
    nodes,
    service,
)
from tests.vip.test_properties import gaps, macs, others, periods, with_lease_expiry

many = settings(
    max_examples=800, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)

SPAN = 0.012
"""Seconds that a burst may take: somewhat more than a block of the ring waits."""

whens = st.one_of(
    gaps,
    st.sampled_from([1, 3, 5]),
    # In the midst of the burst, something that followed from an earlier step falls due.
    st.tuples(st.integers(1, 6), st.sampled_from([7, 7, 7, 10, 15])),
)
"""Seconds after the step before; or which step it was, counted from the latest, and how long ago."""
one_of_a_burst = st.tuples(
    st.builds(
        lambda who, kind, vip, outgoing: frame(who, 0, kind, vip=vip, outgoing=outgoing),
        macs,
        st.sampled_from([Kind.REQUEST, Kind.REQUEST, Kind.REPLY, Kind.NA, Kind.PROBE, Kind.ORDINARY_REPLY]),
        st.sampled_from([VIP, VIP, VIP, VIP, NEW_VIP]),
        st.sampled_from([False] * 7 + [True]),
    ),
    st.lists(st.integers(0, seconds(SPAN)), min_size=1, max_size=12),
)
bursts = st.lists(one_of_a_burst, min_size=1, max_size=4)
with_neighbour = bursts.map(lambda one: [*one, (heard(0, "A", "192.0.2.11")[0], [seconds(0.003)])])
anything = st.lists(
    st.tuples(whens, bursts | bursts | bursts | with_neighbour | others),
    min_size=1,
    max_size=25,
)
dense = st.builds(
    lambda who, every, out: [
        (frame(one, 0, outgoing=out and one == "A"), list(range(0, seconds(SPAN), seconds(every)))) for one in who
    ],
    st.sampled_from(["A", "A", "B", "B", "AB", "AB", "BA", "ABC", "BC", "AX", "X"]),
    st.sampled_from([0.001, 0.003, 1]),
    st.sampled_from([False, False, False, True]),
)
floods = st.lists(st.tuples(whens, dense | dense | dense | dense | others), min_size=2, max_size=14)

When = float | tuple[int, float]
Step = list[Input] | list[tuple[Sighting | NeighbourSeen, list[int]]]


def both_ways(made: Sequence[tuple[When, Step]]) -> tuple[list[Input], list[Input]]:
    """The same inputs twice: with the bursts, and with each frame by itself."""
    at, begun = 0, [0]
    together: list[Input] = []
    apart: list[Input] = []
    for when, step in made:
        if isinstance(when, tuple):
            at = max(at, begun[-min(when[0], len(begun))] + seconds(when[1] - SPAN / 2))
        else:
            at += seconds(when)
        begun.append(at)
        if not isinstance(step[0], tuple):
            once = [replace(one, at=at) for one in step]
            together += once
            apart += once
            continue
        merged: dict[Sighting | NeighbourSeen, list[int]] = {}
        for one, offsets in step:
            merged.setdefault(one, []).extend(at + offset for offset in offsets)
        parts = [Heard(replace(one, at=min(times)), sorted(times)) for one, times in merged.items()]
        parts.sort(key=lambda part: part.told.at)
        together.append(Burst(min(part.told.at for part in parts), tuple(parts)))
        singles = [replace(told, at=time) for told, times in parts for time in times]
        apart += sorted(singles, key=lambda single: single.at)
        at += seconds(SPAN)
    return together, apart


@given(
    made=anything | floods,
    before=st.sampled_from(
        [[], [], frames("A", 0), frames("A", 0) + frames("B", 0), remembered(0, "node-a", "A", since=-100, heard=-5)]
    ),
    known=st.sampled_from([[], nodes(0, "A", "B"), nodes(0, "AX", "B")]),
    period=periods,
    observer=st.sampled_from(["", "node-a"]),
    discover=st.booleans(),
)
@many
def test_a_burst_is_the_same_as_its_frames_one_by_one(
    made: list[tuple[When, Step]],
    before: list[Input],
    known: list[Input],
    period: float | None,
    observer: str,
    *,
    discover: bool,
) -> None:
    """Whatever comes: the same events at the same nanosecond, and the same snapshot at the end.

    Also where a claim lapses, a contest begins or a lease runs out in the midst of a burst.
    """
    core = partial(new_core, period=period, observer=observer, discover=discover, watch=[VIP, NEW_VIP])
    compare(core, made, [*known, *before])


def compare(core: Callable[[], Core], made: Sequence[tuple[When, Step]], before: Sequence[Input]) -> Run:
    """What comes of the bursts, which is what comes of each frame by itself."""
    ran = []
    for inputs in both_ways(made):
        run = Run(core())
        run.feed([*before, *with_lease_expiry(inputs)])
        last = run.vip()
        run.until(1e5)
        ran.append((run.events, last, run.core.snapshot()))
    assert ran[0] == ran[1]
    return run


OFTEN = [seconds(0.001 * number) for number in range(12)]


def often(who: str, kind: Kind = Kind.REQUEST, *, outgoing: bool = False) -> Step:
    return [(frame(one, 0, kind, outgoing=outgoing), OFTEN) for one in who]


def once(who: str, kind: Kind = Kind.REQUEST, *, vip: IPAddress = VIP, outgoing: bool = False) -> Step:
    return [(frame(who, 0, kind, vip=vip, outgoing=outgoing), [0])]


def heard_for(name: str, who: str, address: str) -> list[Input]:
    """A node with this address, for which these speak."""
    return [*nodes(0, node("", name=name, addresses=[address])), *(heard(0, one, address)[0] for one in who)]


OF_NODE_B = [
    *nodes(0, node("", name="node-a", addresses=[str(NEW_VIP)]), node("", name="node-b", addresses=["192.0.2.12"])),
    *(heard(0, who, "192.0.2.12")[0] for who in "AB"),
]
"""A and B are node-b's; another node has the address of the other VIP, which is watched too."""
FOLLOWED = [(0, once("A")), (1, service(0, "node-b")), (1, once("X"))]
"""X takes over at once, since the annotation has changed just before."""
NOT_HEARD_OF_B = [*nodes(0, "A", node("", name="node-b")), *service(0, "node-a")]


@pytest.mark.parametrize(
    ("before", "made", "names"),
    [
        ([], [(0, often("A")), *[(5, often("A"))] * 5, (13, often("A"))], ["vip_seen", "vip_silent"]),
        (
            nodes(0, "A", "BC"),
            [(0, once("B")), (1, once("C", outgoing=True)), (1, often("C")), (1, often("B"))],
            ["vip_seen", "vip_silent"],
        ),
        (
            nodes(0, "A", "BX"),
            [(0, once("B")), (3, once("X")), (3.99, often("X")), (1, often("X"))],
            ["vip_seen", "mac_changed", "vip_silent"],
        ),
        (
            nodes(0, "A", "BX"),
            [(0, once("B")), (1, once("X")), (1, nodes(0, "A", "B")), (1, often("BX")), (6.99, often("BX"))],
            ["vip_seen", "contest_started", "contest_ended", "vip_silent"],
        ),
        ([], [(0, once("A")), (5, once("B")), (1.97, often("B"))], ["vip_seen", "vip_moved", "vip_silent"]),
        ([], [(0, often("A", outgoing=True)), (1, often("A", outgoing=True))], ["vip_seen", "vip_silent"]),
        ([], [(0, [(frame("A", 0), [seconds(number) for number in range(9)])])], ["vip_seen", "vip_silent"]),
        (
            [],
            [(0, once("A")), (3, often("A", outgoing=True)), (6.5, often("A", outgoing=True))],
            ["vip_seen", "vip_silent"],
        ),
        (
            [],
            [(0, once("A")), (3, once("A")), *[(0.6, [(frame("A", 0), [0, seconds(0.5)])])] * 4],
            ["vip_seen", "vip_silent"],
        ),
        (
            heard_for("node-b", "AB", "192.0.2.12"),
            [(0.1, once("A")), (NEIGHBOUR_AGE / SECOND - 2, often("AB")), ((3, NEIGHBOUR_AGE / SECOND), often("AB"))],
            ["vip_seen", "vip_silent", "vip_returned", "vip_moved", "vip_silent"],
        ),
        (
            heard_for("node-b", "AB", "192.0.2.12"),
            [
                (0.1, once("A")),
                (NEIGHBOUR_AGE / SECOND - 2, often("AB")),
                ((3, NEIGHBOUR_AGE / SECOND - 0.005), often("AB")),
            ],
            ["vip_seen", "vip_silent", "vip_returned", "vip_moved", "vip_silent"],
        ),
        (
            OF_NODE_B,
            [
                (0.1, once("A")),
                (1, once("B")),
                (1, [*often("B"), (heard(0, "B", str(NEW_VIP))[0], [seconds(0.003)])]),
            ],
            ["vip_seen", "vip_moved", "vip_silent"],
        ),
        (
            OF_NODE_B,
            [
                (0.1, once("A")),
                (1, once("B")),
                (1, [*often("B"), (frame("B", 0, Kind.ORDINARY_REPLY, vip=NEW_VIP), [seconds(0.003)])]),
            ],
            ["vip_seen", "vip_moved", "vip_silent"],
        ),
        (
            [],
            [(0, once("A")), (5, once("B")), (1.97, [*often("B"), *once("X", Kind.ORDINARY_REPLY)])],
            ["vip_seen", "vip_moved", "vip_silent"],
        ),
        ([], [(0, once("A")), (5, once("B")), (1.965, often("B"))], ["vip_seen", "vip_moved", "vip_silent"]),
        (
            [],
            [(0, once("A")), (1, once("B")), (4, once("A")), (0.5, once("B")), (2.458, often("AB"))],
            ["vip_seen", "contest_started", "contest_ended", "vip_silent"],
        ),
        ([], [(0, once("A")), (6, once("B")), (2, often("B"))], ["vip_seen", "vip_moved", "vip_silent"]),
        (
            [],
            [(0, once("A")), (1, once("B")), (1, often("B")), (2, once("A"))],
            ["vip_seen", "claim_withdrawn", "vip_silent"],
        ),
        (
            NOT_HEARD_OF_B,
            [*FOLLOWED, (1, often("A")), (7, once("X"))],
            ["vip_seen", "vip_moved", "vip_silent"],
        ),
        (
            [*nodes(0, "A", node("XY", name="node-b")), *service(0, "node-a")],
            [
                *FOLLOWED,
                (1, once("Y")),
                (1, nodes(0, "AY", node("X", name="node-b"))),
                (1, often("Y")),
                (5.5, once("X")),
            ],
            ["vip_seen", "vip_moved", "vip_silent"],
        ),
        (
            [],
            [
                (0, once("A")),
                *[(1, often("X", kind)) for kind in [Kind.PROBE, Kind.PROBE, Kind.ORDINARY_REPLY]],
                (1, often("A", Kind.PROBE)),
                (5.934, often("X", Kind.PROBE)),
            ],
            ["vip_seen", *["probe_seen"] * 11, "vip_silent"],
        ),
        (
            [],
            [(0, once("A")), (1, once("X")), (1, often("X", Kind.PROBE))],
            ["vip_seen", *["probe_seen"] * 10, "claim_withdrawn", "vip_silent"],
        ),
    ],
    ids=[
        "a period of 5 s",
        "it left this node before",
        "the other MAC goes on",
        "another's after all",
        "a lapse",
        "it leaves this node",
        "not within a moment",
        "it leaves this node from now on",
        "half a second, which teaches",
        "a MAC forgotten",
        "a MAC forgotten with its last frame",
        "a MAC found to be another's",
        "a node's own address among it",
        "a lapse after the end of a part",
        "a lapse with its last frame",
        "the grace time passes",
        "the frame that a move needs",
        "a claim that is withdrawn, with its frames",
        "the old holder has let go",
        "a live one turns out to be of who let go",
        "no announcements",
        "probes of a rival",
    ],
)
def test_what_a_burst_changes(before: list[Input], made: list[tuple[When, Step]], names: list[str]) -> None:
    """The first frame of a burst, or one in its midst, may tell something, whoever was heard before."""
    run = compare(partial(new_core, observer="node-a", watch=[VIP, NEW_VIP]), made, before)
    assert run.names() == names


def test_a_burst_of_a_nodes_own_address_teaches_for_as_long() -> None:
    """Where an address is watched that is a node's own, by mistake, each frame also tells that node's MAC."""
    before = nodes(0, node("", name="node-b", addresses=[str(VIP)]))
    ran = []
    for inputs in both_ways([(0, often("A")), (1, often("A"))]):
        run = Run(new_core())
        run.feed([*before, *inputs])
        run.until(1.02 + NEIGHBOUR_AGE / SECOND)
        ran.append((run.core.snapshot(), run.vip().claimants))
        run.until(1.03 + NEIGHBOUR_AGE / SECOND)
        ran.append((run.core.snapshot(), run.vip().claimants))
    assert ran[:2] == ran[2:]
    assert ran[0] != ran[1]


def test_the_period_is_learned_from_bursts() -> None:
    run = Run(new_core())
    run.feed(both_ways([(0, often("A")), *[(5, often("A"))] * 5])[0])
    assert run.vip().period == seconds(5.001)


def flood(
    who: str,
    begin: float,
    end: float,
    kind: Kind = Kind.REQUEST,
    *,
    step: float = 0.001,
    moment: float = 0.008,
) -> list[Input]:
    """These MACs in turn, a frame each `step` seconds, in bursts of `moment` seconds."""
    found: dict[int, dict[str, list[int]]] = {}
    for number in range(round((end - begin) / step)):
        at = seconds(begin) + number * seconds(step)
        found.setdefault(at // seconds(moment), {}).setdefault(who[number % len(who)], []).append(at)
    return [
        Burst(
            min(times[0] for times in parts.values()),
            tuple(Heard(Sighting(times[0], VIP, kind, mac_of(letter)), times) for letter, times in parts.items()),
        )
        for parts in found.values()
    ]


@pytest.mark.parametrize(
    ("before", "who", "kind", "begin", "each"),
    [
        ([], "A", Kind.REQUEST, 1, 1),
        (frames("A", 100), "AB", Kind.REQUEST, 101, 0),
        ([*announce("A", until=12), *announce("B", from_=0.5, until=12)], "AB", Kind.REQUEST, 12.1, 0),
        ([*heard_for("node-a", "AX", "192.0.2.11"), *announce("A", until=12)], "AX", Kind.REQUEST, 12.1, 2),
        (
            [*NOT_HEARD_OF_B, *frames("A", 0), *service(1, "node-b"), *frames("X", 2, 9)],
            "X",
            Kind.REQUEST,
            10,
            1,
        ),
        (frames("A", 0), "X", Kind.ORDINARY_REPLY, 1, 0),
        (frames("A", 0), "A", Kind.PROBE, 1, 0),
        (frames("A", 0), "X", Kind.PROBE, 1, 0),
    ],
    ids=[
        "held",
        "moving",
        "contested",
        "one node's two MACs",
        "moved at once",
        "answers",
        "the holder's probes",
        "a stranger's probes",
    ],
)
def test_a_flood_is_judged_a_few_times_a_burst(
    before: list[Input], who: str, kind: Kind, begin: float, each: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In every state that a flood can last in, a burst of it takes at most one judgement for each MAC, but for a few.

    None where an episode goes on, and where nothing is claimed.
    """
    run = Run(new_core())
    run.feed(interleave(before))
    run.feed(flood(who, begin, begin + 0.1, kind))
    judged, sight = [], Vip.sight
    monkeypatch.setattr(Vip, "sight", lambda vip, at, sighting: (judged.append(at), sight(vip, at, sighting))[1])
    sent = flood(who, begin + 0.1, begin + 1, kind)
    run.feed(sent)
    assert len(judged) < (each + 0.05) * len(sent)
    counted = sum(run.vip().announcements.values()) + sum(run.vip().sightings.values())
    assert counted == sum(isinstance(one, Sighting) for one in before) + 1000


def test_a_flood_of_probes_makes_as_many_events_as_its_frames_one_by_one() -> None:
    run = Run(new_core())
    times = list(range(0, seconds(0.4), seconds(0.001)))
    run.feed([Burst(0, (Heard(frame("X", 0, Kind.PROBE), times),))])
    later = [time + 25 * SECOND for time in times]
    run.feed([Burst(later[0], (Heard(frame("X", 25, Kind.PROBE), later),))])
    assert run.vip().sightings["probe"] == 800
    assert run.names().count("probe_seen") == 12


def test_a_burst_about_an_address_that_is_not_watched_changes_nothing() -> None:
    run = Run(new_core(watch=[VIP]))
    run.feed([Burst(5, (Heard(frame("A", 0, vip=NEW_VIP), [5, 6, 7]),))])
    assert not run.events
    assert [vip.address for vip in run.core.snapshot().vips] == [VIP]
