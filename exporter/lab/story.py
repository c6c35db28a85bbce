"""The demo's story: what happens to the VIP, step by step, and what the exporter must say of it.

Told once, for the live lab and for the generated capture alike. How long a step lasts follows from the rules by
which the exporter decides.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address
from typing import Any, Protocol

from exporter.lab.network import mac_of
from exporter.vip.model import EventName, State

VIP = IPv4Address("192.0.2.100")
SPOOFER = "spoofer"
"""Who floods; it shares the last node's interface."""
MOST_SERIES = 51
"""For one VIP, beside the list of its claimants, which has an end of its own."""

Row = Mapping[str, Any]
"""An event, as the exporter's log, API and replay show it."""


def grace(period: float) -> float:
    """Seconds that two may announce at once in a move, and after which a claimant that fell silent has lapsed."""
    return max(2 * period, 7.0)


def silence(period: float) -> float:
    """Seconds after which a holder that nobody follows is silent."""
    return max(3 * period, 10.0)


class Verb(StrEnum):
    """What a node does, as the audience is told."""

    TAKE_OVER = "takes over, annotates"
    RELEASE = "lets go, no goodbye"
    SPLIT_BRAIN = "announces too"
    FALL_SILENT = "falls silent"
    ANNOUNCE = "announces again"
    FLOOD = "sends, a new MAC each"
    CALM = "stops"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    node: str
    verb: Verb
    after: float = 0.0
    """Periods since the act before."""

    def __str__(self) -> str:
        return f"{self.node} {self.verb}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the exporter says of the VIP at one moment."""

    state: str
    holder: str
    mac: str
    """The wire's holder; empty while it names none."""
    moves: int
    contests: int
    claimants: int
    overflow: int
    mismatches: int
    heard: int
    """Announcements since the start."""
    series: int = 0
    """Of this VIP on /metrics, the list of its claimants apart; 0 where nothing is served."""

    def __str__(self) -> str:
        holder = f"{self.state} · holder {self.holder or 'unknown'}"
        return f"{holder} · moves {self.moves} · contests {self.contests} · claimants {self.claimants}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the exporter must say at the end of a step."""

    state: State
    holder: str
    moves: int
    contests: int
    claimants: range
    events: tuple[EventName, ...]
    """All that it tells in the step, in this order."""
    moved: tuple[str, str] | None = None
    """The nodes that the move was from and to, where there was one."""
    overflow: bool = False
    """It has turned MACs away."""

    def differences(self, observed: Observed, events: Sequence[Row]) -> list[str]:
        """What is not as expected, a phrase each; none: all is."""
        pairs: list[tuple[str, object, object]] = [
            ("state", observed.state, self.state.value),
            ("holder", observed.holder, self.holder),
            ("MAC", observed.mac, mac_of(self.holder).hex(":") if self.state is State.HELD else ""),
            ("moves", observed.moves, self.moves),
            ("contests", observed.contests, self.contests),
            ("mismatches", observed.mismatches, 0),
            ("events", " ".join(str(row["event"]) for row in events), " ".join(self.events)),
            ("overflow", observed.overflow > 0, self.overflow),
        ]
        moves = [(row["from"], row["to"]) for row in events if row["event"] == EventName.VIP_MOVED]
        pairs += [("move", move, self.moved) for move in moves]
        found = [
            f"{name} is {said or 'none'}, not {wanted or 'none'}" for name, said, wanted in pairs if said != wanted
        ]
        if observed.claimants not in self.claimants:
            found.append(f"claimants is {observed.claimants}, not {self.claimants[0]} to {self.claimants[-1]}")
        if observed.series > MOST_SERIES:
            found.append(f"{observed.series} series, more than {MOST_SERIES}")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    title: str
    lesson: str
    """How the exporter tells it from what looks alike."""
    acts: tuple[Act, ...]
    lasts: Callable[[float], float]
    """Given the period: seconds after the last act within which the exporter must say what is expected."""
    expected: Expected


def lasts(period: float) -> float:
    """Seconds that the whole story takes at most."""
    return sum(step.lasts(period) + period * (1 + sum(act.after for act in step.acts)) for step in STORY)


