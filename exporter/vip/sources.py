"""The sources beside the wire: what lease, annotation and bound addresses say of one VIP's holder, and since when."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.vip.model import LeaseSeen, Nanoseconds, Source
from exporter.vip.nodes import same_node


@dataclass(slots=True)
class Belief:
    """What one source says of the holder."""

    node: str = ""
    """Empty: it names nobody."""
    since: Nanoseconds = 0
    """Since when it names that node, by its own account where it gives one."""
    learned_at: Nanoseconds = 0
    """When that became known here."""
    changed_at: Nanoseconds | None = None
    """When it last went over to another node; None while it never has."""
    known: bool = False
    """The source exists for this VIP."""
    moves: int = 0
    matched: Nanoseconds | None = None
    """The change (its `changed_at`) that a take-over on the wire has already explained: it speaks for no other."""
    before: str = ""
    """The node that it named before its last change."""
    _last_named: str = ""

    def has_news(self, since: Nanoseconds) -> bool:
        """It went over to another node at `since` or later, and nothing on the wire has explained that yet."""
        return bool(self.node) and self.changed_at is not None and since <= self.changed_at != self.matched

    def learn(self, at: Nanoseconds, node: str, *, since: Nanoseconds | None = None) -> bool:
        """Take what the source says now; the first thing it ever says is no change.

        A source that names nobody for a while (a lease between two holders) has not moved until it names another.
        Returns whether it went over to another node.

        Args:
            since: when that came to be, if it was so before it became known.
        """
        first, self.known = not self.known, True
        if node != self.node:
            self.node, self.learned_at = node, at
            self.since = min(since, at) if first and since is not None else at
        if not node or same_node(node, self._last_named):
            return False
        moved, self.before, self._last_named = bool(self._last_named), self._last_named, node
        if moved or not first:
            self.changed_at = at
            if first:
                self.matched = at  # when it really changed is not known, so it speaks for nothing on the wire now
        self.moves += moved
        return moved

    def forget(self) -> None:
        self.known, self.node = False, ""

    def presume(self, node: str) -> None:
        """An earlier run of the program knew this holder: whatever else is said first is a change."""
        self._last_named = node

    def leave(self) -> None:
        """It has let go of its node: naming the same one again is a change."""
        self._last_named = ""


class Sources:
    """The beliefs on one VIP, strongest first: lease, annotation, local."""

    def __init__(self, settle: Nanoseconds) -> None:
        self._settle = settle
        self._beliefs = {source: Belief() for source in (Source.LEASE, Source.ANNOTATION, Source.LOCAL)}
        self._awaited: set[Source] = set()
        """The sources that have not followed the wire's present holder yet."""
        self.lease: LeaseSeen | None = None
        """As it was read last; None: no lease is known."""

    def __getitem__(self, source: Source) -> Belief:
        return self._beliefs[source]

    def items(self) -> list[tuple[Source, Belief]]:
        return list(self._beliefs.items())

    def learn(
        self,
        at: Nanoseconds,
        source: Source,
        node: str,
        *,
        takeover: Nanoseconds | None,
        since: Nanoseconds | None = None,
    ) -> bool:
        """Take what a source says now; returns whether it went over to another node.

        Args:
            since: when that came to be, by the source's own account.
            takeover: the first frame of the wire's present holder. The first change of a source within the settle
                time after it is explained by it.
        """
        belief = self._beliefs[source]
        before = belief.changed_at
        belief.learn(at, node, since=since)
        if belief.changed_at == before:
            return False
        if takeover is not None and source in self._awaited and at - takeover <= self._settle:
            self._awaited.discard(source)
            belief.matched = belief.changed_at
        return True

    def rename(self, canonical: Callable[[str], str]) -> None:
        """The nodes' own names have become known, or others: what a source wrote once stands for them too."""
        for belief in self._beliefs.values():
            belief.node = canonical(belief.node)

    def follow(self, first: Nanoseconds, node: str) -> set[Source]:
        """The wire has a new holder since `first`: returns the sources whose latest change that explains.

        Args:
            node: the new holder; empty: it has no name. A source that names another does not follow it, though its
                change is spent; one that names it already, however long, has nothing to follow.
        """
        naming = {source for source, belief in self._beliefs.items() if not node or same_node(belief.node, node)}
        news = {source for source, belief in self._beliefs.items() if belief.has_news(first - self._settle)}
        for source in news:
            self._beliefs[source].matched = self._beliefs[source].changed_at
        self._awaited = set(self._beliefs) - (naming if node else news)
        return news & naming

    def presume(self, node: str) -> None:
        """An earlier run of the program knew this holder."""
        for belief in self._beliefs.values():
            if not belief.known:
                belief.presume(node)

    def presume_current(self) -> None:
        """The wire's holder is the first one known: a source that names a node already has nothing to follow."""
        self._awaited -= {source for source, belief in self._beliefs.items() if belief.node}

    @property
    def lease_expires(self) -> Nanoseconds | None:
        """When the lease will have expired unless it is renewed; None: it cannot."""
        return self.lease.expires if self.lease is not None and self.lease_confirmed else None

    @property
    def lease_confirmed(self) -> bool:
        """Nobody doubts that the lease is as it was read; true of none at all."""
        return self.lease is None or self.lease.confirmed

    def lease_fresh(self, now: Nanoseconds) -> bool:
        """There is a lease, and nothing says that it has expired."""
        return self.lease is not None and (self.lease_expires is None or now <= self.lease_expires)

    def named(self, now: Nanoseconds) -> list[tuple[Source, str]]:
        """Every source that names a node now and may be believed, strongest first.

        An expired lease names nobody. An annotation counts only beside a fresh lease or where no lease is known at
        all, since nothing ever deletes it.
        """
        fresh, known = self.lease_fresh(now), self.lease is not None
        believed = {Source.LEASE: fresh, Source.ANNOTATION: fresh or not known, Source.LOCAL: True}
        return [(source, belief.node) for source, belief in self._beliefs.items() if belief.node and believed[source]]
