"""A small machine whose first process is the real systemd, with vip-exporter installed as docs/systemd.md says.

It has namespaces of its own for all but the network, which is that of a test's wire, and shares this host's programs
and kernel. When it is left, nothing remains of it.
"""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

from tests.netns import inside

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy" / "systemd"
UNIT = DEPLOY / "vip-exporter.service"
UNITS = "/etc/systemd/system"
SAMPLES = ("config.yaml", "vips.yaml")
SYSTEMD = Path("/lib/systemd/systemd")

_BOOT_SECONDS = 10.0
_TARGETS = ("sysinit", "basic", "multi-user", "network-online", "shutdown")
_JOURNAL = ("systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket")
_OPENER = build_opener(ProxyHandler({}))


class Machine:
    def __init__(self, pid: int, namespace: str) -> None:
        self._pid = pid
        """Of its first process, seen from here."""
        self._namespace = namespace
        self._cursor = ""

    def path(self, path: str) -> Path:
        """A path of the machine, for whoever is outside."""
        return Path(f"/proc/{self._pid}/root", path.lstrip("/"))

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def run(self, *command: str, succeeds: bool = True) -> str:
        """What a command prints that root runs there."""
        done = subprocess.run(
            [
                "nsenter",
                f"--target={self._pid}",
                "--mount",
                "--root",
                "--pid",
                "--cgroup",
                "--ipc",
                "--uts",
                "--net",
                "--",
                *command,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode == 0) is succeeds, f"{' '.join(command)}: {done.returncode}\n{done.stdout}"
        return done.stdout

    def systemctl(self, *arguments: str, succeeds: bool = True) -> str:
        return self.run("systemctl", "--no-pager", *arguments, succeeds=succeeds)

    def show(self, name: str) -> str:
        """A property of the unit."""
        return self.systemctl("show", "vip-exporter", f"--property={name}", "--value").strip()

    def drop_in(self, text: str, name: str = "test") -> None:
        """What `systemctl edit` would write."""
        self.write(f"{UNITS}/vip-exporter.service.d/{name}.conf", text)
        self.systemctl("daemon-reload")

    def restore(self) -> None:
        """As it was delivered and booted: stopped, with the sample files and nothing remembered."""
        self.systemctl("disable", "--now", "vip-exporter")
        self.systemctl("reset-failed")
        for directory in (f"{UNITS}/vip-exporter.service.d", "/etc/vip-exporter", "/var/lib/private/vip-exporter"):
            shutil.rmtree(self.path(directory), ignore_errors=True)
        for name in SAMPLES:
            self.write(f"/etc/vip-exporter/{name}", (DEPLOY / name).read_text())
        self.systemctl("daemon-reload")
        self._cursor = self.run("journalctl", "--lines=0", "--show-cursor").rpartition("cursor: ")[2].strip()

    def journal(self) -> str:
        """What it holds of the unit since the machine was as delivered."""
        since = [f"--after-cursor={self._cursor}"] if self._cursor else []
        return self.run("journalctl", "-u", "vip-exporter", "-o", "cat", "--no-pager", *since)

    def wrote(self, words: str) -> str:
        """The journal, once it has these words: it takes a moment."""
        return self.until(lambda: words in (journal := self.journal()) and journal)

    def process(self) -> dict[str, str]:
        """/proc/PID/status of the exporter, as its kernel has it."""
        lines = self.run("cat", f"/proc/{self.show('MainPID')}/status").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def get(self, path: str) -> str:
        with inside(self._namespace), _OPENER.open(f"http://127.0.0.1:10150{path}", timeout=10) as answer:
            return answer.read().decode()

    def vip(self) -> dict:
        (vip,) = json.loads(self.get("/api/v1/vips"))["vips"]
        return vip

    def until(self, condition, seconds: float = 10.0):
        """What `condition` returns once it is true; asserts that this is soon."""
        end = time.monotonic() + seconds
        while not (result := condition()):
            assert time.monotonic() < end, (
                f"not within {seconds} s\n{self.systemctl('show', 'vip-exporter')}{self.journal()}"
            )
            time.sleep(0.1)
        return result


@contextlib.contextmanager
def machine(directory: Path, namespace: str) -> Iterator[Machine]:
    """Boot one in an empty directory and a network namespace."""
    assert SYSTEMD.exists(), "systemd is missing: `make test` installs it"
    files, scratch, name = directory / "files", directory / "machine", f"vip-exporter-test-{uuid.uuid4().hex[:8]}"
    scratch.mkdir()
    _lay_out(files)
    settings = {
        "DIRECTORY": scratch,
        "FILES": files,
        "PYTHON": sys.base_prefix,
        "LIBRARIES": sysconfig.get_path("purelib"),
        "NAME": name,
    }
    log = directory / "machine.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig=KILL"),  # it does not outlive the tests, whatever becomes of them
                *("nsenter", f"--net=/run/netns/{namespace}"),
                *("unshare", "--mount", "--propagation", "private", "sh", str(Path(__file__).with_suffix(".sh"))),
            ],
            env={**os.environ, **{key: str(value) for key, value in settings.items()}},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        yield Machine(_booted(process, log), namespace)
    finally:
        # With the first process of the machine the kernel ends all others, before it tells the parent.
        for pid in _children(process) or [process.pid]:
            os.kill(pid, signal.SIGKILL)
        process.wait()
        _remove_control_group(scratch, name)


