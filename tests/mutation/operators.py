"""What is changed in a function to see whether a test notices: every mutant as a syntax tree, and in words."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import TypeVar, cast

T = TypeVar("T")
N = TypeVar("N", bound=ast.AST)

Function = ast.FunctionDef
Step = tuple[str, int | None]
"""From a node to one below it: a field, and the place in it where it is a list."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
    ast.BitXor: ast.BitAnd,
}
CALLS = {"max": "min", "min": "max", "any": "all", "all": "any", "sorted": "list", "reversed": "list"}
TEXT_METHODS = ("casefold", "lower", "strip")
NOT_MUTATED = {"annotation", "returns", "decorator_list", "type_comment", "ctx"}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one function, or of what stands beside the functions of a module."""

    module: str
    place: str
    """The function's qualified name, or the name of a constant."""
    change: str
    tree: ast.stmt
    lines: range
    """Of the original, that must be executed for the change to tell."""

    @property
    def name(self) -> str:
        return f"{self.module}.{self.place}: {self.change}"


def mutants(module: str, place: str, statement: ast.stmt) -> Iterator[Mutant]:
    """Every mutant of a function, or of the value of an assignment."""
    told: dict[str, int] = {}
    for path, node, parents in _walk(statement):
        for variant in _variants(node, parents):
            change = _words(node, parents, variant)
            told[change] = told.get(change, 0) + 1
            if told[change] > 1:
                change += f" ({told[change]})"
            tree = deepcopy(statement)
            _put(tree, path, variant)
            # A constant, or a default, tells wherever it is used.
            lines = _lines(node, parents) if isinstance(statement, ast.FunctionDef) else range(0)
            yield Mutant(module, place, change, ast.fix_missing_locations(tree), lines)


def _walk(root: ast.AST) -> Iterator[tuple[list[Step], ast.AST, list[ast.AST]]]:
    """All nodes but annotations, docstrings, assertions and messages, each with the way to it and what is above it."""
    stack: list[tuple[list[Step], ast.AST, list[ast.AST]]] = [([], root, [])]
    while stack:
        path, node, parents = stack.pop()
        if path:
            yield path, node, parents
        below = []
        for field, value in ast.iter_fields(node):
            if field in NOT_MUTATED:
                continue
            for index, child in enumerate(value if isinstance(value, list) else [value]):
                if isinstance(child, ast.AST) and not _is_no_code(child):
                    step = (field, index if isinstance(value, list) else None)
                    below.append(([*path, step], child, [*parents, node]))
        stack += reversed(below)


def _is_no_code(node: ast.AST) -> bool:
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_docstring or isinstance(node, ast.Assert | ast.Raise)


def _put(root: ast.AST, path: list[Step], variant: ast.AST | None) -> None:
    """Replace the node at the end of the path; None: take it out of its list."""
    node = root
    for field, index in path[:-1]:
        node = getattr(node, field) if index is None else getattr(node, field)[index]
    field, index = path[-1]
    if index is None:
        setattr(node, field, variant)
    elif variant is None:
        del getattr(node, field)[index]
    else:
        getattr(node, field)[index] = variant


def _lines(node: ast.AST, parents: list[ast.AST]) -> range:
    """The lines of the statement that the node is in; of one with a body, its head."""
    above = [*parents, node]
    statement = next((one for one in reversed(above) if isinstance(one, ast.stmt)), above[0])
    statement = cast(ast.stmt, statement)
    body = getattr(statement, "body", None) or getattr(statement, "cases", None)
    if isinstance(statement, ast.FunctionDef):
        return range(0)  # defaults: executed wherever the function is called
    end = statement.lineno if body else statement.end_lineno or statement.lineno
    if body:
        heads = (getattr(statement, field, None) for field in ("test", "iter", "subject"))
        end = max([end, *(head.end_lineno or end for head in heads if head is not None)])
    case = next((one for one in reversed(above) if isinstance(one, ast.match_case)), None)
    if case is not None and statement.lineno < case.pattern.lineno:
        return range(case.pattern.lineno, (case.pattern.end_lineno or case.pattern.lineno) + 1)
    return range(statement.lineno, end + 1)


def _words(node: ast.AST, parents: list[ast.AST], variant: ast.AST | None) -> str:
    """The change as text, with enough around it to find it."""
    if variant is None or isinstance(variant, ast.Pass):
        return f"without {_cut(node, 100)}"
    if isinstance(node, ast.BoolOp | ast.Tuple | ast.List | ast.Set | ast.Dict | ast.Call | ast.MatchOr):
        kept = {ast.dump(one) for one in _parts(variant)}
        lost = [one for one in _parts(node) if ast.dump(one) not in kept]
        if type(variant) is type(node) and len(_parts(variant)) < len(_parts(node)) and lost:
            return f"{_cut(node)} without {_text(lost[0])}"
        if isinstance(node, ast.BoolOp) and isinstance(variant, ast.BoolOp) and type(node.op) is not type(variant.op):
            return f"{_cut(node)} with {'or' if isinstance(node.op, ast.And) else 'and'}"
    if isinstance(node, ast.stmt):
        return f"{_cut(node, 100)} → {_cut(variant, 100)}"
    if isinstance(node, ast.Constant | ast.Name | ast.comprehension) and not isinstance(parents[-1], ast.FunctionDef):
        return f"{_cut(parents[-1])}: {_text(node)} → {_text(variant)}"
    return f"{_cut(node, 80)} → {_cut(variant, 80)}"


