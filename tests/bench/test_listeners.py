"""The measuring instruments themselves: what is counted is what was sent, whoever listens."""

from __future__ import annotations

import re
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bench.frames import CONTESTED, OTHERS
from bench.kernel_counts import KernelCounts
from bench.peers import EXPORTER, Listener, listening
from bench.stage import DEVICE, LISTENER_CORE, Stage, cpu_seconds, open_stage

FRAMES = 2_000
CAP_NET_RAW = 13
SLEEPER = textwrap.dedent(f"""
    import socket, sys
    listener = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    listener.bind(("{DEVICE}", 3))
    sys.stdin.read(1)
    listener.setblocking(False)
    frames = 0
    while True:
        try:
            listener.recv(2048)
        except BlockingIOError:
            break
        frames += 1
    print(frames, flush=True)
    sys.stdin.read()
""")
"""Listens with the smallest buffer that there is, reads when it is told to, and says how many frames there were."""


@pytest.fixture(scope="module")
def stage():
    with open_stage() as stage:
        yield stage


@pytest.fixture(scope="module")
def exporter(stage: Stage):
    with listening(stage, EXPORTER) as listener:
        yield listener


def test_frames_that_another_process_has_no_room_for_are_counted_as_dropped(stage: Stage) -> None:
    with stage.run(sys.executable, "-c", SLEEPER) as process, stage.sender(CONTESTED) as sender:
        stage.wait_until_listens(time.perf_counter(), lambda: process.poll() is None)
        with KernelCounts(process.pid) as counts:
            sender.send(FRAMES)
            first = counts.take()
            assert first.read + first.dropped == FRAMES
            assert 0 < first.read < FRAMES
            assert counts.take() == (0, 0), "each answer begins anew"
        process.stdin.write(b"\n")
        process.stdin.flush()
        assert int(process.stdout.readline()) == first.read


def test_what_ends_before_it_listens_is_an_error(stage: Stage) -> None:
    # Before the tests below: their exporter listens.
    begun = time.perf_counter()
    with (
        stage.run(sys.executable, "-c", "") as process,
        pytest.raises(RuntimeError, match="should listen does not"),
    ):
        process.wait(30)
        stage.wait_until_listens(begun, lambda: process.poll() is None)


def test_a_process_without_a_packet_socket_cannot_be_counted(stage: Stage) -> None:
    with (
        stage.run(sys.executable, "-c", "input()") as process,
        pytest.raises(RuntimeError, match="has no packet socket"),
        KernelCounts(process.pid),
    ):
        pass


def test_a_listener_is_measured_once_it_listens_and_has_read_what_there_was(exporter: Listener, stage: Stage) -> None:
    assert exporter.start > 0
    used = cpu_seconds(exporter.pid)
    with stage.sender(CONTESTED) as sender:
        sender.send_paced(100, rate=1_000)
    exporter.settle()
    assert exporter.counts() == (100, 0)
    assert exporter.counts() == (0, 0)
    assert cpu_seconds(exporter.pid) > used


def test_the_exporter_listens_on_its_core_and_with_no_right_but_to_capture(exporter: Listener) -> None:
    status = dict(re.findall(r"(\w+):\t(.*)", Path(f"/proc/{exporter.pid}/status").read_text(encoding="ascii")))
    assert {int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")} == {1 << CAP_NET_RAW}
    assert status["Cpus_allowed_list"] == str(LISTENER_CORE)


def test_the_exporter_reads_nothing_of_a_storm_about_others(exporter: Listener, stage: Stage) -> None:
    arrived = stage.frames_received()
    with stage.sender(OTHERS) as sender:
        sender.send(FRAMES)
    exporter.settle()
    assert stage.frames_received() - arrived == FRAMES
    assert exporter.counts() == (0, 0)
