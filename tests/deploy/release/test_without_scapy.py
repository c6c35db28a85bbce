"""scapy, whose licence not everybody can pass on, may be left out: all but `replay` and `demo` works without it.

Real processes on a real wire, for which scapy cannot be imported.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest

from exporter.vip.model import Mac
from exporter.wire import craft
from tests import netns
from tests.e2e.running import until

VIP = "192.0.2.100"
MAC = Mac(bytes.fromhex("02000000000b"))
MISSING = "raise ModuleNotFoundError(\"No module named 'scapy'\", name='scapy')\n"


@pytest.fixture(scope="module")
def without_scapy(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that cannot import it."""
    folder = tmp_path_factory.mktemp("nowhere")
    (folder / "scapy.py").write_text(MISSING)
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def wire() -> Iterator[netns.Wire]:
    """A wire on which node-2 announces the VIP."""
    frame = craft.announcement(ip_address(VIP), MAC)
    with netns.wire() as wire:
        done = threading.Event()

        def announce() -> None:
            while not done.wait(0.5):
                wire.send([frame])

        announcer = threading.Thread(target=announce)
        announcer.start()
        try:
            yield wire
        finally:
            done.set()
            announcer.join()


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    intent = tmp_path / "vips.yaml"
    intent.write_text(f"vips:\n  - address: {VIP}\nnodes:\n  - {{name: node-2, macs: ['02:00:00:00:00:0b']}}\n")
    return ["--intent.file", str(intent), "--capture.interface", netns.DEVICE]


def command(wire: netns.Wire, *arguments: str) -> list[str]:
    return ["ip", "netns", "exec", wire.here, sys.executable, "-m", "exporter", *arguments]


def test_scapy_cannot_be_imported(without_scapy) -> None:
    """Otherwise the tests below prove nothing."""
    done = subprocess.run([sys.executable, "-c", "import scapy"], env=without_scapy, capture_output=True, check=False)
    assert b"No module named 'scapy'" in done.stderr


def test_run_hears_and_serves(wire, settings, without_scapy, tmp_path) -> None:
    listen = tmp_path / "web.sock"
    process = subprocess.Popen(
        command(wire, "run", *settings, f"--web.listen-address=unix:{listen}"), env=without_scapy
    )
    try:

        def scrape() -> str:
            assert process.poll() is None
            asked = ["curl", "-s", "--unix-socket", str(listen), "http://vip-exporter/metrics"]
            return subprocess.run(asked, capture_output=True, text=True, check=False).stdout

        until(lambda: 'vip_holder_info{holder="node-2"' in scrape())
    finally:
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [("who", 0, "192.0.2.100  node-2"), ("check", 0, "held by node-2")],
    ids=["who", "check"],
)
def test_a_look_answers(wire, settings, without_scapy, name, status, says) -> None:
    done = subprocess.run(
        command(wire, name, *settings), env=without_scapy, capture_output=True, text=True, timeout=40, check=False
    )
    assert says in done.stdout, done.stderr
    assert done.returncode == status, done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("arguments", [("replay", "{capture}"), ("demo",)], ids=["replay", "demo"])
def test_the_others_say_what_is_missing(without_scapy, tmp_path, arguments) -> None:
    capture = tmp_path / "some.pcap"
    craft.write_capture(capture, [(0, craft.announcement(ip_address(VIP), MAC))])
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *(argument.format(capture=capture) for argument in arguments)],
        env=without_scapy,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert f"vip-exporter: {arguments[0]} needs scapy, which is not installed here" in done.stderr
    assert "Traceback" not in done.stderr
