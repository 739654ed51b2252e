"""`Condition`, the value that everything else in this package makes, reads or shows.

A condition is stored as a *postfix program*: a flat tuple of tokens in which each operator follows
its operands. `(A && B) || !C` is `A B && C ! ||`. Conditions nest as deep as their author likes,
and a loop over a flat tuple cannot exhaust the stack.

Values are those of Kleene's strong three-valued logic, where None stands for "not known yet". Two
things evaluate a program: Kleene's truth tables, one lookup for each token; and a *jump program*,
which skips operands that cannot matter, but stops at the first one that is not known.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from flow_conditions.errors import ConditionDataError, InvalidNameError, quoted
from flow_conditions.grammar import (
    AND,
    BINDING,
    CLOSE,
    CONSTANTS,
    DOT,
    NAME,
    NO_OPERANDS,
    NOT,
    OPEN,
    OPERATORS,
    OR,
    PREDICATE,
    SPELLING,
    SPELLING_OF,
)

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_conditions.explanation import Explanation
    from flow_conditions.tree import Tree

type Program = tuple[str, ...]
type Value = bool | None
type Known = Mapping[str, Value] | Mapping[Name, Value]
type Lookup = Callable[[Name], Value] | Known
type Exclusions = Iterable[Collection[str]]
"""Groups of operands that exclude each other: of each group, one at most is true."""

BUDGET = 150_000  # steps of the algebra, of two or three microseconds: under half a second


class Name(str):
    """An operand: a name, and the predicate asked of it (None if it stands alone).

    It is a text, as a condition spells it, so that a mapping may have texts or `Name`s as keys.
    With a `quantifier`, as in `any(load.late)`, the name stands for many things. An operand such as
    `changed(src/**)` has the function as `quantifier` and what is asked of it as `argument`.
    """

    __slots__ = ("name", "predicate", "quantifier")
    __match_args__ = ("name", "predicate", "quantifier")
    name: str
    predicate: str | None
    quantifier: str | None

    def __new__(
        cls, name: str, predicate: str | None = None, quantifier: str | None = None
    ) -> "Name":
        """Spell it, and set the three fields."""
        spelling = name if predicate is None else f"{name}{DOT}{predicate}"
        if quantifier is not None:
            spelling = f"{quantifier}{OPEN}{spelling}{CLOSE}"
        self = str.__new__(cls, spelling)
        _set_name(self, name)
        _set_predicate(self, predicate)
        _set_quantifier(self, quantifier)
        return self

    @classmethod
    def spelled(cls, spelling: str) -> "Name":
        """Return the operand that a program spells in this way."""
        if not spelling.endswith(CLOSE):
            return cls(*spelling.split(DOT, 1))
        quantifier, _, argument = spelling[:-1].partition(OPEN)
        name, _, predicate = (
            argument.partition(DOT) if SPELLING.fullmatch(argument) else (argument, "", "")
        )
        return cls(name, predicate or None, quantifier)

    @property
    def argument(self) -> str | None:
        """What stands in the parentheses, or None without any."""
        return None if self.quantifier is None else self[len(self.quantifier) + 1 : -1]

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse to change anything."""
        raise AttributeError(f"a Name cannot be changed: {name}")

    def __repr__(self) -> str:
        """Return the call that makes this operand."""
        fields = [self.name, self.predicate, self.quantifier]
        while fields[-1] is None:
            fields.pop()
        return f"{type(self).__name__}({', '.join(map(repr, fields))})"

    def __reduce__(self) -> tuple[type["Name"], tuple[str, str | None, str | None]]:
        """Pickle as that call."""
        return type(self), (self.name, self.predicate, self.quantifier)


_set_name, _set_predicate, _set_quantifier = (vars(Name)[field].__set__ for field in Name.__slots__)


