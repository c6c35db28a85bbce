"""The listening sockets: ports, names in the file system, all or none, and errors that name the flag."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from exporter.config import UnixAddress, parse_listen_address
from exporter.publish.web.listen import ListenError, Listening, listen


def listening(*addresses: str) -> Listening:
    return listen([parse_listen_address(text) for text in addresses])


def refusal(*addresses: str) -> str:
    with pytest.raises(ListenError) as caught:
        listening(*addresses)
    message = str(caught.value)
    assert message.startswith("--web.listen-address: cannot listen on ")
    assert "\n" not in message
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vip.sock"


def connect(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_several_addresses_at_once(path: Path) -> None:
    both = listening("127.0.0.1:0", "[::1]:0", f"unix:{path}")
    assert [one.family for one in both.sockets] == [socket.AF_INET, socket.AF_INET6, socket.AF_UNIX]
    assert both.port == both.sockets[0].getsockname()[1] != 0
    connect(path)
    both.close()


def test_a_unix_socket_alone_has_no_port(path: Path) -> None:
    one = listening(f"unix:{path}")
    assert one.port == 0
    one.close()


@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_unix_socket_is_for_owner_and_group_and_never_for_others(path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        one = listening(f"unix:{path}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    one.close()


def test_a_closed_unix_socket_leaves_no_name(path: Path) -> None:
    listening(f"unix:{path}").close()
    assert not path.exists()


def test_the_name_of_somebody_elses_socket_stays(path: Path) -> None:
    first = listening(f"unix:{path}")
    path.unlink()
    second = listening(f"unix:{path}")
    first.close()
    connect(path)
    second.close()


def test_a_socket_that_nobody_listens_on_is_replaced(path: Path) -> None:
    """Who was killed leaves its name behind."""
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
        killed.listen()
    one = listening(f"unix:{path}")
    connect(path)
    one.close()


def test_a_socket_that_somebody_listens_on_is_not_taken(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        assert "another program, vip-exporter or --web.listen-address listens there" in refusal(f"unix:{path}")
        connect(path)


def test_a_file_with_that_name_is_not_removed(path: Path) -> None:
    path.write_text("precious")
    assert "something else has that name; remove it" in refusal(f"unix:{path}")
    assert path.read_text() == "precious"


def test_a_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    path.symlink_to(target)
    assert "something else has that name" in refusal(f"unix:{path}")
    assert target.exists()


def test_a_directory_that_is_missing(path: Path) -> None:
    assert "make its directory first" in refusal(f"unix:{path.parent}/none/vip.sock")


def test_closing_again_leaves_the_next_one_its_name(path: Path) -> None:
    """Which often has the same inode, and may be another exporter's."""
    one = listen([UnixAddress(str(path))])
    one.close()
    for _ in range(10):
        other = listen([UnixAddress(str(path))])
        one.close()
        assert path.exists()
        other.close()


def test_where_one_address_fails_none_stays_open(path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refusal(f"unix:{path}", f"127.0.0.1:{taken.getsockname()[1]}")
    assert not path.exists()


def test_a_path_may_be_as_long_as_the_kernel_allows(tmp_path: Path) -> None:
    path = str(tmp_path / "x")
    path += "x" * (107 - len(path))
    one = listen([UnixAddress(path)])
    connect(Path(path))
    one.close()
