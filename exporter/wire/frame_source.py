"""What the capture thread reads from: frames in batches, with the kernel's time stamps. It never sends.

The same frame that came several times within one batch is handed over once, with all its stamps: so that a flood of
announcements costs little more than counting them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from exporter.vip.model import IPAddress, Nanoseconds


class CapturedFrame(NamedTuple):
    data: bytes
    outgoing: bool
    stripped_tag: int | None
    stamps: Sequence[Nanoseconds]
    """The kernel's, since 1970, UTC: one for each time that this frame came within the batch, in their order."""


class CaptureNotPermitted(Exception):  # noqa: N818 - it names the state to report
    """The process may not capture. The message is one line for the user."""


class FrameSource(Protocol):
    patience: float
    """Seconds for which it can be left alone in any flood without losing a frame."""

    def fileno(self) -> int:
        """Becomes readable when there are frames, or trouble."""

    def read(self) -> Sequence[CapturedFrame]:
        """What is there now, in the order of first stamps, without waiting.

        To be called once each time that `fileno` is readable, for it hands over a part only.

        Raises:
            OSError: once for each trouble, after the frames that came before it.
        """

    def watch(self, vips: Iterable[IPAddress], neighbours: Iterable[IPAddress]) -> None:
        """From now on, queue frames about these addresses. Those queued already stay."""

    def take_dropped(self) -> int:
        """Frames that the kernel has dropped for want of buffer space since this was last asked."""

    def why_deaf(self) -> str:
        """Why nothing can be heard at present; empty: it can. Raises OSError if this source is past repair."""

    def close(self) -> None: ...
