"""The stage of every measurement: two hosts on one cable, and the programs that run on the one that listens.

Each host is a network namespace, so no frame of a storm can reach an interface of this machine.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from ipaddress import IPv4Address
from pathlib import Path
from types import MappingProxyType

from bench.kernel_counts import Counts
from bench.sender import Sender
from exporter.lab.network import LabUnavailableError, inside, undisturbed

DEVICE = "eth0"
"""What either host calls its end of the cable."""
VIPS = tuple(IPv4Address("192.0.2.100") + number for number in range(100))
"""What an exporter can be told to watch."""
SECONDS_TO_START = 60.0
SECONDS_TO_STOP = 5.0
SECONDS_TO_ANSWER = 120.0
"""With ten thousand VIPs, on a busy machine."""
LISTENER_CORE, SPEAKER_CORE = min(os.sched_getaffinity(0)), max(os.sched_getaffinity(0))
"""Where there is one core only, the two share it."""

_PORT = 10150
_LISTENER_ADDRESS = "192.0.2.1/24"
"""Some of those who listen take addresses of other networks for errors."""
_PRIVILEGES = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all")
"""Those of a pod."""
_SOL_PACKET, _PACKET_QDISC_BYPASS = 263, 20


@dataclass(frozen=True, slots=True)
class Stage:
    listener: str
    """The namespace with all that listens."""
    speaker: str
    """The namespace that the frames come from."""
    directory: Path
    """For files that nobody needs afterwards."""

    @property
    def environment(self) -> dict[str, str]:
        """For every program: nothing of what the user has told an exporter or Python.

        Byte code is kept, as where the exporter is installed, but none that comes from elsewhere.
        """
        given = {key: value for key, value in os.environ.items() if not key.startswith(("VIP_EXPORTER_", "PYTHON"))}
        return given | {"PYTHONPYCACHEPREFIX": str(self.directory / "bytecode")}

    def intent_file(self, count: int) -> tuple[str, ...]:
        """The arguments that make an exporter watch the first `count` of `VIPS`, without Kubernetes."""
        path = self.directory / f"{count}.yaml"
        path.write_text("vips:\n" + "".join(f"  - address: {vip}\n" for vip in VIPS[:count]), encoding="utf-8")
        return ("--intent.file", str(path))

    @contextmanager
    def sender(self, frames: Sequence[bytes]) -> Iterator[Sender]:
        """Sends frames to the listener."""
        with inside(self.speaker, _open_outlet) as outlet:
            yield Sender(outlet, frames)

    @contextmanager
    def run(self, *command: str, namespace: str = "", quiet: bool = False) -> Iterator[subprocess.Popen[bytes]]:
        """Run a program on the listener (or elsewhere); it is ended on leaving.

        Args:
            quiet: what it says goes nowhere, instead of its output to a pipe and its errors to ours.
        """
        process = inside(
            namespace or self.listener,
            # A process group of its own: a Ctrl-C is for us, who stop it in good order.
            lambda: subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL if quiet else subprocess.PIPE,
                stderr=subprocess.DEVNULL if quiet else None,
                env=self.environment,
                process_group=0,
            ),
        )
        with process:
            try:
                yield process
            finally:
                process.terminate()
                try:
                    process.wait(SECONDS_TO_STOP)
                except subprocess.TimeoutExpired:
                    process.kill()

    @contextmanager
    def exporter(self, *arguments: str) -> Iterator[Exporter]:
        """The exporter itself, from the moment that its process exists, with no more rights than in a pod."""
        begun = time.perf_counter()
        command = (*_PRIVILEGES, sys.executable, "-m", "exporter", "run", "--capture.interface", DEVICE)
        options = ("--web.listen-address", f"127.0.0.1:{_PORT}", "--log.level", "error")
        with self.run(*command, *options, *arguments) as process:
            yield Exporter(self, process, begun)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """What this thread does meanwhile, it does on the speaker's core."""
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {SPEAKER_CORE})
        try:
            yield
        finally:
            os.sched_setaffinity(0, before)

    def place(self, pid: int) -> None:
        """Give a process that has just been started the listener's core."""
        os.sched_setaffinity(pid, {LISTENER_CORE})

    def wait_until_listens(self, begun: float, running: Callable[[], bool]) -> float:
        """Wait until somebody listens on the listener's interface, and return the seconds since `begun`.

        Raises:
            RuntimeError: nobody does in good time, or whoever should is not running any more.
        """

        def wait() -> float:
            index = socket.if_nametoindex(DEVICE)
            while not _has_packet_socket(index):
                if not running() or time.perf_counter() - begun > SECONDS_TO_START:
                    raise RuntimeError("a program that should listen does not")
                time.sleep(0.001)
            return time.perf_counter() - begun

        return inside(self.listener, wait)

    def frames_received(self) -> int:
        """How many frames the listener's interface has received so far, whoever wanted them."""
        # The process's own directory would show the namespace of its first thread.
        table = inside(self.listener, Path("/proc/thread-self/net/dev").read_text)
        found = re.search(rf"^ *{DEVICE}: *\d+ +(\d+)", table, re.MULTILINE)
        assert found is not None
        return int(found[1])


