"""A flood as `bench/floods.py` makes them, for a moment: all stays bounded, and the true holder is right after it."""

from __future__ import annotations

from bench.floods import FLOODS, Flood, flood_with
from bench.stage import open_stage

SECONDS = 1.5
PATIENCE = 60.0
MACS = 4096


def test_claims_by_thousands_of_macs_leave_memory_series_and_log_bounded_and_the_true_holder_right() -> None:
    claims = next(flood for flood in FLOODS if flood.name.startswith("claims by"))
    with open_stage() as stage:
        result = flood_with(
            stage, Flood(claims.name, lambda: claims.frames()[:MACS]), SECONDS, before=1, within=PATIENCE
        )
    assert list(result.missed) == []
    assert result.read > 1000, "the flood reached it"
