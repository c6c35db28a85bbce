"""The wall clock of a running exporter is set: nobody falls silent by it, nothing stops, and times are shown by it."""

from __future__ import annotations

import subprocess
import time

from tests.e2e.conftest import Scrape
from tests.faults.world import Program, World, announcements, mac

HOUR = 3600.0
SINCE_1970 = time.time()
STEPS = {
    "a clock that began in 1970 is set right": 0.0,
    "an hour back": -HOUR,
    "an hour ahead": HOUR,
    "a month ahead": 30 * 24 * HOUR,
    "right again": 0.0,
}
"""By how much it is off the machine's clock, one after the other."""


def reconciles(scrape: Scrape) -> float:
    return scrape.total("vip_exporter_reconciles_total", result="success")


def announce_for(world: World, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        world.announce()
        time.sleep(0.05)


def fine(program: Program, world: World, ahead: float) -> None:
    scrape = program.heard_everything()
    assert (scrape.state(), scrape.mac()) == ("held", mac(1).hex(":"))
    assert scrape.total("vip_moves_total") == 0
    assert abs((scrape.value("vip_last_announcement_timestamp_seconds") or 0) - (time.time() + ahead)) < 30
    assert scrape.value("vip_exporter_state_file_up") == 1
    # The jobs go on, soon: an exporter without a reconciliation is restarted after half a minute.
    before = reconciles(scrape)
    program.eventually(lambda scrape: reconciles(scrape) > before)
    assert program.ask("/-/healthy") == (200, "ok\n")


def test_the_clock_is_set_back_and_forward(world: World) -> None:
    world.intent.write_text("vips:\n  - {address: 192.0.2.100, period: 1s}\n")  # silent after ten seconds
    with world.exporter(
        f"--intent.file={world.intent}",
        f"--state.path={world.directory / 'state.db'}",
        module=("tests.faults.stepped", str(-SINCE_1970)),
        stdin=subprocess.PIPE,
    ) as program:
        program.ready().eventually(lambda scrape: scrape.value("vip_exporter_capture_up") == 1)
        announce_for(world, 0.5)
        fine(program, world, -SINCE_1970)
        for ahead in STEPS.values():
            program.process.stdin.write(f"{ahead}\n".encode())
            program.process.stdin.flush()
            announce_for(world, 0.5)
            fine(program, world, ahead)
        told = [row for row in program.log.splitlines() if "event=" in row and "vip_seen" not in row]
        assert told == []
        assert announcements(program.scrape()) == world.sent
        assert program.stop() == 0
