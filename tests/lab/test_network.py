"""The lab's network: what is in it, and that it goes away however it ends."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
import weakref
from pathlib import Path

import pytest

from exporter.lab import network
from exporter.lab.demo import Ended, _signals_raise
from exporter.lab.network import NODES, Host, LabUnavailableError, Network, inside
from tests.lab.conftest import leftovers


def mac_on(host: Host) -> str:
    def read() -> str:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sniffer:
            sniffer.bind((network.DEVICE, 0))
            mac: bytes = sniffer.getsockname()[4]
            return mac.hex(":")

    return inside(host.namespace, read)


def udp(host: Host) -> socket.socket:
    def open_inside() -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.settimeout(2)
        one.bind((str(host.address), 9999))
        return one

    return inside(host.namespace, open_inside)


def test_hosts_share_a_segment() -> None:
    """Each has its own address and MAC, the same in every run, and reaches each other one."""
    with Network() as lab:
        assert {name: (str(host.address), mac_on(host)) for name, host in lab.hosts.items()} == {
            "observer": ("192.0.2.10", "02:00:00:00:00:10"),
            "node-1": ("192.0.2.11", "02:00:00:00:00:11"),
            "node-2": ("192.0.2.12", "02:00:00:00:00:12"),
            "node-3": ("192.0.2.13", "02:00:00:00:00:13"),
        }
        with udp(lab.observer) as receiver:
            for name in NODES:
                with udp(lab.hosts[name]) as sender:
                    sender.sendto(name.encode(), (str(lab.observer.address), 9999))
                assert receiver.recvfrom(100) == (name.encode(), (str(lab.hosts[name].address), 9999))


def test_this_machine_reaches_the_observer_only() -> None:
    """A page served on the observer can be opened from here; there is no way from the observer to anywhere else."""
    with Network() as lab:
        server = inside(lab.observer.namespace, lambda: socket.create_server(("", 10150)))
        with server, socket.create_connection((str(lab.observer_address), 10150), timeout=2):
            pass

        def leave() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
                one.connect(("203.0.113.1", 9))

        with pytest.raises(OSError, match="unreachable"):
            inside(lab.observer.namespace, leave)


def test_interface_can_vanish_and_return() -> None:
    with Network() as lab:
        lab.detach("observer")
        with pytest.raises(OSError, match="No such device"):
            mac_on(lab.observer)
        lab.attach("observer")
        assert mac_on(lab.observer) == "02:00:00:00:00:10"


def test_removed_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), Network() as lab:
        assert leftovers(lab.prefix)
        raise ZeroDivisionError
    assert leftovers(lab.prefix) == set()


def test_removed_when_building_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was built before the failure does not stay."""

    def fail() -> None:
        raise LabUnavailableError("no room")

    monkeypatch.setattr(network, "_free_link", fail)
    with pytest.raises(LabUnavailableError, match="no room"), Network():
        pass


def test_a_killed_run_is_cleaned_up_by_its_successor() -> None:
    """One that has the same name, as after a reuse of the process id."""
    killed = Network(prefix="vipx-killed")
    killed.__enter__()
    with Network(prefix="vipx-killed") as lab:
        assert len(leftovers(lab.prefix)) == 6


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_demo_removes_everything_on_a_signal(number: signal.Signals) -> None:
    """Also when the signal comes twice, by somebody impatient."""
    command = [sys.executable, "-m", "exporter", "demo", "--fast"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "takes over" in line:
                break
        assert leftovers(f"vipx-{demo.pid}")
        demo.send_signal(number)
        demo.send_signal(number)
        rest = demo.stdout.read()
    assert demo.returncode == 128 + number
    assert "everything is cleaned up" in rest
    assert leftovers(f"vipx-{demo.pid}") == set()


def test_a_signal_in_a_callback_that_drops_exceptions_is_not_lost() -> None:
    """As while a thread's object is cleaned up, which goes on all the time in the lab."""

    class Something:
        pass

    with pytest.raises(Ended) as ended, _signals_raise():
        something = Something()
        reference = weakref.ref(something, lambda _: signal.raise_signal(signal.SIGTERM))
        del something
        assert reference() is None
        time.sleep(5)
    assert ended.value.status == 128 + signal.SIGTERM


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 65534)
    with pytest.raises(LabUnavailableError, match="network namespaces need root"), Network():
        pass


def test_without_iproute2_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with monkeypatch.context() as patch, pytest.raises(LabUnavailableError, match="install iproute2"):
        patch.setenv("PATH", str(tmp_path))
        with Network():
            pass
