"""What the steps of a flow can do, by playing every run: no diagrams, and no variables.

`steps` are played event by event, with a cut at any moment; `finally` after every end of them.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import NamedTuple

from flow_conditions import Name
from flow_spec import RUN_WORD, FlowSpec, StepSpec

type Ends = Mapping[str, str]

RUNNING = "RUNNING"
CUT = ""
"""What stands among the ends of steps for the run itself, if it was cut off."""
SKIPPED_ITSELF = "SKIPPED by itself"
PASSED_OVER = "SKIPPED in a chain that passed"
PASSED_WITHOUT_RUNNING = {SKIPPED_ITSELF, PASSED_OVER}


class Decision(NamedTuple):
    """A step that was decided: how all that it waits for had ended, and whether it runs."""

    step: StepSpec
    ends: tuple[tuple[str, str], ...]
    runs: bool


def can_end(step: StepSpec) -> list[str]:
    """List how a step can end that runs (rules 5.3, 9.12 and 10.8)."""
    return ["SUCCEEDED", "FAILED", *([SKIPPED_ITSELF] if step.may_skip_itself else [])]


def status(end: str) -> str:
    return end.partition(" ")[0]


def ids_of(flow: FlowSpec, name: str) -> tuple[str, ...]:
    """List the steps that a name means (rule 10.3)."""
    return flow.copies.get(name, (name,))


def answer(flow: FlowSpec, ends: Ends, operand: Name) -> bool:
    """Answer an operand of a condition (rules 3.2, 3.3, 3.7, 3.8, 10.1 and 10.3)."""
    ids = ids_of(flow, operand.name)
    found = [status(ends[one]) for one in ids]
    match operand.predicate:
        case "passed":
            return all(has_passed(flow.step(one), ends[one]) for one in ids)
        case None | "succeeded":
            return all(end == "SUCCEEDED" for end in found)
        case "failed":
            return "FAILED" in found
        case "cancelled":
            return "CANCELLED" in found
        case "skipped":
            return all(end == "SKIPPED" for end in found)
        case _:
            return True


def answer_call(flow: FlowSpec, ends: Ends, operand: Name) -> bool:
    """Answer an operand, which may be a call such as `any(load.failed)` (rules 3.7 and 3.9)."""
    if operand.quantifier is None:
        return answer(flow, ends, operand)
    if operand.quantifier == RUN_WORD:
        return answer_run(flow, ends, operand.name)
    ids = ids_of(flow, operand.name)
    each = [answer(flow, ends, Name(one, operand.predicate)) for one in ids]
    return {"any": any(each), "all": all(each), "none": not any(each)}[operand.quantifier]


def answer_run(flow: FlowSpec, ends: Ends, predicate: str) -> bool:
    """Answer how the run ends, as it stands before the first step that asks that (rule 3.9)."""
    if CUT in ends:
        return predicate == ends[CUT].lower() or (
            ends[CUT] == "TIMED_OUT" and predicate == "failed"
        )
    late = {step.id for step in flow.finally_ if f"{RUN_WORD}(" in (step.when or "")}
    for _ in flow.finally_:
        late |= {step.id for step in flow.finally_ if late.intersection(step.waits_for)}
    judged = [step for step in flow.all_steps if step.id not in late and not step.allow_failure]
    failed = any(ends[step.id] == "FAILED" for step in judged)
    return predicate == ("failed" if failed else "succeeded")


def has_passed(step: StepSpec, end: str) -> bool:
    """Tell whether a step has passed that has ended in this way (rule 3.8)."""
    has_failed = end == "FAILED" and step.allow_failure
    return end == "SUCCEEDED" or end in PASSED_WITHOUT_RUNNING or has_failed


def waited_for(flow: FlowSpec, step: StepSpec) -> list[str]:
    """List the steps that one waits for: in `finally`, those of `steps` too if it asks the run."""
    first = [one.id for one in flow.steps] if step.asks_run else []
    return [*first, *(one for name in step.waits_for for one in ids_of(flow, name))]


def is_true(flow: FlowSpec, step: StepSpec, ends: Ends) -> bool:
    condition = step.condition
    return condition is None or bool(condition.evaluate(lambda name: answer_call(flow, ends, name)))


def skipped(flow: FlowSpec, step: StepSpec, ends: Ends) -> str:
    """Return how a step ends whose condition is false: it may pass in a chain (rule 3.8)."""
    idle = {
        name: "SUCCEEDED" if end in PASSED_WITHOUT_RUNNING else end for name, end in ends.items()
    }
    return PASSED_OVER if is_true(flow, step, idle) else "SKIPPED"


class Played:
    """All runs of a flow: how they can end, and every decision in them."""

    def __init__(self, flow: FlowSpec) -> None:
        self.flow = flow
        self.decisions: set[Decision] = set()
        self.by_itself = set(self._followed(flow.steps, {}))
        """How all steps can end in runs that are not cut off, in the order of the flow."""
        self.by_itself = {
            ends
            for before in self.by_itself
            for ends in self._followed(flow.finally_, dict(before), note=False)
        }
        if flow.finally_:
            for cut in self._cut_off():
                for how in self._cuts(cut):
                    set(self._followed(flow.finally_, cut | how))

    def _followed(
        self, steps: Iterable[StepSpec], before: dict[str, str], *, note: bool = True
    ) -> Iterator[tuple[tuple[str, str], ...]]:
        """Yield how steps can end that follow each other, given how others have ended."""
        for step in steps:
            waits = waited_for(self.flow, step)
            if all(name in before for name in waits) and step.id not in before:
                runs = is_true(self.flow, step, before)
                if note:
                    known = tuple(
                        (name, end) for name, end in sorted(before.items()) if name in {CUT, *waits}
                    )
                    self.decisions.add(Decision(step, known, runs))
                for end in can_end(step) if runs else [skipped(self.flow, step, before)]:
                    yield from self._followed(steps, {**before, step.id: end}, note=note)
                return
        yield tuple(sorted(before.items()))

    def _cuts(self, ends: Ends) -> list[dict[str, str]]:
        """List what may have cut off a run that ended like this, if anything has."""
        if "CANCELLED" not in ends.values():
            return [{}]
        timed_out = [{CUT: "TIMED_OUT"}] if self.flow.timeout_sec is not None else []
        return [{CUT: "CANCELLED"}, *timed_out]

    def _cut_off(self) -> list[dict[str, str]]:
        """List how `steps` can end: nothing begins after a cut, and what runs may still end."""
        flow = self.flow
        start = tuple("" for _ in flow.steps)
        found: set[tuple[str, ...]] = {tuple("CANCELLED" for _ in flow.steps)}  # before it began
        seen: set[tuple[str, ...]] = set()
        todo = [self._settled(start)]
        while todo:
            state = todo.pop()
            if state in seen:
                continue
            seen.add(state)
            choices = [
                [*can_end(step), "CANCELLED"] if end == RUNNING else [end or "CANCELLED"]
                for step, end in zip(flow.steps, state, strict=True)
            ]
            found.update(product(*choices))
            for place, step in enumerate(flow.steps):
                if state[place] == RUNNING:
                    before, after = state[:place], state[place + 1 :]
                    todo += [self._settled((*before, end, *after)) for end in can_end(step)]
        return [dict(zip((step.id for step in flow.steps), ends, strict=True)) for ends in found]

    def _settled(self, state: tuple[str, ...]) -> tuple[str, ...]:
        """Decide every step whose waits are over, as a turn of the engine does."""
        steps = self.flow.steps
        ends = dict(zip((step.id for step in steps), state, strict=True))
        changed = True
        while changed:
            changed = False
            for step in steps:
                waits = waited_for(self.flow, step)
                if not ends[step.id] and all(ends[name] not in {"", RUNNING} for name in waits):
                    runs = is_true(self.flow, step, ends)
                    ends[step.id] = RUNNING if runs else skipped(self.flow, step, ends)
                    changed = True
        return tuple(ends.values())


def of_written(flow: FlowSpec, decisions: Iterable[Decision], name: str) -> list[Decision]:
    ids = set(ids_of(flow, name))
    return [decision for decision in decisions if decision.step.id in ids]
