"""What befalls the interface of a running exporter: told at once, nothing heard is lost, everything is heard again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests import netns
from tests.e2e.conftest import Scrape
from tests.faults.world import Program, World, announcements, mac

LOST_AND_RESTORED = ("capture_lost", "capture_restored")


def link(world: World, *arguments: str) -> None:
    netns.ip("-n", world.wire.here, "link", *arguments)


def up(scrape: Scrape) -> float | None:
    return scrape.value("vip_exporter_capture_up")


def undisputed(scrape: Scrape) -> bool:
    """The one node that announces is the holder, and has always been."""
    return (
        scrape.state() == "held"
        and scrape.mac() == mac(1).hex(":")
        and scrape.total("vip_moves_total") == scrape.total("vip_contests_total") == 0
    )


@contextmanager
def hearing(world: World, *arguments: str, **options) -> Iterator[Program]:
    """An exporter that hears who announces."""
    with world.exporter(f"--intent.file={world.intent}", *arguments, **options) as program:
        program.ready().eventually(lambda scrape: up(scrape) == 1)
        world.announce(5)
        assert undisputed(program.heard_everything())
        yield program
        assert program.stop() == 0


def down_and_up(world: World) -> Iterator[None]:
    link(world, "set", netns.DEVICE, "down")
    yield
    link(world, "set", netns.DEVICE, "up")


def deleted_and_made_anew(world: World) -> Iterator[None]:
    world.wire.disconnect()
    yield
    world.wire.connect()


def renamed_and_back(world: World) -> Iterator[None]:
    for old, new in ((netns.DEVICE, "eth9"), ("eth9", netns.DEVICE)):
        link(world, "set", old, "down")
        link(world, "set", old, "name", new)
        link(world, "set", new, "up")
        if new == "eth9":
            yield


def cable_out_and_in(world: World) -> Iterator[None]:
    world.wire.set_link("down", world.wire.there)
    yield
    world.wire.set_link("up", world.wire.there)


LOSSES = (down_and_up, deleted_and_made_anew, renamed_and_back, cable_out_and_in)


def test_the_interface_goes_and_comes_back(world: World) -> None:
    """In every way that there is, one after the other. Each is told and counted once; no move comes of it."""
    with hearing(world) as program:
        for number, loss in enumerate(LOSSES, start=1):
            befalls = loss(world)
            next(befalls)
            blind = program.eventually(lambda scrape: up(scrape) == 0)
            assert blind.state() == "unknown"
            next(befalls, None)
            program.eventually(lambda scrape: up(scrape) == 1)
            world.announce(20)
            after = program.heard_everything()
            assert undisputed(after), loss.__name__
            assert after.value("vip_exporter_capture_reopens_total") == number, loss.__name__
        told = [program.log.count(f"event={event} ") for event in LOST_AND_RESTORED]
        assert told == [len(LOSSES), len(LOSSES)]


def test_it_flaps(world: World) -> None:
    """Faster than anybody can follow; in the end it hears everything, and has not ended, nor invented a move."""
    with hearing(world) as program:
        for _ in range(20):
            link(world, "set", netns.DEVICE, "down")
            link(world, "set", netns.DEVICE, "up")
        # It may have been heard before the link was found to have been down.
        program.eventually(lambda scrape: up(scrape) == 1)
        time.sleep(1)
        world.announce(20)
        after = program.heard_everything()
        assert undisputed(after)
        assert (after.value("vip_exporter_capture_reopens_total") or 0) <= 20


def during(world: World, change: Callable[[], None]) -> None:
    """Make a change while announcements come without a pause."""
    done = threading.Event()

    def announce() -> None:
        while not done.wait(0.002):
            world.announce()

    announcing = threading.Thread(target=announce)
    announcing.start()
    try:
        change()
    finally:
        done.set()
        announcing.join()


def test_it_gets_other_macs_and_bridges_under_traffic(world: World) -> None:
    """It is listened to itself, whatever it is called or belongs to: not one frame is missed."""
    with hearing(world) as program:

        def change() -> None:
            for number in range(10):
                link(world, "set", netns.DEVICE, "address", mac(1000 + number).hex(":"))
            for bridge in ("br-a", "br-b"):
                link(world, "add", bridge, "type", "bridge")
                link(world, "set", bridge, "up")
            for bridge in ("br-a", "br-b", "br-a", "br-b"):
                link(world, "set", netns.DEVICE, "master", bridge)
                time.sleep(0.1)
            link(world, "set", netns.DEVICE, "nomaster")

        during(world, change)
        after = program.heard_everything()
        assert undisputed(after)
        assert (up(after), after.value("vip_exporter_capture_reopens_total")) == (1, 0)


def test_the_bridge_that_is_listened_to_loses_its_port_to_another(world: World) -> None:
    """As where a management bridge is rebuilt: deaf, it says so; with its port back, it hears everything."""
    for bridge in ("mgmt-br", "br-b"):
        link(world, "add", bridge, "type", "bridge")
        link(world, "set", bridge, "up")
    link(world, "set", netns.DEVICE, "master", "mgmt-br")
    with hearing(world, device="mgmt-br") as program:
        link(world, "set", netns.DEVICE, "master", "br-b")
        blind = program.eventually(lambda scrape: up(scrape) == 0)
        assert blind.state() == "unknown"
        link(world, "set", netns.DEVICE, "master", "mgmt-br")
        program.eventually(lambda scrape: up(scrape) == 1)
        world.announce(20)
        after = program.heard_everything()
        assert undisputed(after)
        assert after.value("vip_exporter_capture_reopens_total") == 1


def test_more_comes_than_there_is_room_for(world: World) -> None:
    """The program stands still meanwhile. What was heard and what was dropped make the whole, to the last frame."""
    with hearing(world, "--capture.buffer=256KiB") as program:
        program.process.send_signal(signal.SIGSTOP)
        world.announce(30_000)
        program.process.send_signal(signal.SIGCONT)

        def whole(scrape: Scrape) -> bool:
            dropped = scrape.value("vip_exporter_capture_dropped_total")
            return dropped > 0 and announcements(scrape) + dropped == world.sent

        flooded = program.eventually(whole)
        world.sent = int(announcements(flooded))
        world.announce(20)
        assert undisputed(program.heard_everything())


def test_frozen_and_woken_it_goes_on(world: World) -> None:
    """As a virtual machine that was paused: what came meanwhile has waited, and nobody is called silent."""
    with hearing(world) as program:
        program.process.send_signal(signal.SIGSTOP)
        for _ in range(100):
            world.announce()
            time.sleep(0.02)
        program.process.send_signal(signal.SIGCONT)
        assert undisputed(program.heard_everything())
        assert program.ask("/-/healthy")[0] == 200
