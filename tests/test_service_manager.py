"""What a service manager is told: by the protocol alone, and by the program as a process."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter import log
from exporter.app import App
from exporter.cli.looking import intent_of
from exporter.config import Config
from exporter.config.values import ADDRESS
from exporter.publish.web.door import FrontDoor
from exporter.service_manager import LONGEST_STATUS, ServiceManager
from tests.e2e.running import free_port, until

INTENT = "vips:\n  - {address: 192.0.2.100}\n"


class Manager:
    """The other end of the socket."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """The datagrams since this was last asked."""
        told = []
        while True:
            try:
                told.append(self._socket.recv(65536).decode())
            except BlockingIOError:
                return told

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    listening = Manager(str(tmp_path / "notify"))
    yield listening
    listening.close()


@pytest.fixture
def teller(manager: Manager) -> ServiceManager:
    return ServiceManager({"NOTIFY_SOCKET": manager.name})


def test_without_a_manager_nothing_happens() -> None:
    nobody = ServiceManager({"WATCHDOG_USEC": "1000000"})
    nobody.tell(ready=True, status="well")
    nobody.sign_of_life()
    with nobody.reloading():
        pass
    nobody.stopping()
    assert (nobody.listens, nobody.sign_of_life_every) == (False, None)


def test_a_socket_in_the_abstract_namespace_is_reached() -> None:
    listening = Manager(f"@vip-exporter-test-{uuid.uuid4().hex}")
    ServiceManager({"NOTIFY_SOCKET": listening.name}).stopping()
    assert listening.heard() == ["STOPPING=1"]
    listening.close()


class TestTell:
    def test_ready_is_said_once_and_the_status_when_it_changes(self, manager, teller) -> None:
        teller.tell(ready=False, status="not yet")
        teller.tell(ready=True, status="well")
        teller.tell(ready=True, status="well")
        teller.tell(ready=False, status="deaf")
        teller.tell(ready=True, status="well")
        assert manager.heard() == ["STATUS=not yet", "READY=1\nSTATUS=well", "STATUS=deaf", "STATUS=well"]

    def test_what_could_not_be_said_is_said_the_next_time(self, tmp_path) -> None:
        teller = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        teller.tell(ready=True, status="well")
        late = Manager(str(tmp_path / "notify"))
        teller.tell(ready=True, status="well")
        assert late.heard() == ["READY=1\nSTATUS=well"]
        late.close()

    def test_a_status_cannot_give_orders(self, manager, teller) -> None:
        teller.tell(ready=False, status="node-1\nMAINPID=1\r\x1b[31m\u2028")
        assert manager.heard() == [r"STATUS=node-1\nMAINPID=1\r\x1b[31m\u2028"]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.text(st.characters(), min_size=1, max_size=2 * LONGEST_STATUS))
    def test_any_status_is_one_printable_line_of_bounded_length(self, manager, text) -> None:
        ServiceManager({"NOTIFY_SOCKET": manager.name}).tell(ready=False, status=text)
        (datagram,) = manager.heard()
        line = datagram.removeprefix("STATUS=")
        assert line.isprintable()
        assert len(line) <= LONGEST_STATUS


class TestReloading:
    def test_it_is_said_with_the_time_and_taken_back_however_it_ends(self, manager, teller) -> None:
        teller.tell(ready=True, status="well")
        manager.heard()
        begun = time.monotonic_ns() // 1000
        with pytest.raises(OSError, match="disk"), teller.reloading():
            (datagram,) = manager.heard()
            raise OSError("disk")
        said, _, at = datagram.partition("\nMONOTONIC_USEC=")
        assert said == "RELOADING=1"
        assert begun <= int(at) <= time.monotonic_ns() // 1000
        assert manager.heard() == ["READY=1"]

    def test_what_is_not_ready_yet_does_not_become_so_by_a_reload(self, manager, teller) -> None:
        with teller.reloading():
            pass
        assert manager.heard() == []


class TestWatchdog:
    @pytest.mark.parametrize(
        ("environment", "every"),
        [
            ({}, None),
            ({"WATCHDOG_USEC": "30000000"}, 15_000_000_000),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 15_000_000_000),
            ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
            ({"WATCHDOG_USEC": "0"}, None),
            ({"WATCHDOG_USEC": "18446744073709551615"}, None),  # WatchdogSec=infinity
            ({"WATCHDOG_USEC": "often"}, None),
            ({"WATCHDOG_USEC": "-1"}, None),
        ],
    )
    def test_signs_of_life_come_twice_as_often_as_they_must(self, environment, every) -> None:
        assert ServiceManager({"NOTIFY_SOCKET": "/nowhere", **environment}).sign_of_life_every == every

    def test_a_sign_of_life(self, manager, teller) -> None:
        teller.sign_of_life()
        assert manager.heard() == ["WATCHDOG=1"]


class TestTrouble:
    @pytest.fixture
    def written(self, capsys):
        log.configure(level="info", format="logfmt")
        return lambda: capsys.readouterr().err

    @pytest.mark.parametrize("name", ["/nowhere/notify", "vsock:2:1234", "/" + 200 * "x"])
    def test_a_manager_out_of_reach_is_logged_once(self, name, written) -> None:
        teller = ServiceManager({"NOTIFY_SOCKET": name})
        teller.sign_of_life()
        teller.sign_of_life()
        assert written().count("the service manager cannot be told how it is") == 1

    def test_one_that_does_not_read_is_not_waited_for_long(self, manager, teller, written) -> None:
        begun = time.monotonic()
        while not written():
            teller.sign_of_life()
            assert time.monotonic() - begun < 10
        assert set(manager.heard()) == {"WATCHDOG=1"}


@pytest.fixture
def intent(tmp_path: Path) -> Path:
    path = tmp_path / "vips.yaml"
    path.write_text(INTENT)
    return path


def test_the_program_says_that_it_is_ready_alive_reloading_and_stopping(manager, intent) -> None:
    port = free_port()
    arguments = (f"--intent.file={intent}", "--capture.interface=lo", f"--web.listen-address=127.0.0.1:{port}")
    process = subprocess.Popen(
        [sys.executable, "-m", "exporter", *arguments],
        env={**os.environ, "NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"},
        stderr=subprocess.DEVNULL,
    )
    told: list[str] = []

    def says(words: str) -> bool:
        told.extend(manager.heard())
        return any(words in datagram for datagram in told)

    try:
        until(lambda: says("READY=1\nSTATUS="))
        with socket.create_connection(("127.0.0.1", port)):
            pass
        until(lambda: says("192.0.2.100 unknown"))
        until(lambda: says("WATCHDOG=1"))
        process.send_signal(signal.SIGHUP)
        until(lambda: says("RELOADING=1\nMONOTONIC_USEC="))
        until(lambda: says("READY=1") and "READY=1" in told)
        intent.write_text("vips: nonsense\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: says("the configuration is wrong"))
        process.terminate()
        assert process.wait(5) == 0
        assert says("STOPPING=1")
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize(
    ("kill", "reason"),
    [
        (lambda app: app._inputs.captures[0].stop(), "the capture thread of lo has ended"),
        (lambda app: app._web.stop(), "the web server's thread has ended"),
    ],
    ids=["capture", "web"],
)
def test_a_dead_thread_ends_the_signs_of_life_and_the_status_says_why(manager, intent, kill, reason) -> None:
    config = Config(
        intent_file=intent, capture_interface=("lo",), web_listen_address=(ADDRESS.parse(f"127.0.0.1:{free_port()}"),)
    )
    app = App(
        config,
        intent_of(config),
        door=FrontDoor(None),
        reload=lambda: None,
        manager=ServiceManager({"NOTIFY_SOCKET": manager.name, "WATCHDOG_USEC": "400000"}),
    )
    app.start()
    try:
        until(lambda: "WATCHDOG=1" in manager.heard())
        kill(app)
        until(lambda: f"STATUS={reason}" in manager.heard())
        time.sleep(1)  # five times as long as between two of them
        assert "WATCHDOG=1" not in manager.heard()
    finally:
        app.stop()
