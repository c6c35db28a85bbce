"""Figures look like what they are."""

from __future__ import annotations

import pytest

from bench.table import cpu, share, times


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-0.00004, "-0.04 ms"),
        (0.0, "0.00 ms"),
        (0.099, "99.0 ms"),
        (0.73, "0.73 s"),
        (24.84, "24.8 s"),
        (223.4, "223 s"),
    ],
)
def test_cpu_time_has_a_unit_that_suits_it(seconds: float, shown: str) -> None:
    assert cpu(seconds) == shown


@pytest.mark.parametrize(
    ("ratio", "shown"), [(1 / 150, "1/150"), (1 / 3, "1/3"), (0.5, "0.50 ×"), (1.0, "1.00 ×"), (44.23, "44.23 ×")]
)
def test_a_small_ratio_is_a_fraction(ratio: float, shown: str) -> None:
    assert times(ratio) == shown


@pytest.mark.parametrize(
    ("part", "shown"), [(0.0, "0%"), (0.000001, "0.1%"), (0.5, "50.0%"), (0.99999, "99.9%"), (1.0, "100%")]
)
def test_a_frame_that_was_lost_does_not_look_like_none(part: float, shown: str) -> None:
    assert share(part) == shown
