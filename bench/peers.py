"""The programs that listen: the exporter as in a pod, its peers as their packages ship them."""

from __future__ import annotations

import gzip
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.kernel_counts import Counts, KernelCounts
from bench.stage import DEVICE, VIPS, Exporter, Stage, cpu_seconds, resident

DEBIAN = Path(__file__).parent.parent / "build" / "debian"
"""Where `make bench` unpacks Debian's packages."""
EXPORTER = "the exporter"
_SECONDS_OF_CALM = 0.2
_CALM = 0.02
"""Of one core: a program that uses no more has read all there was."""
_SECONDS_TO_CALM = 60.0


@dataclass(frozen=True, slots=True)
class Listener:
    """A program that listens."""

    pid: int
    start: float
    """Seconds from before its process existed until the kernel handed it frames."""
    counts: Callable[[], Counts]
    """Of frames since this was last asked."""

    def settle(self) -> None:
        """Wait until it has read what there was.

        Raises:
            RuntimeError: it goes on and on.
        """
        until = time.perf_counter() + _SECONDS_TO_CALM
        used = None
        while used is None or cpu_seconds(self.pid) - used > _CALM * _SECONDS_OF_CALM:
            if time.perf_counter() > until:
                raise RuntimeError("a program that listens does not come to rest")
            used = cpu_seconds(self.pid)
            time.sleep(_SECONDS_OF_CALM)

    def rss(self) -> int:
        """Resident memory, in bytes."""
        return resident(self.pid)


@contextmanager
def listening(stage: Stage, name: str) -> Iterator[Listener]:
    """Run one of `LISTENERS` on the listener's core, and wait until it has come to rest.

    Raises:
        RuntimeError: it does not listen, or is not there.
    """
    with LISTENERS[name](stage) as listener:
        listener.settle()
        listener.counts()
        yield listener


@contextmanager
def _exporter(stage: Stage) -> Iterator[Listener]:
    with stage.exporter(*stage.intent_file(1)) as exporter:
        stage.place(exporter.pid)
        start = stage.wait_until_listens(exporter.begun, exporter.running)
        exporter.wait_until_served(f'vip="{VIPS[0]}"')
        yield Listener(exporter.pid, start, _counts(exporter))


def _counts(exporter: Exporter) -> Callable[[], Counts]:
    before = Counts(0, 0)

    def take() -> Counts:
        nonlocal before
        last, before = before, exporter.counts()
        return Counts(before.read - last.read, before.dropped - last.dropped)

    return take


@contextmanager
def _peer(stage: Stage, *command: str) -> Iterator[Listener]:
    libraries = ":".join(sorted({str(path.parent) for path in DEBIAN.glob("**/lib*.so.*")}))
    begun = time.perf_counter()
    with stage.run("env", f"LD_LIBRARY_PATH={libraries}", *command, quiet=True) as process:
        stage.place(process.pid)
        start = stage.wait_until_listens(begun, lambda: process.poll() is None)
        with KernelCounts(process.pid) as counts:
            yield Listener(process.pid, start, counts.take)


@contextmanager
def _arpwatch(stage: Stage) -> Iterator[Listener]:
    database = stage.directory / "arp.dat"
    database.touch()
    # -N and -p are the package's own options; -d is to stay in the foreground, with reports instead of mail.
    with _peer(stage, _program("sbin/arpwatch"), "-d", "-N", "-p", "-i", DEVICE, "-f", str(database)) as listener:
        yield listener


@contextmanager
def _arpalert(stage: Stage) -> Iterator[Listener]:
    """With the package's configuration but for paths, user and log, which are this machine's, and vendors' names."""
    program, text = _program("sbin/arpalert"), (DEBIAN / "etc/arpalert/arpalert.conf").read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(#.*|user\b.*|.*\bmac vendor\b.*)\n", "", text)
    for told, instead in (
        ('"/etc/arpalert', f'"{DEBIAN}/etc/arpalert'),
        ('"/var/lib/arpalert', f'"{stage.directory}'),
        ('"/var/run', f'"{stage.directory}'),
        ("use syslog = true", "use syslog = false"),
        ("log level = 6", "log level = 3"),
    ):
        if told not in text:
            raise RuntimeError(f"arpalert's configuration is not as expected: no {told}")
        text = text.replace(told, instead)
    path = stage.directory / "arpalert.conf"
    path.write_text(text, encoding="utf-8")
    with _peer(stage, program, "-f", str(path), "-i", DEVICE) as listener:
        yield listener


@contextmanager
def _tcpdump(stage: Stage) -> Iterator[Listener]:
    # The user to whom it would turn is made by the installation.
    with _peer(stage, _program("bin/tcpdump"), "-Z", "root", "-i", DEVICE, "-w", "/dev/null", "arp") as listener:
        yield listener


@contextmanager
def _scapy(stage: Stage) -> Iterator[Listener]:
    with _peer(stage, sys.executable, "-m", "bench.sniffer") as listener:
        yield listener


LISTENERS = {
    EXPORTER: _exporter,
    "arpwatch": _arpwatch,
    "arpalert": _arpalert,
    "tcpdump -w": _tcpdump,
    "scapy sniff": _scapy,
}
"""By the name that the tables have."""


def versions() -> str:
    """Of the peers."""
    debian = (f"{name} {_debian_version(name)}" for name in ("arpwatch", "arpalert", "tcpdump", "libpcap0.8"))
    return ", ".join((*debian, f"scapy {version('scapy')}"))


def _program(path: str) -> str:
    program = DEBIAN / "usr" / path
    if not program.exists():
        raise RuntimeError(f"{program.name} is not there: `make bench` unpacks it")
    return str(program)


def _debian_version(package: str) -> str:
    found = next((DEBIAN / "usr/share/doc" / package).glob("changelog.Debian.gz"))
    with gzip.open(found, "rt", encoding="utf-8") as changes:
        match = re.match(r"\S+ \((\S+)\)", changes.readline())
    return match[1] if match else "?"
