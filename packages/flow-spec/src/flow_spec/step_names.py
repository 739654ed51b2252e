"""The kinds of value in a flow file that name steps: ids, references to them, and conditions.

Which steps and copies there are is in the reading, since `overview` has noted them.
"""

from textwrap import dedent

import attrs

from flow_conditions import ConditionSyntaxError, operands_in
from flow_spec import foreach_messages, messages
from flow_spec.document import Node, Path
from flow_spec.errors import Message, Span, advised
from flow_spec.kinds import Schema, Text
from flow_spec.predicates import parse_when
from flow_spec.reading import FINALLY, Reading, StepPlace, step_path
from flow_spec.texts import NAME, REFERENCE, flaw_of_name


@attrs.frozen(eq=False)
class StepId(Text):
    """The id of a step, unique in the file (rule 2.3)."""

    max_length: int = 128

    def schema(self) -> Schema:
        """Give the pattern of an id, and allow those that an editor takes for numbers."""
        pattern = {"pattern": f"^{NAME.pattern}$", "maxLength": self.max_length}
        return {"type": ["string", "integer", "boolean"], "minimum": 0, **pattern}

    def _flaw(self, text: str) -> Message | None:
        return flaw_of_name(text, self.max_length)

    def _check(self, text: str, node: Node, path: Path, reading: Reading) -> None:
        super()._check(text, node, path, reading)
        first = reading.steps[text].path
        if first != step_path(path):
            line = reading.steps[text].node.line
            reading.add(messages.duplicate_id(text, first, line), path, node)


@attrs.frozen(eq=False)
class Reference(Text):
    """The id of a step of this flow (rule 2.6)."""

    def schema(self) -> Schema:
        """Give the pattern of an id, or a copy's; no schema can know which there are."""
        longest = 2 * StepId().max_length + 1
        return StepId().schema() | {"pattern": f"^{REFERENCE.pattern}$", "maxLength": longest}

    def _check(self, text: str, node: Node, path: Path, reading: Reading) -> None:
        flaw = flaw_of_name_of_step(text, path, reading)
        if flaw is not None:
            reading.add(flaw, path, node)


@attrs.frozen(eq=False)
class Expression(Text):
    """A condition over the steps of this flow (section 3)."""

    def _check(self, text: str, node: Node, path: Path, reading: Reading) -> None:
        try:
            condition = parse_when(text, reading.depends_on_of(path), in_finally=path[0] == FINALLY)
        except ConditionSyntaxError as error:
            head, _, drawing = str(error).partition("\n")
            message = advised(error.fact + head.removeprefix(error.message), error.help)
            span = Span(error.source, error.start, error.end)
            reading.add(message, path, node, excerpt=dedent(drawing), span=span)
            return
        for name in condition.names:
            flaw = flaw_of_name_of_step(name, path, reading)
            if flaw is not None and name not in reading.depends_on_of(path):
                reading.add(flaw, path, node, span=span_of_name(name, text))


def span_of_name(name: str, condition: str) -> Span | None:
    """Return where the text of a condition has a name first."""
    starts = (operand.start for operand in operands_in(condition) if operand.name == name)
    start = next(starts, None)
    return None if start is None else Span(condition, start, start + len(name))


def flaw_of_name_of_step(name: str, path: Path, reading: Reading) -> Message | None:
    """Return why the step at `path` cannot wait for a step of this name (2.6, 10.1, 10.3)."""
    step_id, _, label = name.partition("@")
    found, in_finally = reading.steps.get(step_id), path[0] == FINALLY
    if found is None:
        known = [
            known for known, place in reading.steps.items() if in_finally or not place.in_finally
        ]
        return messages.unknown_step(step_id, known, reading.speller, in_finally=in_finally)
    if found.in_finally and not in_finally:
        return messages.waits_for_finally(name)
    return flaw_of_label(step_id, label, found, reading) if label else None


def flaw_of_label(step_id: str, label: str, found: StepPlace, reading: Reading) -> Message | None:
    """Return why a step has no copy with this label, or None (rule 10.3)."""
    if found.block is None:
        return foreach_messages.has_no_copies(step_id)
    labels = reading.blocks[found.block].labels
    if labels is None or label in labels:
        return None
    return foreach_messages.unknown_copy(step_id, label, labels, reading.speller)
