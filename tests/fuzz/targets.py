"""What is fuzzed: each target's name, the modules that guide it, and how far it goes in a test run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

CORPUS = Path(__file__).parent / "corpus"


class Module(Protocol):
    """What a target's module has."""

    TOKENS: tuple[bytes, ...]
    """Words of the format, for the mutations."""

    @staticmethod
    def check(data: bytes) -> None:
        """Feed the input to the code, and raise if what comes of it breaks a property. Depends on `data` alone."""

    @staticmethod
    def mutate(data: bytes, most: int, seed: int, mutated: Callable[[bytes, int], bytes]) -> bytes:
        """Another input, of `most` bytes, that still looks like the format. `mutated` is libFuzzer's own mutation."""


@dataclass(frozen=True)
class Target:
    name: str
    instrumented: tuple[str, ...]
    """Packages and modules of which each branch counts."""
    longest: int
    """Bytes of an input."""
    runs: int
    """Inputs made anew in the short run of the tests: some two seconds."""

    def __str__(self) -> str:
        return self.name

    @property
    def corpus(self) -> Path:
        return CORPUS / self.name

    def load(self) -> Module:
        return cast(Module, import_module(f"tests.fuzz.{self.name}"))


TARGETS = {
    target.name: target
    for target in (
        Target("decoder", ("exporter.wire.decode",), 256, 5_000),
        Target("capture", ("exporter.wire.capture_file", "exporter.wire.scapy_adapter", "scapy.utils"), 2048, 1_000),
        Target("kubernetes", ("exporter.cluster",), 8192, 300),
        Target("intent_file", ("exporter.cluster",), 4096, 500),
        Target("configuration", ("exporter.config",), 2048, 500),
        Target("web_config", ("exporter.publish.web.web_config", "exporter.publish.web.tls"), 4096, 500),
        Target("http", ("exporter.publish.web", "tornado.http1connection", "tornado.httputil"), 4096, 200),
    )
}
