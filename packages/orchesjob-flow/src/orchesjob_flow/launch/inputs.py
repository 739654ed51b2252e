"""What a flow runs with: its file, the variables and parameters of the call, and its lists.

`flow_spec` finds what is wrong with a file anywhere. This module finds what this machine lacks.

A `foreach` may take its values from files (rule 10.3). They are read when a run is recorded, and
by the commands that show what would run. A recorded run keeps its lists, even if the files change.
"""

import os
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import chain

import attrs

import flow_spec
from flow_spec import (
    BUILT_IN,
    Document,
    FlowFileError,
    FlowSpec,
    ListReader,
    MissingValuesError,
    ParamsError,
    Problem,
    ReadFlow,
    StepSpec,
    filled,
    is_opened_by_caller,
    read_list,
)
from orchesjob_flow.errors import DirectoryGone
from orchesjob_flow.reasons import listed
from orchesjob_flow.views.terminal import stderr, warn

type Values = Mapping[str, str]
"""Environment variables or parameters, by name."""


def load_to_start(document: Document, env: Values, params: Values, reader: ListReader) -> FlowSpec:
    """Make the flow of a file ready to run; mention warnings about it on a terminal.

    Raises:
        FlowFileError: It is not a valid flow, or cannot run like this.
    """
    read, flow_file = read_to_run(document, env, params, reader), document.source
    if stderr().stream.isatty() and not is_opened_by_caller(flow_file):
        count = len(flow_spec.find_warnings(read, is_program_missing).warnings)
        if count:
            line = shlex.join(["orchesjob-flow", "validate", flow_file])
            there_are = "there is a warning" if count == 1 else f"there are {count} warnings"
            warn(f"{there_are} about this flow: `{line}` shows more")
    return read.flow


def read_to_run(
    document: Document, env: Values, params: Values | None, read_list: ListReader
) -> ReadFlow:
    """Check the flow in a file that has been read, and make it ready to run.

    None for `params` leaves them without values: the file is only checked.

    Raises:
        FlowFileError: It is not a valid flow, or cannot run like this.
    """
    read = read_as_given(document, params or {}, read_list)
    return attrs.evolve(read, flow=ready_to_run(read.flow, document.source, env, params))


def ready_to_run(flow: FlowSpec, flow_file: str, env: Values, params: Values | None) -> FlowSpec:
    """Give the flow of a file its variables and parameters, and check what this machine lacks.

    Raises:
        FlowFileError: It cannot have these values, or there is no bash for its scripts (rules 10.2
            and 10.4).
    """
    try:
        flow = with_inputs(flow, env, params)
    except ParamsError as error:
        raise FlowFileError(flow_file, tuple(map(_with_option, error.problems))) from error
    # The directory of the run does not exist yet: no program is found through it.
    of_run = {**dict.fromkeys(BUILT_IN, ""), "FLOW_DIR": folder_of(flow_file)}
    names = {**flow.default_values, **of_run}
    without_shell = list(steps_without_shell(flow.filled(names)))
    if without_shell:
        raise FlowFileError(flow_file, (_missing_shell(without_shell),))
    return flow


def read_as_given(document: Document, params: Values, read_list: ListReader) -> ReadFlow:
    """Check the flow in a file that has been read; `params` are for the paths of its lists.

    Raises:
        FlowFileError: It is not a valid flow. An error about a parameter without a value names the
            option that gives it one.
    """
    try:
        return document.read_flow(read_list=read_list, params=params)
    except FlowFileError as error:
        raise FlowFileError(error.source, tuple(map(_with_option, error.problems))) from None


def _with_option(problem: Problem) -> Problem:
    if problem.param is None:
        return problem
    remedy = f"give it one with --param {problem.param}=VALUE"
    return attrs.evolve(problem, message=f"{problem.message}; {remedy}", help=remedy)


def with_inputs(flow: FlowSpec, env: Values, params: Values | None) -> FlowSpec:
    """Return a flow with variables over its `env`, and with values of its parameters.

    Raises:
        ParamsError: The parameters cannot have these values, or one is given as a variable.
    """
    confused = tuple(
        Problem(f"is a parameter: give it with --param {name}=VALUE", f"params.{name}")
        for name in (param.name for param in flow.params if param.name in env)
    )
    if confused:
        raise ParamsError(flow.flow_id, confused)
    flow = flow.with_env(env)
    return flow if params is None else flow.with_params(params)


