"""Watch until told to stop. SIGTERM and SIGINT stop it, SIGHUP reads the configuration anew."""

from __future__ import annotations

import argparse
import faulthandler
import gc
import os
import signal
import sys
from collections.abc import Callable
from threading import Lock

from exporter import cli, log
from exporter.app import App
from exporter.cli.looking import intent_of
from exporter.cluster.errors import ConfigurationError
from exporter.cluster.intent_file import IntentFile
from exporter.config import Config, ConfigError, parse, reload
from exporter.publish.web.door import FrontDoor
from exporter.publish.web.listen import ListenError
from exporter.publish.web.routes import Reloaded
from exporter.publish.web.web_config import WebConfigError
from exporter.service_manager import ServiceManager
from exporter.wire.capture import CaptureNotPermitted
from exporter.wire.interface import NoDefaultRouteError

LOOK_EVERY = 1.0
"""Seconds between two looks at how it does."""
UNWELL_LOOKS = 60
"""Looks in a row that find it unwell, until it ends. Probes and systemd's watchdog, where they are, are sooner."""
GARBAGE_FROM = 20_000
"""Objects more than before, from which on it is looked for cycles among the young ones."""
STOP_SECONDS = 8
"""For everything to stop, which takes two; systemd kills after ten."""


def serve(given: argparse.Namespace) -> int:
    """Run the exporter as the parsed arguments say, and return its exit status.

    Raises:
        ConfigError: something that it was given cannot be used.
    """
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
    # Blocked before the first thread starts, so that every thread inherits it and none but `_attend` takes a signal.
    signal.pthread_sigmask(signal.SIG_BLOCK, {*cli.SIGNALS, signal.SIGALRM})
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
    _spare_the_collector()
    status = _attend(app, reloader)
    app.stop()
    # At its end Python looks through all objects once more, for up to a second; there is nothing left to find.
    gc.freeze()
    return status


def _spare_the_collector() -> None:
    """Have Python look for unreachable cycles more seldom, and never among what a start leaves behind.

    Nearly everything here is freed with its last reference. By default a third of a scrape of thousands of VIPs goes
    into looking through all there is, again and again, while frames wait.
    """
    gc.set_threshold(GARBAGE_FROM, 10, 10)
    gc.collect()
    gc.freeze()


def _attend(app: App, reloader: Callable[[], object]) -> int:
    """Wait for the signal that ends it, and return the exit status: 1 where only a new start helps.

    Whoever supervises it may see no more of it than whether it runs. So what lacks a thread, or stands still, ends.
    """
    unwell = 0
    # Not `sigtimedwait`: woken by SIGCONT after its time, it returns whatever stood in memory for a signal.
    signal.setitimer(signal.ITIMER_REAL, LOOK_EVERY, LOOK_EVERY)
    while (came := signal.sigwait({*cli.SIGNALS, signal.SIGALRM})) in (signal.SIGHUP, signal.SIGALRM):
        if came == signal.SIGHUP:
            reloader()
            continue
        if died := app.died():
            _limit_the_end()
            log.error("a thread has ended, and the program with it", reason=died)
            return 1
        healthy, reason = app.healthy()
        unwell = 0 if healthy else unwell + 1
        if unwell > UNWELL_LOOKS:
            _limit_the_end()
            log.error("it stands still, and ends", reason=reason)
            faulthandler.dump_traceback(file=2)
            return 1
    _limit_the_end()
    return 0


def _limit_the_end() -> None:
    """From here on, whatever hangs, even the log: it ends, and says where that was.

    To the descriptor, since `sys.stderr` may be none.
    """
    faulthandler.dump_traceback_later(STOP_SECONDS, exit=True, file=2)


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
