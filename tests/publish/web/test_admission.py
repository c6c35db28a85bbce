"""Who is let in: what needs a password and what does not, what the door's answers look like, and who may reload."""

from __future__ import annotations

import base64
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import pytest

from exporter.publish.web.routes import Reloaded
from exporter.publish.web.server import WebServer
from tests.publish.web.kit import App, ask, dial, read_all

NAME, PASSWORD = "prometheus", "correct horse"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


LOGIN = f"Authorization: {basic(NAME, PASSWORD)['Authorization']}"


@pytest.fixture
def door(tmp_path: Path) -> Path:
    path = tmp_path / "web.yaml"
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    path.write_text(f"basic_auth_users:\n  {NAME}: {hashed}\n")
    return path


@pytest.fixture
def guarded(app: App, door: Path) -> Iterator[WebServer]:
    app.reload = Reloaded
    server = app.server(door=door)
    server.start()
    yield server
    server.stop()


EVERYTHING = [
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/live"),
    ("GET", "/metrics"),
    ("GET", "/api/v1/vips"),
    ("GET", "/api/v1/events?limit=0"),
    ("GET", "/api/v1/openapi.json"),
    ("POST", "/-/reload"),
    ("DELETE", "/metrics"),
    ("GET", "/nothing"),
    ("GET", "/-/healthy/"),
    ("GET", "//-/healthy"),
    ("GET", "/%2d/healthy"),
    ("GET", "/-/ready/../../metrics"),
]


@pytest.mark.parametrize(("method", "path"), EVERYTHING)
def test_nothing_is_told_without_a_password(guarded: WebServer, method: str, path: str) -> None:
    """Not even which paths there are. The stream does not begin either."""
    for headers in ({}, {"Accept": "text/event-stream"}, basic(NAME, "wrong"), basic("nobody", PASSWORD)):
        response, body = ask(guarded, path, method=method, headers=headers)
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == 'Basic realm="vip-exporter", charset="UTF-8"'
        said = b"wrong user or password\n" if "Authorization" in headers else b"a user and a password are needed\n"
        assert body == (b"" if method == "HEAD" else said)


def test_probes_need_none(guarded: WebServer) -> None:
    """Whoever restarts pods has none."""
    for path in ("/-/healthy", "/-/ready", "/-/ready?x=y"):
        assert ask(guarded, path)[0].status == 200
        assert ask(guarded, path, headers=basic(NAME, "wrong"))[0].status == 200


def test_with_the_password_everything_is_as_without_users(guarded: WebServer, server: WebServer) -> None:
    for method, path in EVERYTHING:
        response, body = ask(guarded, path, method=method, headers=basic(NAME, PASSWORD))
        free, same = ask(server, path, method=method)
        if path == "/-/reload":
            assert (response.status, body) == (200, b"configuration reloaded\n")
        else:
            assert (response.status, body) == (free.status, same)


def test_who_tries_passwords_is_told_to_wait(guarded: WebServer) -> None:
    """And meanwhile whoever has logged in before goes on as if nothing were."""
    assert ask(guarded, "/metrics", headers=basic(NAME, PASSWORD))[0].status == 200
    answers = [ask(guarded, "/metrics", headers=basic(NAME, f"wrong {number}"))[0] for number in range(30)]
    assert {answer.status for answer in answers} == {401, 429}
    refused = answers[-1]
    assert refused.status == 429
    assert int(refused.headers["Retry-After"]) >= 1
    assert ask(guarded, "/metrics", headers=basic(NAME, PASSWORD))[0].status == 200


def test_who_tries_passwords_over_ipv6_keeps_nobody_else_waiting(app: App, door: Path, tmp_path: Path) -> None:
    """Neither does who has no address at all, at a unix socket."""
    server = app.server("[::1]:0", f"unix:{tmp_path}/vip.sock", door=door)
    server.start()

    def status(family: socket.AddressFamily, address: Any, password: str) -> int:
        with socket.socket(family) as client:
            client.settimeout(10)
            client.connect(address)
            login = basic(NAME, password)["Authorization"]
            client.sendall(f"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: {login}\r\n\r\n".encode())
            return int(read_all(client).split()[1])

    guesses = [status(socket.AF_INET6, ("::1", server.port), f"wrong {number}") for number in range(12)]
    assert guesses[-1] == 429
    assert status(socket.AF_UNIX, f"{tmp_path}/vip.sock", PASSWORD) == 200
    server.stop()


