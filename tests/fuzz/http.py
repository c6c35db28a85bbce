"""The HTTP server: the bytes of a connection, against the real one, with and without passwords, over a unix socket.

An input that begins with `!` goes, without it, to the server that asks for a password.
"""

from __future__ import annotations

import atexit
import base64
import contextlib
import gzip
import json
import logging
import random
import re
import shutil
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path

import bcrypt

from exporter.publish.api import events_answer, vips_answer
from exporter.publish.web.query import MOST_FIELDS
from exporter.publish.web.routes import Reloaded
from exporter.publish.web.server import MOST_HEADER_BYTES, MOST_HEADER_LINES, WebServer
from tests.publish.everything import SNAPSHOT, from_wall, history, to_wall
from tests.publish.web.kit import LONG, App

SECURED = b"!"
PASSWORD = "correct"
LOGIN = base64.b64encode(f"alice:{PASSWORD}".encode())
PATIENCE = 0.05
"""Seconds for an answer to begin: there is none to half a request."""
LIMIT = 60.0
"""Seconds in which anything else is done."""
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9]{2}) [ -~]+\r\n")
HEADER_LINE = re.compile(rb"[A-Za-z][A-Za-z0-9-]*: [\t -~]*")

PATHS = ("/", "/live", "/metrics", "/-/healthy", "/-/ready", "/-/reload", "/api/v1/vips", "/api/v1/events")
TOKENS = tuple(
    text.encode()
    for text in (
        *(f"GET {path} HTTP/1.1\r\n" for path in PATHS),
        *("POST /-/reload HTTP/1.1\r\n", "HEAD ", "OPTIONS * "),
        *("PUT ", "CONNECT a:1 ", "HTTP/1.0", "HTTP/2.0", "\r\n\r\n"),
        *("Host: x\r\n", "Content-Length: ", "Transfer-Encoding: chunked\r\n"),
        *("Connection: keep-alive\r\n", "Expect: 100-continue\r\n"),
        *("Accept: ", "text/event-stream", "application/openmetrics-text"),
        *("Accept-Encoding: ", "gzip", ";q=0", ", ", "*"),
        *("Authorization: Basic ", LOGIN.decode(), "Origin: http://x\r\n"),
        *("Upgrade: h2c\r\n", "0\r\n\r\n", "ffffffff\r\n"),
        *("?vip=192.0.2.10", "&vip=2001:db8::1", "&state=held", "&limit=5", "&after=192.0.2.1", "&since=1700000000.5"),
        *("?since=2026-01-31T08:00:00%2B01:00", "&before=", "%00", "%ff"),
        *("+", "//", "/..", "http://x/metrics", "\0", "\x16\x03\x01"),
    )
)


