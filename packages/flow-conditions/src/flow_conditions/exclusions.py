"""What the caller says about operands: which are known, and which exclude each other.

Of a group of operands that exclude each other, one at most is true. What that means for a condition
is worked out elsewhere.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from flow_conditions.errors import ExclusionError
from flow_conditions.kleene import Value
from flow_conditions.name import Name
from flow_conditions.rows import Rows

type Known = Mapping[str, Value] | Mapping[Name, Value]
type Exclusions = Iterable[Collection[str | Name]]
type Groups = Sequence[Sequence[str]]


def grouped(exclusions: Exclusions) -> Groups:
    """Return the groups by the spelling of their operands, each of which is in a group once.

    Raises:
        TypeError: a group is a single string.
    """
    groups = []
    for group in exclusions:
        if isinstance(group, str):
            raise TypeError(f"exclusions are collections of operands, not the string {group!r}")
        groups.append(tuple(dict.fromkeys(map(str, group))))
    return groups


def settled(known: Known, groups: Groups) -> dict[str, bool]:
    """Return what is known, by spelling, and what follows from it: the others are false.

    Raises:
        ExclusionError: two that exclude each other are true.
        TypeError: a value is not True, False or None.
    """
    values: dict[str, bool] = {}
    for operand, value in known.items():
        if value is None:
            continue
        if value is not True and value is not False:
            raise TypeError(f"{str(operand)!r} is {value!r}; it must be True, False or None")
        values[str(operand)] = value
    implied: dict[str, bool] = {}
    for group in groups:
        true = [operand for operand in group if values.get(operand)]
        if len(true) > 1:
            raise ExclusionError(true[0], true[1])
        if true:
            implied |= dict.fromkeys(group, False)
    return implied | values


def among(rows: Rows, groups: Groups) -> list[list[int]]:
    """Return the groups that matter for some rows, by number: the operands of each that occur."""
    if not groups:
        return []
    occurring = rows.occurring()
    number_of = {operand: number for number, operand in enumerate(rows.operands)}
    numbers = (
        [number for each in group if (number := number_of.get(each)) in occurring]
        for group in groups
    )
    return [group for group in numbers if len(group) > 1]


def companions_of(groups: Sequence[Sequence[int]]) -> dict[int, list[int]]:
    """Return, for each operand of these groups, those that are false where it is true."""
    companions: dict[int, dict[int, None]] = {}
    for group in groups:
        for operand in group:
            companions.setdefault(operand, {}).update(dict.fromkeys(group))
    return {
        operand: [other for other in others if other != operand]
        for operand, others in companions.items()
    }
