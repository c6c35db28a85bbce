"""What befalls the VIP while Prometheus watches: a table of scenes, played in turn.

It judges only that each effect has come and gone, on the exporters' own pages; what Prometheus makes of it is for the
tests to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from exporter.lab.interfaces import change_address
from exporter.lab.repeater import Repeater
from exporter.lab.sender import Sender
from exporter.wire import craft
from tests.e2e.conftest import GRACE, SILENCE
from tests.e2e.observers import (
    PERIOD,
    SETTLE,
    VIP,
    Scrapes,
    agree,
    bound_nodes,
    holders,
    mismatches,
    more,
    sources,
)
from tests.monitoring.stage import STRANGER, Scenario, Span, Stage

STALE = 8.0
"""Seconds without Kubernetes after which intent counts as stale; a quiet watch of the lab says something every five."""
RELIST = 5.0
BLIND = "node-3"
RESTARTED = "observer"
FLAPS = 12
FLAP_SECONDS = 2.0
"""From one move to the next."""

Shown = Callable[[Stage, Scrapes, Scrapes], bool]
"""Whether the effect shows, given the scrapes from before and those of now."""


def _nothing(stage: Stage) -> None:
    """Leave everything as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One row of the table."""

    scenario: Scenario
    play: Callable[[Stage], None] = _nothing
    shows: Shown
    within: float = 5.0
    """Seconds until it must show."""
    lasts: float = 4.0
    """Seconds for which it then goes on. Prometheus needs two of them to scrape and evaluate; alerts wait longer."""
    end: Callable[[Stage], None] = _nothing
    leaves_quiet: bool = True
    """False: the next scene goes on from this one's effect."""


def _restart(stage: Stage) -> None:
    program = stage.running.programs[RESTARTED]
    assert program.stop() == 0
    time.sleep(1.5)  # long enough for a scrape to fail
    program.start()
    program.wait_until_ready(str(VIP))


def _send_once(stage: Stage) -> None:
    sender = Sender(stage.host("node-3"))
    sender.send(craft.announcement(VIP, sender.mac))
    sender.close()


def _split(stage: Stage) -> None:
    stage.running.lab.nodes["node-3"].split_brain()


def _unite(stage: Stage) -> None:
    stage.running.lab.nodes["node-3"].fall_silent()
    stage.running.lab.nodes["node-3"].unbind()


def _announce_as_stranger(stage: Stage) -> None:
    sender = stage.outsider()
    frame = craft.announcement(VIP, STRANGER)
    announcing = Repeater(lambda: sender.send(frame), period=PERIOD, name="stranger")
    stage.parts.callback(sender.close)
    stage.parts.callback(announcing.stop)
    announcing.start()


def _silence_stranger(stage: Stage) -> None:
    stage.parts.close()


def _probe(stage: Stage) -> None:
    sender = stage.outsider()
    for _ in range(3):
        sender.send(craft.probe(VIP, STRANGER))
    sender.close()


def _misname(stage: Stage) -> None:
    stage.running.lab.cluster.annotate("node-1" if stage.holder != "node-1" else "node-3")


def _name_rightly(stage: Stage) -> None:
    stage.running.lab.cluster.annotate(stage.holder)


def _bind_elsewhere(stage: Stage) -> None:
    change_address(stage.host("node-1"), VIP, bound=True)


def _unbind(stage: Stage) -> None:
    change_address(stage.host("node-1"), VIP, bound=False)


def _lose(stage: Stage) -> None:
    """The holder is killed, and somebody has cleaned up after it."""
    stage.running.lab.nodes[stage.holder].crash()
    stage.running.lab.nodes[stage.holder].unbind()


def _flap(stage: Stage) -> None:
    others = {"node-1": "node-2", "node-2": "node-3", "node-3": "node-1"}
    for _ in range(FLAPS):
        due = time.monotonic() + FLAP_SECONDS
        stage.move_to(others[stage.holder])
        time.sleep(max(0.0, due - time.monotonic()))


def _in_state(state: str) -> Shown:
    return lambda stage, before, now: {scrape.state(VIP) for scrape in now.values()} == {state}


def _moved(times: float) -> Shown:
    return lambda stage, before, now: agree(now, stage.holder) and more(before, now, "vip_moves_total") == {times}