def steps_without_shell(flow: FlowSpec) -> Iterator[StepSpec]:
    """Yield the steps with a script whose processes would not find the program of their command.

    Each program is looked up once in each PATH, however many copies of a step there are.
    """
    for step in flow.all_steps:
        if step.script is not None:
            path = {**dict(flow.env), **dict(step.env), **dict(flow.values)}.get("PATH")
            if not is_in_path(step.command[0], path):
                yield step


@cache
def is_in_path(program: str, path: str | None) -> bool:
    """Tell whether there is such a program in a PATH, or in that of this process."""
    return shutil.which(program, path=path) is not None


def is_program_missing(flow: FlowSpec, step: StepSpec, words: Sequence[str]) -> bool:
    """Tell whether the program of a command of a step is known to be missing (rule 11.2).

    That is unknown for a path that starts in a directory nobody knows yet, for a file that an
    earlier step may make, for a PATH that comes from a file, and for a program that `only_if` looks
    for, as `test -x` does.
    """
    program = with_values(words[0], flow, step)
    is_guarded = words is not step.only_if and any(
        words[0] in word.split() for word in step.only_if[1:]
    )
    if program is None or is_guarded:
        return False
    if "/" in program:
        return os.path.isabs(program) and not step.waits_for and not is_in_path(program, None)  # noqa: PTH117
    path = {**dict(flow.env), **dict(step.env), **dict(flow.values)}.get("PATH")
    if path is None:
        return not (flow.env_file or step.env_file) and not is_in_path(program, None)
    is_known = "${{" not in path and all(map(os.path.isabs, path.split(os.pathsep)))
    return is_known and not is_in_path(program, path)


def with_values(word: str, flow: FlowSpec, step: StepSpec) -> str | None:
    """Return a word with the values of the copy that a step is; None if others are needed."""
    if "${{" not in word or not step.fills:
        return word
    try:
        return filled(word, flow.values_of(step.id))
    except MissingValuesError:
        return None


def _missing_shell(steps: list[StepSpec]) -> Problem:
    first, *more = steps
    named = f"step {first.id} and of {len(more)} more" if more else f"step {first.id}"
    return Problem(
        f"there is no {first.command[0]} in the PATH for the script of {named}; "
        "install it, or name another shell in the key shell, such as [sh, -eu, -c]"
    )


def current_directory() -> str:
    """Return where the steps of a new run will run (rule 4.6).

    Raises:
        DirectoryGone: It has been removed.
    """
    try:
        return os.getcwd()  # noqa: PTH109 - as the user sees it, bytes and all
    except FileNotFoundError as error:
        raise DirectoryGone from error


def tell_empty_lists(*flows: FlowSpec) -> None:
    """Say on stderr which steps have no copies (rule 10.3)."""
    empty = dict(chain.from_iterable(flow.empty_blocks.items() for flow in flows))
    for origin, steps in empty.items():
        warn(f"{origin} gives no values, so there are no copies of {listed(steps)}")


def folder_of(flow_file: str) -> str:
    """Return the folder of a flow file as it is named, without following links (rule 10.2).

    A file without a name of its own, such as the standard input, counts as lying in the current
    directory.
    """
    if is_opened_by_caller(flow_file):
        return current_directory()
    if not os.path.isabs(flow_file):  # noqa: PTH117 - text, as given
        flow_file = os.path.join(current_directory(), flow_file)  # noqa: PTH118
    return os.path.dirname(flow_file)  # noqa: PTH120


def list_reader(flow_file: str, directory: str = ".") -> ListReader:
    """Return a reader of a flow file's lists, whose relative paths start in `directory`.

    It raises a `ListError` if a list cannot be read, or has too many values.
    """

    def read(origin: str, text: str, params: Values) -> Sequence[str]:
        return read_list(origin, text, {**params, "FLOW_DIR": folder_of(flow_file)}, directory)

    return read
