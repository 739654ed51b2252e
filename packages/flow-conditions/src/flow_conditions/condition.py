"""`Condition`, the value that everything else in this package makes, reads or shows.

A condition is stored as a *postfix program*: a flat tuple of tokens in which each operator follows
its operands. `(A && B) || !C` is `A B && C ! ||`. Conditions nest as deep as their author likes,
and a loop over a flat tuple cannot exhaust the stack.

An `Explanation` shows why a condition has the value it has: who decided, and every part with its
own value.

Values are those of Kleene's strong three-valued logic, where None stands for "not known yet".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from flow_conditions.errors import InvalidNameError
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

type Program = tuple[str, ...]
type Value = bool | None
type Known = Mapping[str, Value] | Mapping[Name, Value]
type Lookup = Callable[[Name], Value] | Known

BUDGET = 150_000  # steps of a proof, of one to three microseconds: under half a second


class Name(str):
    """An operand: a name, and the predicate asked of it (None if it stands alone).

    It is a text, as a condition spells it, so that a mapping may have texts or `Name`s as keys.
    With a `quantifier`, as in `any(load.late)`, the name stands for many things. If no condition
    can spell one of the three, there is an `InvalidNameError`.
    """

    __slots__ = ("name", "predicate", "quantifier")
    name: str
    predicate: str | None
    quantifier: str | None

    def __new__(
        cls, name: str, predicate: str | None = None, quantifier: str | None = None
    ) -> "Name":
        """Spell it, and set the three fields."""
        spelling = check_word(name)
        if predicate is not None:
            spelling += DOT + check_word(predicate, "predicate")
        if quantifier is not None:
            spelling = f"{check_word(quantifier, 'quantifier')}{OPEN}{spelling}{CLOSE}"
        return cls.spelled(spelling)

    @classmethod
    def spelled(cls, spelling: str) -> "Name":
        """Return the operand of a spelling, or raise InvalidNameError if it is none."""
        found = SPELLING.fullmatch(spelling)
        if found is None:
            raise InvalidNameError(spelling)
        self = str.__new__(cls, spelling)
        quantifier, name, predicate = found.groups()
        _set_name(self, name)
        _set_predicate(self, predicate)
        _set_quantifier(self, quantifier)
        return self

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
    `TypeError` if one is not True, False or None. The constructor checks nothing.
    """

    program: Program

    def __bool__(self) -> bool:
        """Raise TypeError: `a and b` would be `b`."""
        raise TypeError(
            "a condition has no truth value by itself: join conditions with &, | and ~, "
            "compare with None by `is`, or ask evaluate()"
        )

    @cached_property
    def _spelled(self) -> tuple[tuple[str, Name], ...]:
        """The distinct operands after their spelling; a plain str is found faster than a Name."""
        spellings = dict.fromkeys(self.program)
        return tuple((each, Name.spelled(each)) for each in spellings if each not in NO_OPERANDS)

    @property
    def operands(self) -> tuple[Name, ...]:
        """The distinct operands (`load` and `load.failed` are two), in order of appearance."""
        return tuple([operand for _, operand in self._spelled])

    @property
    def names(self) -> tuple[str, ...]:
        """The distinct names (`load.failed` counts as `load`), in order of appearance."""
        return tuple(dict.fromkeys(operand.name for operand in self.operands))

    def evaluate(self, lookup: Lookup) -> Value:
        """Return whether the condition holds; None while that is not known.

        `lookup` is a mapping or a function of an operand. It is asked once for each of `operands`,
        in their order, and says True, False, or None for "not known yet". What a mapping lacks is
        not known. An unknown operand leaves the result unknown unless the known ones settle it.
        """
        return values(self.program, asked(self._spelled, lookup))[-1]

    def explain(self, lookup: Lookup) -> "Explanation":
        """Evaluate, and return the result with that of every part; `lookup` as in `evaluate`."""
        worth = tuple(values(self.program, asked(self._spelled, lookup)))
        starts = tuple(starts_of(self.program))
        return Explanation(self.program, worth, starts, len(self.program) - 1)

    def blame(self, lookup: Lookup) -> tuple[Name, ...] | None:
        """Return operands whose values alone decide what it evaluates to, or None while none do.

        They come in order of appearance. If no operand occurs twice, no smaller set decides.
        """
        blamed = blame(self.program, asked(self._spelled, lookup))
        return None if blamed is None else tuple(map(Name.spelled, blamed))

    def restrict(self, known: Known) -> "Condition":
        """Return what is left when some operands are known: a condition without them.

        `known` may name other operands too, and map an operand that is not known to None. The
        result is `TRUE` or `FALSE` where that settles the matter, and the condition itself if
        nothing known occurs in it.
        """
        values = values_of(known)
        occurs = not values.keys().isdisjoint(self.program)
        return made(residue(self.program, values)) if occurs else self

    def substitute(
        self, instead: "Mapping[str, Condition] | Mapping[Name, Condition]"
    ) -> "Condition":
        """Return the condition with conditions in place of some operands."""
        programs = {operand: program_of(condition) for operand, condition in items(instead)}
        parts = (programs.get(token, (token,)) for token in self.program)
        return made(tuple(token for part in parts for token in part))

    def rename(self, names: Mapping[str, str]) -> "Condition":
        """Return the condition with other names; operands keep their predicates and quantifiers.

        A new name that is not plain raises `InvalidNameError`.
        """
        instead = {name: check_word(new) for name, new in items(names)}
        renamed = {
            spelling: str(Name(instead.get(one.name, one.name), one.predicate, one.quantifier))
            for spelling, one in self._spelled
        }
        return made(tuple(renamed.get(token, token) for token in self.program))

    def model(self, given: Known | None = None, *, budget: int = BUDGET) -> dict[Name, bool] | None:
        """Return values of all operands that make it true and fit what is given, or None."""
        from flow_conditions.boolean_functions import model

        known = values_of({} if given is None else given)
        found = model(self.restrict(known), budget)
        if found is None:
            return None
        values = known | found
        return {operand: values.get(operand, False) for operand in self.operands}

    def is_satisfiable(self, *, budget: int = BUDGET) -> bool:
        """Tell whether some values of its operands make it true."""
        return self.model(budget=budget) is not None

    def is_tautology(self, *, budget: int = BUDGET) -> bool:
        """Tell whether it is true whatever its operands are worth."""
        return (~self).model(budget=budget) is None

    def __and__(self, other: object) -> "Condition":
        """Return the condition that both hold."""
        return joined((self, other), AND) if isinstance(other, Condition) else NotImplemented

    def __or__(self, other: object) -> "Condition":
        """Return the condition that one of them holds."""
        return joined((self, other), OR) if isinstance(other, Condition) else NotImplemented

    def __invert__(self) -> "Condition":
        """Return the condition that this one does not hold."""
        return made((*self.program, NOT))

    def __str__(self) -> str:
        """Return the canonical text, with the fewest parentheses; it parses to an equal value."""
        return infix(self.program)

    def __repr__(self) -> str:
        """Show the canonical text."""
        return f"<{type(self).__name__} {str(self)!r}>"


