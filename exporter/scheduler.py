"""Runs what is periodic; the only module that imports APScheduler. A failing job is logged, never fatal."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.schedulers.background import BackgroundScheduler

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
        self._scheduler = BackgroundScheduler(
            timezone="UTC",
            daemon=True,
            # The default drops a job that is a second late, which is when it is needed most.
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

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

        self._scheduler.add_job(run, "interval", seconds=interval / SECOND, id=name)

    def start(self) -> None:
        self._scheduler.start()
        threading.Thread(target=self._mind_the_clock, name="scheduler-clock", daemon=True).start()

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
