"""The algebra of flow-conditions beside what else Python has to prove and simplify conditions.

All are pure Python. Ours and dd begin with text, which is all that dd takes; the others begin with
what they have parsed.
"""

import importlib
import itertools
import random
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import median
from time import perf_counter
from typing import Any

from flow_conditions import Condition, equivalent, parse
from measuring.figures import Figure, fastest, interleave, ratios, timed
from measuring.workplace import Workplace

CONDITIONS, NAMES, OPERANDS = 200, 12, 20
MOST_NAMES = 60

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
    return (tree(dice, OPERANDS, NAMES) for _ in range(CONDITIONS))


def tree(dice: random.Random, operands: int, names: int) -> str:
    """Spell a random condition."""
    if operands == 1:
        return ("!" if dice.random() < 0.3 else "") + f"n{dice.randrange(names)}"
    left = dice.randint(1, operands - 1)
    negation = "!" if dice.random() < 0.15 else ""
    operator = dice.choice((" && ", " || "))
    sides = tree(dice, left, names), tree(dice, operands - left, names)
    return f"{negation}({operator.join(sides)})"


def others_spelling(text: str) -> str:
    """Spell a condition as boolean and SymPy do."""
    return text.replace("&&", "&").replace("||", "|").replace("!", "~")


def in_dd() -> Any:
    """Return a new manager of dd in pure Python, which keeps the order of the operands."""
    manager = importlib.import_module("dd.autoref").BDD()
    manager.configure(reordering=False)
    manager.declare(*(f"n{number}" for number in range(MOST_NAMES)))
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
        "ours": lambda: [parse(text).is_satisfiable() for text in texts],
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
    left = sum(map(operands, ours))
    kept = sum(len(each.get_literals()) for each in theirs)
    return f"operands left of {CONDITIONS * OPERANDS}: ours {left}, boolean {kept}"


def operands(condition: Condition) -> int:
    """Count the occurrences of operands."""
    return sum(token not in {"!", "&&", "||", "true()", "false()"} for token in condition.program)


def search(place: Workplace) -> list[Figure]:
    """Compare on conditions of many names, one by one; the others have a second for each."""
    in_dd(), in_sympy(["n0"])  # imported before anything is timed
    figures = []
    for family, texts in families(place.rounds(20)).items():
        for verb, ask in (("can it be true", can_be_true), ("is it the next", is_the_next)):
            taken = list(itertools.starmap(ask, zip(texts, [texts[-1], *texts], strict=False)))
            mine, others = (sum(each) for each in zip(*taken, strict=True))
            slower = sum(mine > others for mine, others in taken)
            late = sum(others >= PATIENCE_SEC for _, others in taken)
            longest = max(mine for mine, _ in taken)
            figures.append(
                Figure(
                    f"{verb}, {family} / the faster of SymPy and dd",
                    [mine / others],
                    1.0,
                    note=f"of {len(taken)} they leave {late} after a second; ours answers all, in"
                    f" {longest * 1e3:.0f} ms at most, and is slower for {slower}",
                )
            )
    return figures


PATIENCE_SEC = 1.0


def families(count: int) -> Mapping[str, Sequence[str]]:
    """Spell random trees and random 3-SAT, the same each time."""
    found: dict[str, Sequence[str]] = {}
    for operands, names in ((20, 12), (80, 32), (200, 60)):
        dice = random.Random(operands)  # noqa: S311
        found[f"{operands} operands over {names} names"] = [
            tree(dice, operands, names) for _ in range(count)
        ]
    for ratio, names in itertools.product((3.0, 4.26), (30, 50)):
        dice = random.Random(names)  # noqa: S311
        found[f"3-SAT, {names} names, ratio {ratio}"] = [
            clauses(dice, round(ratio * names), names) for _ in range(count)
        ]
    return found


def clauses(dice: random.Random, count: int, names: int) -> str:
    """Spell random clauses of three names."""
    literals = ([f"n{name}" for name in dice.sample(range(names), 3)] for _ in range(count))
    signed = ([dice.choice(("", "!")) + each for each in clause] for clause in literals)
    return " && ".join(f"({' || '.join(clause)})" for clause in signed)


def can_be_true(text: str, _: str) -> tuple[float, float]:
    """Ask of a condition whether it can be true: how long we take, and the faster other."""
    satisfiable = importlib.import_module("sympy.logic.inference").satisfiable
    (parsed,) = in_sympy([text])

    def by_dd() -> bool:
        manager = in_dd()
        return bool(manager.add_expr(text) != manager.false)

    return compared(
        lambda: parse(text).is_satisfiable(), lambda: satisfiable(parsed) is not False, by_dd
    )


def is_the_next(text: str, following: str) -> tuple[float, float]:
    """Ask of two conditions whether they are the same."""
    satisfiable = importlib.import_module("sympy.logic.inference").satisfiable
    xor = importlib.import_module("sympy").Xor
    one, other = in_sympy([text, following])

    def by_dd() -> bool:
        manager = in_dd()
        return bool(manager.add_expr(text) == manager.add_expr(following))

    return compared(
        lambda: equivalent(parse(text), parse(following)),
        lambda: satisfiable(xor(one, other)) is False,
        by_dd,
    )


def compared(ours: Callable[[], bool], *others: Callable[[], bool]) -> tuple[float, float]:
    """Return how long ours takes, and the fastest other, which has a second.

    Raises:
        RuntimeError: They answer differently.
    """
    fastest_sec = PATIENCE_SEC
    begin = perf_counter()
    answer = ours()
    mine = perf_counter() - begin
    for act in others:
        begin = perf_counter()
        theirs = within_patience(act)
        if theirs not in (None, answer):
            raise RuntimeError("they do not agree")
        if theirs is not None:
            fastest_sec = min(fastest_sec, perf_counter() - begin)
    return mine, fastest_sec


def within_patience(act: Callable[[], bool]) -> bool | None:
    """Return an answer, or None if it takes too long."""

    def give_up(*_: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE_SEC)
    try:
        try:
            return act()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    except TimeoutError:
        return None
    finally:
        signal.signal(signal.SIGVTALRM, before)
