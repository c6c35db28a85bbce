"""Write what happened as log lines, logfmt or flat JSON; the only module that imports loguru.

A message is constant text and everything variable is a field, so lines can be counted, and limited, by their message.
Fields are written by strangers (anyone on the segment, anyone who may edit an annotation): whatever they contain, one
record is one line of printable ASCII. Nothing here ever raises into the caller: a full disk must not stop the capture.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import TYPE_CHECKING, Literal, TextIO

from loguru import logger

if TYPE_CHECKING:
    from loguru import Message, Record

Format = Literal["logfmt", "json"]

LEVELS = ("debug", "info", "warning", "error")

LONGEST_VALUE = 1024
"""Characters kept of one value."""

BURST = 20
ERROR_BURST = 200
"""Lines of one message that pass at once, then one a second. The larger one keeps errors from being lost to it."""

MOST_MESSAGES = 500
"""Messages limited, and counted, one by one; any more share one limit. The program has far fewer."""

_OTHER = "other"
_RESERVED = frozenset({"ts", "level", "msg", "suppressed"})
_BARE = re.compile(r"[A-Za-z0-9_.:/+@%,-]+")
_NOT_IN_KEY = re.compile(r"[^A-Za-z0-9_.-]")
_LIBRARIES = ("apscheduler", "asyncio", "kubernetes", "tornado", "urllib3")


def debug(message: str, /, **fields: object) -> None:
    _log("debug", message, fields)


def info(message: str, /, **fields: object) -> None:
    _log("info", message, fields)


def warning(message: str, /, **fields: object) -> None:
    _log("warning", message, fields)


def error(message: str, /, **fields: object) -> None:
    _log("error", message, fields)


def event(record: Mapping[str, object]) -> None:
    """Write an event object: the message is its `event`, the fields are the object's own, all of them."""
    _log("info", str(record.get("event", "event")), record)


def suppressed() -> dict[str, int]:
    """How many lines the limit has held back since the start, by message or event name, where there were any."""
    return _limit.suppressed()


def configure(*, level: str, format: Format, stream: TextIO | None = None) -> None:
    """Choose what is written, how, and where to; may be called again at any time.

    Args:
        level: the least severe of `LEVELS` to write.
        format: `logfmt` or `json`.
        stream: where lines go; by default, whatever standard error is when a line is written.

    Raises:
        ValueError: the level or the format is not one of those.
    """
    global _threshold  # noqa: PLW0603 - one process has one log
    if level not in LEVELS:
        raise ValueError(f"unknown log level {level!r}")
    if format not in _RENDERERS:
        raise ValueError(f"unknown log format {format!r}")
    _add_sink(format, stream)
    _threshold = LEVELS.index(level)
    logging.basicConfig(handlers=[_FromLibraries()], level=logging.WARNING, force=True)
    logging.captureWarnings(True)
    for name in _LIBRARIES:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Where /proc shows processes only, it warns of a part of it that nobody here uses.
    logging.getLogger("pyroute2.netlink.rtnl.tcmsg").setLevel(logging.ERROR)


# --- the limit --------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float
    """When tokens were last added, in seconds of the monotonic clock."""
    total: int = 0
    unreported: int = 0


@dataclass(slots=True)
class _Limit:
    """A token bucket for each message."""

    clock: Callable[[], float] = time.monotonic
    buckets: dict[str, _Bucket] = field(default_factory=dict)
    # Re-entrant, because a signal handler may log while its own thread is in here.
    lock: threading.RLock = field(default_factory=threading.RLock)

    def admit(self, message: str, *, burst: int) -> int | None:
        """None: hold this line back. Otherwise: how many were held back since the last one that passed."""
        with self.lock:
            now = self.clock()
            if message not in self.buckets and len(self.buckets) >= MOST_MESSAGES:
                message = _OTHER
            bucket = self.buckets.setdefault(message, _Bucket(tokens=burst, filled=now))
            bucket.tokens = min(burst, bucket.tokens + now - bucket.filled)
            bucket.filled = now
            if bucket.tokens < 1:
                bucket.total += 1
                bucket.unreported += 1
                return None
            bucket.tokens -= 1
            held_back, bucket.unreported = bucket.unreported, 0
            return held_back

    def suppressed(self) -> dict[str, int]:
        with self.lock:
            return {message: bucket.total for message, bucket in self.buckets.items() if bucket.total}


