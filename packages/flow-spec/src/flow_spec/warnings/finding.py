"""`find_warnings`: the warnings about a flow file, each with its words and its place (rule 11.2).

What is proven comes from `proofs`, what looks like shell syntax from `shell`. `allow_warnings`, of
a step or of the flow, removes warnings here.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property, partial
from itertools import groupby
from typing import NamedTuple

import attrs

from flow_conditions import Name
from flow_spec.documents.tree import (
    MappingNode,
    NodePath,
    ScalarNode,
    SequenceNode,
    items_of,
    joins_in,
    nearest,
    node_at,
    with_marks,
    written,
)
from flow_spec.errors import Advised, Problem, Span, quoted
from flow_spec.fields.predicates import operands_of
from flow_spec.fields.reading import BUILT_IN, FOREACH, SHELL_KEY, SPLIT, ValueList, step_path
from flow_spec.flow import FlowSpec
from flow_spec.flow_file import ReadFlow
from flow_spec.foreach import ORIGINS, base_of
from flow_spec.step import StepSpec, WarningCode
from flow_spec.warnings.outcomes import Finding
from flow_spec.warnings.proofs import Proofs
from flow_spec.warnings.shell import (
    IN_LIST,
    IN_SCRIPT,
    IN_WORD,
    KNOWN,
    NAME_IN_WORD,
    SHELLS,
    ShellWord,
    call_in,
    cleans_up,
    end_of,
    name_of,
    name_of_other_tool,
    names_for_shells,
    pattern_in,
    shell_text,
    shell_words,
    texts_for_shells,
    variable_of,
)
from flow_spec.warnings.shell_texts import (
    LostFailure,
    has_several_commands,
    joined_commands,
    lost_failure,
    only_sets,
    writes,
)


@attrs.frozen
class FlowWarning(Problem):
    """A likely mistake in a valid flow file.

    `outcomes` are outcomes of steps that show it, if there are any.
    """

    # Of the class as a whole, older attrs would say it of the inherited fields too.
    code: WarningCode = attrs.field(kw_only=True)
    outcomes: Mapping[str, str] = attrs.field(factory=dict, kw_only=True)


_MOST_NAMED = 4


def never_runs(step: StepSpec, never: Set[str]) -> Advised:
    """Say that a step can never run; `never` are the others that cannot."""
    barred = [name for name in step.waits_for if name in never]
    if barred:
        fact = f"this step can never run, whatever happens: {named(barred)} never runs"
    else:
        fact = f"this step can never run, however {named(step.waits_for)} may end"
    return Advised(fact, "change the condition, or leave the step out")


def always_true(step: StepSpec) -> Advised:
    """Say that a condition is always true."""
    waits = " && ".join(f"{name}.finished" for name in step.waits_for[:_MOST_NAMED])
    more = " && ..." if len(step.waits_for) > _MOST_NAMED else ""
    return Advised(
        f"this is always true, however {named(step.waits_for)} may end",
        f"to run whatever happens, write {waits}{more}",
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
    failed = [name for name, end in found.outcomes.items() if end == "FAILED"]
    alerts = f"{named(found.steps, 'and')} {'is' if len(found.steps) == 1 else 'are'} SKIPPED"
    return Advised(
        f"nothing tells of it if {all_fail(failed)}: the run is FAILED, and {alerts}",
        "ask any(failed) of all steps that may fail, best in finally, or accept a failure with "
        "allow_failure",
    )


def ignored_failure(step_id: str, names: Sequence[str]) -> Advised:
    """Say that allowed failures skip a step, and that nothing answers them.

    It only runs if one of these succeeds. The copies of a step are named by `any(A)`.
    """
    asked = [Name.spelled(name) for name in names]
    if len(asked) == 1 and asked[0].quantifier is None:
        return Advised(
            f"this step can only run if {names[0]} succeeds, which may fail: then it is SKIPPED, "
            "nothing answers the failure, and the run SUCCEEDS",
            f"to go on after such a failure, write {names[0]}.passed; to make it known, remove "
            "allow_failure",
        )
    steps = [f"a copy of {one.name}" if one.quantifier else one.name for one in asked]
    return Advised(
        f"this step can only run if {named(steps)} succeeds, and all of them may fail: then it is "
        "SKIPPED, nothing answers the failures, and the run SUCCEEDS",
        f"to make it known, add an alert with when: !{step_id}",
    )


def skip_hides_failure(found: Finding, step: StepSpec, text: str, name: str) -> Advised:
    """Say that a part of a condition is true although something failed before."""
    (skipped,) = found.steps
    failed = [step for step, end in found.outcomes.items() if end == "FAILED"]
    instead, who = f"{name}.passed", name
    if asks_all := _ASKS_ALL.search(text):
        quantifier = "any" if asks_all[1] == "any" and asks_all[2] == "skipped" else "all"
        instead, who = f"{quantifier}(passed)", "a step"
    elif text == f"{name}.skipped" and not any(
        one.name == name and one.predicate is None for one in operands_of(step.when)
    ):
        instead = f"{name}.passed && !{name}"  # its success is not asked
    return Advised(
        f"{quoted(text)} lets this step run if {all_fail(failed)}: then {skipped} is SKIPPED",
        f"write {instead}: {who} passes only if it succeeded, or skipped itself",
    )


_ASKS_ALL = re.compile(r"\b(any|all|none)\(\s*(failed|skipped)\s*\)")
"""A call that asks all steps in `depends_on`."""


def named(names: Iterable[str], word: str = "or") -> str:
    """Name some steps, the first of many."""
    all_names = list(dict.fromkeys(names))
    shown = all_names[:_MOST_NAMED]
    if len(all_names) > len(shown):
        return f"{', '.join(shown)} {word} {len(all_names) - len(shown)} more"
    return f" {word} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def all_fail(names: Sequence[str]) -> str:
    """Say that all of some steps fail."""
    return f"{named(names, 'and')} {'fails' if len(names) == 1 else 'fail'}"


def parameter_in_shell(name: str, variable: str, *, is_local: bool) -> Advised:
    """Say that a shell reads a value as a part of its program."""
    instead = f'"${variable}", quotation marks included' if is_local else "it as an argument"
    return Advised(
        f"the shell reads the value of {name} as a part of its program, whatever is in it",
        f"write {instead}: every command has it as a variable" if is_local else f"pass {instead}",
    )


def failure_is_lost(lost: LostFailure, words: Sequence[str], field: str) -> Advised:
    """Say that a shell ignores the failure of a command."""
    command = quoted(words[lost.place][lost.begin : lost.end])
    if lost.reason.remedy is not None:
        remedy = lost.reason.remedy
    elif field == "script":
        remedy = "leave shell: out, or write shell: [bash, -euo, pipefail, -c]"
    elif field == "command" and name_of(words[0]) in SHELLS:
        remedy = "write script: instead of command:"
    else:
        remedy = "run the text by bash -euo pipefail -c"
    return Advised(f"a failure of {command} can be lost: {lost.reason.why}", remedy)


def no_such_program(program: str) -> Advised:
    """Say that a program is missing."""
    if program in KNOWN["commands_of_shells"]:
        return Advised(
            f"there is no program {quoted(program)}: it is a command of the shell",
            "for cd, use working_dir:; for the others, write script: instead of command:",
        )
    if program == "!":
        return Advised(
            'there is no program "!": it is a word of the shell, and of test',
            "write [test, '!', -f, FILE], or [bash, -c, '! PROGRAM']",
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


def lacks_none(_flow: FlowSpec, _step: StepSpec, _words: Sequence[str]) -> bool:
    """Know nothing about any program."""
    return False


class Warned(NamedTuple):
    """The warnings about a flow file, in the order of the file.

    `is_complete` is false if the proofs took too long to finish.
    """

    warnings: tuple[FlowWarning, ...]
    is_complete: bool


def find_warnings(read: ReadFlow, lacks_program: LacksProgram = lacks_none) -> Warned:
    """Return the warnings about a flow file; `lacks_program` knows the machine."""
    finder = _Finder(read, lacks_program)
    finder.look()
    found = sorted(finder.found, key=lambda warning: (warning.line or 0, warning.column or 0))
    marked = with_marks(found, read.text)
    warnings = tuple(warning for warning in marked if isinstance(warning, FlowWarning))
    return Warned(warnings, finder.proofs.are_complete)


def words_of(part: Span) -> str:
    """Return a part of a condition on one line."""
    return " ".join(part.text[part.start : part.end].split())


_ITEM_OF_OTHERS = re.compile(r"(?i)\bitem\b")
"""What Ansible, Argo and Task call the value of a loop."""
_VALUE_REMEDIES = {
    IN_LIST: "write each value as an item of the list",
    IN_WORD: "declare it under params: and write ${{ NAME }}",
    IN_SCRIPT: "use a variable: the script has parameters and names of a foreach as variables",
}
_TEXT_REMEDIES = {
    "the output of a command": "set it in script:, as in NAME=$(PROGRAM), or give each run the "
    "value of a parameter: --param NAME=VALUE",
    "a pattern of file names": "write {glob: PATTERN} in place of the list",
}
_SHELL_REMEDIES = {
    "text in curly quotes, or with a no-break space": "write plain ones, or none",
    "a home directory": "write the path, or script: instead of command:",
    "a pattern of file names": "write script: instead of command:, or list the files with glob in "
    "a foreach",
}


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
        self._look_at_conditions()
        self._look_at_unfilled_words()
        variables = {name for name, _ in self.read.flow.env}
        for param in self.read.flow.params:
            self._look_at_text(("params", param.name), call_in)
            self._look_at_text(("params", param.name, "default"), call_in)
        group_names = partial(shell_text, variables=self._names_at(()))
        self._look_at_text(("concurrency", "group"), group_names)
        for path in ((), ("defaults",)):
            self._look_at_fields(path, variables)
        for step in self._steps.values():
            self._look_at_step(step)

    def _look_at_lists(self) -> None:
        blocks = zip(self.read.reading.blocks.items(), self.read.flow.blocks, strict=True)
        for (path, block), read in blocks:
            for name in block.names:
                at = (*path, *block.place_of(name))
                for origin in (*ORIGINS, SPLIT):
                    self._look_at_text((*at, origin), partial(shell_text, variables=self._params))
                self._look_for_values((*at, SPLIT), IN_LIST)
                node = node_at(self.read.root, at)
                for place in range(len(items_of(node))):
                    self._look_for_values((*at, place), IN_LIST)
                    self._look_at_text((*at, place), find=call_in)
                if len(items_of(node)) == 1:
                    self._look_at_text((*at, 0), find=pattern_in)
            for one in block.lists:
                at = (*path, *block.place_of(one.name))
                if not one.values:
                    check = "the parameters" if one.origin == SPLIT else "the path"
                    message = Advised(
                        f"this list is empty now, so the steps of this {FOREACH} have no copies",
                        f"check {check}; if nothing to do is fine, ask for .passed after them",
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
            if step.working_dir in {None, directory} and writes(step.command, one.text or ""):
                return name
        return None

    def _look_at_fields(self, path: NodePath, variables: Set[str]) -> None:
        for field in ("working_dir", "env_file", "env"):
            at = (*path, field)
            match node_at(self.read.root, at):
                case MappingNode() as node:
                    paths = [(*at, name) for name, _ in node.texts()]
                case SequenceNode() as node:
                    paths = [
                        (*at, place, "path") if isinstance(item, MappingNode) else (*at, place)
                        for place, item in enumerate(node.items)
                    ]
                case _:
                    paths = [at]
            for each in paths:
                self._look_at_text(each, partial(shell_text, variables=variables))
                self._look_for_values(each, IN_WORD)

    def _look_at_text(self, path: NodePath, find: Callable[[str], ShellWord | None]) -> None:
        node = node_at(self.read.root, path)
        if isinstance(node, ScalarNode) and (found := find(node.text)):
            span = Span(node.text, found.begin, found.end)
            message = Advised(
                f"{quoted(span.text[span.start : span.end])} looks like {found.what}, but no shell "
                "reads this text: it stays as it is",
                _TEXT_REMEDIES.get(
                    found.what, "write the value, or ${{ NAME }} for that of a parameter"
                ),
            )
            self._warn(WarningCode.SHELL_SYNTAX, message, path, span)

    def _look_for_values(self, path: NodePath, values: re.Pattern[str] | None) -> None:
        """Warn about what only another system replaces with a value.

        `values` is what cannot be meant literally there; None if only known names cannot.
        """
        node = node_at(self.read.root, path)
        if not isinstance(node, ScalarNode):
            return
        remedy = _VALUE_REMEDIES[values] if values is not None else ""
        repeated = self.read.reading.names_around(path)
        if (found := name_of_other_tool(node.text, self._names_at(path))) is not None:
            name = found[1]
            remedy = f'write "${name}"' if values is IN_SCRIPT else f"write ${{{{ {name} }}}}"
        elif repeated and values is IN_WORD and _ITEM_OF_OTHERS.search(node.text):
            remedy = f"write ${{{{ {repeated[0]} }}}} for a value of the foreach"
        if found := found or (values and values.search(node.text)):
            message = Advised(
                f"{quoted(found[0])} is taken literally: it stands for no value here", remedy
            )
            span = Span(node.text, *found.span())
            self._warn(WarningCode.LITERAL_VALUE, message, path, span)

    def _look_at_conditions(self) -> None:
        proofs = self.proofs
        never = frozenset(proofs.never_run)
        for name in proofs.never_run:
            self._warn_about(WarningCode.NEVER_RUNS, name, never_runs(self._steps[name], never))
        for name in proofs.always_true:
            self._warn_about(WarningCode.ALWAYS_TRUE, name, always_true(self._steps[name]))
        for name, all_found in groupby(proofs.no_effect, lambda found: found.step_id):
            parts = [found.part for found in all_found if found.part is not None]
            self._warn_about(WarningCode.NO_EFFECT, name, no_effect(parts), parts[0])
        for found in proofs.hidden_failures:
            if (part := found.part) is not None:
                (name,) = self._names_in_condition(found)
                code = WarningCode.SKIP_HIDES_FAILURE
                step = self._steps[found.step_id]
                message = skip_hides_failure(found, step, words_of(part), name)
                self._warn_about(code, found.step_id, message, part, found.outcomes)
        for found in proofs.ignored_failures:
            names = self._names_in_condition(found)
            code, message = WarningCode.IGNORED_FAILURE, ignored_failure(found.step_id, names)
            self._warn_about(code, found.step_id, message, outcomes=found.outcomes)
        for name in proofs.runs_anyway:
            if cleans_up(self._steps[name]):
                is_repeated = name in self.read.flow.copies
                after = ", as one step for all copies" if is_repeated else ""
                message = Advised(
                    "this step cleans up whatever happens, but not after a cancel or a timeout of "
                    "the flow",
                    f"move it to finally{after}, whose steps run then too",
                )
                self._warn_about(WarningCode.SKIPPED_CLEANUP, name, message)
        if (missed := proofs.unhandled_failure) is not None:
            code, message = WarningCode.UNHANDLED_FAILURE, unhandled_failure(missed)
            self._warn_about(code, missed.step_id, message, outcomes=missed.outcomes)

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
                    "declare it under params:, or use a variable in a script"
                    if "secrets." not in found[0]
                    else "remove it, and write env_file: FILE, a file with NAME=VALUE",
                )
                span = Span(word.text, *found.span())
                self._warn(WarningCode.LITERAL_SUBSTITUTION, message, word.path, span)

    def _look_at_step(self, step: StepSpec) -> None:
        flow, path = self.read.flow, self._path(step.id)
        copies = flow.copies.get(step.id, (step.id,))
        names = {name for name, _ in (*flow.env, *step.env)} | self._names_at(path)
        self._look_at_fields(path, names)
        for field, words in (("command", step.command), ("only_if", step.only_if)):
            at = (*path, field)
            is_list = isinstance(node_at(self.read.root, at), SequenceNode)
            if is_list:
                self._look_at_list(step, words, at, names)
                end = end_of(words)
                for place in range(len(words)):
                    values = IN_WORD if place < end else None
                    self._look_for_values((*at, place), values)
            if words and (
                words[0] in KNOWN["only_in_shells"] | {"!"}
                or any(
                    self.lacks_program(flow, copy, getattr(copy, field))
                    for copy in map(flow.step, copies)
                )
            ):
                message = no_such_program(words[0])
                self._warn(WarningCode.NO_SUCH_PROGRAM, message, (*at, 0) if is_list else path)
            if words:
                self._look_at_shell_texts(words, at)
        self._look_at_script((*path, "script"))
        self._look_at_exit_codes(step, path)

    def _look_at_list(
        self, step: StepSpec, words: tuple[str, ...], path: NodePath, names: set[str]
    ) -> None:
        for found in shell_words(words, names):
            span = Span(words[found.place], found.begin, found.end)
            text = quoted(span.text[span.start : span.end])
            message = Advised(
                f"{text} looks like {found.what}, but no shell reads this command: the program "
                "gets the word as it stands",
                _SHELL_REMEDIES.get(
                    found.what,
                    "write [bash, -c, TEXT]"
                    if path[-1] == "only_if"
                    else "write script: instead of command:",
                ),
            )
            self._warn(WarningCode.SHELL_SYNTAX, message, (*path, found.place), span)
        if not step.fills:
            return
        for at, name in names_for_shells(self.read.flow, step, words):
            is_local = name_of(words[0]) in SHELLS
            message = parameter_in_shell(name[1], variable_of(name[1]), is_local=is_local)
            span = Span(words[at], *name.span())
            self._warn(WarningCode.PARAMETER_IN_SHELL, message, (*path, at), span)

    def _look_at_shell_texts(self, words: tuple[str, ...], path: NodePath) -> None:
        is_joined = False
        listed = node_at(self.read.root, path)
        items = items_of(listed)
        for place, _ in texts_for_shells(words) if items else ():
            node = items[place]
            if isinstance(node, ScalarNode):
                joins = list(joins_in(node, self.read.text))
                if (found := joined_commands(node.text, joins)) is not None:
                    is_joined = True
                    text = quoted(node.text[slice(*found)])
                    message = Advised(
                        f"YAML joins these lines to one: the shell reads {text} in one command",
                        "begin the text with |, or write script: | instead of command:",
                    )
                    span = Span(node.text, *found)
                    self._warn(WarningCode.JOINED_LINES, message, (*path, place), span)
        if path[-1] == "command" and not is_joined and only_sets(words):
            message = Advised(
                "this step only sets something that ends with it: no other step has it",
                "set it in the script that needs it, or write env:, env_file: or working_dir:",
            )
            self._warn(WarningCode.LOST_SETTING, message, path[:-1])
        lost = lost_failure(words, is_gate=path[-1] == "only_if")
        if lost is not None and not self._at[path[:-1]].allow_failure:
            is_script = listed is None
            message = failure_is_lost(lost, words, "script" if is_script else str(path[-1]))
            span = Span(words[lost.place], lost.begin, lost.end)
            at = (*path[:-1], "script") if is_script else (*path, lost.place)
            self._warn(WarningCode.LOST_FAILURE, message, at, span)

    def _look_at_script(self, path: NodePath) -> None:
        node = node_at(self.read.root, path)
        if not isinstance(node, ScalarNode):
            return
        self._look_for_values(path, IN_SCRIPT)
        known = self._names_at(path) | set(BUILT_IN)
        for found in NAME_IN_WORD.finditer(node.text):
            if found[1] in known:
                message = Advised(
                    f"{quoted(found[0])} stays as it is: no name is replaced in a script",
                    f'write "${variable_of(found[1])}": the script has it as a variable',
                )
                span = Span(node.text, *found.span())
                self._warn(WarningCode.LITERAL_SUBSTITUTION, message, path, span)
                return

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
        if _FAILURE not in step.success_exit_codes + step.skip_exit_codes:
            return
        if not has_several_commands(step.command):
            return
        for field, meaning in (
            ("success_exit_codes", "counts as a success"),
            ("skip_exit_codes", "makes the step SKIPPED"),
        ):
            if _FAILURE in getattr(step, field):
                message = Advised(
                    f"{_FAILURE} {meaning} here, but nearly every failure in this script ends it "
                    f"with {_FAILURE}, such as a failed cd or a variable that is not set",
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
        self.found.append(
            FlowWarning(
                str(message),
                written(path) or None,
                node.line,
                node.column,
                help=message.help,
                span=span,
                code=code,
                outcomes=outcomes or {},
            )
        )

    def _path(self, name: str) -> NodePath:
        return self.read.reading.steps[name].path