def _parts(node: ast.AST) -> list[ast.AST]:
    """What a list of values, operands or arguments consists of."""
    return [child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.expr_context | ast.boolop)]


def _cut(node: ast.AST, most: int = 50) -> str:
    text = _text(node)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.FunctionDef):
        return f"def {node.name}({ast.unparse(node.args)})"
    if isinstance(node, ast.match_case):
        return f"case {ast.unparse(node.pattern)}"
    whole = ast.unparse(ast.fix_missing_locations(deepcopy(node)))
    return " ".join(whole.split("\n", 1)[0].split())


def _variants(node: ast.AST, parents: list[ast.AST]) -> Iterator[ast.AST | None]:
    """What can stand in the node's place; None: nothing."""
    parent = parents[-1]
    if isinstance(node, ast.stmt):
        yield from _statements(node, parents)
    elif isinstance(node, ast.Constant):
        yield from _constants(node)
    elif isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield _with(node, "ops", [*node.ops[:index], other(), *node.ops[index + 1 :]])
    elif isinstance(node, ast.BoolOp):
        yield _with(node, "op", ast.Or() if isinstance(node.op, ast.And) else ast.And())
        for left in _each_left_out(node.values):
            yield left[0] if len(left) == 1 else _with(node, "values", left)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.BinOp):
        yield _with(node, "op", OPERATORS[type(node.op)]())
        yield node.left
        yield node.right
    elif isinstance(node, ast.IfExp):
        yield node.body
        yield node.orelse
    elif isinstance(node, ast.Call):
        yield from _calls(node)
    elif isinstance(node, ast.comprehension):
        for left in _each_left_out(node.ifs):
            yield _with(node, "ifs", left)
    elif isinstance(node, ast.Tuple | ast.List | ast.Set) and len(node.elts) > 1 and not _is_target(node):
        for left in _each_left_out(node.elts):
            yield _with(node, "elts", left)
    elif isinstance(node, ast.Dict):
        for index in range(len(node.keys)):
            without = deepcopy(node)
            del without.keys[index], without.values[index]
            yield without
    elif isinstance(node, ast.match_case):
        if node.guard is not None:
            yield _with(node, "guard", None)
        if len(cast(ast.Match, parent).cases) > 1:
            yield None
    elif isinstance(node, ast.MatchOr):
        for left in _each_left_out(node.patterns):
            yield _with(node, "patterns", left)
    elif isinstance(node, ast.Slice):
        for bound in ("lower", "upper", "step"):
            if getattr(node, bound) is not None:
                yield _with(node, bound, None)


def _statements(node: ast.stmt, parents: list[ast.AST]) -> Iterator[ast.AST]:
    match node:
        case ast.If():
            yield _with(node, "test", ast.Constant(value=True))
            yield _with(node, "test", ast.Constant(value=False))
        case ast.While():
            yield _with(node, "test", ast.Constant(value=False))
        case ast.For():
            yield ast.Pass()
        case ast.Return():
            function = cast(Function, next(one for one in reversed(parents) if isinstance(one, ast.FunctionDef)))
            if node is not function.body[-1]:
                yield ast.Pass()
            if node.value is not None and ast.unparse(function.returns or ast.Constant(value=None)) == "bool":
                for value in (True, False):
                    if not (isinstance(node.value, ast.Constant) and node.value.value is value):
                        yield ast.Return(value=ast.Constant(value=value))
        case ast.AugAssign():
            yield _with(node, "op", OPERATORS[type(node.op)]())
            yield ast.Pass()
        case ast.Assign() | ast.AnnAssign() | ast.Expr() | ast.Delete() | ast.Continue() | ast.Break():
            yield ast.Pass()


def _constants(node: ast.Constant) -> Iterator[ast.AST]:
    match node.value:
        case bool():
            yield ast.Constant(value=not node.value)
        case int() | float():
            yield ast.Constant(value=node.value + 1)
            yield ast.Constant(value=node.value - 1)
        case str():
            yield ast.Constant(value="" if node.value else "x")


def _calls(node: ast.Call) -> Iterator[ast.AST]:
    match node.func:
        case ast.Name(id=name) if name in CALLS:
            other = _with(node, "func", ast.Name(id=CALLS[name], ctx=ast.Load()))
            if CALLS[name] == "list":
                other.keywords = []
            yield other
        case ast.Attribute(value=value, attr=name) if name in TEXT_METHODS:
            yield value
    for left in _each_left_out(node.keywords):
        yield _with(node, "keywords", left)


def _is_target(node: ast.Tuple | ast.List | ast.Set) -> bool:
    return isinstance(getattr(node, "ctx", None), ast.Store | ast.Del)


def _each_left_out(nodes: list[T]) -> Iterator[list[T]]:
    for index in range(len(nodes)):
        yield nodes[:index] + nodes[index + 1 :]


def _with(node: N, field: str, value: object) -> N:
    other = deepcopy(node)
    setattr(other, field, value)
    return other


def functions(tree: ast.Module) -> Iterable[tuple[str, Function]]:
    """Every function and method of a module by its qualified name; what is inside one belongs to it."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for one in node.body:
                if isinstance(one, ast.FunctionDef):
                    yield f"{node.name}.{one.name}", one
