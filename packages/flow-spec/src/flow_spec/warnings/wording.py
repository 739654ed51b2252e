"""The words of warnings: what is so, and how to mend it."""

from collections.abc import Iterable, Set

from flow_spec.errors import Advised, quoted
from flow_spec.step import StepSpec
from flow_spec.warnings.programs import COMMANDS_OF_SHELLS
from flow_spec.warnings.verdict import Verdict

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


def no_effect(part: str) -> Advised:
    """Say that a part of a condition has no effect."""
    return Advised(
        f"{quoted(' '.join(part.split()))} has no effect here: without it, the condition comes to "
        "the same",
        "leave it out, or change it to what is meant; to wait for a step, list it in depends_on",
    )


def unhandled_failure(verdict: Verdict) -> Advised:
    """Say that a failure is missed by every alert."""
    failed = [name for name, end in verdict.outcomes.items() if end == "FAILED"]
    alerts = f"{named(verdict.steps, 'and')} {'is' if len(verdict.steps) == 1 else 'are'} SKIPPED"
    return Advised(
        f"nothing tells of it if {named(failed, 'and')} fails: the run is FAILED, and {alerts}",
        "ask any(failed) of all steps that may fail, best in finally, or let a failure be with "
        "allow_failure",
    )


def skipped_cleanup() -> Advised:
    """Say that a step of `steps` that cleans up does not run after a cancel."""
    return Advised(
        "this step cleans up whatever happens, but not after a cancel or a timeout of the flow",
        "move it to finally, whose steps run then too",
    )


def named(names: Iterable[str], word: str = "or") -> str:
    """Name some steps, the first of many."""
    all_names = list(dict.fromkeys(names))
    shown = all_names[:_MOST_NAMED]
    if len(all_names) > len(shown):
        return f"{', '.join(shown)} {word} {len(all_names) - len(shown)} more"
    return f" {word} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


def shell_syntax(what: str, text: str) -> Advised:
    """Say that something in a word would mean something to a shell, and there is none."""
    return Advised(
        f"{quoted(text)} looks like {what}, but no shell reads this command: the program gets the "
        "word as it stands",
        _REMEDIES.get(what, "write script: instead of command:, or [sh, -c, ...]"),
    )


_REMEDIES = {
    "a home directory": "write the path, or script: instead of command:",
    "a pattern of file names": "write script: instead of command:, or list the files with glob in "
    "a foreach",
}


def parameter_in_shell(name: str, variable: str, *, is_local: bool) -> Advised:
    """Say that a shell reads a value as a part of its program."""
    instead = f'"${variable}", quotation marks included' if is_local else "it as an argument"
    return Advised(
        f"the shell reads the value of {name} as a part of its program, whatever is in it",
        f"write {instead}: every command has it as a variable" if is_local else f"pass {instead}",
    )


def literal_in_word(text: str) -> Advised:
    """Say that what looks like a name stays as it is."""
    return Advised(
        f"{quoted(text)} stays as it is: names are replaced only where a flow has params or a "
        "foreach, or uses a name that is built in",
        "declare it under params:, or use a variable in a script",
    )


def literal_in_script(text: str, variable: str) -> Advised:
    """Say that no name is replaced in a script."""
    return Advised(
        f"{quoted(text)} stays as it is: no name is replaced in a script",
        f'write "${variable}": the script has it as a variable',
    )


def no_such_program(program: str) -> Advised:
    """Say that a program is not there."""
    if program in COMMANDS_OF_SHELLS:
        return Advised(
            f"there is no program {quoted(program)}: it is a command of the shell",
            "for cd, use working_dir:; for the others, write script: instead of command:",
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
