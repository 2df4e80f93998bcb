"""Small changes to right code that make wrong code: one function for each kind of slip.

An operator looks at one node of a syntax tree and yields `Change`s: what to put in the node's place, and the names that
fill the operator's sentence in words.toml. What has no word in the lesson is told to nobody, but judged all the same.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Change:
    """One slip.

    Attributes:
        operator: its entry in words.toml.
        quantity, part: names in the code, or short expressions, that fill the sentence; "" if it has no such place.
        new: a node, a list of statements, or None to leave the node out.
    """

    operator: str
    quantity: str
    new: Any
    part: str = ""


class Place:
    """A node with what stands around it.

    Attributes:
        parents: from the module down to the node's parent.
    """

    def __init__(self, node: ast.AST, parents: tuple[ast.AST, ...]) -> None:
        self.node = node
        self.parents = parents

    @property
    def parent(self) -> ast.AST:
        """The node around this one."""
        return self.parents[-1]

    @property
    def function(self) -> ast.FunctionDef:
        """The function around this node."""
        return next(node for node in reversed(self.parents) if isinstance(node, ast.FunctionDef))

    @property
    def target(self) -> str:
        """The name of what this node is computed for: a variable, an attribute, a key; or of the function."""
        chain = [*self.parents, self.node]
        for outer, inner in zip(reversed(chain[:-1]), reversed(chain), strict=False):
            if isinstance(outer, (ast.Assign, ast.AugAssign)):
                target = outer.targets[0] if isinstance(outer, ast.Assign) else outer.target
                if isinstance(target, ast.Tuple) and isinstance(outer.value, ast.Tuple):
                    inside = chain[chain.index(inner) + 1 :][:1] or [self.node]
                    number = next((i for i, e in enumerate(outer.value.elts) if e is inside[0]), 0)
                    target = target.elts[min(number, len(target.elts) - 1)]
                return name_of(target)
            if isinstance(outer, ast.keyword) and outer.arg:
                return outer.arg
            if isinstance(outer, ast.Dict) and inner in outer.values:
                key = outer.keys[outer.values.index(inner)]
                if isinstance(key, ast.Constant) and isinstance(key.value, str):
                    return key.value
            if isinstance(outer, ast.Tuple) and isinstance(self.parents[self.parents.index(outer) - 1], ast.Return):
                return f"{self.function.name}[{outer.elts.index(inner)}]"
            if isinstance(outer, (ast.FunctionDef, ast.Lambda)):
                return getattr(outer, "name", "lambda")
        return ""

    def computed(self, call: ast.Call) -> str:
        """The name of what a reduction computes: of the variable that it is assigned to, or of what it reduces."""
        if isinstance(self.parent, (ast.Assign, ast.Tuple, ast.Dict, ast.keyword)):
            return self.target
        return f"{called(call)}({name_of(reduced(call))})"


def name_of(node: ast.AST | None) -> str:
    """A variable's or attribute's name, an entry's key ("grads.gamma"), or else the expression without spaces."""
    if node is None:
        return ""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str):
        of = name_of(node.value)
        return f"grads.{node.slice.value}" if of == "grads" else node.slice.value
    return ast.unparse(node).replace(" ", "").replace("self.", "").replace("np.", "")


def called(node: ast.AST) -> str:
    """The last name of what is called: "mean" for x.mean() and for np.mean(x)."""
    if not isinstance(node, ast.Call):
        return ""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def of_module(call: ast.Call) -> bool:
    """Whether a module's function is called, and not an array's method."""
    return isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) in ("np", "math", "np.linalg")


def reduced(call: ast.Call) -> ast.expr | None:
    """The array that a reduction reduces."""
    if of_module(call) or not isinstance(call.func, ast.Attribute):
        return call.args[0] if call.args else None
    return call.func.value


def expression(source: str) -> ast.expr:
    return ast.parse(source, mode="eval").body


