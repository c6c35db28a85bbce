"""Configuration: one table of settings, and what flags, environment and file make of it."""

from exporter.config.load import (
    ArgumentParser,
    ConfigError,
    Reload,
    UsageError,
    add_arguments,
    add_settings,
    load,
    parse,
    reload,
)
from exporter.config.reference import reference
from exporter.config.settings import SETTINGS, Config, Setting
from exporter.config.values import Address, ListenAddress, UnixAddress, parse_duration, parse_listen_address

__all__ = [
    "SETTINGS",
    "Address",
    "ArgumentParser",
    "Config",
    "ConfigError",
    "ListenAddress",
    "Reload",
    "Setting",
    "UnixAddress",
    "UsageError",
    "add_arguments",
    "add_settings",
    "load",
    "parse",
    "parse_duration",
    "parse_listen_address",
    "reference",
    "reload",
]
