"""Puts a mutant into the running program: the function keeps its identity, so whoever imported it runs the change."""

from __future__ import annotations
import __future__

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any

from tests.mutation.operators import Mutant, functions

PACKAGE = "exporter.vip"


def put_in(mutant: Mutant) -> None:
    """Change the program as the mutant says.

    Raises:
        SyntaxError: the change makes no program.
    """
    module = import_module(f"{PACKAGE}.{mutant.module}")
    if isinstance(mutant.tree, ast.FunctionDef):
        _replace(_function(module, mutant.place), _made(mutant.tree, module))
    else:
        _set_constant(module, mutant)


def _function(module: ModuleType, place: str) -> FunctionType:
    owner, _, name = place.rpartition(".")
    found: Any = vars(getattr(module, owner) if owner else module)[name]
    if isinstance(found, property):
        found = found.fget
    found = getattr(found, "__func__", found)
    assert isinstance(found, FunctionType), place
    return found


def _made(tree: ast.FunctionDef, module: ModuleType) -> FunctionType:
    undecorated = ast.FunctionDef(tree.name, tree.args, tree.body, [], tree.returns, tree.type_comment)
    code = _compiled(ast.Module([ast.fix_missing_locations(ast.copy_location(undecorated, tree))], []), module)
    names: dict[str, Any] = {}
    exec(code, vars(module), names)
    made = names[tree.name]
    assert isinstance(made, FunctionType)
    return made


def _replace(function: FunctionType, made: Callable[..., Any]) -> None:
    assert isinstance(made, FunctionType)
    function.__code__ = made.__code__
    function.__defaults__, function.__kwdefaults__ = made.__defaults__, made.__kwdefaults__


def _set_constant(module: ModuleType, mutant: Mutant) -> None:
    """The constant is bound anew wherever it was imported, and in the defaults that were made of it."""
    names: dict[str, Any] = {}
    exec(_compiled(ast.Module([mutant.tree], []), module), vars(module) | {"__name__": module.__name__}, names)
    old, new = getattr(module, mutant.place), names[mutant.place]
    for other in list(sys.modules.values()):
        if other.__name__.startswith((PACKAGE, "tests.vip")) and getattr(other, mutant.place, None) is old:
            setattr(other, mutant.place, new)
    with open(str(module.__file__), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for place, function in functions(tree):
        defaults = [*function.args.defaults, *function.args.kw_defaults]
        if any(isinstance(one, ast.Name) and one.id == mutant.place for one in defaults):
            _replace(_function(module, place), _made(function, module))


def _compiled(tree: ast.Module, module: ModuleType) -> Any:
    return compile(tree, str(module.__file__), "exec", __future__.annotations.compiler_flag)
