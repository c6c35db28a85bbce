"""Walks through the story on a stage, telling it, and judges at each step whether the exporter says what it must."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from exporter.lab.network import NODES, mac_of
from exporter.lab.story import STORY, Observed, Row, Stage, Step
from exporter.lab.terminal import Style, Terminal
from exporter.vip.model import EventName, State

_STATES = {
    EventName.VIP_SEEN: State.HELD,
    EventName.VIP_MOVED: State.HELD,
    EventName.VIP_RETURNED: State.HELD,
    EventName.CONTEST_STARTED: State.CONTESTED,
    EventName.CONTEST_ENDED: State.HELD,
    EventName.VIP_SILENT: State.SILENT,
}
"""The state that each event leads to."""
_ALARMING = (State.CONTESTED, State.SILENT)
_MAC_NAMES = {mac_of(node).hex(":"): node for node in NODES}


@dataclass(slots=True, kw_only=True)
class Walk:
    """One telling of the story.

    Args:
        stage: where it is played.
        terminal: where it is told.
        period: seconds between two announcements.
    """

    stage: Stage
    terminal: Terminal
    period: float
    failures: list[str] = field(default_factory=list)
    """What was not as expected."""
    _states: list[tuple[float, str]] = field(default_factory=list)
    _sent: int = 0

    def run(self) -> bool:
        """Play every step; the result says whether all was as expected."""
        self.terminal.heading()
        for number, step in enumerate(STORY, 1):
            self._play(number, step)
        self._summarize()
        return not self.failures

    def tell(self, row: Row) -> None:
        """Show one of the exporter's events."""
        at = self.stage.seconds_of(row)
        state = _STATES.get(row["event"])
        if state is not None:
            self._states.append((at, state.value))
        self.terminal.said(at, describe(row), Style.YELLOW if state in _ALARMING else Style.PLAIN)

    def _play(self, number: int, step: Step) -> None:
        self.terminal.step(number, step.title, step.lesson)
        for act in step.acts:
            self.stage.wait(act.after * self.period)
            self.terminal.wire(self.stage.now, str(act))
            self.stage.perform(act)
        observed, events = self.stage.observe(step.expected, within=step.lasts(self.period), tell=self.tell)
        problems = step.expected.differences(observed, events)
        self.terminal.outcome(self.stage.now, self._frames(), str(observed), problems)
        self.failures += [f"{step.title}: {problem}" for problem in problems]

    def _frames(self) -> str:
        """How many frames passed since the last time it was asked."""
        before, self._sent = self._sent, sum(len(times) for times in self.stage.sent.values())
        frames = self._sent - before
        return "no frame" if frames == 0 else "1 frame" if frames == 1 else f"{frames:,} frames"

    def _summarize(self) -> None:
        self.terminal.line()
        lanes = {node: _stretches(times, self.period) for node, times in self.stage.sent.items()}
        self.terminal.chart(lanes, self._states, self.stage.now)
        self.terminal.line()
        for failure in self.failures:
            self.terminal.line(f"✗ {failure}", Style.RED)
        if not self.failures:
            self.terminal.line(f"✓ At all {len(STORY)} steps the exporter said what it should.", Style.GREEN)


def describe(row: Row) -> str:
    """An event in a line. A MAC of the lab is named: the audience need not know them by heart."""
    name = row["event"]
    match name:
        case EventName.VIP_MOVED:
            return f"{name}  {row['from']} → {row['to']}, {row['handover_seconds']:.1f} s without a frame"
        case EventName.CONTEST_STARTED:
            return f"{name}  {_who(row, 'from')} against {_who(row, 'to')}"
        case EventName.CONTEST_ENDED:
            return f"{name}  {_who(row, 'to')} is left"
        case EventName.VIP_RETURNED:
            return f"{name}  {_who(row)}, {row['silence_seconds']:.1f} s after its last frame"
        case EventName.VIP_SEEN | EventName.VIP_SILENT:
            return f"{name}  {_who(row)}"
    known = ("time", "vip", "event", "since")
    return f"{name}  " + " ".join(f"{key}={value}" for key, value in row.items() if key not in known)


def _who(row: Row, key: str = "") -> str:
    mac = row[f"{key}_mac" if key else "mac"]
    return f"{mac} ({_MAC_NAMES[mac]})" if mac in _MAC_NAMES else str(mac)


def _stretches(times: Sequence[float], period: float) -> Iterable[tuple[float, float]]:
    """Frames that follow each other in time, as stretches from the first to one period after the last."""
    start = stop = None
    for at in times:
        if start is not None and stop is not None and at > stop + period / 2:
            yield start, stop
            start = None
        start, stop = at if start is None else start, at + period
    if start is not None and stop is not None:
        yield start, stop
