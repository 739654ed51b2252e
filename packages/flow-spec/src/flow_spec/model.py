"""What a flow is: `FlowSpec` and `StepSpec`, immutable values.

Their declared fields are the schema of a flow file (see `fields`). Here live the values, what
follows from them alone, and their stored form; reading files does not.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Literal, Self

import attrs

from flow_conditions import Condition, all_of
from flow_spec.conditions import parse_when
from flow_spec.differences import differences
from flow_spec.errors import StoredFlowError, UnknownStepError
from flow_spec.fields import CommandWords, ListOf, Record, SetOf, Variables, declarations, declared
from flow_spec.kinds import (
    Boolean,
    Expression,
    Integer,
    Line,
    Number,
    Prose,
    Reference,
    StepId,
    Word,
)
from flow_spec.spelling import Speller

_MOST_RETRIES = 1_000_000
_MOST_PARALLEL = 1_000_000
_EXIT_CODE = Integer(minimum=0, maximum=255)
_EXIT_CODES = ("success_exit_codes", "skip_exit_codes", "retry_exit_codes")
_LARGEST_FACTOR = 1000.0
_LONGEST_PATH = 4096
_TEN_YEARS_SEC = 10 * 366 * 24 * 3600.0
_LONGEST_LIST = 65_536
"""Characters: the system passes no variable of more than 128 KiB, and all of them share a space."""


@attrs.frozen
class StepSpec:
    """One step: a command, and when it runs. Rule 2.2.

    The classes do not check what they are given; `load_flow` and `parse_flow` do.
    """

    id: str = declared(StepId(), "The step's name, by which conditions refer to it.", "download")
    command: tuple[str, ...] = declared(
        CommandWords(Word(), "words", '["echo", "hello"]', min_items=1),
        "The program and its arguments, run as they stand, without a shell.",
        ["python3", "load.py", "--all"],
        ["sh", "-c", "gzip -k *.csv"],
    )
    when: str | None = declared(
        Expression(),
        "The condition over other steps' outcomes under which the step runs.",
        "download && validate",
        "!load",
        "fetch.failed || load.failed",
        "any(failed)",
        default=None,
    )
    depends_on: tuple[str, ...] = declared(
        ListOf(Reference(), "step ids", "[download]", distinct=True),
        "Steps to wait for; without `when`, all of them must succeed.",
        ["download", "validate"],
        default=(),
    )
    retries: int = declared(
        Integer(minimum=0, maximum=_MOST_RETRIES),
        "How many more times a failed attempt is made.",
        3,
        default=0,
    )
    retry_delay_sec: float = declared(
        Number(maximum=_TEN_YEARS_SEC),
        "Seconds between a failed attempt and the next.",
        60,
        default=0.0,
    )
    retry_backoff: float = declared(
        Number(minimum=1.0, maximum=_LARGEST_FACTOR),
        "The factor by which the delay grows with each failure.",
        2,
        default=1.0,
    )
    retry_max_delay_sec: float | None = declared(
        Number(maximum=_TEN_YEARS_SEC),
        "Seconds beyond which the delay does not grow.",
        900,
        default=None,
    )
    env: tuple[tuple[str, str], ...] = declared(
        Variables(),
        "Environment variables for the command, laid over those of the flow.",
        {"LANG": "C", "SHOP": "berlin"},
        default=(),
    )
    working_dir: str | None = declared(
        Line(max_length=_LONGEST_PATH),
        "The directory in which the command runs, instead of that of the flow.",
        "load",
        default=None,
    )
    timeout_sec: float | None = declared(
        Number(maximum=_TEN_YEARS_SEC, above_minimum=True),
        "Seconds after which an attempt is aborted and counts as failed.",
        3600,
        default=None,
    )
    success_exit_codes: tuple[int, ...] = declared(
        SetOf(_EXIT_CODE, "exit codes", "[0, 3]", min_items=1),
        "The exit codes with which an attempt succeeds.",
        [0, 3],
        default=(0,),
    )
    skip_exit_codes: tuple[int, ...] = declared(
        SetOf(_EXIT_CODE, "exit codes", "[4]"),
        "The exit codes with which an attempt makes the step SKIPPED.",
        [4],
        default=(),
    )
    retry_exit_codes: tuple[int, ...] = declared(
        SetOf(_EXIT_CODE, "exit codes", "[75]", min_items=1),
        "The only exit codes after which a failed attempt is made again.",
        [75],
        default=(),
    )
    allow_failure: bool = declared(
        Boolean(),
        "Whether the run may succeed though this step has failed.",
        True,
        default=False,
    )
    strict: bool = declared(
        Boolean(),
        "Whether a run key that has succeeded is never executed again.",
        False,
        default=True,
    )
    start_timeout_sec: float | None = declared(
        Number(maximum=_TEN_YEARS_SEC),
        "Seconds that a start waits for the command to be under way.",
        30,
        default=None,
    )
    description: str | None = declared(
        Prose(max_length=10_000),
        "What the step is for.",
        "Gets the day's orders from the shop.",
        means=False,
        default=None,
    )

    @cached_property
    def condition(self) -> Condition | None:
        """The parsed `when`, else the conjunction of `depends_on`, else None. Rule 3.5."""
        if self.when is not None:
            return parse_when(self.when, self.depends_on)
        return all_of(self.depends_on) if self.depends_on else None

    def delay_after(self, failures: int) -> float:
        """Return the seconds between so many failures and the next attempt. Rule 9.12."""
        most = _TEN_YEARS_SEC if self.retry_max_delay_sec is None else self.retry_max_delay_sec
        try:
            return min(self.retry_delay_sec * self.retry_backoff ** (failures - 1), most)
        except OverflowError:
            return most if self.retry_delay_sec else 0.0

    def outcome_of(self, exit_code: int) -> Literal["SUCCEEDED", "FAILED", "SKIPPED"]:
        """Return how an attempt ends whose command ended by itself with this code. Rule 9.12."""
        if exit_code in self.skip_exit_codes:
            return "SKIPPED"
        return "SUCCEEDED" if exit_code in self.success_exit_codes else "FAILED"

    @cached_property
    def waits_for(self) -> tuple[str, ...]:
        """The ids of `depends_on`, then the further ones of `when`, each once. Rule 3.6."""
        named = () if self.condition is None else self.condition.names
        return tuple(dict.fromkeys((*self.depends_on, *named)))


@attrs.frozen
class FlowSpec:
    """A flow: its steps in the order of the file. Rule 2.2."""

    flow_id: str = declared(Line(max_length=255), "The flow's name.", "daily-import")
    steps: tuple[StepSpec, ...] = declared(
        ListOf(
            Record(StepSpec, "a step", apart=_EXIT_CODES),
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
        Line(max_length=_LONGEST_PATH),
        "The directory in which the commands run, taken from that in which the run is started.",
        "/srv/shop",
        default=None,
    )
    max_parallel: int | None = declared(
        Integer(minimum=1, maximum=_MOST_PARALLEL),
        "How many steps may run at once.",
        4,
        default=None,
    )
    timeout_sec: float | None = declared(
        Number(maximum=_TEN_YEARS_SEC, above_minimum=True),
        "Seconds after which the whole run is ended and has failed.",
        14_400,
        default=None,
    )

    @cached_property
    def _by_id(self) -> Mapping[str, StepSpec]:
        return {step.id: step for step in self.steps}

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

        Within a rank the steps are in the order of the file.
        """
        from graphlib import TopologicalSorter

        plan = TopologicalSorter({step.id: step.waits_for for step in self.steps})
        plan.prepare()
        ranks = []
        while ready := set(plan.get_ready()):
            ranks.append(tuple(step for step in self.steps if step.id in ready))
            plan.done(*ready)
        return tuple(ranks)

    def differences(self, other: Self) -> tuple[str, ...]:
        """Return a sentence for each way in which `other`, the newer flow, means something else.

        Descriptions, the order of the steps, the spelling of a condition and defaults that are
        written out make no difference. Rule 4.4.
        """
        return differences(self, other)

    def environment(
        self, step: StepSpec, *, run_key: str, attempt: int, failed: Iterable[str]
    ) -> dict[str, str]:
        """Return the variables that a step's process has beside those of who starts it.

        `failed` are the ids of the steps that have FAILED, of which no more are named than one
        variable may hold. Rules 9.12 and 9.13.
        """
        return {
            **dict(self.env),
            **dict(step.env),
            "ORCHESJOB_FLOW_RUN_KEY": run_key,
            "ORCHESJOB_FLOW_ID": self.flow_id,
            "ORCHESJOB_FLOW_STEP": step.id,
            "ORCHESJOB_FLOW_ATTEMPT": str(attempt),
            "ORCHESJOB_FLOW_FAILED_STEPS": " ".join(_within(failed, _LONGEST_LIST)),
        }

    def with_env(self, env: Mapping[str, str]) -> Self:
        """Return the flow with these variables laid over its `env`."""
        return attrs.evolve(self, env=tuple(sorted({**dict(self.env), **env}.items())))

    def to_json(self) -> str:
        """Return the flow as compact JSON, without what is at its default."""
        return json.dumps(_bare(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Rebuild a flow from what `to_json` returned, which is not validated again.

        Raises:
            StoredFlowError: the text is something else.
        """
        try:
            stored = json.loads(text)
            steps = tuple(_step(fields) for fields in stored.pop("steps"))
            return cls(steps=steps, **_values(stored))
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
            raise StoredFlowError(f"{type(error).__name__}: {error}") from None


def _within(names: Iterable[str], length: int) -> Iterator[str]:
    """Yield the names that fit into a list of so many characters."""
    for name in names:
        length -= len(name) + 1
        if length < 0:
            return
        yield name


def _bare(spec: FlowSpec | StepSpec) -> dict[str, Any]:
    values = {}
    for name, field in declarations(type(spec)).items():
        value = getattr(spec, name)
        if value != field.default:
            values[name] = value
    if "steps" in values:
        values["steps"] = [_bare(step) for step in values["steps"]]
    if "env" in values:
        values["env"] = dict(values["env"])
    return values


def _step(stored: Mapping[str, Any]) -> StepSpec:
    return StepSpec(**_values(stored))


def _values(stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return stored values as the classes hold them: nothing that can be changed."""
    return {name: _value(value) for name, value in stored.items()}


def _value(stored: Any) -> Any:
    if isinstance(stored, list):
        return tuple(stored)
    return tuple(stored.items()) if isinstance(stored, dict) else stored
