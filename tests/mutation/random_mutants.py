"""Random mutants: one small change each, at any place of the packages that a rule below names.

Nobody has chosen them, so nobody can have written a test for them. What a seed draws is always the
same, as long as the code is.
"""

import ast
import difflib
from collections.abc import Iterator
from copy import deepcopy
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("flow-conditions", "flow-spec", "flow-store", "orchesjob-client", "orchesjob-flow")
"""The packages whose tests need no Airflow."""


def both_ways[T](*pairs: tuple[T, T]) -> dict[T, T]:
    return dict(pairs) | {other: one for one, other in pairs}


COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = both_ways(
    *((ast.Lt, ast.LtE), (ast.Gt, ast.GtE), (ast.Eq, ast.NotEq)),
    *((ast.Is, ast.IsNot), (ast.In, ast.NotIn)),
)
COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.FloorDiv: ast.Mult,
    **both_ways((ast.Add, ast.Sub), (ast.Mult, ast.Div), (ast.BitOr, ast.BitAnd)),
}
SIMPLE = (ast.Expr, ast.Assign, ast.AugAssign)
"""Statements of which two neighbours may change places."""
NEVER_RAISED = ast.Name("ZeroDivisionError", ast.Load())


type Node = ast.expr | ast.stmt
type Edit = tuple[Node, Node]


class Mutant(NamedTuple):
    """One change of a module of the packages."""

    path: Path
    line: int
    """The first line that is changed, from 1."""
    kind: str
    edits: tuple[Edit, ...]
    """What is replaced by what, the later place first."""
    in_function: bool

    @property
    def text(self) -> str:
        source = self.path.read_text(encoding="utf-8")
        for old, new in self.edits:
            source = with_node(source, old, new)
        return source

    @property
    def package(self) -> str:
        return self.path.relative_to(ROOT).parts[1]

    def diff(self) -> str:
        before = self.path.read_text(encoding="utf-8").splitlines()
        name = str(self.path.relative_to(ROOT))
        changed = difflib.unified_diff(before, self.text.splitlines(), name, name, n=0, lineterm="")
        return "\n".join(changed)


def draw(number: int, seed: int, package: str = "") -> list[Mutant]:
    """Draw mutants of one package, or of all: a module as often as it has places to change."""
    packages = (package,) if package else PACKAGES
    modules = [
        path for name in packages for path in sorted(ROOT.glob(f"packages/{name}/src/**/*.py"))
    ]
    mutants = [mutant for path in modules for mutant in mutants_of(path)]
    drawn = Random(seed).sample(mutants, min(number, len(mutants)))  # noqa: S311 - reproducible
    return sorted(drawn, key=lambda mutant: (mutant.path, mutant.line))


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Yield all mutants of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, in_function in places(tree):
        for kind, changed in changes(node):
            if ast.dump(changed) == ast.dump(node):  # such as `return None`
                continue
            yield Mutant(path, node.lineno, kind, ((node, changed),), in_function)
    for first, second in neighbours(tree):
        edits = ((second, first), (first, second))
        yield Mutant(path, first.lineno, "order", edits, in_function=True)


def places(tree: ast.AST, *, in_function: bool = False) -> Iterator[tuple[Node, bool]]:
    """Yield what may be changed, and whether it runs when its function does."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "type_params", "bases"):
            continue
        is_body = isinstance(tree, ast.FunctionDef | ast.Lambda) and field == "body"
        runs_later = in_function or is_body
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or is_for_types(node):
                continue
            if isinstance(node, ast.expr | ast.stmt):
                yield node, runs_later
            yield from places(node, in_function=runs_later)


def is_for_types(node: ast.AST) -> bool:
    match node:
        case ast.If(test=ast.Name(id="TYPE_CHECKING")) | ast.TypeAlias() | ast.JoinedStr():
            return True
        case ast.Expr(value=ast.Constant()) | ast.Assign(targets=[ast.Name(id="__all__")]):
            return True
        case _:
            return False


def changes(node: Node) -> Iterator[tuple[str, Node]]:  # noqa: PLR0912
    """Yield the changes of one expression or statement, with the name of its kind."""
    new = deepcopy(node)
    match new:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARED:
            new.ops[0] = COMPARED[type(op)]()
            yield "comparison", new
        case ast.BoolOp():
            new.op = ast.Or() if isinstance(new.op, ast.And) else ast.And()
            yield "condition", new
        case ast.UnaryOp(op=ast.Not()):
            yield "condition", new.operand
        case ast.BinOp() if type(new.op) in COMPUTED and not is_text(new):
            new.op = COMPUTED[type(new.op)]()
            yield "arithmetic", new
        case ast.Constant(value=bool(value)):
            new.value = not value
            yield "constant", new
        case ast.Constant(value=int(value) | float(value)):
            new.value = value + 1
            yield "constant", new
        case ast.Call(args=[first, second, *_]) if not isinstance(second, ast.Starred):
            new.args[:2] = [second, first]
            yield "arguments", new
        case ast.Expr(value=ast.Call()):
            yield "call", ast.Pass()
        case ast.Return(value=ast.expr()):
            new.value = ast.Constant(None)
            yield "return", new
        case ast.If() | ast.While():
            new.test = ast.UnaryOp(ast.Not(), new.test)
            yield "condition", new
        case ast.IfExp():
            new.body, new.orelse = new.orelse, new.body
            yield "condition", new
        case ast.Try() if new.handlers:
            new.handlers[0].type = NEVER_RAISED
            yield "exception", new
        case ast.Raise():
            yield "exception", ast.Pass()
        case _:
            pass


def is_text(node: ast.BinOp) -> bool:
    """Whether an operand is text, which only `+` and `%` take."""
    operands = (node.left, node.right)
    return any(isinstance(each, ast.JoinedStr) for each in operands) or any(
        isinstance(each, ast.Constant) and isinstance(each.value, str | bytes) for each in operands
    )


def neighbours(tree: ast.AST) -> Iterator[tuple[ast.stmt, ast.stmt]]:
    """Yield simple statements that follow each other in a function."""
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            body = getattr(node, "body", None)
            for first, second in pairwise(body if isinstance(body, list) else []):
                is_simple = isinstance(first, SIMPLE) and isinstance(second, SIMPLE)
                if is_simple and not is_for_types(first) and not needs(second, first):
                    yield first, second


def needs(second: ast.stmt, first: ast.stmt) -> bool:
    made = {
        n.id for n in ast.walk(first) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
    return any(isinstance(node, ast.Name) and node.id in made for node in ast.walk(second))


def with_node(source: str, old: Node, new: Node) -> str:
    """Return a source in which one node is replaced by another."""
    lines = source.encode().splitlines(keepends=True)
    assert old.end_lineno is not None
    assert old.end_col_offset is not None
    before = b"".join(lines[: old.lineno - 1]) + lines[old.lineno - 1][: old.col_offset]
    after = lines[old.end_lineno - 1][old.end_col_offset :] + b"".join(lines[old.end_lineno :])
    text = ast.unparse(new)
    if isinstance(old, ast.expr):
        text = f"({text})"
    return (before + text.replace("\n", "\n" + " " * old.col_offset).encode() + after).decode()
