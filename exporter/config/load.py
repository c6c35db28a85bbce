"""Turn command line, environment and file into one `Config`, or into an error that names everything wrong with them.

A flag beats a variable, a variable beats the file, the file beats the default; a list is replaced, never added to.
A bad value is an error even where a better source overrides it.
"""

from __future__ import annotations

import argparse
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, NoReturn

from exporter.config.given import (
    Given,
    Problem,
    from_environment,
    from_file,
    from_flags,
)
from exporter.config.settings import SETTINGS, Config, Setting
from exporter.config.values import BOOLEAN
from exporter.config.yaml_text import shown, suggestion

LONGEST_HINT = 200
"""Characters."""


class ConfigError(Exception):
    """The configuration cannot be used.

    Attributes:
        problems: one line for each thing wrong: where it stands, its key, the value, and what is accepted.
    """

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class UsageError(ConfigError):
    """The command line itself cannot be understood."""


class ArgumentParser(argparse.ArgumentParser):
    """Raises UsageError where argparse would print and exit, and names the nearest flag for one that is unknown."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:
        given = [text.partition("=") for text in args or () if text.startswith("-")]
        # argparse takes such a value for the end of the flags, and leaves an empty list in its place (Python 3.11).
        if ends := [flag for flag, _, value in given if value == "--"]:
            raise UsageError([f"{shown(flag)[1:-1]}: bad value '--'; leave the flag out" for flag in ends])
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            flags = [flag for action in self._actions for flag in action.option_strings]
            named = [text.partition("=")[0] for text in unknown if text.startswith("-")]
            raise UsageError(
                [f"{shown(flag)[1:-1]}: unknown flag; {suggestion(flag, flags)}" for flag in named]
                or [f"unexpected argument {shown(unknown[0])}"]
            )
        return arguments

    def error(self, message: str) -> NoReturn:
        raise UsageError([_short(message)])


@dataclass(frozen=True, slots=True)
class Reload:
    """What a reload leads to."""

    config: Config
    """To be in force from now on: settings that need a restart keep their value."""
    changed: tuple[str, ...]
    """Keys that have a new value in `config`."""
    needs_restart: tuple[str, ...]
    """Keys whose new value waits for a restart."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting, and those that only concern the command line (`--config.check`, `--version`)."""
    parser.add_argument("--version", action="store_true", help="Print the version and exit.")
    parser.add_argument(
        "--config.check", dest="config_check", action="store_true", help="Check the configuration and exit."
    )
    add_settings(parser)


def add_settings(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add a flag for each setting."""
    for setting in SETTINGS:
        if setting.kind is BOOLEAN:
            off = f"--no-{setting.key}"
            parser.add_argument(
                setting.flag, dest=setting.key, action="append_const", const="true", help=_help(setting)
            )
            parser.add_argument(
                off, dest=setting.key, action="append_const", const="false", help=f"Not {setting.flag}."
            )
        else:
            metavar = setting.key.rpartition(".")[2].upper()
            parser.add_argument(setting.flag, dest=setting.key, action="append", metavar=metavar, help=_help(setting))


def _help(setting: Setting) -> str:
    default = ", ".join(setting.default) or setting.unset
    repeated = " Repeatable." if setting.repeatable else ""
    return f"{setting.help}{repeated} Default: {default}. [{setting.variable}]".replace("%", "%%")


def parse(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Config:
    """The configuration, given a command line that was parsed with `add_arguments`.

    Raises:
        ConfigError: anything in it, in the environment or in the file is wrong.
    """
    flags = list(from_flags(arguments))
    variables = list(from_environment(environ))
    problems: list[str] = []
    found: dict[str, object] = {}
    if (path := _file(chain(variables, flags))) is not None:
        found |= _values(from_file(path), problems)
    found |= _values(variables, problems)
    found |= _values(flags, problems)
    if not found.get("observer_name"):
        found["observer_name"] = environ.get("NODE_NAME") or socket.gethostname()
    if problems:
        raise ConfigError(problems)
    return Config(**found)  # type: ignore[arg-type] # each value came from the parser of its own field


def load(argv: Sequence[str], environ: Mapping[str, str]) -> Config:
    """The configuration, given the arguments after the program's name.

    Raises:
        ConfigError: anything in it, in the environment or in the file is wrong.
    """
    parser = ArgumentParser(prog="vip-exporter")
    add_arguments(parser)
    return parse(parser.parse_args(argv), environ)


def reload(previous: Config, arguments: argparse.Namespace, environ: Mapping[str, str]) -> Reload:
    """Read everything anew and say what that changes.

    Raises:
        ConfigError: something is wrong now; `previous` should stay in force.
    """
    read = parse(arguments, environ)
    differing = [item for item in SETTINGS if getattr(previous, item.field) != getattr(read, item.field)]
    applied = {item.field: getattr(read, item.field) for item in differing if item.reloadable}
    return Reload(
        config=replace(previous, **applied),
        changed=tuple(item.key for item in differing if item.reloadable),
        needs_restart=tuple(item.key for item in differing if not item.reloadable),
    )


def _file(given: Iterable[Given | Problem]) -> Path | None:
    """The file to read; the last of `given` decides. None as well when its path is bad, which is reported later."""
    texts = [item.texts[0] for item in given if isinstance(item, Given) and item.setting.key == "config.file"]
    return Path(texts[-1]) if texts and texts[-1] and "\0" not in texts[-1] else None


def _values(given: Iterable[Given | Problem], problems: list[str]) -> dict[str, object]:
    """Parse what one source gives, adding to `problems` a line for each value that will not do."""
    values: dict[str, object] = {}
    for item in given:
        if isinstance(item, Problem):
            problems.append(item.text)
            continue
        parsed: list[object] = []
        for text in item.texts:
            try:
                parsed.append(item.setting.kind.parse(text))
            except ValueError as error:
                hint = f" ({_short(str(error))})" if str(error) else ""
                problems.append(f"{item.place}: bad value {shown(text)}{hint}; accepted: {item.setting.kind.accepts}")
        # Each once, in the order given.
        kept = tuple(dict.fromkeys(parsed))
        values[item.setting.field] = kept if item.setting.repeatable else next(iter(kept), None)
    return values


def _short(hint: str) -> str:
    """It may repeat the value, which may be as long as a file."""
    return hint if len(hint) <= LONGEST_HINT else f"{hint[:LONGEST_HINT]}..."
