"""A web server with content that a test chooses, and clients that talk to it over real sockets, well or badly."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path

from exporter.config import parse_listen_address
from exporter.publish.parts import Parts
from exporter.publish.web.door import FrontDoor
from exporter.publish.web.listen import listen
from exporter.publish.web.query import EventsQuery, PageQuery, VipsQuery
from exporter.publish.web.routes import Content, Reloaded
from exporter.publish.web.server import WebServer

LONG = b"vip_moves_total 1\n" * 200
PAGE = "<!doctype html><title>VIPs</title>"
POLICY = "default-src 'none'; script-src 'sha256-x'"


class App:
    """What the server serves; each test may replace a part."""

    def __init__(self) -> None:
        self.metrics: Callable[[bool], tuple[str, bytes]] = lambda openmetrics: (f"text/plain; om={openmetrics}", LONG)
        self.ready: Callable[[], tuple[bool, str]] = lambda: (True, "ready")
        self.page: Callable[[PageQuery], str] = lambda query: PAGE
        self.parts: Callable[[PageQuery], Parts] = lambda query: Parts(0, {"vip-1": '<p id="vip-1">held</p>'})
        self.reload: Callable[[], Reloaded] | None = None
        self.asked: list[VipsQuery | EventsQuery] = []

    def vips(self, query: VipsQuery) -> object:
        self.asked.append(query)
        return {"vips": [ip_address("192.0.2.10")]}

    def events(self, query: EventsQuery) -> object:
        self.asked.append(query)
        return [{"event": "vip_moved"}]

    def server(self, *addresses: str, door: Path | None = None) -> WebServer:
        """One that is not started yet; `door`: its web.config.file."""
        content = Content(
            metrics=lambda openmetrics: self.metrics(openmetrics),
            ready=lambda: self.ready(),
            healthy=lambda: (True, "ok"),
            page=lambda query: self.page(query),
            page_policy=lambda: POLICY,
            parts=lambda query: self.parts(query),
            vips=self.vips,
            events=self.events,
            openapi=lambda: {"openapi": "3.1.0"},
            reload=self.reload,
        )
        listening = listen(parse_listen_address(text) for text in addresses or ("127.0.0.1:0",))
        return WebServer(listening, door=FrontDoor(door), content=content)


def ask(
    server: WebServer,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers=dict(headers or {}), body=body)
    response = connection.getresponse()
    content = response.read()
    connection.close()
    return response, content


def dial(server: WebServer, data: bytes = b"") -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    if data:
        client.sendall(data)
    return client


def read_all(client: socket.socket) -> bytes:
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