@dataclass(frozen=True, repr=False)
class Condition:
    """A parsed condition: immutable, hashable, picklable; made by `parse`, `all_of` and `any_of`.

    `program` is its postfix form, which alone decides equality: `A && B && C` and `(A && B) && C`
    are equal, `A && (B && C)` is another condition with the same truth table.

    What takes a `budget` raises `BudgetExceeded` beyond so many steps. What takes values raises
    `TypeError` if one is not True, False or None, and `ExclusionError` if two are true that exclude
    each other. The constructor raises `ConditionDataError` if `program` is not one.
    """

    program: Program

    def __post_init__(self) -> None:
        """Check the program."""
        object.__setattr__(self, "program", _checked(self.program))

    def __bool__(self) -> bool:
        """Raise TypeError: `a and b` would be `b`."""
        raise TypeError(
            "a condition has no truth value by itself: join conditions with &, | and ~, "
            "compare with None by `is`, or ask evaluate()"
        )

    @cached_property
    def _jump_program(self) -> "list[Jump]":
        """The condition in the form that is decided fastest."""
        return jump_program(self.program)

    @cached_property
    def _spelled(self) -> tuple[tuple[str, Name], ...]:
        """The distinct operands after their spelling; a plain str is found faster than a Name."""
        spellings = dict.fromkeys(self.program)
        return tuple((each, Name.spelled(each)) for each in spellings if each not in NO_OPERANDS)

    @cached_property
    def _has_constants(self) -> bool:
        """Whether a constant occurs."""
        return not CONSTANTS.keys().isdisjoint(self.program)

    @property
    def operands(self) -> tuple[Name, ...]:
        """The distinct operands (`load` and `load.failed` are two), in order of appearance."""
        return tuple([operand for _, operand in self._spelled])

    @property
    def names(self) -> tuple[str, ...]:
        """The distinct plain names (`load.failed` counts as `load`), in order of appearance.

        What stands in parentheses is not among them: only the vocabulary knows whether it is one.
        """
        plain = (operand.name for operand in self.operands if operand.quantifier is None)
        return tuple(dict.fromkeys(plain))

    @property
    def spans(self) -> tuple[tuple[Name, int, int], ...]:
        """Each occurrence of an operand, and where it stands in the text that was parsed.

        All operands that a call such as `any(late)` stands for have its place. Only what `parse`
        returns has spans; what was copied, pickled or made of others has none.
        """
        find_spans, *arguments = self.__dict__.get("_parsed", (tuple,))
        spellings = (token for token in self.program if token not in OPERATORS)
        placed = zip(spellings, find_spans(*arguments), strict=False)
        return tuple(
            (Name.spelled(spelling), start, end)
            for spelling, (start, end) in placed
            if spelling not in CONSTANTS
        )

    @property
    def tree(self) -> "Tree":
        """The condition as a tree of `Name`, `Not`, `And`, `Or` and bool, a new one each time."""
        from flow_conditions.tree import grow

        return grow(self.program)

    @classmethod
    def from_tree(cls, tree: "Tree") -> "Condition":
        """Return the condition of a tree."""
        from flow_conditions.tree import postfix

        return made(postfix(tree))

    def to_dot(self) -> str:
        """Return the tree as a drawing in the language of Graphviz."""
        from flow_conditions.tree import dot

        return dot(self.program)

    def evaluate(self, lookup: Lookup) -> Value:
        """Return whether the condition holds; None while that is not known.

        `lookup` is a mapping or a function of an operand. It is asked once for each of `operands`,
        in their order, and says True, False, or None for "not known yet". What a mapping lacks is
        not known. An unknown operand leaves the result unknown unless the known ones settle it.
        """
        answers = asked(self._spelled, lookup, self._has_constants)
        cached = self.__dict__
        if "_evaluated" not in cached:
            # Most conditions are evaluated once only, and a jump program would not pay for itself.
            cached["_evaluated"] = True
            return values(self.program, answers)[-1]
        value = decide(self._jump_program, answers)
        return values(self.program, answers)[-1] if value is None else value

    def explain(self, lookup: Lookup) -> "Explanation":
        """Evaluate, and return the result with that of every part; `lookup` as in `evaluate`."""
        from flow_conditions.explanation import explain

        answers = asked(self._spelled, lookup, self._has_constants)
        return explain(self.program, answers)

    def decided(
        self, lookup: Lookup, *, exclusions: Exclusions = (), budget: int = BUDGET
    ) -> Value:
        """Return the value if it is the same whatever the unknown operands are worth, else None.

        `evaluate` looks at one operand at a time and leaves `A || !A` unknown; this does not.
        """
        from flow_conditions.algebra import decided

        return decided(self.program, lookup, exclusions, budget)

    def blame(
        self, lookup: Lookup, *, exclusions: Exclusions = (), budget: int = BUDGET
    ) -> tuple[Name, ...] | None:
        """Return a smallest set of operands whose values alone decide, or None while nothing does.

        They come in order of appearance. The set is empty if the condition has one value only. With
        `exclusions`, operands of theirs that the condition lacks may be to blame too.
        """
        from flow_conditions.algebra import blame

        blamed = blame(self.program, lookup, exclusions, budget)
        return None if blamed is None else tuple(map(Name.spelled, blamed))

    def restrict(self, known: Known, *, exclusions: Exclusions = ()) -> "Condition":
        """Return what is left when some operands are known: a condition without them.

        `known` may name other operands too, and map an operand that is not known to None. The
        result is `TRUE` or `FALSE` where that settles the matter, and the condition itself if
        nothing known occurs in it.
        """
        from flow_conditions.algebra import restrict

        return self._changed(restrict(self.program, known, exclusions))

    def substitute(
        self, instead: "Mapping[str, Condition] | Mapping[Name, Condition]"
    ) -> "Condition":
        """Return the condition with conditions in place of some operands."""
        programs = {operand: program_of(condition) for operand, condition in items(instead)}
        parts = (programs.get(token, (token,)) for token in self.program)
        return self._changed(tuple(token for part in parts for token in part))

    def rename(self, names: Mapping[str, str], *, quantifiers: Collection[str] = ()) -> "Condition":
        """Return the condition with other names; an operand keeps its predicate.

        Functions are opaque. In calls of these `quantifiers`, such as `any(load.late)`, names are
        changed too. A name that is not plain raises `InvalidNameError`.
        """
        instead = dict(items(names))
        for name in instead.values():
            if not NAME.fullmatch(name):
                raise InvalidNameError(name)
        renamed = {
            spelling: str(Name(instead.get(one.name, one.name), one.predicate, one.quantifier))
            for spelling, one in self._spelled
            if one.quantifier is None or one.quantifier in quantifiers
        }
        return self._changed(tuple(renamed.get(token, token) for token in self.program))

    def model(
        self, given: Known | None = None, *, exclusions: Exclusions = (), budget: int = BUDGET
    ) -> dict[Name, bool] | None:
        """Return values of all operands that make it true and fit what is given, or None."""
        from flow_conditions.algebra import model

        values = model(self.program, {} if given is None else given, exclusions, budget)
        if values is None:
            return None
        return {operand: values.get(operand, False) for operand in self.operands}

    def count_models(self, *, exclusions: Exclusions = (), budget: int = BUDGET) -> int:
        """Return how many values of all operands make it true."""
        from flow_conditions.algebra import count_models

        return count_models(self.program, exclusions, budget)

    def is_satisfiable(self, *, exclusions: Exclusions = (), budget: int = BUDGET) -> bool:
        """Tell whether some values of its operands make it true."""
        from flow_conditions.algebra import model

        return model(self.program, {}, exclusions, budget) is not None

    def is_tautology(self, *, exclusions: Exclusions = (), budget: int = BUDGET) -> bool:
        """Tell whether it is true whatever its operands are worth."""
        return not (~self).is_satisfiable(exclusions=exclusions, budget=budget)

    def simplify(self, *, exclusions: Exclusions = (), budget: int = BUDGET) -> "Condition":
        """Return an equivalent condition that is shorter, or itself if none is found.

        It never has more operands, counted as often as they occur. A condition with one value only
        becomes `TRUE` or `FALSE`; any other text is never longer than it was. With `exclusions` it
        is equivalent where these hold.
        """
        from flow_conditions.simplification import simplify

        return self._changed(simplify(self.program, exclusions, budget))

    def _changed(self, program: Program) -> "Condition":
        """Return the condition of a program: this one if it is the same."""
        return self if program == self.program else made(program)

    def to_json(self) -> list[str]:
        """Return it as data for JSON: a list of operands and operators, which follow theirs."""
        return list(self.program)

    @classmethod
    def from_json(cls, data: object) -> "Condition":
        """Return the condition that `to_json` made this of; it is checked as by the constructor."""
        return made(_checked(data))

    def __and__(self, other: object) -> "Condition":
        """Return the condition that both hold."""
        if not isinstance(other, Condition):
            return NotImplemented
        return made((*self.program, *other.program, AND))

    def __or__(self, other: object) -> "Condition":
        """Return the condition that one of them holds."""
        if not isinstance(other, Condition):
            return NotImplemented
        return made((*self.program, *other.program, OR))

    def __invert__(self) -> "Condition":
        """Return the condition that this one does not hold."""
        return made((*self.program, NOT))

    def __str__(self) -> str:
        """Return the canonical text, with the fewest parentheses; it parses to an equal value."""
        return infix(self.program)

    def __repr__(self) -> str:
        """Show the canonical text."""
        return f"<{type(self).__name__} {str(self)!r}>"

    def __reduce__(self) -> "tuple[Callable[[Program], Condition], tuple[Program]]":
        """Pickle and copy the program without what was worked out from it."""
        return made, (self.program,)


