"""A Kubernetes API with one Service, in a process of its own so that the exporter does not wait for ours."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.stage import VIPS, Stage
from exporter.lab.kubeapi import KubeAPI

TOKEN = "only-for-the-benchmark"


@contextmanager
def run(stage: Stage) -> Iterator[tuple[str, ...]]:
    """Run it on the listener; gives the arguments that make an exporter use it."""
    path = stage.directory / "kubeconfig"
    with stage.run(sys.executable, "-m", "bench.kubernetes", str(path)) as process:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the Kubernetes API did not start")
        yield ("--kubernetes.kubeconfig", str(path))


def main(path: Path) -> None:
    """Serve until standard input ends."""
    address = str(VIPS[0])
    with KubeAPI(token=TOKEN) as api:
        api.apply(
            "services",
            {
                "metadata": {
                    "namespace": "kube-system",
                    "name": "ingress-expose",
                    "annotations": {"kube-vip.io/loadbalancerIPs": address, "kube-vip.io/vipHost": "node-1"},
                },
                "spec": {"type": "LoadBalancer"},
                "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
            },
        )
        api.write_kubeconfig(path)
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
