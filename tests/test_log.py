"""Log lines: one record is one line that parses back, whatever is in it; floods are held back and counted."""

from __future__ import annotations

import io
import json
import logging
import math
import re
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import log

PAIR = re.compile(r'([A-Za-z0-9_.-]+)=("(?:[^"\\]|\\.)*"|[^ "]+)(?: |$)')


def read_logfmt(line: str) -> dict[str, str]:
    """What a reader of logfmt makes of a line: values as text, quoted ones unquoted."""
    pairs = PAIR.findall(line)
    assert "".join(f"{key}={value} " for key, value in pairs).strip() == line
    return {key: json.loads(value) if value.startswith('"') else value for key, value in pairs}


def visible(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


@pytest.fixture(autouse=True)
def fresh_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[log._Limit]:
    """A limit of its own, with a clock that stands still; and the defaults again afterwards."""
    limit = log._Limit(clock=lambda: 0.0)
    monkeypatch.setattr(log, "_limit", limit)
    yield limit
    log.configure(level="info", format="logfmt")


def written(format: log.Format, level: str = "info") -> io.StringIO:
    stream = io.StringIO()
    log.configure(level=level, format=format, stream=stream)
    return stream


HOSTILE = [
    "plain",
    "",
    'quote " and \\ and = and space',
    "line\nfeed\r\x00\x1b[31m\x7f\x85\x9b\u2028\u2029",
    "braces {} {0} {message} %s <red>markup</red>",
    "level=error msg=forged",
    "\ud800 lone \udfff",
    "right-to-left \u202e override",
    "x" * 100_000,
]


@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("format", ["logfmt", "json"])
def test_hostile_values_stay_in_their_place(format: log.Format, value: str) -> None:
    """One line of printable ASCII that still says what the value was."""
    stream = written(format)
    log.info("frame {ignored} <b>", vip="192.0.2.10", text=value)
    line, end = stream.getvalue().split("\n")
    assert end == ""
    assert line.isascii()
    assert line.isprintable()
    fields = json.loads(line) if format == "json" else read_logfmt(line)
    assert fields["msg"] == "frame {ignored} <b>"
    assert fields["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["ts"])
    expected = (
        value if len(value) <= log.LONGEST_VALUE else f"{value[: log.LONGEST_VALUE]}... ({len(value)} characters)"
    )
    assert fields["text"] == visible(expected)
    assert list(fields) == ["ts", "level", "msg", "vip", "text"]


@given(st.dictionaries(st.text(max_size=8), st.text(alphabet=st.characters(codec=None), max_size=40), max_size=4))
def test_any_fields_make_one_line_that_parses_back(fields: dict[str, str]) -> None:
    for form in ("logfmt", "json"):
        log._limit.buckets.clear()
        stream = written("json" if form == "json" else "logfmt")
        log.event({"event": "vip_moved", "data": "".join(fields.values()), **fields})
        (line,) = stream.getvalue().splitlines()
        parsed = json.loads(line) if form == "json" else read_logfmt(line)
        if "data" not in fields:
            assert parsed["data"] == visible("".join(fields.values()))
        assert (
            parsed["msg"] == str(fields.get("event", "vip_moved"))[:1024].encode("utf-8", "backslashreplace").decode()
        )


class Rude:
    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "as_json", "as_logfmt"),
    [
        (None, None, "null"),
        (True, True, "true"),
        (7, 7, "7"),
        (1.5, 1.5, "1.5"),
        (math.nan, "nan", "nan"),
        pytest.param(10**5000, "<int that cannot be written>", "<int that cannot be written>", id="huge"),
        (Rude(), "<Rude that cannot be written>", "<Rude that cannot be written>"),
        (ValueError("bad\nvalue"), "ValueError: bad\nvalue", "ValueError: bad\nvalue"),
        (KeyError(), "KeyError", "KeyError"),
        (["a", 1], ["a", 1], '["a", 1]'),
        ({"mac": None}, {"mac": None}, '{"mac": null}'),
    ],
)
def test_types_of_values(value: object, as_json: object, as_logfmt: str) -> None:
    stream = written("json")
    log.info("typed", value=value)
    assert json.loads(stream.getvalue())["value"] == as_json
    stream = written("logfmt")
    log.info("typed", value=value)
    assert read_logfmt(stream.getvalue().strip())["value"] == as_logfmt


