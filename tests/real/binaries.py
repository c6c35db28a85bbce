"""The real binaries that the suite runs: where they are, or what is missing and how to get it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ASSETS = "KUBEBUILDER_ASSETS"
KUBE_VIP = "KUBE_VIP"
PROGRAMS = ("ip", "openssl", "unshare")

HELP = f"""\
`make e2e` runs real binaries and fetches none. It needs root and

  {ASSETS}  a folder with `etcd` and `kube-apiserver`, of Kubernetes 1.26 or later.
                      `setup-envtest use -p path` (controller-runtime) fetches them and prints the folder.
  {KUBE_VIP}            the path of a kube-vip binary, 0.7 or later. Its container image has it as `/kube-vip`:
                      `docker cp "$(docker create IMAGE)":/kube-vip .`
  {", ".join(PROGRAMS)}  Debian's iproute2, openssl and util-linux have them.

    make e2e {ASSETS}=/path/to/assets {KUBE_VIP}=/path/to/kube-vip

Missing:
"""


class MissingError(Exception):
    """Something that the suite needs is not there. The message says what, and how to get it."""


@dataclass(frozen=True)
class Binaries:
    etcd: Path
    apiserver: Path
    kube_vip: Path


def find(environ: Mapping[str, str] = os.environ) -> Binaries:
    """The binaries that the environment names.

    Raises:
        MissingError: one is not there, or this user or machine cannot run them.
    """
    missing = [] if os.geteuid() == 0 else ["root"]
    missing += [f"the program {name}" for name in PROGRAMS if shutil.which(name) is None]
    missing += [f"{name} is not set" for name in (ASSETS, KUBE_VIP) if not environ.get(name)]
    assets = Path(environ.get(ASSETS, "")).absolute()
    found = Binaries(assets / "etcd", assets / "kube-apiserver", Path(environ.get(KUBE_VIP, "")).absolute())
    for variable, path in ((ASSETS, found.etcd), (ASSETS, found.apiserver), (KUBE_VIP, found.kube_vip)):
        if environ.get(variable) and not (path.is_file() and os.access(path, os.X_OK)):
            missing.append(f"{path} is no file that can be run ({variable})")
    if missing:
        raise MissingError(HELP + "".join(f"  - {one}\n" for one in missing))
    return found
