"""The web server, asked over real sockets: what each route answers, and that no client can keep it from the others."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import gzip
import http.client
import json
import socket
import threading
import time
from ipaddress import ip_address
from typing import Any

import pytest
from tornado.httputil import HTTPHeaders

from exporter.publish.web import server as web
from exporter.publish.web.listen import ListenError
from exporter.publish.web.query import EventsQuery
from exporter.publish.web.server import WebServer
from exporter.publish.web.turns import AT_ONCE, Turns
from tests.publish.web.kit import LONG, POLICY, App, ask, dial, read_all

CHUNKED = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("path", "status", "content_type", "body"),
    [
        ("/", 200, "text/html; charset=utf-8", b"<!doctype html><title>VIPs</title>"),
        ("/-/healthy", 200, "text/plain; charset=utf-8", b"ok\n"),
        ("/-/ready", 200, "text/plain; charset=utf-8", b"ready\n"),
        ("/metrics", 200, "text/plain; om=False", LONG),
        ("/metrics?x=y", 200, "text/plain; om=False", LONG),
        ("/api/v1/openapi.json", 200, "application/json; charset=utf-8", b'{"openapi": "3.1.0"}\n'),
        ("/api/v1/vips", 200, "application/json; charset=utf-8", b'{"vips": ["192.0.2.10"]}\n'),
        ("/api/v1/events", 200, "application/json; charset=utf-8", b'[{"event": "vip_moved"}]\n'),
        ("/nothing", 404, "text/plain; charset=utf-8", b"404 Not Found\n"),
        ("/api/v1/openapiXjson", 404, "text/plain; charset=utf-8", b"404 Not Found\n"),
        ("/metrics/", 404, "text/plain; charset=utf-8", b"404 Not Found\n"),
        ("/%2e%2e/etc/passwd", 404, "text/plain; charset=utf-8", b"404 Not Found\n"),
    ],
)
def test_routes(server: WebServer, path: str, status: int, content_type: str, body: bytes) -> None:
    """GET gives the body; HEAD the same head without it; neither names the server's software."""
    response, content = ask(server, path)
    assert (response.status, response.headers["Content-Type"], content) == (status, content_type, body)
    head, nothing = ask(server, path, method="HEAD")
    assert (head.status, nothing, head.headers["Content-Length"]) == (status, b"", str(len(body)))
    for answer in (response, head):
        assert "Server" not in answer.headers
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"]
        assert policy == POLICY if path == "/" else policy.startswith("default-src 'none'; base-uri 'none'")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_other_methods_are_refused(server: WebServer, method: str) -> None:
    response, content = ask(server, "/metrics", method=method, body=b"x=1" if method == "POST" else None)
    assert (response.status, response.headers["Allow"], content) == (405, "GET, HEAD", b"405 Method Not Allowed\n")


@pytest.mark.parametrize(
    ("header", "zipped"),
    [
        (None, False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("identity", False),
    ],
)
def test_gzip_where_accepted(server: WebServer, header: str | None, zipped: bool) -> None:
    response, content = ask(server, "/metrics", headers={"Accept-Encoding": header} if header else {})
    assert (response.headers.get("Content-Encoding") == "gzip") is zipped
    assert (gzip.decompress(content) if zipped else content) == LONG
    assert "Accept-Encoding" in response.headers["Vary"]


def test_short_expositions_are_not_compressed(app: App, server: WebServer) -> None:
    app.metrics = lambda openmetrics: ("text/plain", b"x 1\n")
    assert ask(server, "/metrics", headers={"Accept-Encoding": "gzip"})[1] == b"x 1\n"


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;q=0.2,*/*;q=0.1", True),
        ("Application/OpenMetrics-Text; version=0.0.1", True),
        ("text/plain;version=0.0.4, application/openmetrics-text;q=0", False),
        ("text/plain;version=x.y", False),
        ("application/openmetrics-text;version=" + "9" * 5000, True),
        ("application/openmetrics-text;version=1e999;q=x", True),
        ("*/*", False),
        ("", False),
        (",;=,;q=,\xe9", False),
    ],
)
def test_openmetrics_where_accepted(server: WebServer, accept: str, openmetrics: bool) -> None:
    response, _ = ask(server, "/metrics", headers={"Accept": accept})
    assert (response.status, response.headers["Content-Type"]) == (200, f"text/plain; om={openmetrics}")


