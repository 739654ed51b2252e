"""Why a step's condition is true or false: who decided, and each part with its value (rule 9.4).

The smallest set of operands that decides comes from `Condition.blame`. A call such as `any(failed)`
is shown as it is written, however many steps it asks.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import attrs

from flow_conditions import BudgetExceeded, Condition, Explanation, Name, operands_in
from flow_spec import StepSpec
from orchesjob_flow.views.definition import Copies, Waited
from orchesjob_flow.views.reasons import spell

WORDS = {True: "true", False: "false", None: "undecided"}
DEEPEST_IN_JSON, DEEPEST = 50, 8
LONGEST_PART, LONGEST_LINE = 60, 100
MOST_PARTS = 8
"""How many parts of a row are named; the others are counted."""

type Value = bool | None
type Lookup = Callable[[Name], Value]


@attrs.frozen(slots=False)
class ExplainedCondition:
    """A step's condition, with the value of every part, and a smallest set that decides it.

    `decided_by` is None while nothing does, and where it would take too long to find. `spec` is one
    of the steps that have this condition.
    """

    spec: StepSpec
    whole: Explanation
    decided_by: Sequence[Name] | None

    @classmethod
    def of(cls, spec: StepSpec, condition: Condition, value: Lookup, budget: int) -> Self:
        """Evaluate the condition of a step."""
        try:
            blamed = condition.blame(value, budget=budget)
        except BudgetExceeded:
            blamed = None
        return cls(spec, condition.explain(value), blamed)

    @property
    def value(self) -> Value:
        """True, False, or None while undecided."""
        return self.whole.value

    @cached_property
    def written(self) -> str | None:
        """What stands in the file, if there is a call in it."""
        when = " ".join((self.spec.when or "").split())
        return when if any(operand.name is None for operand in operands_in(when)) else None

    @cached_property
    def calls(self) -> Mapping[str, str]:
        """The calls that are written, by what they stand for."""
        return calls_in(self.spec)

    def text_of(self, part: Explanation) -> str:
        """Return a part with the calls that are written in it."""
        text = part.text
        if self.written is not None and text == self.whole.text:
            return self.written
        for spelled_out, call in self.calls.items():
            whole = rf"\({re.escape(spelled_out)}\)|(?<![\w@.-]){re.escape(spelled_out)}(?![\w@.-])"
            text = re.sub(whole, call, text)
        return text

    @cached_property
    def lines(self) -> Sequence[str]:
        """A line for the condition and one for each part, indented by its depth.

        Of a row with many parts, those that have made its value come first, and the rest is
        counted. What is deeper than people read is left out.
        """
        lines: list[str] = []
        todo: list[tuple[Explanation | str, int]] = [(self.whole, 0)]
        while todo:
            part, level = todo.pop()
            indent = "  " * level
            if isinstance(part, str):
                lines.append(f"{indent}{part}")
                continue
            text = shortened(self.text_of(part), LONGEST_LINE)
            lines.append(f"{indent}{WORDS[part.value]}: {text}")
            if level < DEEPEST and (level == 0 or part.text not in self.calls):
                todo += [(below, level + 1) for below in reversed(shown_parts(part))]
        return lines


def calls_in(spec: StepSpec) -> dict[str, str]:
    """Return the calls in a step's `when` by what they stand for, the longest first.

    One that stands for a single operand is no shorter than that.
    """
    spelled = {}
    when = spec.when or ""
    for operand in operands_in(when):
        if operand.name is not None:
            continue
        call = when[operand.start : operand.end]
        condition = attrs.evolve(spec, when=call).condition
        if condition is not None and len(condition.names) > 1:
            spelled[str(condition)] = " ".join(call.split())
    return dict(sorted(spelled.items(), key=lambda item: -len(item[0])))


def shown_parts(part: Explanation) -> Sequence[Explanation | str]:
    """Return the parts of a part, in their order; of many, a few, and how many more there are."""
    children = part.children
    if len(children) <= MOST_PARTS:
        return children
    first = sorted(children, key=lambda child: child.value is not part.value)[:MOST_PARTS]
    rest = len(children) - MOST_PARTS
    return (*first, f"... and {rest} more")


def describe_decision(condition: ExplainedCondition, rows: Mapping[str, Waited]) -> str:
    """Say who decided what the condition is; where nobody has, what its outermost parts are."""
    if condition.decided_by is None:
        return describe_parts(condition, rows)
    names = dict.fromkeys(operand.name for operand in condition.decided_by)
    value = spell_value(condition, condition.whole)
    return f"{spell([rows[name] for name in names])}, so {value}" if names else value


def describe_parts(condition: ExplainedCondition, rows: Mapping[str, Waited]) -> str:
    """Say what value a condition has, and what its outermost parts have."""
    whole = condition.whole
    if whole.operator not in ("&&", "||"):
        return describe_part(condition, whole, rows)
    children = whole.children
    clauses = ", ".join(describe_part(condition, part, rows) for part in children[:MOST_PARTS])
    rest = len(children) - MOST_PARTS
    more = f" and {rest} more" if rest > 0 else ""
    return f"{spell_value(condition, whole)}: {clauses}{more}"


def describe_part(
    condition: ExplainedCondition, part: Explanation, rows: Mapping[str, Waited]
) -> str:
    """Say what value one part has, and the statuses of the steps that it names."""
    operands = {name.name: rows[name.name] for name in part.operands}
    return f"{spell_value(condition, part)} ({spell(list(operands.values()))})"


def spell_value(condition: ExplainedCondition, part: Explanation) -> str:
    """Say what value a part has; a long text is cut."""
    return f"`{shortened(condition.text_of(part), LONGEST_PART)}` is {WORDS[part.value]}"


def shortened(text: str, longest: int) -> str:
    """Return a text, or its beginning."""
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def decided_json(
    condition: ExplainedCondition, rows: Mapping[str, Waited]
) -> Sequence[dict[str, Any]] | None:
    """Describe the operands that decide, or None."""
    if condition.decided_by is None:
        return None
    values = condition.whole.operands
    return [
        {
            "text": str(operand),
            "value": values[operand],
            "step": operand.name,
            **status_json(rows[operand.name]),
        }
        for operand in condition.decided_by
    ]


def tree_json(part: Explanation, rows: Mapping[str, Waited], level: int = 0) -> dict[str, Any]:
    """Describe a part of a condition; what lies too deep for people to read is left out."""
    described: dict[str, Any] = {"text": part.text, "value": part.value, "operator": part.operator}
    if part.operator is None:
        (operand,) = part.operands
        return described | {"step": operand.name, **status_json(rows[operand.name])}
    children = part.children if level < DEEPEST_IN_JSON else ()
    return described | {"children": [tree_json(child, rows, level + 1) for child in children]}


def status_json(waited: Waited) -> dict[str, Any]:
    """Describe the status of a step; where its copies are meant, how many are in each."""
    if isinstance(waited, Copies):
        return {"status": None, "copies": {one.value: n for one, n in waited.counts.items()}}
    return {"status": waited.status.value}