def check_word(word: str, role: str = "name") -> str:
    """Return a word for a condition, or raise InvalidNameError if none can spell it."""
    if not (NAME if role == "name" else PREDICATE).fullmatch(word):
        raise InvalidNameError(word, role)
    return word


def asked(operands: Iterable[tuple[str, Name]], lookup: Lookup) -> dict[str, Value]:
    """Ask for each operand once, and return the answers, and the constants, by spelling."""
    ask = partial(_found, lookup) if isinstance(lookup, Mapping) else lookup
    if not callable(ask):
        raise TypeError(f"a lookup is a mapping or a function, not {lookup!r}")
    answers: dict[str, Value] = dict(CONSTANTS)
    for spelling, operand in operands:
        answers[spelling] = answer = ask(operand)
        if answer is not True and answer is not False and answer is not None:
            raise TypeError(
                f"the lookup returned {answer!r} for {spelling!r}; "
                "it must return True, False or None"
            )
    return answers


def _found(mapping: Known, operand: Name) -> Value:
    try:
        return mapping[operand]  # not `get`: a `defaultdict` has a value for each operand
    except KeyError:
        return None


def items[T](mapping: Mapping[str, T] | Mapping[Name, T]) -> Iterator[tuple[str, T]]:
    """Yield the items of a mapping by the spelling of operands, without those of constants."""
    if not isinstance(mapping, Mapping):
        raise TypeError(f"expected a mapping from operands, got {mapping!r}")
    for operand, value in mapping.items():
        if not isinstance(operand, str):
            raise TypeError(f"an operand is a text, not {operand!r}")
        if operand not in CONSTANTS:
            yield str(operand), value


