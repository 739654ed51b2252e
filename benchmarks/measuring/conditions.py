"""flow-conditions: how its cost grows, and what it does at great depth."""

import itertools
import re
import timeit
from collections.abc import Callable, Mapping
from statistics import median
from time import process_time

from flow_conditions import Condition, parse
from measuring.figures import Figure, interleave, ratios, timed
from measuring.workplace import Workplace

DEPTH = 20_000


def microseconds(action: Callable[[], object], number: int = 1000) -> Callable[[], float]:
    """Time many repetitions of something short."""
    return lambda: timeit.timeit(action, timer=process_time, number=number) / number * 1e6


def linearity(place: Workplace) -> list[Figure]:
    """Compare the cost per name of a 1,000-name expression with that of a 100-name one."""

    def read_and_evaluate(count: int) -> Callable[[], float]:
        text = " && ".join(f"(step_{number} || !other-{number})" for number in range(count // 2))
        act = microseconds(lambda: parse(text).evaluate(lambda _: True), 20_000 // count)
        return lambda: act() / count

    taken = interleave(
        place.rounds(15), {"large": read_and_evaluate(1000), "small": read_and_evaluate(100)}
    )
    return [
        Figure(
            "parse and evaluate, per name: 1,000 names / 100 names",
            ratios(taken["large"], taken["small"]),
            1.2,
            note=f"{median(taken['large']):.2f} microseconds a name",
        )
    ]


def depth(place: Workplace) -> list[Figure]:
    """Time everything that can be done with conditions of 20,000 operators, and check it."""
    slowest: list[tuple[float, str]] = []
    for _ in range(place.rounds(6)):
        round_times = [
            (timed(action)(), f"{verb} of {shape}")
            for shape, text in shapes().items()
            for verb, action in actions_upon(text).items()
        ]
        slowest.append(max(round_times))
    return [
        Figure(
            f"{DEPTH} deep or in a row: the slowest of all shapes and verbs",
            [time_sec * 1e3 for time_sec, _ in slowest],
            400,
            unit=" ms",
            note=f"{min(slowest)[1]}; {len(shapes())} shapes, each parsed, asked for its names,"
            " evaluated, spelt, compared, hashed, proven and blamed",
        )
    ]


def shapes() -> Mapping[str, str]:
    """Spell conditions that are true, given that every name is, and as deep as can be."""
    row = [f"n{number}" for number in range(DEPTH)]
    inner = DEPTH - 1
    return {
        "parentheses": "(" * DEPTH + "A" + ")" * DEPTH,
        "negations": "!" * DEPTH + "A",
        "negations in parentheses": "!(" * DEPTH + "A" + ")" * DEPTH,
        "a row of &&": " && ".join(row),
        "a row of ||": " || ".join(row),
        "a row of both": " && ".join(f"{a} || {b}" for a, b in itertools.pairwise(row)),
        "one name in a row": " && ".join(["A"] * DEPTH),
        "nested to the left": "(" * inner + "A" + " && B)" * inner,
        "nested to the right": "A && (" * inner + "B" + ")" * inner,
        "nested to the right, both": "A && (B || (" * (DEPTH // 2) + "C" + "))" * (DEPTH // 2),
        "nested and negated": "!(A && !(B && " * (DEPTH // 2) + "C" + "))" * (DEPTH // 2),
    }


def actions_upon(text: str) -> Mapping[str, Callable[[], object]]:
    """Return what is timed; each is done with a condition that has not worked out anything yet.

    Raises:
        RuntimeError: One of them answers wrongly.
    """
    fresh, twin = parse(text), parse(text)
    right = (
        parse(str(fresh)) == fresh
        and hash(fresh) == hash(twin)
        and fresh.evaluate(lambda _: True) is True
        and set(fresh.names) == set(re.findall(r"\w+", text))
    )
    if not right:
        raise RuntimeError(f"wrong for {text[:40]}...")
    verbs = ("names", "evaluate", "str", "is_satisfiable", "is_tautology", "blame")
    conditions: dict[str, Condition] = {verb: parse(text) for verb in verbs}
    return {
        "parse": lambda: parse(text),
        "names": lambda: conditions["names"].names,
        "evaluate": lambda: conditions["evaluate"].evaluate(lambda _: True),
        "str": lambda: str(conditions["str"]),
        "is_satisfiable": conditions["is_satisfiable"].is_satisfiable,
        "is_tautology": conditions["is_tautology"].is_tautology,
        "blame": lambda: conditions["blame"].blame(lambda _: True),
        "==": lambda: fresh == twin,
        "hash": lambda: hash(fresh),
    }