def test_not_ready_is_503_in_one_line(app: App, server: WebServer) -> None:
    app.ready = lambda: (False, "no capture:\r\neth0 is down \ud800")
    response, content = ask(server, "/-/ready")
    assert (response.status, content) == (503, b"no capture: eth0 is down ?\n")


def test_a_query_reaches_the_answer(app: App, server: WebServer) -> None:
    assert ask(server, "/api/v1/events?vip=192.0.2.10&limit=1")[0].status == 200
    assert app.asked == [EventsQuery(vip=ip_address("192.0.2.10"), limit=1)]


def test_a_bad_parameter_is_named(app: App, server: WebServer) -> None:
    for path in ("/api/v1/vips?limit=0", "/api/v1/events?limit=0", "/?limit=0", "/live?limit=0"):
        response, content = ask(server, path)
        assert (response.status, json.loads(content)["parameter"]) == (400, "limit")
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
    assert app.asked == []


def test_a_failing_answer_is_a_500_and_nothing_more(app: App, server: WebServer, capfd: Any) -> None:
    """The client learns nothing of the error, the log does, and the next request is answered."""

    def fail(openmetrics: bool) -> tuple[str, bytes]:
        raise RuntimeError("secret\n{detail}")

    app.metrics = fail
    response, content = ask(server, "/metrics")
    assert (response.status, content) == (500, b"500 Internal Server Error\n")
    assert ask(server, "/-/healthy")[0].status == 200
    line = next(line for line in capfd.readouterr().err.splitlines() if "request failed" in line)
    assert "secret" in line
    assert "path=/metrics" in line