def test_two_headers_are_none(guarded: WebServer) -> None:
    good = basic(NAME, PASSWORD)["Authorization"].encode()
    head = b"GET /metrics HTTP/1.1\r\nHost: x\r\nAuthorization: " + good + b"\r\nAuthorization: " + good + b"\r\n\r\n"
    assert read_all(dial(guarded, head)).startswith(b"HTTP/1.1 401")


def test_a_password_in_the_url_is_no_password(guarded: WebServer) -> None:
    head = f"GET http://{NAME}:{PASSWORD.replace(' ', '%20')}@x/metrics HTTP/1.1\r\nHost: x\r\n\r\n".encode()
    assert not read_all(dial(guarded, head)).startswith(b"HTTP/1.1 200")


def test_a_stream_ends_when_other_users_are_in_force(guarded: WebServer, door: Path) -> None:
    head = f"GET /live HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n{LOGIN}\r\n\r\n".encode()
    watching = dial(guarded, head)
    assert b"200 OK" in watching.recv(1000)
    door.write_text(f"basic_auth_users:\n  {NAME}: {bcrypt.hashpw(b'another', bcrypt.gensalt(4)).decode()}\n")
    assert read_all(watching).endswith(b"0\r\n\r\n")
    assert read_all(dial(guarded, head)).startswith(b"HTTP/1.1 401")


# --- reloading --------------------------------------------------------------------------------------------------------


def started(app: App) -> WebServer:
    server = app.server()
    server.start()
    return server


def test_reloading_must_be_enabled(server: WebServer) -> None:
    response, body = ask(server, "/-/reload", method="POST")
    assert (response.status, body) == (403, b"not enabled: start vip-exporter with --web.enable-lifecycle\n")


def test_what_is_wrong_with_the_configuration_is_told(app: App) -> None:
    app.reload = lambda: Reloaded(problems=("a.yaml:1: log.level: bad\r\nvalue", "b.yaml:2: \ud800"))
    server = started(app)
    response, body = ask(server, "/-/reload", method="POST", body=b"ignored")
    assert (response.status, body) == (500, b"not reloaded:\na.yaml:1: log.level: bad value\nb.yaml:2: ?\n")
    server.stop()


def test_what_waits_for_a_restart_is_told(app: App) -> None:
    app.reload = lambda: Reloaded(waiting=("observer.name", "vip.period"))
    server = started(app)
    _, body = ask(server, "/-/reload", method="POST")
    assert body == b"configuration reloaded; for new values of observer.name, vip.period restart it\n"
    server.stop()


def test_no_web_page_reloads(app: App) -> None:
    reloaded: list[int] = []
    app.reload = lambda: reloaded.append(1) or Reloaded()
    server = started(app)
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{server.port}"):
        assert ask(server, "/-/reload", method="POST", headers={"Origin": origin})[0].status == 403
    assert not reloaded
    assert ask(server, "/-/reload", method="POST")[0].status == 200
    assert reloaded
    server.stop()


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE"])
def test_only_posts_reload(app: App, method: str) -> None:
    app.reload = lambda: 1 / 0
    server = started(app)
    response, _ = ask(server, "/-/reload", method=method)
    assert (response.status, response.headers["Allow"]) == (405, "POST")
    server.stop()


# --- TLS --------------------------------------------------------------------------------------------------------------


def test_with_tls_plain_http_gets_nothing(app: App, authority, tmp_path: Path) -> None:
    pair = authority.issue("server")
    door = tmp_path / "web.yaml"
    door.write_text(f"tls_server_config: {{cert_file: {pair.certificate}, key_file: {pair.key}}}\n")
    server = app.server(door=door)
    server.start()
    assert read_all(dial(server, b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")) == b""
    with authority.client().wrap_socket(dial(server), server_hostname="localhost") as client:
        client.sendall(b"GET /-/ready HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_all(client).endswith(b"ready\n")
    with pytest.raises(ssl.SSLError), authority.client().wrap_socket(dial(server), server_hostname="other") as client:
        pass
    server.stop()
