"""flow-conditions beside what else Python has for boolean expressions; and at great depth."""

import importlib
import itertools
import re
import timeit
from collections.abc import Callable, Mapping
from statistics import median
from time import process_time
from typing import Any

from flow_conditions import Condition, Name, parse
from measuring.figures import Figure, fastest, interleave, ratios, timed
from measuring.workplace import Workplace

GIVEN = {"A": True, "B": False, "C": True}
DEPTH = 20_000
GRAMMAR = """
    ?start: either
    ?either: both | either "||" both -> either
    ?both: unary | both "&&" unary -> both
    ?unary: NAME -> name | "!" unary -> negation | "(" either ")"
    NAME: /[A-Za-z0-9_][A-Za-z0-9_-]*/
    %ignore " "
"""

type Parse = Callable[[], Any]
type Evaluate = Callable[[], bool]


def look_up(operand: Name) -> bool:
    """Say what an operand is worth."""
    return GIVEN[operand.name]


def ours() -> tuple[Parse, Evaluate]:
    """Parse `(A && B) || !C`."""
    condition = parse("(A && B) || !C")
    return lambda: parse("(A && B) || !C"), lambda: condition.evaluate(look_up) is True


def simpleeval() -> tuple[Parse, Evaluate]:
    """Parse `(A and B) or not C`."""
    evaluator = importlib.import_module("simpleeval").SimpleEval(names=GIVEN)
    parsed = evaluator.parse("(A and B) or not C")
    return (
        lambda: evaluator.parse("(A and B) or not C"),
        lambda: evaluator.eval("", previously_parsed=parsed),
    )


def common_expression_language() -> tuple[Parse, Evaluate]:
    """Parse `(A && B) || !C`."""
    cel = importlib.import_module("cel")
    program = cel.compile("(A && B) || !C")
    return lambda: cel.compile("(A && B) || !C"), lambda: program.execute(GIVEN)


def boolean_py() -> tuple[Parse, Evaluate]:
    """Parse `(A & B) | ~C`."""
    algebra = importlib.import_module("boolean").BooleanAlgebra()
    parsed = algebra.parse("(A & B) | ~C")
    return lambda: algebra.parse("(A & B) | ~C"), lambda: parsed(**GIVEN)


def py_expression_eval() -> tuple[Parse, Evaluate]:
    """Parse `(A and B) or not C`."""
    parser = importlib.import_module("py_expression_eval").Parser()
    parsed = parser.parse("(A and B) or not C")
    return lambda: parser.parse("(A and B) or not C"), lambda: parsed.evaluate(GIVEN)


def lark() -> tuple[Parse, Evaluate]:
    """Parse `(A && B) || !C` with the LALR parser, evaluate with a Transformer."""
    module = importlib.import_module("lark")
    parser = module.Lark(GRAMMAR, parser="lalr")
    methods = {
        "name": lambda _, words: GIVEN[words[0]],
        "negation": lambda _, parts: not parts[0],
        "both": lambda _, parts: parts[0] and parts[1],
        "either": lambda _, parts: parts[0] or parts[1],
    }
    transformer = type("Evaluation", (module.Transformer,), methods)()
    parsed = parser.parse("(A && B) || !C")
    return lambda: parser.parse("(A && B) || !C"), lambda: transformer.transform(parsed)


PARSERS = (ours, simpleeval, common_expression_language, boolean_py, py_expression_eval, lark)


def comparison(place: Workplace) -> list[Figure]:
    """Compare parsing and evaluating with the fastest of the others, each in its own spelling."""
    pairs = {build.__name__: build() for build in PARSERS}
    for name, (_, evaluate) in pairs.items():
        if evaluate() is not False:
            raise RuntimeError(f"{name} evaluates wrongly")
    spelt = "; ".join(
        f"{build.__name__}: {(build.__doc__ or '').strip('.')[6:]}" for build in PARSERS[1:]
    )
    figures = []
    for verb, index, most, note in (
        ("parse", 0, 0.6, spelt),
        ("evaluate", 1, 1.0, "parsed before; A, B and C are given as a dict"),
    ):
        actions = {name: pair[index] for name, pair in pairs.items()}
        taken = interleave(
            place.rounds(15), {name: microseconds(action) for name, action in actions.items()}
        )
        times = ", ".join(f"{name} {median(each):.2f}" for name, each in taken.items())
        mine = taken.pop("ours")
        best = fastest(taken)
        figures.append(
            Figure(
                f"{verb} `(A && B) || !C` / the fastest of five others",
                ratios(mine, taken[best]),
                most,
                note=f"microseconds: {times}. {note}",
            )
        )
    return figures


def microseconds(action: Callable[[], Any], number: int = 1000) -> Callable[[], float]:
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
            250,
            unit=" ms",
            note=f"{min(slowest)[1]}; {len(shapes())} shapes, each parsed, asked for its names,"
            " evaluated, spelt, compared, hashed, proven, simplified and blamed",
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
    verbs = ("names", "evaluate", "str", "is_satisfiable", "is_tautology", "simplify", "blame")
    conditions: dict[str, Condition] = {verb: parse(text) for verb in verbs}
    return {
        "parse": lambda: parse(text),
        "names": lambda: conditions["names"].names,
        "evaluate": lambda: conditions["evaluate"].evaluate(lambda _: True),
        "str": lambda: str(conditions["str"]),
        "is_satisfiable": conditions["is_satisfiable"].is_satisfiable,
        "is_tautology": conditions["is_tautology"].is_tautology,
        "simplify": conditions["simplify"].simplify,
        "blame": lambda: conditions["blame"].blame(lambda _: True),
        "==": lambda: fresh == twin,
        "hash": lambda: hash(fresh),
    }
