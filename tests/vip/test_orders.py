"""Properties over all orders: a clean move is one move and no mismatch in whatever order its sources show it.

And over all inputs, of whatever source: nothing is raised, no counter goes down, ticks do not matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import partial
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from exporter.vip.model import (
    BoundSeen,
    HostSeen,
    Input,
    IPAddress,
    LeaseSeen,
    Mode,
    NeighbourSeen,
    Node,
    NodesSeen,
    Remembered,
    ServiceSeen,
    Sighting,
    parse_mac,
    seconds,
)
from tests.vip.more import (
    ADDRESS,
    SUBNET,
    heard,
    host,
    host_lost,
    known,
    kubernetes,
    lease_gone,
    leases,
    link,
    mismatches,
    of_name,
    remembered,
    wish,
)
from tests.vip.situations import (
    NEW_VIP,
    SETTLE,
    VIP,
    Run,
    announce,
    bound,
    capture,
    frames,
    interleave,
    new_core,
    nodes,
    service,
)
from tests.vip.test_properties import anything, counters, in_order, outcome

fixed = settings(
    max_examples=70,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)
some, many = settings(fixed, max_examples=50), settings(fixed, max_examples=180)

BEGIN = 60.0
"""Seconds: no source of a move changes before, and all have by the settle time later."""
GRACE = 7.0

# --- one clean move, and all ways in which it can show ----------------------------------------------------------------

OLD_WAYS = ["static", "static, left-over hwaddr", "dhcp <= 0.8.1", "dhcp, version unknown"]
"""Each node announces from its own mac."""
NEW_WAYS = ["dhcp >= 0.8.2", "dhcp, version unknown, hwaddr announced"]
"""Every node announces from hwaddr."""
KNOWLEDGE = ["configured", "heard", "heard later", "only A", "only B", "A heard, B later", "addresses", "nothing"]
"""How the nodes' own macs are known."""


@dataclass(frozen=True, kw_only=True)
class Outage:
    """Kubernetes does not answer; what changes meanwhile is told when it does again."""

    start: float
    end: float
    lease_first: bool = False
    """The lease is told to be unconfirmed before the intent is told not to be current."""
    late: float | None = None
    """Objects come so long after the news that Kubernetes answers again; None: just before that news."""
    stale_after: float = 60.0

    def told(self, moment: float) -> float:
        """When a change of this moment comes to be known."""
        return self.end + (self.late or 0.0) if self.start <= moment < self.end + (self.late or 0.0) else moment


