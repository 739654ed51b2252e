"""The shortest equivalent condition that is found, and `Functions`, over operands that depend.

`simplify` goes three ways, and each goes on with what the one before has left:

- *Propagation*: beside a literal in a junction, the rest of the junction knows what its operand is
  worth. One pass sees that (see `normal_form.propagated`).
- *Factors*: what junctions beside each other have in common is written once: `a && b || a && c` is
  `a && (b || c)`, and likewise with the operators exchanged.
- *Redundancy*: a part matters only where the parts beside it do not settle their junction. If it
  has one value there, which is proven, it is left out, the last parts first.

The last two are repeated until neither finds anything. What is returned would be returned again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

from flow_conditions.boolean_functions import TRUE, Budget, DecisionDiagrams, Manager, Solver
from flow_conditions.condition import (
    BUDGET,
    Condition,
    Exclusions,
    Name,
    Program,
    infix,
    made,
    program_of,
)
from flow_conditions.grammar import SPELLING_OF
from flow_conditions.normal_form import (
    ALWAYS,
    NEVER,
    Groups,
    NormalForm,
    Recursion,
    ShortestText,
    grouped,
    is_read_once,
    propagated,
    trampoline,
)


def simplify(program: Program, exclusions: Exclusions, budget: int) -> Program:
    """Return a shorter program, or the same one if none is found."""
    groups, allowance = grouped(exclusions), Budget(budget)
    form = propagated(NormalForm.of(program), groups)
    if not is_read_once(form, groups):
        form = _irreducible(_factored(form, allowance), groups, allowance)
    if form.root in (ALWAYS, NEVER):
        return (SPELLING_OF[form.root == ALWAYS],)
    shortest = ShortestText(form)
    return shortest.program() if shortest.length < len(infix(program)) else program


def _irreducible(form: NormalForm, groups: Groups, budget: Budget) -> NormalForm:
    """Return an equivalent form in which every part is needed."""
    while not is_read_once(form, groups):
        before = len(form.literals())
        budget.spend(before)
        solver = Solver.of(form, groups, budget)
        form, _ = _irredundant(form, solver.functions, solver.allowed, solver.manager)
        form = _factored(form, budget)
        if len(form.literals()) == before:
            break
    return form


def _factored(form: NormalForm, budget: Budget) -> NormalForm:
    """Return an equivalent form in which no two junctions beside each other share a part.

    Junctions are alike if they hold the same parts, in whichever order.
    """
    fresh = NormalForm(form.operands)
    first_alike: dict[tuple[bool, frozenset[int]], int] = {}

    def junction(conjunctive: bool, parts: Iterable[int]) -> int:
        """Join parts, each once; junctions that are alike are one junction."""
        part = fresh.join(conjunctive, parts)
        if part >= 0:
            return part
        conjunctive, members = fresh.conjunctive[~part], fresh.members[~part]
        distinct = frozenset(members)
        if len(distinct) < len(members):
            return junction(conjunctive, dict.fromkeys(members))
        return first_alike.setdefault((conjunctive, distinct), part)

    def joined(conjunctive: bool, parts: Sequence[int]) -> Recursion[int]:
        """Join parts, and take out what junctions among them share, what most share first."""
        nothing = ALWAYS if conjunctive else NEVER
        while True:
            whole = junction(conjunctive, parts)
            if whole >= 0 or fresh.conjunctive[~whole] != conjunctive:
                return whole
            parts = fresh.members[~whole]
            holders = holders_of_shared(parts)
            if not holders:
                return whole
            instead: dict[int, int] = {}
            for each in sorted(holders, key=len, reverse=True):
                sharing = [part for part in each if part not in instead]
                if len(sharing) > 1:
                    instead.update(dict.fromkeys(sharing, nothing))
                    instead[sharing[0]] = yield product(conjunctive, sharing)
            parts = [instead.get(part, part) for part in parts]

    def holders_of_shared(parts: Iterable[int]) -> list[list[int]]:
        """Return, for each part that several junctions among these share, those that hold it."""
        holders: dict[int, list[int]] = {}
        for part in parts:
            if part < 0:
                members = fresh.members[~part]
                budget.spend(len(members))
                for member in members:
                    holders.setdefault(member, []).append(part)
        return [each for each in holders.values() if len(each) > 1]

    def product(conjunctive: bool, sharing: Iterable[int]) -> Recursion[int]:
        """Join junctions that all share something, with their rests in place of the first's."""
        members = [fresh.members[~part] for part in sharing]
        common = set(members[0]).intersection(*members[1:])
        rests = [[part for part in each if part not in common] for each in members]
        rest = yield joined(conjunctive, [junction(not conjunctive, each) for each in rests])
        parts = dict.fromkeys(part if part in common else rest for part in members[0])
        return junction(not conjunctive, parts)

    part_of = {part: part for part in (ALWAYS, NEVER, form.root)}
    for number in form.junctions():
        parts = [part_of.get(part, part) for part in form.members[number]]
        part_of[~number] = trampoline(joined(form.conjunctive[number], parts))
    fresh.root = part_of[form.root]
    return fresh


