"""`Condition`, the value that everything else in this package makes, reads or shows.

Text is read by the parser; truth tables, jumps, spelling, trees and explanations have modules of
their own. The last two are imported when they are first asked for, which most programs never do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from flow_conditions.errors import InvalidNameError, NoNamesError
from flow_conditions.grammar import AND, DOT, NAME, OPERATORS
from flow_conditions.infix import infix
from flow_conditions.jumps import Step, decide, jump_program
from flow_conditions.kleene import Value, values
from flow_conditions.name import Name

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_conditions.explanation import Explanation
    from flow_conditions.tree import Tree

type Lookup = Callable[[Name], Value]


@dataclass(frozen=True, repr=False)
class Condition:
    """A parsed condition: immutable, hashable, picklable; made by `parse` and `all_of`.

    `program` is its postfix form (see `grammar`), which alone decides equality: `A && B && C` and
    `(A && B) && C` are equal, `A && (B && C)` is another condition with the same truth table.
    """

    program: tuple[str, ...]

    @cached_property
    def _spelled_operands(self) -> tuple[tuple[str, Name], ...]:
        """The distinct operands, each behind its spelling, in order of first appearance."""
        spellings = dict.fromkeys(token for token in self.program if token not in OPERATORS)
        return tuple((spelling, Name(*spelling.split(DOT))) for spelling in spellings)

    @cached_property
    def _jump_program(self) -> list[Step]:
        """The condition in the form that is decided fastest."""
        return jump_program(self.program)

    @property
    def operands(self) -> tuple[Name, ...]:
        """The distinct operands (`load` and `load.failed` are two), in order of appearance."""
        return tuple(operand for _, operand in self._spelled_operands)

    @property
    def names(self) -> tuple[str, ...]:
        """The distinct plain names (`load.failed` counts as `load`), in order of appearance."""
        return tuple(dict.fromkeys(operand.name for _, operand in self._spelled_operands))

    @property
    def tree(self) -> "Tree":
        """The condition as a tree of `Name`, `Not`, `And` and `Or`, made anew at each access."""
        from flow_conditions.tree import grow

        operand_of = dict(self._spelled_operands)
        return grow(operand_of.get(token, token) for token in self.program)

    def evaluate(self, lookup: Lookup) -> Value:
        """Return whether the condition holds; `None` while that is not known.

        `lookup` is called once for each of `operands`, in their order, and returns True, False, or
        None for "not known yet". The logic is Kleene's: an unknown operand leaves the result
        unknown unless the known ones settle it (`A && B` is false as soon as `A` is).

        Raises:
            TypeError: the lookup returned something else.
        """
        answers = self._answers(lookup)
        cached = self.__dict__
        if "_evaluated" not in cached:
            # Most conditions are evaluated once only, and a jump program would not pay for itself.
            cached["_evaluated"] = True
            return values(self.program, answers)[-1]
        value = decide(self._jump_program, answers)
        return values(self.program, answers)[-1] if value is None else value

    def explain(self, lookup: Lookup) -> "Explanation":
        """Evaluate, and return the result with that of every part; `lookup` as in `evaluate`.

        Raises:
            TypeError: the lookup returned something other than True, False or None.
        """
        from flow_conditions.explanation import explain

        return explain(self.program, dict(self._spelled_operands), self._answers(lookup))

    def _answers(self, lookup: Lookup) -> dict[str, Value]:
        """Ask for each operand once."""
        answers: dict[str, Value] = {}
        for spelling, operand in self._spelled_operands:
            answers[spelling] = answer = lookup(operand)
            if answer is not True and answer is not False and answer is not None:
                raise TypeError(
                    f"the lookup returned {answer!r} for {spelling!r}; "
                    "it must return True, False or None"
                )
        return answers

    def __str__(self) -> str:
        """Return the canonical text, with the fewest parentheses; it parses to an equal value."""
        return infix(self.program)

    def __repr__(self) -> str:
        """Show the canonical text."""
        return f"<{type(self).__name__} {str(self)!r}>"

    def __reduce__(self) -> tuple[type["Condition"], tuple[tuple[str, ...]]]:
        """Pickle and copy the program without what was worked out from it."""
        return type(self), (self.program,)


def all_of(names: Iterable[str]) -> Condition:
    """Return the condition that holds when all the named things do: `A && B && C`.

    Raises:
        NoNamesError: there is no name at all.
        InvalidNameError: something is not a plain name.
        TypeError: `names` is a single string.
    """
    return row(names, AND)


def row(names: Iterable[str], operator: str, predicate: str | None = None) -> Condition:
    """Return the row of all the names, each with the predicate: `A.late || B.late || C.late`.

    Raises:
        NoNamesError: there is no name at all.
        InvalidNameError: something is not a plain name.
        TypeError: `names` is a single string.
    """
    if isinstance(names, str):
        raise TypeError(f"names must be a collection of names, not the single string {names!r}")
    ending = "" if predicate is None else f"{DOT}{predicate}"
    program: list[str] = []
    for name in names:
        if not NAME.fullmatch(name):
            raise InvalidNameError(name)
        program.append(name + ending)
        if len(program) > 1:
            program.append(operator)
    if not program:
        raise NoNamesError
    return Condition(tuple(program))