# --- from a call to a line --------------------------------------------------------------------------------------------


def _log(level: str, message: str, fields: Mapping[str, object], *, limited_as: str = "") -> None:
    if LEVELS.index(level) < _threshold:
        return
    held_back = _limit.admit(limited_as or message, burst=ERROR_BURST if level == "error" else BURST)
    if held_back is None:
        return
    # Values become plain here, because their __str__ may itself log, which loguru forbids inside a sink.
    plain = {_key(name): _plain(value) for name, value in fields.items()}
    if held_back:
        plain["suppressed"] = held_back
    with contextlib.suppress(Exception):  # there is nowhere left to report it
        logger.bind(fields=plain).log(level.upper(), message)


def _key(name: object) -> str:
    key = _NOT_IN_KEY.sub("_", str(name)) or "_"
    return f"{key}_" if key in _RESERVED else key


def _plain(value: object) -> object:
    """The value as JSON knows it, no longer than `LONGEST_VALUE`."""
    try:
        simple = _simple(value)
        if isinstance(simple, str):
            return simple
        return simple if len(text := json.dumps(simple)) <= LONGEST_VALUE else _text(text)
    except Exception:  # noqa: BLE001 - its __str__ may do anything, or it contains itself
        return f"<{type(value).__name__} that cannot be written>"


def _simple(value: object) -> object:
    match value:
        case None | bool():
            return value
        case int():
            return int(value)
        case float():
            return float(value) if math.isfinite(value) else str(value)
        case BaseException():
            return _text(f"{type(value).__name__}: {value}".removesuffix(": "))
        case Mapping():
            return {_text(str(key)): _simple(item) for key, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_simple(item) for item in value]
        case str():
            return _text(str(value))
        case _:
            return _text(str(value))


def _text(text: str) -> str:
    # A lone surrogate is no text: JSON could only hold it in an escape that strict readers refuse.
    shown = text[:LONGEST_VALUE].encode("utf-8", "backslashreplace").decode()
    return shown if len(text) <= LONGEST_VALUE else f"{shown}... ({len(text)} characters)"


def _quoted(value: object) -> str:
    # ASCII output escapes C0, C1, U+2028 and U+2029 and directional overrides, but leaves DEL.
    return json.dumps(value, ensure_ascii=True, allow_nan=False).replace("\x7f", "\\u007f")


def _head(record: Record) -> dict[str, object]:
    moment = record["time"].astimezone(UTC).isoformat(timespec="milliseconds")
    return {"ts": moment.replace("+00:00", "Z"), "level": record["level"].name.lower(), "msg": _text(record["message"])}


def _render_json(record: Record) -> str:
    return _quoted(_head(record) | record["extra"].get("fields", {}))


def _render_logfmt(record: Record) -> str:
    pairs = _head(record) | record["extra"].get("fields", {})
    return " ".join(f"{key}={_logfmt_value(value)}" for key, value in pairs.items())


def _logfmt_value(value: object) -> str:
    text = value if isinstance(value, str) else _quoted(value)
    return text if _BARE.fullmatch(text) else _quoted(text)


_RENDERERS: dict[str, Callable[[Record], str]] = {"logfmt": _render_logfmt, "json": _render_json}


def _add_sink(format: Format, stream: TextIO | None) -> None:
    render = _RENDERERS[format]

    def write(message: Message) -> None:
        target = stream or sys.stderr
        try:
            target.write(f"{render(message.record)}\n")
            target.flush()
        except (OSError, ValueError, AttributeError):
            # Closed pipe, full disk, closed file, no standard error at all.
            pass

    logger.remove()
    logger.add(write, level="DEBUG", format=lambda _: "", colorize=False, backtrace=False, diagnose=False, catch=True)


class _FromLibraries(logging.Handler):
    """Takes over what libraries write through `logging`."""

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= logging.ERROR else "warning"
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001 - a library's format does not fit its arguments
            text = str(record.msg)
        fields: dict[str, object] = {"logger": record.name, "text": text}
        if record.exc_info and record.exc_info[1]:
            # The end is where a traceback says what happened.
            fields["traceback"] = "".join(traceback.format_exception(record.exc_info[1]))[-LONGEST_VALUE:]
        library = record.name.partition(".")[0]
        _log(level, "library message", fields, limited_as=f"library message: {library}")


_limit = _Limit()
_threshold = LEVELS.index("info")
_add_sink("logfmt", None)
