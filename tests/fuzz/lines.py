"""Mutations of texts in which a line is a unit: one is doubled, dropped, moved, indented, or changed by itself."""

from __future__ import annotations

import random
from collections.abc import Callable


def mutate_lines(data: bytes, most: int, seed: int, mutated: Callable[[bytes, int], bytes]) -> bytes:
    chance = random.Random(seed)
    lines = data.splitlines(keepends=True)
    if len(lines) < 2 or chance.random() < 0.4:
        return mutated(data, most)
    at = chance.randrange(len(lines))
    line = lines[at]
    match chance.randrange(6):
        case 0:
            lines.insert(chance.randrange(len(lines) + 1), line)
        case 1:
            del lines[at]
        case 2:
            lines.insert(chance.randrange(len(lines)), lines.pop(at))
        case 3:
            lines[at] = b"  " + line if chance.random() < 0.5 else line.removeprefix(b"  ")
        case _:
            key, colon, value = line.rstrip(b"\n").partition(b": ")
            # Mostly the value alone.
            if colon and chance.random() < 0.8:
                lines[at] = key + colon + mutated(value, len(value) + 40) + b"\n"
            else:
                lines[at] = mutated(line, len(line) + 40)
    content = b"".join(lines)
    return content if len(content) <= most else mutated(data, most)
