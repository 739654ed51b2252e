"""A flow file that is to run here: it is read, and looked at for what this machine lacks.

What is wrong with a file anywhere is found by `flow_spec`.
"""

import shutil
from collections.abc import Mapping

from flow_spec import FlowFileError, FlowSpec, Problem, StepSpec, load_flow


def load_to_run(flow_file: str, env: Mapping[str, str]) -> FlowSpec:
    """Read a flow file and add variables to its `env`, over which they take precedence.

    Raises:
        FlowFileError: It is no valid flow, or there is no bash for its scripts (rule 10.4).
    """
    flow = load_flow(flow_file).with_env(env)
    lacking = [
        step for step in flow.all_steps if step.script is not None and not has_shell(flow, step)
    ]
    if lacking:
        raise FlowFileError(flow_file, (no_shell(lacking),))
    return flow


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
