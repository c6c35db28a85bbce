"""Makes stand-ins for the two images that the Dockerfile starts from, out of Debian's packages.

A registry of images is not at hand wherever the tests run; Debian's archive is. The stand-in for `debian:13-slim` is a
small Debian of the same release. The one for distroless has the files of the packages that distroless takes and of no
other: no shell, no package manager, no bytecode. Both are kept below `build/`, under a name made from what stands here.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(__file__).parents[3] / "build" / "image"

BUILD = "localhost/vip-exporter-test-build"
RUN = "localhost/vip-exporter-test-run"

_RELEASE = "trixie"
_FOR_THE_BUILD = ("ca-certificates", "libcap2-bin", "python3-venv")
"""What the Dockerfile installs; here beforehand, so that it is fetched once."""

# gcr.io/distroless/python3-debian13 and below it cc, base and static.
_DISTROLESS = (
    "base-files ca-certificates gcc-14-base libbz2-1.0 libc6 libcom-err2 libcrypt1 libdb5.3t64 libexpat1 libffi8"
    " libgcc-s1 libgomp1 libgssapi-krb5-2 libk5crypto3 libkeyutils1 libkrb5-3 libkrb5support0 liblzma5"
    " libncursesw6 libnsl2 libpython3.13-minimal libpython3.13-stdlib libreadline8t64 libsqlite3-0 libssl3t64"
    " libstdc++6 libtinfo6 libtirpc3t64 libuuid1 libzstd1 media-types netbase python3.13-minimal python3.13-venv"
    " tzdata zlib1g"
)
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_SETTINGS = (
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV LANG=C.UTF-8",
    f"ENV SSL_CERT_FILE={_CERTIFICATES}",
    "USER 0",
    "WORKDIR /",
    'ENTRYPOINT ["/usr/bin/python3.13"]',
)
_USERS = "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n"
_GROUPS = "root:x:0:\nnonroot:x:65532:\n"


def bases() -> Path:
    """A store with both images; made if it is not there."""
    store = CACHE / hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    if store.exists():
        return store
    # Others were made from what no longer stands here; half a one is left by who was interrupted.
    forget_mounts(CACHE)
    shutil.rmtree(CACHE, ignore_errors=True)
    making = CACHE / "making"
    making.mkdir(parents=True)
    build, run = making / "build", making / "run"
    _build_base(build)
    _run_base(run, build)
    _import(making, build, BUILD)
    _import(making, run, RUN, *_SETTINGS)
    forget_mounts(making)
    (making / "store").rename(store)
    shutil.rmtree(making)
    return store


def forget_mounts(directory: Path) -> None:
    """Undo what podman's storage mounts below a directory, and would leave."""
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        target = Path(line.split()[1])
        if target.is_relative_to(directory):
            _run("umount", str(target))


def storage_driver() -> str:
    """overlay saves copying every layer, but cannot lie upon itself, which is what a container has for a root."""
    CACHE.mkdir(parents=True, exist_ok=True)
    kind = _run("findmnt", "--noheadings", "--output", "FSTYPE", "--target", str(CACHE))
    return "vfs" if kind.strip() == "overlay" else "overlay"


def _build_base(root: Path) -> None:
    wanted = f"--include={','.join(_FOR_THE_BUILD)}"
    options = ("--quiet", "--mode=root", "--variant=minbase", "--dpkgopt=force-unsafe-io", wanted)
    _run("mmdebstrap", *options, _RELEASE, str(root))


def _run_base(root: Path, debian: Path) -> None:
    packages = debian / "packages"
    packages.mkdir()
    download = f"cd /packages && apt-get -qq update && apt-get -qq -o APT::Sandbox::User=root download {_DISTROLESS}"
    _run("chroot", str(debian), "sh", "-c", download)
    for package in sorted(packages.glob("*.deb")):
        _run("dpkg-deb", "--extract", str(package), str(root))
    shutil.rmtree(packages)
    for name in ("python", "python3"):
        (root / "usr/bin" / name).symlink_to("/usr/bin/python3.13")
    (root / "etc/passwd").write_text(_USERS)
    (root / "etc/group").write_text(_GROUPS)
    (root / "etc/nsswitch.conf").write_text("hosts: files dns\n")
    certificates = sorted((root / "usr/share/ca-certificates").rglob("*.crt"))
    (root / _CERTIFICATES[1:]).write_text("".join(path.read_text() for path in certificates))


def _import(making: Path, root: Path, name: str, *settings: str) -> None:
    changes = [argument for setting in settings for argument in ("--change", setting)]
    tar = making / "root.tar"
    _run("tar", "--create", "--file", str(tar), "--directory", str(root), ".")
    where = ("--root", str(making / "store"), "--runroot", str(making / "state"), "--storage-driver", storage_driver())
    _run("podman", *where, "import", "--quiet", *changes, str(tar), name)
    tar.unlink()


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
    return done.stdout