def test_a_slow_answer_holds_up_no_other(app: App, server: WebServer) -> None:
    release = threading.Event()

    def slow(openmetrics: bool) -> tuple[str, bytes]:
        release.wait(10)
        return "text/plain", b"x 1\n"

    app.metrics = slow
    clients = [dial(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(20)]
    began = time.monotonic()
    assert ask(server, "/-/ready")[0].status == 200
    assert ask(server, "/")[0].status == 200
    assert time.monotonic() - began < 2
    release.set()
    assert all(client.recv(100).startswith(b"HTTP/1.1 200") for client in clients)


def test_equal_scrapes_share_the_work_but_never_an_older_answer(app: App, server: WebServer) -> None:
    """Two are made at a time; the other eighteen wait together for one more, begun after all of them had come."""
    release = threading.Event()
    made: list[int] = []

    def slow(openmetrics: bool) -> tuple[str, bytes]:
        made.append(1)
        release.wait(10)
        return "text/plain", b"x 1\n"

    app.metrics = slow
    clients = []
    for begun in (1, 2):
        clients.append(dial(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"))
        while len(made) < begun:
            time.sleep(0.01)
    clients += [dial(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(18)]
    ask(server, "/-/ready")
    time.sleep(0.2)
    assert len(made) == 2
    release.set()
    assert all(client.recv(100).startswith(b"HTTP/1.1 200") for client in clients)
    assert len(made) == 3


def test_an_answer_that_never_comes_is_a_503(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "RENDER_SECONDS", 0.2)
    never = threading.Event()
    app.page = lambda query: str(never.wait(20))
    server = app.server()
    server.start()
    try:
        answers = [ask(server, "/") for _ in range(4)]
        assert [(response.status, content) for response, content in answers] == [
            (503, b"the answer takes too long\n")
        ] * 4
        assert ask(server, "/-/ready")[0].status == 200
    finally:
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 1.2
        never.set()


# --- clients that misbehave -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"\x00\xff\x16\x03\x01 garbage\r\n\r\n", id="garbage"),
        pytest.param(b"\r\n\r\n\r\n\r\n", id="empty-lines"),
        pytest.param(b"GET / HTTP/9.9\r\n\r\n", id="version"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", id="header"),
        pytest.param(b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", id="target"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", id="body"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", id="length"),
        pytest.param(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", id="chunk"),
        pytest.param(CHUNKED + b"1\r\nx\r\n" * 4000 + b"0\r\n\r\n", id="many-chunks"),
        pytest.param(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + b"a:\n" * 5000 + b"\r\n", id="many-lines"),
    ],
)
def test_malformed_requests_end_their_connection_only(server: WebServer, data: bytes) -> None:
    client = dial(server)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        client.sendall(data)
    answer = read_all(client)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4")
    assert ask(server, "/metrics")[0].status == 200


@pytest.mark.parametrize("ahead", [b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_requests_sent_ahead_are_not_made(app: App, server: WebServer, ahead: bytes, monkeypatch: Any) -> None:
    """One answer a connection: a client that asks a thousand times and never reads costs no more than one."""
    handled: list[str] = []
    execute = web._Base._execute
    monkeypatch.setattr(
        web._Base, "_execute", lambda self, *args, **more: handled.append(self) or execute(self, *args, **more)
    )
    client = dial(server, ahead * 1000)
    answers = read_all(client)
    assert answers.count(b"HTTP/1.1 ") <= 1
    assert ask(server, "/-/ready")[0].status == 200
    assert len(handled) == 2


@pytest.mark.parametrize(
    "data",
    [CHUNKED + b"1\r\nx\r\n" * 4000 + b"0\r\n\r\n", b"GET /x HTTP/1.1\r\nHost: x\r\n" + b"a:\n" * 5000 + b"\r\n"],
    ids=["chunks", "lines"],
)
def test_what_is_long_to_read_is_refused_unread(
    server: WebServer, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However short in bytes: each line and each chunk would cost as much as a whole request."""
    lines: list[str] = []
    parse_line = HTTPHeaders.parse_line
    monkeypatch.setattr(HTTPHeaders, "parse_line", lambda *args, **more: lines.append("") or parse_line(*args, **more))
    received: list[bytes] = []
    monkeypatch.setattr(web._OnlyOne, "data_received", lambda self, chunk: received.append(chunk))
    assert read_all(dial(server, data)).startswith(b"HTTP/1.1 400")
    assert len(lines) < 10
    assert not received


@pytest.mark.parametrize("data", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"\0", b"{", b" GET / HTTP/1.1\r\n"])
def test_who_does_not_speak_http_is_told_at_once(server: WebServer, data: bytes) -> None:
    """TLS, above all: a client that was told https would wait for as long as it likes."""
    began = time.monotonic()
    assert read_all(dial(server, data)).startswith(b"HTTP/1.1 400")
    assert time.monotonic() - began < 2


def test_empty_lines_before_a_request_are_none_of_it(server: WebServer) -> None:
    """RFC 9112, section 2.2."""
    assert read_all(dial(server, b"\r\nGET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")).endswith(b"ready\n")


def test_a_hundred_header_lines_are_enough_for_anybody(server: WebServer) -> None:
    assert ask(server, "/-/ready", headers={f"X-{number}": "x" for number in range(90)})[0].status == 200


def test_other_pages_take_no_turns_from_scrapes_and_probes(app: App, server: WebServer) -> None:
    """Though each is asked for in another way, so that none can be shared."""
    release = threading.Event()
    app.page = lambda query: str(release.wait(10))
    addresses = [f"192.0.2.{number}" for number in range(20)]
    clients = [dial(server, f"GET /?vip={address} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) for address in addresses]
    began = time.monotonic()
    for path in ("/metrics", "/-/ready", "/-/healthy"):
        assert ask(server, path)[0].status == 200
    assert time.monotonic() - began < 2
    assert threading.active_count() < 20
    release.set()
    assert all(read_all(client).startswith(b"HTTP/1.1 200") for client in clients)


def test_an_answer_that_nobody_waits_for_any_more_leaves_no_complaint(capfd: Any) -> None:
    async def wander_off() -> None:
        turns = Turns[int](0.05)
        for _ in range(AT_ONCE):
            await turns.slots.acquire()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(turns.answer("key", lambda: 1), 0.01)
        await asyncio.sleep(0.1)
        gc.collect()

    asyncio.run(wander_off())
    assert "never retrieved" not in capfd.readouterr().err


def test_idle_slow_and_half_open_clients_delay_no_scrape(server: WebServer) -> None:
    clients = [dial(server) for _ in range(200)]
    clients += [dial(server, b"GET /metrics HTTP/1.1\r\nX-") for _ in range(50)]
    half_open = [dial(server, b"GET /metr") for _ in range(50)]
    for client in half_open:
        client.shutdown(socket.SHUT_WR)
    took = []
    for _ in range(5):
        began = time.monotonic()
        assert ask(server, "/metrics")[1] == LONG
        took.append(time.monotonic() - began)
    print(f"slowest of 5 scrapes beside 300 idle clients: {max(took) * 1000:.1f} ms")
    assert max(took) < 2
    for client in clients + half_open:
        client.close()


def test_beyond_the_bound_the_longest_idle_connection_gives_way(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "MOST_CONNECTIONS", 10)
    server = app.server()
    server.start()
    clients = []
    for _ in range(12):
        clients.append(dial(server))
        assert ask(server, "/-/ready")[0].status == 200
    assert [read_all(client) for client in clients[:2]] == [b"", b""]
    clients[-1].sendall(b"GET /-/ready HTTP/1.0\r\n\r\n")
    assert read_all(clients[-1]).endswith(b"ready\n")
    server.stop()


def test_silent_and_dripping_clients_are_hung_up_on(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time for a request's head is counted from its beginning: dripping bytes gains nothing."""
    monkeypatch.setattr(web, "IDLE_SECONDS", 0.4)
    server = app.server()
    server.start()
    silent, dripping = dial(server), dial(server)
    began = time.monotonic()
    with pytest.raises(OSError):
        while time.monotonic() - began < 5:
            dripping.sendall(b"G")
            time.sleep(0.05)
    assert time.monotonic() - began < 3
    assert read_all(silent) == b""
    server.stop()


def test_a_client_that_does_not_read_is_hung_up_on(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(web, "WRITE_SECONDS", 0.3)
    app.metrics = lambda openmetrics: ("text/plain", b"x" * 50_000_000)
    server = app.server()
    server.start()
    client = dial(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(1)
    assert len(read_all(client)) < 50_000_000
    server.stop()


# --- start and stop ---------------------------------------------------------------------------------------------------


def test_a_port_alone_serves_ipv4_and_ipv6(app: App) -> None:
    server = app.server(":0")
    server.start()
    try:
        for host in ("127.0.0.1", "::1") if socket.has_dualstack_ipv6() else ("127.0.0.1",):
            connection = http.client.HTTPConnection(host, server.port, timeout=5)
            connection.request("GET", "/-/ready")
            assert connection.getresponse().status == 200
            connection.close()
    finally:
        server.stop()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("192.0.2.77:0", "does not have that address"),
        ("no-such-host.invalid:0", "choose another address"),
    ],
)
def test_bad_addresses_name_the_flag(app: App, address: str, said: str) -> None:
    with pytest.raises(ListenError, match=r"--web\.listen-address") as caught:
        app.server(address)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_taken_port_names_the_flag(app: App, server: WebServer) -> None:
    with pytest.raises(ListenError, match=r"--web\.listen-address: cannot listen on .*choose another address"):
        app.server(f"127.0.0.1:{server.port}")


def test_stop_is_prompt_lets_requests_end_and_frees_the_port(app: App) -> None:
    started = threading.Event()

    def slow(openmetrics: bool) -> tuple[str, bytes]:
        started.set()
        time.sleep(0.2)
        return "text/plain", b"x 1\n"

    app.metrics = slow
    server = app.server()
    server.stop()
    server.start()
    idle = [dial(server) for _ in range(50)]
    scrape = dial(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    started.wait(5)
    began = time.monotonic()
    server.stop()
    server.stop()
    assert time.monotonic() - began < 1
    assert read_all(scrape).endswith(b"x 1\n")
    assert all(read_all(client) == b"" for client in idle)
    again = app.server(f"127.0.0.1:{server.port}")
    again.start()
    again.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_answer_whose_thread_dies_is_a_500_and_takes_no_turn_away(app: App, server: WebServer) -> None:
    """Else two of them, and nobody would ever be answered there again."""

    def die(_openmetrics: bool) -> tuple[str, bytes]:
        raise SystemExit

    good, app.metrics = app.metrics, die
    assert [ask(server, "/metrics")[0].status for _ in range(AT_ONCE + 1)] == [500] * (AT_ONCE + 1)
    app.metrics = good
    assert ask(server, "/metrics")[0].status == 200
