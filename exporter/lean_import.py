"""Lets a module of a large package be imported without all that the package's own `__init__` imports.

Some libraries load everything they have as soon as anything of them is imported, most of which a program never uses: it
takes memory for good, and most of the time of a start.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec, module_from_spec


def skip_init(*packages: str) -> None:
    """Let these packages, outer ones first, count as imported; what their `__init__` would have defined is not there.

    Does nothing for one that has been imported already.

    Raises:
        ModuleNotFoundError: there is no such package.
    """
    for name in packages:
        if name in sys.modules:
            continue
        spec = find_spec(name)
        if spec is None:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        sys.modules.setdefault(name, module_from_spec(spec))
