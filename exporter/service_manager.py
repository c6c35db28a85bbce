"""Tells the service manager that started the program how it does, in systemd's protocol for that (sd_notify(3)).

One datagram for each thing said, to the socket that the environment names. Nothing that goes wrong with it is fatal.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping

from exporter import log
from exporter.vip.model import Nanoseconds

LONGEST_STATUS = 240
"""Characters, escapes included."""

_PATIENCE = 1.0
"""Seconds to wait for a manager whose queue is full."""
_NEVER = 2**64 - 1
"""Microseconds: systemd's infinity."""


class ServiceManager:
    """Where the environment names none, nothing at all happens.

    Args:
        environment: with NOTIFY_SOCKET, and with WATCHDOG_USEC and WATCHDOG_PID where the manager wants signs of life.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        name = environment.get("NOTIFY_SOCKET", "")
        # No variable can hold the null byte with which names in the abstract namespace begin.
        self._address = f"\0{name[1:]}" if name.startswith("@") else name
        self.sign_of_life_every = _half_of_watchdog(environment) if name else None
        """None: it wants none."""
        self._ready = False
        self._status = ""
        self._reached = True

    @property
    def listens(self) -> bool:
        """Whether there is one."""
        return bool(self._address)

    def tell(self, *, ready: bool, status: str) -> None:
        """Say how it is, as far as that is news. Ready is said once: the protocol cannot take it back, the status can.

        Args:
            ready: whether what the program is for is being done.
            status: one line for people; it may hold what strangers wrote.
        """
        text = _one_line(status)
        news = [f"STATUS={text}"] if text != self._status else []
        if ready and not self._ready:
            news.insert(0, "READY=1")
        # What could not be said is still news the next time.
        if news and self._say(*news):
            self._ready, self._status = self._ready or ready, text

    def sign_of_life(self) -> None:
        """To be given each `sign_of_life_every`: the manager restarts what gives none."""
        self._say("WATCHDOG=1")

    @contextlib.contextmanager
    def reloading(self) -> Iterator[None]:
        """Say that the configuration is read anew, for as long as the block takes and however it ends."""
        if not self._ready:
            yield
            return
        # The time tells the manager which of its requests this answers.
        self._say("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            yield
        finally:
            self._say("READY=1")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def _say(self, *assignments: str) -> bool:
        """Whether the manager got it."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to_manager:
                to_manager.settimeout(_PATIENCE)
                to_manager.connect(self._address)
                to_manager.send("\n".join(assignments).encode())
        except OSError as error:
            if self._reached:
                log.warning("the service manager cannot be told how it is", error=error)
            self._reached = False
        else:
            self._reached = True
        return self._reached


def _half_of_watchdog(environment: Mapping[str, str]) -> Nanoseconds | None:
    """Twice as often as the manager asks for, as sd_watchdog_enabled(3) advises."""
    for_whom = environment.get("WATCHDOG_PID", "")
    microseconds = environment.get("WATCHDOG_USEC", "")
    if for_whom not in ("", str(os.getpid())) or not (microseconds.isascii() and microseconds.isdecimal()):
        return None
    asked = int(microseconds)
    return asked * 1000 // 2 if 0 < asked < _NEVER else None


def _one_line(text: str) -> str:
    """Printable, and no longer than `LONGEST_STATUS`: after a line feed, the text would give the manager orders."""
    line = "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in text
    )
    return line if len(line) <= LONGEST_STATUS else f"{line[: LONGEST_STATUS - 1]}…"
