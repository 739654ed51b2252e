"""`find_warnings`: what a flow file is warned about, each with its place in the file (rule 11.2).

What is proven or found is in the modules beside this one, and how it is worded in `wording`. What
is meant (`allow_warnings`, of a step or of the flow) is left out here.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import attrs

from flow_spec.document import Node, Path, Scalar, node_at, written
from flow_spec.document import Sequence as SequenceNode
from flow_spec.errors import Advised, Span
from flow_spec.flow import FlowSpec
from flow_spec.flow_file import ReadFlow
from flow_spec.held_names import SHELL
from flow_spec.marks import with_marks
from flow_spec.placeholders import BUILT_IN
from flow_spec.reading import step_path
from flow_spec.step import StepSpec
from flow_spec.warning_codes import WarningCode
from flow_spec.warnings import wording
from flow_spec.warnings.cleanups import cleans_up
from flow_spec.warnings.flow_warning import FlowWarning
from flow_spec.warnings.names_in_words import NAME_IN_WORD, names_for_shells, variable_of
from flow_spec.warnings.programs import ONLY_IN_SHELLS, SHELLS, name_of
from flow_spec.warnings.proofs import Proofs
from flow_spec.warnings.shell_words import shell_words

type LacksProgram = Callable[[FlowSpec, StepSpec, Sequence[str]], bool]
"""Tells whether the program of a command of a step is known not to be there."""

_LITERAL = re.compile(r"(?<!\$)\$\{\{[^{}]*\}\}")


def lacks_none(_flow: FlowSpec, _step: StepSpec, _words: Sequence[str]) -> bool:
    """Know nothing of any program."""
    return False


class Warned(NamedTuple):
    """What a flow file is warned about, in the order of the file.

    `is_complete` is false where the steps are so entangled that not all could be proven about them.
    """

    warnings: tuple[FlowWarning, ...]
    is_complete: bool


def find_warnings(read: ReadFlow, lacks_program: LacksProgram = lacks_none) -> Warned:
    """Return what a flow file is warned about; `lacks_program` knows the machine."""
    finder = _Finder(read, lacks_program)
    found = sorted(finder.all(), key=lambda warning: (warning.line or 0, warning.column or 0))
    marked = with_marks(found, read.text, is_yaml=read.is_yaml)
    warnings = tuple(warning for warning in marked if isinstance(warning, FlowWarning))
    return Warned(warnings, finder.proofs.are_complete)


@attrs.define(eq=False, slots=False)
class _Finder:
    """One look for warnings."""

    read: ReadFlow
    lacks_program: LacksProgram

    @cached_property
    def proofs(self) -> Proofs:
        """What is proven about the flow."""
        return Proofs(self.read.flow)

    @cached_property
    def _at(self) -> Mapping[Path, StepSpec]:
        """The steps as written, by their paths."""
        steps = self.read.reading.steps
        return {place.path: self._steps[name] for name, place in steps.items()}

    @cached_property
    def _steps(self) -> Mapping[str, StepSpec]:
        return {step.id: step for step in self.read.flow.as_written.all_steps}

    def all(self) -> Iterator[FlowWarning]:
        """Yield all warnings but those that are allowed."""
        yield from self._proven()
        yield from self._literal_words()
        for step in self._steps.values():
            yield from self._of_words(step)

    def _proven(self) -> Iterator[FlowWarning]:
        proofs, code = self.proofs, WarningCode
        never = frozenset(proofs.never_run)
        for name in proofs.never_run:
            message = wording.never_runs(self._steps[name], never)
            yield from self._about(code.NEVER_RUNS, name, message)
        for name in proofs.always_true:
            message = wording.always_true(self._steps[name])
            yield from self._about(code.ALWAYS_TRUE, name, message)
        for verdict in proofs.no_effect:
            if (part := verdict.part) is not None:
                message = wording.no_effect(part.text[part.start : part.end])
                yield from self._about(code.NO_EFFECT, verdict.step_id, message, part)
        for name in proofs.runs_anyway:
            if cleans_up(self._steps[name]):
                yield from self._about(code.SKIPPED_CLEANUP, name, wording.skipped_cleanup())
        if (missed := proofs.unhandled_failure) is not None:
            name, message = missed.step_id, wording.unhandled_failure(missed)
            yield from self._about(code.UNHANDLED_FAILURE, name, message, outcomes=missed.outcomes)

    def _about(
        self,
        code: WarningCode,
        name: str,
        message: Advised,
        part: Span | None = None,
        outcomes: Mapping[str, str] | None = None,
    ) -> Iterator[FlowWarning]:
        """Warn of the condition of a step."""
        field = "when" if self._steps[name].when is not None else "depends_on"
        path = (*self._path(name), field)
        yield from self._warning(code, message, path, self._node(path), part, outcomes or {})

    def _literal_words(self) -> Iterator[FlowWarning]:
        """Warn of what looks like a name in a flow whose words are not filled."""
        names = self.read.reading.names
        for word in () if names.are_filled else names.words:
            if SHELL not in word.path and (found := _LITERAL.search(word.text)):
                message = wording.literal_in_word(found[0])
                span = Span(word.text, *found.span())
                code = WarningCode.LITERAL_SUBSTITUTION
                yield from self._warning(code, message, word.path, word.node, span)

    def _of_words(self, step: StepSpec) -> Iterator[FlowWarning]:
        """Warn of words of a step, as they are written."""
        flow, path = self.read.flow, self._path(step.id)
        copies = flow.copies.get(step.id, (step.id,))
        names = {name for name, _ in (*flow.env, *step.env)} | self._names_at(path)
        for field, words in (("command", step.command), ("only_if", step.only_if)):
            node = self._found((*path, field))
            if isinstance(node, SequenceNode):
                at = (*path, field)
                yield from self._in_list(step, words, at, names)
            if words and (
                words[0] in ONLY_IN_SHELLS
                or any(
                    self.lacks_program(flow, copy, getattr(copy, field))
                    for copy in map(flow.step, copies)
                )
            ):
                place = (*path, field, 0) if isinstance(node, SequenceNode) else path
                message = wording.no_such_program(words[0])
                code = WarningCode.NO_SUCH_PROGRAM
                yield from self._warning(code, message, place, self._node(place))
        yield from self._in_script((*path, "script"))

    def _in_list(
        self, step: StepSpec, words: tuple[str, ...], path: Path, names: set[str]
    ) -> Iterator[FlowWarning]:
        code = WarningCode.SHELL_SYNTAX
        for found in shell_words(words, names):
            word, place = words[found.place], (*path, found.place)
            message = wording.shell_syntax(found.what, word[found.begin : found.end])
            span = Span(word, found.begin, found.end)
            yield from self._warning(code, message, place, self._node(place), span)
        if not step.fills:
            return
        code = WarningCode.PARAMETER_IN_SHELL
        for at, name in names_for_shells(self.read.flow, step, words):
            is_local = name_of(words[0]) in SHELLS
            message = wording.parameter_in_shell(name[1], variable_of(name[1]), is_local=is_local)
            place = (*path, at)
            span = Span(words[at], *name.span())
            yield from self._warning(code, message, place, self._node(place), span)

    def _in_script(self, path: Path) -> Iterator[FlowWarning]:
        node = self._found(path)
        if not isinstance(node, Scalar):
            return
        known = self._names_at(path) | set(BUILT_IN)
        for found in NAME_IN_WORD.finditer(node.text):
            if found[1] in known:
                message = wording.literal_in_script(found[0], variable_of(found[1]))
                span = Span(node.text, *found.span())
                code = WarningCode.LITERAL_SUBSTITUTION
                yield from self._warning(code, message, path, node, span)
                return

    def _names_at(self, path: Path) -> set[str]:
        """Return the names of parameters, and of the `foreach` around a path."""
        names = {param.name for param in self.read.flow.params}
        return names | set(self.read.reading.names_around(path))

    def _warning(  # noqa: PLR0913, PLR0917 - a warning, and where it is
        self,
        code: WarningCode,
        message: Advised,
        path: Path,
        node: Node,
        span: Span | None = None,
        outcomes: Mapping[str, str] | None = None,
    ) -> Iterator[FlowWarning]:
        """Yield a warning, unless it is allowed where it is."""
        step = self._at.get(step_path(path))
        allowed = self.read.flow.allow_warnings + (step.allow_warnings if step else ())
        if code not in allowed:
            remedy = f"{message.help}; more under {code} in docs/warnings.md"
            yield FlowWarning(
                f"{message.fact}; {remedy}",
                written(path) or None,
                node.line,
                node.column,
                None,
                remedy,
                span,
                code=code,
                outcomes=outcomes or {},
            )

    def _path(self, name: str) -> Path:
        return self.read.reading.steps[name].path

    def _node(self, path: Path) -> Node:
        """Return what stands at a path, or above it."""
        return self._found(path) or (self._node(path[:-1]) if path else self.read.root)

    def _found(self, path: Path) -> Node | None:
        return node_at(self.read.root, path)
