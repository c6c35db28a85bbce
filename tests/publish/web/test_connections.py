"""Which connection gives way when there are too many: one of the client that has most."""

from __future__ import annotations

from exporter.publish.web.connections import Connections


def opened(connections: Connections[str], *names: str) -> list[str]:
    """Open some, each named client-number; returns those that gave way."""
    losers = [connections.open(name, name.partition("-")[0]) for name in names]
    return [loser for loser in losers if loser is not None]


def test_up_to_the_most_nobody_gives_way() -> None:
    assert opened(Connections(3), "a-1", "a-2", "b-1") == []


def test_a_client_with_too_many_pushes_out_its_own_longest_idle_one() -> None:
    connections = Connections[str](4)
    assert opened(connections, "b-1", "a-1", "a-2", "a-3", "a-4", "a-5") == ["a-1", "a-2"]


def test_another_client_takes_from_who_has_most() -> None:
    connections = Connections[str](4)
    assert opened(connections, "b-1", "a-1", "a-2", "a-3", "c-1", "d-1") == ["a-1", "a-2"]


def test_busy_ones_give_way_last_the_oldest_first() -> None:
    connections = Connections[str](3)
    opened(connections, "a-1", "a-2", "a-3")
    assert connections.begin("a-1")
    assert connections.begin("a-3")
    assert opened(connections, "b-1") == ["a-2"]
    connections.close("b-1")
    opened(connections, "a-4")
    assert connections.begin("a-4")
    assert opened(connections, "b-2") == ["a-1"]
    assert connections.busy == 2


def test_what_is_closed_makes_room() -> None:
    connections = Connections[str](2)
    opened(connections, "a-1", "a-2")
    connections.begin("a-1")
    connections.close("a-1")
    connections.close("a-1")
    connections.close("never-opened")
    assert connections.busy == 0
    assert opened(connections, "b-1") == []


def test_only_the_first_request_of_a_connection_begins() -> None:
    """And none of a connection that has given way or is unknown."""
    connections = Connections[str](1)
    opened(connections, "a-1")
    assert [connections.begin("a-1"), connections.begin("a-1")] == [True, False]
    opened(connections, "b-1")
    assert not connections.begin("a-1")
    assert not connections.begin("never-opened")


def test_among_as_many_clients_as_connections_an_idle_one_gives_way() -> None:
    """A scrape is not cut off by as many strangers as there may be connections."""
    connections = Connections[str](4)
    opened(connections, "honest-1")
    connections.begin("honest-1")
    assert opened(connections, *(f"{name}-1" for name in "abcdefgh")) == ["a-1", "b-1", "c-1", "d-1", "e-1"]