class Stage(Protocol):
    """Where the story is played. Times are seconds since it began."""

    @property
    def now(self) -> float: ...

    @property
    def sent(self) -> Mapping[str, Sequence[float]]:
        """When each node sent its frames."""

    def perform(self, act: Act) -> None: ...

    def wait(self, duration: float) -> None: ...

    def observe(
        self, expected: Expected, *, within: float, tell: Callable[[Row], None]
    ) -> tuple[Observed, Sequence[Row]]:
        """Let at most so many seconds pass, until the exporter says what is expected; tell its events as they come.

        Returns what it says in the end, and all events since the last time.
        """

    def seconds_of(self, row: Row) -> float:
        """When an event happened."""


_ONE = range(1, 2)

STORY: tuple[Step, ...] = (
    Step(
        title="The first holder",
        lesson="The first sighting is no move.",
        acts=(Act(node="node-1", verb=Verb.TAKE_OVER),),
        lasts=lambda period: 3 * period,
        expected=Expected(
            state=State.HELD, holder="node-1", moves=0, contests=0, claimants=_ONE, events=(EventName.VIP_SEEN,)
        ),
    ),
    Step(
        title="A clean move",
        lesson="A new MAC, the old one quiet, and Kubernetes agrees.",
        acts=(Act(node="node-1", verb=Verb.RELEASE), Act(node="node-2", verb=Verb.TAKE_OVER, after=1)),
        lasts=grace,
        expected=Expected(
            state=State.HELD,
            holder="node-2",
            moves=1,
            contests=0,
            claimants=_ONE,
            events=(EventName.VIP_MOVED,),
            moved=("node-1", "node-2"),
        ),
    ),
    Step(
        title="A split brain",
        lesson="Two go on beyond the grace time: one contest, not a move per frame.",
        acts=(Act(node="node-3", verb=Verb.SPLIT_BRAIN),),
        lasts=lambda period: grace(period) + 2 * period,
        expected=Expected(
            state=State.CONTESTED,
            holder="node-2",
            moves=1,
            contests=1,
            claimants=range(2, 3),
            events=(EventName.CONTEST_STARTED,),
        ),
    ),
    Step(
        title="The split brain healed",
        lesson="The holder from before is left: nothing has moved.",
        acts=(Act(node="node-3", verb=Verb.RELEASE),),
        lasts=lambda period: grace(period) + period,
        expected=Expected(
            state=State.HELD, holder="node-2", moves=1, contests=1, claimants=_ONE, events=(EventName.CONTEST_ENDED,)
        ),
    ),
    Step(
        title="A silent holder",
        lesson="There is no goodbye frame; silence has to be noticed.",
        acts=(Act(node="node-2", verb=Verb.FALL_SILENT),),
        lasts=lambda period: silence(period) + period,
        expected=Expected(
            state=State.SILENT,
            holder="node-2",
            moves=1,
            contests=1,
            claimants=range(1),
            events=(EventName.VIP_SILENT,),
        ),
    ),
    Step(
        title="Its return",
        lesson="The same MAC as before: no move.",
        acts=(Act(node="node-2", verb=Verb.ANNOUNCE),),
        lasts=lambda period: period,
        expected=Expected(
            state=State.HELD, holder="node-2", moves=1, contests=1, claimants=_ONE, events=(EventName.VIP_RETURNED,)
        ),
    ),
    Step(
        title="A spoof flood",
        lesson="Whatever is announced, memory, series and log stay bounded.",
        acts=(Act(node=SPOOFER, verb=Verb.FLOOD),),
        lasts=lambda period: grace(period) + 2 * period,
        expected=Expected(
            state=State.CONTESTED,
            holder="node-2",
            moves=1,
            contests=2,
            claimants=range(2, 17),
            events=(EventName.CONTEST_STARTED,),
            overflow=True,
        ),
    ),
    Step(
        title="After the flood",
        lesson="The holder was never pushed out.",
        acts=(Act(node=SPOOFER, verb=Verb.CALM),),
        lasts=lambda period: grace(period) + period,
        expected=Expected(
            state=State.HELD,
            holder="node-2",
            moves=1,
            contests=2,
            claimants=_ONE,
            events=(EventName.CONTEST_ENDED,),
            overflow=True,
        ),
    ),
)
