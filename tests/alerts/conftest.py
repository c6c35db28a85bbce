"""Each story is played at both intervals, with the labels of Kubernetes' targets or plain ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.alerts.fleet import fleet
from tests.alerts.scenario import Story


@dataclass(frozen=True, slots=True)
class Look:
    """How Prometheus looks at it.

    Attributes:
        interval: from scrape to scrape, seconds.
        pods: whether targets have the labels of pods, and new ones after a restart.
        evaluation: from evaluation to evaluation, if that is not the same.
    """

    interval: int
    pods: bool
    evaluation: int | None = None


BOTH_INTERVALS = {"15s-pods": Look(15, pods=True), "1m": Look(60, pods=False)}
EVERY_WAY = {**BOTH_INTERVALS, "15s": Look(15, pods=False), "1m-pods": Look(60, pods=True)}
"""For what a restart or a change of pods has to do with."""
SELDOM_EVALUATED = {"15s-rules-1m": Look(15, pods=False, evaluation=60)}
"""Harvester's Prometheus with the monitor of docs/monitoring.md. A moment between the two others, so for some only."""


def pytest_generate_tests(metafunc) -> None:
    if "look" in metafunc.fixturenames:
        looks = EVERY_WAY if metafunc.definition.get_closest_marker("every_way") else BOTH_INTERVALS
        if metafunc.definition.get_closest_marker("seldom_evaluated"):
            looks = looks | SELDOM_EVALUATED
        metafunc.parametrize("look", looks.values(), ids=list(looks))


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", "every_way: both intervals, each with plain targets and with pods")
    config.addinivalue_line("markers", "seldom_evaluated: besides with scrapes each 15 s and evaluations each minute")


@pytest.fixture
def story(look: Look) -> Story:
    """Three observers, all well."""
    return fleet(pods=look.pods)


@pytest.fixture
def play(look: Look, tmp_path: Path) -> Callable[[Story], None]:
    """Plays a story, and fails if an alert is missing, or one too many, or says something else."""

    def play(story: Story) -> None:
        wrong = story.played(look.interval, tmp_path, evaluation=look.evaluation)
        assert not wrong, wrong

    return play
