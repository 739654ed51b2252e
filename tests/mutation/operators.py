"""Operators that take a protection out of one definition, and how that definition is found.

A definition is named by its package and its qualified name, and looked up in all modules of the
package. What an operator changes in it is named by a fragment of code. Fragments are compared in
the form that `ast.unparse` gives them. So neither moving nor reformatting code breaks a mutation.

A fragment is an expression, or statements. `if ready:` and the like mean the statement that begins
so, whatever its body is.
"""

import ast
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
BODIES = ("body", "orelse", "finalbody")

type Operator = Callable[[ast.AST], None]
"""Edits a definition in place; raises ValueError unless its fragment is there exactly once."""


class Definition(NamedTuple):
    """A function, a class, or an assignment to a name, and the module that holds it."""

    path: Path
    node: ast.stmt

    def mutant(self, *operators: Operator) -> str:
        """Return the text of the module, with this definition changed by the operators.

        Raises:
            ValueError: What they change is not there exactly once, or nothing changes.
        """
        changed = deepcopy(self.node)
        for operator in operators:
            operator(changed)
        if ast.unparse(changed) == ast.unparse(self.node):
            raise ValueError("nothing is changed")
        lines = self.path.read_text(encoding="utf-8").splitlines()
        decorators = getattr(self.node, "decorator_list", [])
        begin = min(node.lineno for node in (self.node, *decorators)) - 1
        indent = " " * self.node.col_offset
        lines[begin : self.node.end_lineno] = [
            indent + line for line in ast.unparse(changed).splitlines()
        ]
        return "\n".join(lines) + "\n"


def definition(address: str) -> Definition:
    """Find `PACKAGE: NAME`. A method is `Class.method`.

    Where several have that name, `PACKAGE: FOLDER/NAME` says which; FOLDER may be a module as well.

    Raises:
        ValueError: The package has no such definition, or several.
    """
    package, _, name = address.partition(": ")
    folder, _, name = name.rpartition("/")
    found = definitions(package).get(name, [])
    return only(in_folder(found, folder, [each.path for each in found]), address)


def in_folder[T](found: list[T], folder: str, paths: list[Path]) -> list[T]:
    """Keep those whose path has this folder or module in it, if there are several."""
    if len(found) < 2 or not folder:
        return found
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in paths]
    return [each for each, names in zip(found, parts, strict=True) if folder in names]


@cache
def definitions(package: str) -> dict[str, list[Definition]]:
    """Return all definitions of a package by their qualified names."""
    found: dict[str, list[Definition]] = {}
    for path in sorted((ROOT / "packages" / package / "src").rglob("*.py")):
        for name, node in defined(ast.parse(path.read_text(encoding="utf-8"))):
            found.setdefault(name, []).append(Definition(path, node))
    return found


def defined(scope: ast.Module | ast.ClassDef, prefix: str = "") -> Iterator[tuple[str, ast.stmt]]:
    """Yield what a module or a class defines, and what its classes define, by qualified names."""
    for node in scope.body:
        match node:
            case ast.FunctionDef(name=name):
                yield prefix + name, node
            case ast.ClassDef(name=name):
                yield prefix + name, node
                yield from defined(node, f"{prefix}{name}.")
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield prefix + name, node


def module_of_tests(address: str) -> Path:
    """Find the module `NAME` wherever tests are; `FOLDER/NAME` where several are called so.

    Raises:
        ValueError: There is no such module, or several.
    """
    folder, _, name = address.rpartition("/")
    found = modules_of_tests().get(name, [])
    within = [path for path in found if folder in ("", *path.relative_to(ROOT).parts)]
    return only(within, address)


@cache
def modules_of_tests() -> dict[str, list[Path]]:
    """Return the modules of all tests by their names, without `.py`."""
    found: dict[str, list[Path]] = {}
    for folder in (ROOT / "tests", *ROOT.glob("packages/*/tests")):
        for path in sorted(folder.rglob("test_*.py")):
            found.setdefault(path.stem, []).append(path)
    return found


def drop(statements: str) -> Operator:
    """Leave statements out."""
    return replace(statements, "")


def replace(old: str, new: str) -> Operator:
    """Replace an expression by another one, or statements by others."""

    def operate(node: ast.AST) -> None:
        olds, news = parsed(old), parsed(new)
        match olds, news:
            case [ast.Expr(value=wanted)], [ast.Expr(value=value)]:
                put_expression(node, wanted, value)
            case _:
                put_statements(node, olds, news)

    return operate


def replace_text(old: str, new: str) -> Operator:
    """Replace a part of a string, such as a statement of SQL."""

    def operate(node: ast.AST) -> None:
        constants = [part for part in ast.walk(node) if isinstance(part, ast.Constant)]
        found = [
            (part, before, after)
            for part in constants
            if isinstance(part.value, str)
            for before, is_there, after in [part.value.partition(old)]
            if is_there
        ]
        part, before, after = only(found, old)
        if old in after:
            raise ValueError(f"more than once in one string: {old!r}")
        part.value = before + new + after

    return operate


def only[T](found: list[T], wanted: str) -> T:
    """Return the one thing that was found.

    Raises:
        ValueError: It is none, or several.
    """
    if len(found) != 1:
        raise ValueError(f"found {len(found)} times: {wanted}")
    return found[0]


def parsed(fragment: str) -> list[ast.stmt]:
    """Parse a fragment; the body of a compound statement may be missing."""
    return ast.parse(f"{fragment} ..." if fragment.endswith(":") else fragment).body


def text(node: ast.AST) -> str:
    """Return the normal form of code: of what has a body, only how it begins."""
    lines = ast.unparse(node).strip().split("\n")
    return lines[0] if hasattr(node, "body") and isinstance(node.body, list) else "\n".join(lines)


def is_same(node: ast.AST, wanted: ast.AST) -> bool:
    """Tell whether two pieces of code have the same normal form."""
    return type(node) is type(wanted) and text(node) == text(wanted)


def put_expression(node: ast.AST, wanted: ast.expr, new: ast.expr) -> None:
    """Replace the one expression within a node that is the wanted one."""
    found = [
        (parent, field, index)
        for parent in ast.walk(node)
        for field, value in ast.iter_fields(parent)
        for index, part in enumerate(value if isinstance(value, list) else [value])
        if isinstance(part, ast.expr) and is_same(part, wanted)
    ]
    parent, field, index = only(found, text(wanted))
    if isinstance(parts := getattr(parent, field), list):
        parts[index] = new
    else:
        setattr(parent, field, new)


def put_statements(node: ast.AST, wanted: list[ast.stmt], news: list[ast.stmt]) -> None:
    """Replace the wanted statements, which follow each other in one body."""
    found = [
        (body, slice(begin, begin + len(wanted)))
        for body in bodies(node)
        for begin in range(len(body) - len(wanted) + 1)
        if all(map(is_same, body[begin : begin + len(wanted)], wanted))
    ]
    body, place = only(found, "; ".join(map(text, wanted)))
    body[place] = news
    if not body:
        body.append(ast.Pass())


def bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """Yield the lists of statements within a node."""
    for part in ast.walk(node):
        for field in BODIES:
            if isinstance(body := getattr(part, field, None), list):
                yield body