class Metrics:
    """/metrics of an exporter that serves at its usual port.

    Args:
        namespace: where the exporter runs.
    """

    def __init__(self, namespace: str) -> None:
        self._namespace = namespace
        self._connection = HTTPConnection("127.0.0.1", _PORT, timeout=SECONDS_TO_ANSWER)

    def scrape(self) -> str:
        """What it says.

        Raises:
            OSError: it does not serve.
        """
        return self.fetch().decode()

    def fetch(self, *, compressed: bool = False) -> bytes:
        """The body of an answer, as it comes, compressed where that is allowed. Raises as `scrape` does."""
        status, body = self._ask("GET", "/metrics", {"Accept-Encoding": "gzip" if compressed else "identity"})
        if status != 200:
            raise ConnectionError(f"/metrics: {status}")
        return body

    def reload(self) -> None:
        """Have it read its configuration anew, with --web.enable-lifecycle. Raises as `scrape` does."""
        until = time.perf_counter() + SECONDS_TO_ANSWER
        status, body = 503, b""
        while status == 503 and time.perf_counter() < until:  # it takes its time
            status, body = self._ask("POST", "/-/reload")
        if status != 200:
            raise ConnectionError(f"/-/reload: {body.decode().strip()}")

    def _ask(self, method: str, path: str, headers: Mapping[str, str] = MappingProxyType({})) -> tuple[int, bytes]:
        kept = self._connection.sock is not None
        if not kept:
            inside(self._namespace, self._connection.connect)
        try:
            self._connection.request(method, path, headers=dict(headers))
            with self._connection.getresponse() as response:
                return response.status, response.read()
        except (OSError, HTTPException) as error:
            self._connection.close()
            if kept:  # it has been idle for longer than the exporter keeps one open
                return self._ask(method, path, headers)
            raise ConnectionError(f"{path}: {error}") from error


class Exporter(Metrics):
    """An exporter that runs on the listener, and what can be asked of it.

    Args:
        begun: when it was started, as `time.perf_counter` has it.
    """

    def __init__(self, stage: Stage, process: subprocess.Popen[bytes], begun: float) -> None:
        super().__init__(stage.listener)
        self.begun = begun
        self.pid = process.pid
        self._process = process

    def wait_until_served(self, text: str = "") -> float:
        """Wait for the first scrape (that holds the text), and return the seconds since the start."""
        while True:
            pause = 0.005
            with suppress(OSError):
                if text in self.scrape():
                    return time.perf_counter() - self.begun
                pause = 0.05  # it serves, and should have time for what is still to do
            if not self.running() or time.perf_counter() - self.begun > SECONDS_TO_START:
                raise RuntimeError("the exporter does not serve")
            time.sleep(pause)

    def total(self, metric: str) -> int:
        """The sum of a metric's samples."""
        return total(self.scrape(), metric)

    def counts(self) -> Counts:
        """Frames since the start."""
        text = self.scrape()
        return Counts(
            total(text, "vip_exporter_capture_frames_total"), total(text, "vip_exporter_capture_dropped_total")
        )

    def running(self) -> bool:
        return self._process.poll() is None

    def rss(self) -> int:
        """Resident memory, in bytes."""
        return resident(self.pid)


def total(exposition: str, metric: str) -> int:
    """The sum of the samples of a metric (or of those whose labels begin as it says) in the text format."""
    return sum(int(float(line.rsplit(" ", 1)[1])) for line in exposition.splitlines() if line.startswith(metric))


def resident(pid: int) -> int:
    """Bytes of a process that are in memory, those that it shares with others among them."""
    pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid: int) -> float:
    """What all threads of a process, present and past, have used of the processors, to the nanosecond."""
    # The clock that clock_getcpuclockid(3) gives; /proc/PID/stat counts in hundredths of a second.
    return time.clock_gettime(~pid << 3 | 2)


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Set it up; afterwards, however it ends, nothing of it is left.

    Raises:
        LabUnavailableError: this machine or user does not allow it.
    """
    if os.geteuid() != 0:
        raise LabUnavailableError("network namespaces need root")
    listener, speaker = hosts = tuple(f"vipb-{os.getpid()}-{name}" for name in ("listener", "speaker"))
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="vip-exporter-bench-"))
        for host in hosts:
            stack.callback(_delete, host)
            _ip("netns", "add", host)
            inside(host, _do_without_ipv6)
        ends = [("name", DEVICE, "netns", host) for host in hosts]
        _ip("link", "add", *ends[0], "type", "veth", "peer", *ends[1])
        _ip("-netns", listener, "address", "add", _LISTENER_ADDRESS, "dev", DEVICE)
        for host in hosts:
            _ip("-netns", host, "link", "set", "lo", "up")
            _ip("-netns", host, "link", "set", DEVICE, "up")
        yield Stage(listener, speaker, Path(directory))


def _delete(host: str) -> None:
    with undisturbed(), suppress(LabUnavailableError):
        _ip("netns", "delete", host)


def _do_without_ipv6() -> None:
    # Its neighbour discovery would be counted among the frames of a storm.
    with suppress(FileNotFoundError):
        Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1", encoding="ascii")


def _has_packet_socket(index: int) -> bool:
    """Whether one that gets frames is bound to the interface of that number."""
    lines = Path("/proc/thread-self/net/packet").read_text(encoding="ascii").splitlines()[1:]
    return any(fields[4:6] == [str(index), "1"] for fields in map(str.split, lines))


def _open_outlet() -> socket.socket:
    outlet = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    outlet.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
    outlet.bind((DEVICE, 0))
    return outlet


def _ip(*arguments: str) -> None:
    # Likewise in a process group of its own, so that a Ctrl-C does not end it half way.
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False, process_group=0)
    if done.returncode:
        raise LabUnavailableError(f"`ip {' '.join(arguments)}` failed: {done.stderr.strip()}")