def asked(
    operands: Iterable[tuple[str, Name]], lookup: Lookup, has_constants: bool = False
) -> dict[str, Value]:
    """Ask for each operand once, and return the answers, and the constants, by spelling."""
    answers: dict[str, Value] = {}
    try:
        ask: Callable[[Name], Value] = lookup if callable(lookup) else lookup.get
    except AttributeError:
        raise TypeError(f"a lookup is a mapping or a function, not {lookup!r}") from None
    for spelling, operand in operands:
        answers[spelling] = answer = ask(operand)
        if answer is not True and answer is not False and answer is not None:
            raise TypeError(
                f"the lookup returned {answer!r} for {spelling!r}; "
                "it must return True, False or None"
            )
    return {**answers, **CONSTANTS} if has_constants else answers


def items[T](mapping: Mapping[str, T] | Mapping[Name, T]) -> Iterator[tuple[str, T]]:
    """Yield the items of a mapping by the spelling of operands, without those of constants."""
    if not isinstance(mapping, Mapping):
        raise TypeError(f"expected a mapping from operands, got {mapping!r}")
    for operand, value in mapping.items():
        if not isinstance(operand, str):
            raise TypeError(f"an operand is a text, not {operand!r}")
        if operand not in CONSTANTS:
            yield str(operand), value


