"""`StepSpec`, one step as an immutable value, and how a step is read from a file.

A file may give a step a `script` and a `shell`, which reading turns into its `command`, and leave
fields to the key `defaults` of the flow. Neither is part of a `StepSpec` (rule 10.4). Rendering
replaces the names in its words (rule 10.2). `concurrency` names a group that runs one run at a time
(rule 10.7).
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property, partial
from typing import Any, Literal, Self, cast

import attrs

import flow_conditions
from flow_spec.documents.source import quoted_in_pattern
from flow_spec.errors import Advised, Message, Span
from flow_spec.fields.kinds import (
    DIRECTORY,
    PROSE,
    SECONDS,
    SECONDS_ABOVE_ZERO,
    TEN_YEARS_SEC,
    Boolean,
    Expression,
    Integer,
    Number,
    OneOf,
    Reference,
    Schema,
    StepId,
    Text,
    Word,
    line,
)
from flow_spec.fields.predicates import RUN_WORD, End, operands_of, parse_when
from flow_spec.fields.reading import FOREACH, Cursor, escaped, filled
from flow_spec.fields.records import (
    ENV_FILES,
    PRODUCTS,
    CommandWords,
    Declaration,
    ForeignMapping,
    ListedFile,
    ListOf,
    ProducedFile,
    Record,
    SetOf,
    Variables,
    attribute_of,
    declarations,
    declared,
)

GROUP = line(255, is_filled=True)


OF = "@"
"""The separator between the id of a step and the label of a copy; no id in a file has it."""


def copy_id(step_id: str, label: str) -> str:
    """Return the id of a copy of a step."""
    return f"{step_id}{OF}{label}"


def base_of(step_id: str) -> str:
    """Return the id of a step as written, given the id of a copy."""
    return step_id.partition(OF)[0]


class OnConflict(StrEnum):
    """What happens to a new run while another one of its group runs."""

    WAIT = "wait"
    SKIP = "skip"
    FAIL = "fail"
    REPLACE = "replace"


@attrs.frozen
class Concurrency:
    """The group of a flow's runs; one of them runs at a time."""

    group: str | None = declared(
        GROUP,
        "The name of the group: flows of the same group take turns. By default the flow's id.",
        "warehouse",
        default=None,
    )
    on_conflict: OnConflict = declared(
        OneOf(OnConflict),
        "What a new run does while another one runs: it waits, is skipped, fails to start, or "
        "replaces the others.",
        "skip",
        default=OnConflict.WAIT,
    )


CONCURRENCY = Record(Concurrency, "concurrency")


class WarningCode(StrEnum):
    """The codes of warnings; each is a section of the document about warnings."""

    NEVER_RUNS = "never-runs"
    ALWAYS_TRUE = "always-true"
    NO_EFFECT = "no-effect"
    UNHANDLED_FAILURE = "unhandled-failure"
    INEXACT_ALERT = "inexact-alert"
    IGNORED_FAILURE = "ignored-failure"
    SKIP_HIDES_FAILURE = "skip-hides-failure"
    SKIPPED_CLEANUP = "skipped-cleanup"
    SHELL_SYNTAX = "shell-syntax"
    NO_SUCH_PROGRAM = "no-such-program"
    PARAMETER_IN_SHELL = "parameter-in-shell"
    LITERAL_SUBSTITUTION = "literal-substitution"
    LITERAL_VALUE = "literal-value"
    EMPTY_LIST = "empty-list"
    STALE_LIST = "stale-list"
    AMBIGUOUS_EXIT_CODE = "ambiguous-exit-code"
    LOST_FAILURE = "lost-failure"
    JOINED_LINES = "joined-lines"
    LOST_SETTING = "lost-setting"
    ZERO_IS_FAILURE = "zero-is-failure"
    UNUSED_DELAY = "unused-delay"
    SHARED_PRODUCT = "shared-product"
    STEP_NAMED_RUN = "step-named-run"
    NO_TIME_LIMIT = "no-time-limit"


SHELL = ("bash", "-euo", "pipefail", "-c")
"""What runs a script unless the file names another shell; it stops at the first failure."""

_BLANK = " \t\r\n"