def test_a_value_that_contains_itself_is_written_somehow() -> None:
    loop: list[Any] = []
    loop.append(loop)
    stream = written("json")
    log.info("typed", value=loop)
    assert "cannot be written" in json.loads(stream.getvalue())["value"]


def test_an_event_line_carries_the_event_object() -> None:
    record = {"time": "2025-01-31T12:00:00Z", "vip": "192.0.2.10", "event": "vip_moved", "from": "a", "seconds": 1.5}
    stream = written("json")
    log.event(record)
    line = json.loads(stream.getvalue())
    assert line["msg"] == "vip_moved"
    assert {key: line[key] for key in record} == record


def test_fields_cannot_take_the_place_of_the_head() -> None:
    stream = written("json")
    log.warning("real", level="x", msg="y", ts="z")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["msg"], line["level_"], line["msg_"], line["ts_"]) == ("warning", "real", "x", "y", "z")


@pytest.mark.parametrize(("level", "lines"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_levels(level: str, lines: int) -> None:
    stream = written("logfmt", level)
    log.debug("d")
    log.info("i")
    log.warning("w")
    log.error("e")
    assert len(stream.getvalue().splitlines()) == lines


@pytest.mark.parametrize("bad", [{"level": "loud", "format": "json"}, {"level": "info", "format": "xml"}])
def test_unknown_choices_are_refused(bad: Any) -> None:
    with pytest.raises(ValueError, match="unknown log"):
        log.configure(**bad)


# --- the limit --------------------------------------------------------------------------------------------------------


def test_a_flood_is_held_back_counted_and_told_of(fresh_limit: log._Limit) -> None:
    """Twenty at once, one a second after; the next line that passes says how many did not. Others are not concerned."""
    now = 0.0
    fresh_limit.clock = lambda: now
    stream = written("json")
    for _ in range(1000):
        log.event({"event": "claim_withdrawn"})
    log.info("other")
    assert len(stream.getvalue().splitlines()) == log.BURST + 1
    assert log.suppressed() == {"claim_withdrawn": 980}
    now = 1.0
    log.event({"event": "claim_withdrawn"})
    log.event({"event": "claim_withdrawn"})
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[-1]["suppressed"] == 980
    assert "suppressed" not in lines[-2]
    assert log.suppressed() == {"claim_withdrawn": 981}


def test_lines_below_the_level_neither_count_nor_use_up_the_limit() -> None:
    stream = written("logfmt")
    for _ in range(100):
        log.debug("both")
    log.info("both")
    assert len(stream.getvalue().splitlines()) == 1
    assert log.suppressed() == {}


def test_errors_pass_where_others_would_not() -> None:
    stream = written("logfmt")
    for _ in range(log.BURST * 2):
        log.error("failed")
    assert len(stream.getvalue().splitlines()) == log.BURST * 2


def test_the_limit_keeps_a_bounded_number_of_messages() -> None:
    written("logfmt")
    for number in range(log.MOST_MESSAGES + 100):
        log.info(f"not constant {number}")
    assert log.suppressed() == {"other": 80}


# --- libraries, streams, threads --------------------------------------------------------------------------------------


def test_libraries_write_in_the_same_form() -> None:
    stream = written("json")
    library = logging.getLogger("urllib3.connectionpool")
    library.info("not this")
    library.warning("Retrying %s\n", "{x}")
    library.warning("%d", "not a number")
    try:
        raise ValueError("the cause")
    except ValueError:
        logging.getLogger("apscheduler").exception("job failed")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["level"] for line in lines] == ["warning", "warning", "error"]
    assert {line["msg"] for line in lines} == {"library message"}
    assert [line["text"] for line in lines] == ["Retrying {x}\n", "%d", "job failed"]
    assert lines[2]["traceback"].endswith("ValueError: the cause\n")


class Broken(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(28, "No space left on device"), ValueError("closed file"), RuntimeError()]
)
def test_a_stream_that_fails_never_raises(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    log.configure(level="info", format="json", stream=Broken(error))
    log.info("lost")
    logging.getLogger("tornado").error("lost")
    assert "Traceback" not in capsys.readouterr().out


def test_no_standard_error_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    log.configure(level="info", format="json")
    monkeypatch.setattr(sys, "stderr", None)
    log.info("lost")


def test_lines_of_several_threads_do_not_mix() -> None:
    stream = written("json")
    threads = [
        threading.Thread(target=lambda name=name: [log.error(f"thread {name}", data="x" * 500) for _ in range(100)])
        for name in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in stream.getvalue().splitlines()]) == 800
