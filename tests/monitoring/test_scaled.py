"""The quick rules are those that operators load, but for their times."""

from __future__ import annotations

import pytest

from tests.monitoring.scaled import RULES, scaled_rules


def test_scaling_changes_times_and_nothing_else() -> None:
    text = RULES.read_text("utf-8")
    before, after = text.splitlines(), scaled_rules(text).splitlines()
    assert len(before) == len(after)
    pairs = [(old.strip(), new.strip()) for old, new in zip(before, after, strict=True)]
    changed = [(old, new) for old, new in pairs if old != new]
    assert pairs.count(("expr: vip:vip_moves:increase15m >= 4", "expr: vip:vip_moves:increase15m >= 4")) == 1
    assert ("for: 3m", "for: 6s") in changed
    assert (
        scaled_rules("max_over_time(x[2m] offset 3m) > time() - 150") == "max_over_time(x[4s] offset 6s) > time() - 5"
    )
    assert all(any(word in old for word in ("[", "for: ", "time() - ")) for old, _ in changed)
    with pytest.raises(ValueError, match="cannot be divided"):
        scaled_rules("expr: rate(x[20s])")
    with pytest.raises(ValueError, match="not divided"):
        scaled_rules("max_over_time(x[5m:1m])")