@dataclass(frozen=True, kw_only=True)
class Move:
    """The VIP goes from node-a to node-b. Times are seconds; those of the sources lie within one settle time."""

    way: str = "static"
    macs: str = "configured"
    observer: str = ""
    period: float = 3.0
    wire: float = BEGIN
    """B's first frame."""
    gap: float = 2.0
    """From A's last frame to B's first; negative: A goes on for so long after it."""
    lease: float | None = BEGIN
    """None: there is none."""
    lease_through: str = "directly"
    """To B; or through `empty` or `expired`, beginning with the first of the changes."""
    annotation: float | None = BEGIN
    local: float = BEGIN
    spelling: tuple[str, str, str, str] = ("node", "node", "node", "node")
    """Of vipHost before and after, of the lease's holder before and after."""
    node_names: str = "node"
    outage: Outage | None = None
    learned: float = 5.0
    """A mac that is heard later is heard so long after B's first frame."""

    @property
    def shared(self) -> bool:
        return self.way in NEW_WAYS

    @property
    def end(self) -> float:
        return max(BEGIN + SETTLE, self.wire, self.outage.end if self.outage else 0) + 75

    def name(self, letter: str, spelling: str) -> str:
        return spell(letter, spelling)

    def inputs(self) -> list[Input]:
        return interleave(
            self._nodes(),
            self._host(),
            self._kubernetes(),
            self._frames(),
            nodes(self.end, *self._node_list()) if self.macs != "nothing" else [],
        )

    def _frames(self) -> list[Input]:
        last = self.wire - self.gap
        a, b = ("H", "H") if self.shared else ("A", "B")
        from_ = last % self.period
        return interleave(
            announce(a, from_=from_, until=last, every=self.period, outgoing=self.observer == "node-a"),
            announce(b, from_=self.wire, until=self.end, every=self.period, outgoing=self.observer == "node-b"),
        )

    def _node_list(self) -> list[Node]:
        a = "A" if self.macs in ("configured", "only A") else ""
        b = "B" if self.macs in ("configured", "only B") else ""
        return [replace(one, name=spell(one.name[-1], self.node_names)) for one in (known("A", a), known("B", b))]

    def _nodes(self) -> list[Input]:
        if self.macs == "nothing":
            return []
        inputs = nodes(0, *self._node_list())
        late = self.wire + self.learned
        if self.macs in ("heard", "A heard, B later"):
            inputs += heard(1, "A")
        if self.macs == "heard":
            inputs += heard(1, "B")
        if self.macs in ("heard later", "A heard, B later"):
            inputs += heard(late, "B")
        if self.macs == "heard later":
            inputs += heard(late, "A")
        return sorted(inputs, key=lambda one: one.at)

    def _host(self) -> list[Input]:
        if not self.observer:
            return []
        own = self.observer[-1].upper()
        bridge = link("mgmt-br", own, SUBNET)
        device = "vip-1a2b3c4d" if self.shared else "mgmt-br"

        def state(at: float, has: bool) -> list[Input]:
            links = [bridge, link(device, "H")] if has and self.shared else [bridge]
            return bound(at, *([device] if has else [])) + host(at, *links)

        match own:
            case "A":
                return state(0, True) + state(self.local, False)
            case "B":
                return state(0, False) + state(self.local, True)
        return host(0, bridge)

    def _service(self, at: float, holder: str) -> list[Input]:
        if self.annotation is None:
            holder = ""
        said: dict[str, object] = {}
        if self.way.startswith("dhcp"):
            version = {"dhcp >= 0.8.2": True, "dhcp <= 0.8.1": False}.get(self.way)
            said = {"mode": Mode.DHCP, "hwaddr": "H", "announces_hwaddr": version}
        elif self.way != "static":
            said = {"mode": Mode.STATIC, "hwaddr": "H"}
        return service(at, holder, **said)

    def _kubernetes(self) -> list[Input]:
        a, b, lease_a, lease_b = (spell(letter, way) for letter, way in zip("abab", self.spelling, strict=True))
        changes: list[tuple[float, Callable[[float], list[Input]]]] = [(0, partial(self._service, holder=a))]
        if self.annotation is not None:
            changes.append((self.annotation, partial(self._service, holder=b)))
        if self.lease is not None:
            changes += self._lease(lease_a, lease_b)
        changes.sort(key=lambda change: change[0])
        outage = self.outage
        if outage is None:
            return [one for at, make in changes for one in make(at)]
        inputs = [
            one for at, make in changes for one in make(outage.told(at)) if not _silenced(outage, at, changes, make)
        ]
        away = kubernetes(outage.start, answers=False)
        back = kubernetes(outage.end, answers=True)
        if outage.end - outage.start > outage.stale_after:
            away += kubernetes(outage.start + outage.stale_after, answers=False, fresh=False)
        unconfirmed = self._unconfirmed(changes, outage.start)
        around = unconfirmed + away if outage.lease_first else away + unconfirmed
        if outage.late is None:
            return interleave(around, inputs, back)
        return interleave(around, back, inputs)

    def _lease(self, a: str, b: str) -> list[tuple[float, Callable[[float], list[Input]]]]:
        """Renewed every 5 s; lasts 15 s after that."""
        assert self.lease is not None
        begun = min(self.wire, self.lease, self.lease if self.annotation is None else self.annotation)
        until = self.lease
        found = []
        if self.lease_through == "empty" and begun < self.lease:
            until = begun
            found.append((begun, partial(_lease_of, holder="")))
        if self.lease_through == "expired" and begun < self.lease:
            until = begun - 15 + 0.001
            found.append((begun - 15, partial(_lease_of, holder=a)))
        at = 0.0
        while at < until:
            found.append((at, partial(_lease_of, holder=a)))
            at += 5
        at = self.lease
        while at < self.end:
            found.append((at, partial(_lease_of, holder=b)))
            at += 5
        return sorted(found, key=lambda change: change[0])

    def _unconfirmed(self, changes: list[tuple[float, Callable[[float], list[Input]]]], start: float) -> list[Input]:
        last = [(at, make) for at, make in changes if at < start and make.func is _lease_of]
        if not last:
            return []
        at, make = last[-1]
        if at + 15 < start:
            return []  # expired before: that is known
        return [replace(one, at=seconds(start), confirmed=False) for one in make(at)]

    def play(self) -> Run:
        run = Run(new_core(observer=self.observer))
        run.feed(self.inputs())
        run.until(self.end)
        return run


