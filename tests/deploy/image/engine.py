"""Builds images and runs containers, with Debian's podman and crun and with the rights that Kubernetes gives."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from exporter.lab.program import Sample, read_samples
from tests.deploy.image.bases import BUILD, CACHE, RUN, bases, forget_mounts, storage_driver
from tests.netns import inside

ROOT = Path(__file__).parents[3]
REVISION = "0123abc"

READ_ONLY = ("--read-only", "--read-only-tmpfs=false")
NO_RIGHTS = ("--cap-drop", "ALL")
NET_RAW = (*NO_RIGHTS, "--cap-add", "NET_RAW")
NO_NEW_PRIVILEGES = ("--security-opt", "no-new-privileges")

# podman passes capabilities on to users other than root as inheritable and ambient ones. Docker and the runtimes below
# Kubernetes have both sets empty; so has what is tested here, by a hook that podman runs before it creates a container.
_HOOK = """\
#!{python}
import json, sys
container = json.load(sys.stdin)
rights = container["process"]["capabilities"]
for name in {empty}:
    rights[name] = []
json.dump(container, sys.stdout)
"""
AS_IN_KUBERNETES = ("inheritable", "ambient")
BOUNDING_ONLY = ("inheritable", "ambient", "permitted", "effective")

# crun works with one version of the control groups, and some machines have both mounted. None are used here.
_ONE_VERSION_OF_CONTROL_GROUPS = (
    'umount --recursive /sys/fs/cgroup && mount --types cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"'
)
# None outlives the tests for long, whatever becomes of them.
_SECONDS = 120
# podman would raise these, for which not every machine gives root the right.
_LIMITS = ("--ulimit", "nofile=4096:4096", "--ulimit", "nproc=4096:4096")
_OPENER = build_opener(ProxyHandler({}))


@contextmanager
def workshop() -> Iterator[Path]:
    """An empty directory for podman's store, for one test run at a time; what an interrupted one left goes first.

    It lies beside the stand-ins: both stores need the same kind of file system, and /tmp may be on another.
    """
    directory = CACHE.with_name("image-work")
    directory.mkdir(parents=True, exist_ok=True)
    with directory.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _empty(directory)
        try:
            yield directory
        finally:
            _empty(directory)


def _empty(directory: Path) -> None:
    forget_mounts(directory)
    for path in directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


class Engine:
    """podman with a store of its own.

    Args:
        directory: an empty one, for everything: a `workshop`.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._podman = [
            *("podman", "--root", str(directory / "store"), "--runroot", str(directory / "state")),
            *("--storage-driver", storage_driver(), "--storage-opt", f"additionalimagestore={bases()}"),
            *("--cgroup-manager", "cgroupfs"),
        ]
        self._containers = 0

    def podman(self, *arguments: str) -> str:
        """What a command of podman prints; it must end well."""
        done = subprocess.run([*self._podman, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"podman {' '.join(arguments)}:\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        return done.stdout

    def build(self, name: str, target: str) -> str:
        """Build one of the Dockerfile's targets from the stand-ins, with pip as it is set up on this machine."""
        self.podman(
            *("build", "--isolation", "chroot", "--pull=never", "--layers", "--target", target, "--tag", name),
            *("--build-arg", f"BUILD_IMAGE={BUILD}", "--build-arg", f"RUN_IMAGE={RUN}"),
            *("--build-arg", f"REVISION={REVISION}"),
            *self._pip_of_this_machine(),
            str(ROOT),
        )
        return name

    def inspect(self, image: str) -> Mapping:
        (found,) = json.loads(self.podman("image", "inspect", image))
        return found

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """The files of an image."""
        path = Path(self.podman("image", "mount", image).strip())
        try:
            yield path
        finally:
            self.podman("image", "unmount", image)

    def command(self, *options: str, empty: Sequence[str] = AS_IN_KUBERNETES) -> list[str]:
        """`podman run` with these options, image and arguments.

        Args:
            empty: the sets of capabilities that the container's process begins without.
        """
        hooks = self._hooks(empty)
        podman = (*self._podman, "--hooks-dir", str(hooks))
        run = ("run", "--rm", "--pull=never", "--cgroups=disabled", f"--timeout={_SECONDS}", *_LIMITS)
        return ["unshare", "--mount", "sh", "-c", _ONE_VERSION_OF_CONTROL_GROUPS, "sh", *podman, *run, *options]

    def run(
        self, *options: str, network: str = "none", empty: Sequence[str] = AS_IN_KUBERNETES
    ) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        command = self.command("--network", network, *options, empty=empty)
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    @contextmanager
    def running(self, namespace: str, *options: str, empty: Sequence[str] = AS_IN_KUBERNETES) -> Iterator[Container]:
        """Run an exporter in a network namespace. It must get ready, and end well when it is told to stop."""
        self._containers += 1
        name = f"exporter-{self._containers}"
        log = self._directory / f"{name}.log"
        command = self.command("--name", name, "--network", f"ns:/run/netns/{namespace}", *options, empty=empty)
        with log.open("wb") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output)
        container = Container(namespace, log)
        try:
            while not container.is_ready():
                assert process.poll() is None, f"it ended with {process.returncode}:\n{log.read_text()}"
                assert time.monotonic() < container.begun + 30, f"not ready in time:\n{log.read_text()}"
                time.sleep(0.05)
            container.pid = int(self.podman("inspect", "--format", "{{.State.Pid}}", name))
            yield container
            os.kill(container.pid, signal.SIGTERM)
            assert process.wait(10) == 0, log.read_text()
        finally:
            if process.poll() is None:
                # First the container: to kill podman alone would leave it running.
                for pid in self.podman("ps", "--filter", f"name=^{name}$", "--format", "{{.Pid}}").split():
                    os.kill(int(pid), signal.SIGKILL)
                process.kill()
                process.wait()

    def _hooks(self, empty: Sequence[str]) -> Path:
        directory = self._directory / f"hooks-{len(empty)}"
        if not directory.exists():
            directory.mkdir()
            program = directory / "hook"
            program.write_text(_HOOK.format(python=sys.executable, empty=tuple(empty)))
            program.chmod(stat.S_IRWXU)
            hook = {
                "version": "1.0.0",
                "hook": {"path": str(program)},
                "when": {"always": True},
                "stages": ["precreate"],
            }
            (directory / "hook.json").write_text(json.dumps(hook))
        return directory

    def _pip_of_this_machine(self) -> list[str]:
        """Options that lay pip's settings, and the files and folders that they name, into the build."""
        said = subprocess.run(
            [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
        ).stdout
        settings, volumes = ["[global]\n"], []
        for line in said.splitlines():
            key, _, quoted = line.partition("=")
            value = quoted.strip("'")
            if Path(value).is_absolute() and Path(value).exists():
                volumes.append(f"--volume={value}:/host{value}:ro")
                value = f"/host{value}"
            settings.append(f"{key.rpartition('.')[2]} = {value}\n")
        path = self._directory / "pip.conf"
        path.write_text("".join(dict.fromkeys(settings)))
        return [*dict.fromkeys(volumes), f"--volume={path}:/etc/pip.conf:ro"]


@dataclass
class Container:
    """A running exporter."""

    namespace: str
    log: Path
    pid: int = 0
    begun: float = 0.0

    def __post_init__(self) -> None:
        self.begun = time.monotonic()

    def get(self, path: str) -> str:
        with inside(self.namespace), _OPENER.open(f"http://127.0.0.1:10150{path}", timeout=5) as answer:
            return answer.read().decode()

    def is_ready(self) -> bool:
        try:
            return self.get("/-/ready") == "ok\n"
        except (URLError, ConnectionError):
            return False

    def samples(self, name: str) -> list[Sample]:
        return [sample for sample in read_samples(self.get("/metrics")) if sample.name == name]

    def eventually(self, name: str, within: float = 15.0, **labels: str) -> Sample:
        """The first sample of a metric that has these labels and is not 0."""
        until = time.monotonic() + within
        while True:
            for sample in self.samples(name):
                if sample.value and labels.items() <= sample.labels.items():
                    return sample
            assert time.monotonic() < until, f"no {name} {labels}:\n{self.get('/metrics')}\n{self.log.read_text()}"
            time.sleep(0.05)

    def status(self) -> Mapping[str, str]:
        """What the kernel says of its process: proc(5), /proc/PID/status."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
