"""Fuzz one target in this process: `python -m tests.fuzz.run TARGET FOLDER [libFuzzer's flags and corpora]`.

libFuzzer ends the process, so whoever wants to go on starts another one.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path

import atheris

from tests.fuzz.targets import TARGETS


def main(name: str, scratch: Path, flags: list[str]) -> None:
    """Fuzz it; what ends it badly is left in `scratch`."""
    target = TARGETS[name]
    tempfile.tempdir = str(scratch)  # libFuzzer ends the process at once, and nothing of it is tidied up
    roots = {name.partition(".")[0] for name in target.instrumented}
    with atheris.instrument_imports(include=sorted(roots), exclude=list(others(roots, target.instrumented))):
        module = target.load()

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        return module.mutate(data, most, seed, atheris.Mutate)

    words = scratch / "words"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in module.TOKENS))
    given = [f"-dict={words}", f"-max_len={target.longest}", f"-artifact_prefix={scratch}/", *flags]
    # To merge corpora, libFuzzer starts itself anew, by what it takes for its own name.
    itself = f"{sys.executable} -m tests.fuzz.run {name} {scratch}"
    atheris.Setup([itself, *given], module.check, custom_mutator=mutate)
    atheris.Fuzz()


def others(roots: Iterable[str], wanted: tuple[str, ...]) -> Iterator[str]:
    """The modules of these packages that are not wanted; atheris tells packages apart by their roots alone."""
    for root in roots:
        spec = find_spec(root)
        assert spec is not None
        for place in map(Path, spec.submodule_search_locations or ()):
            for file in place.rglob("*.py"):
                name = ".".join((root, *file.relative_to(place).with_suffix("").parts)).removesuffix(".__init__")
                if not any(f"{name}.".startswith(f"{one}.") for one in wanted):
                    yield name


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:])