def _lease_of(at: float, holder: str) -> list[Input]:
    return leases(at, holder, expires=at + 15)


def _silenced(outage: Outage, at: float, changes: list, make: partial) -> bool:
    """Of what changed while Kubernetes was away only the last state is told."""
    if outage.told(at) == at:
        return False
    later = [other for other, made in changes if made.func == make.func and outage.told(other) != other]
    return at != max(later)


def spell(letter: str, how: str) -> str:
    name = f"node-{letter.lower()}"
    return {
        "node": name,
        "NODE": name.upper(),
        "node.domain": f"{name}.example.com",
        "Node.Domain": f"{name.title()}.Example.COM",
    }[how]


def show_one_clean_move(move: Move) -> None:
    """One move, to node-b, and nothing else: no mismatch at any time, no contest, no claim withdrawn, no mac change."""
    run = move.play()
    vip = run.vip()
    assert mismatches(run) == {}
    assert of_name(run, "mismatch_started") == []
    assert (vip.moves, len(of_name(run, "vip_moved"))) == (1, 1)
    assert (vip.contests, vip.withdrawn_claims, vip.mac_changes) == (0, 0, 0)
    assert vip.holder.split(".", maxsplit=1)[0].lower() == "node-b"
    if move.macs != "nothing":
        assert vip.holder == spell("b", move.node_names)
    assert str(vip.state) == "held"


# --- strategies -------------------------------------------------------------------------------------------------------

within = st.one_of(st.sampled_from([0.0, 15.0]), st.integers(0, 150).map(lambda number: number / 10))
"""Seconds after the first of the changes, both ends of the settle time included."""
gaps = st.one_of(
    st.sampled_from([-7.0, -6.9, 0.0, 0.1, 3.0, 6.9, 7.0, 7.1, 10.0, 10.1, 15.0]),
    st.integers(-70, 150).map(lambda number: number / 10),
)
spellings = st.sampled_from(["node", "node", "NODE", "node.domain", "Node.Domain"])


@st.composite
def outages(draw: st.DrawFn) -> Outage:
    start = BEGIN + draw(st.integers(-40, 40).map(lambda number: number / 2))
    return Outage(
        start=start,
        end=start + draw(st.sampled_from([0.1, 1.0, 5.0, 14.9, 15.0, 16.0, 30.0, 59.0, 90.0])),
        lease_first=draw(st.booleans()),
        late=draw(st.sampled_from([None, 0.0, 0.3])),
    )


