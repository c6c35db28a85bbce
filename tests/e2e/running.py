"""A running exporter, as its own process, and clients to talk to it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen


class Exporter:
    def __init__(
        self, process: subprocess.Popen[bytes], url: str, log: Path, client: ssl.SSLContext | None = None
    ) -> None:
        self.process = process
        self.url = url
        self._log = log
        self._client = client

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, **headers: str) -> str:
        with urlopen(Request(self.url + path, headers=headers), timeout=10, context=self._client) as answer:
            return answer.read().decode()

    def api(self, path: str) -> dict:
        return json.loads(self.get(path))

    @property
    def log(self) -> str:
        return self._log.read_text()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


def until(condition, timeout: float = 10.0):
    """What `condition` returns once it is true; asserts that this is soon."""
    end = time.monotonic() + timeout
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {timeout} s: {condition}"
        time.sleep(0.02)
    return result


@contextmanager
def exporter(tmp_path: Path, *arguments: str, client: ssl.SSLContext | None = None) -> Iterator[Exporter]:
    """Start one on loopback and stop it again; it must end well. `client`: it is asked over TLS."""
    port = free_port()
    log = tmp_path / f"exporter-{port}.log"
    command = [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{port}", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    running = Exporter(process, f"http{'s' if client else ''}://127.0.0.1:{port}", log, client)

    def ready() -> bool:
        assert process.poll() is None, running.log
        try:
            return running.get("/-/ready") == "ok\n"
        except (URLError, ConnectionError):
            return False

    try:
        until(ready)
        yield running
    finally:
        process.terminate()
        process.wait(10)
