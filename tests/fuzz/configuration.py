"""Flags, variables and the configuration file, together.

An input begins with a line for each argument (`--log.level=debug`) and each variable (`NAME=value`), up to a line
`---`; what follows is the file, which `--config.file=FILE` names.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import yaml

from exporter.config import SETTINGS, ArgumentParser, Config, ConfigError, add_arguments, parse, reload
from exporter.config.settings import VARIABLE_PREFIX
from tests.fuzz.files import file_of
from tests.fuzz.lines import mutate_lines

HEAD_ENDS = b"---\n"
FILE = "FILE"
SERVICE_LINK = "VIP_EXPORTER_PORT_10150_TCP_ADDR"
DEFAULTS = Config()
PARSER = ArgumentParser(prog="vip-exporter", add_help=False)
add_arguments(PARSER)
KEYS = {setting.key: setting for setting in SETTINGS}

mutate = mutate_lines
TOKENS = tuple(
    text.encode()
    for text in (
        *(f"{setting.flag}=" for setting in SETTINGS),
        *(f"{setting.variable}=" for setting in SETTINGS if len(setting.key) < 20),
        *dict.fromkeys(f"{part}: " for setting in SETTINGS for part in setting.key.split(".")),
        *("--no-", "--config.file=FILE", "\n---\n", "- ", "[", "]", "{", "}", ", ", "null", "~", "&a ", "*a", "<<: "),
        *("true", "off", "auto", "none", "15s", "1m30s", "500ms", "1y", "64KiB", "1GiB", "9" * 18, "0.8.2", "v1.0.0"),
        *(":10150", "[::1]:0", "127.0.0.1:65536", "unix:/run/x.sock", "unix:", "localhost:80", "[fe80::1%eth0]:1"),
        *("192.0.2.100", "2001:db8::1", "kube-system/x", "*/ingress-*", "node-1=02:00:00:00:00:0a", "eth0", "veth*"),
        *("\\x00", "\u0661", "\ud7ff", "\u2028", '"', "'", "\t", "!!int ", "? ", "|\n", "%TAG ! x\n"),
    )
)


def check(data: bytes) -> None:
    head, separator, content = data.partition(HEAD_ENDS)
    arguments, variables = read_head(head if separator else b"")
    if not separator:
        content = data
    with file_of(content) as path:
        flags = [argument.replace(FILE, str(path)) for argument in arguments]
        try:
            given = PARSER.parse_args(flags)
            config = parse(given, variables)
        except ConfigError as error:
            check_problems(error, flags, variables, path)
            return
        check_config(config)
        if getattr(given, "config.file") == [str(path)]:
            keys = list(keys_in(yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)))
            assert len(keys) == len(set(keys)), "a key twice, silently"
            assert all(key in KEYS or any(known.startswith(f"{key}.") for known in KEYS) for key in keys)
        again = reload(config, given, variables)
        assert (again.config, again.changed, again.needs_restart) == (config, (), ())
        check_precedence(config, given, variables)


def keys_in(node: yaml.Node | None, prefix: str = "") -> Iterator[str]:
    """The dotted keys of a file, in an independent reader's eyes."""
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        yield prefix + key.value
        yield from keys_in(value, f"{prefix}{key.value}.")


def read_head(head: bytes) -> tuple[list[str], dict[str, str]]:
    """As the system hands them over: bytes that are no UTF-8 as lone surrogates, and no NUL."""
    arguments, variables = [], {}
    for line in head.decode(errors="surrogateescape").replace("\0", "").splitlines():
        name, equals, value = line.partition("=")
        if line.startswith("-"):
            arguments.append(line)
        elif equals:
            variables[name] = value
    return arguments, variables


def check_problems(error: ConfigError, flags: Sequence[str], variables: Mapping[str, str], path: Path) -> None:
    """Each is one line that names the file and line, the variable or the flag."""
    assert error.problems
    assert str(error) == "\n".join(error.problems)
    files = [flag.removeprefix("--config.file=") for flag in flags] + list(variables.values()) + [str(path)]
    places = [f"{Path(file)}:" for file in files if file]
    for problem in error.problems:
        assert "\n" not in problem, problem
        assert len(problem) < 1000, problem
        assert problem.startswith((*places, VARIABLE_PREFIX, "-", "argument -", "unexpected argument ")), problem


def check_config(config: Config) -> None:
    """Each value is of its setting's type, and one that the setting's own parser gives for its text."""
    for field in fields(config):
        value, setting = getattr(config, field.name), field.metadata["setting"]
        if setting.repeatable:
            assert isinstance(value, tuple)
            assert len(set(value)) == len(value)
    assert config.observer_name
    assert config.vip_settle_time >= 0
    assert config.capture_buffer >= 64 * 1024
    for address in config.web_listen_address:
        assert KEYS["web.listen-address"].kind.parse(str(address)) == address


def check_precedence(config: Config, given: Namespace, variables: Mapping[str, str]) -> None:
    """A flag beats a variable, and that the file."""
    for setting in SETTINGS:
        texts = getattr(given, setting.key)
        if texts is None:
            text = variables.get(setting.variable)
            texts = [text] if text and not setting.repeatable else None
        if texts and not setting.repeatable:
            assert getattr(config, setting.field) == setting.kind.parse(texts[-1])
