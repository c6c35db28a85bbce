"""Reads YAML for the intent file such that every complaint can name the line and the key it is about.

Scalars are taken as they are written, not as YAML 1.1 would have them: a MAC of digits only would else be a number
in base 60, and a node named `no` would be false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import yaml

from exporter.config.yaml_text import read_at_most, shown

T = TypeVar("T")
Reader = Callable[[str], T]
"""Turns a scalar's text into what it means, or raises ValueError with the remedy."""

MOST_COMPLAINTS = 20
LONGEST_SHOWN = 60
NULL = "tag:yaml.org,2002:null"


class IntentFileError(ValueError):
    """The file cannot be used; the message has a line for each thing that is wrong, and the remedy."""


@dataclass(slots=True)
class Report:
    """What is wrong with one file."""

    path: Path
    complaints: list[tuple[int, str]] = field(default_factory=list)

    def complain(self, line: int, where: str, text: str) -> None:
        self.complaints.append(
            (line, f"{self.path}:{line}: {where}: {text}" if where else f"{self.path}:{line}: {text}")
        )

    def raise_if_any(self) -> None:
        if not self.complaints:
            return
        lines = [text for _, text in sorted(self.complaints)[:MOST_COMPLAINTS]]
        if len(self.complaints) > MOST_COMPLAINTS:
            lines.append(f"{self.path}: and {len(self.complaints) - MOST_COMPLAINTS} more")
        raise IntentFileError("\n".join(lines))


@dataclass(frozen=True, slots=True)
class Value:
    """A place in the file: what stands there and how to name it."""

    node: yaml.Node
    where: str
    report: Report

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    @property
    def is_null(self) -> bool:
        return self.node.tag == NULL

    @property
    def is_scalar(self) -> bool:
        return isinstance(self.node, yaml.ScalarNode) and not self.is_null

    def complain(self, text: str) -> None:
        self.report.complain(self.line, self.where, text)

    def scalar(self, read: Reader[T]) -> T | None:
        """What `read` makes of the text; None where it is null or wrong."""
        if self.is_null:
            return None
        if not isinstance(self.node, yaml.ScalarNode):
            self.complain("must be a single value, not a list or a mapping")
            return None
        text: str = self.node.value
        try:
            return read(text)
        except ValueError as error:
            said = text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + "…"
            self.complain(f"{said!r}: {error}")
            return None

    def items(self) -> Iterator[Value]:
        """The items of a list; none where it is null or no list."""
        if isinstance(self.node, yaml.SequenceNode):
            for index, node in enumerate(self.node.value):
                yield Value(node, f"{self.where}[{index}]", self.report)
        elif not self.is_null:
            self.complain("must be a list; begin each item with '- '")

    def fields(self, *known: str) -> dict[str, Value]:
        """The values of a mapping by key. Keys that are unknown or stand twice are wrong."""
        if not isinstance(self.node, yaml.MappingNode):
            self.complain("must be a mapping (key: value)")
            return {}
        found: dict[str, Value] = {}
        for key_node, node in self.node.value:
            key = str(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "(not a word)"
            value = Value(node, f"{self.where}.{key}" if self.where else key, self.report)
            line = int(key_node.start_mark.line) + 1
            if key in found:
                self.report.complain(line, value.where, "stands here twice; remove one")
            elif key not in known:
                unknown = shown(value.where[:LONGEST_SHOWN])[1:-1]
                self.report.complain(line, unknown, f"unknown key; known are {', '.join(known)}")
            else:
                found[key] = value
        return found


class _Loader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """A few lines of aliases can stand for gigabytes; the file has no use for them."""
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not supported; write it out", event.start_mark)
        return super().compose_node(parent, index)


def parse_yaml(path: Path, *, largest: int) -> Value:
    """The file's one document.

    Raises:
        IntentFileError: it cannot be read, is larger than `largest` bytes, is no YAML, or empty.
    """
    try:
        data = read_at_most(path, largest + 1)
    except OSError as error:
        raise IntentFileError(
            f"{path}: cannot be read: {error.strerror}; correct the path or its permissions"
        ) from error
    if len(data) > largest:
        raise IntentFileError(f"{path}: is larger than {largest} bytes; split it or remove old timeline entries")
    loader = None
    try:
        loader = _Loader(data)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise IntentFileError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())[:200]
        raise IntentFileError(f"{path}:1: not valid YAML: {reason}") from error
    finally:
        if loader is not None:
            loader.dispose()
    if node is None:
        raise IntentFileError(f"{path}:1: is empty; give at least one of vips and nodes")
    return Value(node, "", Report(path))