def values_of(known: Known) -> dict[str, bool]:
    """Return what is known by the spelling of operands."""
    for operand, value in items(known):
        if value is not True and value is not False and value is not None:
            raise TypeError(f"{operand!r} is {value!r}; it must be True, False or None")
    return {operand: value for operand, value in items(known) if value is not None}


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


def all_of(parts: "Iterable[str | Condition]") -> Condition:
    """Return the condition that all parts hold: `A && B && C`; `TRUE` without any.

    A part is a plain name, a `Name`, or a condition.

    Raises:
        InvalidNameError: something is none of these.
        TypeError: `parts` is a single string.
    """
    return joined(parts, AND)


def any_of(parts: "Iterable[str | Condition]") -> Condition:
    """Return the condition that one of them holds: `A || B`; `FALSE` without any."""
    return joined(parts, OR)


def joined(
    parts: "Iterable[str | Condition]", operator: str, predicate: str | None = None
) -> Condition:
    """Join conditions, and names with the predicate, by an operator: `A.late || B.late`."""
    if isinstance(parts, str):
        raise TypeError(f"expected a collection of names, not the single string {parts!r}")
    ending = "" if predicate is None else DOT + check_word(predicate, "predicate")
    program: list[str] = []
    for part in parts:
        is_first = not program
        if isinstance(part, Condition):
            program += part.program
        else:
            is_operand = isinstance(part, Name) and not ending
            program.append(str(part) if is_operand else check_word(part) + ending)
        if not is_first:
            program.append(operator)
    return made(tuple(program)) if program else (TRUE if operator == AND else FALSE)


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
        elif token in OPERATORS:
            value = (_AND if token == AND else _OR)[stack.pop(), stack.pop()]
        else:
            value = answers[token]
        stack.append(value)
        found.append(value)
    return found


def starts_of(program: Iterable[str]) -> list[int]:
    """Return the position at which the part that ends at each position begins."""
    starts: list[int] = []
    stack: list[int] = []
    for position, token in enumerate(program):
        if token not in OPERATORS:
            stack.append(position)
        elif token != NOT:
            stack.pop()  # the right side; the part begins where its left side does
        starts.append(stack[-1])
    return starts


def sides_of(program: Program, starts: Sequence[int], position: int) -> tuple[int, ...]:
    """Return the positions at which the sides end of the part that ends at a position."""
    if program[position] not in OPERATORS:
        return ()
    last = position - 1
    return (last,) if program[position] == NOT else (starts[last] - 1, last)


def residue(program: Program, known: Mapping[str, bool]) -> Program:
    """Return what is left of a program without constants and what is known."""
    worth = values(program, {**dict.fromkeys(program), **CONSTANTS, **known})
    if worth[-1] is not None:
        return (SPELLING_OF[worth[-1]],)
    starts, left = starts_of(program), []
    todo = [len(program) - 1]
    while todo:
        position = todo.pop()
        sides = sides_of(program, starts, position)
        undecided = [side for side in sides if worth[side] is None]
        if len(undecided) == len(sides):
            left.append(program[position])
        todo += undecided
    return tuple(reversed(left))


# The canonical text. What stands to the left of an operator needs parentheses if it binds less than
# the operator. To the right, since `&&` and `||` associate to the left, it needs them already if it
# binds as much.
_RIGHT_BINDING = {NOT: BINDING[NOT], AND: BINDING[AND] + 1, OR: BINDING[OR] + 1}
_SIGN = {NOT: NOT, AND: f" {AND} ", OR: f" {OR} "}


