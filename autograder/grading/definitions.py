"""Whether code only defines: then executing it runs no code of its author's, whatever its functions would do."""

from __future__ import annotations

import ast

_DATA = (
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Tuple,
    ast.List,
    ast.Dict,
    ast.UnaryOp,
    ast.unaryop,
    ast.expr_context,
)
"""What a constant, a default argument or an annotation may be made of: no call, no operator that a class defines."""


def first_that_acts(module: ast.Module) -> ast.stmt | None:
    """The first statement of `module` that does more than import, define a function or class, or set a constant.

    Decorators and metaclasses act, and so does a class whose base is bound here: that may have an `__init_subclass__`,
    or be an imported class that calls what its subclasses define, as Enum does. The body of a class runs like a module.
    """
    bound = set(_bound(module))
    return next((one for one in module.body if "__builtins__" in bound or not _defines(one, bound)), None)


def _bound(module: ast.Module) -> list[str]:
    """All names that the code binds, anywhere."""
    names = []
    for node in ast.walk(module):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
            case ast.Name(id=name, ctx=ast.Store()):
                names.append(name)
            case ast.alias(name=name, asname=other):
                names.append(other or name.partition(".")[0])
    return names


def _defines(statement: ast.stmt, bound: set[str]) -> bool:
    match statement:
        case ast.Pass():
            return True
        case ast.Import(names=names):
            return all("__" not in one.name for one in names)  # __main__ runs a program
        case ast.ImportFrom(module=module, names=names):  # __future__ must stand at the top of a file
            return all("__" not in f"{module}.{one.name}" and one.name != "*" for one in names)
        case ast.FunctionDef(decorator_list=[]) | ast.AsyncFunctionDef(decorator_list=[]):
            args = statement.args
            annotations = (node.annotation for node in ast.walk(args) if isinstance(node, ast.arg))
            executed = (*args.defaults, *args.kw_defaults, *annotations, statement.returns)
            return all(map(_is_data, filter(None, executed)))
        case ast.ClassDef(decorator_list=[], keywords=[], bases=bases, body=body):
            given = all(isinstance(base, ast.Name) and base.id not in bound for base in bases)
            return given and all(_defines(inner, bound) for inner in body)
        case ast.Assign(targets=targets, value=value):
            return all(isinstance(target, ast.Name) for target in targets) and _is_data(value)
        case ast.AnnAssign(target=ast.Name(), annotation=annotation, value=value):
            return _is_data(annotation) and (value is None or _is_data(value))
    return False


def _is_data(expression: ast.expr) -> bool:
    return all(isinstance(node, _DATA) for node in ast.walk(expression))
