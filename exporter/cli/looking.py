"""What the commands that take one look have in common: their arguments, and the files that these name."""

from __future__ import annotations

import argparse
import os

from exporter import log
from exporter.cluster.client import find_configuration
from exporter.cluster.errors import ConfigurationError
from exporter.cluster.intent_file import IntentFile, IntentFileError, read_intent_file
from exporter.cluster.intent_words import address as unicast_address
from exporter.config import Config, ConfigError, add_settings, parse
from exporter.vip.model import IPAddress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The VIP, the form of the answer, and every setting that `run` has: they mean the same here."""
    parser.add_argument("vip", nargs="?", metavar="VIP", help="Only this one. Default: all that are known.")
    parser.add_argument("--json", action="store_true", help="One JSON object instead of text.")
    add_settings(parser.add_argument_group("settings, as for `run`"))


def read(given: argparse.Namespace) -> tuple[Config, IntentFile | None, tuple[IPAddress, ...]]:
    """Configuration, intent file, and the VIPs asked for.

    Raises:
        ConfigError: something of it cannot be used, or nothing tells which addresses are VIPs.
    """
    config = parse(given, os.environ)
    # Its lines would stand in the answer; what cannot be had is part of that already.
    log.configure(level="error" if config.log_level == "info" else config.log_level, format=config.log_format)
    intent = _intent(config)
    vips = () if given.vip is None else (_vip(given.vip),)
    if not vips and intent is None and not config.control_plane_address:
        _require_cluster(config)
    return config, intent, vips


def _intent(config: Config) -> IntentFile | None:
    if config.intent_file is None:
        return None
    try:
        return read_intent_file(config.intent_file)
    except IntentFileError as error:
        raise ConfigError(str(error).splitlines()) from None


def _vip(text: str) -> IPAddress:
    try:
        return unicast_address(text)
    except ValueError as error:
        raise ConfigError([f"{text!r}: {error}"]) from None


def _require_cluster(config: Config) -> None:
    remedy = "name the VIP: without Kubernetes and without --intent.file nothing tells which addresses are VIPs"
    if not config.kubernetes_enabled:
        raise ConfigError([remedy])
    try:
        find_configuration(str(config.kubernetes_kubeconfig or ""))
    except ConfigurationError as error:
        raise ConfigError([str(error), remedy]) from None
