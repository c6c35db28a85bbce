"""Walks through the story on a stage, telling it, and judges at each step whether the exporter says what it must."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from exporter.lab.network import NODES, mac_of
from exporter.lab.story import STORY, Row, Stage, Step
from exporter.lab.terminal import Style, Terminal
from exporter.vip.model import EventName, State

LEAST_HEARD = 0.99
"""Of the announcements sent: a machine too busy to keep up with the flood may lose a few."""

_LEADS_TO = {
    EventName.VIP_SEEN: State.HELD,
    EventName.VIP_MOVED: State.HELD,
    EventName.VIP_RETURNED: State.HELD,
    EventName.CONTEST_STARTED: State.CONTESTED,
    EventName.CONTEST_ENDED: State.HELD,
    EventName.VIP_SILENT: State.SILENT,
}
_STYLES = {State.HELD: Style.GREEN, State.CONTESTED: Style.YELLOW, State.SILENT: Style.RED}
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
    _states: list[tuple[float, State]] = field(default_factory=list)
    _sent: int = 0
    _heard: int = 0

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
        state = _LEADS_TO.get(row["event"])
        if state is not None:
            self._states.append((at, state))
        self.terminal.said(at, describe(row), Style.YELLOW if state not in (None, State.HELD) else Style.PLAIN)

    def _play(self, number: int, step: Step) -> None:
        self.terminal.step(number, step.title, step.lesson)
        for act in step.acts:
            self.stage.wait(act.after * self.period)
            self.terminal.wire(self.stage.now, str(act))
            self.stage.perform(act)
        observed, events = self.stage.observe(step.expected, within=step.lasts(self.period), tell=self.tell)
        problems = step.expected.differences(observed, events)
        sent, self._sent = self._sent, sum(map(len, self.stage.sent.values()))
        heard, self._heard = self._heard, observed.heard
        passed = f"{self._sent - sent:,} announcements"
        self.terminal.outcome(self.stage.now, passed, f"{self._heard - heard:,} heard", str(observed), problems)
        self.failures += [f"{step.title}: {problem}" for problem in problems]

    def _summarize(self) -> None:
        end = self.stage.now
        lanes = {name: (Style.CYAN, _stretches(times, self.period)) for name, times in self.stage.sent.items()}
        begun = [*self._states, (end, State.UNKNOWN)]
        for state, style in _STYLES.items():
            stretches = [(at, until) for (at, told), (until, _) in pairwise(begun) if told is state]
            lanes[state.value] = (style, stretches)
        self.terminal.line()
        self.terminal.line("Who announced, and the states that the exporter told", Style.BOLD)
        self.terminal.chart(lanes, end)
        self.terminal.line()
        if self._heard < self._sent * LEAST_HEARD:
            self.failures.append(f"The exporter heard {self._heard:,} of {self._sent:,} announcements.")
        for failure in self.failures:
            self.terminal.verdict(failure, good=False)
        if not self.failures:
            text = (
                f"At all {len(STORY)} steps the exporter said what it should; it heard {self._heard:,} announcements."
            )
            self.terminal.verdict(text, good=True)


def describe(row: Row) -> str:
    """An event in a line. The MACs of the lab's nodes are shown by name: nobody should need to know them by heart."""
    name = row["event"]
    match name:
        case EventName.VIP_MOVED:
            return f"{name}  {row['from']} → {row['to']} after {row['handover_seconds']:.1f} s"
        case EventName.CONTEST_STARTED:
            return f"{name}  {_who(row['from_mac'])} against {_who(row['to_mac'])}"
        case EventName.CONTEST_ENDED:
            return f"{name}  {_who(row['to_mac'])} is left"
        case EventName.VIP_RETURNED:
            return f"{name}  {_who(row['mac'])} after {row['silence_seconds']:.1f} s"
        case EventName.VIP_SEEN | EventName.VIP_SILENT:
            return f"{name}  {_who(row['mac'])}"
    known = ("time", "vip", "event", "since")
    return f"{name}  " + " ".join(f"{key}={value}" for key, value in row.items() if key not in known)


def _who(mac: str) -> str:
    return _MAC_NAMES.get(mac, mac)


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
