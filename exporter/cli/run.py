"""`vip-exporter run`: watch until told to stop. SIGTERM and SIGINT stop it, SIGHUP reads the configuration anew."""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Sequence
from threading import Lock

from exporter import __version__, cli, log
from exporter.app import App
from exporter.cli.looking import intent_of
from exporter.cluster.errors import ConfigurationError
from exporter.cluster.intent_file import IntentFile
from exporter.config import ArgumentParser, Config, ConfigError, add_arguments, parse, reload
from exporter.publish.web.door import FrontDoor
from exporter.publish.web.listen import ListenError
from exporter.publish.web.routes import Reloaded
from exporter.publish.web.web_config import WebConfigError
from exporter.revision import revision
from exporter.service_manager import ServiceManager
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
        built_from = revision()
        print(f"vip-exporter {__version__}" + (f" ({built_from})" if built_from else ""))
        return 0
    config = parse(given, os.environ)
    intent = intent_of(config)
    door = _door_of(config)
    if given.config_check:
        print("the configuration is good")
        return 0
    log.configure(level=config.log_level, format=config.log_format)
    return _run(config, intent, door, given)


def _door_of(config: Config) -> FrontDoor:
    try:
        return FrontDoor(config.web_config_file)
    except WebConfigError as error:
        raise ConfigError(error.problems) from None


def _run(config: Config, intent: IntentFile | None, door: FrontDoor, given: argparse.Namespace) -> int:
    # Blocked before the first thread starts, so that every thread inherits it and none but `sigwait` takes a signal.
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    manager = ServiceManager(os.environ)
    try:
        app = App(
            config,
            intent,
            door=door,
            reload=lambda: reloader(),  # noqa: PLW0108 - it does not exist yet
            manager=manager,
        )
        reloader = _Reloader(app, config, given, manager)
        app.start()
    except CaptureNotPermitted as error:
        print(f"vip-exporter: {error}", file=sys.stderr)
        return cli.EX_NOPERM
    except ConfigurationError as error:
        raise ConfigError([str(error)]) from None
    except (ListenError, NoDefaultRouteError) as error:
        # Not 64: while a machine starts, addresses and routes are only just coming, and another attempt may succeed.
        print(f"vip-exporter: {error}", file=sys.stderr)
        return 1
    while signal.sigwait(signals) == signal.SIGHUP:
        reloader()
    app.stop()
    # At its end Python looks through all objects once more, for up to a second; there is nothing left to find.
    gc.freeze()
    return 0


class _Reloader:
    """Puts what the files say now in force, or keeps the old configuration whole. One at a time."""

    def __init__(self, app: App, config: Config, given: argparse.Namespace, manager: ServiceManager) -> None:
        self._app = app
        self._config = config
        self._given = given
        self._manager = manager
        self._lock = Lock()

    def __call__(self) -> Reloaded:
        with self._lock, self._manager.reloading():
            try:
                result = reload(self._config, self._given, os.environ)
                self._app.reload(result.config, intent_of(result.config))
            except (ConfigError, WebConfigError) as error:
                for problem in error.problems:
                    log.error("configuration not reloaded", problem=problem)
                self._app.refuse_reload()
                return Reloaded(problems=error.problems)
            self._config = result.config
            if result.needs_restart:
                log.warning("restart needed for new values", keys=result.needs_restart)
            log.info("configuration reloaded", changed=result.changed)
            return Reloaded(waiting=result.needs_restart)
