"""Runs the real exporter as a process on a host of the lab, and asks it over HTTP what it says."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from exporter.lab.network import Host, inside

PORT = 10150
READY_SECONDS = 20.0
STOP_SECONDS = 5.0
LAST_LINES = 20

_SAMPLE = re.compile(r"(?P<name>[a-z_]+)(?:\{(?P<labels>.*)\})? (?P<value>\S+)")
_LABEL = re.compile(r'([a-z_]+)="((?:[^"\\]|\\.)*)"')
# Whatever proxy this machine is told to use, the lab is not behind it.
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class ProgramError(Exception):
    """The exporter is not there or does not get ready. The message is for the user."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of /metrics."""

    name: str
    labels: dict[str, str]
    value: float


class Program:
    """A context manager; leaving it stops the exporter.

    Args:
        host: where it runs.
        log: the file that takes what it writes.
        arguments: after `run` and what the lab itself needs.
    """

    def __init__(self, *, host: Host, log: Path, arguments: Sequence[str] = ()) -> None:
        self.log = log
        self.arguments = list(arguments)
        """May be changed for the next start."""
        self.process: subprocess.Popen[bytes] | None = None
        self._host = host

    @property
    def command(self) -> list[str]:
        return [
            *("ip", "netns", "exec", self._host.namespace, sys.executable, "-m", "exporter", "run"),
            *("--capture.interface", self._host.device, "--observer.name", self._host.name),
            *("--web.listen-address", f":{PORT}", "--log.format", "json"),
            *self.arguments,
        ]

    def start(self) -> None:
        # Settings of the user's own exporter would otherwise reach this one.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VIP_EXPORTER_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                process_group=0,  # a Ctrl-C is for us; we stop it in good order
            )

    def stop(self) -> int:
        """Ask it to stop, and return its exit status."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(signal.SIGTERM)
        try:
            return process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self, vip: str) -> None:
        """Wait until it is ready and watches the VIP.

        Raises:
            ProgramError: it ended, or takes too long.
        """
        until = time.monotonic() + READY_SECONDS
        while True:
            try:
                if self.get("/-/ready") and f'vip="{vip}"' in self.get("/metrics"):
                    return
                problem = f"does not watch {vip}"
            except ProgramError as error:
                problem = str(error)
            if self.process is not None and (status := self.process.poll()) is not None:
                raise ProgramError(f"the exporter ended with exit status {status}\n{self.last_words()}")
            if time.monotonic() > until:
                raise ProgramError(f"not ready after {READY_SECONDS:.0f} s: {problem}\n{self.last_words()}")
            time.sleep(0.05)

    def get(self, path: str) -> str:
        """What it answers.

        Raises:
            ProgramError: nothing, or an error.
        """
        try:
            return inside(self._host.namespace, lambda: _fetch(path))
        except urllib.error.HTTPError as error:
            with error:
                raise ProgramError(f"{path}: {error.code} {error.read().decode().strip()}") from None
        except OSError as error:
            raise ProgramError(f"{path}: {error}") from None

    def last_words(self) -> str:
        """The end of what it wrote."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-LAST_LINES:])

    def samples(self) -> list[Sample]:
        """Everything on /metrics."""
        return read_samples(self.get("/metrics"))

    def events(self) -> list[dict[str, Any]]:
        """All that it remembers, the oldest first."""
        rows: list[dict[str, Any]] = json.loads(self.get("/api/v1/events?limit=1000"))["events"]
        return sorted(rows, key=lambda row: str(row["time"]))


def _fetch(path: str) -> str:
    with _OPENER.open(f"http://127.0.0.1:{PORT}{path}", timeout=5) as response:
        return str(response.read().decode())


def read_samples(exposition: str) -> list[Sample]:
    """Read the text format, as far as this exporter uses it."""
    found = []
    for line in exposition.splitlines():
        if not line.startswith("#") and (match := _SAMPLE.fullmatch(line)):
            labels = dict(_LABEL.findall(match["labels"] or ""))
            found.append(Sample(match["name"], labels, float(match["value"])))
    return found
