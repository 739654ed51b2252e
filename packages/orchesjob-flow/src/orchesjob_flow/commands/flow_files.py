"""A flow file that is to run here: it is read, and looked at for what this machine lacks.

What is wrong with a file anywhere is found by `flow_spec`.
"""

import os
import shutil
from collections.abc import Mapping

from flow_spec import (
    BUILT_IN,
    FlowFileError,
    FlowSpec,
    Problem,
    StepSpec,
    is_opened_by_caller,
    load_flow,
)
from orchesjob_flow.errors import DirectoryGone


def load_to_run(flow_file: str, env: Mapping[str, str]) -> FlowSpec:
    """Read a flow file and add variables to its `env`, over which they take precedence.

    Raises:
        FlowFileError: It is no valid flow, or there is no bash for its scripts (rule 10.4).
    """
    flow = load_flow(flow_file).with_env(env)
    # No program is found through a directory that is not there yet.
    names = {**dict.fromkeys(BUILT_IN, ""), "FLOW_DIR": flow_dir_of(flow_file)}
    filled = flow.filled(names)
    lacking = [
        step for step in filled.all_steps if step.script is not None and not has_shell(filled, step)
    ]
    if lacking:
        raise FlowFileError(flow_file, (no_shell(lacking),))
    return flow


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


def has_shell(flow: FlowSpec, step: StepSpec) -> bool:
    """Say whether a step's process would find the program of its command."""
    path = {**dict(flow.env), **dict(step.env)}.get("PATH")
    return shutil.which(step.command[0], path=path) is not None


def no_shell(lacking: list[StepSpec]) -> Problem:
    """Say which steps have no shell, in one problem."""
    first, *more = lacking
    steps = f"step {first.id} and of {len(more)} more" if more else f"step {first.id}"
    return Problem(
        f"there is no {first.command[0]} in the PATH for the script of {steps}; "
        "install it, or name another shell in the key shell, such as [sh, -eu, -c]"
    )
