"""The variables of a step's process: which ones a flow may set, and which ones tell it of its run.

The values that a file gives to variables are read in `containers`.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flow_spec.errors import quoted
from flow_spec.texts import LONGEST_WORD, flaw_of_word


class EnvFile(NamedTuple):
    """A file whose variables a step's process sees, but for those that the flow sets itself."""

    path: str
    outranked_by: frozenset[str]


VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

RESERVED_PREFIX = "ORCHESJOB_"
"""How no variable of a flow begins: with another home, orchesjob would forget its jobs."""

FAILED_STEPS, OUTCOME = "ORCHESJOB_FLOW_FAILED_STEPS", "ORCHESJOB_FLOW_OUTCOME"
"""The variables that tell a step which others have failed, and how all have ended."""

_BREAKING = r"LD_|DYLD_|PYTHON(?!$|_VERSION$|UNBUFFERED$|DONTWRITEBYTECODE$)"
"""How the names begin that change how a program of Python starts, which orchesjob is."""
_BREAKS = re.compile(_BREAKING)

SETTABLE = f"^(?!{RESERVED_PREFIX}|{_BREAKING}){VARIABLE.pattern}$"
"""The pattern of a name that a flow may set, for the schema."""

_LONGEST_LIST = 65_536
"""Characters: the system passes no variable of more than 128 KiB, and all of them share a space."""


def run_variables(  # noqa: PLR0913 - what a step is told
    *,
    run_key: str,
    flow_id: str,
    step_id: str,
    attempt: int,
    failed: Iterable[str],
    outcome: str | None,
) -> dict[str, str]:
    """Return the variables that tell a step's process of its run. Rules 9.13 and 10.1.

    `failed` are the ids of the steps that have FAILED, of which no more are named than one variable
    may hold; `outcome` is how `steps` have ended, for a step of `finally`.
    """
    variables = {
        "ORCHESJOB_FLOW_RUN_KEY": run_key,
        "ORCHESJOB_FLOW_ID": flow_id,
        "ORCHESJOB_FLOW_STEP": step_id,
        "ORCHESJOB_FLOW_ATTEMPT": str(attempt),
        FAILED_STEPS: " ".join(_within(failed, _LONGEST_LIST)),
    }
    return variables if outcome is None else variables | {OUTCOME: outcome}


def _within(names: Iterable[str], length: int) -> Iterator[str]:
    """Yield the names that fit into a list of so many characters."""
    for name in names:
        length -= len(name) + 1
        if length < 0:
            return
        yield name


def flaw_of_variable(name: str) -> str | None:
    """Return what is wrong with the name of a variable that a flow sets, or None."""
    if not VARIABLE.fullmatch(name):
        return (
            f"must be made of A-Z, a-z, 0-9 and _, and not begin with a digit, got {quoted(name)}"
        )
    if name.startswith(RESERVED_PREFIX):
        return f"must not begin with {RESERVED_PREFIX}, which orchesjob and this program use"
    if _BREAKS.match(name):
        return (
            "would also change how orchesjob itself starts; set it inside the command: "
            f"[env, {name}=..., ...]"
        )
    return None


def flaw_of_setting(name: str, text: str) -> str | None:
    """Return what is wrong with a variable that is set to a text, or None."""
    return flaw_of_variable(name) or flaw_of_word(text, LONGEST_WORD - len(f"{name}="))
