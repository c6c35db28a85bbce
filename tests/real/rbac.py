"""The Roles that the documentation tells an administrator to apply, read from there: they are what is tested."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

PAGE = Path(__file__).parent.parent.parent / "docs" / "rbac.md"

API = "rbac.authorization.k8s.io"

Json = dict[str, Any]


def roles(page: str) -> list[Json]:
    """Those that the defaults need: the page's first block of YAML. Later ones stand in their place."""
    block = re.search(r"^```yaml\n(.*?)^```", page, flags=re.MULTILINE | re.DOTALL)
    assert block is not None, "there is no YAML on the page"
    return list(yaml.safe_load_all(block[1]))


def bindings(roles: Sequence[Json], user: str) -> list[Json]:
    """What gives a user these Roles, each where it is."""
    return [
        {
            "apiVersion": f"{API}/v1",
            "kind": f"{role['kind']}Binding",
            "metadata": dict(role["metadata"]),
            "roleRef": {"apiGroup": API, "kind": role["kind"], "name": role["metadata"]["name"]},
            "subjects": [{"apiGroup": API, "kind": "User", "name": user}],
        }
        for role in roles
    ]
