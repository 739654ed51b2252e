"""How a flow must end, worked out from sections 3 and 5 of the rules, without the engine.

A generated flow, what happens to each attempt of its steps, and the outcome by plain recursion
over the generated conditions. Nothing of the product is called here but to spell the flow.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random

import attrs

from flow_spec import Block, Copy, FlowSpec, StepSpec

PREDICATES = ("", "", "", "succeeded", "failed", "skipped", "finished")
QUANTIFIERS = ("any", "all", "none")
CALLED = 0.5
"""Which part of the names that mean copies is in a call."""
PASSED = 0.15
"""Which part of the operands asks for `passed` instead."""
FINALLY_PREDICATES = (*PREDICATES, "cancelled", "cancelled")
WITH_FINALLY = 0.4
"""Which part of the flows has a `finally`, of this many steps at most."""
MOST_IN_FINALLY = 3
WITH_BLOCK = 0.2
"""Which part of the flows has a `foreach`, with so many steps and copies at most."""
MOST_IN_BLOCK = 2
LABELS = ("x", "y", "z", "7")
ASKING = 0.6
"""Which part of the flows with a `finally` has steps in it that ask how the run ends."""
RUN_PREDICATES = ("succeeded", "failed", "cancelled", "timed_out")
FINALLY_LIMIT_SEC = 600.0
LIMIT_SEC = 30.0
GOOD = {"ok": "SUCCEEDED", "ok 7": "SUCCEEDED", "skip 5": "SKIPPED"}
"""What may become of an attempt that costs no retry, and of its step; the last two by codes."""
GATE = "only_if: "
"""What a fate begins with that an attempt at the gate meets (rule 10.8)."""
YES, NO = f"{GATE}yes", f"{GATE}no"
GATED = 0.3
"""Which part of the steps has a gate."""
CHARGED = ("exit", "signal", "lost", "lost alive", "aborted", "missing", "timeout")
"""What may become of an attempt that costs a retry."""
UNWRITTEN = "unwritten"
"""This costs one too, after any exit code of `success_exit_codes` (rule 10.10)."""
PRODUCING, SILENT = 0.3, 0.5
"""Which part of the steps produces a file, and of their failed commands would have succeeded."""
CHARGED_AT_ANY_TIME = tuple(fate for fate in CHARGED if fate != "timeout")
"""Those that a step without a time limit may meet."""


@attrs.frozen
class Is:
    name: str
    predicate: str
    quantifier: str = ""
    """any, all or none, if the name means all copies and is called so (rule 3.7).

    Or `run`: then the name is what it asks of the run (rule 3.9).
    """


@attrs.frozen
class Not:
    inner: "Condition"


@attrs.frozen
class Pair:
    """Two conditions that must both be true (`&&`), or, unless `both`, one of them (`||`)."""

    left: "Condition"
    right: "Condition"
    both: bool


type Condition = Is | Not | Pair


@attrs.frozen
class Case:
    """A flow in the order of its file, the fates of the attempts, and the outcome.

    `conditions` are those that are spelled in the steps' `when`. `steps` has each copy of a step in
    a `foreach`; what these are copies of is in `blocks`. The outcome is that of a run without
    `until`.
    """

    steps: tuple[StepSpec, ...]
    fates: Mapping[str, tuple[str, ...]]
    statuses: Mapping[str, str]
    attempts: Mapping[str, int]
    run_status: str
    max_parallel: int | None
    conditions: Mapping[str, Condition | None]
    finally_: tuple[StepSpec, ...] = ()
    blocks: tuple[Block, ...] = ()
    settled: frozenset[str] = frozenset()
    until: tuple[str, ...] = ()

    @property
    def specs(self) -> Mapping[str, StepSpec]:
        return {step.id: step for step in (*self.steps, *self.finally_)}

    @property
    def flow(self) -> FlowSpec:
        return FlowSpec(
            "flow",
            tuple(step for step in self.steps if "@" not in step.id),
            max_parallel=self.max_parallel,
            finally_=self.finally_,
            blocks=self.blocks,
        ).with_copies()


def generate(
    seed: int,
    most_steps: int = 9,
    most_in_finally: int = MOST_IN_FINALLY,
    gated: float = GATED,
    *,
    foreach: bool = True,
) -> Case:
    """Make up a flow of a few steps, and work out how it must end.

    Some have a `finally`, and some, with `foreach`, steps that are repeated.
    """
    random = Random(seed)  # noqa: S311 - reproducible on purpose
    parts = ("gates", "passed", "calls", "products", "foreach", "finally", "run")
    # Drawn apart, so that older seeds still mean the same.
    gates, passes, calls, products, foreachs, finallys, runs = (
        Random(f"{what} {seed}")  # noqa: S311 - reproducible on purpose
        for what in parts
    )
    making = Making(random, gates, passes, calls, products, gated)
    steps = [making.step(f"s{number}") for number in range(random.randint(1, most_steps))]
    random.shuffle(steps)
    max_parallel = random.choice((None, None, 1, 2))
    making.random = foreachs
    blocks = []
    if foreach and foreachs.random() < WITH_BLOCK:
        block, copies = making.block(before=len(steps))
        blocks.append(block)
        steps += [*copies, making.step("t0"), making.step("t1")]
    making.random = finallys
    count = finallys.randint(1, MOST_IN_FINALLY) if finallys.random() < WITH_FINALLY else 0
    count = min(count, most_in_finally)
    finally_ = [making.step(f"f{number}", in_finally=True) for number in range(count)]
    if finally_ and runs.random() < ASKING:
        finally_ += making.asking(runs, tuple(step.id for step in finally_))
    return Case(
        tuple(steps),
        making.fates,
        making.statuses,
        making.attempts,
        fold([*steps, *finally_], making.statuses),
        max_parallel,
        making.conditions,
        tuple(finally_),
        tuple(blocks),
    )


@attrs.define
class Making:
    random: Random
    gates: Random
    """Decides what has to do with gates."""
    passes: Random
    """Decides which operands ask for `passed`."""
    calls: Random
    """Decides which names of copies are in a call."""
    products: Random
    """Decides which steps produce a file."""
    gated: float
    """Which part of the steps has a gate."""
    fates: dict[str, tuple[str, ...]] = attrs.Factory(dict)
    statuses: dict[str, str] = attrs.Factory(dict)
    attempts: dict[str, int] = attrs.Factory(dict)
    conditions: dict[str, Condition | None] = attrs.Factory(dict)
    specs: dict[str, StepSpec] = attrs.Factory(dict)
    names: list[str] = attrs.Factory(list)
    """Those that mean all copies of a step."""
    settled: frozenset[str] = frozenset()

    def block(self, before: int) -> tuple[Block, list[StepSpec]]:
        """Make up a `foreach`, whose steps may ask of all before and of each other (rule 10.3)."""
        random = self.random
        labels = random.sample(LABELS, random.choice((0, 1, 2, 2, 3, 4)))
        draft = attrs.evolve(
            self,
            fates=dict(self.fates),
            statuses=dict(self.statuses),
            attempts={},
            conditions=dict(self.conditions),
            specs=dict(self.specs),
            names=[],
        )
        written = [draft.step(f"b{number}") for number in range(random.randint(1, MOST_IN_BLOCK))]
        most = random.choice((None, 1, 1, 2))
        copies = [self.copy(step, draft, written, label) for label in labels for step in written]
        self.names += [step.id for step in written]
        values = tuple(Copy(label, (label,)) for label in labels)
        return Block(("X",), tuple(written), values, before, most), copies

    def copy(
        self, step: StepSpec, draft: "Making", written: list[StepSpec], label: str
    ) -> StepSpec:
        """Make a copy of a step, in which a name means the same copy's step."""
        own = {other.id: f"{other.id}@{label}" for other in written}
        condition = draft.conditions[step.id]
        self.conditions[own[step.id]] = condition and rewritten(
            condition, lambda asked: attrs.evolve(asked, name=own.get(asked.name, asked.name))
        )
        self.fates[own[step.id]] = more_fates(self.random, step)
        copied = attrs.evolve(
            step, id=own[step.id], depends_on=tuple(own.get(name, name) for name in step.depends_on)
        )
        self.settle(copied)
        return copied

    def step(self, step_id: str, *, in_finally: bool = False) -> StepSpec:
        """Make up one more step, which may ask of all that there are so far."""
        random, known = self.random, [*self.fates, *self.names]
        depends_on = tuple(random.sample(known, random.randint(0, min(3, len(known)))))
        condition = None
        if known and random.random() < 0.6:
            predicates = FINALLY_PREDICATES if in_finally else PREDICATES
            condition = make_condition(random, known, 3, predicates)
            condition = rewritten(rewritten(condition, self.with_passed), self.with_call)
        retries, strict = random.randint(0, 2), random.random() < 0.7
        by_codes, choosy = random.random() < 0.3, random.random() < 0.2
        fates = make_fates(random, retries, strict=strict, by_codes=by_codes, choosy=choosy)
        gated = self.gates.random() < self.gated
        if gated:
            fates = ask_first(self.gates, fates, retries, strict=strict)
        longest_sec = FINALLY_LIMIT_SEC if in_finally else None
        step = StepSpec(
            id=step_id,
            command=(step_id, "run"),
            only_if=(step_id, "may run") if gated else (),
            when=None if condition is None else spell(random, condition),
            depends_on=depends_on,
            retries=retries,
            retry_delay_sec=random.choice((0.0, 0.0, 0.7, 3.0)),
            retry_backoff=random.choice((1.0, 1.0, 2.5)),
            retry_max_delay_sec=random.choice((None, 5.0)),
            timeout_sec=LIMIT_SEC if set(fates) & {"timeout", f"{GATE}timeout"} else longest_sec,
            strict=strict,
            success_exit_codes=(0, 7) if by_codes else (0,),
            skip_exit_codes=(5,) if by_codes else (),
            retry_exit_codes=(3,) if choosy else (),
            allow_failure=random.random() < 0.2,
            produces=(f"{step_id}.csv",) if self.products.random() < PRODUCING else (),
        )
        self.conditions[step_id], self.fates[step_id] = condition, silenced(step, fates)
        self.settle(step)
        return step

    def with_passed(self, asked: Is) -> Is:
        """Ask for `passed` now and then, but not in the place of what only `finally` may ask."""
        asks = self.passes.random() < PASSED and asked.predicate != "cancelled"
        return Is(asked.name, "passed") if asks else asked

    def with_call(self, asked: Is) -> Is:
        """Call a name that means all copies of a step, now and then."""
        calls = asked.name in self.names and self.calls.random() < CALLED
        return Is(asked.name, asked.predicate, self.calls.choice(QUANTIFIERS)) if calls else asked

    def asking(self, random: Random, before: tuple[str, ...]) -> list[StepSpec]:
        """Make up steps of `finally` that ask how the run ends, and one that waits for these."""
        steps = []
        for number in range(random.randint(1, 3)):
            step_id, known = f"g{number}", [*self.fates, *self.names]
            condition: Condition = Is(random.choice(RUN_PREDICATES), "", "run")
            if random.random() < 0.4:
                condition = Not(condition)
            if random.random() < 0.4:
                other = make_condition(random, known, 1, FINALLY_PREDICATES)
                condition = Pair(condition, other, both=random.random() < 0.5)
            if number == 2:
                condition = Is("g0", random.choice(("succeeded", "failed", "finished")))
            step = StepSpec(
                id=step_id,
                command=(step_id, "run"),
                when=spell(random, condition),
                waits_also=() if number == 2 else before,
                timeout_sec=FINALLY_LIMIT_SEC,
            )
            self.conditions[step_id] = condition
            self.fates[step_id] = (random.choice(("ok", "exit")),)
            self.settle(step)
            steps.append(step)
        return steps

    def settle(self, step: StepSpec) -> None:
        """Work out what becomes of a step, given its condition and its fates."""
        fates = self.fates[step.id]
        self.specs[step.id] = step
        if is_to_run(step, self, self.statuses):
            self.attempts[step.id] = len(fates)
            self.statuses[step.id] = outcome(fates)
        else:
            self.attempts[step.id], self.statuses[step.id] = 0, "SKIPPED"