def renamed(call: ast.Call, name: str) -> ast.Call:
    function = call.func
    if isinstance(function, ast.Attribute):
        return ast.Call(ast.Attribute(function.value, name, ast.Load()), call.args, call.keywords)
    return ast.Call(ast.Name(name, ast.Load()), call.args, call.keywords)


Operator = Callable[[Place], Iterator[Change]]
OPERATORS: list[Operator] = []


def operator(function: Operator) -> Operator:
    OPERATORS.append(function)
    return function


@operator
def axis(p: Place) -> Iterator[Change]:
    """An axis left out, or the other one; or what should be summed along it is left as it is."""
    call = p.node
    if called(call) not in ("mean", "sum", "var", "std", "norm", "average"):
        return
    first = 1 if of_module(call) else 0
    given = [k.value for k in call.keywords if k.arg == "axis"] or call.args[first:]
    if not given or ast.unparse(given[0]) != "0":
        return
    bare = [k for k in call.keywords if k.arg not in ("axis", "keepdims")]
    along_rows = [*bare, ast.keyword("axis", ast.Constant(1)), ast.keyword("keepdims", ast.Constant(True))]
    yield Change("axis-left-out", p.computed(call), ast.Call(call.func, call.args[:first], bare))
    yield Change("axis-exchanged", p.computed(call), ast.Call(call.func, call.args[:first], along_rows))
    rows = ast.unparse(array) if (array := reduced(call)) is not None else ""
    each = {"sum": f"({rows})", "mean": f"({rows}) / len({rows})"}.get(called(call))
    if rows and each:
        yield Change("not-summed", p.computed(call), expression(each))


@operator
def reduction(p: Place) -> Iterator[Change]:
    """A mean for a sum, and back; a sum of absolute values for one of squares."""
    call = p.node
    name = called(call)
    array = reduced(call) if name else None
    if array is None or (isinstance(array, (ast.GeneratorExp, ast.ListComp)) and name != "sum"):
        return
    if name == "mean":
        yield Change("summed", p.computed(call), renamed(call, "sum"))
    if name == "sum" and isinstance(call.func, ast.Attribute):
        yield Change("averaged", p.computed(call), renamed(call, "mean"))
    if name == "sum" and isinstance(array, (ast.GeneratorExp, ast.ListComp)):
        yield Change("largest-alone", p.computed(call), renamed(call, "max"))
    if name in ("var", "std"):
        degrees = [*call.keywords, ast.keyword("ddof", ast.Constant(1))]
        yield Change("n-minus-1", p.computed(call), ast.Call(call.func, call.args, degrees))
        yield Change(
            "root-added" if name == "var" else "root-left-out",
            p.computed(call),
            renamed(call, "std" if name == "var" else "var"),
        )
    if name == "mean" and isinstance(call.func, ast.Attribute):
        total, rows = ast.unparse(renamed(call, "sum")), ast.unparse(array)
        yield Change("n-minus-1", p.computed(call), expression(f"{total} / (len({rows}) - 1)"))
        yield Change("d-for-n", p.computed(call), expression(f"{total} / np.shape({rows})[-1]"))


@operator
def count(p: Place) -> Iterator[Change]:
    """N - 1 or D for N."""
    node = p.node
    text = ast.unparse(node) if isinstance(node, (ast.Call, ast.Subscript, ast.Name)) else ""
    if not isinstance(getattr(node, "ctx", ast.Load()), ast.Load) or isinstance(p.parent, ast.Assign):
        return
    if called(node) == "len" and node.args and isinstance(p.parent, ast.BinOp):
        yield Change("n-minus-1", p.target, expression(f"({text} - 1)"))
        yield Change("d-for-n", p.target, expression(f"np.shape({ast.unparse(node.args[0])})[-1]"))
    elif text in ("n", "N", "m") and isinstance(p.parent, ast.BinOp) and (array := _counted(text, p.function)):
        yield Change("n-minus-1", p.target, expression(f"({text} - 1)"))
        yield Change("d-for-n", p.target, expression(f"np.shape({array})[-1]"))


