"""The objects of the API: what they say of a VIP, and that what is not known is null."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import ip_address

import pytest

from exporter.publish.records import vip_record
from exporter.vip.core import Core
from exporter.vip.model import SECOND
from exporter.vip.snapshot import LeaseState, VipSnapshot

LEASE = LeaseState("kube-system/plndr-svcs-lock", "node-2", True, 95 * SECOND, 31 * SECOND, 7)


def snapshot(**said: object) -> VipSnapshot:
    core = Core(at=0, listening=True)
    core.watch(ip_address("192.0.2.100"))
    return replace(core.snapshot().vips[0], **said)


LEASES: dict[str, tuple[LeaseState | None, dict | None]] = {
    "none is known": (None, None),
    "of the cluster": (
        LEASE,
        {
            "name": "kube-system/plndr-svcs-lock",
            "holder": "node-2",
            "fresh": True,
            "expires": "1970-01-01T00:01:35.000000Z",
            "acquired": "1970-01-01T00:00:31.000000Z",
            "transitions": 7,
        },
    ),
    "it changes hands": (
        LeaseState("", "", False, None, None, None),
        {"name": None, "holder": None, "fresh": False, "expires": None, "acquired": None, "transitions": None},
    ),
}


@pytest.mark.parametrize(("lease", "shown"), LEASES.values(), ids=LEASES)
def test_the_lease(lease, shown) -> None:
    assert vip_record(snapshot(lease=lease), lambda at: at)["lease"] == shown


@pytest.mark.parametrize(
    ("bound", "shown"),
    [(None, None), ((), []), (("mgmt-br", "vip-1"), ["mgmt-br", "vip-1"])],
    ids=["cannot be told", "not bound", "bound"],
)
def test_where_it_is_bound(bound, shown) -> None:
    assert vip_record(snapshot(bound=bound), lambda at: at)["bound"] == shown


def test_a_vip_of_which_nothing_is_known_is_json_all_the_same() -> None:
    record = json.loads(json.dumps(vip_record(snapshot(), lambda at: at)))
    assert record["state"] == "unknown"
    assert {name for name, value in record.items() if value is None} == {
        "holder",
        "mac",
        "holder_source",
        "since",
        "lease",
        "bound",
        "last_move",
        "last_announcement",
        "intent_stale",
    }
