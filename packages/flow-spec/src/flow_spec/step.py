"""`StepSpec`, one step of a flow as an immutable value: its fields, and what follows from them.

Its declared fields are the schema of a step in a file (see `declaration`).
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, Self

import attrs

from flow_conditions import Condition, all_of
from flow_spec.containers import ENV_FILES, CommandWords, ListOf, SetOf, Variables
from flow_spec.declaration import declared
from flow_spec.filling import filled_record
from flow_spec.foreign_mapping import ForeignMapping
from flow_spec.kinds import (
    DIRECTORY,
    SECONDS,
    SECONDS_ABOVE_ZERO,
    Boolean,
    Integer,
    Number,
    OneOf,
    Prose,
    Word,
)
from flow_spec.predicates import parse_when
from flow_spec.retry_delay import retry_delay_sec
from flow_spec.script import script_of
from flow_spec.step_names import Expression, Reference, StepId
from flow_spec.warning_codes import WarningCode

EXIT_CODE_LISTS = ("success_exit_codes", "skip_exit_codes", "retry_exit_codes")
"""The fields that give an exit code a meaning, of which it can have one."""

GATE_OUTCOMES: Mapping[int, Literal["SUCCEEDED", "SKIPPED"]] = {0: "SUCCEEDED", 1: "SKIPPED"}
"""What `only_if` says with its exit code; any other is a failure. Rule 10.8."""

WARNINGS = ListOf(OneOf(WarningCode), "codes of warnings", "[no-effect]", distinct=True)
"""The codes of what is meant, of a step or of the whole flow (rule 11.2)."""

_EXIT_CODE = Integer(minimum=0, maximum=255)


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
    only_if: tuple[str, ...] = declared(
        CommandWords(Word(), "words", '["test", "-f", "/etc/backups/auto"]', min_items=1),
        "A command that is asked once `when` is true: with 0 the step runs, with 1 it is skipped.",
        ["test", "-f", "/etc/backups/auto"],
        ["systemctl", "is-active", "--quiet", "postgresql"],
        default=(),
    )
    """The gate: what is asked before the command, or nothing. Rule 10.8."""
    retries: int = declared(
        Integer(minimum=0, maximum=1_000_000),
        "How many more times a failed attempt is made.",
        3,
        default=0,
    )
    retry_delay_sec: float = declared(
        SECONDS,
        "Seconds between a failed attempt and the next.",
        60,
        default=0.0,
    )
    retry_backoff: float = declared(
        Number(minimum=1.0, maximum=1000.0),
        "The factor by which the delay grows with each failure.",
        2,
        default=1.0,
    )
    retry_max_delay_sec: float | None = declared(
        SECONDS,
        "Seconds beyond which the delay does not grow.",
        900,
        "15m",
        default=None,
    )
    env: tuple[tuple[str, str], ...] = declared(
        Variables(),
        "Environment variables for the command, laid over those of the flow.",
        {"LANG": "C", "SHOP": "berlin"},
        default=(),
    )
    env_file: tuple[str, ...] = declared(
        ENV_FILES,
        "Files of NAME=VALUE lines, read when an attempt starts and never recorded.",
        "/etc/shop/secrets.env",
        ["common.env", "secrets.env"],
        default=(),
    )
    working_dir: str | None = declared(
        DIRECTORY,
        "The directory in which the command runs, instead of that of the flow.",
        "load",
        default=None,
    )
    timeout_sec: float | None = declared(
        SECONDS_ABOVE_ZERO,
        "Seconds after which an attempt is aborted and counts as failed.",
        3600,
        "1h30m",
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
        SECONDS,
        "Seconds that a start waits for the command to be under way.",
        30,
        default=None,
    )
    description: str | None = declared(
        Prose(max_length=10_000),
        "What the step is for.",
        "Gets the day's orders from the shop.",
        significant=False,
        default=None,
    )

    allow_warnings: tuple[WarningCode, ...] = declared(
        WARNINGS,
        "What `validate` does not warn of, because it is meant.",
        ["no-effect"],
        significant=False,
        default=(),
    )

    x_airflow: tuple[tuple[str, str], ...] = declared(
        ForeignMapping("{queue: import-hosts, pool: shop}"),
        "Arguments of the step's task on Airflow; everywhere else they change nothing.",
        {"queue": "import-hosts", "pool": "shop", "outlets": ["s3://shop/orders"]},
        significant=False,
        default=(),
    )
    """Pairs of an argument and its value in JSON. Rule 13.4."""

    fills: tuple[str, ...] = ()
    """The fields whose words hold names; none where the words are what they are (rule 10.2)."""

    @cached_property
    def condition(self) -> Condition | None:
        """The parsed `when`, else the conjunction of `depends_on`, else None. Rule 3.5."""
        if self.when is not None:
            return parse_when(self.when, self.depends_on)
        return all_of(self.depends_on) if self.depends_on else None

    @property
    def script(self) -> str | None:
        """The text that the command passes to the usual shell, or None. Rule 10.4."""
        return script_of(self.command)

    def filled(self, values: Mapping[str, str]) -> Self:
        """Return the step with the values of all names in its words (rule 10.2)."""
        return filled_record(self, self.fills, values)

    def delay_after(self, failures: int) -> float:
        """Return the seconds between so many failures and the next attempt. Rule 9.12."""
        return retry_delay_sec(
            failures,
            first_sec=self.retry_delay_sec,
            factor=self.retry_backoff,
            longest_sec=self.retry_max_delay_sec,
        )

    def command_of(self, *, is_gate: bool) -> tuple[str, ...]:
        """Return what an attempt executes: `only_if`, if it is one at the gate. Rule 10.8."""
        return self.only_if if is_gate else self.command

    def outcome_of(
        self, exit_code: int, *, is_gate: bool = False
    ) -> Literal["SUCCEEDED", "FAILED", "SKIPPED"]:
        """Return how an attempt ends whose command ended by itself with this code.

        At the gate, SUCCEEDED lets the step run; the lists are about its own command. Rules 9.12
        and 10.8.
        """
        if is_gate:
            return GATE_OUTCOMES.get(exit_code, "FAILED")
        if exit_code in self.skip_exit_codes:
            return "SKIPPED"
        return "SUCCEEDED" if exit_code in self.success_exit_codes else "FAILED"

    @cached_property
    def waits_for(self) -> tuple[str, ...]:
        """The ids of `depends_on`, then the further ones of `when`, each once. Rule 3.6."""
        condition = None if self.when is None else self.condition
        named = () if condition is None else condition.names
        return tuple(dict.fromkeys((*self.depends_on, *named)))