class ScriptText(Text):
    """The text of a script, passed to its shell as one word."""

    _instead = "write script: | and the lines below it"

    def schema(self) -> Schema:
        """Say that it is neither blank nor the content of an executable file."""
        blank = f"[{_BLANK}]*"
        return super().schema() | {"pattern": rf"^(?!{blank}#!){blank}[^\x00{_BLANK}][^\x00]*$"}

    def _read(self, here: Cursor) -> str | None:
        if not here.is_scalar:
            return super()._read(here)
        if here.is_folded:
            remedy = 'begin the text with |, as in "script: |"'
            here.add(Advised("YAML would join these lines to one", remedy))
        if first := re.match(r"\s*(#!.*)", here.text):
            remedy = (
                "remove this line: bash runs a script, and stops at the first failure; for another "
                "program write shell: above script:, such as [python3, -c]"
            )
            message = Advised("a script cannot begin with #!", remedy)
            here.add(message, span=Span(here.text, *first.span(1)))
            return None
        return super()._read(here)

    def flaw(self, text: str) -> Message | None:
        """Return what is wrong with a script, or None."""
        if not text.strip(_BLANK):
            return Advised("must not be blank", "write the text below script: |, indented")
        return Word().flaw(text)


SCRIPT = Declaration(
    ScriptText(),
    "A script for a shell, instead of a command.",
    default=None,
    examples=("zcat *.gz | wc -l > count.txt",),
)
SHELL_OF_SCRIPT = Declaration(
    CommandWords(Word(), "words", "[bash, -euo, pipefail, -c]", min_items=1),
    "The shell that runs the script, with its arguments.",
    default=SHELL,
    examples=(["bash", "-c"], ["python3", "-c"]),
)


def command_of(script: str, shell: Sequence[str], step_id: str) -> tuple[str, ...]:
    """Return the command that runs a script.

    The default shell also gets a name for its messages, its `$0`. Another shell might treat one
    more word differently.
    """
    return (*shell, script, step_id) if tuple(shell) == SHELL else (*shell, script)


OF_STEP = ("command", "only_if", "env", "env_file", "working_dir", "produces")
OF_FLOW = ("concurrency", "env", "env_file", "working_dir")
"""The fields whose words may hold names."""


def fields_to_fill(values: Mapping[str, Any], fields: Iterable[str]) -> tuple[str, ...]:
    """Return which of these fields have a value that holds a name: escaping changes it then."""
    given = {name: values.get(name) for name in fields}
    return tuple(name for name, value in given.items() if changed_words(value, escaped) != value)


QUOTES: Mapping[str, Callable[[str], str]] = {"produces": quoted_in_pattern}
"""How a value is written in a field whose own words mean more than themselves."""


def filled_record[Record](
    record: Record, fields: Iterable[str], values: Mapping[str, str]
) -> Record:
    """Return a record with the names in these fields replaced, and no fields left to fill."""
    words = {
        name: changed_words(
            getattr(record, name), partial(filled, values=values, quote=QUOTES.get(name, str))
        )
        for name in fields
    }
    if not words:
        return record
    # mypy knows no bound for "an instance of an attrs class".
    evolved: Record = attrs.evolve(cast("Any", record), **words, fills=())
    return evolved


def changed_words(value: Any, change: Callable[[str], str]) -> Any:
    """Change a text, all texts of a list, a path, the name of a group, or values of variables."""
    match value:
        case None | Concurrency(group=None):
            return value
        case str():
            return change(value)
        case Concurrency(group=str() as group):
            return attrs.evolve(value, group=change(group))
        case ListedFile(path=path) | ProducedFile(path=path):
            return attrs.evolve(value, path=change(path))
        case [tuple(), *_]:
            return tuple((name, change(text)) for name, text in value)
        case _:
            return tuple(changed_words(one, change) for one in value)


EXIT_CODE_LISTS = ("success_exit_codes", "skip_exit_codes", "retry_exit_codes")
"""The fields that give exit codes a meaning; an exit code can have only one."""

GATE_OUTCOMES: Mapping[int, Literal["SUCCEEDED", "SKIPPED"]] = {0: "SUCCEEDED", 1: "SKIPPED"}
"""The meaning of the exit codes of `only_if`; any other is a failure (rule 10.8)."""

WARNINGS = ListOf(OneOf(WarningCode), "codes of warnings", "[no-effect]", distinct=True)
"""The codes of warnings that a step or the whole flow allows (rule 11.2)."""


class _ExitCode(Integer):
    _advice = (
        "write single codes from 0 to 255, such as [10, 11, 12]; -1 is seen as 255, and signal 9 "
        "as 137"
    )


_EXIT_CODE = _ExitCode(minimum=0, maximum=255)


