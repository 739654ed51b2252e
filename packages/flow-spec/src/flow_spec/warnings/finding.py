"""`find_warnings`: the warnings about a flow file, each with its words and its place (rule 11.2).

What is proven comes from `proofs`, what looks like shell syntax from `shell`. `allow_warnings`, of
a step or of the flow, removes warnings here.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from itertools import groupby, islice
from typing import NamedTuple

import attrs

from flow_spec.documents.tree import (
    MappingNode,
    NodePath,
    ScalarNode,
    SequenceNode,
    joins_in,
    nearest,
    node_at,
    with_marks,
    written,
)
from flow_spec.errors import Advised, Problem, Span, quoted
from flow_spec.fields.predicates import RUN_WORD
from flow_spec.fields.reading import (
    BUILT_IN,
    FOREACH,
    ORIGINS,
    SHELL_KEY,
    SPLIT,
    ValueList,
    step_path,
)
from flow_spec.flow import FlowSpec
from flow_spec.flow_file import ReadFlow
from flow_spec.step import OnConflict, StepSpec, WarningCode, base_of
from flow_spec.warnings import shell, shell_texts
from flow_spec.warnings.proofs import Finding, Proofs


@attrs.frozen
class FlowWarning(Problem):
    """A likely mistake in a valid flow file.

    `outcomes` are outcomes of steps that show it, if there are any.
    """

    # Of the class as a whole, older attrs would say it of the inherited fields too.
    code: WarningCode = attrs.field(kw_only=True)
    outcomes: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)


_MOST_NAMED = 4


def asked_by(step: StepSpec) -> str:
    """Name what the condition of a step asks about."""
    return named((*step.waits_for, *(["the run"] if step.asks_run else [])))


def never_runs(step: StepSpec) -> Advised:
    """Say that a step can never run."""
    return Advised(
        f"this step can never run, however {asked_by(step)} may end",
        "change the condition, or leave the step out",
    )


def always_true(step: StepSpec) -> Advised:
    """Say that a condition is always true."""
    return Advised(
        f"this is always true, however {asked_by(step)} may end",
        "to run whatever happens, ask for .finished, as in "
        f"{(*step.waits_for, 'NAME')[0]}.finished",
    )


def no_effect(parts: Sequence[Span]) -> Advised:
    """Say that parts of a condition change nothing, each of them or all together."""
    words = named([quoted(words_of(part)) for part in parts], "and")
    has, it = ("has", "it") if len(parts) == 1 else ("have", "them")
    return Advised(
        f"{words} {has} no effect here: removing {it} does not change the condition",
        f"remove {it}, or correct {it}; to wait for a step, list it in depends_on",
    )


def unhandled_failure(found: Finding) -> Advised:
    """Say that every alert misses a failure."""
    alerts = f"{named(found.steps, 'and')} {'is' if len(found.steps) == 1 else 'are'} SKIPPED"
    return Advised(
        f"nothing tells of it if {failing(found)}: the run is FAILED, and {alerts}",
        "ask run(failed) in finally, or accept a failure with allow_failure",
    )


_ANY_FAILED = re.compile(r"(?<!!)\bany\s*\(\s*failed\s*\)", re.ASCII)


def inexact_alert(allowed: Sequence[str], missed: Sequence[str]) -> Advised:
    """Say for which failures an alert differs from the outcome of the run (rule 3.9)."""
    facts = [f"is true after the allowed failure of {named(allowed)}"] if allowed else []
    facts += [f"misses a failure of {named(missed)} in finally"] if missed else []
    return Advised(f"any(failed) {', and '.join(facts)}", "ask run(failed): whether the run fails")


def ignored_failure(step_id: str, names: Sequence[str]) -> Advised:
    """Say that allowed failures skip a step, which only runs if one of these succeeds."""
    return Advised(
        f"this step can only run if {named(names)} succeeds, which may fail: then it is SKIPPED, "
        "nothing answers the failure, and the run SUCCEEDS",
        "to go on after such a failure, ask for .passed; to make it known, remove allow_failure, "
        f"or add an alert with when: !{step_id}",
    )


def skip_hides_failure(found: Finding, text: str, name: str) -> Advised:
    """Say that a part of a condition is true although something failed before."""
    return Advised(
        f"{quoted(text)} lets this step run if {failing(found)}: then {found.steps[0]} is SKIPPED",
        f"ask for passed: {name}.passed is true only if {name} succeeded or skipped itself, and "
        f"{name}.passed && !{name} only if it skipped itself",
    )


def shared_product(name: str, other: str) -> Advised:
    """Say that two steps, or two copies of one, produce the same path side by side."""
    if base_of(other) == name:
        return Advised(
            "all copies of this step produce this path, and may run side by side",
            "write a value of the foreach into the path, such as out-${{ NAME }}.csv",
        )
    return Advised(
        f"{base_of(other)} produces this path too, and neither of the two waits for the other",
        "let one wait for the other, or write two different files",
    )


def named(names: Iterable[str], word: str = "or") -> str:
    """Name some steps, the first of many."""
    all_names = list(dict.fromkeys(names))
    shown = all_names[:_MOST_NAMED]
    if len(all_names) > len(shown):
        return f"{', '.join(shown)} {word} {len(all_names) - len(shown)} more"
    return f" {word} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def failing(found: Finding) -> str:
    """Say that all steps of a finding fail that have FAILED in its outcomes."""
    names = [name for name, end in found.outcomes.items() if end == "FAILED"]
    return f"{named(names, 'and')} {'fails' if len(names) == 1 else 'fail'}"


def no_such_program(program: str) -> Advised:
    """Say that a program is missing."""
    if program in shell.WORDS_OF_SHELLS:
        return Advised(
            f"there is no program {quoted(program)}: it is a word of the shell",
            "for cd, use working_dir:; for the others, write script: instead of command:, or "
            "[bash, -c, TEXT]",
        )
    if " " in program.strip():
        return Advised(
            f"there is no program {quoted(program)}",
            "write each word as an item of the list: [program, first, second]",
        )
    return Advised(
        f"there is no program {quoted(program)} here",
        "check its name and PATH; if the flow runs elsewhere, allow it there",
    )


type LacksProgram = Callable[[FlowSpec, StepSpec, Sequence[str]], bool]
"""Returns whether the program of a command of a step is known to be missing."""

_FAILURE = 1
"""The exit code with which shells, and most programs, end after a failure."""

_LITERAL = re.compile(r"(?<!\$)\$\{\{[^{}]*\}\}")


class Warned(NamedTuple):
    """The warnings about a flow file, in the order of the file.

    `is_complete` is false if the proofs took too long to finish.
    """

    warnings: tuple[FlowWarning, ...]
    is_complete: bool


def find_warnings(read: ReadFlow, lacks_program: LacksProgram = lambda *_: False) -> Warned:
    """Return the warnings about a flow file; `lacks_program` knows the machine."""
    finder = _Finder(read, lacks_program)
    finder.look()
    found = sorted(finder.found, key=lambda warning: (warning.line or 0, warning.column or 0))
    return Warned(with_marks(found, read.text), finder.proofs.are_complete)


def words_of(part: Span) -> str:
    """Return a part of a condition on one line."""
    return " ".join(part.text[part.start : part.end].split())


def values_in_file(flow: FlowSpec, step: StepSpec) -> Mapping[str, tuple[str, ...]]:
    """Return the values of the names in a step's words, if the file has all of them."""
    values = {param.name: param.enum for param in flow.params if param.enum}
    for block in flow.blocks:
        if step.id in block.ids and not any(one.origin for one in block.lists):
            rows = [copy.values for copy in block.copies]
            values |= dict(zip(block.names, zip(*rows, strict=True), strict=True))
    return values


