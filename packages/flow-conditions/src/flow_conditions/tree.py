"""The tree of a condition, for callers that walk one.

Nodes are values: equal by shape, hashable, picklable, and shown as the calls that make them. No
method here recurses, because a tree is as deep as its author wrote it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flow_conditions.condition import Name, Program
from flow_conditions.errors import ConditionDataError, quoted
from flow_conditions.grammar import AND, CONSTANTS, NOT, OPERATORS, OR, SPELLING, SPELLING_OF


class _Operation:
    """What the three operations have in common: being compared and shown without recursion."""

    __slots__: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse anything else here, so that no loop has to check."""
        for side in self.__slots__:
            _check(getattr(self, side))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Operation):
            return NotImplemented
        return postfix(self) == postfix(other)

    def __hash__(self) -> int:
        return hash(postfix(self))

    def __repr__(self) -> str:
        return _calls(self)

    def __reduce__(self) -> "tuple[Callable[[Program], Tree], tuple[Program]]":
        return grow, (postfix(self),)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Not(_Operation):
    """`!operand`."""

    operand: "Tree"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class And(_Operation):
    """`left && right`."""

    left: "Tree"
    right: "Tree"


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Or(_Operation):
    """`left || right`."""

    left: "Tree"
    right: "Tree"


type Tree = Name | bool | Not | And | Or

_SIGN_OF: dict[type[_Operation], str] = {Not: NOT, And: AND, Or: OR}


def grow(program: Program) -> Tree:
    """Return the tree of a postfix program."""
    nodes: list[Tree] = []
    names: dict[str, Name] = {}
    for token in program:
        if token == NOT:
            nodes.append(Not(nodes.pop()))
        elif token in OPERATORS:
            right, left = nodes.pop(), nodes.pop()
            nodes.append(And(left, right) if token == AND else Or(left, right))
        elif token in CONSTANTS:
            nodes.append(CONSTANTS[token])
        else:
            nodes.append(names.setdefault(token, Name.spelled(token)))
    return nodes.pop()


def _check(node: object) -> None:
    """Refuse anything that is not a node of a tree, and a name that no text can spell."""
    if not isinstance(node, Name | _Operation | bool):
        raise TypeError(f"a tree is made of Name, Not, And, Or and bool, not of {node!r}")
    if isinstance(node, Name) and (node in CONSTANTS or not SPELLING.fullmatch(node)):
        raise ConditionDataError(f"{quoted(str(node))} is not an operand")


def postfix(tree: Tree | _Operation) -> Program:
    """Return the postfix program of a tree.

    It is written backwards, because an operator is met before its operands.
    """
    _check(tree)
    program: list[str] = []
    todo: list[Tree | _Operation] = [tree]
    while todo:
        match todo.pop():
            case bool() as value:
                program.append(SPELLING_OF[value])
            case Name() as name:
                program.append(str(name))
            case node:
                program.append(_SIGN_OF[type(node)])
                todo += [getattr(node, side) for side in node.__slots__]
    return tuple(reversed(program))


def dot(program: Program) -> str:
    """Return the tree of a program in the language of Graphviz."""
    lines = ["digraph {"]
    parts: list[int] = []
    for place, token in enumerate(program):
        label = token.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'  {place} [label="{label}"];')
        if token in OPERATORS:
            sides = parts[-1:] if token == NOT else parts[-2:]
            del parts[-len(sides) :]
            lines += [f"  {place} -> {side};" for side in sides]
        parts.append(place)
    return "\n".join([*lines, "}"])


def _calls(tree: _Operation) -> str:
    """Return the nested calls that make a tree."""
    pieces: list[str] = []
    todo: list[Tree | _Operation | str] = [tree]
    while todo:
        match todo.pop():
            case Not(operand):
                todo += ")", operand, "Not("
            case (And(left, right) | Or(left, right)) as node:
                todo += ")", right, ", ", left, f"{type(node).__name__}("
            case (Name() | bool()) as leaf:
                pieces.append(repr(leaf))
            case str() as piece:
                pieces.append(piece)
    return "".join(pieces)
