"""The tree of a condition, for callers that walk one.

Nodes are values: equal by shape, hashable, picklable, copyable, and shown as the calls that make
them. Nothing in this package computes on trees, and no method here recurses, because a tree is as
deep as its author wrote it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flow_conditions.condition import Name
from flow_conditions.grammar import AND, NOT, OR


class _Operation:
    """What the three operations have in common: being compared and shown without recursion."""

    __slots__: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse anything else here, so that no loop has to check."""
        for side in self.__slots__:
            node = getattr(self, side)
            if not isinstance(node, Name | _Operation):
                raise TypeError(f"a tree is made of Name, Not, And and Or, not of {node!r}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Operation):
            return NotImplemented
        return _postfix(self) == _postfix(other)

    def __hash__(self) -> int:
        return hash(_postfix(self))

    def __repr__(self) -> str:
        return _calls(self)

    def __reduce__(self) -> "tuple[Callable[[Iterable[Name | str]], Tree], tuple[_Items]]":
        return grow, (_postfix(self),)


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


type Tree = Name | Not | And | Or
type _Items = tuple[Name | str, ...]


def grow(program: Iterable[Name | str]) -> Tree:
    """Return the tree of a postfix program: operands are `Name`s, operators their spelling."""
    nodes: list[Tree] = []
    for item in program:
        if isinstance(item, Name):
            nodes.append(item)
        elif item == NOT:
            nodes.append(Not(nodes.pop()))
        else:
            right, left = nodes.pop(), nodes.pop()
            nodes.append(And(left, right) if item == AND else Or(left, right))
    return nodes.pop()


def _postfix(tree: _Operation) -> _Items:
    """Return the postfix program of a tree.

    It is written backwards, because an operator is met before its operands.
    """
    program: list[Name | str] = []
    todo: list[Name | _Operation] = [tree]
    while todo:
        match todo.pop():
            case Name() as name:
                program.append(name)
            case Not(operand):
                program.append(NOT)
                todo.append(operand)
            case And(left, right):
                program.append(AND)
                todo += left, right
            case Or(left, right):
                program.append(OR)
                todo += left, right
    return tuple(reversed(program))


def _calls(tree: _Operation) -> str:
    """Return the nested calls that make a tree."""
    pieces: list[str] = []
    todo: list[Name | _Operation | str] = [tree]
    while todo:
        match todo.pop():
            case Not(operand):
                todo += ")", operand, "Not("
            case (And(left, right) | Or(left, right)) as node:
                todo += ")", right, ", ", left, f"{type(node).__name__}("
            case Name() as name:
                pieces.append(repr(name))
            case str() as piece:
                pieces.append(piece)
    return "".join(pieces)
