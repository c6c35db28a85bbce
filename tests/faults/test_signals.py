"""A share of the rounds of `tests/faults/signals.py`, which plays hundreds of them where that is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import signals

ROUNDS = 12


@pytest.mark.timeout(600)
def test_signals_at_any_moment(tmp_path: Path) -> None:
    """None is answered wrongly, no transaction is lost or doubled, and no start is spoilt by how the last one ended."""
    ends = signals.play(ROUNDS, seed=7, directory=tmp_path)
    print(ends)
    assert sum(count for end, count in ends.items() if end.startswith("SIG")) == ROUNDS
    assert {end.partition(":")[0].split()[0] for end in ends} >= {"SIGTERM", "SIGHUP", "SIGKILL"}
