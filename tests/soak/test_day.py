"""A part of the accelerated day (`python -m tests.soak` plays it whole), and that it would notice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.soak.day import Day, Differences
from tests.soak.ledger import series

SEED = int(os.environ.get("SOAK_SEED", "1"))
SECONDS = 2400


def test_after_hundreds_of_moves_contests_outages_and_a_restart_every_counter_is_equal_to_the_last_one(
    tmp_path: Path,
) -> None:
    print(f"SOAK_SEED={SEED}")
    day = Day(tmp_path, SEED)
    breaks = list(day.play(SECONDS))
    assert breaks == [600, 1200, 1800, 2400]
    played = day.tally
    assert played.moves > 500
    assert played.contests > 100
    assert played.api_restarts >= 5
    assert played.deafnesses == 3
    assert played.restarts == 1


def test_one_count_too_few_is_noticed(tmp_path: Path) -> None:
    day = Day(tmp_path, SEED)
    vip = day.lanes[0].make.vip
    day.ledger.counts[series("vip_moves_total", vip=vip)] += 1
    with pytest.raises(Differences, match=f'vip_moves_total{{vip="{vip}"}} is'):
        list(day.play(600))
