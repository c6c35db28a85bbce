"""What is taken for a mutant, and that putting one in changes the program for whoever has imported it."""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from textwrap import dedent

import pytest

from exporter.vip.claimants import Claimants
from exporter.vip.model import parse_mac, seconds
from exporter.vip.period import Period
from tests.mutation.__main__ import explained
from tests.mutation.graft import put_in
from tests.mutation.operators import Mutant, functions, mutants


def changes(source: str) -> list[str]:
    ((name, function),) = functions(ast.parse(dedent(source)))
    return [one.change for one in mutants("period", name, function)]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return a < b", ["a < b → a <= b", "a < b → a >= b"]),
        ("return a is None", ["a is None → a is not None"]),
        ("return a and b", ["a and b with or", "a and b → b", "a and b → a"]),
        ("return not a", ["not a → a"]),
        ("return a + 1", ["a + 1 → a - 1", "a + 1 → a", "a + 1 → 1", "a + 1: 1 → 2", "a + 1: 1 → 0"]),
        ("return a if b else c", ["a if b else c → a", "a if b else c → c"]),
        ("return a ^ b", ["a ^ b → a & b", "a ^ b → a", "a ^ b → b"]),
        ("return max(a, key=b)", ["max(a, key=b) → min(a, key=b)", "max(a, key=b) without key=b"]),
        ("a.b = c", ["without a.b = c"]),
        ("del a[b]", ["without del a[b]"]),
        ("return a in (b, c)", ["a in (b, c) → a not in (b, c)", "(b, c) without b", "(b, c) without c"]),
        ("return [x for x in a if b]", ["for x in a if b → for x in a"]),
        ("assert a > b", []),
        ("raise ValueError(a + b)", []),
        ('"""Text."""', []),
    ],
)
def test_what_is_changed(body: str, expected: list[str]) -> None:
    found = [one.strip() for one in changes(f"def f(a: int, b: int) -> int:\n    {body}")]
    if body.startswith("return [x"):
        found = [one.split(": ")[-1] if ": " in one else one for one in found]
    assert found == expected


def test_a_branch_is_forced_both_ways() -> None:
    found = changes(
        """
        def f(a):
            if a:
                return b
        """
    )
    assert found == ["if a: → if True:", "if a: → if False:", "without return b"]


def test_what_says_true_or_false_is_forced_both_ways() -> None:
    assert changes("def f(a) -> bool:\n    return a") == ["return a → return True", "return a → return False"]


def test_no_two_mutants_of_a_place_have_one_name() -> None:
    found = changes("def f(a):\n    return a < b or a < b")
    assert len(set(found)) == len(found)


def test_each_change_of_a_place_is_explained_by_itself() -> None:
    """Prose, and items that name no place, explain nothing; an item may take several lines."""
    text = """
        Why `a.f` is well: `a → b`.

        - `a.f`: `a → b`,
          `c → d`; `x
          y → z`
        - `a.A`: `1 → 2`
        - Not so `a.g`: `a → b`
        * `a.h`: `a → b`
    """
    assert explained(dedent(text)) == {"a.f: a → b", "a.f: c → d", "a.f: x y → z", "a.A: 1 → 2"}


def mutant(module: str, place: str, source: str) -> Mutant:
    return Mutant(module, place, "", ast.parse(dedent(source)).body[0], range(0))


def in_a_fork(check: Callable[[], bool]) -> bool:
    """What it says there; here nothing changes."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            status = 0 if check() else 1
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in (0, 1)
    return status == 0


def test_a_function_changes_for_whoever_imported_it() -> None:
    def changed() -> bool:
        put_in(mutant("model", "seconds", "def seconds(value: float) -> Nanoseconds:\n    return 42"))
        return seconds(1) == 42

    assert in_a_fork(changed)
    assert seconds(1) == 1_000_000_000


def test_a_method_and_a_property_change() -> None:
    def changed() -> bool:
        put_in(mutant("period", "Period.forget", "def forget(self):\n    self.value = 42"))
        put_in(mutant("claimants", "Claimants.full", "@property\ndef full(self):\n    return True"))
        period = Period(None)
        period.forget()
        return period.value == 42 and Claimants().full

    assert in_a_fork(changed)


def test_a_constant_changes_where_it_is_used() -> None:
    def changed() -> bool:
        put_in(mutant("period", "DEFAULT_PERIOD", "DEFAULT_PERIOD = 42"))
        return Period(None).value == 42

    assert in_a_fork(changed)


def test_what_does_not_compile_is_no_mutant() -> None:
    with pytest.raises(SyntaxError):
        put_in(mutant("model", "parse_mac", "def parse_mac(text):\n    break"))
    assert parse_mac("02:00:00:00:00:41")
