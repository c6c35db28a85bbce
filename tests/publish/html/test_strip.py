"""The geometry of time lines: everything can be seen, and however much there is, the picture stays small."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from exporter.publish.html.strip import HOLDER_CLASSES, NARROWEST, strip
from exporter.publish.html.timeline import Mark, MarkKind, Span
from exporter.publish.report.picture import MOST_TICKS, picture
from exporter.vip.announcers import Announced, Announcer
from exporter.vip.model import SECOND, ClaimantClass, State
from exporter.vip.snapshot import Claimant

HOUR = 3600 * SECOND


def row(*lengths: tuple[int, State, str]) -> list[Span]:
    found, at = [], 0
    for length, state, holder in lengths:
        found.append(Span(at, at + length, state, holder))
        at += length
    return found


def test_holders_get_their_classes_in_the_order_of_appearance() -> None:
    spans = row((10, State.HELD, "b"), (10, State.HELD, "a"), (10, State.HELD, "b"))
    found = strip(spans, begin=0, end=30)
    assert [(piece.holder, piece.number) for piece in found.pieces] == [("b", 0), ("a", 1), ("b", 0)]
    assert found.holders == ("b", "a")
    assert found.pieces[0].classes == "span held holder-0"


def test_a_short_contest_in_a_week_can_be_seen_and_lies_on_top() -> None:
    spans = row((100 * HOUR, State.HELD, "a"), (10 * SECOND, State.CONTESTED, ""), (68 * HOUR, State.HELD, "a"))
    last = strip(spans, begin=0, end=spans[-1].end).pieces[-1]
    assert last.state is State.CONTESTED
    assert last.end - last.begin >= NARROWEST * 0.99


def test_of_what_is_drawn_as_one_the_worst_shows() -> None:
    short = [(SECOND, State.HELD, "a"), (SECOND, State.SILENT, ""), (SECOND, State.CONTESTED, "")]
    found = strip(row((HOUR, State.HELD, "a"), *short, (HOUR, State.HELD, "b")), begin=0, end=2 * HOUR + 3 * SECOND)
    assert [piece.state for piece in found.pieces] == [State.HELD, State.HELD, State.CONTESTED]


@given(
    st.lists(st.tuples(st.integers(1, 10**12), st.sampled_from(State), st.sampled_from("abc")), min_size=1, max_size=60)
)
def test_every_piece_lies_within_the_picture(lengths) -> None:
    spans = row(*lengths)
    for piece in strip(spans, begin=0, end=spans[-1].end).pieces:
        assert 0 <= piece.begin < piece.end <= 1
        assert 0 <= piece.number < HOLDER_CLASSES


def test_ten_thousand_spans_and_marks_are_a_bounded_picture() -> None:
    spans = row(*((SECOND + number % 7, State.HELD, f"node-{number % 40}") for number in range(10_000)))
    marks = [Mark(span.begin, MarkKind.MOVE) for span in spans]
    found = strip(spans, marks, begin=0, end=spans[-1].end)
    assert len(found.pieces) <= 2 / NARROWEST + 1
    assert len(found.ticks) <= 1 / NARROWEST + 1
    assert len(found.holders) == HOLDER_CLASSES


def announced(*stretches: tuple[int, int], mac: str = "m", node: str = "") -> Announced:
    claimant = Claimant(mac, node, ClaimantClass.UNRESOLVED)
    return Announced((Announcer(claimant, stretches[0][0], stretches[-1][1], len(stretches), stretches),), 0)


def test_a_lane_has_a_bar_for_each_stretch_and_a_lone_frame_can_be_seen() -> None:
    found = picture([], [], announced((0, 250), (500, 500)), begin=0, end=1000)
    assert found.lanes[0].bars == "M0 3h250v10H0ZM498.44 3h3.12v10H498.44Z"


def test_a_lane_of_many_stretches_is_bounded() -> None:
    stretches = [(number * 100, number * 100 + 1) for number in range(10_000)]
    found = picture([], [], announced(*stretches), begin=0, end=1_000_000)
    assert found.lanes[0].bars.count("M") <= 1 / NARROWEST


def test_a_holder_has_the_same_class_in_the_band_and_in_its_lane() -> None:
    spans = row((500, State.HELD, "node-2"), (500, State.HELD, "node-1"))
    found = picture(spans, [], announced((0, 400), node="node-1"), begin=0, end=1000)
    assert found.strip.pieces[1].number == found.lanes[0].number == 1
    assert found.unlisted == (("node-2", 0),)


@given(
    st.sampled_from([SECOND // 1000, SECOND, HOUR, 24 * HOUR, 300 * 24 * HOUR]).flatmap(
        lambda most: st.integers(1, 40 * most)
    ),
    st.integers(0, 2_000_000_000),
)
def test_the_axis_has_a_few_round_moments(width, begin) -> None:
    ticks = picture([], [], None, begin=begin * SECOND, end=begin * SECOND + width).ticks
    assert len(ticks) <= MOST_TICKS + 1
    assert all(0 <= tick.at <= 1 for tick in ticks)
    assert len({tick.clock for tick in ticks}) == len(ticks)
