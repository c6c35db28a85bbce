"""Every thread made to die: the program ends with status 1 and says which, for its supervisor to start it anew."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from exporter.lab.kubeapi import KubeAPI
from exporter.lab.network import inside
from tests import netns
from tests.cluster.conftest import service
from tests.e2e.running import until
from tests.faults.doomed import ENEMY, HANG
from tests.faults.world import PATIENCE, VIP, Program, World

WITHOUT_KUBERNETES = {
    "capture-eth0": "the capture thread of eth0 has ended",
    "host": "the thread that watches this host has ended",
    "APScheduler": "the scheduler's thread has ended",
    "scheduler-clock": "the scheduler's thread has ended",
    "web": "the web server's thread has ended",
}
"""Those that last, with what is said of their death."""
A_WATCH = "watch kube-system/ingress-expose"
"""One of Kubernetes'; which others there are depends on what is in it."""
SHORT_LIVED = ("job ", "web-answer")
"""They end by themselves, and are begun anew each time."""


@contextmanager
def doomed(world: World, *sources: str) -> Iterator[Program]:
    """An exporter with everything that makes threads, a state file and a service manager that is not there too."""
    with world.exporter(
        f"--state.path={world.directory / 'state.db'}",
        *sources,
        module=("tests.faults.doomed",),
        environment={"NOTIFY_SOCKET": str(world.directory / "nobody"), "WATCHDOG_USEC": "400000"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as program:
        yield program.ready()


@contextmanager
def doomed_with_kubernetes(world: World) -> Iterator[Program]:
    api = KubeAPI(token="secret", bookmark_seconds=0.2)
    inside(world.wire.here, api.start)
    try:
        api.apply("services", service(ip=str(VIP)))
        kubeconfig = api.write_kubeconfig(world.directory / "kubeconfig")
        with doomed(world, f"--kubernetes.kubeconfig={kubeconfig}") as program:
            program.eventually(lambda scrape: scrape.value("vip_exporter_kubernetes_up") == 1)
            yield program
    finally:
        api.stop()


def tell(program: Program, words: str) -> str:
    program.process.stdin.write(f"{words}\n".encode())
    program.process.stdin.flush()
    return program.process.stdout.readline().decode().strip()


def disturb(program: Program, done: threading.Event) -> None:
    """Give every thread something to do, since one that waits does not die before it wakes."""
    here = program.world.wire.here
    while not done.wait(0.1):
        for verb in ("add", "del"):
            netns.ip("-n", here, "address", verb, "198.51.100.1/24", "dev", netns.DEVICE)
        program.world.announce()
        program.ask("/-/healthy")


@contextmanager
def disturbed(program: Program) -> Iterator[None]:
    done = threading.Event()
    disturbing = threading.Thread(target=disturb, args=(program, done))
    disturbing.start()
    try:
        yield
    finally:
        done.set()
        disturbing.join()


def ends(program: Program, name: str, said: str) -> None:
    """Make a thread die, and see how the program ends."""
    with disturbed(program):
        tell(program, name)  # it may be gone before it can answer
        assert program.status() == 1
    assert said in program.log
    assert "msg=stopped" in program.log
    assert "Traceback" not in program.log


@pytest.mark.parametrize(("name", "said"), WITHOUT_KUBERNETES.items(), ids=WITHOUT_KUBERNETES)
def test_a_thread_that_dies_ends_the_program(world: World, name: str, said: str) -> None:
    """Whoever watches it sees that, be it systemd, the kubelet or a shell; none is needed that asks how it does."""
    with doomed(world, f"--intent.file={world.intent}") as program:
        ends(program, name, said)


def test_a_watch_of_kubernetes_that_dies_ends_the_program(world: World) -> None:
    """What it watched would else grow old, and be believed for a while. Beside it, all threads are known."""
    with doomed_with_kubernetes(world) as program:
        seen = set(json.loads(tell(program, ""))) - {"MainThread", ENEMY}
        lasting = {name for name in seen if not name.startswith(SHORT_LIVED)}
        assert A_WATCH in lasting
        # Whoever adds one must say above what becomes of the exporter when it dies.
        assert {name for name in lasting if not name.startswith("watch ")} == WITHOUT_KUBERNETES.keys()
        ends(program, A_WATCH, "the thread that watches kube-system/ingress-expose has ended")


def hang(program: Program) -> None:
    program.process.stdin.write(f"{HANG}\n".encode())
    program.process.stdin.flush()


def test_a_core_that_hangs_ends_the_program(world: World) -> None:
    """First it says that it is not healthy. Where nobody asks, it ends, and has written where each thread was."""
    with doomed(world, f"--intent.file={world.intent}") as program:
        hang(program)
        until(lambda: program.ask("/-/healthy")[0] != 200, PATIENCE)
        assert program.status() == 1
        assert "it stands still, and ends" in program.log
        assert "no reconciliation for" in program.log
        assert "in _reconcile" in program.log


def test_a_core_that_hangs_does_not_keep_it_from_being_stopped(world: World) -> None:
    """In ten seconds at most, which is what systemd waits for. What hung is in the log."""
    with doomed(world, f"--intent.file={world.intent}") as program:
        hang(program)
        until(lambda: program.ask("/-/healthy")[0] != 200, PATIENCE)
        program.process.terminate()
        assert program.status() == 1
        assert "Timeout" in program.log
        assert "in _remember" in program.log