@st.composite
def moves(
    draw: st.DrawFn,
    ways: list[str] = OLD_WAYS,
    macs: list[str] = KNOWLEDGE,
    outage: st.SearchStrategy[Outage | None] = st.none(),  # noqa: B008 - strategies are values
) -> Move:
    wire, lease, annotation, local = (BEGIN + draw(within) for _ in range(4))
    first = min(wire, lease, annotation)
    return Move(
        way=draw(st.sampled_from(ways)),
        macs=draw(st.sampled_from(macs)),
        observer=draw(st.sampled_from(["", "node-a", "node-b", "node-c"])),
        period=draw(st.sampled_from([3.0, 1.0, 2.0])),
        wire=wire,
        gap=draw(gaps),
        lease=None if draw(st.sampled_from([False, False, False, True])) else lease,
        lease_through=draw(st.sampled_from(["directly", "empty", "expired"])),
        annotation=annotation,
        local=max(local, first),
        spelling=draw(st.tuples(spellings, spellings, spellings, spellings)),
        node_names=draw(st.sampled_from(["node", "node", "node.domain"])),
        outage=draw(outage),
        learned=draw(st.sampled_from([0.0, 1.0, 5.0, 10.0, 20.0, 40.0])),
    )


# --- in every order ---------------------------------------------------------------------------------------------------


@given(move=moves())
@many
def test_a_clean_move_in_any_order(move: Move) -> None:
    """Each node with its own mac, known, partly known or not; wire, lease, vipHost and local in any order."""
    show_one_clean_move(move)


@given(move=moves(ways=NEW_WAYS, macs=["addresses", "nothing", "heard"]))
@many
def test_a_clean_move_under_one_mac_in_any_order(move: Move) -> None:
    """Every node with the same mac."""
    show_one_clean_move(move)


@given(move=moves(outage=outages()))
@many
def test_a_clean_move_in_any_order_while_kubernetes_is_away(move: Move) -> None:
    """Before, within or after the move, Kubernetes does not answer for a while; each node with its own mac."""
    show_one_clean_move(move)


@given(move=moves(ways=NEW_WAYS, macs=["addresses", "nothing", "heard"], outage=outages()))
@many
def test_a_clean_move_under_one_mac_in_any_order_while_kubernetes_is_away(move: Move) -> None:
    show_one_clean_move(move)


LATE = st.sampled_from([0.0, 0.1, 5.0, 14.9, 15.0])


@given(
    move=moves(ways=OLD_WAYS + NEW_WAYS),
    before=st.sampled_from([0.0, 1.0, 30.0]),
    minutes=st.sampled_from([1.0, 2.5, 5.0]),
    lease_after=LATE,
    annotation_after=LATE,
    late=st.sampled_from([None, 0.0, 0.3]),
    lease_first=st.booleans(),
)
@many
def test_kubernetes_is_away_for_minutes_during_the_move(
    move: Move,
    before: float,
    minutes: float,
    lease_after: float,
    annotation_after: float,
    late: float | None,
    lease_first: bool,
) -> None:
    """It could not be written to either: lease and vipHost follow within the settle time of its return."""
    start = move.wire - before
    outage = Outage(start=start, end=move.wire + minutes * 60, late=late, lease_first=lease_first, stale_after=120)
    follow = replace(
        move,
        outage=outage,
        lease=None if move.lease is None else outage.end + lease_after,
        lease_through="directly",
        annotation=outage.end + annotation_after,
        local=min(max(move.local, move.wire), move.wire + SETTLE),
    )
    show_one_clean_move(follow)


