"""Giving the parameters of a flow their values for a run (rule 10.2).

Every flaw of a value, and of a word rendered with it, is found before the run is recorded.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from flow_spec.concurrency import GROUP
from flow_spec.errors import ParamsError, Problem, advised
from flow_spec.fields import messages
from flow_spec.fields.env import flaw_of_setting
from flow_spec.fields.hints import Speller
from flow_spec.fields.kinds import DIRECTORY
from flow_spec.fields.text_rules import LONGEST_WORD, flaw_of_line, flaw_of_word
from flow_spec.flow import FlowSpec
from flow_spec.texts import quoted


def bind_params(flow: FlowSpec, given: Mapping[str, str]) -> FlowSpec:
    """Return the flow with a value for each parameter: the given one, else the default.

    Raises:
        ParamsError: A value is missing, not allowed, or of an unknown parameter, or makes a word
            that cannot be an argument; holds every problem.
    """
    problems = tuple(_problems_of_values(flow, given))
    if problems:
        raise ParamsError(flow.flow_id, problems)
    defaults = {param.name: param.default or "" for param in flow.params}
    bound = attrs.evolve(flow, values=tuple({**defaults, **given}.items()))
    problems = tuple(_problems_of_words(bound))
    if problems:
        raise ParamsError(flow.flow_id, problems)
    return bound


def _problems_of_values(flow: FlowSpec, given: Mapping[str, str]) -> Iterator[Problem]:
    known = {param.name: param for param in flow.params}
    speller = Speller()
    for name in given:
        if name not in known:
            meant = speller.closest(name, known)
            remedy = f"did you mean {quoted(meant)}?" if meant else None
            message = advised(f"the flow has no parameter {quoted(name)}", remedy)
            yield Problem(str(message), help=remedy)
    for name, param in known.items():
        if name in given:
            flaw = param.flaw_of(given[name])
        else:
            flaw = (
                messages.no_value(param.name, param.description) if param.default is None else None
            )
        if flaw is not None:
            yield Problem(flaw, f"params.{name}")


def _problems_of_words(flow: FlowSpec) -> Iterator[Problem]:
    # The values of the other names are short, and known only when a runner takes over the run.
    filled = flow.filled_without_run()
    for field in flow.fills:
        for place, flaw in _flaws(field, getattr(filled, field)):
            yield Problem(flaw, place)
    for step, whole in zip(flow.all_steps, filled.all_steps, strict=True):
        for field in step.fills:
            for place, flaw in _flaws(field, getattr(whole, field)):
                yield Problem(f"{place} {flaw}", f"step {quoted(step.id)}")


def _flaws(field: str, value: Any) -> Iterator[tuple[str, str]]:
    """Yield each wrong word of a field, and what is wrong with it."""
    match field:
        case "env":
            for name, text in value:
                yield from _flaw(f"env.{name}", flaw_of_setting(name, text))
        case "command" | "only_if":
            if not value[0]:
                yield field, messages.no_program()
            for index, word in enumerate(value):
                yield from _flaw(f"{field}[{index}]", flaw_of_word(word, LONGEST_WORD))
        case "concurrency":
            yield from _flaw("concurrency.group", flaw_of_line(value.group, GROUP.max_length))
        case "working_dir":
            yield from _flaw(field, flaw_of_line(value, DIRECTORY.max_length))
        case _:
            for index, path in enumerate(value):
                yield from _flaw(f"{field}[{index}]", flaw_of_line(path, DIRECTORY.max_length))


def _flaw(place: str, flaw: str | None) -> Iterator[tuple[str, str]]:
    if flaw is not None:
        yield place, flaw
