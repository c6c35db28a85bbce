"""The stream of a page: everything first, then what has changed, a sign of life each second, and never too many."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Any

import pytest

from exporter import __version__
from exporter.publish.parts import Parts
from exporter.publish.web import server as server_module
from exporter.publish.web import stream
from exporter.publish.web.query import PageQuery
from exporter.publish.web.server import WebServer
from tests.publish.web.kit import App, ask, dial, read_all

HEAD = b"GET /live HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n"


class Watching:
    """A client of the stream."""

    def __init__(self, server: WebServer, head: bytes = HEAD) -> None:
        self.socket = dial(server, head)
        self.file = self.socket.makefile("rb")
        self.head = b"".join(iter(self.file.readline, b"\r\n")).decode()

    def messages(self) -> Iterator[dict[str, Any]]:
        """As they come. The stream is chunked: lines that are no data are skipped."""
        for line in self.file:
            if line.startswith(b"data: "):
                yield json.loads(line.removeprefix(b"data: "))

    def close(self) -> None:
        self.file.close()
        self.socket.close()


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "EVERY", 0.1)


def test_everything_first_then_what_has_changed(app: App, server: WebServer) -> None:
    shown = {"a": "<p id=a>1</p>", "b": "<p id=b>1</p>"}
    order = {"list": ("a", "b")}
    app.parts = lambda query: Parts(0, dict(shown), dict(order))
    watching = Watching(server)
    assert "200 OK" in watching.head
    assert "Content-Type: text/event-stream" in watching.head
    assert "Content-Encoding" not in watching.head
    messages = watching.messages()
    time_only = {"version": __version__, "time": "1970-01-01T00:00:00.000000Z", "elements": {}, "lists": {}}
    assert next(messages) == time_only | {"elements": shown, "lists": {"list": ["a", "b"]}}
    assert next(messages) == time_only
    shown["b"] = "<p id=b>2</p>"
    assert next(message for message in messages if message["elements"]) == time_only | {"elements": {"b": shown["b"]}}
    order["list"] = ("b",)
    del shown["a"]
    assert next(message for message in messages if message["lists"]) == time_only | {"lists": {"list": ["b"]}}
    watching.close()


def test_a_page_is_made_once_for_all_who_watch_it(app: App, server: WebServer) -> None:
    made: list[PageQuery] = []
    app.parts = lambda query: (made.append(query), Parts(0, {}))[1]
    watching = [Watching(server) for _ in range(8)]
    readers = [one.messages() for one in watching]
    for _ in range(5):
        for reader in readers:
            next(reader)
    # Each of the 40 messages came of a making, but not each of one of its own.
    assert len(made) < 20
    for one in watching:
        one.close()


def test_the_query_says_which_vips(app: App, server: WebServer) -> None:
    app.parts = lambda query: Parts(0, {"asked": " ".join(map(str, query.vips))})
    watching = Watching(server, HEAD.replace(b"/live", b"/live?vip=192.0.2.1&vip=2001:DB8::1"))
    assert next(watching.messages())["elements"] == {"asked": "192.0.2.1 2001:db8::1"}
    watching.close()


def test_who_asks_for_no_stream_gets_everything_once(app: App, server: WebServer) -> None:
    app.parts = lambda query: Parts(0, {"a": "x" * 2000}, {"list": ("a",)})
    for headers in ({}, {"Accept": "application/json"}):
        response, body = ask(server, "/live", headers=headers)
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert json.loads(body)["elements"] == {"a": "x" * 2000}
        assert json.loads(body)["lists"] == {"list": ["a"]}
    assert ask(server, "/live", headers={"Accept-Encoding": "gzip"})[0].headers["Content-Encoding"] == "gzip"
    assert ask(server, "/live", method="HEAD", headers={"Accept": "text/event-stream"})[0].status == 200


def test_a_bad_query_is_refused_before_the_stream(server: WebServer) -> None:
    response, body = ask(server, "/live?vip=x", headers={"Accept": "text/event-stream"})
    assert (response.status, json.loads(body)["parameter"]) == (400, "vip")


def test_a_client_may_have_so_many_streams_and_gets_its_place_back(
    app: App, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MOST_PER_CLIENT", 2)
    watching = [Watching(server) for _ in range(2)]
    response, body = ask(server, "/live", headers={"Accept": "text/event-stream"})
    assert (response.status, body) == (503, b"too many streams; poll instead\n")
    assert ask(server, "/live")[0].status == 200
    watching[0].close()
    end = time.monotonic() + 5
    while "200 OK" not in (again := Watching(server)).head:
        assert time.monotonic() < end
        time.sleep(0.05)
    for one in (watching[1], again):
        one.close()


def test_a_stream_ends_after_a_while(server: WebServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the browser asks anew: it may be none that is let in any more."""
    monkeypatch.setattr(stream, "LONGEST", 0.3)
    assert read_all(Watching(server).socket).endswith(b"0\r\n\r\n")


def test_who_does_not_read_is_hung_up_on_and_delays_nobody(
    app: App, server: WebServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "WRITE_SECONDS", 0.3)
    turn = iter(range(10**6))
    app.parts = lambda query: Parts(0, {"a": f"{next(turn)}" + "x" * 10_000_000})
    dial(server, HEAD)
    good = Watching(server)
    messages = good.messages()
    for _ in range(3):
        assert len(next(messages)["elements"]["a"]) > 10_000_000
    good.close()


def test_pages_that_are_closed_leave_no_line_in_the_log(server: WebServer, capfd: Any) -> None:
    watching = [Watching(server) for _ in range(4)]
    for one in watching:
        next(one.messages())
        one.close()
    time.sleep(0.5)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("accept", "streams"),
    [("Text/Event-Stream", True), ("text/event-stream;q=0", False), ("*/*", False), ("a/b, text/event-stream", True)],
)
def test_who_accepts_a_stream(server: WebServer, accept: str, streams: bool) -> None:
    watching = Watching(server, HEAD.replace(b"text/event-stream", accept.encode()))
    assert ("text/event-stream" in watching.head) is streams
    watching.close()


def test_a_page_that_cannot_be_made_ends_its_stream_only(app: App, server: WebServer) -> None:
    app.parts = lambda query: 1 / 0
    assert read_all(Watching(server).socket).count(b"data:") == 0
    assert ask(server, "/-/ready")[0].status == 200


def test_streams_end_when_the_server_stops(app: App) -> None:
    server = app.server()
    server.start()
    watching = [Watching(server) for _ in range(3)]
    for one in watching:
        next(one.messages())
    began = time.monotonic()
    server.stop()
    assert time.monotonic() - began < 1
    ended = [threading.Thread(target=read_all, args=(one.socket,)) for one in watching]
    for thread in ended:
        thread.start()
    for thread in ended:
        thread.join(5)
        assert not thread.is_alive()


def test_pages_that_nobody_watches_any_more_are_not_kept() -> None:
    """Though somebody watches another all the time."""

    async def watch() -> int:
        async def make(query: PageQuery) -> Parts:
            return Parts(0, {})

        streams, stopping = stream.Streams(make), asyncio.Event()
        with streams.admit("a"):
            always = streams.messages(PageQuery(), stopping)
            await anext(always)
            for number in range(50):
                with streams.admit("b"):
                    other = streams.messages(PageQuery((ip_address("192.0.2.0") + number,)), stopping)
                    await anext(other)
                    await anext(other)
                    await other.aclose()
                if number % 10 == 0:
                    await anext(always)
            await asyncio.sleep(2 * stream.EVERY)
            await anext(always)
            return len(streams._made)

    assert asyncio.run(watch()) <= 2