def retry(random: Random, case: Case) -> tuple[Case, tuple[str, ...]]:
    """Make up a `retry` of a case that has ended, and work out how it must end (rule 9.7).

    The other result are the steps that it names; none means those that FAILED.
    """
    ids = [step.id for step in case.steps]
    named: tuple[str, ...] = ()
    if case.run_status == "SUCCEEDED" or random.random() < 0.3:
        named = tuple(random.sample(ids, random.randint(1, min(2, len(ids)))))
    again = set(named) or {name for name in ids if case.statuses[name] == "FAILED"}
    return decide_again(random, case, again), named


def settle(random: Random, case: Case) -> tuple[Case, str, str]:
    """Make up a `settle` of a FAILED step, and work out how the case must end (rule 12.3).

    The other results are that step, and the outcome that it has from now on.
    """
    failed = sorted(step_id for step_id, status in case.statuses.items() if status == "FAILED")
    step_id, status = random.choice(failed), random.choice(("SUCCEEDED", "SKIPPED"))
    return decide_again(random, case, set(), {step_id: status}), step_id, status


def decide_again(
    random: Random, case: Case, again: set[str], settled: Mapping[str, str] | None = None
) -> Case:
    """Work out how a case ends of which some steps run `again`, or have been `settled`.

    Whatever depends on them is decided again, and so is `finally`, unless it is what was settled.
    """
    settled = settled or {}
    fates, statuses, attempts = dict(case.fates), dict(case.statuses), dict(case.attempts)
    statuses |= settled
    case = attrs.evolve(case, settled=case.settled | settled.keys())
    changed = again | settled.keys()
    tidies = not settled or not settled.keys() <= {step.id for step in case.finally_}
    made = list(case.fates)
    in_order = sorted(case.steps, key=lambda step: made.index(step.id))  # none before its needs
    for step in (*in_order, *case.finally_):
        condition = case.conditions[step.id]
        needs = {*step.depends_on, *step.waits_also, *(names_in(condition) if condition else ())}
        touched = changed | {name.partition("@")[0] for name in changed}
        is_again = step.id in again or needs & touched or (tidies and step in case.finally_)
        if step.id in settled or not is_again:
            continue
        changed.add(step.id)
        case = attrs.evolve(case, settled=case.settled - {step.id})
        if attempts[step.id] == len(fates[step.id]):  # else those that it has not met are left
            fates[step.id] += more_fates(random, step)
        if is_to_run(step, case, statuses):
            attempts[step.id] = len(fates[step.id])
            statuses[step.id] = outcome(fates[step.id])
        else:
            statuses[step.id] = "SKIPPED"
    run_status = fold([*case.steps, *case.finally_], statuses)
    return attrs.evolve(
        case, fates=fates, statuses=statuses, attempts=attempts, run_status=run_status
    )