@given(
    move=moves(ways=OLD_WAYS + NEW_WAYS),
    down=st.integers(-40, 40).map(lambda number: BEGIN + number / 2),
    length=st.sampled_from([0.5, 3.0, 10.0, 20.0, 60.0]),
)
@many
def test_a_clean_move_while_capture_is_down(move: Move, down: float, length: float) -> None:
    """Nothing is heard for a while before, within or after it: one move in all, no mismatch, no contest.

    Without release overlap: who hears the old holder again, long after all others went over, may think it is back.
    """
    assume(move.gap > 0)
    up = down + length
    run = Run(new_core(observer=move.observer, listening=False))
    heard_of = [
        step
        for step in move.inputs()
        if not (isinstance(step, Sighting | NeighbourSeen) and seconds(down) <= step.at < seconds(up))
    ]
    run.feed(interleave(capture(0, up=True), capture(down, up=False), capture(up, up=True), heard_of))
    run.until(move.end)
    vip = run.vip()
    assert of_name(run, "mismatch_started") == []
    assert (vip.moves, vip.contests, str(vip.state)) == (1, 0, "held")
    assert vip.holder.split(".", maxsplit=1)[0].lower() == "node-b"


@given(
    move=moves(ways=OLD_WAYS + NEW_WAYS, macs=["configured", "heard", "addresses", "nothing"]),
    count=st.integers(2, 4),
    apart=st.sampled_from([45.0, 60.0]),
)
@some
def test_clean_moves_one_after_another(move: Move, count: int, apart: float) -> None:
    """There and back again, each in the same order of sources: one move each, and nothing else."""
    lag = {name: getattr(move, name) - BEGIN for name in ("wire", "annotation", "local")}
    lease_lag = None if move.lease is None else move.lease - BEGIN
    shared, end = move.shared, BEGIN + count * apart + 60
    inputs = [replace_nodes for replace_nodes in move._nodes() if not isinstance(replace_nodes, NeighbourSeen)]
    inputs += heard(1, "A") + heard(1, "B") if move.macs == "heard" else []
    changes: list[Input] = move._service(0, "node-a") + (leases(0, "node-a") if lease_lag is not None else [])
    begun = 0.0
    for number in range(count):
        old, new = ("a", "b") if number % 2 == 0 else ("b", "a")
        start = BEGIN + number * apart
        changes += move._service(start + lag["annotation"], f"node-{new}")
        if lease_lag is not None:
            changes += leases(start + lease_lag, f"node-{new}")
        last = start + lag["wire"] - move.gap
        inputs += announce("H" if shared else old.upper(), from_=begun, until=last, every=move.period)
        begun = start + lag["wire"]
    inputs += announce("H" if shared else "AB"[count % 2], from_=begun, until=end, every=move.period)
    run = Run(new_core())
    run.feed(interleave(inputs, changes))
    run.until(end)
    vip = run.vip()
    assert of_name(run, "mismatch_started") == []
    assert (vip.moves, vip.contests, vip.mac_changes) == (count, 0, 0)
    assert vip.holder.lower().split(".", maxsplit=1)[0] == f"node-{'ab'[count % 2]}"


ORDERS = [
    (wire, lease, annotation)
    for wire in (0, 7, 15)
    for lease in (0, 7, 15)
    for annotation in (0, 7, 15)
    if 0 in (wire, lease, annotation)
]


@pytest.mark.parametrize("way", OLD_WAYS + NEW_WAYS)
@pytest.mark.parametrize("macs", ["configured", "heard", "only A", "only B", "nothing"])
def test_every_order_of_three(way: str, macs: str) -> None:
    """All orders of wire, lease and annotation at the ends and in the middle of the settle time."""
    failed = []
    for wire, lease, annotation in ORDERS:
        for gap in (2.0, -7.0):
            move = Move(
                way=way, macs=macs, gap=gap, wire=BEGIN + wire, lease=BEGIN + lease, annotation=BEGIN + annotation
            )
            try:
                show_one_clean_move(move)
            except AssertionError as error:
                failed.append((wire, lease, annotation, gap, str(error).splitlines()[0]))
    assert failed == []


# --- histograms -------------------------------------------------------------------------------------------------------


