"""Mutation testing of the core: `python -m tests.mutation [MODULE…]`. See docs/mutation.md.

The tests are imported and collected once. For every mutant a fork of that process puts the change in and runs the
tests that execute its lines, those first that found the last mutants of the same function, until one fails.
"""

from __future__ import annotations

import argparse
import ast
import gc
import hashlib
import json
import math
import os
import re
import resource
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import Phase, settings

from tests.mutation.graft import put_in
from tests.mutation.operators import Mutant, functions, mutants

ROOT = Path(__file__).parents[2]
CORE = ROOT / "exporter" / "vip"
TESTS = ROOT / "tests" / "vip"
EXPLAINED = ROOT / "docs" / "mutation.md"
MODULES = sorted(path.stem for path in CORE.glob("*.py") if path.stem != "__init__")
LIMIT, SLOW_LIMIT = 1, 60
"""Seconds that a test may compute, quick or slow, before the mutant is taken for one that never ends."""
MEMORY = 1 << 30
"""Bytes, of a mutant that never ends."""
SLOW = 0.3
"""Seconds under a tracer, from which on a test is run only for what the others let pass."""
MOST_STEPS = 200_000
"""Lines of the core: a test that executes more is slow, and taken to execute all."""
FEW_EXAMPLES = 30
KILLED, SURVIVED, TOO_SLOW, NO_PROGRAM = "killed", "survived", "too slow", "no program"


@dataclass
class Trial:
    """A pytest plugin that tries mutants in place of running the tests once."""

    modules: list[str]
    results: Path
    quick: bool
    only: str
    covered: dict[str, set[tuple[str, int]]] = field(default_factory=dict)
    """Lines of the core that each quick test executes, as module and number."""
    took: dict[str, float] = field(default_factory=dict)
    failed: bool = False
    survivors: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    """Of all mutants."""

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        random = {name for name, item in items.items() if getattr(item.obj, "is_hypothesis_test", False)}  # type: ignore[attr-defined]
        self._measure([item for name, item in items.items() if name not in random])
        slow = sorted(random) + [name for name, took in self.took.items() if took >= SLOW]
        for name in random:
            _tame(items[name])
        gc.collect()
        gc.freeze()
        gc.disable()  # what is collected in a fork must be copied first
        known = {line["name"]: line for line in _read(self.results)}
        helpful: dict[str, Counter[str]] = {}
        for number, (mutant, key) in enumerate(self._mutants(), 1):
            self.names.add(mutant.name)
            earlier = known.get(mutant.name)
            if earlier and earlier["key"] == key and earlier["outcome"] != SURVIVED:
                continue
            began = time.monotonic()
            found = helpful.setdefault(f"{mutant.module}.{mutant.place}", Counter())
            quick = [name for name in self.took if name not in slow and self._executes(name, mutant)]
            quick.sort(key=lambda name: (-found[name], self.took[name]))
            tests = quick if self.quick else [*quick, *slow]
            outcome, by = self._try(mutant, [items[name] for name in tests])
            found[by] += outcome == KILLED
            if outcome == SURVIVED:
                self.survivors.append(mutant.name)
                print(mutant.name, f"({len(tests)} tests)", file=sys.stderr, flush=True)
            record = {"name": mutant.name, "key": key, "outcome": outcome, "by": by}
            record["seconds"] = round(time.monotonic() - began, 2)
            with self.results.open("a", encoding="utf-8") as file:
                print(json.dumps(record, ensure_ascii=False), file=file)
            if number % 100 == 0:
                print(f"… {number}", file=sys.stderr, flush=True)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self.failed |= report.failed

    def _mutants(self) -> Iterator[tuple[Mutant, str]]:
        for module in self.modules:
            tree = ast.parse((CORE / f"{module}.py").read_text(encoding="utf-8"))
            for place, statement in [*functions(tree), *_constants(tree)]:
                key = hashlib.sha256(ast.unparse(statement).encode()).hexdigest()[:12]
                yield from ((one, key) for one in mutants(module, place, statement) if self.only in one.name)

    def _executes(self, test: str, mutant: Mutant) -> bool:
        lines = self.covered[test]
        return not mutant.lines or any((mutant.module, line) in lines for line in mutant.lines)

    def _measure(self, items: list[pytest.Item]) -> None:
        """Which lines of the core each test executes, and how long that takes: in a fork, to leave no trace here."""
        cache = self.results.with_suffix(".lines")
        keys = {item.nodeid: _digest([*CORE.glob("*.py"), *TESTS.glob("[!t]*.py"), item.path]) for item in items}
        known = {line[0]: line for line in _read(cache) if keys.get(line[0]) == line[1]}
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            _hush()
            for item in items:
                if item.nodeid not in known:
                    lines = _Lines()
                    took, failed = lines.of(item), self.failed
                    line = [item.nodeid, keys[item.nodeid], took, sorted(lines.seen), failed]
                    os.write(writer, (json.dumps(line) + "\n").encode())
            os._exit(0)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as measured, cache.open("w", encoding="utf-8") as file:
            for line in [*known.values(), *map(json.loads, measured)]:
                name, _, took, lines, failed = line
                if failed:
                    raise SystemExit(f"{name} fails without any mutant")
                print(json.dumps(line), file=file)
                self.took[name], self.covered[name] = took, {tuple(one) for one in lines}
        os.waitpid(child, 0)

    def _try(self, mutant: Mutant, items: list[pytest.Item]) -> tuple[str, str]:
        """The outcome, and the test that told."""
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reader)
            self._run(mutant, items, writer)
        os.close(writer)
        with os.fdopen(reader, encoding="utf-8") as names:
            last = names.read().rpartition("\n")[0].rpartition("\n")[2]
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        match status:
            case 0:
                return SURVIVED, ""
            case 1:
                return KILLED, last
            case 2:
                return NO_PROGRAM, ""
            case _:
                return TOO_SLOW if status == -signal.SIGVTALRM else KILLED, last

    def _run(self, mutant: Mutant, items: list[pytest.Item], writer: int) -> None:
        """Ends the process: 0: no test failed; 1: the last one told did; 2: there is nothing to test."""
        _hush()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        try:
            put_in(mutant)
        except Exception:
            os._exit(2)
        try:
            for item in items:
                os.write(writer, (item.nodeid + "\n").encode())
                is_quick = self.took.get(item.nodeid, SLOW) < SLOW
                signal.setitimer(signal.ITIMER_VIRTUAL, LIMIT if is_quick else SLOW_LIMIT)
                self._call(item)
                if self.failed:
                    os._exit(1)
        except BaseException:
            os._exit(1)
        os._exit(0)

    def _call(self, item: pytest.Item) -> None:
        """Run a test; without pytest's formalities, which take longer than most of these tests, if it needs none."""
        assert isinstance(item, pytest.Function)
        given = item.callspec.params if hasattr(item, "callspec") else {}
        if set(item.fixturenames) <= given.keys():
            item.obj(**given)
        else:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)


