"""Periodic jobs run whatever they do, and whatever the wall clock does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace

import pytest
from apscheduler.schedulers import base

from exporter import scheduler as module
from exporter.scheduler import Scheduler
from exporter.vip.model import SECOND
from tests.e2e.running import until

OFTEN = SECOND // 20


@pytest.fixture
def scheduler() -> Iterator[Scheduler]:
    made = Scheduler()
    yield made
    made.stop()


class WallClock:
    """One that can be set, for APScheduler and for ours; the machine's own goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.set_by = 0.0
        clock = self

        class Faked(datetime):
            @classmethod
            def now(cls, tz=None):
                return datetime.fromtimestamp(time.time() + clock.set_by, tz)

        monkeypatch.setattr(base, "datetime", Faked)
        faked = SimpleNamespace(
            time=lambda: time.time() + self.set_by, monotonic=time.monotonic, monotonic_ns=time.monotonic_ns
        )
        monkeypatch.setattr(module, "time", faked)


@pytest.mark.parametrize("hours", [-1, 1])
def test_jobs_go_on_when_the_wall_clock_is_set(scheduler: Scheduler, hours: int, monkeypatch) -> None:
    """Back, or forward: without a reconciliation the exporter counts as stuck, and its supervisor kills it."""
    clock = WallClock(monkeypatch)
    runs: list[float] = []
    scheduler.every(OFTEN, lambda: runs.append(time.monotonic()), name="job")
    scheduler.start()
    until(lambda: len(runs) >= 3)
    clock.set_by = hours * 3600
    before = len(runs)
    until(lambda: len(runs) >= before + 10)


def test_a_job_that_fails_runs_again(scheduler: Scheduler) -> None:
    outcomes: list[bool] = []

    def fail() -> None:
        raise ValueError("broken")

    scheduler.every(OFTEN, fail, name="job", done=lambda succeeded, _: outcomes.append(succeeded))
    scheduler.start()
    until(lambda: len(outcomes) >= 3)
    assert not any(outcomes)
