"""What held when, told from events that the real core makes of situations, and that rings and files then damage."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.publish.html.sentence import sentence
from exporter.publish.html.timeline import WINDOWS, MarkKind, Span, marks, spans, window
from exporter.publish.records import Record, event_record, rfc3339
from exporter.vip.model import SECOND, EventName, Mode, Remembered, State, seconds
from tests.vip.situations import (
    VIP,
    Run,
    announce,
    capture,
    frames,
    interleave,
    lease,
    letter_of,
    mac_of,
    new_core,
    nodes,
    play,
    service,
)

WALL = 1_700_000_000 * SECOND
MINUTE = 60 * SECOND
ABC = nodes(0, "A", "B", "C")


def to_wall(at: int) -> int:
    return WALL + at


def records_of(run: Run) -> list[Record]:
    return [event_record(event, to_wall) for event in run.events if event.vip in (VIP, None)]


def line(found: tuple[Span, ...]) -> str:
    """`held A 0-30, moving B 30-37`: letters for nodes and MACs, seconds from zero."""

    def word(span: Span) -> str:
        holder = span.holder.removeprefix("node-").upper() if span.holder.startswith("node-") else span.holder
        begin, end = ((at - WALL) / SECOND for at in (span.begin, span.end))
        return " ".join(filter(None, (str(span.state), letter_of(holder), f"{begin:g}-{end:g}")))

    return ", ".join(word(span) for span in found)


def told(run: Run, *, begin: float = 0, until: float, records: list[Record] | None = None, devices=()) -> str:
    run.until(until)
    return line(
        spans(
            records_of(run) if records is None else records,
            begin=WALL + seconds(begin),
            end=WALL + seconds(until),
            vip=run.vip(),
            to_wall=to_wall,
            devices=devices,
        )
    )


class TestSpans:
    def test_nothing_heard_is_unknown_then_silent(self) -> None:
        assert told(play([]), until=30) == "unknown 0-15, silent 15-30"

    def test_who_is_named_but_was_never_heard_held_nothing(self) -> None:
        run = play(interleave(ABC, service(0, "node-a"), lease(0, "node-a")))
        assert told(run, until=30) == "unknown 0-15, silent 15-30"
        assert sentence(records_of(run)[-1]) == "silent: nobody announces it; node-a is named as its holder"

    def test_a_holder_is_held_from_its_first_frame(self) -> None:
        assert told(play(interleave(ABC, announce("A", from_=3, until=30))), until=30) == "unknown 0-3, held A 3-30"

    def test_where_no_node_is_known_the_mac_names_the_holder(self) -> None:
        assert told(play(announce("A", until=30)), until=30) == "held A 0-30"

    def test_a_move_begins_with_the_new_holders_first_frame(self) -> None:
        run = play(interleave(ABC, announce("A", until=30), announce("B", from_=31, until=60)))
        assert told(run, until=60) == "held A 0-31, moving B 31-37, held B 37-60"

    def test_a_move_that_a_source_settles_at_once_shows_no_moving(self) -> None:
        inputs = interleave(
            ABC, service(0, "node-a"), announce("A", until=30), service(31, "node-b"), announce("B", from_=31, until=60)
        )
        assert told(play(inputs), until=60) == "held A 0-31, held B 31-60"

    def test_a_contest_names_no_holder_and_ends_with_the_survivor(self) -> None:
        run = play(interleave(ABC, announce("A", until=45), announce("B", from_=21, until=90)))
        assert told(run, until=90) == "held A 0-21, moving B 21-30, contested 30-52, held B 52-90"

    def test_a_contest_that_the_holder_survives(self) -> None:
        run = play(interleave(ABC, announce("A", until=90), announce("B", from_=21, until=45)))
        assert told(run, until=90) == "held A 0-30, contested 30-52, held A 52-90"

    def test_a_contest_that_goes_on(self) -> None:
        run = play(interleave(ABC, announce("A", until=60), announce("B", from_=21, until=60)))
        assert told(run, until=60) == "held A 0-30, contested 30-60"

    def test_silence_and_return(self) -> None:
        run = play(interleave(ABC, announce("A", until=30), announce("A", from_=60, until=90)))
        assert told(run, until=90) == "held A 0-40, silent 40-60, held A 60-90"

    def test_silence_then_another(self) -> None:
        run = play(interleave(ABC, announce("A", until=30), announce("B", from_=60, until=90)))
        assert told(run, until=90) == "held A 0-40, silent 40-60, moving B 60-63, held B 63-90"

    def test_a_stray_frame_changes_nobody(self) -> None:
        assert told(play(interleave(ABC, announce("A", until=60), frames("C", 20))), until=60) == "held A 0-60"

    def test_an_episode_that_goes_on_shows_at_the_end(self) -> None:
        run = play(interleave(ABC, announce("A", until=58), frames("C", 58)))
        assert told(run, until=60) == "held A 0-59, moving A 59-60"

    def test_another_mac_of_the_same_node_is_the_same_holder(self) -> None:
        run = play(interleave(nodes(0, "AX", "B"), announce("A", until=30), announce("X", from_=31, until=60)))
        assert run.names() == ["vip_seen", "mac_changed"]
        assert told(run, until=60) == "held A 0-60"

    def test_a_node_that_becomes_known_later_is_the_same_holder(self) -> None:
        run = play(interleave(announce("A", until=30), nodes(20, "A", "B")))
        assert told(run, until=30) == "held A 0-30"

    def test_one_mac_for_all_moves_by_lease(self) -> None:
        inputs = interleave(
            nodes(0, "A", "B"),
            service(0, mode=Mode.DHCP, hwaddr="H", announces_hwaddr=True),
            lease(0, "node-a"),
            announce("H", until=60),
            lease(30, "node-b"),
        )
        run = play(inputs)
        assert "vip_moved" in run.names()
        assert told(run, until=60) == "held A 0-30, held B 30-60"

    def test_a_lease_moves_no_silence(self) -> None:
        inputs = interleave(
            nodes(0, "A", "B"), lease(0, "node-a"), announce("A", until=30), lease(60, "node-b"), lease(90, "node-b")
        )
        run = play(inputs, until=100)
        assert "vip_moved" in run.names()
        assert told(run, until=100) == "held A 0-40, silent 40-100"


class TestBlindness:
    def test_while_nothing_can_be_heard_it_is_unknown(self) -> None:
        inputs = interleave(ABC, capture(0, True), announce("A", until=90), capture(30, False), capture(50, True))
        run = Run(new_core(listening=False))
        run.feed(step for step in inputs if not (30 < step.at / SECOND < 50))
        assert told(run, until=90) == "held A 0-30, unknown 30-50, held A 50-90"

    def test_blind_now(self) -> None:
        run = Run(new_core(listening=False))
        run.feed(interleave(ABC, capture(0, True), announce("A", until=30), capture(30, False)))
        assert told(run, until=60) == "held A 0-30, unknown 30-60"

    def test_with_another_interface_left_nothing_is_lost(self) -> None:
        run = Run(new_core(listening=False))
        both = [*capture(0, True), *capture(0, True, "eth1")]
        run.feed(interleave(ABC, both, announce("A", until=60), capture(30, False)))
        assert told(run, until=60, devices=("eth0", "eth1")) == "held A 0-60"
        # Even where nobody says which interfaces there are: as it is heard now, it was.
        assert told(run, until=60) == "held A 0-60"

    def test_a_contest_is_forgotten_while_blind(self) -> None:
        inputs = interleave(
            ABC,
            capture(0, True),
            announce("A", until=45),
            announce("B", from_=21, until=45),
            capture(45, False),
            capture(60, True),
            announce("A", from_=60, until=90),
        )
        run = Run(new_core(listening=False))
        run.feed(inputs)
        assert told(run, until=90) == "held A 0-30, contested 30-45, unknown 45-60, held A 60-90"


class TestAfterARestart:
    def test_what_an_earlier_run_noted_is_told_too(self) -> None:
        before = records_of(play(interleave(ABC, announce("A", until=30))))
        run = Run(new_core(at=100))
        run.feed([Remembered(seconds(100), VIP, "node-a", mac_of("A"), seconds(0), seconds(30))])
        run.feed(nodes(100, "A", "B", "C"))
        run.feed(announce("B", from_=103, until=130))
        assert told(run, until=130, records=before + records_of(run)) == (
            "held A 0-103, moving B 103-106, held B 106-130"
        )


def split_brain() -> tuple[Run, list[Record]]:
    inputs = interleave(ABC, announce("A", until=45), announce("B", from_=21, until=90))
    run = play(inputs, until=90)
    return run, records_of(run)


class TestWhatIsLostOrDamaged:
    def test_without_any_event_the_snapshot_tells_since_when(self) -> None:
        run, _ = split_brain()
        assert told(run, until=90, records=[]) == "unknown 0-21, held B 21-90"

    def test_a_move_tells_who_held_it_before(self) -> None:
        run = play(interleave(ABC, announce("A", until=30), announce("B", from_=31, until=60)), until=60)
        (move,) = [record for record in records_of(run) if record["event"] == "vip_moved"]
        assert told(run, until=60, records=[move]) == "held A 0-31, moving B 31-37, held B 37-60"

    def test_the_end_of_a_contest_alone_tells_nothing_of_before(self) -> None:
        run, records = split_brain()
        last = [record for record in records if record["event"] in ("contest_ended", "vip_moved")]
        assert told(run, until=90, records=last).startswith("unknown 0-21, moving B 21-52")

    def test_order_and_repetition_do_not_matter(self) -> None:
        run, records = split_brain()
        whole = told(run, until=90, records=records)
        assert told(run, until=90, records=records + records) == whole
        assert told(run, until=90, records=records[::-1]) == whole

    def test_any_part_of_any_story_covers_the_time_without_gap(self) -> None:
        source = random.Random(1)
        run, records = split_brain()
        for _ in range(200):
            part = source.sample(records, source.randrange(len(records) + 1))
            begin, end = WALL + source.randrange(50) * SECOND, WALL + 90 * SECOND
            found = spans(part, begin=begin, end=end, vip=run.vip(), to_wall=to_wall)
            assert (found[0].begin, found[-1].end) == (begin, end)
            assert all(one.end == next_.begin for one, next_ in pairwise(found))
            assert (found[-1].state, found[-1].holder) == (State.HELD, "node-b")


odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.text(), max_size=1)
odd_records = st.lists(
    st.dictionaries(
        st.sampled_from(["time", "since", "from", "to", "from_mac", "to_mac", "mac", "holder", "check", "frames"])
        | st.sampled_from(["handover_seconds", "silence_seconds", "device", "source", "reason", "claimant"]),
        odd | st.sampled_from(["2023-11-14T22:13:51Z", "9999-12-31T23:59:59.999999Z", "0001-01-01", "host", "lease"]),
    ).flatmap(lambda record: st.sampled_from([*EventName, "vip_??", None]).map(lambda name: record | {"event": name})),
    max_size=6,
)


@given(odd_records)
def test_no_record_raises(records) -> None:
    run, _ = split_brain()
    begin, end = window(records, WALL)
    assert begin < WALL <= end
    found = spans(records, begin=begin, end=end, vip=run.vip(), to_wall=to_wall)
    assert (found[0].begin, found[-1].end) == (begin, end)
    marks(records, begin=begin, end=end)
    assert all(isinstance(sentence(record), str) for record in records)


def test_marks_are_moves_at_the_first_frame_and_contests_where_they_began() -> None:
    _, records = split_brain()
    found = marks(records * 2, begin=WALL, end=WALL + MINUTE)
    assert [((mark.at - WALL) / SECOND, mark.kind) for mark in found] == [
        (21, MarkKind.MOVE),
        (30, MarkKind.CONTEST),
    ]
    assert marks(records, begin=WALL + 25 * SECOND, end=WALL + MINUTE)[0].kind is MarkKind.CONTEST


class TestWindow:
    def moves(self, *ages: int) -> list[Record]:
        now = WALL
        return [{"event": "vip_moved", "time": rfc3339(now - age * MINUTE)} for age in ages]

    def test_without_events_it_is_ten_minutes(self) -> None:
        begin, end = window([], WALL)
        assert (end - begin, end >= WALL) == (WINDOWS[0], True)

    @pytest.mark.parametrize(("age", "width"), [(5, 0), (30, 1), (200, 2), (1000, 3), (5000, 4), (100_000, 4)])
    def test_it_is_the_smallest_that_has_the_last_transitions(self, age, width) -> None:
        begin, end = window(self.moves(age, 1), WALL)
        assert end - begin == WINDOWS[width]

    def test_more_than_eight_transitions_do_not_widen_it(self) -> None:
        begin, end = window(self.moves(5000, *range(8)), WALL)
        assert end - begin == WINDOWS[0]

    def test_what_is_no_transition_does_not_widen_it(self) -> None:
        begin, end = window([{"event": "vip_seen", "time": rfc3339(WALL - 5000 * MINUTE)}], WALL)
        assert end - begin == WINDOWS[0]

    def test_it_stands_still_from_one_second_to_the_next(self) -> None:
        now = WALL - WALL % (10 * SECOND)
        assert len({window([], now + second * SECOND) for second in range(1, 11)}) == 1
