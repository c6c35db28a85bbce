"""Fresh and current as a table: what was heard when, and what is said of it at second 100."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from exporter.cluster.freshness import Freshness
from exporter.cluster.loop import Timing
from exporter.vip.model import IntentFreshness, seconds

TIMING = Timing(stale_after=60.0, current_for=15.0, pulse=10.0)
NOW = seconds(100)


@dataclass
class Heard:
    ago: float | None
    up: bool = True

    @property
    def last_heard(self) -> int | None:
        return None if self.ago is None else NOW - seconds(self.ago)


@pytest.mark.parametrize(
    ("services", "others", "verdict"),
    [
        ([Heard(1)], [], (True, True)),
        ([Heard(1), Heard(2)], [Heard(3)], (True, True)),
        ([Heard(15)], [], (True, True)),
        ([Heard(16)], [], (True, False)),
        ([Heard(60)], [], (True, False)),
        ([Heard(61)], [], (False, False)),
        ([Heard(59), Heard(50)], [Heard(1)], (True, True)),
        ([Heard(61), Heard(1)], [Heard(1)], (False, True)),
        ([Heard(1, up=False)], [Heard(1)], (True, False)),
        ([Heard(1), Heard(30, up=False)], [Heard(1)], (True, False)),
        ([Heard(1)], [Heard(None, up=False)], (True, True)),
        ([Heard(1)], [Heard(90, up=False)], (True, True)),
        ([Heard(None)], [Heard(1)], (False, True)),
        ([Heard(None, up=False)], [Heard(None)], (False, False)),
    ],
)
def test_verdict(services: list[Heard], others: list[Heard], verdict: tuple[bool, bool]) -> None:
    freshness = Freshness(TIMING, started=seconds(0))
    told = freshness.judge(NOW, decisive=services, every=[*services, *others])
    assert told == IntentFreshness(NOW, *verdict)
    assert freshness.judge(NOW, decisive=services, every=[*services, *others]) is None


def test_first_verdict_waits_for_all_services_or_for_the_time_to_run_out() -> None:
    freshness = Freshness(TIMING, started=seconds(50))
    half = [Heard(1), Heard(None, up=False)]
    assert freshness.judge(NOW, decisive=half, every=half) is None
    assert freshness.judge(seconds(111), decisive=half, every=half) == IntentFreshness(seconds(111), False, False)


def test_pulse_comes_once_for_each_silence() -> None:
    freshness = Freshness(TIMING, started=seconds(0))
    assert not freshness.needs_pulse(NOW, [Heard(9), Heard(50)])
    assert freshness.needs_pulse(NOW, [Heard(10), Heard(50)])
    assert not freshness.needs_pulse(NOW + seconds(9), [Heard(10), Heard(50)])
    assert freshness.needs_pulse(NOW + seconds(10), [Heard(10), Heard(50)])
