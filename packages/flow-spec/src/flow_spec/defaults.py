"""The key `defaults` of a flow file: values for the fields of all steps that do not set them.

No flow has them: reading gives every step what it lacks (rule 10.4). The fields themselves are in
`step` and `flow`.
"""

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

import attrs

from flow_spec import foreach_messages, messages
from flow_spec.containers import Record
from flow_spec.declaration import Declaration, attribute_of
from flow_spec.document import Mapping, Node, Path
from flow_spec.errors import Message
from flow_spec.filling import OF_FLOW, OF_STEP, fields_to_fill
from flow_spec.kinds import Schema
from flow_spec.reading import Reading
from flow_spec.script import SCRIPT, SHELL, SHELL_OF_SCRIPT, command_of
from flow_spec.step import EXIT_CODE_LISTS, StepSpec

_OWN = {
    "id": "no two steps have the same",
    "command": "every step says what it runs; what steps share can be an anchor",
    "script": "every step says what it runs; what steps share can be an anchor",
    "when": "every step says what it waits for",
    "only_if": "it decides about one step; what steps share can be an anchor",
    "depends_on": "every step says what it waits for",
    "description": "it tells of one step",
    "allow_warnings": "the flow has one of its own, for all steps",
}
"""The fields that have no default, and why."""


_LAID_OVER = frozenset({"env", "x-airflow"})
"""The mappings of which a step takes from `defaults` what it does not set itself."""


@attrs.frozen(eq=False)
class StepRecord(Record):
    """A step in a file, to which `defaults` gives what it lacks, with a `command` or a `script`.

    What `defaults` does not give either is one of its `own_defaults`, or that of the class.
    """

    own_defaults: dict[str, Any] = attrs.Factory(dict)

    def fields(self) -> dict[str, Declaration]:
        """Return the fields of a step, and those that become its command."""
        return self._fields

    @cached_property
    def _fields(self) -> dict[str, Declaration]:
        """The fields, made once: every step of a file asks for them."""
        fields = {
            name: attrs.evolve(field, default=self.own_defaults.get(name, field.default))
            for name, field in Record.fields(self).items()
        }
        command = {"command": attrs.evolve(fields["command"], default=None)}
        return fields | command | {"script": SCRIPT, "shell": SHELL_OF_SCRIPT}

    def schema(self) -> Schema:
        """Describe every field, and say that a step has a command or a script."""
        one_of_both = [{"required": [name]} for name in ("command", "script")]
        needs = {"oneOf": one_of_both, "dependentRequired": {"shell": ["script"]}}
        return super().schema() | needs

    def _needed(self) -> list[str]:
        return ["id", "command"]

    def _made(self, values: dict[str, Any], node: Mapping, path: Path, reading: Reading) -> Any:
        defaults = {**self.own_defaults, **reading.defaults}
        self._keep_apart(values, defaults, node, path, reading)
        self._check_command(values, node, path, reading)
        if reading.problems:
            return None
        for name in _LAID_OVER.intersection(defaults, values):
            laid_over = {**dict(defaults[name]), **dict(values[name])}
            values[name] = tuple(sorted(laid_over.items()))
        values = {"shell": SHELL, **defaults, **values}
        if reading.names.words:
            values["fills"] = fields_to_fill(values, OF_STEP)
        shell, script = values.pop("shell"), values.pop("script", None)
        if script is not None:
            values["command"] = command_of(script, shell, values["id"])
        return self.cls(**{attribute_of(name): value for name, value in values.items()})

    def _check_command(
        self, values: dict[str, Any], node: Mapping, path: Path, reading: Reading
    ) -> None:
        """Report a step without or with two things to run, and a shell without anything."""
        nodes = dict(node.texts())
        if "script" not in values and "command" not in values:
            reading.add(messages.missing_key(self.noun, "command", "script"), path, node)
        elif "script" in values and "command" in values:
            reading.add(messages.script_and_command(), (*path, "script"), nodes["script"])
        elif "script" not in values and "shell" in values:
            reading.add(messages.shell_without_script(), (*path, "shell"), nodes["shell"])

    def _unknown(self, name: str, given: Collection[str], reading: Reading) -> Message:
        return (
            foreach_messages.foreach_not_here()
            if name == "foreach"
            else super()._unknown(name, given, reading)
        )


FINALLY_TIMEOUT_SEC = 600.0
"""The `timeout_sec` of a step of `finally` that gives none, so that a run always ends."""

STEP = StepRecord(StepSpec, "a step", apart=EXIT_CODE_LISTS)

FINALLY_STEP = StepRecord(
    StepSpec,
    "a step",
    apart=EXIT_CODE_LISTS,
    own_defaults={"timeout_sec": FINALLY_TIMEOUT_SEC},
)
"""A step of `finally` (rule 10.1)."""


@attrs.frozen(eq=False)
class Defaults(Record):
    """What `defaults` holds: fields of a step, of which none is required."""

    def fields(self) -> dict[str, Declaration]:
        """Return the fields of a step that can have a default."""
        return {name: field for name, field in STEP.fields().items() if name not in _OWN}

    def _unknown(self, name: str, given: Collection[str], reading: Reading) -> Message:
        if name in _OWN:
            return messages.no_default(_OWN[name])
        return super()._unknown(name, given, reading)

    def _made(self, values: dict[str, Any], node: Mapping, path: Path, reading: Reading) -> None:
        self._keep_apart(values, {}, node, path, reading)
        reading.defaults = values


@attrs.frozen(eq=False)
class FlowRecord(Record):
    """A flow in a file, which may have `defaults`."""

    def fields(self) -> dict[str, Declaration]:
        """Return the fields of a flow, and this one."""
        return super().fields() | {"defaults": _DECLARED}

    def _skips(self, name: str) -> bool:
        return super()._skips(name) and name != "x-airflow"

    def _unknown(self, name: str, given: Collection[str], reading: Reading) -> Message:
        if name == "x-airflow":
            return messages.x_airflow_of_flow()
        return super()._unknown(name, given, reading)

    def _entries(
        self, node: Mapping, path: Path, reading: Reading
    ) -> Iterable[tuple[str, Node, Node]]:
        """Return the entries: what `params` and `defaults` say is needed to read the others."""
        first = {"params": 0, "defaults": 1}
        return sorted(reading.keys_of(node, path), key=lambda entry: first.get(entry[0], 2))

    def _made(self, values: dict[str, Any], node: Mapping, path: Path, reading: Reading) -> Any:
        values.pop("defaults", None)
        if reading.names.words:
            values["fills"] = fields_to_fill(values, OF_FLOW)
        return super()._made(values, node, path, reading)


DEFAULTS = Defaults(StepSpec, "defaults", apart=EXIT_CODE_LISTS)

_DECLARED = Declaration(
    DEFAULTS,
    "Values for the fields of all steps that do not set them.",
    significant=True,
    default=None,
    examples=({"retries": 2, "timeout_sec": "1h"},),
)