def program_of(condition: Condition) -> Program:
    """Return the program of a condition, and refuse anything else."""
    if not isinstance(condition, Condition):
        raise TypeError(f"expected a Condition, got {condition!r}")
    return condition.program


def made(program: Program) -> Condition:
    """Return the condition of a program that is known to be one."""
    condition = object.__new__(Condition)
    condition.__dict__["program"] = program
    return condition


TRUE, FALSE = made((SPELLING_OF[True],)), made((SPELLING_OF[False],))


def all_of(names: Iterable[str]) -> Condition:
    """Return the condition that all of the names hold: `A && B && C`; `TRUE` without names.

    Raises:
        InvalidNameError: something is not a plain name.
        TypeError: `names` is a single string.
    """
    return joined(names, AND)


def any_of(names: Iterable[str]) -> Condition:
    """Return the condition that one of the names holds: `A || B`; `FALSE` without names."""
    return joined(names, OR)


def joined(names: Iterable[str], operator: str, predicate: str | None = None) -> Condition:
    """Return all the names with the predicate, joined by an operator: `A.late || B.late`."""
    if isinstance(names, str):
        raise TypeError(f"names must be a collection of names, not the single string {names!r}")
    if predicate is not None and not PREDICATE.fullmatch(predicate):
        raise InvalidNameError(predicate, "predicate")
    ending = "" if predicate is None else f"{DOT}{predicate}"
    program: list[str] = []
    for name in names:
        if not NAME.fullmatch(name):
            raise InvalidNameError(name)
        program.append(name + ending)
        if len(program) > 1:
            program.append(operator)
    return made(tuple(program)) if program else (TRUE if operator == AND else FALSE)


def _checked(data: object) -> Program:
    """Return data as a postfix program, or raise ConditionDataError."""
    if not isinstance(data, list | tuple):
        raise ConditionDataError(f"it must be a list, not {type(data).__name__}")
    parts = 0
    for position, token in enumerate(data):
        if not isinstance(token, str):
            raise ConditionDataError(f"it must be text, not {type(token).__name__}", position)
        if token not in OPERATORS:
            if not SPELLING.fullmatch(token):
                raise ConditionDataError(f"{quoted(token)} is not an operand or operator", position)
            parts += 1
        elif token == NOT:
            if not parts:
                raise ConditionDataError(f"nothing is before {NOT!r}", position)
        else:
            if parts < 2:  # noqa: PLR2004 - the two sides
                message = f"{token!r} joins two parts before it, and there are not two"
                raise ConditionDataError(message, position)
            parts -= 1
    if not parts:
        raise ConditionDataError("the list is empty")
    if parts > 1:
        raise ConditionDataError(f"{parts} parts are left that no operator joins")
    return tuple(data)


