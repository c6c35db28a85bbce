"""Collect what the command line, the environment and the file say, as text with its place; judges no value."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import yaml

from exporter.config.settings import SETTINGS, VARIABLE_PREFIX, Setting
from exporter.config.yaml_text import YamlFileError, describe, is_null, line_of, read_yaml, shown, suggestion

# Kubernetes gives each pod such variables for every Service, ours ("vip-exporter") among them.
_SERVICE_LINK = re.compile(r"(.*_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


@dataclass(frozen=True, slots=True)
class Given:
    """One setting as one source gives it."""

    setting: Setting
    place: str
    """The flag, the variable, or the file and line with the key."""
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something there that is no setting."""

    text: str


def from_flags(arguments: argparse.Namespace) -> Iterator[Given | Problem]:
    for setting in SETTINGS:
        texts = getattr(arguments, setting.key, None)
        if texts is None:
            continue
        if len(texts) > 1 and not setting.repeatable:
            yield Problem(f"{setting.flag}: given {len(texts)} times; accepted: once")
        else:
            yield Given(setting, setting.flag, tuple(texts))


def from_environment(environ: Mapping[str, str]) -> Iterator[Given | Problem]:
    """What the variables say. An empty one counts as not set, since that is all that some launchers can do."""
    known = {setting.variable: setting for setting in SETTINGS}
    suffixes = [variable.removeprefix(VARIABLE_PREFIX) for variable in known]
    for variable, text in sorted(environ.items()):
        suffix = variable.removeprefix(VARIABLE_PREFIX)
        if suffix == variable or not text:
            continue
        if setting := known.get(variable):
            place = f"{variable} ({setting.key})"
            yield Given(setting, place, tuple(map(str.strip, text.split(","))) if setting.repeatable else (text,))
        elif not _SERVICE_LINK.fullmatch(suffix) and (near := get_close_matches(suffix, suffixes, n=1, cutoff=0.8)):
            # Others may use the prefix for themselves: only what looks like a slip of the pen is refused.
            yield Problem(f"{variable}: unknown variable; did you mean {VARIABLE_PREFIX}{near[0]}?")


def from_file(path: Path) -> Iterator[Given | Problem]:
    try:
        root = read_yaml(path)
    except YamlFileError as error:
        yield Problem(str(error))
    else:
        if root is not None:
            yield from _walk(path, root, prefix="", seen={})


def _walk(path: Path, node: yaml.Node, *, prefix: str, seen: dict[str, int]) -> Iterator[Given | Problem]:
    keys = {setting.key: setting for setting in SETTINGS}
    if is_null(node):
        return
    if not isinstance(node, yaml.MappingNode):
        inside = prefix.removesuffix(".") or "the file"
        yield Problem(f"{path}:{line_of(node)}: {inside}: {describe(node)}; accepted: a map of settings")
        return
    for key_node, value in node.value:
        place = f"{path}:{line_of(key_node)}"
        if not isinstance(key_node, yaml.ScalarNode):
            yield Problem(f"{place}: {describe(key_node)} as a key; accepted: the name of a setting")
            continue
        key = prefix + key_node.value
        if key in seen:
            yield Problem(f"{place}: {shown(key)[1:-1]}: already set in line {seen[key]}; accepted: once")
            continue
        seen[key] = line_of(key_node)
        if key == "config.file":
            yield Problem(f"{place}: config.file: names this file and cannot be set in it")
        elif setting := keys.get(key):
            yield from _leaf(setting, f"{place}: {key}", value)
        elif any(known.startswith(f"{key}.") for known in keys):
            yield from _walk(path, value, prefix=f"{key}.", seen=seen)
        else:
            yield Problem(f"{place}: {shown(key)[1:-1]}: unknown key; {suggestion(key, list(keys))}")


def _leaf(setting: Setting, place: str, node: yaml.Node) -> Iterator[Given | Problem]:
    if is_null(node):
        return
    items = node.value if isinstance(node, yaml.SequenceNode) and setting.repeatable else [node]
    wrong = next((item for item in items if not isinstance(item, yaml.ScalarNode) or is_null(item)), None)
    if wrong is None:
        yield Given(setting, place, tuple(item.value for item in items))
    else:
        several = " or a list of such" if setting.repeatable else ""
        yield Problem(f"{place}: {describe(wrong)}; accepted: {setting.kind.accepts}{several}")