def _constants(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """The constants of a module; not types, nor the names of an enum, which are data."""
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if name.isupper() or (name.startswith("_") and name[1:].isupper()):
                if not isinstance(value, ast.Call):
                    yield name, node


def _tame(item: pytest.Item) -> None:
    """Fewer examples, and no search for the simplest one."""
    test: Any = item.obj  # type: ignore[attr-defined]
    inner = getattr(test, "__func__", test)
    usual = inner._hypothesis_internal_use_settings
    few = min(usual.max_examples, FEW_EXAMPLES)
    inner._hypothesis_internal_use_settings = settings(usual, max_examples=few, phases=[Phase.explicit, Phase.generate])


class _Lines:
    """The lines of the core that one test executes."""

    def __init__(self) -> None:
        self.seen: set[tuple[str, int]] = set()
        self._left = MOST_STEPS

    def of(self, item: pytest.Item) -> float:
        """Run the test; returns the seconds that it computed for."""
        began = time.process_time()
        sys.settrace(self._enter)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
        sys.settrace(None)
        return time.process_time() - began if self._left > 0 else math.inf

    def _enter(self, frame: FrameType, event: str, _: Any) -> Any:
        path = frame.f_code.co_filename
        if not path.startswith(str(CORE)):
            return None
        module = path[len(str(CORE)) + 1 : -3]

        def trace(frame: FrameType, event: str, _: Any) -> Any:
            self.seen.add((module, frame.f_lineno))
            self._left -= 1
            if self._left > 0:
                return trace
            sys.settrace(None)
            return None

        return trace(frame, event, None)


def explained(text: str) -> set[str]:
    """The mutants that may survive: each item of a list that begins with a place names changes of that place."""
    found = set()
    for item in re.findall(r"^- `.*(?:\n +.*)*", text, re.MULTILINE):
        place, *changes = re.findall(r"`([^`]+)`", item)
        found |= {f"{place}: {' '.join(change.split())}" for change in changes}
    return found


def _digest(paths: Iterable[Path]) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(paths))).hexdigest()[:12]


def _read(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def _hush() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__.splitlines()[0])
    parser.add_argument("modules", nargs="*", metavar="MODULE", help="of exporter/vip; all unless told")
    parser.add_argument("--results", type=Path, default=ROOT / "build" / "mutation.jsonl", help="what is known already")
    parser.add_argument("--quick", action="store_true", help="leave out slow tests and those of random inputs")
    parser.add_argument("--only", default="", metavar="TEXT", help="mutants whose name has this in it")
    arguments = parser.parse_args()
    os.chdir(ROOT)
    arguments.results.parent.mkdir(exist_ok=True)
    trial = Trial(arguments.modules or list(MODULES), arguments.results, arguments.quick, arguments.only)
    options = ["-q", "-s", "--tb=no", "-p", "no:cacheprovider", "-o", "timeout=0"]
    pytest.main([str(TESTS), *options], plugins=[trial])
    known = explained(EXPLAINED.read_text(encoding="utf-8"))
    open_ = [name for name in trial.survivors if name not in known]
    print(f"{len(trial.survivors)} survived, {len(open_)} of them without an explanation", *open_, sep="\n")
    tried = tuple(f"{module}." for module in trial.modules)
    gone = sorted(name for name in known - trial.names if name.startswith(tried) and arguments.only in name)
    if gone:
        print("Explained, though there is no such mutant any more:", *gone, sep="\n")
    return int(bool(open_ or gone))


if __name__ == "__main__":
    sys.exit(main())
