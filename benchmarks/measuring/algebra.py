"""The algebra of flow-conditions beside what else Python has to prove and simplify conditions.

All are pure Python. Ours and dd begin with text, which is all that dd takes; the others begin with
what they have parsed.
"""

import importlib
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from flow_conditions import Condition, equivalent, parse
from measuring.figures import Figure, fastest, interleave, ratios, timed
from measuring.workplace import Workplace

CONDITIONS, NAMES, OPERANDS = 200, 12, 20

type Act = Callable[[], object]


def comparison(place: Workplace) -> list[Figure]:
    """Compare with the fastest of the others that can do it, on the same random conditions."""
    texts = list(random_texts())
    figures = []
    for verb, actions, note in (
        ("can it be true", satisfiability(texts), "a new manager of dd for each"),
        ("are two the same", equivalence(texts), "each and the next one"),
        ("simplify", simplification(texts), lengths(texts)),
    ):
        taken = interleave(place.rounds(7), {name: timed(act) for name, act in actions.items()})
        times = ", ".join(
            f"{name} {median(each) / CONDITIONS * 1e6:.0f}" for name, each in taken.items()
        )
        mine = taken.pop("ours")
        figures.append(
            Figure(
                f"{verb}, {CONDITIONS} conditions of {OPERANDS} operands / the fastest other",
                ratios(mine, taken[fastest(taken)]),
                1.0,
                note=f"microseconds for one: {times}. {note}",
            )
        )
    return figures


def random_texts() -> Iterator[str]:
    """Spell random conditions, the same ones each time."""
    dice = random.Random(1)  # noqa: S311
    names = [f"n{number}" for number in range(NAMES)]

    def text(operands: int) -> str:
        if operands == 1:
            return ("!" if dice.random() < 0.3 else "") + dice.choice(names)
        left = dice.randint(1, operands - 1)
        negation = "!" if dice.random() < 0.15 else ""
        operator = dice.choice((" && ", " || "))
        return f"{negation}({text(left)}{operator}{text(operands - left)})"

    return (text(OPERANDS) for _ in range(CONDITIONS))


def others_spelling(text: str) -> str:
    """Spell a condition as boolean and SymPy do."""
    return text.replace("&&", "&").replace("||", "|").replace("!", "~")


def in_dd() -> Any:
    """Return a new manager of dd in pure Python, which keeps the order of the operands."""
    manager = importlib.import_module("dd.autoref").BDD()
    manager.configure(reordering=False)
    manager.declare(*(f"n{number}" for number in range(NAMES)))
    return manager


def in_sympy(texts: Sequence[str]) -> list[Any]:
    """Return the conditions as SymPy has them."""
    sympify = importlib.import_module("sympy").sympify
    return [sympify(others_spelling(text)) for text in texts]


def satisfiability(texts: Sequence[str]) -> Mapping[str, Act]:
    """Ask of each condition whether it can be true."""
    satisfiable = importlib.import_module("sympy.logic.inference").satisfiable
    parsed = in_sympy(texts)

    def by_dd(text: str) -> bool:
        manager = in_dd()
        return bool(manager.add_expr(text) != manager.false)

    actions: dict[str, Callable[[], list[bool]]] = {
        "ours": lambda: [not parse(text).is_never() for text in texts],
        "dd": lambda: [by_dd(text) for text in texts],
        "SymPy": lambda: [satisfiable(each) is not False for each in parsed],
    }
    agreed(actions)
    return actions


def equivalence(texts: Sequence[str]) -> Mapping[str, Act]:
    """Ask of each condition and the next one whether they are the same."""
    satisfiable = importlib.import_module("sympy.logic.inference").satisfiable
    xor = importlib.import_module("sympy").Xor
    parsed = list(itertools.pairwise(in_sympy(texts)))
    pairs = list(itertools.pairwise(texts))

    def by_dd(one: str, other: str) -> bool:
        manager = in_dd()
        return bool(manager.add_expr(one) == manager.add_expr(other))

    actions: dict[str, Callable[[], list[bool]]] = {
        "ours": lambda: [equivalent(parse(one), parse(other)) for one, other in pairs],
        "dd": lambda: [by_dd(one, other) for one, other in pairs],
        "SymPy": lambda: [satisfiable(xor(one, other)) is False for one, other in parsed],
    }
    agreed(actions)
    return actions


def agreed(actions: Mapping[str, Callable[[], list[bool]]]) -> None:
    """Refuse to compare what does not do the same.

    Raises:
        RuntimeError: They answer differently.
    """
    answers = {name: act() for name, act in actions.items()}
    if len(set(map(tuple, answers.values()))) != 1:
        raise RuntimeError(f"they do not agree: {answers}")


def simplification(texts: Sequence[str]) -> Mapping[str, Act]:
    """Simplify each condition; SymPy leaves more than eight names as they are."""
    parse_theirs = importlib.import_module("boolean").BooleanAlgebra().parse
    parsed = [parse_theirs(others_spelling(text)) for text in texts]
    return {
        "ours": lambda: [parse(text).simplify() for text in texts],
        "boolean": lambda: [each.simplify() for each in parsed],
    }


def lengths(texts: Sequence[str]) -> str:
    """Say how many operands are left."""
    algebra = importlib.import_module("boolean").BooleanAlgebra()
    ours = [parse(text).simplify() for text in texts]
    theirs = [algebra.parse(others_spelling(text)).simplify() for text in texts]
    left = sum(operands(each) for each in ours if isinstance(each, Condition))
    kept = sum(len(each.get_literals()) for each in theirs)
    return f"operands left of {CONDITIONS * OPERANDS}: ours {left}, boolean {kept}"


def operands(condition: Condition) -> int:
    """Count the occurrences of operands."""
    return sum(token not in {"!", "&&", "||"} for token in condition.to_json())
