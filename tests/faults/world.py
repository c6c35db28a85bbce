"""A cable with a real exporter at one end, as a process of its own, and somebody who announces VIPs at the other."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from prometheus_client.parser import text_string_to_metric_families

from exporter.lab.network import inside
from exporter.vip.model import Mac
from exporter.wire import craft
from tests import netns
from tests.e2e.conftest import Scrape
from tests.e2e.running import until

PORT = 10150
VIP = IPv4Address("192.0.2.100")
INTENT = f"vips:\n  - {{address: {VIP}, period: 60s}}\n"
"""Nothing grows old while a slow machine tests: grace is two minutes."""
PATIENCE = 40.0
"""Seconds for what takes one: these tests run beside others, and after them."""

_OPENER = build_opener(ProxyHandler({}))


def mac(number: int) -> Mac:
    return Mac(b"\x02" + number.to_bytes(5, "big"))


class World:
    """The cable, and what is done with it."""

    def __init__(self, wire: netns.Wire, directory: Path) -> None:
        self.wire = wire
        self.directory = directory
        self.sent = 0
        self.log = directory / "exporter.log"
        netns.ip("-n", wire.here, "link", "set", "lo", "up")
        self.intent = directory / "vips.yaml"
        self.intent.write_text(INTENT)

    def announce(self, number: int = 1, *, by: int = 1) -> None:
        """Send so many announcements of the VIP, by the node of that number."""
        self.wire.send([craft.announcement(VIP, mac(by))] * number)
        self.sent += number

    @contextmanager
    def exporter(
        self,
        *arguments: str,
        module: Sequence[str] = ("exporter",),
        before: str = "",
        device: str = netns.DEVICE,
        **options,
    ) -> Iterator[Program]:
        """Run one; what is still there at the end is killed.

        Args:
            arguments: after those that it needs here.
            module: what Python runs, with its own arguments.
            before: what a shell does first, in a mount namespace that lives as long as the program does.
            device: what it listens on.
        """
        command = [
            *("ip", "netns", "exec", self.wire.here, "sh", "-ec", f'{before}\nexec "$@"', "sh"),
            *(sys.executable, "-m", *module, f"--capture.interface={device}"),
            *(f"--web.listen-address=127.0.0.1:{PORT}", *arguments),
        ]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("VIP_EXPORTER_")}
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                command,
                stdout=options.pop("stdout", log),
                stderr=log,
                env=environment | {"PYTHONFAULTHANDLER": "1"} | options.pop("environment", {}),
                **options,
            )
        try:
            yield Program(self, process)
        finally:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


class Program:
    """An exporter that runs."""

    def __init__(self, world: World, process: subprocess.Popen[bytes]) -> None:
        self.world = world
        self.process = process

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body of an answer; 0: there was none."""

        def fetch() -> tuple[int, str]:
            try:
                with _OPENER.open(f"http://127.0.0.1:{PORT}{path}", timeout=20) as answer:
                    return answer.status, answer.read().decode()
            except HTTPError as error:
                with error:
                    return error.code, error.read().decode()
            except OSError:
                return 0, ""

        return inside(self.world.wire.here, fetch)

    def ready(self) -> Program:
        def is_ready() -> bool:
            assert self.process.poll() is None, self.log
            return self.ask("/-/ready")[0] == 200

        until(is_ready, PATIENCE)
        return self

    def scrape(self) -> Scrape:
        status, text = self.ask("/metrics")
        assert status == 200, self.log
        samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
        return Scrape({(sample.name, frozenset(sample.labels.items())): sample.value for sample in samples})

    def eventually(self, holds: Callable[[Scrape], object]) -> Scrape:
        """The first scrape of which something holds."""
        last: list[Scrape] = []

        def look() -> bool:
            last[:] = [self.scrape()]
            return bool(holds(last[0]))

        try:
            until(look, PATIENCE)
        except AssertionError as error:
            series = [each for scrape in last for each in scrape.series.items()]
            shown = [f"{name} {dict(labels)} {value}" for (name, labels), value in series if value]
            raise AssertionError("\n".join([str(error), *shown, self.log])) from None
        return last[0]

    def heard_everything(self) -> Scrape:
        """Wait until all that was sent is counted; and no more is."""
        scrape = self.eventually(lambda scrape: announcements(scrape) >= self.world.sent)
        assert announcements(scrape) == self.world.sent
        return scrape

    @property
    def log(self) -> str:
        return self.world.log.read_text()

    def logs(self, words: str, times: int = 1) -> None:
        """Wait until it has logged these words so often."""
        until(lambda: self.log.count(words) >= times, PATIENCE)

    def status(self) -> int:
        """The exit status, once it has ended."""
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            ran, waited, _ = Path(f"/proc/{self.process.pid}/schedstat").read_text().split()
            self.process.send_signal(signal.SIGABRT)  # it then writes where its threads were
            self.process.wait(PATIENCE)
            had = f"ran {int(ran) / 1e9:.1f} s, waited {int(waited) / 1e9:.1f} s for a processor"
            raise AssertionError(f"not ended in {PATIENCE} s; its main thread {had}\n{self.log}") from None

    def stop(self) -> int:
        self.process.terminate()
        return self.status()


def announcements(scrape: Scrape) -> float:
    return scrape.total("vip_announcements_total", vip=str(VIP))


@contextmanager
def world(directory: Path) -> Iterator[World]:
    with netns.wire() as wire:
        yield World(wire, directory)