@attrs.frozen
class StepSpec:
    """One step: a command, and when it runs (rule 2.2).

    The classes do not check what they are given; `load_flow`, `parse_flow` and `to_data` do.
    """

    id: str = declared(StepId(), "The step's name; conditions refer to it.", "download")
    command: tuple[str, ...] = declared(
        CommandWords(Word(), "words", '["echo", "hello"]', min_items=1),
        "The program and its arguments, run without a shell.",
        ["python3", "load.py", "--all"],
        ["sh", "-c", "gzip -k *.csv"],
    )
    when: str | None = declared(
        Expression(),
        "A condition over the outcomes of other steps; the step runs if it is true.",
        "download && validate",
        "!load",
        "fetch.failed || load.failed",
        "compress.passed",
        "any(failed)",
        "run(failed)",
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
        "A command that decides once `when` is true: exit code 0 runs the step, 1 skips it.",
        ["test", "-f", "/etc/backups/auto"],
        ["systemctl", "is-active", "--quiet", "postgresql"],
        default=(),
    )
    """The gate: the command that decides whether the step runs, or nothing (rule 10.8)."""
    retries: int = declared(
        Integer(minimum=0, maximum=1_000_000),
        "How many times a failed step is retried.",
        3,
        default=0,
    )
    retry_delay_sec: float = declared(
        SECONDS, "Seconds between a failed attempt and the next.", 60, default=0.0
    )
    retry_backoff: float = declared(
        Number(minimum=1.0, maximum=1000.0),
        "The factor by which the delay grows with each failure.",
        2,
        default=1.0,
    )
    retry_max_delay_sec: float | None = declared(
        SECONDS, "The longest delay between attempts, in seconds.", 900, "15m", default=None
    )
    env: tuple[tuple[str, str], ...] = declared(
        Variables(),
        "Environment variables for the command, which override those of the flow.",
        {"LANG": "C", "SHOP": "berlin"},
        default=(),
    )
    env_file: tuple[str | ListedFile, ...] = declared(
        ENV_FILES,
        "Files of NAME=VALUE lines, read when an attempt starts and never recorded.",
        "/etc/shop/secrets.env",
        ["common.env", {"path": "secrets.env", "required": False}],
        default=(),
    )
    working_dir: str | None = declared(
        DIRECTORY,
        "The working directory of the command, instead of the flow's.",
        "load",
        default=None,
    )
    produces: tuple[str | ProducedFile, ...] = declared(
        PRODUCTS,
        "Files that an attempt must have written; if not, it fails although its command succeeded.",
        ["out.csv"],
        ["parts/*.csv", {"path": "done", "empty": True}],
        default=(),
    )
    timeout_sec: float | None = declared(
        SECONDS_ABOVE_ZERO,
        "Time limit of an attempt, in seconds; an attempt that exceeds it is stopped and fails.",
        3600,
        "1h30m",
        default=None,
    )
    success_exit_codes: tuple[int, ...] = declared(
        SetOf(_EXIT_CODE, "exit codes", "[0, 1, 2, 3]", min_items=1),
        "Exit codes that mean success.",
        [0, 3],
        default=(0,),
    )
    skip_exit_codes: tuple[int, ...] = declared(
        SetOf(_EXIT_CODE, "exit codes", "[4]"),
        "Exit codes that make the step SKIPPED.",
        [4],
        default=(),
    )
    retry_exit_codes: tuple[int, ...] = declared(
        SetOf(_EXIT_CODE, "exit codes", "[75]", min_items=1),
        "Exit codes after which a failed attempt is retried; by default after any.",
        [75],
        default=(),
    )
    allow_failure: bool = declared(
        Boolean(), "Whether the run may succeed although this step failed.", True, default=False
    )
    strict: bool = declared(
        Boolean(),
        "Whether a step that succeeded never runs again under the same run key.",
        False,
        default=True,
    )
    start_timeout_sec: float | None = declared(
        SECONDS, "How long, in seconds, a start waits for the command to begin.", 30, default=None
    )
    description: str | None = declared(
        PROSE,
        "What the step is for.",
        "Gets the day's orders from the shop.",
        significant=False,
        default=None,
    )

    allow_warnings: tuple[WarningCode, ...] = declared(
        WARNINGS,
        "Warnings to ignore in this step, because what they warn about is intended.",
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
    """Pairs of an argument and its value in JSON (rule 13.4)."""

    fills: tuple[str, ...] = ()
    """The fields whose words hold names to replace (rule 10.2)."""

    waits_also: tuple[str, ...] = ()
    """More dependencies: those in `finally` of a step whose condition has `run(...)` (rule 3.9)."""

    @cached_property
    def condition(self) -> "flow_conditions.Condition | None":
        """The parsed `when`, else the conjunction of `depends_on`, else None (rule 3.5)."""
        if self.when is not None:
            return parse_when(self.when, self.depends_on)
        return flow_conditions.all_of(self.depends_on) if self.depends_on else None

    @cached_property
    def asks_run(self) -> bool:
        """Whether the `when` asks how the run ends, as in `run(failed)` (rule 3.9)."""
        operands = () if self.condition is None else self.condition.operands
        return any(operand.quantifier == RUN_WORD for operand in operands)

    @property
    def occurrences(self) -> "Iterator[flow_conditions.Occurrence]":
        """The operands and calls in the `when`, in its order; the name of `any(failed)` is None."""
        return operands_of(self.when)

    @property
    def script(self) -> str | None:
        """The script that the command passes to the default shell, or None (rule 10.4)."""
        is_script = len(self.command) == len(SHELL) + 2 and self.command[: len(SHELL)] == SHELL
        return self.command[len(SHELL)] if is_script else None

    def filled(self, values: Mapping[str, str]) -> Self:
        """Return the step with the names in its words replaced (rule 10.2)."""
        return filled_record(self, self.fills, values)

    def delay_after(self, failures: int) -> float:
        """Return the seconds between so many failures and the next attempt (rule 9.12).

        The delay is `retry_delay_sec` after the first failure, and `retry_backoff` times as long
        after each further one, up to `retry_max_delay_sec`.
        """
        longest = TEN_YEARS_SEC if self.retry_max_delay_sec is None else self.retry_max_delay_sec
        try:
            return min(self.retry_delay_sec * self.retry_backoff ** (failures - 1), longest)
        except OverflowError:
            return longest if self.retry_delay_sec else 0.0

    def command_of(self, *, is_gate: bool) -> tuple[str, ...]:
        """Return what an attempt executes: `only_if` at the gate, else the command (rule 10.8)."""
        return self.only_if if is_gate else self.command

    def outcome_of(
        self, exit_code: int, *, is_gate: bool = False
    ) -> Literal["SUCCEEDED", "FAILED", "SKIPPED"]:
        """Return the outcome of an attempt whose command exited with this code (rule 9.12).

        At the gate, SUCCEEDED lets the step run; the exit code lists are about its own command
        (rule 10.8).
        """
        if is_gate:
            return GATE_OUTCOMES.get(exit_code, "FAILED")
        if exit_code in self.skip_exit_codes:
            return "SKIPPED"
        return "SUCCEEDED" if exit_code in self.success_exit_codes else "FAILED"

    @property
    def may_skip_itself(self) -> bool:
        """Whether `only_if` or an exit code of the command may skip it (rules 9.12 and 10.8)."""
        return bool(self.only_if or self.skip_exit_codes)

    def end[Status: str](self, status: Status, *, was_due: bool) -> End[Status]:
        """Return how the step has ended, and whether it passed (rule 3.8).

        `was_due` tells whether its condition was true, so that a SKIPPED was its own decision, or
        would have been true if all that passed without running had SUCCEEDED.
        """
        match status:
            case "FAILED":
                passed = self.allow_failure
            case "SKIPPED":
                passed = was_due
            case _:
                passed = status == "SUCCEEDED"
        return End(status, passed)

    @cached_property
    def waits_for(self) -> tuple[str, ...]:
        """The ids in `depends_on`, the others in `when`, and `waits_also`, each once (rule 3.6)."""
        named = (operand.name for operand in self.occurrences)
        return tuple(dict.fromkeys((*self.depends_on, *filter(None, named), *self.waits_also)))


_OWN = frozenset({
    *("id", "command", "script", "when", "only_if", "depends_on", "description"),
    *(FOREACH, "max_parallel", "allow_warnings", "produces"),
})  # fmt: skip
"""The fields that `defaults` cannot have: they are about one step."""

_LAID_OVER = frozenset({"env", "x-airflow"})
"""The mappings that a step merges with those of `defaults`; its own entries win."""


class StepRecord(Record):
    """A step in a file: a `command` or a `script`, and fields that `defaults` may give.

    A field that is missing in both has its value in `own_defaults`, or the default of the class.
    """

    own_defaults: Mapping[str, Any] = {}

    @cached_property
    def fields(self) -> dict[str, Declaration]:
        """The fields of a step, and those that become its command."""
        fields = {
            name: field._replace(default=self.own_defaults.get(name, field.default))
            for name, field in declarations(self.cls).items()
        }
        command = {"command": fields["command"]._replace(default=None)}
        return fields | command | {"script": SCRIPT, "shell": SHELL_OF_SCRIPT}

    def schema(self) -> Schema:
        """Describe every field, and require either a command or a script."""
        one_of_both = [{"required": [name]} for name in ("command", "script")]
        needs = {"oneOf": one_of_both, "dependentRequired": {"shell": ["script"]}}
        return super().schema() | needs

    def _needed(self) -> list[str]:
        return ["id", "command"]

    def _read(self, here: Cursor) -> Any:
        if FOREACH not in self.fields and (lists := here.get(FOREACH)) is not None:
            # A step or block that is repeated in the wrong place is one mistake, not one for each
            # key and name.
            lists.add(_NOT_IN_FINALLY if here.in_finally else _NOT_IN_FOREACH)
            return None
        return super()._read(here)

    def _made(self, values: dict[str, Any], here: Cursor) -> Any:
        defaults = {**self.own_defaults, **here.reading.defaults}
        self._keep_apart(values, defaults, here)
        self._check_command(values, here)
        if here.reading.problems:
            return None
        for name in _LAID_OVER.intersection(defaults, values):
            laid_over = {**dict(defaults[name]), **dict(values[name])}
            values[name] = tuple(sorted(laid_over.items()))
        if here.in_finally:  # one that asks about all of `steps` depends on them (rule 10.1)
            values["depends_on"] = here.depends_on
        values = {"shell": SHELL, **defaults, **values}
        if here.reading.words:
            values["fills"] = fields_to_fill(values, OF_STEP)
        shell, script = values.pop("shell"), values.pop("script", None)
        if script is not None:
            values["command"] = command_of(script, shell, values["id"])
        return self.cls(**{attribute_of(name): value for name, value in values.items()})

    def _check_command(self, values: dict[str, Any], here: Cursor) -> None:
        script, shell = here.get("script"), here.get("shell")
        if "script" not in values and "command" not in values:
            # The text under `shell`, as in Ansible, is reported there.
            is_shell = "shell" in values and values["shell"] is None
            if not is_shell and {"command", "script"}.isdisjoint(self._fields_meant(here)):
                fact = f'{self.noun} needs the key "command" or "script"'
                remedy = "add command: [make, build], or script: 'make build' for a shell"
                here.add(Advised(fact, remedy))
        elif script is not None and None not in (values.get("script"), values.get("command")):
            both = 'a step has "command" or "script", not both'
            script.add(Advised(both, "remove one of the two"))
        elif "script" not in values and shell is not None and values.get("shell") is not None:
            remedy = 'a "command" runs without one; for a shell write "script"'
            shell.add(Advised('only a "script" has a shell', remedy))

    def _unknown(self, name: str, here: Cursor) -> Advised:
        return UNBOUNDED if name == "max_parallel" else super()._unknown(name, here)


UNBOUNDED = Advised(
    "bounds the copies of a step, and this step has no foreach of its own",
    "write it beside a foreach, or beside flow_id for all steps",
)
_NOT_IN_FINALLY = Advised(
    "a step of finally cannot be repeated",
    "repeat the work in a script, such as "
    "script: 'for SHOP in berlin paris; do ./tidy.sh \"$SHOP\"; done'",
)
_NOT_IN_FOREACH = Advised(
    "a foreach cannot be inside another one",
    "write all lists in the outer one, which repeats its steps for every combination: "
    "foreach: {SHOP: [berlin, paris], DAY: [mon, tue]}",
)


FINALLY_TIMEOUT_SEC = 600.0
"""The default `timeout_sec` of a step of `finally`, so that a run always ends."""

STEP = StepRecord(StepSpec, "a step", apart=EXIT_CODE_LISTS)

FINALLY_STEP = StepRecord(
    StepSpec, "a step", apart=EXIT_CODE_LISTS, own_defaults={"timeout_sec": FINALLY_TIMEOUT_SEC}
)
"""A step of `finally` (rule 10.1)."""


class Defaults(Record):
    """The key `defaults`: fields of a step, none of them required."""

    @cached_property
    def fields(self) -> dict[str, Declaration]:
        """The fields of a step that `defaults` can have."""
        return {name: field for name, field in STEP.fields.items() if name not in _OWN}

    def _unknown(self, name: str, here: Cursor) -> Advised:
        if name in _OWN:
            return Advised("cannot have a default", "write it in the steps themselves")
        return super()._unknown(name, here)

    def _made(self, values: dict[str, Any], here: Cursor) -> None:
        self._keep_apart(values, {}, here)
        here.reading.defaults = values


DEFAULTS = Defaults(StepSpec, "defaults", apart=EXIT_CODE_LISTS)
