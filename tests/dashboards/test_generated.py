"""The files are what the code makes now, and the ConfigMap carries them as they are."""

from __future__ import annotations

import json

import pytest
import yaml

from dashboards.generate import GENERATED
from tests.dashboards.reading import FOLDER, NAMES


@pytest.mark.parametrize("path", GENERATED, ids=lambda path: path.name)
def test_the_files_are_current(path) -> None:
    assert path.read_text() == GENERATED[path](), "run `make generate`"


def test_all_generated_files_are_named() -> None:
    """Nothing lies there that nobody makes any more."""
    assert {path for path in FOLDER.iterdir() if path.suffix in {".json", ".yaml"}} == set(GENERATED)


def test_the_same_code_makes_the_same_text() -> None:
    """Parts that are shared between panels are not changed by whoever comes first."""
    assert [make() for make in GENERATED.values()] == [make() for make in GENERATED.values()]


def test_the_configmap_has_exactly_the_dashboards() -> None:
    found = yaml.safe_load((FOLDER / "configmap.yaml").read_text())
    assert found == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": "vip-exporter-dashboards",
            "namespace": "vip-exporter",
            "labels": {"grafana_dashboard": "1"},
        },
        "data": {f"{name}.json": (FOLDER / f"{name}.json").read_text() for name in NAMES},
    }


def test_the_configmap_can_be_applied() -> None:
    """`kubectl apply` writes the whole object, as JSON, into an annotation of at most 256 KiB."""
    found = yaml.safe_load((FOLDER / "configmap.yaml").read_text())
    assert len(json.dumps(found, separators=(",", ":"), ensure_ascii=False).encode()) < 256 * 1024
