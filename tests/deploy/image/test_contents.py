"""What is in the image, and what is not."""

from __future__ import annotations

import ast
import re
import stat
import struct
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from exporter import __version__
from tests.deploy.image.bases import RUN
from tests.deploy.image.engine import READ_ONLY, REVISION, ROOT, Engine

pytestmark = pytest.mark.timeout(400)

LARGEST = 120_000_000
PROGRAM = "opt/vip-exporter"
PACKAGES = f"{PROGRAM}/lib/python3.13/site-packages"
PYTHON = ("--entrypoint", "/opt/vip-exporter/bin/python3.13")


@pytest.fixture(scope="module")
def root(engine: Engine, image: str) -> Iterator[Path]:
    """The files of the image."""
    with engine.mounted(image) as path:
        yield path


@pytest.fixture(scope="module")
def packages(root: Path) -> dict[str, Distribution]:
    return {found.name.lower().replace("_", "-"): found for found in distributions(path=[str(root / PACKAGES)])}


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file() and not path.is_symlink()]


def test_it_is_small(engine, image, nonroot) -> None:
    for name in (image, nonroot):
        with engine.mounted(name) as root:
            size = sum(path.stat().st_size for path in files(root))
        print(f"{name}: {size / 1e6:.1f} MB")
        assert size < LARGEST
    assert f"below {LARGEST // 1_000_000} MB" in (ROOT / "docs/image.md").read_text()


def test_there_is_neither_shell_nor_package_manager_nor_compiler(root) -> None:
    programs = {path.name for path in files(root) if path.stat().st_mode & stat.S_IXUSR}
    assert "python3.13" in programs
    assert not programs & {
        "sh",
        "bash",
        "dash",
        "busybox",
        "apt",
        "apt-get",
        "dpkg",
        "pip",
        "pip3",
        "gcc",
        "ld",
        "curl",
    }
    assert {path.name for path in (root / PROGRAM / "bin").iterdir()} == {
        "python",
        "python3",
        "python3.13",
        "vip-exporter",
    }
    assert not (root / PACKAGES / "pip").exists()


def test_nothing_gives_rights_to_who_runs_it(root) -> None:
    assert [path for path in files(root) if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID)] == []


def test_all_belongs_to_root_and_can_be_read_by_all(root) -> None:
    ours = [path for path in (root / PROGRAM).rglob("*") if not path.is_symlink()]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in ours} == {(0, 0)}
    wanted = stat.S_IROTH
    assert [path for path in ours if path.stat().st_mode & (wanted | stat.S_IWOTH) != wanted] == []


def test_what_is_described_as_installed_is_there(packages) -> None:
    for name, package in packages.items():
        missing = [file for file in package.files or () if file.parts[0] != ".." and not file.locate().exists()]
        assert missing == [], name


def test_every_requirement_is_installed_as_locked_but_what_was_pruned(packages) -> None:
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+) \\", (ROOT / "requirements/run.txt").read_text(), re.MULTILINE))
    assert set(packages) - {"vip-exporter"} <= set(locked)
    assert {name: found.version for name, found in packages.items()} == {"vip-exporter": __version__} | {
        name: version for name, version in locked.items() if name not in pruned()
    }


def pruned() -> set[str]:
    tree = ast.parse((ROOT / "deploy/image/prune.py").read_text())
    (found,) = [node for node in tree.body if isinstance(node, ast.Assign) and node.targets[0].id == "PACKAGES"]
    return set(ast.literal_eval(found.value))


def test_each_package_comes_with_its_licence(root, packages) -> None:
    without = [
        name
        for name, package in packages.items()
        if not any(re.search(r"licen[sc]e|copying|notice", file.name, re.IGNORECASE) for file in package.files or ())
    ]
    assert without == ["loguru"]  # whose wheel has none: docs/licences.md
    assert (root / PACKAGES / f"vip_exporter-{__version__}.dist-info/licenses/LICENSE").read_text() == (
        ROOT / "LICENSE"
    ).read_text()


def test_the_bytecode_of_what_the_program_imports_is_there_and_is_not_checked_against_its_source(root) -> None:
    """PEP 552: the second field is 1 for bytecode that is loaded without a look at its source."""
    ours = [path for path in (root / PACKAGES / "exporter").rglob("*.py") if path.name != "__main__.py"]
    library = [root / "usr/lib/python3.13" / name for name in ("argparse.py", "ssl.py", "sqlite3/__init__.py")]
    late = [root / PACKAGES / name for name in ("kubernetes/client/api_client.py", "tornado/platform/asyncio.py")]
    for source in (*ours, *library, *late):
        compiled = source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc"
        assert struct.unpack("<I", compiled.read_bytes()[4:8]) == (1,), source


