"""Read a YAML file as text, each part with its line, and put what is wrong into words; judges no value."""

from __future__ import annotations

import os
from difflib import get_close_matches
from pathlib import Path

import yaml

LARGEST_FILE = 1 << 20
"""Bytes; a configuration file is never this long."""


class YamlFileError(ValueError):
    """The file cannot be read as YAML; the message is one line that names it, and the line where that is known."""


def read_yaml(path: Path) -> yaml.Node | None:
    """The file's one document, or None if it is empty.

    Values are read as text, so that `yes`, `1:30` or `0o17` mean what they look like.

    Raises:
        YamlFileError: it cannot be read, is larger than `LARGEST_FILE`, or is not one YAML document.
    """
    try:
        content = _content(path)
        root: yaml.Node | None = yaml.compose(content.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except YamlFileError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise YamlFileError(f"{path}: cannot be read: {reason}") from None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise YamlFileError(f"{path}{line}: not valid YAML: {error.problem}") from None
    except (yaml.YAMLError, RecursionError):
        raise YamlFileError(f"{path}: not valid YAML: a control character, or nested too deeply") from None
    return root


def _content(path: Path) -> bytes:
    content = read_at_most(path, LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise YamlFileError(f"{path}: larger than {LARGEST_FILE} bytes")
    return content


def read_at_most(path: Path, most: int) -> bytes:
    """The first so many bytes. A named pipe that nobody writes to is empty; to open one as a file would wait for ever.

    Raises:
        OSError: it cannot be read.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123 - of a descriptor
        os.set_blocking(file.fileno(), True)
        return file.read(most)


def is_null(node: yaml.Node) -> bool:
    return node.tag == "tag:yaml.org,2002:null"


def line_of(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def describe(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a map"
        case yaml.SequenceNode():
            return "a list"
        case _:
            return f"the value {shown(node.value)}"


def shown(text: str) -> str:
    """A bad value inside an error: quoted, control characters escaped, not endless."""
    return ascii(text if len(text) <= 100 else f"{text[:100]}...")


def suggestion(name: str, valid: list[str], *, otherwise: str = "see --help for those there are") -> str:
    nearest = get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"did you mean {nearest[0]}?" if nearest else otherwise