def _counted(name: str, function: ast.FunctionDef) -> str:
    """The array whose examples `name` counts in this function; "" if it is another number."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and name in {getattr(n, "id", "") for t in node.targets for n in ast.walk(t)}:
            for value in ast.walk(node.value):
                if called(value) == "len":
                    return ast.unparse(value.args[0])
                if isinstance(value, ast.Attribute) and value.attr == "shape":
                    return ast.unparse(value.value)
    return ""


@operator
def term(p: Place) -> Iterator[Change]:
    """A term, a factor or a divisor left out; a sign turned; a fraction upside down."""
    node = p.node
    if not isinstance(node, ast.BinOp):
        return
    left, right, kind = node.left, node.right, type(node.op)
    if kind in (ast.Add, ast.Sub):
        yield Change("term-left-out", p.target, left, name_of(right))
        yield Change(
            "term-left-out", p.target, right if kind is ast.Add else ast.UnaryOp(ast.USub(), right), name_of(left)
        )
        turned = ast.Sub() if kind is ast.Add else ast.Add()
        yield Change("sign-turned", p.target, ast.BinOp(left, turned, right), name_of(right))
    if kind in (ast.Mult, ast.MatMult):
        yield Change("factor-left-out", p.target, left, name_of(right))
        yield Change("factor-left-out", p.target, right, name_of(left))
    if kind is ast.Div:
        yield Change("divisor-left-out", p.target, left, name_of(right))
        if not isinstance(left, ast.Constant):
            yield Change("factor-left-out", p.target, ast.BinOp(ast.Constant(1.0), ast.Div(), right), name_of(left))
        yield Change("upside-down", p.target, ast.BinOp(right, ast.Div(), left))
    if kind is ast.Pow and ast.unparse(right) == "2":
        yield Change("square-left-out", p.target, left, name_of(left))
        yield Change("absolute-for-square", p.target, ast.Call(expression("np.abs"), [left], []), name_of(left))


@operator
def function(p: Place) -> Iterator[Change]:
    """A root left out, another logarithm, a sign thrown away."""
    call = p.node
    name = called(call)
    if name in ("sqrt", "square", "abs", "log10", "log") and call.args:
        argument = call.args[0]
        if isinstance(argument, ast.Constant):  # such as the 10 that makes a logarithm one to base 10
            return
        what = {"sqrt": "root", "square": "square", "abs": "absolute", "log10": "logarithm", "log": "logarithm"}[name]
        yield Change(f"{what}-left-out", p.target, argument, name_of(argument))
        if name == "log10":
            yield Change("natural-logarithm", p.target, renamed(call, "log"))
            yield Change("binary-logarithm", p.target, renamed(call, "log2"))
        if name == "sqrt" and called(argument) == "sum":
            inside = argument.args[0] if argument.args else None
            if isinstance(inside, ast.GeneratorExp):
                each = ast.GeneratorExp(ast.Call(call.func, [inside.elt], []), inside.generators)
                yield Change("root-of-each", p.target, ast.Call(argument.func, [each], []))
    if name == "norm" and call.args:
        yield Change("squared", p.target, ast.BinOp(call, ast.Pow(), ast.Constant(2)))
        yield Change("absolute-for-square", p.target, expression(f"np.abs({ast.unparse(call.args[0])}).sum()"))
        yield Change("largest-alone", p.target, expression(f"np.abs({ast.unparse(call.args[0])}).max()"))


@operator
def epsilon(p: Place) -> Iterator[Change]:
    """eps outside the root, squared, or as a bound."""
    call = p.node
    if called(call) == "sqrt" and isinstance(call.args[0], ast.BinOp) and isinstance(call.args[0].op, ast.Add):
        inside = call.args[0]
        if name_of(inside.right) != "eps":
            return
        root = ast.Call(call.func, [inside.left], [])
        bound = ast.Call(expression("np.maximum"), [inside.left, inside.right], [])
        yield Change("eps-outside-root", p.target, ast.BinOp(root, ast.Add(), inside.right))
        yield Change("eps-as-bound", p.target, ast.Call(call.func, [bound], []))
        squared = ast.BinOp(inside.left, ast.Add(), ast.BinOp(inside.right, ast.Pow(), ast.Constant(2)))
        yield Change("eps-squared", p.target, ast.Call(call.func, [squared], []))


@operator
def weights(p: Place) -> Iterator[Change]:
    """The two weights of a moving average exchanged, or one of them lost."""
    node = p.node
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add)):
        return
    old, new = node.left, node.right
    if all(isinstance(side, ast.BinOp) and isinstance(side.op, ast.Mult) for side in (old, new)):
        if "momentum" not in ast.unparse(old.left) or "momentum" not in ast.unparse(new.left):
            return
        exchanged = ast.BinOp(
            ast.BinOp(new.left, ast.Mult(), old.right), ast.Add(), ast.BinOp(old.left, ast.Mult(), new.right)
        )
        unweighted = ast.BinOp(old, ast.Add(), ast.BinOp(old.left, ast.Mult(), new.right))
        bracket = ast.BinOp(old, ast.Add(), expression(f"(1 - {ast.unparse(old.left)} * {ast.unparse(new.right)})"))
        yield Change("weights-exchanged", p.target, exchanged)
        yield Change("same-weight-twice", p.target, unweighted)
        yield Change("weights-bracket", p.target, bracket)


@operator
def setting(p: Place) -> Iterator[Change]:
    """A setting fixed at its default."""
    node = p.node
    if not isinstance(node, (ast.Name, ast.Attribute)) or not isinstance(node.ctx, ast.Load):
        return
    arguments = p.function.args
    defaults = dict(zip([a.arg for a in arguments.args][::-1], arguments.defaults[::-1], strict=False))
    if isinstance(node, ast.Name) and node.id in defaults:
        yield Change("setting-fixed", node.id, defaults[node.id])
    if isinstance(node, ast.Attribute) and node.attr in ("eps", "momentum"):
        yield Change("setting-fixed", node.attr, ast.Constant({"eps": 1e-5, "momentum": 0.9}[node.attr]))
        if node.attr == "eps":
            yield Change("setting-fixed", node.attr, ast.Constant(1e-8))


@operator
def statistic(p: Place) -> Iterator[Change]:
    """The batch's statistics for the running ones, and back; one statistic for the other."""
    node = p.node
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
        other = {"running_mean": "running_var", "running_var": "running_mean"}.get(node.attr)
        if other:
            yield Change("other-statistic", p.target, ast.Attribute(node.value, other, ast.Load()), node.attr)
            batch = {"running_mean": "x.mean(axis=0)", "running_var": "x.var(axis=0)"}[node.attr]
            if p.function.name == "forward" and "momentum" not in ast.unparse(p.parent):
                yield Change("batch-for-running", p.target, expression(batch), node.attr)


