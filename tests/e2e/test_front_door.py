"""The front door of a running exporter, as curl meets it: addresses, TLS, users, and what is read anew when."""

from __future__ import annotations

import base64
import contextlib
import itertools
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread

import bcrypt
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.running import Exporter, exporter, free_port, until
from tests.publish.web.certificates import Authority, Pair

USER = ("--user", "operator:s3cret:with a colon")


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def curl(*arguments: str) -> tuple[int, int, str]:
    """curl's exit status, the HTTP status and the body."""
    command = ["curl", "--silent", "--max-time", "10", "--noproxy", "*", "--write-out", "\n%{http_code}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    body, _, status = done.stdout.rpartition("\n")
    return done.returncode, int(status), body


@dataclass
class House:
    """Files of a web configuration, and what an exporter is told to find them."""

    directory: Path
    authority: Authority
    server: Pair

    @property
    def file(self) -> Path:
        return self.directory / "web.yaml"

    def write(self, *lines: str) -> None:
        # As a whole: a file that is half written is read as what it says.
        fresh = self.directory / "fresh.yaml"
        fresh.write_text("\n".join(lines) + "\n")
        fresh.rename(self.file)

    def with_tls(self, *lines: str) -> None:
        tls = ["tls_server_config:", f"  cert_file: {self.server.certificate}", f"  key_file: {self.server.key}"]
        self.write(*tls, *lines)

    def arguments(self) -> list[str]:
        intent = self.directory / "intent.yaml"
        intent.write_text("vips:\n  - {address: 192.0.2.100, vipHost: node-1}\n")
        return [f"--intent.file={intent}", "--capture.interface=lo", f"--web.config.file={self.file}"]


@pytest.fixture
def house(tmp_path: Path) -> House:
    authority = Authority(tmp_path)
    return House(tmp_path, authority, authority.issue("server"))


@pytest.fixture
def running(house: House) -> Iterator[Exporter]:
    """With TLS and a user."""
    house.with_tls("basic_auth_users:", f"  operator: {hashed('s3cret:with a colon')}")
    arguments = [*house.arguments(), "--web.enable-lifecycle"]
    with exporter(house.directory, *arguments, client=house.authority.client()) as program:
        yield program


def value(running: Exporter, house: House, name: str) -> float:
    _, _, text = curl("--cacert", str(house.authority.certificate), *USER, f"{running.url}/metrics")
    families = text_string_to_metric_families(text)
    (sample,) = [sample for family in families for sample in family.samples if sample.name == name]
    return sample.value


def test_tls_and_a_user(running: Exporter, house: House) -> None:
    trusted = ("--cacert", str(house.authority.certificate))
    assert curl(*trusted, *USER, f"{running.url}/metrics")[:2] == (0, 200)
    assert curl(*trusted, *USER, "--tlsv1.3", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256", f"{running.url}/")[:2] == (
        0,
        200,
    )
    assert curl(*trusted, *USER, "--tls-max", "1.2", f"{running.url}/")[:2] == (0, 200)
    assert curl(*trusted, f"{running.url}/metrics")[1] == 401
    assert curl(*trusted, "--user", "operator:s3cret", f"{running.url}/api/v1/vips")[1] == 401
    assert curl(*trusted, f"{running.url}/-/ready") == (0, 200, "ok\n")
    assert curl(f"{running.url}/-/ready")[0] == 60, "curl believes a certificate of nobody it knows"
    assert curl(f"http://127.0.0.1:{running.port}/-/ready")[0] != 0
    assert curl(*trusted, "--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0", f"{running.url}/-/ready")[0] != 0


def test_the_page_streams_over_tls(running: Exporter, house: House) -> None:
    arguments = ("--cacert", str(house.authority.certificate), *USER, "--header", "Accept: text/event-stream")
    code, status, body = curl(*arguments, "--max-time", "7", f"{running.url}/live")
    assert (code, status) == (28, 200), "it goes on until the client has enough"
    assert body.startswith("retry: ")
    assert body.count("\ndata: ") >= 2


def test_a_renewed_certificate_is_shown_to_the_next_client(running: Exporter, house: House) -> None:
    """And to none but who trusts its authority; nothing was reloaded or restarted."""
    (other := house.directory / "other").mkdir()
    successor = Authority(other, "successor")
    successor.issue("server").copy_to(house.server)
    until(lambda: curl("--cacert", str(successor.certificate), f"{running.url}/-/ready")[:2] == (0, 200))
    assert curl("--cacert", str(house.authority.certificate), f"{running.url}/-/ready")[0] == 60


def test_a_password_that_is_changed_is_in_force_at_once(running: Exporter, house: House) -> None:
    trusted = ("--cacert", str(house.authority.certificate))
    assert curl(*trusted, *USER, f"{running.url}/metrics")[1] == 200
    house.with_tls("basic_auth_users:", f"  operator: {hashed('another')}")
    until(lambda: curl(*trusted, "--user", "operator:another", f"{running.url}/metrics")[1] == 200)
    assert curl(*trusted, *USER, f"{running.url}/metrics")[1] == 401


def test_a_wrong_file_changes_nothing_and_shows(running: Exporter, house: House) -> None:
    """Whether it is found by a look, by a signal or by a request to reload."""
    trusted = ("--cacert", str(house.authority.certificate))
    assert value(running, house, "vip_exporter_config_last_reload_successful") == 1
    house.with_tls("basic_auth_user:", "  operator: x")
    until(lambda: value(running, house, "vip_exporter_config_last_reload_successful") == 0)
    running.process.send_signal(signal.SIGHUP)
    until(lambda: "configuration not reloaded" in running.log)
    code, status, body = curl(*trusted, *USER, "--request", "POST", f"{running.url}/-/reload")
    assert (code, status) == (0, 500)
    assert f"{house.file}:4: basic_auth_user: unknown key; did you mean basic_auth_users?" in body
    assert curl(*trusted, f"{running.url}/metrics")[1] == 401
    house.with_tls("basic_auth_users:", f"  operator: {hashed('s3cret:with a colon')}")
    code, status, body = curl(*trusted, *USER, "--request", "POST", f"{running.url}/-/reload")
    assert (code, status, body) == (0, 200, "configuration reloaded\n")
    assert value(running, house, "vip_exporter_config_last_reload_successful") == 1


@pytest.mark.parametrize(
    ("kind", "anybody", "known"),
    [("RequireAndVerifyClientCert", False, True), ("VerifyClientCertIfGiven", True, True)],
)
def test_client_certificates(house: House, kind: str, anybody: bool, known: bool) -> None:
    (other := house.directory / "other").mkdir()
    stranger = Authority(other, "stranger").issue("client")
    friend = house.authority.issue("client")
    house.with_tls(f"  client_auth_type: {kind}", f"  client_ca_file: {house.authority.certificate}")
    with exporter(house.directory, *house.arguments(), client=house.authority.client(friend)) as running:

        def comes_in(*more: str) -> bool:
            return curl("--cacert", str(house.authority.certificate), *more, f"{running.url}/metrics")[:2] == (0, 200)

        assert comes_in() is anybody
        assert comes_in("--cert", str(friend.certificate), "--key", str(friend.key)) is known
        assert not comes_in("--cert", str(stranger.certificate), "--key", str(stranger.key))


def test_several_addresses_of_every_kind(house: House) -> None:
    """With one front door for all of them."""
    house.write("basic_auth_users:", f"  operator: {hashed('s3cret:with a colon')}")
    path, port = house.directory / "vip.sock", free_port()
    more = [f"--web.listen-address=unix:{path}", f"--web.listen-address=[::1]:{port}"]
    with exporter(house.directory, *house.arguments(), *more) as running:
        for url in (
            (running.url,),
            ("--globoff", f"http://[::1]:{port}"),
            ("--unix-socket", str(path), "http://localhost"),
        ):
            assert curl(*USER, *url[:-1], f"{url[-1]}/metrics")[:2] == (0, 200)
            assert curl(*url[:-1], f"{url[-1]}/metrics")[1] == 401
            assert curl(*url[:-1], f"{url[-1]}/-/ready") == (0, 200, "ok\n")
        assert stat.S_IMODE(path.stat().st_mode) & 0o007 == 0
    assert not path.exists()


def test_a_socket_left_behind_by_a_kill_is_taken_over(house: House) -> None:
    house.write("")
    path = house.directory / "vip.sock"
    more = [*house.arguments(), f"--web.listen-address=unix:{path}"]
    with exporter(house.directory, *more) as running:
        running.process.kill()
        running.process.wait()
    assert path.is_socket()
    with exporter(house.directory, *more):
        assert curl("--unix-socket", str(path), "http://localhost/-/ready") == (0, 200, "ok\n")


def test_two_exporters_do_not_share_a_socket(house: House) -> None:
    house.write("")
    path = house.directory / "vip.sock"
    more = [*house.arguments(), f"--web.listen-address=unix:{path}"]
    with exporter(house.directory, *more):
        command = [sys.executable, "-m", "exporter", *more]
        second = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert second.returncode == 1
        assert "--web.listen-address: cannot listen on" in second.stderr
        assert curl("--unix-socket", str(path), "http://localhost/-/ready") == (0, 200, "ok\n")


def test_whatever_is_wrong_with_the_web_configuration_is_told_before_the_start(house: House) -> None:
    house.write("tls_server_config: {cert_file: none.pem, min_version: TLS10}", "rate_limit: {}")
    command = [sys.executable, "-m", "exporter", *house.arguments()]
    for more in ([], ["--config.check"]):
        done = subprocess.run([*command, *more], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == os.EX_USAGE
        lines = done.stderr.splitlines()
        for words in (
            f"{house.file}:1: tls_server_config.key_file",
            f"{house.file}:1: tls_server_config.min_version",
            f"{house.file}:2: rate_limit",
        ):
            assert any(words in line for line in lines), done.stderr


def test_it_ends_well_while_passwords_are_guessed(house: House) -> None:
    """A check that is under way is waited for: Python would abort the whole process inside of bcrypt."""
    house.write("basic_auth_users:", f"  operator: {bcrypt.hashpw(b'secret', bcrypt.gensalt(10)).decode()}")
    for _ in range(3):
        with exporter(house.directory, *house.arguments()) as running, guessing(running.port):
            until(lambda: "login refused" in running.log)
            began = time.monotonic()
            running.process.terminate()
            assert running.process.wait(10) == 0, running.log
            assert time.monotonic() - began < 3


@contextmanager
def guessing(port: int) -> Iterator[None]:
    """Twelve clients that try one password after the other."""
    stop = Event()

    def guess(client: int) -> None:
        for number in itertools.count():
            credentials = base64.b64encode(f"operator:{client} {number}".encode())
            head = b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + credentials + b"\r\n\r\n"
            with contextlib.suppress(OSError):
                address = ("127.0.0.1", port)
                with socket.create_connection(address, 5, source_address=(f"127.0.2.{client}", 0)) as connection:
                    connection.sendall(head)
                    connection.recv(100)
            if stop.wait(0.01):
                return

    threads = [Thread(target=guess, args=(client,)) for client in range(1, 13)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