@given(move=moves())
@fixed
def test_a_clean_move_is_one_handover(move: Move) -> None:
    """Observed once, with the time from the old holder's last frame to the new one's first, at least 0."""
    run = move.play()
    handover = run.core.snapshot().handover
    assert sum(handover.counts) == 1
    if move.gap >= 0:
        assert handover.total == pytest.approx(move.gap, abs=1e-6)
        assert run.vip().last_handover == pytest.approx(seconds(move.gap), abs=1)
    else:
        # Where a second source settles the move at once, frames of the old holder come after its length is known.
        assert 0 <= handover.total <= move.period


@given(move=moves(macs=["configured", "heard", "addresses", "nothing"]))
@fixed
def test_a_clean_move_is_one_annotation_lag(move: Move) -> None:
    """Observed once, from the new holder's first frame to vipHost's change, at least 0."""
    assert move.annotation is not None
    lag = move.play().core.snapshot().annotation_lag
    assert sum(lag.counts) == 1
    assert lag.total == pytest.approx(max(0.0, move.annotation - move.wire), abs=1e-6)


@given(move=moves(ways=NEW_WAYS, macs=["addresses", "nothing"]))
@fixed
def test_a_move_under_one_mac_is_at_most_one_observation(move: Move) -> None:
    run = move.play().core.snapshot()
    assert sum(run.handover.counts) <= 1
    assert sum(run.annotation_lag.counts) <= 1
    assert run.annotation_lag.total >= 0


# --- a restart about the time of the move -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Past:
    """What a run leaves to the next: the last that it knew of node, mac and times."""

    holder: str = ""
    mac: str = ""
    since: int = 0
    heard: int = 0

    def after(self, run: Run) -> Past:
        vip = run.vip()
        if not vip.holder_mac:
            return self
        return Past(vip.counted_from or self.holder, vip.holder_mac, vip.holder_since or 0, vip.last_announcement or 0)

    def told(self, at: int) -> list[Input]:
        if not self.mac:
            return []
        return [Remembered(at, VIP, self.holder, parse_mac(self.mac), self.since, self.heard)]


def restarted(move: Move, stop: float, away: float) -> tuple[Run, Run]:
    """The program ends at one moment, and another begins later that is told what the first knew, and how all stands."""
    inputs = move.inputs()
    first, past = Run(new_core(observer=move.observer)), Past()
    for step in inputs:
        if step.at > seconds(stop):
            break
        first.feed([step])
        past = past.after(first)
    first.until(stop)
    past = past.after(first)
    begin = seconds(stop + away)
    standing: dict[type, Input] = {}
    for step in inputs:
        if step.at <= begin and not isinstance(step, Sighting | NeighbourSeen):
            standing[type(step)] = step
    second = Run(new_core(observer=move.observer, at=stop + away))
    second.feed(past.told(begin))
    order = (NodesSeen, BoundSeen, HostSeen, ServiceSeen, LeaseSeen)
    second.feed(replace(standing[kind], at=begin) for kind in order if kind in standing)
    second.feed(step for step in inputs if step.at > begin)
    second.until(move.end)
    return first, second


@given(
    move=moves(ways=OLD_WAYS + NEW_WAYS, macs=["configured"]),
    stop=st.integers(-10, 80).map(lambda number: BEGIN + number / 2),
    away=st.sampled_from([0.001, 1.0, 5.0, 15.0, 30.0]),
)
@many
def test_a_restart_about_the_time_of_a_clean_move(move: Move, stop: float, away: float) -> None:
    """Before, within or after it, for a moment or longer: one move in all, counted by one run or the other."""
    assume(move.lease_through != "empty")  # has a test of its own
    first, second = restarted(move, stop, away)
    assert first.vip().moves + second.vip().moves == 1
    for run in (first, second):
        assert of_name(run, "mismatch_started") == []
        assert run.vip().contests == 0
    assert (second.vip().holder, str(second.vip().state)) == (spell("b", move.node_names), "held")