# Kleene's truth tables.

_NOT: dict[Value, Value] = {True: False, None: None, False: True}
_AND: dict[tuple[Value, Value], Value] = {
    (one, other): False if False in (one, other) else None if None in (one, other) else True
    for one in _NOT
    for other in _NOT
}
_OR = {(_NOT[one], _NOT[other]): _NOT[value] for (one, other), value in _AND.items()}


def values(program: Iterable[str], answers: Mapping[str, Value]) -> list[Value]:
    """Return the value of every position of a program; the last one is the condition's."""
    found: list[Value] = []
    stack: list[Value] = []
    for token in program:
        if token == NOT:
            value = _NOT[stack.pop()]
        elif token == AND:
            value = _AND[stack.pop(), stack.pop()]
        elif token == OR:
            value = _OR[stack.pop(), stack.pop()]
        else:
            value = answers[token]
        stack.append(value)
        found.append(value)
    return found


# Jump programs.

type Jump = tuple[str, int, int]
"""The spelling of an operand, and the jump that comes next if it is true, and if it is false.

`&&`, `||` and `!` have no jumps of their own: they are in these targets.
"""

_FALSE, _TRUE = 0, 1  # the targets that are values; jumps have the numbers from 2 on
_ENDS: tuple[Jump, Jump] = (("", _FALSE, _FALSE), ("", _TRUE, _TRUE))
_NEXT = -1  # in place of a target: the jump of the operand to the right, once that is numbered


def jump_program(program: Sequence[str]) -> list[Jump]:
    """Return the jump program of a postfix program: one jump for each operand, the first one last.

    Read backwards, a program has the right side of an operator before the left one. When a left
    side begins, the last jump made so far is the first of the right side. All targets of a jump are
    smaller numbers than its own, so the jumps come to an end.
    """
    jumps: list[Jump] = [*_ENDS]
    if_trues, if_falses = [_TRUE], [_FALSE]  # of the parts that are still to come
    for token in reversed(program):
        if_true, if_false = if_trues.pop(), if_falses.pop()
        if if_true == _NEXT:
            if_true = len(jumps) - 1
        elif if_false == _NEXT:
            if_false = len(jumps) - 1
        if token == NOT:
            if_trues.append(if_false)
            if_falses.append(if_true)
        elif token == AND:
            if_trues += _NEXT, if_true
            if_falses += if_false, if_false
        elif token == OR:
            if_trues += if_true, if_true
            if_falses += _NEXT, if_false
        else:
            jumps.append((token, if_true, if_false))
    return jumps


def decide(jumps: Sequence[Jump], answers: Mapping[str, Value]) -> Value:
    """Return the value of a jump program, or None at the first operand that is not known yet."""
    number = len(jumps) - 1
    while number > _TRUE:
        operand, if_true, if_false = jumps[number]
        answer = answers[operand]
        if answer is None:
            return None
        number = if_true if answer else if_false
    return number == _TRUE


# The canonical text, with the fewest parentheses.

_LEAST = BINDING[OR]  # the binding of any part

# What stands to the left of an operator needs parentheses if it binds less than the operator. To
# the right, since `&&` and `||` associate to the left, it needs them already if it binds as much.
_RIGHT_BINDING = {NOT: BINDING[NOT], AND: BINDING[AND] + 1, OR: BINDING[OR] + 1}

_SIGN = {NOT: NOT, AND: f" {AND} ", OR: f" {OR} "}


def infix(program: Sequence[str]) -> str:
    """Return the canonical text of a program, with the fewest parentheses and spaces."""
    # It is written from right to left: a program, read backwards, has the operators first.
    tokens = reversed(program)
    pieces: list[str] = []
    # What is still to be written, the rightmost last: signs, and for each part its least binding.
    todo: list[str | int] = [_LEAST]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            pieces.append(item)
            continue
        token = next(tokens)
        if token not in OPERATORS:
            pieces.append(token)
            continue
        if BINDING[token] < item:
            pieces.append(CLOSE)
            todo.append(OPEN)
        if token != NOT:
            todo.append(BINDING[token])
        todo += _SIGN[token], _RIGHT_BINDING[token]
    pieces.reverse()
    return "".join(pieces)
