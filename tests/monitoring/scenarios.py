"""What befalls the VIP while Prometheus watches: a table of scenes, played in turn.

It judges only that each effect has come and gone, on the exporters' own pages; what Prometheus makes of it is for the
tests to say.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

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
from tests.monitoring import actions
from tests.monitoring.actions import BLIND, FLAPS, RESTARTED
from tests.monitoring.stage import Scenario, Span, Stage

STALE = 8.0
"""Seconds without Kubernetes after which intent counts as stale; a quiet watch of the lab says something every five."""
RELIST = 5.0

Shown = Callable[[Stage, Scrapes, Scrapes], bool]
"""Whether the effect shows, given the scrapes from before and those of now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One row of the table."""

    scenario: Scenario
    play: Callable[[Stage], None] = actions.nothing
    shows: Shown
    within: float = 5.0
    """Seconds until it must show."""
    lasts: float = 4.0
    """Seconds for which it then goes on. Prometheus needs two of them to scrape and evaluate; alerts wait longer."""
    end: Callable[[Stage], None] = actions.nothing
    leaves_quiet: bool = True
    """False: the next scene goes on from this one's effect."""


def _in_state(state: str) -> Shown:
    return lambda stage, before, now: {scrape.state(VIP) for scrape in now.values()} == {state}


def _moved(times: float) -> Shown:
    return lambda stage, before, now: agree(now, stage.holder) and more(before, now, "vip_moves_total") == {times}


SCENES: tuple[Scene, ...] = (
    Scene(scenario=Scenario.QUIET, shows=lambda stage, before, now: stage.is_quiet(now), lasts=8),
    Scene(scenario=Scenario.MOVE, play=lambda stage: stage.move_to("node-2"), shows=_moved(1), lasts=5),
    Scene(
        scenario=Scenario.RESTART,
        play=actions.restart,
        shows=lambda stage, before, now: (
            agree(now, stage.holder)
            and now[RESTARTED].total("vip_moves_total") == 0 < before[RESTARTED].total("vip_moves_total")
        ),
        within=10,
    ),
    Scene(
        scenario=Scenario.WITHDRAWN,
        play=actions.send_once,
        shows=lambda stage, before, now: more(before, now, "vip_withdrawn_claims_total") == {1},
        within=GRACE + PERIOD,
    ),
    Scene(
        scenario=Scenario.SPLIT_BRAIN,
        play=actions.split,
        shows=_in_state("contested"),
        within=GRACE + 2 * PERIOD,
        lasts=6,
        end=actions.unite,
    ),
    Scene(
        scenario=Scenario.FOREIGN,
        play=actions.announce_as_stranger,
        shows=lambda stage, before, now: all(
            scrape.total("vip_claims_total", **{"class": "foreign"}) == 1 for scrape in now.values()
        ),
        lasts=6,
        end=actions.silence_stranger,
    ),
    Scene(
        scenario=Scenario.PROBE,
        play=actions.probe,
        shows=lambda stage, before, now: all(
            scrape.total("vip_sightings_total", kind="probe") >= 3 for scrape in now.values()
        ),
    ),
    Scene(
        scenario=Scenario.HOST_MISMATCH,
        play=actions.misname,
        shows=lambda stage, before, now: all("host" in mismatches(scrape) for scrape in now.values()),
        within=SETTLE + 2,
        lasts=6,
        end=actions.name_rightly,
    ),
    Scene(
        scenario=Scenario.BOUND,
        play=actions.bind_elsewhere,
        shows=lambda stage, before, now: bound_nodes(now) == 2 and mismatches(now["node-1"]) == {"bound"},
        within=SETTLE + 2,
        lasts=9,
        end=actions.unbind,
    ),
    Scene(
        scenario=Scenario.BLIND,
        play=actions.deafen,
        shows=lambda stage, before, now: (
            now[BLIND].value("vip_exporter_capture_up") == 0 and now[BLIND].state(VIP) == "unknown"
        ),
        lasts=5,
        end=actions.undeafen,
    ),
    Scene(
        scenario=Scenario.KUBERNETES,
        play=actions.take_kubernetes_away,
        shows=lambda stage, before, now: all(
            scrape.value("vip_exporter_kubernetes_up") == 0 and scrape.value("vip_intent_stale") == 1
            for scrape in now.values()
        ),
        within=STALE + RELIST,
        lasts=16,
        end=actions.bring_kubernetes_back,
    ),
    Scene(
        scenario=Scenario.SILENT,
        play=actions.fall_silent,
        shows=lambda stage, before, now: (
            _in_state("silent")(stage, before, now) and all("lease" in sources(scrape) for scrape in now.values())
        ),
        within=SILENCE,
        lasts=9,
        leaves_quiet=False,
    ),
    Scene(
        scenario=Scenario.UNHELD,
        play=actions.lose,
        lasts=9,
        shows=lambda stage, before, now: holders(now) == {""} and bound_nodes(now) == 0,
        within=6,
        end=actions.take_over,
    ),
    Scene(scenario=Scenario.FLAPPING, play=actions.flap, shows=_moved(FLAPS)),
)


def play(stage: Stage) -> None:
    """Play every scene, and leave the times of each in `stage.spans`."""
    with stage.parts:
        actions.take_over(stage)
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
