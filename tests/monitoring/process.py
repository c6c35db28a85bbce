"""Runs a server as a process in a namespace of its own, and asks it over HTTP.

It listens on that namespace's loopback: nothing outside reaches it, and any number of labs may have theirs.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, Request, build_opener

from exporter.lab.network import inside

READY_SECONDS = 30.0
STOP_SECONDS = 10.0
ANSWER_SECONDS = 20.0
LAST_LINES = 30

_T = TypeVar("_T")
# Whatever proxy this machine is told to use, these servers are not behind it.
_OPENER = build_opener(ProxyHandler({}))


class ServerError(AssertionError):
    """A server is not there, does not get ready, or refuses. The message ends with what it logged last."""


class Server:
    """A process in a namespace, with an HTTP API on its loopback. A context manager; leaving it stops the process."""

    name = ""
    port = 0

    def __init__(self, *, namespace: str, directory: Path, port: int | None = None) -> None:
        self.namespace = namespace
        self.directory = directory
        self.port = port or type(self).port
        self.log = directory / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self.directory.mkdir(parents=True, exist_ok=True)
        command = ["ip", "netns", "exec", self.namespace, *self.command()]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                process_group=0,  # a Ctrl-C is for us; we stop it in good order
            )
        try:
            wait_until(self._is_ready, within=READY_SECONDS, otherwise=lambda: f"not ready\n{self.last_words()}")
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def last_words(self) -> str:
        """The end of what it logged."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join([f"--- {self.name}", *lines[-LAST_LINES:]])

    def get(self, path: str, parameters: Sequence[tuple[str, str]] = ()) -> Any:
        """The JSON that it answers, whatever the status.

        Raises:
            ServerError: no answer, or one that is no JSON.
        """
        url = f"{self.url}{path}" + (f"?{urlencode(parameters)}" if parameters else "")
        status, body = inside(self.namespace, lambda: fetch(url))
        try:
            return json.loads(body)
        except ValueError:
            raise ServerError(f"{path}: {status} {body[:500]}\n{self.last_words()}") from None

    def _is_ready(self) -> bool:
        if self._process is not None and (status := self._process.poll()) is not None:
            raise ServerError(f"{self.name} ended with exit status {status}\n{self.last_words()}")
        try:
            return inside(self.namespace, lambda: fetch(f"{self.url}/-/ready"))[0] == 200
        except OSError:
            return False


def wait_until(holds: Callable[[], _T], *, within: float, otherwise: Callable[[], str]) -> _T:
    """What `holds` returns once that is true.

    Raises:
        ServerError: it is not in time; with what `otherwise` says then.
    """
    end = time.monotonic() + within
    while not (result := holds()):
        if time.monotonic() > end:
            raise ServerError(f"not within {within} s: {otherwise()}")
        time.sleep(0.05)
    return result


def fetch(url: str | Request) -> tuple[int, bytes]:
    try:
        with _OPENER.open(url, timeout=ANSWER_SECONDS) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
