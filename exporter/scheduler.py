"""Runs what is periodic; the only module that imports APScheduler. A failing job is logged, never fatal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from apscheduler.executors.base import BaseExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from exporter import log
from exporter.vip.model import SECOND, Nanoseconds

LOOK_AT_CLOCK = 1.0
"""Seconds between looks at whether the wall clock was set back."""
SET_BACK = 0.5
"""Seconds; a smaller step only makes jobs late by that much."""


class Scheduler:
    """A thin face on APScheduler: jobs by name and interval, late ones run once, none runs beside itself."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._scheduler = _Background(
            timezone="UTC",
            daemon=True,
            executors={"default": _ThreadEach()},
            # The default drops a job that is a second late, which is when it is needed most.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._clock = threading.Thread(target=self._mind_the_clock, name="scheduler-clock", daemon=True)

    @property
    def alive(self) -> bool:
        """Whether its threads run: the one that starts jobs, and the one that minds the clock."""
        return self._scheduler.alive and self._clock.is_alive()

    def every(
        self,
        interval: Nanoseconds,
        job: Callable[[], None],
        *,
        name: str,
        done: Callable[[bool, Nanoseconds], None] = lambda _succeeded, _duration: None,
    ) -> None:
        """Run `job` each `interval`; `done` hears whether it succeeded and how long it took."""

        def run() -> None:
            begun = time.monotonic_ns()
            try:
                job()
            except Exception as error:  # noqa: BLE001 - the next run may succeed, and others must go on
                log.error("job failed", job=name, error=error)
                done(False, time.monotonic_ns() - begun)
            else:
                done(True, time.monotonic_ns() - begun)

        self._scheduler.add_job(run, _Every(timedelta(seconds=interval / SECOND)), id=name)

    def start(self) -> None:
        self._scheduler.start()
        self._clock.start()

    def stop(self) -> None:
        """Start no job any more; one under way is not waited for."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _mind_the_clock(self) -> None:
        """APScheduler plans by the wall clock. Where that is set back, no job would run until it is where it was."""
        ahead = time.time() - time.monotonic()
        while not self._stopping.wait(LOOK_AT_CLOCK):
            before, ahead = ahead, time.time() - time.monotonic()
            if ahead < before - SET_BACK:
                log.warning("the wall clock was set back", seconds=round(before - ahead, 3))
                for job in self._scheduler.get_jobs():
                    job.modify(next_run_time=datetime.fromtimestamp(time.time(), UTC))


class _Background(BackgroundScheduler):  # type: ignore[misc] # APScheduler has no type information
    @property
    def alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()


class _Every(BaseTrigger):  # type: ignore[misc] # APScheduler has no type information
    """Each so often, and once for all that was missed.

    APScheduler's own counts through every missed run: where a clock that began in 1970 is set right, for minutes, with
    all of the memory.
    """

    def __init__(self, interval: timedelta) -> None:
        self._interval = interval

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime:
        planned = now if previous_fire_time is None else previous_fire_time
        planned += self._interval
        return planned if now < planned else now + self._interval


class _ThreadEach(BaseExecutor):  # type: ignore[misc] # APScheduler has no type information
    """Runs each job in a thread of its own.

    In a pool, what ends a worker may take a job with it that never runs again; and a job that hangs would keep the
    program from ending.
    """

    def _do_submit_job(self, job: Any, run_times: list[datetime]) -> None:
        del run_times  # one, since late ones run once
        threading.Thread(target=self._run, args=(job,), name=f"job {job.id}", daemon=True).start()

    def _run(self, job: Any) -> None:
        try:
            job.func()
        except BaseException as error:  # noqa: BLE001 - whatever ends it, it is to run again
            self._run_job_error(job.id, error)
        else:
            self._run_job_success(job.id, ())