_REMEDIES = {
    "the output of a command": "set it in script:, as in NAME=$(PROGRAM), or give each run the "
    "value of a parameter: --param NAME=VALUE",
    "a pattern of file names": "list the files with {glob: PATTERN} in a foreach, or write script: "
    "instead of command:",
    "text in curly quotes, or with a no-break space": "write plain ones, or none",
}
"""What to write in place of shell syntax, if a shell alone does not help."""


@attrs.define(eq=False, slots=False)
class _Finder:
    """One search for warnings; `found` are those that are not allowed."""

    read: ReadFlow
    lacks_program: LacksProgram
    found: list[FlowWarning] = attrs.Factory(list)

    @cached_property
    def proofs(self) -> Proofs:
        return Proofs(self.read.flow)

    @cached_property
    def _at(self) -> Mapping[NodePath, StepSpec]:
        steps = self.read.reading.steps
        return {place.path: self._steps[name] for name, place in steps.items()}

    @cached_property
    def _steps(self) -> Mapping[str, StepSpec]:
        return {step.id: step for step in self.read.flow.as_written.all_steps}

    def look(self) -> None:
        self._look_at_lists()
        self._look_at_concurrency()
        self._look_at_conditions()
        self._look_at_alerts()
        self._look_at_unfilled_words()
        texts: list[NodePath] = [("concurrency", "group")]
        for name in self._params:
            texts += ("params", name), ("params", name, "default")
        for text in texts:
            self._look_at_text(text, self._params, shell.IN_WORD)
        variables = {name for name, _ in self.read.flow.env}
        self._look_at_fields((), variables)
        self._look_at_fields(("defaults",), variables)
        for step in self._steps.values():
            self._look_at_step(step)

    def _look_at_lists(self) -> None:
        blocks = zip(self.read.reading.blocks.items(), self.read.flow.blocks, strict=True)
        for (path, block), read in blocks:
            for name in block.names:
                at = (*path, *block.place_of(name))
                for each in self._texts_at(at):
                    self._look_at_text(each, self._params, shell.IN_LIST)
                match node_at(self.read.root, at):
                    case SequenceNode(items=[ScalarNode(text=text)]):
                        if found := shell.pattern_in(text):
                            self._warn_about_shell(found, (*at, 0), text)
            for one in block.lists:
                at = (*path, *block.place_of(one.name))
                if not (one.values or one.allow_empty):
                    check = "the parameters" if one.origin == SPLIT else "the path"
                    message = Advised(
                        "this list is empty now, so no run would start",
                        f"check {check}; if nothing to do is fine, write allow_empty: true, and "
                        "ask for .passed after the copies",
                    )
                    self._warn(WarningCode.EMPTY_LIST, message, at)
                if (writer := self._writer_of(one, read.ids)) is not None:
                    message = Advised(
                        f"this list is read before the run begins, and {writer} writes it only "
                        "later: the copies are those of what an earlier run has left",
                        f"write it before the run, or move this {FOREACH} into a flow of its own, "
                        f"which a step starts after {writer}",
                    )
                    self._warn(WarningCode.STALE_LIST, message, at)

    def _look_at_concurrency(self) -> None:
        """Warn about a run that could hold its group for ever (rule 10.7)."""
        flow = self.read.flow
        unlimited = [step.id for step in self._steps.values() if step.timeout_sec is None]
        if flow.concurrency is None or flow.concurrency.on_conflict is OnConflict.REPLACE:
            return
        if flow.timeout_sec is None and unlimited:
            message = Advised(
                "a run that hangs would keep all later runs from starting: there is no time "
                f"limit for {named(unlimited)}",
                "write timeout_sec: beside steps:, longer than any good run takes",
            )
            self._warn(WarningCode.NO_TIME_LIMIT, message, ("concurrency",))

    def _writer_of(self, one: ValueList, ids: Iterable[str]) -> str | None:
        """Return a step that seems to write a list, and for which these steps wait."""
        found: dict[str, None] = {}
        queue = list(ids) if one.origin in ORIGINS else []
        while queue:
            waits = map(base_of, self._steps[queue.pop()].waits_for)
            new = [name for name in waits if name not in found]
            found |= dict.fromkeys(new)
            queue += new
        directory = self.read.flow.working_dir
        for name in found:
            step = self._steps[name]
            is_here = step.working_dir in {None, directory}
            if is_here and shell_texts.writes(step.command, one.text or ""):
                return name
        return None

    def _texts_at(self, path: NodePath) -> Iterator[NodePath]:
        """Yield the paths of the scalars at a path and below it."""
        match node_at(self.read.root, path):
            case ScalarNode():
                yield path
            case MappingNode() as node:
                for key, _ in node.texts():
                    yield from self._texts_at((*path, key))
            case SequenceNode() as node:
                for place in range(len(node.items)):
                    yield from self._texts_at((*path, place))

    def _look_at_fields(self, path: NodePath, variables: Set[str]) -> None:
        for field in ("working_dir", "env_file", "env", "produces"):
            for each in self._texts_at((*path, field)):
                self._look_at_text(each, variables, shell.IN_WORD)

    def _look_at_text(self, path: NodePath, variables: Set[str], values: re.Pattern[str]) -> None:
        """Look at a text that no program reads as a command."""
        node = node_at(self.read.root, path)
        if isinstance(node, ScalarNode):
            if found := shell.shell_text(node.text, variables):
                self._warn_about_shell(found, path, node.text)
            self._look_for_values(path, values)

    def _warn_about_shell(
        self,
        found: shell.ShellWord,
        path: NodePath,
        text: str,
        remedy: str = "write the value, or ${{ NAME }} for that of a parameter",
    ) -> None:
        span = Span(text, found.begin, found.end)
        message = Advised(
            f"{quoted(text[found.begin : found.end])} looks like {found.what}, but no shell reads "
            "it here: it stays as it is",
            _REMEDIES.get(found.what, remedy),
        )
        self._warn(WarningCode.SHELL_SYNTAX, message, path, span)

    def _look_for_values(self, path: NodePath, values: re.Pattern[str] | None) -> None:
        """Warn about what only another system replaces with a value.

        `values` is what cannot be meant literally there; None if only known names cannot.
        """
        node = node_at(self.read.root, path)
        if not isinstance(node, ScalarNode):
            return
        found = shell.name_of_other_tool(node.text, self._names_at(path))
        if found := found or (values and values.search(node.text)):
            message = Advised(
                f"{quoted(found[0])} is taken literally: it stands for no value here",
                "write each value as an item of the list"
                if values is shell.IN_LIST
                else 'for a parameter or a value of a foreach, write ${{ NAME }}, or "$NAME" in a '
                "script",
            )
            self._warn(WarningCode.LITERAL_VALUE, message, path, Span(node.text, *found.span()))

    def _look_at_conditions(self) -> None:
        proofs = self.proofs
        for name in proofs.never_run:
            self._warn_about(WarningCode.NEVER_RUNS, name, never_runs(self._steps[name]))
        for name in proofs.always_true:
            self._warn_about(WarningCode.ALWAYS_TRUE, name, always_true(self._steps[name]))
        for name, all_found in groupby(proofs.no_effect, lambda found: found.step_id):
            parts = [found.part for found in all_found if found.part is not None]
            self._warn_about(WarningCode.NO_EFFECT, name, no_effect(parts), parts[0])
        for found in proofs.hidden_failures:
            if (part := found.part) is not None:
                (name,) = self._names_in_condition(found)
                code = WarningCode.SKIP_HIDES_FAILURE
                message = skip_hides_failure(found, words_of(part), name)
                self._warn_about(code, found.step_id, message, part, found.outcomes)
        for found in proofs.ignored_failures:
            names = self._names_in_condition(found)
            code, message = WarningCode.IGNORED_FAILURE, ignored_failure(found.step_id, names)
            self._warn_about(code, found.step_id, message, outcomes=found.outcomes)
        for name in proofs.runs_anyway:
            if shell.cleans_up(self._steps[name]):
                message = Advised(
                    "this step cleans up whatever happens, but not after a cancel or a timeout of "
                    "the flow",
                    "move it to finally, whose steps run then too, as one step for all copies of a "
                    "foreach",
                )
                self._warn_about(WarningCode.SKIPPED_CLEANUP, name, message)
        for name, place, other in proofs.shared_products:
            path = (*self._path(name), "produces", place)
            self._warn(WarningCode.SHARED_PRODUCT, shared_product(name, other), path)
        if (missed := proofs.unhandled_failure) is not None:
            code, message = WarningCode.UNHANDLED_FAILURE, unhandled_failure(missed)
            self._warn_about(code, missed.step_id, message, outcomes=missed.outcomes)

    def _look_at_alerts(self) -> None:
        flow = self.read.flow.as_written
        allowed = [step.id for step in flow.steps if step.allow_failure]
        for step in flow.finally_:
            others = (one for one in flow.finally_ if one is not step and not one.asks_run)
            missed = [one.id for one in others if not one.allow_failure]
            found = _ANY_FAILED.search(step.when or "")
            asks_all = len(step.depends_on) == len(flow.steps)
            if found and asks_all and (allowed or missed) and shell.tells(step):
                message, part = inexact_alert(allowed, missed), Span(found.string, *found.span())
                self._warn_about(WarningCode.INEXACT_ALERT, step.id, message, part)
        if RUN_WORD in self._steps and any(step.asks_run for step in flow.finally_):
            fact = "run(failed) asks how the run ends, and run.failed how this step ends"
            message = Advised(fact, "give the step another id")
            self._warn(WarningCode.STEP_NAMED_RUN, message, (*self._path(RUN_WORD), "id"))

    def _names_in_condition(self, found: Finding) -> Sequence[str]:
        """Return the names by which the condition, as written, can ask the steps of a finding."""
        asked = self._steps[found.step_id].waits_for
        return list(dict.fromkeys(one if one in asked else base_of(one) for one in found.steps))

    def _warn_about(
        self,
        code: WarningCode,
        name: str,
        message: Advised,
        part: Span | None = None,
        outcomes: Mapping[str, str] | None = None,
    ) -> None:
        field = "when" if self._steps[name].when is not None else "depends_on"
        self._warn(code, message, (*self._path(name), field), part, outcomes)

    def _look_at_unfilled_words(self) -> None:
        """Warn about what looks like a name in a flow that replaces none."""
        reading = self.read.reading
        for word in () if reading.fills_names else reading.words:
            if SHELL_KEY not in word.path and (found := _LITERAL.search(word.text)):
                message = Advised(
                    f"{quoted(found[0])} stays as it is: names are replaced only where a flow has "
                    "params or a foreach, or uses a name that is built in",
                    "declare it under params:, or use a variable in a script; for a secret, write "
                    "env_file: FILE, a file with NAME=VALUE",
                )
                span = Span(word.text, *found.span())
                self._warn(WarningCode.LITERAL_SUBSTITUTION, message, word.path, span)

    def _look_at_step(self, step: StepSpec) -> None:
        path = self._path(step.id)
        names = {name for name, _ in (*self.read.flow.env, *step.env)} | self._names_at(path)
        self._look_at_fields(path, names)
        for field, words in (("command", step.command), ("only_if", step.only_if)):
            if words:
                self._look_at_words(step, words, (*path, field), names)
        self._look_at_script((*path, "script"))
        self._look_at_exit_codes(step, path)

    def _look_at_words(
        self, step: StepSpec, words: tuple[str, ...], path: NodePath, names: Set[str]
    ) -> None:
        flow = self.read.flow
        is_list = isinstance(node_at(self.read.root, path), SequenceNode)
        if is_list:
            self._look_at_list(step, words, path, names)
        copies = map(flow.step, flow.copies.get(step.id, (step.id,)))
        if words[0] in shell.WORDS_OF_SHELLS or any(
            self.lacks_program(flow, copy, getattr(copy, str(path[-1]))) for copy in copies
        ):
            at = (*path, 0) if is_list else path[:-1]
            self._warn(WarningCode.NO_SUCH_PROGRAM, no_such_program(words[0]), at)
        is_joined = is_list and self._look_for_joined_lines(words, path)
        if path[-1] == "command" and not is_joined and shell_texts.only_sets(words):
            message = Advised(
                "this step only sets something that ends with it: no other step has it",
                "set it in the script that needs it, or write env:, env_file: or working_dir:",
            )
            self._warn(WarningCode.LOST_SETTING, message, path[:-1])
        lost = shell_texts.lost_failure(words, is_gate=path[-1] == "only_if")
        if lost is not None and not self._at[path[:-1]].allow_failure:
            span = Span(words[lost.place], lost.begin, lost.end)
            command = quoted(span.text[span.start : span.end])
            message = Advised(
                f"a failure of {command} can be lost: {lost.reason.why}", lost.reason.remedy
            )
            at = (*path, lost.place) if is_list else (*path[:-1], "script")
            self._warn(WarningCode.LOST_FAILURE, message, at, span)

    def _look_at_list(
        self, step: StepSpec, words: tuple[str, ...], path: NodePath, names: Set[str]
    ) -> None:
        is_gate = path[-1] == "only_if"
        remedy = "write [bash, -c, TEXT]" if is_gate else "write script: instead of command:"
        for found in shell.shell_words(words, names):
            self._warn_about_shell(found, (*path, found.place), words[found.place], remedy)
        end = shell.end_of(words)
        for place in range(len(words)):
            self._look_for_values((*path, place), shell.IN_WORD if place < end else None)
        values = values_in_file(self.read.flow, step)
        for at, name in shell.names_for_shells(words, values) if step.fills else ():
            message = Advised(
                f"the shell runs whatever the value of {name[1]} holds as part of its program",
                f'write "${shell.variable_of(name[1])}" with the quotation marks, because every '
                "command gets it as a variable; where it is not set, pass it as an argument",
            )
            span = Span(words[at], *name.span())
            self._warn(WarningCode.PARAMETER_IN_SHELL, message, (*path, at), span)

    def _look_for_joined_lines(self, words: tuple[str, ...], path: NodePath) -> bool:
        for place, _ in shell.texts_for_shells(words):
            node = node_at(self.read.root, (*path, place))
            if isinstance(node, ScalarNode):
                found = shell_texts.joined_commands(node.text, list(joins_in(node, self.read.text)))
                if found is not None:
                    message = Advised(
                        f"{quoted(node.text[slice(*found)])} stands in two lines, which YAML joins "
                        "to one command",
                        "begin the text with |, or write script: | instead of command:",
                    )
                    span = Span(node.text, *found)
                    self._warn(WarningCode.JOINED_LINES, message, (*path, place), span)
                    return True
        return False

    def _look_at_script(self, path: NodePath) -> None:
        node = node_at(self.read.root, path)
        if not isinstance(node, ScalarNode):
            return
        self._look_for_values(path, shell.IN_SCRIPT)
        known = self._names_at(path) | set(BUILT_IN)
        names = (found for found in shell.NAME_IN_WORD.finditer(node.text) if found[1] in known)
        for found in islice(names, 1):
            message = Advised(
                f"{quoted(found[0])} stays as it is: no name is replaced in a script",
                f'write "${shell.variable_of(found[1])}": the script has it as a variable',
            )
            span = Span(node.text, *found.span())
            self._warn(WarningCode.LITERAL_SUBSTITUTION, message, path, span)

    def _look_at_exit_codes(self, step: StepSpec, path: NodePath) -> None:
        """Warn about codes that hide a failure, or make a success one, and about idle delays."""
        if 0 not in step.success_exit_codes + step.skip_exit_codes:
            message = Advised(
                "0 is a failure here, and 0 is what nearly every program succeeds with",
                "add 0 to the list, or run the command by if ! COMMAND; then ... in a script",
            )
            self._warn(WarningCode.ZERO_IS_FAILURE, message, (*path, "success_exit_codes"))
        is_delayed = node_at(self.read.root, (*path, "retry_delay_sec")) is not None
        if is_delayed and not step.retries:
            message = Advised(
                "this step is never retried, so nothing is delayed", "write retries: 3 beside it"
            )
            self._warn(WarningCode.UNUSED_DELAY, message, (*path, "retry_delay_sec"))
        for field in ("success_exit_codes", "skip_exit_codes"):
            if _FAILURE in getattr(step, field) and shell_texts.has_several_commands(step.command):
                message = Advised(
                    f"{_FAILURE} is no failure here, but nearly every failure in this script ends "
                    f"it with {_FAILURE}, such as a failed cd or a variable that is not set",
                    "let it end with a code that only one command can cause, such as COMMAND || "
                    "[ $? = 1 ], or COMMAND || exit 4",
                )
                self._warn(WarningCode.AMBIGUOUS_EXIT_CODE, message, (*path, field))

    @cached_property
    def _params(self) -> Set[str]:
        return {param.name for param in self.read.flow.params}

    def _names_at(self, path: NodePath) -> Set[str]:
        """Return the names of parameters, and of the `foreach` around a path."""
        repeated = self.read.reading.names_around(path)
        return self._params | set(repeated) if repeated else self._params

    def _warn(
        self,
        code: WarningCode,
        message: Advised,
        path: NodePath,
        span: Span | None = None,
        outcomes: Mapping[str, str] | None = None,
    ) -> None:
        """Add a warning, unless it is allowed there."""
        step = self._at.get(step_path(path))
        if code in self.read.flow.allow_warnings + (step.allow_warnings if step else ()):
            return
        node = nearest(self.read.root, path)
        place = written(path) or None, node.line, node.column
        found = FlowWarning.of(message, *place, span=span, code=code, outcomes=outcomes or {})
        self.found.append(found)

    def _path(self, name: str) -> NodePath:
        return self.read.reading.steps[name].path
