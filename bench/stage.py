"""The stage of every measurement: two hosts on one cable, and the programs that run on the one that listens.

Each host is a network namespace, so no frame of a storm can reach an interface of this machine.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from exporter.lab.network import LabUnavailableError, inside, undisturbed

DEVICE = "eth0"
VIPS = tuple(IPv4Address("192.0.2.100") + number for number in range(100))
"""The addresses that an exporter can be told to watch."""
SECONDS_TO_START = 20.0
SECONDS_TO_STOP = 5.0

_PORT = 10150
_SOL_PACKET, _PACKET_QDISC_BYPASS = 263, 20


class Stage:
    """A context manager: inside, the hosts are there; after it, however it ends, nothing of them is left.

    Raises:
        LabUnavailableError: on entering, where this machine or user does not allow it.
    """

    def __init__(self) -> None:
        self._listener, self._speaker = (f"vipb-{os.getpid()}-{name}" for name in ("listener", "speaker"))

    def __enter__(self) -> Self:
        if os.geteuid() != 0:
            raise LabUnavailableError("network namespaces need root")
        with ExitStack() as stack:
            stack.push(self.__exit__)
            for namespace in (self._listener, self._speaker):
                _ip("netns", "add", namespace)
                inside(namespace, _silence_ipv6)
            ends = [("name", DEVICE, "netns", namespace) for namespace in (self._listener, self._speaker)]
            _ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
            for namespace in (self._listener, self._speaker):
                _ip("-n", namespace, "link", "set", "lo", "up")
                _ip("-n", namespace, "link", "set", DEVICE, "up")
            self.directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vip-exporter-bench-")))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with undisturbed():
            if hasattr(self, "_stack"):
                self._stack.pop_all
            for namespace in (self._listener, self._speaker):
                with suppress(LabUnavailableError):
                    _ip("netns", "delete", namespace)
