"""What stands between a connection and an answer: the TLS and the users in force, kept up with their files."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from exporter import log
from exporter.publish.web.logins import ADMITTED, Admission, Logins
from exporter.publish.web.stamps import Stamp, changed
from exporter.publish.web.web_config import WebConfig, WebConfigError, read_web_config
from exporter.vip.model import SECOND, Nanoseconds

LOOK_INTERVAL: Nanoseconds = SECOND


@dataclass(frozen=True, slots=True)
class _State:
    config: WebConfig
    """In force."""
    stamps: Mapping[Path, Stamp]
    """Of the files as they were read last, also where that was of no use."""
    problems: tuple[str, ...] = ()
    read_at: Nanoseconds = 0
    """When the one in force was."""


class FrontDoor:
    """Open, if there is no web configuration.

    Args:
        path: of the web configuration.
        clock: monotonic nanoseconds.

    Raises:
        WebConfigError: it cannot be used.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], Nanoseconds] = time.monotonic_ns) -> None:
        self._path = path
        self._clock = clock
        self._looked = clock()
        self._reading = threading.Lock()
        config = WebConfig() if path is None else read_web_config(path)
        # One object, replaced as a whole: whoever reads it from another thread sees the old one or the new one.
        self._state = _State(config, config.stamps, read_at=clock())
        self._logins = Logins(lambda: self._state.config.users, clock=clock)

    @property
    def needs_login(self) -> bool:
        return bool(self._state.config.users)

    @property
    def problems(self) -> tuple[str, ...]:
        """Why what the files say now is not in force; empty: it is."""
        return self._state.problems

    @property
    def read_at(self) -> Nanoseconds:
        """When what is in force was read, by the clock."""
        return self._state.read_at

    def tls_context(self) -> ssl.SSLContext | None:
        """For a new connection; None: it is plain HTTP.

        Looks at most once in `LOOK_INTERVAL` whether a file has changed, and then puts in force what they say now. What
        is wrong changes nothing, and is logged.
        """
        now = self._clock()
        if self._path is not None and now - self._looked >= LOOK_INTERVAL and self._reading.acquire(blocking=False):
            try:
                self._looked = now
                self._look(self._path)
            finally:
                self._reading.release()
        return self._state.config.tls

    def in_force(self) -> object:
        """What changes whenever anything else is in force; looks as `tls_context` does."""
        self.tls_context()
        return self._state.config

    async def admit(self, authorization: str | None, client: str) -> Admission:
        """Judge a request; see `Logins.admit`. To be called on one event loop only."""
        return await self._logins.admit(authorization, client) if self.needs_login else ADMITTED

    def reload(self) -> None:
        """Put in force what the files say now, whether they have changed or not. Any thread may call this.

        Raises:
            WebConfigError: it cannot be used, and what was in force still is.
        """
        if self._path is None:
            return
        with self._reading:
            try:
                config = read_web_config(self._path)
            except WebConfigError as error:
                self._keep(error.problems, error.stamps)
                raise
            self._replace(config)

    def _look(self, path: Path) -> None:
        before = self._state
        if not changed(before.stamps):
            return
        try:
            config = read_web_config(path)
        except WebConfigError as error:
            problems, stamps = error.problems, error.stamps
        else:
            # A file that is just being written is empty, or ends early, for a moment.
            problems, stamps = tuple(f"{path}: {lost}" for lost in _locks_lost(before.config, config)), config.stamps
            if not problems:
                self._replace(config)
                return
        self._keep(problems, stamps)
        if problems != before.problems:
            log.error("web configuration not in force", problems=list(problems))

    def _keep(self, problems: tuple[str, ...], stamps: Mapping[Path, Stamp]) -> None:
        self._state = replace(self._state, stamps=stamps, problems=problems)

    def _replace(self, config: WebConfig) -> None:
        self._state = _State(config, config.stamps, read_at=self._clock())
        log.info("web configuration in force", tls=config.tls is not None, users=len(config.users.hashes))


def _locks_lost(before: WebConfig, now: WebConfig) -> list[str]:
    lost = []
    if before.users and not now.users:
        lost.append("passwords")
    if before.tls and not now.tls:
        lost.append("TLS")
    elif before.tls and now.tls and before.tls.verify_mode > now.tls.verify_mode:
        lost.append("client certificates")
    return [f"asks no more for {what}, or not always; reload or restart if that is meant" for what in lost]
