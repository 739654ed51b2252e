"""`${{ NAME }}` where it does not do what it looks like (rules 10.2 and 11.2).

It is text for a shell, which reads the value as a part of its program; or it is not filled at all.
"""

import re
from collections.abc import Iterator, Mapping

from flow_spec.flow import FlowSpec
from flow_spec.placeholders import BUILT_IN
from flow_spec.step import StepSpec
from flow_spec.warnings.programs import texts_for_shells

NAME_IN_WORD = re.compile(r"(?<!\$)\$\{\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")

_VARIABLES = {name: f"ORCHESJOB_FLOW_{name.removeprefix('FLOW_')}" for name in BUILT_IN}
"""The variables that have what is built in."""
_HARMLESS = re.compile(r"[A-Za-z0-9_./:@%+=,-]*")


def names_for_shells(
    flow: FlowSpec, step: StepSpec, words: tuple[str, ...]
) -> Iterator[tuple[int, re.Match[str]]]:
    """Yield the position of each word that a shell reads as a program, and each name in it.

    Not those whose values are in the file, all of them without a character that means something.
    """
    harmless = values_in_file(flow, step)
    for place in texts_for_shells(words):
        for found in NAME_IN_WORD.finditer(words[place]):
            if not all(map(_HARMLESS.fullmatch, harmless.get(found[1], ("$",)))):
                yield place, found


def values_in_file(flow: FlowSpec, step: StepSpec) -> Mapping[str, tuple[str, ...]]:
    """Return the values that names can have in the words of a step, where the file has them all."""
    values = {param.name: param.enum for param in flow.params if param.enum}
    for block in flow.blocks:
        if step.id in block.ids and not any(one.origin for one in block.lists):
            rows = [copy.values for copy in block.copies]
            values |= dict(zip(block.names, zip(*rows, strict=True), strict=True))
    return values


def variable_of(name: str) -> str:
    """Return the variable that has the value of a name in every command's environment."""
    return _VARIABLES.get(name, name)
