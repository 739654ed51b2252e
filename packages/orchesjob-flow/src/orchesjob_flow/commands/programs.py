"""Which programs this machine lacks, as far as that can be told before a run (rule 11.2).

Where it cannot be told, nothing is said: of a path that begins in a directory nobody knows yet, of
what a step before may put there, and of a PATH that comes from a file.
"""

import os
import shutil
from collections.abc import Sequence
from functools import cache

from flow_spec import FlowSpec, StepSpec, filled


def lacks_program(flow: FlowSpec, step: StepSpec, words: Sequence[str]) -> bool:
    """Tell whether the program of a command of a step is known not to be there."""
    program = with_values(words[0], flow, step)
    if program is None:
        return False
    if "/" in program:
        return os.path.isabs(program) and not step.waits_for and is_missing(program, None)  # noqa: PTH117
    path = {**dict(flow.env), **dict(step.env), **dict(flow.values)}.get("PATH")
    if path is None:
        return not (flow.env_file or step.env_file) and is_missing(program, None)
    is_known = "${{" not in path and all(map(os.path.isabs, path.split(os.pathsep)))
    return is_known and is_missing(program, path)


def with_values(word: str, flow: FlowSpec, step: StepSpec) -> str | None:
    """Return a word with the values of the copy that a step is; None if others are needed."""
    if "${{" not in word or not step.fills:
        return word
    try:
        return filled(word, flow.values_of(step.id))
    except KeyError:
        return None


@cache
def is_missing(program: str, path: str | None) -> bool:
    """Tell whether there is no such program in a PATH, or in that of this process."""
    return shutil.which(program, path=path) is None
