"""The disk under the state file of a running exporter: full, and not to be written. It goes on; nothing is lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from exporter.clock import Clock
from exporter.publish.state_file import read_past
from exporter.wire import craft
from tests.e2e.conftest import Scrape
from tests.e2e.running import until
from tests.faults.world import PATIENCE, Program, World, mac

VIPS = [IPv4Address("192.0.2.0") + number for number in range(1, 41)]


def is_up(scrape: Scrape) -> float | None:
    return scrape.value("vip_exporter_state_file_up")


class Disk:
    """A small one, that only the exporter has: it goes when that goes."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._root = f"/proc/{program.process.pid}/root"
        """Of the exporter's mount namespace, as seen from here."""
        self._mounted_at = program.world.directory / "disk"

    def path(self, name: str) -> Path:
        return Path(f"{self._root}{self._mounted_at / name}")

    def make_writable(self) -> None:
        inside = f"--mount=/proc/{self.program.process.pid}/ns/mnt"
        command = ["nsenter", inside, "mount", "-o", "remount,rw", str(self._mounted_at)]
        subprocess.run(command, check=True, capture_output=True)

    def fill(self) -> None:
        with self.path("filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def tells_of(self, vips: list[IPv4Address]) -> bool:
        """Of each, the one event that there was, and the holder; and of no other."""
        # A copy, since SQLite does not find its way through /proc.
        copy = self.program.world.directory / "state.db"
        shutil.copy(self.path("state.db"), copy)
        past = read_past(copy, Clock(), limit=1_000_000)
        seen = [event.vip for event in past.events if event.record["event"] == "vip_seen"]
        assert len(seen) == len(set(seen)), "an event is told twice"
        return set(seen) == set(vips) == {one.vip for one in past.holders}


@contextmanager
def on_a_disk(world: World, options: str) -> Iterator[tuple[Program, Disk]]:
    """An exporter that watches many VIPs, with its state on such a disk."""
    disk = world.directory / "disk"
    disk.mkdir()
    world.intent.write_text("vips:\n" + "".join(f"  - {{address: {vip}, period: 60s}}\n" for vip in VIPS))
    with world.exporter(
        f"--intent.file={world.intent}",
        f"--state.path={disk}/state.db",
        before=f"mount -t tmpfs -o {options} tmpfs {disk}",
    ) as program:
        program.ready().eventually(lambda scrape: scrape.value("vip_exporter_capture_up") == 1)
        yield program, Disk(program)
        assert program.stop() == 0
        assert "Traceback" not in program.log


def announce(world: World, vips: list[IPv4Address]) -> None:
    world.wire.send([craft.announcement(ip_address(vip), mac(1)) for vip in vips])


def test_it_is_full_and_then_not(world: World) -> None:
    """What happens meanwhile is served as ever, waits, and is written once there is room; once."""
    with on_a_disk(world, "size=192k") as (program, disk):
        announce(world, VIPS[:10])
        until(lambda: disk.tells_of(VIPS[:10]), PATIENCE)
        disk.fill()
        announce(world, VIPS[10:])
        full = program.eventually(lambda scrape: is_up(scrape) == 0)
        assert {full.state(vip) for vip in VIPS} == {"held"}
        assert program.ask("/-/healthy")[0] == 200
        disk.path("filler").unlink()
        program.eventually(lambda scrape: is_up(scrape) == 1)
        assert disk.tells_of(VIPS)
        assert program.log.count("trouble=no_space") == 1


def test_it_cannot_be_written_at_first(world: World) -> None:
    """As a file system that came up read-only: it starts without its past, and all of the present is kept for later."""
    with on_a_disk(world, "size=1m,ro") as (program, disk):
        announce(world, VIPS)
        blocked = program.eventually(lambda scrape: all(scrape.state(vip) == "held" for vip in VIPS))
        assert is_up(blocked) == 0
        disk.make_writable()
        program.eventually(lambda scrape: is_up(scrape) == 1)
        assert disk.tells_of(VIPS)
        assert program.log.count("trouble=read_only") == 1
