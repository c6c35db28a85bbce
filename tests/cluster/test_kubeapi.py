"""The emulator itself, seen through the official client: it behaves like the server that it stands in for."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch

from exporter.lab.kubeapi import Ending, KubeAPI, Rule


@pytest.fixture
def api() -> Iterator[KubeAPI]:
    with KubeAPI(token="secret") as api:
        yield api


@pytest.fixture
def connection(api: KubeAPI, tmp_path: Path) -> client.ApiClient:
    configuration = client.Configuration()
    path = api.write_kubeconfig(tmp_path / "kubeconfig")
    assert path.stat().st_mode & 0o077 == 0
    config.load_kube_config(str(path), client_configuration=configuration)
    configuration.retries = False
    return client.ApiClient(configuration)


@pytest.fixture
def core(connection: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(connection)


def put(api: KubeAPI, name: str, *, namespace: str = "a", **labels: str) -> dict[str, Any]:
    return api.apply("services", {"metadata": {"name": name, "namespace": namespace, "labels": labels}})


def names(listing: Any) -> list[str]:
    return [item.metadata.name for item in listing.items]


def version(obj: dict[str, Any]) -> int:
    return int(obj["metadata"]["resourceVersion"])


def events(
    api: KubeAPI, core: client.CoreV1Api, since: object, *, seconds: int = 0, **options: Any
) -> list[tuple[str, str | None]]:
    """Type and name of what a watch sends until it ends; by default, in 0.3 s."""
    options = {"resource_version": str(since), "timeout_seconds": seconds or 30, "deserialize": False} | options
    if not seconds:
        threading.Timer(0.3, api.interrupt_watches, (b"", Ending.PROPER)).start()
    stream = watch.Watch().stream(core.list_namespaced_service, "a", **options)
    return [(one["type"], one["object"]["metadata"].get("name")) for one in stream]


def test_list_by_namespace_everywhere_and_by_selector(api: KubeAPI, core: client.CoreV1Api) -> None:
    put(api, "one", app="x")
    put(api, "two")
    last = put(api, "three", namespace="b", app="x")
    assert names(core.list_namespaced_service("a")) == ["one", "two"]
    assert sorted(names(core.list_service_for_all_namespaces())) == ["one", "three", "two"]
    assert names(core.list_namespaced_service("a", field_selector="metadata.name=two")) == ["two"]
    assert names(core.list_service_for_all_namespaces(label_selector="app=x,app!=y")) == ["one", "three"]
    assert names(core.list_namespaced_service("nowhere")) == []
    assert core.list_namespaced_service("a").metadata.resource_version == str(version(last))


def test_every_resource_is_served(api: KubeAPI, connection: client.ApiClient) -> None:
    for resource in ("services", "configmaps", "leases", "nodes"):
        api.apply(resource, {"metadata": {"name": "x", "namespace": "a"}})
    core = client.CoreV1Api(connection)
    assert names(core.list_namespaced_config_map("a")) == ["x"]
    assert names(client.CoordinationV1Api(connection).list_lease_for_all_namespaces()) == ["x"]
    assert names(core.list_node()) == ["x"]
    assert names(client.AppsV1Api(connection).list_namespaced_daemon_set("a")) == []


def test_get_and_not_found(api: KubeAPI, core: client.CoreV1Api) -> None:
    put(api, "one")
    assert core.read_namespaced_service("one", "a").metadata.name == "one"
    for missing in (lambda: core.read_namespaced_service("two", "a"), lambda: core.list_namespaced_secret("a")):
        with pytest.raises(client.ApiException) as raised:
            missing()
        assert raised.value.status == 404


def test_watch_sends_what_happened_since_the_version(api: KubeAPI, core: client.CoreV1Api) -> None:
    first = version(put(api, "one"))
    put(api, "one", changed="yes")
    put(api, "one", changed="yes")
    put(api, "two")
    put(api, "other", namespace="b")
    api.delete("services", "a", "one")
    expected = [("MODIFIED", "one"), ("ADDED", "two"), ("DELETED", "one")]
    assert events(api, core, first) == expected
    assert events(api, core, first, field_selector="metadata.name=two") == [("ADDED", "two")]
    assert events(api, core, 0) == [("ADDED", "two")]


def test_object_that_leaves_a_label_selection_is_deleted_from_it(api: KubeAPI, core: client.CoreV1Api) -> None:
    first = version(put(api, "one", app="x"))
    put(api, "one", app="y")
    assert events(api, core, first, label_selector="app=x") == [("DELETED", "one")]
    assert events(api, core, first, label_selector="app=y") == [("ADDED", "one")]


def test_version_of_the_future_is_silent(api: KubeAPI, core: client.CoreV1Api) -> None:
    future = version(put(api, "one")) + 100
    threading.Timer(0.1, put, (api, "two")).start()
    assert events(api, core, future) == []


def test_bookmarks_are_sent_only_to_who_asks(api: KubeAPI, core: client.CoreV1Api) -> None:
    api.bookmark_seconds = 0.1
    first = version(put(api, "one"))
    assert set(events(api, core, first, allow_watch_bookmarks=True)) == {("BOOKMARK", None)}
    assert events(api, core, first) == []


def test_compacted_version_is_gone_and_the_listed_one_is_not(api: KubeAPI, core: client.CoreV1Api) -> None:
    old = version(put(api, "one"))
    api.compact()
    with pytest.raises(client.ApiException) as raised:
        events(api, core, old, deserialize=True)
    assert raised.value.status == 410
    assert events(api, core, core.list_namespaced_service("a").metadata.resource_version) == []


def test_history_is_bounded(api: KubeAPI, core: client.CoreV1Api) -> None:
    old = version(put(api, "one"))
    for index in range(1100):
        put(api, "one", index=str(index))
    with pytest.raises(client.ApiException) as raised:
        events(api, core, old, deserialize=True)
    assert raised.value.status == 410


def test_watch_ends_in_order_on_time_and_on_demand(api: KubeAPI, core: client.CoreV1Api) -> None:
    first = version(put(api, "one"))
    started = time.monotonic()
    assert events(api, core, first, seconds=1) == []
    assert 0.9 < time.monotonic() - started < 2
    threading.Timer(0.2, api.interrupt_watches, (b"", Ending.PROPER)).start()
    assert events(api, core, first, seconds=30) == []


@pytest.mark.parametrize(("token", "status"), [("secret", None), ("wrong", 401), (None, None)])
def test_token(api: KubeAPI, core: client.CoreV1Api, token: str | None, status: int | None) -> None:
    api.token = token
    if status is None:
        assert names(core.list_namespaced_service("a")) == []
    else:
        with pytest.raises(client.ApiException) as raised:
            core.list_namespaced_service("a")
        assert raised.value.status == status


def test_rbac_by_name_needs_the_name_in_the_field_selector(api: KubeAPI, core: client.CoreV1Api) -> None:
    first = version(put(api, "one"))
    api.rules = [Rule("services", ("list", "watch"), "a", ("one",))]
    assert names(core.list_namespaced_service("a", field_selector="metadata.name=one")) == ["one"]
    assert events(api, core, first, field_selector="metadata.name=one") == []
    refused = (
        lambda: core.list_namespaced_service("a"),
        lambda: core.list_namespaced_service("a", field_selector="metadata.name=two"),
        lambda: core.list_namespaced_service("b", field_selector="metadata.name=one"),
        lambda: core.list_service_for_all_namespaces(field_selector="metadata.name=one"),
        lambda: core.read_namespaced_service("one", "a"),
        lambda: core.list_namespaced_config_map("a"),
    )
    for request in refused:
        with pytest.raises(client.ApiException) as raised:
            request()
        assert raised.value.status == 403


def test_unknown_field_selector_is_refused(core: client.CoreV1Api) -> None:
    with pytest.raises(client.ApiException) as raised:
        core.list_namespaced_service("a", field_selector="spec.type=LoadBalancer")
    assert raised.value.status == 400


def test_every_write_is_refused_and_remembered(api: KubeAPI, core: client.CoreV1Api) -> None:
    put(api, "one")
    body = {"metadata": {"name": "one"}}
    writes = (
        lambda: core.create_namespaced_service("a", body),
        lambda: core.replace_namespaced_service("one", "a", body),
        lambda: core.patch_namespaced_service("one", "a", body),
        lambda: core.delete_namespaced_service("one", "a"),
    )
    for write in writes:
        with pytest.raises(client.ApiException) as raised:
            write()
        assert raised.value.status == 405
    assert [one.split()[0] for one in api.writes] == ["POST", "PUT", "PATCH", "DELETE"]
    assert names(core.list_namespaced_service("a")) == ["one"]


def test_what_apply_returns_is_not_changed_by_what_comes_later(api: KubeAPI) -> None:
    first = put(api, "one")
    before = dict(first["metadata"])
    api.annotate("services", "a", "one", {"key": "value"})
    api.delete("services", "a", "one")
    assert first["metadata"] == before


def test_objects_outlive_a_restart_on_the_same_port(api: KubeAPI, core: client.CoreV1Api) -> None:
    put(api, "one")
    url = api.url
    api.stop()
    assert api.start() == url
    assert names(core.list_namespaced_service("a")) == ["one"]
