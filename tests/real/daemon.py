"""Runs one of the real binaries as a process in a host's namespace, and ends it gently or not."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from exporter.lab.network import Host

STOP_SECONDS = 20.0


class Daemon:
    """A context manager: inside, it runs, unless it was stopped.

    Args:
        host: where it runs.
        command: program and arguments.
        log: the file that takes what it writes.
        environment: beside this process's own.
    """

    def __init__(
        self, *, host: Host, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        # In a host name space of its own too: kube-vip up to 0.8 calls itself by the host's name.
        name = ("unshare", "--uts", "sh", "-c", 'printf %s "$0" >/proc/sys/kernel/hostname; exec "$@"', host.name)
        self.command = ["ip", "netns", "exec", host.namespace, *name, *command]
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None
        self._environment = dict(environment or {})

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self._environment},
                process_group=0,  # a Ctrl-C is for us
            )

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash does."""
        self._end(signal.SIGKILL)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def last_words(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:]) if self.log.exists() else ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _end(self, how: signal.Signals) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
