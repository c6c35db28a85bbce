"""Runs a service of the compose file as a container runtime would, with a program of this machine instead of its image.

There is no container engine here. What the file says is taken at its word: command, environment, user, capabilities,
mounts at the container's paths, and a root that has nothing else but the program and its libraries.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.debian import UNPACKED, program
from tests.monitoring.process import Server

ROOT = Path(__file__).parent.parent.parent.parent
HERE = ROOT / "deploy" / "compose"
FILE = HERE / "compose.yaml"
COMPOSE = yaml.safe_load(FILE.read_text())
SERVICES: Mapping[str, Mapping[str, Any]] = COMPOSE["services"]

PROGRAMS = "/programs"
"""Where Prometheus' and Alertmanager's are, in the root: the images have them in their path."""


@dataclass(frozen=True, slots=True)
class Image:
    """What an image brings along, besides its files."""

    entrypoint: tuple[str, ...]
    user: int


IMAGES = {
    "vip-exporter": Image((sys.executable, "-m", "exporter"), 0),
    # Their Dockerfiles have USER nobody.
    "prometheus": Image((f"{PROGRAMS}/prometheus",), 65534),
    "alertmanager": Image((f"{PROGRAMS}/prometheus-alertmanager",), 65534),
}


@dataclass(frozen=True, slots=True)
class Mount:
    """An entry of `volumes`. `source` is a path on the host, or None for a named volume."""

    source: Path | None
    name: str
    target: str
    read_only: bool


def mounts(service: str) -> list[Mount]:
    found = []
    for entry in SERVICES[service]["volumes"]:
        source, target, *options = entry.split(":")
        path = (HERE / source).resolve() if source.startswith(".") else None
        found.append(Mount(path, source, target, options == ["ro"]))
    return found


class Container(Server):
    """A service that runs.

    Args:
        service: its name in the compose file.
        over: directories that take the place of what is mounted at a path, for tests that change them.
    """

    def __init__(self, service: str, *, over: Mapping[str, Path] | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.name = service
        self.log = self.directory / f"{service}.log"
        self._service = SERVICES[service]
        self._image = IMAGES[service]
        self._over = over or {}

    @property
    def volume(self) -> Path:
        """The directory of its named volume."""
        return self.directory / f"{self.name}-volume"

    @property
    def pid(self) -> int:
        # Everything in between makes way by exec.
        assert self._process is not None
        return self._process.pid

    def command(self) -> list[str]:
        root = self.directory / f"{self.name}-root"
        root.mkdir()
        self.volume.mkdir()
        os.chown(self.volume, self._image.user, self._image.user)
        script = "\n".join(
            [
                f"mount -t tmpfs none {root}",
                *(f"mkdir -p {root}{at} && mount -t tmpfs none {root}{at}" for at in self._service.get("tmpfs", [])),
                *(self._bind(root, source, target, read_only=ro) for source, target, ro in self._binds()),
                *([f"mount -o remount,ro {root}"] if self._service.get("read_only") else []),
                'exec chroot "$0" "$@"',
            ]
        )
        arguments = self._service.get("command", [])
        return ["sh", "-euc", script, str(root), *self._confined(), *self._image.entrypoint, *arguments]

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command beside it, as `docker compose exec` does."""
        enter = ["nsenter", f"--target={self.pid}", "--mount", "--net", "--root", "--wdns=/"]
        done = subprocess.run(
            [*enter, *self._confined(), *command], text=True, capture_output=True, timeout=30, check=False
        )
        if check:
            assert done.returncode == 0, f"{shlex.join(command)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def _confined(self) -> list[str]:
        capabilities = ["-all", *(f"+{name.lower()}" for name in self._service.get("cap_add", []))]
        user = self._image.user
        return [
            *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--no-new-privs"),
            *("--inh-caps=-all", "--ambient-caps=-all", f"--bounding-set={','.join(capabilities)}"),
            *("env", "--ignore-environment", f"PATH={PROGRAMS}:/usr/bin"),
            *(f"{key}={value}" for key, value in self._service.get("environment", {}).items()),
        ]

    def _binds(self) -> list[tuple[Path, str, bool]]:
        """Source, path in the root, whether it is read-only."""
        program("prometheus")  # or says how to get it
        of_this_machine = [
            *(Path(path) for path in ("/usr", "/bin", "/lib", "/lib64", "/dev", "/proc") if Path(path).exists()),
            *(Path(path) for path in {sys.base_prefix, sys.prefix, str(ROOT)} - {"/usr"}),
        ]
        return [
            *((path, str(path), path != Path("/proc")) for path in sorted(of_this_machine)),
            (UNPACKED / "usr" / "bin", PROGRAMS, True),
            # Debian's Alertmanager looks for its templates there.
            (UNPACKED / "usr" / "share", "/usr/share", True),
            *((mount.source or self.volume, mount.target, mount.read_only) for mount in mounts(self.name)),
            *((source, target, True) for target, source in self._over.items()),
        ]

    def _bind(self, root: Path, source: Path, target: str, *, read_only: bool) -> str:
        place = f"{root}{target}"
        make = f"mkdir -p {place}" if source.is_dir() else f"mkdir -p {Path(place).parent} && touch {place}"
        bound = f"{{ [ -e {place} ] || {{ {make}; }}; }} && mount --bind {source} {place}"
        return f"{bound} && mount -o remount,bind,ro {place}" if read_only else bound