SCENES: tuple[Scene, ...] = (
    Scene(scenario=Scenario.QUIET, shows=lambda stage, before, now: stage.is_quiet(now), lasts=8),
    Scene(scenario=Scenario.MOVE, play=lambda stage: stage.move_to("node-2"), shows=_moved(1), lasts=5),
    Scene(
        scenario=Scenario.RESTART,
        play=_restart,
        shows=lambda stage, before, now: (
            agree(now, stage.holder)
            and now[RESTARTED].total("vip_moves_total") == 0 < before[RESTARTED].total("vip_moves_total")
        ),
        within=10,
    ),
    Scene(
        scenario=Scenario.WITHDRAWN,
        play=_send_once,
        shows=lambda stage, before, now: more(before, now, "vip_withdrawn_claims_total") == {1},
        within=GRACE + PERIOD,
    ),
    Scene(
        scenario=Scenario.SPLIT_BRAIN,
        play=_split,
        shows=_in_state("contested"),
        within=GRACE + 2 * PERIOD,
        lasts=6,
        end=_unite,
    ),
    Scene(
        scenario=Scenario.FOREIGN,
        play=_announce_as_stranger,
        shows=lambda stage, before, now: all(
            scrape.total("vip_claims_total", **{"class": "foreign"}) == 1 for scrape in now.values()
        ),
        end=_silence_stranger,
    ),
    Scene(
        scenario=Scenario.PROBE,
        play=_probe,
        shows=lambda stage, before, now: all(
            scrape.total("vip_sightings_total", kind="probe") >= 3 for scrape in now.values()
        ),
    ),
    Scene(
        scenario=Scenario.HOST_MISMATCH,
        play=_misname,
        shows=lambda stage, before, now: all("host" in mismatches(scrape) for scrape in now.values()),
        within=SETTLE + 2,
        end=_name_rightly,
    ),
    Scene(
        scenario=Scenario.BOUND,
        play=_bind_elsewhere,
        lasts=6,
        shows=lambda stage, before, now: bound_nodes(now) == 2 and mismatches(now["node-1"]) == {"bound"},
        within=SETTLE + 2,
        end=_unbind,
    ),
    Scene(
        scenario=Scenario.BLIND,
        play=lambda stage: stage.running.lab.network.set_down(BLIND),
        shows=lambda stage, before, now: (
            now[BLIND].value("vip_exporter_capture_up") == 0 and now[BLIND].state(VIP) == "unknown"
        ),
        lasts=5,
        end=lambda stage: stage.running.lab.network.set_up(BLIND),
    ),
    Scene(
        scenario=Scenario.KUBERNETES,
        play=lambda stage: stage.running.lab.api.stop(),
        shows=lambda stage, before, now: all(
            scrape.value("vip_exporter_kubernetes_up") == 0 and scrape.value("vip_intent_stale") == 1
            for scrape in now.values()
        ),
        within=STALE + RELIST,
        end=lambda stage: stage.running.lab.api.start() and None,
    ),
    Scene(
        scenario=Scenario.SILENT,
        play=lambda stage: stage.running.lab.nodes[stage.holder].fall_silent(),
        shows=lambda stage, before, now: (
            _in_state("silent")(stage, before, now) and all("lease" in sources(scrape) for scrape in now.values())
        ),
        within=SILENCE,
        lasts=9,
        leaves_quiet=False,
    ),
    Scene(
        scenario=Scenario.UNHELD,
        play=_lose,
        lasts=9,
        shows=lambda stage, before, now: holders(now) == {""} and bound_nodes(now) == 0,
        within=6,
        end=lambda stage: stage.running.lab.nodes[stage.holder].take_over(),
    ),
    Scene(scenario=Scenario.FLAPPING, play=_flap, shows=_moved(FLAPS)),
)


def play(stage: Stage) -> None:
    """Play every scene, and leave the times of each in `stage.spans`."""
    with stage.parts:
        stage.running.lab.nodes[stage.holder].take_over()
        for scene in SCENES:
            _play(stage, scene)
        stage.running.eventually(stage.is_quiet, within=30)


def _play(stage: Stage, scene: Scene) -> None:
    running = stage.running
    goes_on = scene is not SCENES[0] and not SCENES[SCENES.index(scene) - 1].leaves_quiet
    before = running.scrape() if goes_on else running.eventually(stage.is_quiet, within=30)
    begun = time.time()
    scene.play(stage)
    running.eventually(lambda now: scene.shows(stage, before, now), within=scene.within)
    start = time.time()
    running.throughout(scene.lasts, lambda now: scene.shows(stage, before, now))
    stage.spans[scene.scenario] = Span(begun, start, time.time())
    scene.end(stage)
