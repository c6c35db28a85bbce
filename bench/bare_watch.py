"""Watches the Services of an API server with nothing in between, and says when each line came: the API's own delay."""

from __future__ import annotations

import json
import sys
import time
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit


def main(kubeconfig: Path) -> None:
    """Print a line when it watches; then, for each change, the holder and when that came, by the monotonic clock."""
    content = json.loads(kubeconfig.read_text(encoding="utf-8"))
    server, token = content["clusters"][0]["cluster"]["server"], content["users"][0]["user"]["token"]
    connection = HTTPConnection(urlsplit(server).netloc)
    connection.request("GET", "/api/v1/services?watch=true", headers={"Authorization": f"Bearer {token}"})
    with connection.getresponse() as answer:
        print("watching", flush=True)
        while line := answer.readline():
            now = time.monotonic_ns()
            annotations = json.loads(line)["object"]["metadata"]["annotations"]
            print(annotations.get("kube-vip.io/vipHost", ""), now, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
