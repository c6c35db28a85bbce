"""What clients that mean harm do to scrapes, and what the status page costs."""

from __future__ import annotations

import base64
import gzip
import os
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPSConnection

import bcrypt

from bench.stage import Stage
from bench.table import Table, milliseconds, spread
from exporter.lab.network import inside

PORT = 10150
SECONDS = 20.0
PAUSE = 0.05
TARGET = 0.25
"""Seconds that a scrape may take, whatever the others do."""
MANY = 1000
PAGES = 20
PAGE_PAUSE = 0.6
"""Seconds between two pages, so that each looks at the VIPs anew."""
GUESSERS = 20
COST = 10
_PASSWORD = "s3cret"
_LOGIN = {"Authorization": "Basic " + base64.b64encode(f"operator:{_PASSWORD}".encode()).decode()}


class Client:
    """Asks an exporter on the listener, each time on a connection of its own."""

    def __init__(self, stage: Stage, context: ssl.SSLContext | None = None, headers: Mapping[str, str] = {}) -> None:
        self._stage = stage
        self._context = context
        self._headers = dict(headers)

    def get(self, path: str = "/metrics") -> bytes:
        """The body of an answer with status 200.

        Raises:
            OSError: there is none.
        """
        return inside(self._stage.listener, lambda: self._get(path))

    def _get(self, path: str) -> bytes:
        if self._context is None:
            connection = HTTPConnection("127.0.0.1", PORT, timeout=10)
        else:
            connection = HTTPSConnection("127.0.0.1", PORT, timeout=10, context=self._context)
        try:
            connection.request("GET", path, headers=self._headers)
            response = connection.getresponse()
            body = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise ConnectionError(f"{path}: {response.status}")
        return body

    def wait(self) -> None:
        """Until it answers."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with suppress(OSError):
                self.get()
                return
            time.sleep(0.05)
        raise RuntimeError("the exporter does not serve")

    def time(self, path: str = "/metrics") -> tuple[float, bytes]:
        """Seconds that an answer takes, and the answer."""
        begun = time.perf_counter()
        body = self.get(path)
        return time.perf_counter() - begun, body

    def scrape(self) -> list[float]:
        """Seconds of each of many scrapes."""
        took = []
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            took.append(self.time()[0])
            time.sleep(PAUSE)
        return took


def measure(stage: Stage) -> Table:
    rows, missed = [], []
    for title, took in _scrapes(stage):
        found = spread(took)
        rows.append((title, *_times(took), "≤ 250 ms"))
        if found.max > TARGET:
            missed.append(f"{title}: {milliseconds(found.max)}")
    rows += _pages(stage)
    return Table(
        title="Front door",
        columns=("what", "median", "p95", "max", "target"),
        rows=tuple(rows),
        note=f"Scrapes of one VIP over {SECONDS:.0f} s each, every one on a connection of its own; where there is TLS, "
        "with an RSA key of 2,048 bits. The hostile clients (`bench/hostile.py`, of the least priority) are 50 each "
        "of idle, slow, half-open and oversized; who is hung up on comes again within 1.5 s. Those who guess "
        f"(`bench/guessing.py`) have {GUESSERS} addresses, and a bcrypt cost of {COST} against them. Pages: {PAGES} "
        "answers, not compressed.",
        missed=tuple(missed),
    )


def _times(took: list[float]) -> tuple[str, str, str]:
    found = spread(took)
    return milliseconds(found.median), milliseconds(found.p95), milliseconds(found.max)


def _scrapes(stage: Stage) -> Iterator[tuple[str, list[float]]]:
    intent = stage.intent_file(1)
    with stage.exporter(*intent):
        client = Client(stage)
        client.wait()
        yield "scrape, HTTP, nobody else", client.scrape()
        with _beside(stage, "bench.hostile"):
            yield "scrape, HTTP, 200 hostile clients", client.scrape()
    context, arguments = _closed_door(stage)
    with stage.exporter(*intent, *arguments):
        client = Client(stage, context, _LOGIN)
        client.wait()
        yield "scrape, TLS and password, nobody else", client.scrape()
        with _beside(stage, "bench.hostile", "tls"):
            yield "scrape, TLS and password, 200 hostile clients", client.scrape()
        with _beside(stage, "bench.guessing", str(GUESSERS)):
            yield f"scrape, TLS and password, {GUESSERS} others guess", client.scrape()


def _pages(stage: Stage) -> Iterator[tuple[str, ...]]:
    client = Client(stage)
    for count, paths in ((1, ("/",)), (MANY, ("/", "/?vip=192.0.2.100", "/live"))):
        intent = stage.directory / f"{count}-pages.yaml"
        others = (f"10.{number >> 8}.{number & 255}.1" for number in range(count - 1))
        intent.write_text("vips:\n" + "".join(f"  - address: {vip}\n" for vip in ("192.0.2.100", *others)), "utf-8")
        with stage.exporter("--intent.file", str(intent)):
            client.wait()
            for path in paths:
                _, body = client.time(path)  # the first one loads the templates
                took = []
                for _ in range(PAGES):
                    time.sleep(PAGE_PAUSE)
                    took.append(client.time(path)[0])
                small = gzip.compress(body, compresslevel=1)
                title = f"`{path}` of {count:,}: {len(body) / 1e3:,.0f} kB, compressed {len(small) / 1e3:,.0f} kB"
                yield title, *_times(took), "-"


@contextmanager
def _beside(stage: Stage, module: str, *arguments: str) -> Iterator[None]:
    """Run a program of clients until they are all there, and on."""
    with stage.run(sys.executable, "-m", module, str(PORT), *arguments) as process:
        # In truth they are elsewhere, and have processors of their own.
        os.setpriority(os.PRIO_PROCESS, process.pid, 19)
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError(f"{module} has ended")
        yield


def _closed_door(stage: Stage) -> tuple[ssl.SSLContext, tuple[str, ...]]:
    """A client's context, and what makes an exporter ask for TLS and a password."""
    key, certificate = stage.directory / "server.key", stage.directory / "server.crt"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    hashed = bcrypt.hashpw(_PASSWORD.encode(), bcrypt.gensalt(COST)).decode()
    config = stage.directory / "web.yaml"
    config.write_text(
        f"tls_server_config: {{cert_file: {certificate}, key_file: {key}}}\nbasic_auth_users: {{operator: {hashed}}}\n",
        encoding="utf-8",
    )
    return ssl.create_default_context(cafile=str(certificate)), ("--web.config.file", str(config))
