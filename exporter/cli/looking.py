"""What the commands that take one look have in common: arguments, the files that these name, and how to answer."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from exporter import log
from exporter.cluster.client import find_configuration
from exporter.cluster.errors import ConfigurationError
from exporter.cluster.intent_file import IntentFile, IntentFileError, read_intent_file
from exporter.cluster.intent_words import address as unicast_address
from exporter.config import Config, ConfigError, add_settings, parse
from exporter.vip.model import IPAddress, Source

if TYPE_CHECKING:
    from exporter.look import Look


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
    intent = intent_of(config)
    vips = () if given.vip is None else (_vip(given.vip),)
    if not vips and intent is None and not config.control_plane_address:
        _require_cluster(config)
    return config, intent, vips


def intent_of(config: Config) -> IntentFile | None:
    """The content of the intent file that the configuration names.

    Raises:
        ConfigError: it cannot be used.
    """
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


# --- the answer -------------------------------------------------------------------------------------------------------

_MEANS = {
    Source.WIRE: "the wire",
    Source.LEASE: "the Lease",
    Source.ANNOTATION: "the Service",
    Source.LOCAL: "the addresses bound here",
}
_OF_KUBERNETES = (_MEANS[Source.LEASE], _MEANS[Source.ANNOTATION])


def lacking_record(seen: Look) -> dict[str, str]:
    """What could not be had, with the reason."""
    return {str(source): reason for source, reason in seen.lacking.items()} | (
        {"state_file": seen.forgotten} if seen.forgotten else {}
    )


def lacking_text(seen: Look) -> Iterator[str]:
    """The same in lines."""
    lacking = {_MEANS[source]: seen.lacking[source] for source in Source if source in seen.lacking}
    if seen.without_kubernetes:
        lacking = {what: reason for what, reason in lacking.items() if what not in _OF_KUBERNETES}
        lacking["Kubernetes"] = seen.without_kubernetes
    for what, reason in lacking.items():
        more = "; --log.level=warning tells more" if seen.cluster and what in ("Kubernetes", *_OF_KUBERNETES) else ""
        yield f"lacking {what}: {reason}{more}"
    if seen.forgotten:
        yield f"lacking the state file: {seen.forgotten}"