def is_to_run(step: StepSpec, flow: Case | Making, statuses: Mapping[str, str]) -> bool:
    """Tell whether a step runs, once all that it waits for has ended (rules 3.2 to 3.5)."""
    condition = flow.conditions[step.id]
    if condition is None:
        return all(is_true(Is(other, ""), flow, statuses) for other in step.depends_on)
    return is_true(condition, flow, statuses)


class IfRun(dict[str, str]):
    """Statuses as if all steps and copies that passed without running had SUCCEEDED."""


def has_passed(name: str, flow: Case | Making, statuses: Mapping[str, str]) -> bool:
    """Tell whether a step has passed (3.8).

    If it was SKIPPED: whether its condition was true, or would have been if all that passed without
    running had SUCCEEDED.
    """
    step = flow.specs[name]
    match statuses[name]:
        case "FAILED":
            return step.allow_failure
        case "SKIPPED":
            if name in flow.settled or is_to_run(step, flow, statuses):
                return True
            if_run = IfRun(statuses)
            for waited in step.waits_for:
                for one in [waited] if waited in statuses else copies_in(statuses, waited):
                    if statuses[one] == "SKIPPED" and has_passed(one, flow, statuses):
                        if_run[one] = "SUCCEEDED"
            return is_to_run(step, flow, if_run)
        case status:
            return status == "SUCCEEDED"