def test_labels(engine, image, nonroot) -> None:
    for name in (image, nonroot):
        labels = {
            key.removeprefix("org.opencontainers.image."): value
            for key, value in engine.inspect(name)["Config"]["Labels"].items()
        }
        assert labels["title"] == "vip-exporter"
        assert labels["version"] == __version__
        assert labels["revision"] == REVISION
        assert labels["source"] == "https://github.com/vip-exporter/vip-exporter"
        assert labels["licenses"].startswith("Apache-2.0")
        assert labels["base.name"] == RUN
        assert {"description", "documentation"} <= set(labels)


def test_how_it_starts_and_stops(engine, image, nonroot) -> None:
    for name, user in ((image, "0:0"), (nonroot, "65532:65532")):
        config = engine.inspect(name)["Config"]
        assert config["User"] == user
        assert config["Entrypoint"] == ["/opt/vip-exporter/bin/vip-exporter"]
        assert not config.get("Cmd")
        assert config["StopSignal"] == "SIGTERM"
        assert set(config["ExposedPorts"]) == {"10150/tcp"}
        assert config["WorkingDir"] == "/"
        assert next(entry for entry in config["Env"] if entry.startswith("PATH=")).startswith(
            "PATH=/opt/vip-exporter/bin:"
        )


def test_the_build_is_given_what_it_needs_and_no_more(engine, tmp_path) -> None:
    recipe = tmp_path / "Dockerfile"
    recipe.write_text("FROM scratch\nCOPY . /\n")
    engine.podman("build", "--tag", "localhost/context", "--file", str(recipe), str(ROOT))
    with engine.mounted("localhost/context") as given:
        assert {path.name for path in given.iterdir()} >= {"LICENSE", "README.md", "exporter", "pyproject.toml"}
        assert {path.name for path in given.iterdir()} <= {
            *("LICENSE", "README.md", "exporter", "pyproject.toml", "requirements", "deploy"),
            *("dev", "proc", "sys", "run", "etc"),  # laid there by the builder
        }
        assert [path.name for path in (given / "requirements").iterdir()] == ["run.txt"]
        assert [path.name for path in (given / "deploy").iterdir()] == ["image"]
        assert list(given.rglob("__pycache__")) == []


def test_what_was_pruned_by_mistake_fails_the_build(engine, image) -> None:
    """As if a line in prune.py took a module away that is imported late: what `replay` reads IPv6 with, say."""
    missing = f"/{PACKAGES}/scapy/layers/inet6.py"
    done = engine.run(
        *READ_ONLY,
        *PYTHON,
        *("--tmpfs", "/tmp", "--volume", f"/dev/null:{missing}:ro"),
        *("--volume", f"/dev/null:/{PACKAGES}/scapy/layers/__pycache__/inet6.cpython-313.pyc:ro"),
        *("--volume", f"{ROOT}/deploy/image/compile.py:/compile.py:ro"),
        *(image, "/compile.py", f"/{PACKAGES}"),
    )
    assert done.returncode == 1
    assert "scapy.layers.inet6" in done.stderr


def test_nothing_was_laid_elsewhere(engine, root, tmp_path) -> None:
    """Neither by the build nor by the libraries that it let run once; of Debian's own files none was changed."""
    recipe = tmp_path / "Dockerfile"  # podman mounts only what is in the first of its stores
    recipe.write_text(f"FROM {RUN}\nCOPY Dockerfile /\n")
    engine.podman("build", "--pull=never", "--tag", "localhost/base", "--file", str(recipe), str(tmp_path))
    with engine.mounted("localhost/base") as base:
        before = {path.relative_to(base): path.lstat().st_mtime for path in base.rglob("*") if not path.is_dir()}
        added = [
            str(path.relative_to(root))
            for path in root.rglob("*")
            if not path.is_dir()
            and path.lstat().st_size  # the builder leaves empty files where it mounted something
            and before.get(path.relative_to(root)) != path.lstat().st_mtime
        ]
    elsewhere = [path for path in added if not path.startswith(f"{PROGRAM}/")]
    assert [path for path in elsewhere if not re.fullmatch(r"usr/lib/python3\.13/.*__pycache__/[^/]+\.pyc", path)] == []
    assert {path.name for path in (root / "var/lib").iterdir()} >= {"vip-exporter"}
    assert list((root / "var/lib/vip-exporter").iterdir()) == []
