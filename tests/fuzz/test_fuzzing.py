"""A short run of every target from a fixed seed, guided by coverage."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fuzz.__main__ import broken, fuzz
from tests.fuzz.targets import TARGETS, Target

SEED = 7


@pytest.mark.parametrize("target", TARGETS.values(), ids=str)
def test_nothing_breaks_a_property(target: Target, tmp_path: Path) -> None:
    """So many inputs, from the corpus and from mutations of it."""
    assert find_spec("atheris"), "atheris, which fuzzes, has no package for this Python: run the tests with another"
    found, scratch = tmp_path / "found", tmp_path / "scratch"
    found.mkdir()
    scratch.mkdir()
    flags = (f"-seed={SEED}", f"-runs={len(list(target.corpus.iterdir())) + target.runs}")
    done = fuzz(target, scratch, *flags, corpora=[found, target.corpus])
    assert (done.returncode, [path.read_bytes() for path in broken(scratch)]) == (0, []), done.stdout[-5000:]
    # It was guided: some inputs reached what none before had reached.
    assert "INITED cov: " in done.stdout
    assert "NEW    cov: " in done.stdout