def infix(program: Sequence[str]) -> str:
    """Return the canonical text of a program, with the fewest parentheses and spaces."""
    # It is written from right to left: a program, read backwards, has the operators first.
    tokens = reversed(program)
    pieces: list[str] = []
    # What is still to be written, the rightmost last: signs, and for each part its least binding.
    todo: list[str | int] = [BINDING[OR]]
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
    return "".join(reversed(pieces))


_WORDS: dict[Value, str] = {True: "true", False: "false", None: "undecided"}
_SETTLING = {AND: False, OR: True}  # the value of one side that settles the matter alone


@dataclass(frozen=True, slots=True, repr=False)
class Explanation:
    """The value of a condition, or of a part of one, and the parts that the value follows from."""

    _program: Program
    _values: tuple[Value, ...]
    _starts: tuple[int, ...]
    _position: int

    @property
    def value(self) -> Value:
        """True, False, or None while undecided."""
        return self._values[self._position]

    @property
    def text(self) -> str:
        """The part in canonical spelling."""
        return infix(self._program[self._starts[self._position] : self._position + 1])

    @property
    def operator(self) -> str | None:
        """`!`, `&&` or `||`, which made the value of the children's; None for an operand."""
        token = self._program[self._position]
        return token if token in OPERATORS else None

    @property
    def operands(self) -> dict[Name, Value]:
        """The distinct operands of this part with their values, in order of first appearance."""
        return {
            Name.spelled(self._program[position]): self._values[position]
            for position in range(self._starts[self._position], self._position + 1)
            if self._program[position] not in NO_OPERANDS
        }

    @property
    def children(self) -> tuple["Explanation", ...]:
        """The parts from left to right, all that one operator joins: `A && B && C` has three."""
        row = [*sides_of(self._program, self._starts, self._position)]
        parts = row[1:]
        while len(row) > 1 and self._program[row[0]] == self.operator:
            row = [*sides_of(self._program, self._starts, row[0])]
            parts.append(row[1])
        return tuple(replace(self, _position=part) for part in (*row[:1], *reversed(parts)))

    def lines(self, *, depth: int = 8, width: int = 100) -> Iterator[str]:
        """Yield a line for this part and one for each part below it, indented by two spaces.

        Parts nested more than `depth` levels down get no lines of their own, and a part's text is
        cut to `width` characters (`...` marks the cut).
        """
        todo = [(self, 0)]
        while todo:
            part, level = todo.pop()
            text = part.text
            if len(text) > width:
                text = (text[: max(0, width - 3)] + "...")[:width]
            yield f"{'  ' * level}{_WORDS[part.value]}: {text}"
            if level < depth:
                todo += [(child, level + 1) for child in reversed(part.children)]

    def __str__(self) -> str:
        """Return the `lines` as one text."""
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        """Show the value and the text."""
        return f"<{type(self).__name__} {_WORDS[self.value]}: {self.text}>"


def blame(program: Program, answers: Mapping[str, Value]) -> list[str] | None:
    """Return operands that alone decide the value of a program, or None if it has none yet.

    Where one side of an operator settles the matter alone, the cheaper one is followed.
    """
    worth, starts = values(program, answers), starts_of(program)
    if worth[-1] is None:
        return None
    price: list[int] = []  # by position: how many operands decide the part that ends there
    followed: list[Sequence[int]] = []  # and in which sides of it they are
    for position, token in enumerate(program):
        sides: Sequence[int] = sides_of(program, starts, position)
        if token in _SETTLING and worth[position] is _SETTLING[token]:
            settling = (side for side in sides if worth[side] is worth[position])
            sides = [min(settling, key=price.__getitem__)]
        price.append(sum(price[side] for side in sides) + (token not in NO_OPERANDS))
        followed.append(sides)
    blamed: set[str] = set()
    todo = [len(program) - 1]
    while todo:
        position = todo.pop()
        blamed.add(program[position])
        todo += followed[position]
    blamed -= NO_OPERANDS
    return [token for token in dict.fromkeys(program) if token in blamed]