def tidy(case: Case, statuses: Mapping[str, str]) -> dict[str, str]:
    """Work out how the steps of `finally` end, however the others have (rule 10.1).

    Each meets the fates that it was given.
    """
    ended = dict(statuses)
    for step in case.finally_:
        runs = is_to_run(step, case, ended)
        ended[step.id] = outcome(case.fates[step.id]) if runs else "SKIPPED"
    return ended


def fold(steps: Iterable[StepSpec], statuses: Mapping[str, str]) -> str:
    """Fold the outcomes of all steps into the run's (rules 5.1 and 9.12)."""
    bad = [step.id for step in steps if statuses[step.id] == "FAILED" and not step.allow_failure]
    return "FAILED" if bad else "SUCCEEDED"


def names_in(condition: Condition) -> Iterator[str]:
    """Yield the names in a condition (rule 3.4)."""
    match condition:
        case Is(name, _, quantifier):
            yield from [name] if quantifier != "run" else []
        case Not(inner):
            yield from names_in(inner)
        case Pair(left, right):
            yield from names_in(left)
            yield from names_in(right)


def rewritten(condition: Condition, change: Callable[[Is], Is]) -> Condition:
    """Change each operand of a condition, the left ones first."""
    match condition:
        case Is():
            return change(condition)
        case Not(inner):
            return Not(rewritten(inner, change))
        case Pair(left, right, both):
            return Pair(rewritten(left, change), rewritten(right, change), both)


