"""The language of the alert tests: what observers tell from which second on, and which alerts follow, and no others.

A `Story` says it independently of how often Prometheus looks; `played` is what promtool finds wrong with that.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path

from exporter.publish.catalogue import CATALOGUE, VIP_METRICS, Type
from tests.alerts.expected import Choice, Expectation, entries, expectation
from tests.alerts.promtool import play_rules
from tests.alerts.timeline import Life, Line, Pace, Value, minutes, samples

METRICS = {metric.name: metric for metric in CATALOGUE}
JOB = "vip-exporter"
PHASES = (Fraction(1, 4), Fraction(2, 4), Fraction(3, 4))
AFTERMATH = minutes(3)
"""The last step and the last alert are watched for so long, for whatever may come of them."""


@dataclass(slots=True)
class Observer:
    """A target of Prometheus: an exporter on the node of that name.

    Attributes:
        phase: when in each interval it is scraped, as a share of it.
    """

    name: str
    target: Mapping[str, str]
    phase: Fraction
    pods: bool = False
    lives: list[Life] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def begin(self, second: int) -> None:
        """An exporter starts: a new pod where there are pods."""
        pod = {"pod": f"vip-exporter-{self.name}-{len(self.lives)}"} if self.pods else {}
        self.lives.append(Life(second, None, {**self.target, **pod}))

    def end(self, second: int) -> None:
        self.lives[-1] = replace(self.lives[-1], end=second)

    def line(self, name: str, labels: Mapping[str, str]) -> Line:
        for line in self.lines:
            if line.name == name and line.labels == labels:
                return line
        self.lines.append(Line(name, labels))
        return self.lines[-1]


@dataclass(slots=True)
class Story:
    """Series of several observers, and what is to come of them.

    Attributes:
        pods: whether the targets have the labels of pods, and new ones at each start.
        extra: further labels of all targets, such as a cluster's.
        summary: whether the exporters run with --metrics.detail=summary.
        away: spans of seconds without a scrape.
    """

    pods: bool = False
    job: str = JOB
    extra: Mapping[str, str] = field(default_factory=dict)
    summary: bool = False
    observers: list[Observer] = field(default_factory=list)
    expectations: list[Expectation] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    others: list[Story] = field(default_factory=list)
    away: list[range] = field(default_factory=list)
    end: int = 0

    # --- what is told ------------------------------------------------------------------------------------------------

    def observer(self, name: str, *, start: int = 0, phase: Fraction | None = None) -> Observer:
        """A new one. They are scraped one after another, as real ones are."""
        target = {"job": self.job, "instance": f"{name}:10150", **self.extra}
        if self.pods:
            target |= {"node": name, "container": "vip-exporter", "endpoint": "http"} | self._pod_labels()
        phase = PHASES[len(self.observers) % len(PHASES)] if phase is None else phase
        observer = Observer(name, target, phase, self.pods)
        observer.begin(start)
        self.observers.append(observer)
        return observer

    def at(self, second: int, name: str, value: Value, *, on: Sequence[str] = (), **labels: str) -> Story:
        """From that second on these observers, or all, tell this value. None: nothing."""
        found = _labels(labels)
        assert set(found) == set(METRICS[name].labels), f"{name} has the labels {METRICS[name].labels}"
        for observer in self.those(on):
            observer.line(name, found).at(second, value)
        return self.watched(second)

    def instead(
        self, second: int, name: str, value: Value = 1, *, on: Sequence[str] = (), like: str, **labels: str
    ) -> Story:
        """The same, and the metric's other series that are alike in these labels (with spaces between them) end."""
        found = _labels(labels)
        self.without(second, name, on=on, **{label: found[label] for label in like.split()})
        return self.at(second, name, value, on=on, **found)

    def without(self, second: int, name: str, *, on: Sequence[str] = (), **labels: str) -> Story:
        """From that second on these observers have no such series."""
        for observer in self.those(on):
            for line in observer.lines:
                if line.name == name and _labels(labels).items() <= line.labels.items():
                    line.at(second, None)
        return self

    def gone(self, second: int, *, on: Sequence[str], until: int | None = None) -> Story:
        """These exporters are stopped; `until` then new ones are in their place, with counters at 0."""
        for observer in self.those(on):
            observer.end(second)
            if until is not None:
                observer.begin(until)
        return self.watched(until or second)

    def unwatched(self, begin: int, end: int) -> Story:
        """Prometheus is away, up to but not at the end. Unlike a real one promtool goes on evaluating what it has."""
        self.away.append(range(begin, end))
        return self.watched(end)

    def watched(self, until: int) -> Story:
        """What happens is looked at to that second, and a while longer."""
        self.end = max(self.end, until + AFTERMATH)
        return self

    def beside(self, other: Story) -> Story:
        """Both happen in one Prometheus."""
        self.others.append(other)
        return self

    # --- what follows ------------------------------------------------------------------------------------------------

    def fires(
        self,
        name: str,
        *,
        since: int,
        until: int | None,
        description: str,
        severity: str | None = None,
        **labels: str,
    ) -> Story:
        """The alert's condition holds from `since` to `until`: with its delay it fires then, and at no other time."""
        identity = {"job": self.job, **self.extra} | (self._pod_labels() if self.pods else {})
        identity.pop("namespace", None)
        self.watched(until or since)
        self.expectations.append(
            expectation(
                name,
                since=since,
                until=until,
                description=description,
                severity=severity,
                labels={**identity, **_labels(labels)},
            )
        )
        return self

    def ragged(self, name: str, *, since: int, until: int | None, **labels: str) -> Story:
        """Between these seconds the alert may fire or not, whatever it says; no other of its name may."""
        self.fires(name, since=since, until=until, description="", **labels)
        self.expectations[-1] = replace(self.expectations[-1], sure=False, delay=0)
        return self

    def always(self, names: str, *, since: int, delay: int, until: int) -> Story:
        """From `since` one of these may fire, and `delay` seconds later one does all the time, whatever it says.

        Args:
            names: of alerts, with | between them.
            since: when their conditions begin.
            delay: the longest that none of them fires.
            until: when their conditions end.
        """
        self.watched(until)
        self.choices.append(Choice(frozenset(names.split("|")), since, delay, until))
        return self

    def played(self, interval: int, directory: Path, *, evaluation: int | None = None) -> str:
        """What promtool finds wrong when all alerts of the file are looked at in each evaluation; empty if nothing.

        These are as far apart as the scrapes, unless something else is said.
        """
        stories = [self, *self.others]
        pace = Pace(interval, evaluation or interval)
        end = max(story.end for story in stories)
        spacing = pace.spacing([pace.phase(observer.phase) for story in stories for observer in story.observers])
        series: dict[str, list[str]] = {}
        for story in stories:
            for name, values in story._samples(pace, spacing, end):
                assert name not in series, f"{name}: told twice"
                series[name] = values
        alerts, queries = entries(
            [one for story in stories for one in story.expectations],
            [one for story in stories for one in story.choices],
            moments=pace.evaluations(end),
            interval=max(interval, pace.evaluation),
        )
        return play_rules(
            directory,
            evaluation_seconds=pace.evaluation,
            spacing_seconds=spacing,
            series=series,
            alerts=alerts,
            queries=queries,
        )

    def _samples(self, pace: Pace, spacing: int, end: int) -> Iterator[tuple[str, list[str]]]:
        for observer in self.observers:
            for line in observer.lines:
                metric = METRICS[line.name]
                if self.summary and metric in VIP_METRICS:
                    if not metric.summary:
                        continue
                    line = _present(line) if line.name in {"vip_state", "vip_mismatch"} else line
                yield from samples(
                    line,
                    observer.lives,
                    pace=pace,
                    phase=pace.phase(observer.phase),
                    spacing=spacing,
                    end=end,
                    counter=metric.type is Type.COUNTER,
                    away=self.away,
                ).items()

    def _pod_labels(self) -> dict[str, str]:
        return {"namespace": "vip-exporter", "service": "vip-exporter"}

    def those(self, names: Sequence[str]) -> list[Observer]:
        found = [observer for observer in self.observers if not names or observer.name in names]
        assert not names or {observer.name for observer in found} == set(names), f"no such observers: {names}"
        return found


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    """`from_` and `class_` stand for what Python does not let be said."""
    return {name.rstrip("_"): value for name, value in labels.items()}


def _present(line: Line) -> Line:
    """As the summary has it: no zeros."""
    return Line(line.name, line.labels, {second: value or None for second, value in line.steps.items()})
