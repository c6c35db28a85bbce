"""A Kubernetes API server in miniature: what the demo's cluster and the tests' broken ones are made of.

It answers get, list and watch over HTTP as the real one does where a reader can tell the difference (resource
versions, bookmarks, 410, selectors, tokens, RBAC). It is written to from Python only: every write over HTTP is
refused and remembered, so that a test can show that none was tried. It listens on loopback unless it is told otherwise.
"""

from exporter.lab.kubeapi.api import KubeAPI
from exporter.lab.kubeapi.words import Ending, Fault, Flaw, Rule

__all__ = ["Ending", "Fault", "Flaw", "KubeAPI", "Rule"]