def more_fates(random: Random, step: StepSpec) -> tuple[str, ...]:
    """Make up what becomes of the attempts of a step that is known."""
    charged = CHARGED if step.timeout_sec else CHARGED_AT_ANY_TIME
    fates = make_fates(
        random,
        step.retries,
        strict=step.strict,
        by_codes=bool(step.skip_exit_codes),
        choosy=bool(step.retry_exit_codes),
        charged=charged,
    )
    if step.only_if:
        fates = ask_first(random, fates, step.retries, strict=step.strict, charged=charged)
    return silenced(step, fates)


def silenced(step: StepSpec, fates: tuple[str, ...]) -> tuple[str, ...]:
    """Let some commands of a step that produces a file succeed without it, instead of failing.

    Both are retried, whatever `retry_exit_codes` says. Nothing else is drawn differently then.
    """
    apart = Random(f"unwritten {step.id} {fates}")  # noqa: S311 - reproducible on purpose
    return tuple(
        UNWRITTEN if step.produces and fate == "exit" and apart.random() < SILENT else fate
        for fate in fates
    )


def make_fates(  # noqa: PLR0913 - what decides them
    random: Random,
    retries: int,
    *,
    strict: bool,
    by_codes: bool,
    choosy: bool,
    charged: tuple[str, ...] = CHARGED,
) -> tuple[str, ...]:
    """Make up what becomes of a step's attempts, up to the one that settles the step.

    `by_codes` knows more good exit codes than 0; `choosy` retries after code 3 alone. What costs a
    retry is one of `charged`.
    """
    fates: list[str] = []
    while True:
        if random.random() < 0.1 and fates[-2:] != ["dead", "dead"]:
            fates.append("dead")  # uses up a number, but no retry
        elif random.random() < 0.55:
            return (*fates, random.choice(tuple(GOOD)) if by_codes else "ok")
        elif strict and random.random() < 0.05:
            return (*fates, "foreign")
        else:
            fates.append(random.choice(charged))
            used_up = sum(fate in CHARGED for fate in fates) == retries + 1
            if used_up or (choosy and fates[-1] != "exit"):
                return tuple(fates)


def ask_first(
    random: Random,
    fates: tuple[str, ...],
    retries: int,
    *,
    strict: bool,
    charged: tuple[str, ...] = CHARGED,
) -> tuple[str, ...]:
    """Let a step's gate be asked before its command meets its fates (rule 10.8).

    It is asked again until it says yes or no, or the retries are used up, which both share.
    """
    at_gate = make_fates(random, retries, strict=strict, by_codes=False, choosy=False)
    at_gate = tuple(f"{GATE}{fate if fate in charged else OTHERWISE[fate]}" for fate in at_gate)
    if at_gate[-1] == YES and random.random() < 0.3:
        at_gate = (*at_gate[:-1], NO)
    together = (*at_gate, *(fates if at_gate[-1] == YES else ()))
    used_up = 0
    for number, fate in enumerate(together, start=1):
        used_up += fate.removeprefix(GATE) in CHARGED
        if used_up > retries:
            return together[:number]
    return together


OTHERWISE = {"ok": "yes", "dead": "dead", "foreign": "foreign", "timeout": "exit"}
"""What a gate meets where a command would meet this, or where it may not time out."""


def outcome(fates: tuple[str, ...]) -> str:
    """Return how a step ends whose last attempt meets the last of these fates."""
    return "SKIPPED" if fates[-1] == NO else GOOD.get(fates[-1], "FAILED")


