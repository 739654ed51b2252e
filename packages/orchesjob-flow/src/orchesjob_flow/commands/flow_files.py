"""A flow file that is to run here: it is read, and looked at for what this machine lacks.

What is wrong with a file anywhere is found by `flow_spec`.
"""

import os
import shutil
from collections.abc import Iterator

import attrs

from flow_spec import (
    BUILT_IN,
    FlowFileError,
    FlowSpec,
    ListReader,
    ParamsError,
    Problem,
    ReadFlow,
    StepSpec,
    bind_params,
    is_opened_by_caller,
    read_flow,
)
from orchesjob_flow.commands.given import Given
from orchesjob_flow.errors import DirectoryGone


def load_to_run(flow_file: str, given: Given, read_list: ListReader) -> FlowSpec:
    """Read a flow file, and make its flow ready to run.

    Raises:
        FlowFileError: It is no valid flow, or cannot run like this.
    """
    return read_to_run(flow_file, given, read_list).flow


def read_to_run(flow_file: str, given: Given, read_list: ListReader) -> ReadFlow:
    """Do as `load_to_run` does, and keep what the file says where.

    Raises:
        FlowFileError: It is no valid flow, or cannot run like this.
    """
    read = read_flow(flow_file, read_list=read_list, params=given.params or {})
    return attrs.evolve(read, flow=ready_to_run(read.flow, flow_file, given))


def ready_to_run(flow: FlowSpec, flow_file: str, given: Given) -> FlowSpec:
    """Give the flow of a file what it is called with, and look for what this machine lacks.

    Raises:
        FlowFileError: It cannot have these values, or there is no bash for its scripts (rules 10.2
            and 10.4).
    """
    try:
        flow = with_given(flow, given)
    except ParamsError as error:
        raise FlowFileError(flow_file, error.problems) from error
    # No program is found through a directory that is not there yet.
    names = {param.name: param.default or "" for param in flow.params}
    names |= {**dict.fromkeys(BUILT_IN, ""), "FLOW_DIR": flow_dir_of(flow_file)}
    lacking = list(steps_without_shell(flow.filled(names)))
    if lacking:
        raise FlowFileError(flow_file, (no_shell(lacking),))
    return flow


def with_given(flow: FlowSpec, given: Given) -> FlowSpec:
    """Return a flow with variables over its `env`, and with values of its parameters.

    Raises:
        ParamsError: The parameters cannot have these values, or one is given as a variable.
    """
    confused = [param.name for param in flow.params if param.name in given.env]
    if confused:
        raise ParamsError(flow.flow_id, tuple(map(given_as_variable, confused)))
    flow = flow.with_env(given.env)
    return flow if given.params is None else bind_params(flow, given.params)


def given_as_variable(name: str) -> Problem:
    """Say that `--env` would hide a parameter."""
    return Problem(f"is a parameter: give it with --param {name}=VALUE", f"params.{name}")


def current_directory() -> str:
    """Return where the steps of a new run will run (rule 4.6).

    Raises:
        DirectoryGone: It has been removed.
    """
    try:
        return os.getcwd()  # noqa: PTH109 - as the user sees it, bytes and all
    except FileNotFoundError as error:
        raise DirectoryGone from error


def flow_dir_of(flow_file: str) -> str:
    """Return the folder of a flow file (rule 10.2), as it is named: no link is followed.

    What has no name of its own, such as the standard input, counts as lying in the current
    directory.
    """
    if is_opened_by_caller(flow_file):
        return current_directory()
    if not os.path.isabs(flow_file):  # noqa: PTH117 - text, as given
        flow_file = os.path.join(current_directory(), flow_file)  # noqa: PTH118
    return os.path.dirname(flow_file)  # noqa: PTH120


def steps_without_shell(flow: FlowSpec) -> Iterator[StepSpec]:
    """Yield the steps with a script whose processes would not find the program of their command.

    Each program is looked for once in each PATH, however many copies of a step there are.
    """
    found: dict[tuple[str, str | None], bool] = {}
    for step in flow.all_steps:
        if step.script is not None:
            path = {**dict(flow.env), **dict(step.env), **dict(flow.values)}.get("PATH")
            program = step.command[0]
            if (program, path) not in found:
                found[program, path] = shutil.which(program, path=path) is not None
            if not found[program, path]:
                yield step


def no_shell(lacking: list[StepSpec]) -> Problem:
    """Say which steps have no shell, in one problem."""
    first, *more = lacking
    steps = f"step {first.id} and of {len(more)} more" if more else f"step {first.id}"
    return Problem(
        f"there is no {first.command[0]} in the PATH for the script of {steps}; "
        "install it, or name another shell in the key shell, such as [sh, -eu, -c]"
    )