class Complaints(logging.Handler):
    """What the server's library reports as an error, and what the program itself does."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


class Front:
    """A server, and what a well-formed scrape of it is."""

    def __init__(self, server: WebServer, path: Path, scrape: bytes) -> None:
        self.path = path
        self.scrape = scrape
        server.start()
        atexit.register(server.stop)

    def connect(self) -> socket.socket:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(LIMIT)
        client.connect(str(self.path))
        return client

    def send(self, data: bytes, *, patience: float = LIMIT) -> bytes:
        """What comes back until the server hangs up; of a stream, its beginning. Hangs up first if none comes."""
        with self.connect() as client:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has heard enough
                client.sendall(data)
            client.settimeout(patience)
            answer = b""
            try:
                answer = received(client)
            except TimeoutError:
                client.shutdown(socket.SHUT_WR)
            client.settimeout(LIMIT)
            while b"\r\nContent-Type: text/event-stream" not in answer and (part := received(client)):
                answer += part
            return answer


def received(client: socket.socket) -> bytes:
    try:
        return client.recv(65536)
    except ConnectionResetError:
        return b""


def fronts() -> tuple[Front, Front]:
    folder = Path(tempfile.mkdtemp(prefix="vip-fuzz-"))
    atexit.register(shutil.rmtree, folder)
    web = folder / "web.yaml"
    web.write_text(f"basic_auth_users:\n  alice: {bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n")
    app, events = App(), history()
    app.vips = partial(vips_answer, SNAPSHOT, observer="node-1", to_wall=to_wall)
    app.events = partial(events_answer, events, from_wall=from_wall)
    app.reload = lambda: Reloaded(("vips.yaml:1: wrong\r\nX: y",))
    opened, secured = folder / "open", folder / "secured"
    scrape = b"GET /metrics HTTP/1.1\r\nHost: x\r\n"
    login = b"Authorization: Basic " + LOGIN + b"\r\n"
    return (
        Front(app.server(f"unix:{opened}"), opened, scrape + b"\r\n"),
        Front(app.server(f"unix:{secured}", door=web), secured, scrape + login + b"\r\n"),
    )


COMPLAINTS = Complaints()
for name in ("tornado.application", "tornado.general", "asyncio"):
    logging.getLogger(name).addHandler(COMPLAINTS)
OPEN, GUARDED = fronts()


def check(data: bytes) -> None:
    front = GUARDED if data.startswith(SECURED) else OPEN
    asked = data.removeprefix(SECURED)
    answer = front.send(asked, patience=PATIENCE)
    if answer:
        check_answer(asked, answer, secured=front is GUARDED)
    after = front.send(front.scrape)
    assert after.startswith(b"HTTP/1.1 200 OK\r\n"), after[:300]
    assert after.endswith(b"\r\n\r\n" + LONG)
    assert not COMPLAINTS.said, COMPLAINTS.said


def check_answer(asked: bytes, answer: bytes, *, secured: bool) -> None:
    """It is one well-formed answer: status line, headers, and as many bytes as they say."""
    while answer.startswith(b"HTTP/1.1 100 "):
        answer = answer.partition(b"\r\n\r\n")[2]
        if not answer:
            return
    match = STATUS_LINE.match(answer)
    assert match, answer[:300]
    status = HTTPStatus(int(match[1]))
    assert status != HTTPStatus.INTERNAL_SERVER_ERROR or b"/-/reload" in asked, answer[:300]
    head, separator, body = answer.partition(b"\r\n\r\n")
    assert separator
    lines = head.split(b"\r\n")[1:]
    for line in lines:
        assert HEADER_LINE.fullmatch(line), line
    headers = {name.lower(): value for name, _, value in (line.partition(b": ") for line in lines)}
    assert len(headers) == len(lines), "a header twice"
    if secured and LOGIN not in asked:
        assert status != HTTPStatus.OK or b"/-/" in asked, "let in without a password"
    if status == HTTPStatus.BAD_REQUEST and not headers:
        return  # what is no HTTP is told no more
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert b"server" not in headers
    if headers[b"content-type"].startswith(b"text/event-stream"):
        return
    if not asked.startswith(b"HEAD"):
        assert len(body) == int(headers.get(b"content-length", b"0")), "not as long as it says"
    if body and headers[b"content-type"].startswith(b"application/json"):
        json.loads(gzip.decompress(body) if b"content-encoding" in headers else body)


def mutate(data: bytes, most: int, seed: int, mutated: Callable[[bytes, int], bytes]) -> bytes:
    """A request mostly stays whole, since there is no answer to half a one; now and then it has far too much."""
    chance = random.Random(seed)
    lines = data.split(b"\r\n")
    match chance.randrange(8):
        case 0 if len(lines) > 1:
            lines.insert(chance.randrange(1, len(lines)), chance.choice(lines))
            data = b"\r\n".join(lines)
        case 1 if len(lines) > 1:
            del lines[chance.randrange(len(lines))]
            data = b"\r\n".join(lines)
        case 2 if chance.random() < 0.1:
            much = (b"a: b\r\n" * (MOST_HEADER_LINES + 1), b"x" * (MOST_HEADER_BYTES + 1), b"&a=b" * (MOST_FIELDS + 1))
            at = chance.randrange(len(data) + 1)
            data = data[:at] + chance.choice(much) + data[at:]
        case _:
            at = chance.randrange(len(lines))
            lines[at] = mutated(lines[at], min(len(lines[at]) + 60, most))
            data = b"\r\n".join(lines)
    if b"\r\n\r\n" not in data and chance.random() < 0.8:
        data += b"\r\n\r\n"
    return data[:most]