def _irredundant(
    form: NormalForm,
    functions: Mapping[int, int],
    care: int,
    manager: Manager,
    keep: Callable[[int, bool], bool] = lambda _literal, _conjunctive: False,
) -> tuple[NormalForm, list[int]]:
    """Return what is left of a form where something matters, and the parts that are left out.

    `functions` has that of every part; operands may depend on each other. `care` is where the whole
    matters. `keep` tells of a literal, and of whether it stands in a conjunction, if it must stay.
    """
    both, true, false = manager.both, manager.TRUE, manager.FALSE
    fresh = NormalForm(form.operands)
    left_out: list[int] = []

    def reduced(number: int, care: int) -> Recursion[tuple[int, int]]:
        """Return what a junction can be where it matters, and the function of that."""
        conjunctive = form.conjunctive[number]
        sign = true if conjunctive else false
        before = [care]  # where the junction matters and no part before settles it
        for part in form.members[number][:-1]:
            before.append(both(before[-1], functions[part] ^ sign))
        parts: list[int] = []
        after = true  # where no part after it settles it
        for part in reversed(form.members[number]):
            matters = both(before.pop(), after)
            function = functions[part] ^ sign
            open_still = both(matters, function)
            if part < 0 or not keep(part, conjunctive):
                if open_still == false:
                    return (NEVER, false) if conjunctive else (ALWAYS, true)
                if open_still == matters:
                    left_out.append(part)
                    continue
            if part < 0:
                part, function = yield reduced(~part, matters)  # noqa: PLW2901
                function ^= sign
            parts.append(part)
            after = both(after, function)
        parts.reverse()
        return fresh.join(conjunctive, parts), after ^ sign

    if form.root >= 0:
        return form, []
    fresh.root, _ = trampoline(reduced(~form.root, care))
    return fresh, left_out


type FunctionOf = Callable[[Name], int]
"""Returns the function that an operand is."""

type Keep = Callable[[Name, bool, bool], bool]
"""Tells of an operand, whether it is negated and whether it is in a conjunction, if it stays."""


class Functions(DecisionDiagrams):
    """Functions of numbered variables: `TRUE`, `FALSE`, and what the methods make of them.

    Where operands depend on each other, a condition does not show which values it can have. Here
    each operand is a function of free variables, as is every condition over such operands.

    It is quickest where a function is made of others whose variables have smaller numbers. `f ^ 1`
    is the negation of a function `f`. All work is bounded.

    >>> functions = Functions()
    >>> first, second = functions.variable(0), functions.variable(1)
    >>> functions.either(first, first ^ 1) == functions.TRUE
    True
    >>> functions.example(functions.both(first ^ 1, second))
    frozenset({1})
    """

    def __init__(self, budget: int = BUDGET) -> None:
        """Begin with the constants, and with this many steps of work."""
        super().__init__(Budget(budget))

    def allow(self, steps: int) -> None:
        """Let what follows take this many steps of work, whatever has been taken before."""
        self.budget = Budget(steps)

    def of(self, condition: Condition, function_of: FunctionOf) -> int:
        """Return the function that a condition is."""
        form = NormalForm.of(program_of(condition))
        return self._functions(form, function_of)[form.root]

    def without_idle_parts(
        self, condition: Condition, function_of: FunctionOf, keep: Keep
    ) -> tuple[Condition, list[frozenset[Name]]]:
        """Return what is left of a condition without the parts that have no effect, and these.

        Each part is the operands in it; none may occur twice in the condition, which must have both
        values. An operand that `keep` says stays may still be in a larger part that is left out.
        """
        form = NormalForm.of(program_of(condition))
        names = [Name.spelled(spelling) for spelling in form.operands]
        rest, left_out = _irredundant(
            form,
            self._functions(form, function_of),
            TRUE,
            self,
            lambda literal, conjunctive: keep(names[literal >> 1], bool(literal & 1), conjunctive),
        )
        parts = [
            frozenset(names[literal >> 1] for literal in form.literals(part)) for part in left_out
        ]
        return (made(ShortestText(rest).program()) if parts else condition), parts

    def _functions(self, form: NormalForm, function_of: FunctionOf) -> dict[int, int]:
        """Return the function of every part of a normal form."""
        operands = {at: function_of(Name.spelled(one)) for at, one in enumerate(form.operands)}
        # From the lowest up, so that each comes on top of what is there.
        return self.parts(form, operands, lambda _, function: self.level(function))
