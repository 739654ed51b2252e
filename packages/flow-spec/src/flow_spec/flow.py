"""`FlowSpec`, a flow as an immutable value: its fields, its steps, and what follows from them.

Its declared fields are the schema of a flow file (see `declaration`), with an example of each:
that is what makes the module long. Files are read in `flow_file`, and two flows compared in
`comparison`.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Self

import attrs

from flow_spec.blocks import Block, base_of, copy_id
from flow_spec.concurrency import CONCURRENCY, Concurrency
from flow_spec.containers import ENV_FILES, ListOf, Variables
from flow_spec.declaration import declared
from flow_spec.defaults import FINALLY_STEP
from flow_spec.environment import EnvFile, run_variables
from flow_spec.errors import UnknownStepError
from flow_spec.filling import filled_record
from flow_spec.foreach import STEPS_AND_BLOCKS, FlowWithBlocks
from flow_spec.kinds import DIRECTORY, SECONDS_ABOVE_ZERO, Integer, Line
from flow_spec.messages import MOST_NAMED
from flow_spec.order import plan_of, ranks_of
from flow_spec.params import Param, Params
from flow_spec.placeholders import BUILT_IN, escaped
from flow_spec.spelling import Speller
from flow_spec.step import WARNINGS, StepSpec
from flow_spec.warning_codes import WarningCode

if TYPE_CHECKING:
    from graphlib import TopologicalSorter


@attrs.frozen
class FlowSpec:
    """A flow: its steps in the order of the file. Rule 2.2."""

    flow_id: str = declared(Line(max_length=255), "The flow's name.", "daily-import")
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
        "The directory in which the commands run, taken from that in which the run is started.",
        "/srv/shop",
        default=None,
    )
    max_parallel: int | None = declared(
        Integer(minimum=1, maximum=1_000_000),
        "How many steps may run at once.",
        4,
        default=None,
    )
    timeout_sec: float | None = declared(
        SECONDS_ABOVE_ZERO,
        "Seconds after which the whole run is ended and has failed.",
        14_400,
        "4h",
        default=None,
    )
    env_file: tuple[str, ...] = declared(
        ENV_FILES,
        "Files of NAME=VALUE lines, read whenever an attempt starts and never recorded.",
        "/etc/shop/secrets.env",
        ["common.env", "secrets.env"],
        default=(),
    )
    concurrency: Concurrency | None = declared(
        CONCURRENCY,
        "Let only one run of a group be under way at a time.",
        {"on_conflict": "wait"},
        {"group": "warehouse", "on_conflict": "skip"},
        default=None,
    )
    finally_: tuple[StepSpec, ...] = declared(
        ListOf(
            FINALLY_STEP,
            "steps",
            "[{id: tidy, command: [rm, -rf, work]}]",
        ),
        "Steps that run when all others have ended, in whatever way, also after a cancel.",
        [{"id": "tidy", "command": ["rm", "-rf", "work"]}],
        default=(),
    )
    """The steps of `finally`, in the order of the file. Rule 10.1."""
    blocks: tuple[Block, ...] = ()
    """What the copies among `steps` are copies of. Rule 10.3."""

    params: tuple[Param, ...] = declared(
        Params(),
        "Parameters, to which each run gives values.",
        {"SHOP": "berlin", "DAY": {"pattern": "[0-9]{4}-[0-9]{2}-[0-9]{2}"}},
        significant=False,
        default=(),
    )
    """What may be given to a run; what it does follows from its `values` (rule 10.2)."""

    allow_warnings: tuple[WarningCode, ...] = declared(
        WARNINGS,
        "What `validate` does not warn of anywhere in the flow, because it is meant.",
        ["no-such-program"],
        significant=False,
        default=(),
    )

    values: tuple[tuple[str, str], ...] = ()
    """The values of all `params`, for a run; none yet where the flow is that of a file."""

    fills: tuple[str, ...] = ()
    """The fields of the flow itself whose words hold names (rule 10.2)."""

    @property
    def group(self) -> str | None:
        """The name of the group of which one run is under way at a time, if there is one (10.7)."""
        return None if self.concurrency is None else self.concurrency.group or self.flow_id

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
        """The ids of the copies of each step in a block, by its id as it is written. Rule 10.3."""
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
        """Return the names and values of the copy that a step is; nothing if it is none."""
        return self._values.get(step_id, {})

    @property
    def lists(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """The lists that were read from elsewhere, by what they are in the file: word and text."""
        return {
            (one.origin, one.text): one.values
            for block in self.blocks
            for one in block.lists
            if one.origin is not None and one.text is not None
        }

    @cached_property
    def as_written(self) -> Self:
        """The flow with each step of a block once, as it is written, and without blocks."""
        return attrs.evolve(self, steps=self._placed(lambda block: block.steps), blocks=())

    def with_copies(self) -> Self:
        """Return a flow whose `steps` are those outside of its blocks with all steps."""
        if not self.blocks:
            return self
        return attrs.evolve(self, steps=self._placed(Block.expanded))

    def _placed(self, steps_of: Callable[[Block], Iterable[StepSpec]]) -> tuple[StepSpec, ...]:
        """Put the steps that are made of each block in its place."""
        outside = self._outside_of_blocks
        placed: list[StepSpec] = []
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

    def named(self, name: str) -> tuple[StepSpec, ...]:
        """Return the step with this id, or all copies of the step that it is. Rule 10.3.

        Raises:
            UnknownStepError: there is none; names the id that was probably meant.
        """
        return tuple(map(self.step, self.copies.get(name, (name,))))

    def step(self, step_id: str) -> StepSpec:
        """Return the step with this id.

        Raises:
            UnknownStepError: there is none; names the id that was probably meant.
        """
        try:
            return self._by_id[step_id]
        except KeyError:
            copies = self.copies.get(step_id)
            meant = (
                copies[0] if copies else Speller().closest(step_id, (*self.copies, *self._by_id))
            )
            names = tuple(dict.fromkeys(map(base_of, self._by_id)))
            few = names if len(names) <= MOST_NAMED else ()
            raise UnknownStepError(self.flow_id, step_id, meant, few) from None

    @property
    def ranks(self) -> tuple[tuple[StepSpec, ...], ...]:
        """The steps in the order in which they can run: each rank waits for earlier ones only.

        Within a rank the steps are in the order of the file. Those of `finally` are in
        `finally_ranks`.
        """
        return ranks_of(self.steps, self.copies)

    @property
    def finally_ranks(self) -> tuple[tuple[StepSpec, ...], ...]:
        """The steps of `finally` in the order in which they can run, after all others."""
        return ranks_of(self.finally_, self.copies)

    def plan_of(self, steps: Iterable[StepSpec]) -> "TopologicalSorter[str]":
        """Return the order of some of the steps by what they wait for among themselves.

        A name that means copies is a node of its own (rule 10.3).

        Raises:
            CycleError: they wait for each other.
        """
        return plan_of(tuple(steps), self.copies)

    def environment(
        self,
        step: StepSpec,
        *,
        run_key: str,
        attempt: int,
        failed: Iterable[str],
        outcome: str | None = None,
    ) -> dict[str, str]:
        """Return the variables of a step's process, besides those that it inherits.

        `failed` are the ids of the steps that have FAILED, of which no more are named than one
        variable may hold; `outcome` is how `steps` have ended, for a step of `finally`. Rules 9.12,
        9.13 and 10.1.
        """
        return {
            **dict(self.env),
            **dict(step.env),
            **dict(self.values),
            **run_variables(
                run_key=run_key,
                flow_id=self.flow_id,
                step_id=step.id,
                attempt=attempt,
                failed=failed,
                outcome=outcome,
            ),
        }

    def env_files_of(self, step: StepSpec) -> tuple[EnvFile, ...]:
        """Return the files whose variables a step's process sees, later ones over earlier ones.

        What `environment` has of the same level, of the step, or as a parameter outranks them.
        Rules 10.2 and 10.4.
        """
        of_step = frozenset(name for name, _ in (*step.env, *self.values))
        of_flow = of_step | {name for name, _ in self.env}
        return (
            *(EnvFile(path, of_flow) for path in self.env_file),
            *(EnvFile(path, of_step) for path in step.env_file),
        )

    def with_env(self, env: Mapping[str, str]) -> Self:
        """Return the flow with these variables added to its `env`, replacing those there.

        What they hold is no name, whatever it looks like.
        """
        if "env" in self.fills:
            env = {name: escaped(text) for name, text in env.items()}
        return attrs.evolve(self, env=tuple(sorted({**dict(self.env), **env}.items())))

    @property
    def has_names(self) -> bool:
        """Whether some words hold names, and are to be filled (rule 10.2)."""
        return bool(self.fills) or any(step.fills for step in self.all_steps)

    def filled(self, values: Mapping[str, str]) -> Self:
        """Return the flow with the values of all names in its words, and in those of its steps.

        Parameters have those of the run, and a copy those of its block too. What comes of it is a
        flow like any other. Rules 10.2 and 10.3.
        """
        if not self.has_names:
            return self
        values = {**values, **dict(self.values)}
        return attrs.evolve(
            filled_record(self, self.fills, values),
            steps=tuple(
                step.filled({**values, **self.values_of(step.id)}) if step.fills else step
                for step in self.steps
            ),
            finally_=tuple(step.filled(values) for step in self.finally_),
        )

    def filled_without_run(self) -> Self:
        """Return the flow with its words filled as far as no run has to be known.

        Names that are built in stand for themselves, as for two flows that are compared.
        """
        return self.filled({name: name for name in BUILT_IN})

    def unfilled(self) -> Self:
        """Return the flow with no words to fill: what looks like a name in one is text."""
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

        Types and keys are checked; what a value means was checked when the flow file was read.

        Raises:
            StoredFlowError: the text is something else; names what does not fit.
        """
        from flow_spec.stored_form import from_json

        return from_json(text, cls).with_copies()


FLOW = FlowWithBlocks(FlowSpec, "a flow", foreign=("$schema",))
"""What a flow file holds. In a JSON file, `$schema` tells an editor where the JSON Schema is."""
