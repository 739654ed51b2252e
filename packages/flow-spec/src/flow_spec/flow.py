"""`FlowSpec`, a flow as an immutable value: its fields, its steps, and what follows from them.

Its declared fields are the schema of a flow file (see `declaration`). Files are read in
`flow_file`, and two flows compared in `comparison`.
"""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Self

import attrs

from flow_spec.concurrency import CONCURRENCY, Concurrency
from flow_spec.containers import ENV_FILES, ListOf, Variables
from flow_spec.declaration import declared
from flow_spec.defaults import FINALLY_STEP, STEP, FlowRecord
from flow_spec.environment import EnvFile, run_variables
from flow_spec.errors import UnknownStepError
from flow_spec.filling import filled_record
from flow_spec.kinds import DIRECTORY, SECONDS_ABOVE_ZERO, Integer, Line
from flow_spec.params import Param, Params
from flow_spec.placeholders import BUILT_IN, escaped
from flow_spec.spelling import Speller
from flow_spec.step import StepSpec


@attrs.frozen
class FlowSpec:
    """A flow: its steps in the order of the file. Rule 2.2."""

    flow_id: str = declared(Line(max_length=255), "The flow's name.", "daily-import")
    steps: tuple[StepSpec, ...] = declared(
        ListOf(
            STEP,
            "steps",
            "[{id: hello, command: [echo, hello]}]",
            min_items=1,
        ),
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

    params: tuple[Param, ...] = declared(
        Params(),
        "Parameters, to which each run gives values.",
        {"SHOP": "berlin", "DAY": {"pattern": "[0-9]{4}-[0-9]{2}-[0-9]{2}"}},
        significant=False,
        default=(),
    )
    """What may be given to a run; what it does follows from its `values` (rule 10.2)."""

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

    def step(self, step_id: str) -> StepSpec:
        """Return the step with this id.

        Raises:
            UnknownStepError: there is none; names the id that was probably meant.
        """
        try:
            return self._by_id[step_id]
        except KeyError:
            meant = Speller().closest(step_id, self._by_id)
            raise UnknownStepError(self.flow_id, step_id, meant) from None

    @property
    def ranks(self) -> tuple[tuple[StepSpec, ...], ...]:
        """The steps in the order in which they can run: each rank waits for earlier ones only.

        Within a rank the steps are in the order of the file. Those of `finally` are in
        `finally_ranks`.
        """
        return _ranks(self.steps)

    @property
    def finally_ranks(self) -> tuple[tuple[StepSpec, ...], ...]:
        """The steps of `finally` in the order in which they can run, after all others."""
        return _ranks(self.finally_)

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

        Parameters have those of the run. What comes of it is a flow like any other. Rule 10.2.
        """
        if not self.has_names:
            return self
        values = {**values, **dict(self.values)}
        return attrs.evolve(
            filled_record(self, self.fills, values),
            steps=tuple(step.filled(values) for step in self.steps),
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

        return to_json(self)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Rebuild a flow from what `to_json` returned.

        Types and keys are checked; what a value means was checked when the flow file was read.

        Raises:
            StoredFlowError: the text is something else; names what does not fit.
        """
        from flow_spec.stored_form import from_json

        return from_json(text, cls)


def _ranks(steps: tuple[StepSpec, ...]) -> tuple[tuple[StepSpec, ...], ...]:
    """Return steps in the order in which they can run, each rank after those it waits for."""
    from graphlib import TopologicalSorter

    among = {step.id for step in steps}
    plan = TopologicalSorter({step.id: among.intersection(step.waits_for) for step in steps})
    plan.prepare()
    ranks = []
    while ready := set(plan.get_ready()):
        ranks.append(tuple(step for step in steps if step.id in ready))
        plan.done(*ready)
    return tuple(ranks)


FLOW = FlowRecord(FlowSpec, "a flow", foreign=("$schema",))
"""What a flow file holds. In a JSON file, `$schema` tells an editor where the JSON Schema is."""
