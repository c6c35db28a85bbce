"""Periodic jobs run whatever they do, and whatever the wall clock does."""

from __future__ import annotations

import threading
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
from tests.faults.dying import end_thread

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


def test_a_clock_that_began_in_1970_may_be_set_right(scheduler: Scheduler, monkeypatch) -> None:
    """Half a century of runs was missed. They are made up for by one, and not counted through one by one."""
    clock = WallClock(monkeypatch)
    clock.set_by = -time.time()
    runs: list[float] = []
    scheduler.every(OFTEN, lambda: runs.append(time.monotonic()), name="job")
    scheduler.start()
    until(lambda: len(runs) >= 3)
    before = len(runs)
    clock.set_by = 0.0
    until(lambda: len(runs) >= before + 10, 30)


def test_a_job_that_ends_its_thread_runs_again(scheduler: Scheduler) -> None:
    runs: list[int] = []

    def die() -> None:
        runs.append(1)
        raise SystemExit

    scheduler.every(OFTEN, die, name="job")
    scheduler.start()
    until(lambda: len(runs) >= 3)


def test_a_job_that_hangs_runs_once_and_holds_up_no_other(scheduler: Scheduler) -> None:
    held = threading.Event()
    begun: list[int] = []
    runs: list[int] = []
    scheduler.every(OFTEN, lambda: (begun.append(1), held.wait()), name="hangs")
    scheduler.every(OFTEN, lambda: runs.append(1), name="runs")
    scheduler.start()
    until(lambda: len(runs) >= 10)
    held.set()
    assert begun == [1]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ended_shows(scheduler: Scheduler) -> None:
    assert not scheduler.alive
    scheduler.every(OFTEN, lambda: None, name="job")
    scheduler.start()
    assert scheduler.alive
    assert end_thread(scheduler._scheduler._thread)
    assert not scheduler.alive


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_without_its_look_at_the_clock_it_is_not_whole(scheduler: Scheduler) -> None:
    scheduler.start()
    assert end_thread(scheduler._clock)
    assert not scheduler.alive
