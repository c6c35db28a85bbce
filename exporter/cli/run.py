"""`vip-exporter run`: what it can be told, its version, and the way into `serve`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from exporter import __version__, cli
from exporter.config import ArgumentParser, add_arguments
from exporter.revision import revision


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(
        prog="vip-exporter",
        description="Says which node holds the virtual IP, who says so, and since when.",
        epilog=cli.command_list(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    given = parser.parse_args(arguments)
    if given.version:
        built_from = revision()
        print(f"vip-exporter {__version__}" + (f" ({built_from})" if built_from else ""))
        return 0
    # Only who wants more than help or the version waits for all of it.
    from exporter.cli.serve import serve

    return serve(given)
