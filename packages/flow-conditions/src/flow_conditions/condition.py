"""`Condition`, the value that everything else in this package makes, reads or shows.

Text is read by the parser; truth tables, jumps, spelling, trees, explanations and the algebra have
modules of their own. The last three are imported when they are first asked for, which most programs
never do.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

from flow_conditions.errors import InvalidNameError, NoNamesError
from flow_conditions.grammar import AND, DOT, NAME, NOT, OPERATORS, OR
from flow_conditions.infix import infix
from flow_conditions.jumps import Step, decide, jump_program
from flow_conditions.kleene import Value, values
from flow_conditions.name import Name

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_conditions.exclusions import Exclusions, Known
    from flow_conditions.explanation import Explanation
    from flow_conditions.tree import Tree

type Lookup = Callable[[Name], Value]

BUDGET = 150_000  # steps of the algebra: some tenths of a second


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

    def decided(
        self, lookup: Lookup, *, exclusions: "Exclusions" = (), budget: int = BUDGET
    ) -> Value:
        """Return the value if it is the same whatever the unknown operands are worth, else None.

        `evaluate` looks at one operand at a time and leaves `A || !A` unknown; this does not.

        Raises:
            TypeError: the lookup returned something other than True, False or None.
            ExclusionError: two operands are true that exclude each other.
            BudgetExceeded: it takes more than `budget` steps to tell.
        """
        from flow_conditions.algebra import decided

        return decided(self.program, self._answers(lookup), exclusions, budget)

    def blame(
        self, lookup: Lookup, *, exclusions: "Exclusions" = (), budget: int = BUDGET
    ) -> tuple[Name, ...] | None:
        """Return a smallest set of operands whose values alone decide, or None while nothing does.

        They come in order of appearance. It is empty if the condition has one value only.

        Raises:
            TypeError: the lookup returned something other than True, False or None.
            ExclusionError: two operands are true that exclude each other.
            BudgetExceeded: it takes more than `budget` steps to find the smallest.
        """
        from flow_conditions.blame import blame

        blamed = blame(self.program, self._answers(lookup), exclusions, budget)
        return None if blamed is None else tuple(Name(*each.split(DOT)) for each in blamed)

    def restrict(self, known: "Known", *, exclusions: "Exclusions" = ()) -> "Condition | bool":
        """Return what is left when some operands are known: a condition without them, or its value.

        `known` may speak of other operands, and say None for what is not known.

        Raises:
            TypeError: a value is not True, False or None.
            ExclusionError: two operands are true that exclude each other.
        """
        from flow_conditions.algebra import restrict

        return _condition(restrict(self.program, known, exclusions))

    def model(
        self,
        given: "Known | None" = None,
        *,
        exclusions: "Exclusions" = (),
        budget: int = BUDGET,
    ) -> dict[Name, bool] | None:
        """Return values of all operands that make it true and fit what is given, or None.

        Raises:
            TypeError: a given value is not True, False or None.
            BudgetExceeded: it takes more than `budget` steps to tell.
        """
        from flow_conditions.algebra import model

        values = model(self.program, given or {}, exclusions, budget)
        if values is None:
            return None
        return {
            operand: values.get(spelling, False) for spelling, operand in self._spelled_operands
        }

    def is_never(self, *, exclusions: "Exclusions" = (), budget: int = BUDGET) -> bool:
        """Tell whether it is false whatever its operands are worth.

        Raises:
            BudgetExceeded: it takes more than `budget` steps to tell.
        """
        from flow_conditions.algebra import never

        return never(self.program, exclusions, budget)

    def is_always(self, *, exclusions: "Exclusions" = (), budget: int = BUDGET) -> bool:
        """Tell whether it is true whatever its operands are worth.

        Raises:
            BudgetExceeded: it takes more than `budget` steps to tell.
        """
        from flow_conditions.algebra import always

        return always(self.program, exclusions, budget)

    def simplify(
        self, *, exclusions: "Exclusions" = (), budget: int = BUDGET
    ) -> "Condition | bool":
        """Return an equivalent condition that is shorter, itself if none is found, or its value.

        The text is never longer and never has more operands. With `exclusions` it is equivalent
        where these hold.

        Raises:
            BudgetExceeded: it takes more than `budget` steps.
        """
        from flow_conditions.simplification import simplify

        return _condition(simplify(self.program, exclusions, budget))

    def to_json(self) -> list[str]:
        """Return it as data for JSON: a list of operands and operators, which follow theirs."""
        return list(self.program)

    @classmethod
    def from_json(cls, data: object) -> "Condition":
        """Return the condition that `to_json` made this of.

        Raises:
            ConditionDataError: it is nothing that `to_json` makes.
        """
        from flow_conditions.postfix import checked

        return cls(checked(data))

    def __and__(self, other: object) -> "Condition":
        """Return the condition that both hold."""
        if not isinstance(other, Condition):
            return NotImplemented
        return Condition((*self.program, *other.program, AND))

    def __or__(self, other: object) -> "Condition":
        """Return the condition that one of them holds."""
        if not isinstance(other, Condition):
            return NotImplemented
        return Condition((*self.program, *other.program, OR))

    def __invert__(self) -> "Condition":
        """Return the condition that this one does not hold."""
        return Condition((*self.program, NOT))

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


def _condition(result: tuple[str, ...] | bool) -> Condition | bool:
    """Return the condition of a program, or the value that is left of one."""
    return result if isinstance(result, bool) else Condition(result)


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