def test_a_restart_while_the_lease_is_between_two_holders() -> None:
    """Every node announces from one mac; vipHost is ahead of the lease: whoever is shown to hold it then, one move."""
    move = Move(way="dhcp >= 0.8.2", macs="addresses", lease_through="empty", lease=BEGIN + 10, annotation=BEGIN)
    first, second = restarted(move, BEGIN + 5, 1.0)
    assert first.vip().moves + second.vip().moves == 1


# --- whatever comes ---------------------------------------------------------------------------------------------------

letters = st.sampled_from("ABHXC")
more_inputs = st.one_of(
    st.builds(lambda who, of: heard(0, who, ADDRESS[of]), letters, st.sampled_from("ABC")),
    st.builds(lambda mac, other: host(0, link("eth0", mac, SUBNET), link("vip-1", other)), letters, letters),
    st.just(host(0)),
    st.just(host_lost(0)),
    st.just(lease_gone(0)),
    st.just(wish(0)),
    st.just(wish(0, addresses=(NEW_VIP,))),
    st.builds(
        lambda devices, vip: bound(0, *devices, vip=vip),
        st.sampled_from([(), ("eth0",), ("a", "b")]),
        st.sampled_from([VIP, NEW_VIP]),
    ),
    st.builds(lambda answers, fresh: kubernetes(0, answers=answers, fresh=fresh), st.booleans(), st.booleans()),
    st.builds(
        lambda holder, expires, confirmed, transitions, acquired: leases(
            0, holder, expires=expires, confirmed=confirmed, transitions=transitions, acquired=acquired
        ),
        st.sampled_from(["", "node-a", "NODE-B.example.com", "node-c"]),
        st.sampled_from([None, 0.0, 15.0, 60.0]),
        st.booleans(),
        st.sampled_from([None, 0, 7, 3]),
        st.sampled_from([None, -100.0, 0.0]),
    ),
    st.builds(
        lambda holder, mac, since, ago: remembered(0, holder, mac, since=since - ago, heard=since),
        st.sampled_from(["", "node-a", "node-b"]),
        st.sampled_from([None, "A", "B", "H"]),
        st.sampled_from([-1000.0, -5.0, 0.0]),
        st.sampled_from([0.0, 500.0]),
    ),
    st.builds(
        lambda a, b: nodes(0, known("A", a), known("B", b)),
        st.sampled_from(["", "A", "X"]),
        st.sampled_from(["", "B", "X"]),
    ),
)
spoken = st.builds(lambda who, out: frames(who, 0, outgoing=out), st.sampled_from("AAABBHX"), st.booleans())
steps = st.sampled_from([0, 0, 0.001, 0.5, 1, 3, 3, 3, 6.999, 7, 7.001, 10.001, 15, 15.001, 61, 3600])

RELATIVE = ("expires", "acquired", "since", "heard")
"""Times in inputs beside `at`."""


def shift(step: Input, by: int) -> Input:
    """The same at another place of the time line."""
    changes = {"at": step.at + by}
    for item in fields(step):
        value = getattr(step, item.name)
        if item.name in RELATIVE and value is not None:
            changes[item.name] = value + by
    return replace(step, **changes)


def in_turn(steps: list[tuple[float, list[Input]]]) -> list[Input]:
    """Each step so long after the one before; expiries and what was remembered move along."""
    at, inputs = 0, []
    for gap, made in steps:
        at += seconds(gap)
        inputs += [shift(step, at) for step in made]
    return inputs


everything = st.lists(st.tuples(steps, st.one_of(more_inputs, spoken, more_inputs)), min_size=1, max_size=50).map(
    in_turn
)
mixed = st.tuples(everything, anything).map(lambda both: interleave(*both))
observers = st.sampled_from(["", "node-a", "node-b", "NODE-A.example.com"])