def _lay_out(files: Path) -> None:
    """What the machine has beside this host's programs."""
    units = files / UNITS.lstrip("/")
    units.mkdir(parents=True)
    for target in _TARGETS:
        (units / f"{target}.target").write_text("[Unit]\nDefaultDependencies=no\n")
    wanted = units / "sysinit.target.wants"
    wanted.mkdir()
    for unit in _JOURNAL:
        shutil.copy(SYSTEMD.parent / "system" / unit, units)
        (wanted / unit).symlink_to(f"../{unit}")
    (files / "etc/machine-id").write_text(f"{uuid.uuid4().hex}\n")
    (files / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
    (files / "etc/group").write_text("root:x:0:\nscrapers:x:900:\nvip-exporter-secrets:x:901:\n")
    _install(files)


def _install(files: Path) -> None:
    """What docs/systemd.md does with pip and install(1), without a network: the packages are those of the tests."""
    shutil.copy(UNIT, files / UNITS.lstrip("/"))
    settings = files / "etc/vip-exporter"
    settings.mkdir()
    for name in SAMPLES:
        shutil.copy(DEPLOY / name, settings)
    home = files / "opt/vip-exporter"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = home / "lib" / version / "site-packages"
    shutil.copytree(ROOT / "exporter", packages / "exporter", ignore=shutil.ignore_patterns("__pycache__"))
    compileall.compile_dir(packages, quiet=2, stripdir=str(files), prependdir="/")
    (packages / "libraries.pth").write_text("/opt/libraries\n")
    (home / "bin").mkdir()
    (home / "bin/python").symlink_to(f"/opt/python/bin/{version}")
    (home / "pyvenv.cfg").write_text("home = /opt/python/bin\n")
    program = home / "bin/vip-exporter"
    program.write_text("#!/opt/vip-exporter/bin/python\nimport sys\nfrom exporter.cli import main\nsys.exit(main())\n")
    program.chmod(0o755)


def _booted(process: subprocess.Popen[bytes], log: Path) -> int:
    """The id of the machine's first process, once that takes orders."""
    end = time.monotonic() + _BOOT_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()
        for pid in _children(process):
            if Path(f"/proc/{pid}/root/run/systemd/private").exists():
                return pid
        time.sleep(0.05)
    raise AssertionError(f"systemd does not boot:\n{log.read_text()}")


def _children(process: subprocess.Popen[bytes]) -> list[int]:
    try:
        return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def _remove_control_group(scratch: Path, name: str) -> None:
    script = """
        mount -t cgroup2 cgroup2 "$1"
        find "$1$(sed -n 's/^0:://p' /proc/self/cgroup)/$2" -depth -type d -exec rmdir {} +
    """
    subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-euc", script, "sh", str(scratch), name], check=True
    )