@operator
def some(p: Place) -> Iterator[Change]:
    """Some of what a loop goes through: weights only, Linear layers only, all but the last."""
    node = p.node
    if not (isinstance(p.parent, (ast.For, ast.comprehension)) and p.parent.iter is node):
        return
    text = ast.unparse(node)
    of = name_of(node.func.value) if called(node) in ("values", "items", "keys") else name_of(node)
    by_name = (("('W',)", "weights-only"), ("('W', 'b')", "weights-and-biases-only"))
    for names, words in by_name if of in ("params", "grads") else ():
        if called(node) == "values":
            source = f"[v_ for n_, v_ in {ast.unparse(node.func.value)}.items() if n_ in {names}]"
        elif called(node) == "items":
            source = f"[(n_, v_) for n_, v_ in {text} if n_ in {names}]"
        else:
            source = f"[n_ for n_ in {text} if n_ in {names}]"
        yield Change(words, p.function.name, expression(source))
    if ("layers" in text or of == "net") and called(node) in ("", "enumerate", "list", "reversed"):  # it visits layers
        layer = "l_[1]" if called(node) == "enumerate" else "l_"
        kept = expression(f"[l_ for l_ in {text} if isinstance({layer}, Linear)]")
        yield Change("linear-only", p.function.name, kept)
    if called(node) != "range" and called(node) not in ("values", "items", "keys"):
        yield Change("last-left-out", of, expression(f"list({text})[:-1]"))
        yield Change("first-left-out", of, expression(f"list({text})[1:]"))
        yield Change("order-turned", of, expression(f"list({text})[::-1]"))
    if called(node) == "range":
        yield Change("one-round-less", p.function.name, expression(f"list({text})[:-1]"))


