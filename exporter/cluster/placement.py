"""On which nodes a pod may run, by its nodeSelector and its required node affinity. Pure and total.

The rules are those of Kubernetes (core/v1, NodeSelector). Taints are left out: kube-vip tolerates its nodes', and a
node too many only means that a MAC counts as unresolved for longer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporter.cluster.fields import Json, Reader

Values = Sequence[str]


def _number(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None


def _compare(label: str | None, values: Values, holds: Callable[[int, int], bool]) -> bool:
    there, wanted = _number(label), _number(values[0] if len(values) == 1 else None)
    return there is not None and wanted is not None and holds(there, wanted)


OPERATORS: Mapping[str, Callable[[str | None, Values], bool]] = {
    "In": lambda label, values: label in values,
    "NotIn": lambda label, values: label not in values,
    "Exists": lambda label, _: label is not None,
    "DoesNotExist": lambda label, _: label is None,
    "Gt": lambda label, values: _compare(label, values, lambda there, wanted: there > wanted),
    "Lt": lambda label, values: _compare(label, values, lambda there, wanted: there < wanted),
}
"""By name: whether a label's value (None: the node has no such label) satisfies the requirement's values."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a term."""

    key: str
    operator: str
    values: tuple[str, ...]

    def admits(self, values: Mapping[str, str]) -> bool:
        return OPERATORS[self.operator](values.get(self.key), self.values)


@dataclass(frozen=True, slots=True)
class Term:
    """Requirements that must all hold."""

    labels: tuple[Requirement, ...]
    fields: tuple[Requirement, ...]

    def admits(self, name: str, labels: Mapping[str, str]) -> bool:
        if not self.labels and not self.fields:
            return False
        node = {"metadata.name": name}
        return all(one.admits(labels) for one in self.labels) and all(one.admits(node) for one in self.fields)


@dataclass(frozen=True, slots=True)
class Placement:
    """The nodes that a pod may run on."""

    selector: tuple[tuple[str, str], ...] = ()
    """Labels that a node must have, with their values."""
    terms: tuple[Term, ...] | None = None
    """One of these must admit it; None: any node."""

    def admits(self, name: str, labels: Mapping[str, str]) -> bool:
        if any(labels.get(key) != value for key, value in self.selector):
            return False
        return self.terms is None or any(term.admits(name, labels) for term in self.terms)


UNREADABLE = Requirement("", "DoesNotExist", ())
"""What cannot be read holds: better a node too many. No label has an empty name."""


def read_placement(reader: Reader, pod: Json, where: str) -> Placement:
    """The placement of a pod, from its spec, which stands at `where`."""
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    labels = reader.labels(pod, "nodeSelector", f"{where}.nodeSelector")
    affinity = reader.within(pod, "affinity", "nodeAffinity")
    terms = None
    if affinity.get(required) is not None:
        items = reader.items(reader.mapping(affinity, required, required), "nodeSelectorTerms", "nodeSelectorTerms")
        terms = tuple(
            Term(_requirements(reader, item, "matchExpressions"), _requirements(reader, item, "matchFields"))
            for item in items
        )
    return Placement(tuple(sorted(labels.items())), terms)


def _requirements(reader: Reader, term: Json, key: str) -> tuple[Requirement, ...]:
    return tuple(_requirement(reader, item, f"nodeSelectorTerms[].{key}[]") for item in reader.items(term, key, key))


def _requirement(reader: Reader, item: Json, where: str) -> Requirement:
    operator = reader.text(item, "operator", f"{where}.operator")
    if operator not in OPERATORS:
        reader.complain(f"{where}.operator", operator, f"must be one of {', '.join(OPERATORS)}")
        return UNREADABLE
    name = reader.text(item, "key", f"{where}.key")
    return Requirement(name, operator, reader.texts(item, "values", f"{where}.values"))