def make_condition(
    random: Random, names: list[str], depth: int, predicates: tuple[str, ...]
) -> Condition:
    kind = random.choice(("is", "is", "not", "and", "or")) if depth else "is"
    if kind == "is":
        return Is(random.choice(names), random.choice(predicates))
    inner = make_condition(random, names, depth - 1, predicates)
    if kind == "not":
        return Not(inner)
    other = make_condition(random, names, depth - 1, predicates)
    return Pair(inner, other, both=kind == "and")


def spell(random: Random, condition: Condition) -> str:
    """Write a condition, sometimes with parentheses that it does not need (rule 3.1)."""
    match condition:
        case Is(name, predicate, quantifier):
            text = f"{name}.{predicate}" if predicate else name
            return f"{quantifier}({text})" if quantifier else text
        case Not(inner):
            return "!" + enclose(random, inner, needed=isinstance(inner, Pair))
        case Pair(left, right, both):
            first, second = (
                enclose(random, one, needed=both and isinstance(one, Pair) and not one.both)
                for one in (left, right)
            )
            return f"{first} {'&&' if both else '||'} {second}"


def enclose(random: Random, condition: Condition, *, needed: bool) -> str:
    """Write an operand, in parentheses where it needs them, and now and then where not."""
    text = spell(random, condition)
    return f"({text})" if needed or random.random() < 0.2 else text


def is_true(condition: Condition, flow: Case | Making, statuses: Mapping[str, str]) -> bool:
    """Evaluate a condition over terminal steps (rules 3.2, 3.3 and 3.8)."""
    match condition:
        case Is():
            return is_answered(condition, flow, statuses)
        case Not(inner):
            return not is_true(inner, flow, statuses)
        case Pair(left, right, both=True):
            return is_true(left, flow, statuses) and is_true(right, flow, statuses)
        case Pair(left, right):
            return is_true(left, flow, statuses) or is_true(right, flow, statuses)


def is_answered(asked: Is, flow: Case | Making, statuses: Mapping[str, str]) -> bool:
    """Answer an operand (rules 3.2, 3.3, 3.7, 3.8 and 10.3)."""
    name, predicate = asked.name, asked.predicate
    if asked.quantifier == "run":
        return name == run_end(flow, statuses)
    if asked.quantifier:
        copies = (Is(one, predicate) for one in copies_in(statuses, name))
        each = [is_answered(copy, flow, statuses) for copy in copies]
        if asked.quantifier == "all" and not each:  # as of a step that skipped itself
            own = {"", "succeeded"} if isinstance(statuses, IfRun) else {"skipped"}
            return predicate in {*own, "passed", "finished"}
        return {"any": any(each), "all": all(each), "none": not any(each)}[asked.quantifier]
    if predicate == "passed":
        names = [name] if name in statuses else copies_in(statuses, name)
        return all(has_passed(one, flow, statuses) for one in names)
    if name not in statuses:
        return is_true_of_all(name, predicate, statuses)
    return predicate == "finished" or statuses[name] == (predicate or "succeeded").upper()


def run_end(flow: Case | Making, statuses: Mapping[str, str]) -> str:
    """Tell how the run ends, as it stands before the first step that asks that (rule 3.9).

    No run of a model times out.
    """
    judged = [step for step in flow.specs.values() if not step.id.startswith("g")]
    if any(statuses[step.id] == "CANCELLED" for step in judged):
        return "cancelled"
    return fold(judged, statuses).lower()


def copies_in(statuses: Mapping[str, str], name: str) -> list[str]:
    return [step_id for step_id in statuses if step_id.startswith(f"{name}@")]


def is_true_of_all(name: str, predicate: str, statuses: Mapping[str, str]) -> bool:
    """Tell what a name that means all copies of a step stands for (rule 10.3)."""
    ended = [statuses[step_id] for step_id in copies_in(statuses, name)]
    match predicate:
        case "finished":
            return True
        case "failed" | "cancelled":
            return predicate.upper() in ended
        case "skipped":
            return set(ended) == {"SKIPPED"} or not (ended or isinstance(statuses, IfRun))
        case _:
            return set(ended) == {"SUCCEEDED"} or (not ended and isinstance(statuses, IfRun))
