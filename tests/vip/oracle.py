"""A second reading of the wire rules in docs/decisions.md: naive on purpose, for comparison with the core.

It keeps every frame for ever and works out from the list whatever it wants to know, each time anew. It knows macs only
(each mac its own node), one VIP, no other source and no cap.

Where the rules leave a choice it takes the core's: claims that lapse at the same moment in an episode do so in the
order old holder, then first begun; an interval teaches when the state is `held` as its second frame comes; a claim that
was withdrawn and is made again must speak twice again; a median between two intervals is their mean.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

SECOND = 1_000_000_000
GRACE_AT_LEAST = 7 * SECOND
SILENCE_AT_LEAST = 10 * SECOND


@dataclass(frozen=True)
class Heard:
    at: int
    mac: str


@dataclass
class Oracle:
    """Feed frames and times in order; read the attributes."""

    configured: int | None = None
    now: int = 0
    history: list[Heard] = field(default_factory=list)
    holder: str = ""
    live: list[str] = field(default_factory=list)
    """Macs whose claim has not lapsed, in the order in which the claims began."""
    began: dict[str, int] = field(default_factory=dict)
    """Position in the history where the live claim of a mac began."""
    episode: int | None = None
    """Position in the history of the episode's first rival frame."""
    contested: bool = False
    taught: list[int] = field(default_factory=list)
    """All intervals that teach since the last move."""
    moves: int = 0
    contests: int = 0
    withdrawn: int = 0
    moved_at: int | None = None
    handover: int | None = None

    # --- durations ---

    @property
    def period(self) -> int:
        if self.configured is not None:
            return self.configured
        last_nine = self.taught[-9:]
        return int(median(last_nine)) if len(last_nine) >= 3 else 3 * SECOND

    @property
    def grace(self) -> int:
        return max(2 * self.period, GRACE_AT_LEAST)

    @property
    def silence(self) -> int:
        return max(3 * self.period, SILENCE_AT_LEAST)

    # --- what is on record ---

    def times(self, mac: str, start: int = 0) -> list[int]:
        return [heard.at for heard in self.history[start:] if heard.mac == mac]

    def last(self, mac: str) -> int:
        return self.times(mac)[-1]

    def rivals_in_episode(self) -> list[str]:
        macs = [heard.mac for heard in self.history[self.episode :]]
        return [mac for mac in dict.fromkeys(macs) if mac != self.holder]

    @property
    def state(self) -> str:
        if self.episode is not None:
            return "contested" if self.contested else "moving"
        if not self.holder:
            return "silent" if self.period and self.now > 5 * self.period else "unknown"
        if self.period and self.now - self.last(self.holder) > self.silence:
            return "silent"
        return "held"

    @property
    def mac(self) -> str:
        return self.holder if self.state in ("held", "moving") else ""

    # --- time and frames ---

    def tick(self, now: int) -> None:
        """Let claims lapse until `now`, that moment included."""
        while self.live:
            moment = max(self.now, min(self.last(mac) + self.grace for mac in self.live))
            if moment > now:
                break
            self.now = moment
            self.lapse_at(moment)
        self.now = max(self.now, now)

    def lapse_at(self, moment: int) -> None:
        due = [mac for mac in self.live if self.last(mac) + self.grace <= moment]
        if self.contested:
            self.live = [mac for mac in self.live if mac not in due]
            self.end_contest()
            return
        # The one that fell silent first lapses first; at equal times the old holder, then the claim begun first.
        first = min(due, key=lambda mac: (self.last(mac), mac != self.holder, self.history[self.began[mac]].at, mac))
        self.live.remove(first)
        if self.episode is not None and first != self.holder:
            self.withdrawn += 1
        self.judge()

    def frame(self, at: int, mac: str) -> None:
        """One announcement; one of the past is taken at the greatest time so far."""
        self.tick(max(at, self.now))
        if mac == self.holder and self.state == "held" and self.configured is None:
            interval = self.now - self.last(mac)
            if SECOND // 2 <= interval <= 60 * SECOND:
                self.taught.append(interval)
        self.history.append(Heard(self.now, mac))
        if mac not in self.live:
            self.live.append(mac)
            self.began[mac] = len(self.history) - 1
        if not self.holder:
            self.holder = mac
        elif mac != self.holder and self.episode is None:
            self.episode = len(self.history) - 1
        self.judge()

    # --- judgement ---

    def judge(self) -> None:
        if self.episode is None or self.contested:
            return
        if self.is_contest():
            self.contested = True
            self.contests += 1
            return
        if len(self.live) > 1:
            return
        if not self.live or self.live == [self.holder]:
            self.episode = None
            return
        (new,) = self.live
        spoken = len(self.times(new, self.began[new]))
        if spoken >= (1 if self.configured == 0 else 2):
            self.move(new)

    def is_contest(self) -> bool:
        episode = self.episode
        assert episode is not None
        begin = self.history[episode].at
        late = {heard.mac for heard in self.history[episode:] if heard.at > begin + self.grace}
        if self.holder in late and late - {self.holder}:
            return True
        if self.holder in self.live:
            return False
        rivals = self.rivals_in_episode()
        for one in rivals:
            for other in rivals:
                mine, others = self.times(one, episode), self.times(other, episode)
                limit = max(mine[0], others[0]) + self.grace
                if one != other and mine[-1] > limit and others[-1] > limit:
                    return True
        return False

    def end_contest(self) -> None:
        if len(self.live) > 1:
            return
        survivor = self.live[0] if self.live else self.holder  # all stopped at one moment: the holder from before
        if survivor == self.holder:
            self.episode, self.contested = None, False
        else:
            self.move(survivor)

    def move(self, new: str) -> None:
        first = self.times(new, self.episode or 0)[0]
        old_last = self.last(self.holder)
        self.moves += 1
        self.moved_at, self.handover = first, max(0, first - old_last)
        self.holder, self.episode, self.contested = new, None, False
        self.taught = []