@given(inputs=everything | mixed, observer=observers, listening=st.booleans())
@many
def test_whatever_comes_no_counter_goes_down(inputs: list[Input], observer: str, listening: bool) -> None:
    """Nothing is raised, and the events agree with the counters."""
    run = Run(new_core(observer=observer, listening=listening))
    before = counters(run.vip())
    for step in inputs:
        run.feed([step])
        now = counters(run.vip())
        assert all(now[name] >= value for name, value in before.items())
        before = now
    names, vip = run.names(), run.vip()
    assert names.count("vip_moved") + names.count("contest_ended") >= vip.moves
    assert names.count("vip_moved") <= vip.moves
    assert names.count("contest_started") == vip.contests
    assert names.count("claim_withdrawn") == vip.withdrawn_claims
    assert names.count("mac_changed") == vip.mac_changes
    assert names.count("vip_seen") <= 1
    assert names.count("mismatch_started") - names.count("mismatch_ended") == len(vip.mismatches)
    assert [event.at for event in run.events] == sorted(event.at for event in run.events)


@given(
    inputs=everything | mixed,
    observer=observers,
    ticks=st.lists(st.integers(0, 600_000).map(lambda number: number * 1_000_000), max_size=60),
    end=st.sampled_from([0.0, 7.0, 20.0, 1000.0]),
)
@many
def test_whatever_comes_ticks_do_not_matter(inputs: list[Input], observer: str, ticks: list[int], end: float) -> None:
    """Snapshot and events are the same with few ticks and with many."""
    until = max(step.at for step in inputs) + seconds(end)
    steady = range(0, until, max(seconds(1), until // 500))
    make = partial(new_core, observer=observer)
    without = outcome(make(), inputs, (), until)
    assert outcome(make(), inputs, ticks, until) == without
    assert outcome(make(), inputs, steady, until) == without


@given(inputs=everything, observer=observers, by=st.sampled_from([1, seconds(12345.678), seconds(1.7e9)]))
@some
def test_whatever_comes_only_differences_of_time_matter(inputs: list[Input], observer: str, by: int) -> None:
    runs = []
    for offset in (0, by):
        run = Run(new_core(observer=observer, at=offset / 1e9))
        run.feed(shift(step, offset) for step in inputs)
        runs.append(run)
    here, there = runs
    assert counters(here.vip()) == counters(there.vip())
    assert [(event.name, event.at + by) for event in here.events] == [(event.name, event.at) for event in there.events]


@given(inputs=everything, observer=observers)
@some
def test_one_who_only_watches_the_wire_sees_no_more_moves_than_macs_change(inputs: list[Input], observer: str) -> None:
    """Without lease, annotation and memory, moves come from frames alone: no more than the announcing mac changed."""
    wire = [step for step in inputs if type(step).__name__ in ("Sighting", "NeighbourSeen", "NodesSeen", "HostSeen")]
    run = Run(new_core(observer=""))
    run.feed(wire)
    run.until(1e6)
    macs = [step.mac for step in wire if type(step).__name__ == "Sighting"]
    assert run.vip().moves <= sum(one != other for one, other in pairwise(macs))


@given(other=everything, observer=observers)
@some
def test_vips_do_not_disturb_each_other(other: list[Input], observer: str) -> None:
    """What is said of another VIP only changes nothing of this one."""
    third: IPAddress = VIP + 77
    about_third = [
        replace(step, vip=third)
        for step in other
        if type(step).__name__ in ("Sighting", "LeaseSeen", "LeaseGone", "BoundSeen", "Remembered")
    ]
    inputs = interleave(
        nodes(0, known("A", "A"), known("B", "B")),
        service(0, "node-a"),
        in_order([(0, announce("A", until=0))]),
        announce("A", from_=3, until=60),
        announce("B", from_=62, until=120),
        service(63, "node-b"),
    )
    until = max([seconds(200), *(step.at for step in about_third)])
    alone, _ = outcome(new_core(watch=(VIP,), observer=observer), inputs, (), until)
    both, _ = outcome(new_core(watch=(VIP, third), observer=observer), interleave(about_third, inputs), (), until)
    assert [vip for vip in both.vips if vip.address == VIP] == list(alone.vips)
