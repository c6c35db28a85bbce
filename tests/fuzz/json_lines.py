"""Mutations of texts with a JSON object on some lines: mostly one value somewhere in one of them is changed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any


def mutate_json(data: bytes, most: int, seed: int, mutated: Callable[[bytes, int], bytes]) -> bytes:
    """Mostly a change of one value somewhere in one of the JSON texts; now and then of the bytes."""
    chance = random.Random(seed)
    lines = data.splitlines(keepends=True)
    there = [number for number, line in enumerate(lines) if line.startswith(b"{")]
    if not there or chance.random() < 0.3:
        return mutated(data, most)
    number = chance.choice(there)
    try:
        value = json.loads(lines[number])
    except (ValueError, RecursionError):
        return mutated(data, most)
    places = list(holders(value))
    if chance.random() < 0.15:
        lines.insert(chance.randrange(len(lines) + 1), chance.choice(lines))
    elif places:
        holder, key = chance.choice(places)
        change(holder, key, chance, places, mutated)
        lines[number] = json.dumps(value).encode() + b"\n"
    content = b"".join(lines)
    return content if len(content) <= most else mutated(data, most)


def holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every object or list within, with each of its keys."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from holders(value[key])


def change(
    holder: Any, key: Any, chance: random.Random, places: list[Any], mutated: Callable[[bytes, int], bytes]
) -> None:
    """Give one place another value: none, another place's, a text a little different, or something odd."""
    value = holder[key]
    match chance.randrange(5):
        case 0:
            del holder[key]
        case 1:
            other, place = chance.choice(places)
            if place in other if isinstance(other, dict) else place < len(other):
                holder[key] = json.loads(json.dumps(other[place]))
        case 2 if isinstance(holder, dict):
            names = [place for _, place in places if isinstance(place, str)]
            holder[chance.choice(names)] = holder.pop(key)
        case 3:
            holder[key] = chance.choice((None, True, 0, -1, 2**31, 1.5, "", "x" * 300, [], {}, [[]], "\ud800", "a\nb"))
        case _:
            text = value if isinstance(value, str) else json.dumps(value)
            holder[key] = mutated(text.encode(errors="replace"), len(text) + 40).decode(errors="replace")
