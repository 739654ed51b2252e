"""`FlowSpec`, a flow as an immutable value: its fields, its steps, and the order they can run in.

Its declared fields are the schema of a flow file; `json_schema` returns it for editors (rule 9.2).
`FlowSpec.with_params` gives its parameters their values for a run: every flaw of a value, and of a
word rendered with it, is found before the run is recorded (rule 10.2).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import attrs

from flow_spec.errors import (
    ListError,
    Message,
    MissingValuesError,
    ParamsError,
    Problem,
    Speller,
    UnknownStepError,
    printable,
    quoted,
)
from flow_spec.fields.env import EnvFile, StepVariable, flaw_of_setting, joined_ids
from flow_spec.fields.kinds import (
    DIRECTORY,
    FLOW_ID,
    MOST_NAMED,
    PROSE,
    SECONDS_ABOVE_ZERO,
    Integer,
    Word,
)
from flow_spec.fields.params import Param, Params, problems_of_values
from flow_spec.fields.reading import BUILT_IN, SPLIT, Cursor, Noting, ValueList, escaped
from flow_spec.fields.records import (
    ENV_FILES,
    NO_PROGRAM,
    Declaration,
    ListedFile,
    ListOf,
    Record,
    Variables,
    declarations,
    declared,
    file_schema,
    path_of,
)
from flow_spec.foreach import STEPS_AND_BLOCKS, Block
from flow_spec.step import (
    CONCURRENCY,
    DEFAULTS,
    FINALLY_STEP,
    GROUP,
    OF_FLOW,
    WARNINGS,
    Concurrency,
    StepSpec,
    WarningCode,
    base_of,
    copy_id,
    fields_to_fill,
    filled_record,
)

if TYPE_CHECKING:
    from graphlib import TopologicalSorter


@attrs.frozen
class FlowSpec:
    """A flow; its steps are in the order of the file (rule 2.2)."""

    flow_id: str = declared(FLOW_ID, "The flow's name.", "daily-import")
    steps: tuple[StepSpec, ...] = declared(
        STEPS_AND_BLOCKS,
        "The steps, in any order.",
        [{"id": "hello", "command": ["echo", "hello"]}],
    )
    env: tuple[tuple[str, str], ...] = declared(
        Variables(),
        "Environment variables for the commands of all steps.",
        {"LANG": "C", "SHOP": "berlin"},
        default=(),
    )
    working_dir: str | None = declared(
        DIRECTORY,
        "The working directory of the commands, relative to where the run is started.",
        "/srv/shop",
        default=None,
    )
    max_parallel: int | None = declared(
        Integer(minimum=1, maximum=1_000_000), "How many steps may run at once.", 4, default=None
    )
    timeout_sec: float | None = declared(
        SECONDS_ABOVE_ZERO,
        "Time limit of the whole run, in seconds; a run that exceeds it is stopped and FAILED.",
        14_400,
        "4h",
        default=None,
    )
    env_file: tuple[str | ListedFile, ...] = declared(
        ENV_FILES,
        "Files of NAME=VALUE lines, read when an attempt starts and never recorded.",
        "/etc/shop/secrets.env",
        ["common.env", {"path": "secrets.env", "required": False}],
        default=(),
    )
    concurrency: Concurrency | None = declared(
        CONCURRENCY,
        "Let only one run of a group run at a time.",
        {"on_conflict": "wait"},
        {"group": "warehouse", "on_conflict": "skip"},
        default=None,
    )
    finally_: tuple[StepSpec, ...] = declared(
        ListOf(FINALLY_STEP, "steps", "[{id: tidy, command: [rm, -rf, work]}]"),
        "Steps that run after all others have ended, whatever their outcomes, even after a cancel.",
        [{"id": "tidy", "command": ["rm", "-rf", "work"]}],
        default=(),
    )
    """The steps of `finally`, in the order of the file (rule 10.1)."""
    blocks: tuple[Block, ...] = ()
    """The blocks whose copies are in `steps` (rule 10.3)."""

    params: tuple[Param, ...] = declared(
        Params(),
        "Parameters, to which each run gives values.",
        {"SHOP": "berlin", "DAY": {"pattern": "[0-9]{4}-[0-9]{2}-[0-9]{2}"}},
        significant=False,
        default=(),
    )
    """The parameters that a run may be given; their `values` decide what it does (rule 10.2)."""

    description: str | None = declared(
        PROSE,
        "What the flow is for.",
        "Imports the orders of all shops, every night.",
        significant=False,
        default=None,
    )

    allow_warnings: tuple[WarningCode, ...] = declared(
        WARNINGS,
        "Warnings to ignore in the whole flow, because what they warn about is intended.",
        ["no-such-program"],
        significant=False,
        default=(),
    )

    values: tuple[tuple[str, str], ...] = ()
    """The values of all `params` in a run; empty in the flow of a file."""

    until: tuple[str, ...] = ()
    """The steps, or names of all copies, for which a run is made; empty: for all (rule 6.14)."""

    left_out: tuple[str, ...] = ()
    """The ids of the steps that such a run leaves out: nothing in `until` waits for them."""

    fills: tuple[str, ...] = ()
    """The fields of the flow itself whose words hold names to replace (rule 10.2)."""

    @property
    def group(self) -> str | None:
        """The name of the group that runs one run at a time, if there is one (rule 10.7)."""
        return None if self.concurrency is None else self.concurrency.group or self.flow_id

    @property
    def about(self) -> str:
        """The description on one line; empty if there is none."""
        return " ".join((self.description or "").split())

    @property
    def all_steps(self) -> tuple[StepSpec, ...]:
        """The steps, those of `finally` last."""
        return self.steps + self.finally_

    @cached_property
    def _by_id(self) -> Mapping[str, StepSpec]:
        return {step.id: step for step in self.all_steps}

    @cached_property
    def finally_ids(self) -> frozenset[str]:
        """The ids of the steps of `finally`."""
        return frozenset(step.id for step in self.finally_)

    @cached_property
    def copies(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of the copies of each step in a block, by its id as written (rule 10.3)."""
        return {
            step_id: tuple(copy_id(step_id, copy.label) for copy in block.copies)
            for block in self.blocks
            for step_id in block.ids
        }

    @cached_property
    def _values(self) -> Mapping[str, Mapping[str, str]]:
        return {
            copy_id(step_id, copy.label): dict(zip(block.names, copy.values, strict=True))
            for block in self.blocks
            for copy in block.copies
            for step_id in block.ids
        }

    def values_of(self, step_id: str) -> Mapping[str, str]:
        """Return the names and values of a copy; empty for a step that is not a copy."""
        return self._values.get(step_id, {})

    @property
    def open_lists(self) -> Sequence[ValueList]:
        """The lists whose values the flow file alone does not give."""
        return [one for block in self.blocks for one in block.lists if one.origin is not None]

    @property
    def lists(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The lists from outside the file, by what the file says: `lines` or `glob`, and text."""
        return {
            (one.origin, one.text): one.values
            for one in self.open_lists
            if one.origin not in {None, SPLIT} and one.text is not None
        }

    @property
    def empty_blocks(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of the steps that have no copies, by the list that is empty (rule 10.3)."""
        return {
            one.spelled: block.ids for block in self.blocks for one in block.lists if not one.values
        }

    def refuse_empty_lists(self, directory: str | None = None) -> None:
        """Refuse to begin a run in which a `foreach` has no copies and must have some (rule 10.3).

        What `until` leaves out may have none. `directory` is where relative paths start, if that is
        known.

        Raises:
            ListError: A list is empty, and does not say `allow_empty`.
        """
        needed = self._reached_from(self.until) if self.until else {*self.copies}
        for block in self.blocks:
            for one in block.lists:
                if not (one.values or one.allow_empty or needed.isdisjoint(block.ids)):
                    is_text = directory is None or one.origin == SPLIT
                    where = "" if is_text else f" in {printable(str(directory))}"
                    raise ListError(
                        f"{one.spelled} gives no values{where}, so there would be no copies of "
                        f"{', '.join(block.ids)}; check the list, or write allow_empty: true beside"
                        f" {one.origin}:"
                    )

    @cached_property
    def as_written(self) -> Self:
        """The flow with each step of a block once, as written, and without blocks."""
        return attrs.evolve(self, steps=self._placed(lambda block: block.steps), blocks=())

    def with_copies(self) -> Self:
        """Return the flow with the copies of its blocks, given one whose `steps` have none."""
        if not self.blocks:
            return self
        return attrs.evolve(self, steps=self._placed(Block.expanded))

    def _placed[Item](
        self, steps_of: Callable[[Block], Iterable[Item]]
    ) -> tuple[StepSpec | Item, ...]:
        """Return the steps outside of blocks, with `steps_of(block)` in place of each block."""
        outside = self._outside_of_blocks
        placed: list[StepSpec | Item] = []
        begin = 0
        for block in self.blocks:
            placed += (*outside[begin : block.before], *steps_of(block))
            begin = block.before
        return (*placed, *outside[begin:])

    @property
    def _outside_of_blocks(self) -> tuple[StepSpec, ...]:
        if not self.blocks:
            return self.steps
        return tuple(step for step in self.steps if base_of(step.id) == step.id)

    def with_waits(self) -> Self:
        """Return the flow with what those steps wait for also that ask how the run ends (rule 3.9).

        These are all steps of `finally` that neither ask that, nor wait for one that does.
        """
        late = {step.id for step in self.finally_ if step.asks_run}
        if not late:
            return self
        for rank in self.finally_ranks:
            late |= {step.id for step in rank if not late.isdisjoint(step.waits_for)}
        before = tuple(step.id for step in self.finally_ if step.id not in late)
        finally_ = (
            attrs.evolve(step, waits_also=before if step.asks_run else ()) for step in self.finally_
        )
        return attrs.evolve(self, finally_=tuple(finally_))

    @cached_property
    def judged_steps(self) -> tuple[StepSpec, ...]:
        """The steps whose outcomes `run(failed)` is about (rule 3.9)."""
        names = {name for step in self.finally_ for name in step.waits_also}
        return (*self.steps, *(step for step in self.finally_ if step.id in names))

    def named(self, name: str) -> tuple[StepSpec, ...]:
        """Return the step with this id, or all copies of the step with this id (rule 10.3).

        Raises:
            UnknownStepError: There is none; names the id that was probably meant.
        """
        return tuple(map(self.step, self.copies.get(name, (name,))))

    def step(self, step_id: str) -> StepSpec:
        """Return the step with this id.

        Raises:
            UnknownStepError: There is none; names the id that was probably meant.
        """
        try:
            return self._by_id[step_id]
        except KeyError:
            copies, known = self.copies.get(step_id), (*self.copies, *self._by_id)
            is_list = all(one in known for one in step_id.split(","))
            meant = copies[0] if copies else None if is_list else Speller().closest(step_id, known)
            names = tuple(dict.fromkeys(map(base_of, self._by_id)))
            few = names if len(names) <= MOST_NAMED else ()
            raise UnknownStepError(self.flow_id, step_id, meant, few) from None

    @property
    def ranks(self) -> tuple[tuple[StepSpec, ...], ...]:
        """The steps in the order in which they can run: each rank waits for earlier ones only.

        Within a rank the steps are in the order of the file. Those of `finally` are in
        `finally_ranks`.
        """
        return self._ranks_of(self.steps)

    @property
    def finally_ranks(self) -> tuple[tuple[StepSpec, ...], ...]:
        """The steps of `finally` in the order in which they can run, after all others."""
        return self._ranks_of(self.finally_)

    def _ranks_of(self, steps: Sequence[StepSpec]) -> tuple[tuple[StepSpec, ...], ...]:
        plan = self.plan_of(steps)
        places = {step.id: place for place, step in enumerate(steps)}
        ranks = []
        while ready := plan.get_ready():
            rank = sorted(places[name] for name in ready if name in places)
            if rank:
                ranks.append(tuple(steps[place] for place in rank))
            plan.done(*ready)
        return tuple(ranks)

    def plan_of(self, steps: Sequence[StepSpec]) -> "TopologicalSorter[str]":
        """Return the order of some of the steps by what they wait for among themselves.

        A name that means copies is a node of its own, so that ten thousand steps may wait for ten
        thousand copies (rule 10.3). If the steps are as written, a copy's id means its step.

        Raises:
            CycleError: They wait for each other.
        """
        # Importing it takes longer than most commands take.
        from graphlib import TopologicalSorter

        among = {step.id for step in steps}
        named = {name: ids for name, ids in self.copies.items() if among.issuperset(ids)}
        among.update(named)
        waits = {
            step.id: [
                name
                for written in step.waits_for
                if (name := written if written in among else base_of(written)) in among
            ]
            for step in steps
        }
        plan: TopologicalSorter[str] = TopologicalSorter({**waits, **named})
        plan.prepare()
        return plan

    def environment(
        self,
        step: StepSpec,
        *,
        run_key: str,
        attempt_no: int,
        failed: Iterable[str],
        outcome: str | None = None,
    ) -> dict[str, str]:
        """Return the variables of a step's process, without those it inherits (rules 9.12, 9.13).

        `failed` are the ids of the steps that FAILED; the variable holds as many as fit. `outcome`
        is how `steps` ended, for a step of `finally` (rule 10.1).
        """
        told = {
            StepVariable.RUN_KEY: run_key,
            StepVariable.ID: self.flow_id,
            StepVariable.STEP: step.id,
            StepVariable.ATTEMPT: str(attempt_no),
            StepVariable.FAILED_STEPS: joined_ids(failed),
        }
        if outcome is not None:
            told[StepVariable.OUTCOME] = outcome
        return {**dict(self.env), **dict(step.env), **dict(self.values), **told}

    def env_files_of(self, step: StepSpec) -> tuple[EnvFile, ...]:
        """Return the files whose variables a step's process sees; later ones override earlier ones.

        Parameters, and variables that the flow sets at the same level or at the step, outrank them
        (rules 10.2 and 10.4). Steps of `finally` can do without those of the flow.
        """
        of_step = frozenset(name for name, _ in (*step.env, *self.values))
        of_flow = of_step | {name for name, _ in self.env}
        in_finally = step.id in self.finally_ids
        return tuple(
            EnvFile(path_of(file), outranked_by, file == path_of(file), is_dispensable)
            for files, outranked_by, is_dispensable in (
                (self.env_file, of_flow, in_finally),
                (step.env_file, of_step, False),
            )
            for file in files
        )

    def with_env(self, env: Mapping[str, str]) -> Self:
        """Return the flow with these variables added to its `env`, replacing those there.

        A value that looks like a name is plain text.
        """
        if "env" in self.fills:
            env = {name: escaped(text) for name, text in env.items()}
        return attrs.evolve(self, env=tuple(sorted({**dict(self.env), **env}.items())))

    def with_until(self, names: Collection[str]) -> Self:
        """Return the flow of a file for a run of these steps, or of all if none is named.

        Only these, and what they wait for, directly or not, can run; `finally` runs as always.

        Raises:
            UnknownStepError: There is no such step.
        """
        if not names:
            return self
        needed = {step.id for name in self._reached_from(names) for step in self.named(name)}
        left_out = tuple(step.id for step in self.steps if step.id not in needed)
        return attrs.evolve(self, until=tuple(sorted({*names})), left_out=left_out)

    def _reached_from(self, names: Iterable[str]) -> set[str]:
        """Return these names, and those for which they wait, directly or not."""
        todo = seen = {*names}
        while todo:
            steps = (step for name in todo for step in self.named(name))
            todo = {name for step in steps for name in step.waits_for} - seen
            seen = seen | todo
        return seen

    def with_params(self, given: Mapping[str, str]) -> Self:
        """Return the flow with a value for each parameter: the given one, else the default.

        Its words still hold the names, for some have values only in a run: see `filled`.

        Raises:
            ParamsError: A value is missing, not allowed, or of an unknown parameter, or makes a
                word that cannot be an argument; holds every problem.
        """
        problems = tuple(problems_of_values(self.params, given))
        if problems:
            raise ParamsError(self.flow_id, problems)
        bound = attrs.evolve(self, values=tuple({**self.default_values, **given}.items()))
        problems = tuple(_problems_of_words(bound))
        if problems:
            raise ParamsError(self.flow_id, problems)
        return bound

    @property
    def default_values(self) -> Mapping[str, str]:
        """The default of each parameter; empty text where there is none."""
        return {param.name: param.default or "" for param in self.params}

    @property
    def has_names(self) -> bool:
        """Whether some words hold names to replace (rule 10.2)."""
        return bool(self.fills) or any(step.fills for step in self.all_steps)

    def filled(self, values: Mapping[str, str]) -> Self:
        """Return the flow with all names replaced, in its words and those of its steps (rule 10.2).

        Parameters have the values of the run; a copy also has those of its block (rule 10.3).

        Raises:
            MissingValuesError: There is no value for some names; holds all of these.
        """
        if not self.has_names:
            return self
        values = {**values, **dict(self.values)}
        missing: dict[str, None] = {}
        of_run = Noting(values, missing)
        flow = attrs.evolve(
            filled_record(self, self.fills, of_run),
            steps=tuple(
                step.filled(Noting({**values, **self.values_of(step.id)}, missing))
                if step.fills
                else step
                for step in self.steps
            ),
            finally_=tuple(step.filled(of_run) for step in self.finally_),
        )
        if missing:
            raise MissingValuesError(tuple(missing))
        return flow

    def filled_without_run(self) -> Self:
        """Return the flow with all names replaced whose values need no run.

        Built-in names stand for themselves, for example when two flows are compared.
        """
        return self.filled({name: name for name in BUILT_IN})

    def unfilled(self) -> Self:
        """Return the flow with no words to fill: `${{` in them is plain text."""
        return attrs.evolve(
            self,
            fills=(),
            steps=tuple(attrs.evolve(step, fills=()) for step in self.steps),
            finally_=tuple(attrs.evolve(step, fills=()) for step in self.finally_),
        )

    def to_json(self) -> str:
        """Return the stored form: compact JSON without what is at its default."""
        from flow_spec.stored_form import to_json

        return to_json(attrs.evolve(self, steps=self._outside_of_blocks))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Rebuild a flow from what `to_json` returned.

        Types and keys are checked; the rest was checked when the flow file was read.

        Raises:
            StoredFlowError: The text is something else; names what does not fit.
        """
        from flow_spec.stored_form import from_json

        return from_json(text, cls).with_copies()

    def to_data(self) -> dict[str, Any]:
        """Return what a flow file holds of the flow: dicts, lists, texts, numbers and booleans.

        `parse_flow` reads the same flow back, so this also checks a flow that was not read from a
        file. A script is written as the command that it stands for, and `defaults` in each step.

        Raises:
            FlowFileError: No file can hold the flow; holds every problem.
        """
        from flow_spec.stored_form import to_data

        return to_data(self, self._placed(lambda block: [block]))


_DEFAULTS = Declaration(
    DEFAULTS,
    "Default values for the fields of every step.",
    default=None,
    examples=({"retries": 2, "timeout_sec": "1h"},),
)


class FlowRecord(Record):
    """A flow in a file, whose `steps` may hold blocks, and which may have `defaults`."""

    @cached_property
    def fields(self) -> dict[str, Declaration]:
        """The fields of a flow, and `defaults`."""
        return declarations(self.cls) | {"defaults": _DEFAULTS}

    def _entries(self, here: Cursor) -> Iterable[tuple[str, Cursor, Cursor]]:
        """Return the entries, `defaults` first: steps are read with them."""
        return sorted(here.entries(), key=lambda entry: entry[0] != "defaults")

    def _made(self, values: dict[str, Any], here: Cursor) -> Any:
        if here.reading.problems:
            return None
        values.pop("defaults", None)
        steps: list[StepSpec] = []
        blocks: list[Block] = []
        for item in values["steps"]:
            if isinstance(item, Block):
                blocks.append(attrs.evolve(item, before=len(steps)))
            else:
                steps.append(item)
        values |= {"steps": tuple(steps), "blocks": tuple(blocks)}
        if here.reading.words:
            values["fills"] = fields_to_fill(values, OF_FLOW)
        return super()._made(values, here)


FLOW = FlowRecord(FlowSpec, "a flow", foreign=("$schema",))
"""A flow file. In a JSON file, `$schema` tells an editor where the JSON Schema is."""


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a flow file, for editors (rule 9.2).

    It describes shapes, bounds and words. Only `load_flow` checks names of steps, conditions and
    cycles.
    """
    return file_schema(FLOW, "orchesjob flow", "Steps that depend on each other.")


def _problems_of_words(flow: FlowSpec) -> Iterator[Problem]:
    # The values of the other names are short, and known only when a runner takes over the run.
    filled = flow.filled_without_run()
    for field in flow.fills:
        for place, flaw in _flaws(field, getattr(filled, field)):
            if flaw is not None:
                yield Problem(str(flaw), place)
    for step, whole in zip(flow.all_steps, filled.all_steps, strict=True):
        for field in step.fills:
            for place, flaw in _flaws(field, getattr(whole, field)):
                if flaw is not None:
                    yield Problem(f"{place} {flaw}", f"step {quoted(step.id)}")


def _flaws(field: str, value: Any) -> Iterator[tuple[str, Message | None]]:
    match field:
        case "env":
            for name, text in value:
                yield f"env.{name}", flaw_of_setting(name, text)
        case "command" | "only_if":
            yield field, None if value[0] else NO_PROGRAM
            for index, word in enumerate(value):
                yield f"{field}[{index}]", Word().flaw(word)
        case "concurrency":
            yield "concurrency.group", GROUP.flaw(value.group)
        case "working_dir":
            yield field, DIRECTORY.flaw(value)
        case _:
            for index, file in enumerate(value):
                yield f"{field}[{index}]", DIRECTORY.flaw(path_of(file))
