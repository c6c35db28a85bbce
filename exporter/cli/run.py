"""`vip-exporter run`: watch until told to stop. SIGTERM and SIGINT stop it, SIGHUP reads the configuration anew."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence

from exporter import __version__, cli, log
from exporter.app import App
from exporter.cli.looking import intent_of
from exporter.cluster.errors import ConfigurationError
from exporter.cluster.intent_file import IntentFile
from exporter.config import ArgumentParser, Config, ConfigError, add_arguments, parse, reload
from exporter.publish.web.listen import ListenError
from exporter.wire.capture import CaptureNotPermitted
from exporter.wire.interface import NoDefaultRouteError


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(
        prog="vip-exporter",
        description="Says which node holds the virtual IP, who says so, and since when.",
        epilog=cli.command_list(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    given = parser.parse_args(arguments)
    if given.version:
        print(f"vip-exporter {__version__}")
        return 0
    config = parse(given, os.environ)
    intent = intent_of(config)
    if given.config_check:
        print("the configuration is good")
        return 0
    log.configure(level=config.log_level, format=config.log_format)
    return _run(config, intent, given)


def _run(config: Config, intent: IntentFile | None, given: argparse.Namespace) -> int:
    # Blocked before the first thread starts, so that every thread inherits it and none but `sigwait` takes a signal.
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        app = App(config, intent)
        app.start()
    except CaptureNotPermitted as error:
        print(f"vip-exporter: {error}", file=sys.stderr)
        return cli.EX_NOPERM
    except (NoDefaultRouteError, ConfigurationError) as error:
        raise ConfigError([str(error)]) from None
    except ListenError as error:
        print(f"vip-exporter: {error}", file=sys.stderr)
        return 1
    while signal.sigwait(signals) == signal.SIGHUP:
        config = _reload(app, config, given)
    app.stop()
    return 0


def _reload(app: App, config: Config, given: argparse.Namespace) -> Config:
    """Put what the files say now in force, or keep the old configuration whole."""
    try:
        result = reload(config, given, os.environ)
        intent = intent_of(result.config)
    except ConfigError as error:
        for problem in error.problems:
            log.error("configuration not reloaded", problem=problem)
        app.refuse_reload()
        return config
    app.reload(result.config, intent)
    if result.needs_restart:
        log.warning("restart needed for new values", keys=result.needs_restart)
    log.info("configuration reloaded", changed=result.changed)
    return result.config