@operator
def generator(p: Place) -> Iterator[Change]:
    """Another seed, no seed, or one generator for all."""
    call = p.node
    if called(call) != "default_rng" or not call.args:
        return
    yield Change("unseeded", "seed", ast.Call(call.func, [], []))
    yield Change("setting-fixed", "seed", ast.Call(call.func, [ast.Constant(0)], []))
    yield Change("setting-fixed", "seed", ast.Call(call.func, [ast.Constant(42)], []))
    loops = [loop.target for loop in p.parents if isinstance(loop, ast.For)]
    if loops:
        other = ast.BinOp(call.args[0], ast.Add(), expression(ast.unparse(loops[0])))
        yield Change("other-seed-each", "seed", ast.Call(call.func, [other], []))


@operator
def condition(p: Place) -> Iterator[Change]:
    """A condition that is never true, always true, or turned round."""
    node = p.node
    if isinstance(node, (ast.If, ast.IfExp)):
        test = name_of(node.test)
        never = node.orelse or (ast.Pass() if isinstance(node, ast.If) else None)
        yield Change("never-true", test, never)
        yield Change("always-true", test, node.body)
        opposite = ast.UnaryOp(ast.Not(), node.test)
        yield Change("turned-round", test, type(node)(opposite, node.body, node.orelse))
    if isinstance(node, ast.comprehension) and node.ifs:
        yield Change("always-true", name_of(node.ifs[0]), ast.comprehension(node.target, node.iter, node.ifs[1:], 0))
    if called(node) == "isfinite":
        inside = ast.unparse(node.args[0])
        yield Change("infinity-unnoticed", p.target, expression(f"~np.isnan({inside})"))
        yield Change("nan-unnoticed", p.target, expression(f"~np.isinf({inside})"))
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            rest = [other for other in node.values if other is not value]
            yield Change("never-true", name_of(value), rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest))


@operator
def answer(p: Place) -> Iterator[Change]:
    """Returned the other way round, or the first for the last."""
    node = p.node
    if isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple) and len(node.value.elts) == 2:
        turned = ast.Tuple(node.value.elts[::-1], ast.Load())
        yield Change("returned-turned", p.function.name, ast.Return(turned))
    if isinstance(node, ast.Subscript) and ast.unparse(node.slice) == "-1" and isinstance(node.ctx, ast.Load):
        yield Change("first-for-last", name_of(node.value), ast.Subscript(node.value, ast.Constant(0), ast.Load()))


@operator
def word(p: Place) -> Iterator[Change]:
    """One of the words that are told for another."""
    kinds = ("vanishing", "exploding", "nonfinite")
    if isinstance(p.node, ast.Constant) and p.node.value in kinds:
        for other in kinds:
            if other != p.node.value:
                yield Change("other-word", other, ast.Constant(other), p.node.value)
    if isinstance(p.node, ast.Compare) and len(p.node.ops) == 1:
        turned = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}.get(type(p.node.ops[0]))
        if turned:
            yield Change("turned-round", name_of(p.node), ast.Compare(p.node.left, [turned()], p.node.comparators))
