"""The variables that tell a step's process about its run: their names, and the values of most.

The caller adds those that depend on where the run is: `DIR`, `RUN_DIR` and `STARTED`.
"""

from collections.abc import Iterable, Iterator


class StepVariable:
    """The variables that tell a step's process about its run (rules 9.13, 10.1, 10.2 and 10.6).

    Not an enumeration: the names become keys of an environment, which must be plain texts.
    """

    RUN_KEY = "ORCHESJOB_FLOW_RUN_KEY"
    ID = "ORCHESJOB_FLOW_ID"
    """The id of the flow."""
    STEP = "ORCHESJOB_FLOW_STEP"
    ATTEMPT = "ORCHESJOB_FLOW_ATTEMPT"
    DIR = "ORCHESJOB_FLOW_DIR"
    """The folder of the flow file."""
    RUN_DIR = "ORCHESJOB_FLOW_RUN_DIR"
    STARTED = "ORCHESJOB_FLOW_STARTED"
    FAILED_STEPS = "ORCHESJOB_FLOW_FAILED_STEPS"
    """The steps that have failed so far."""
    OUTCOME = "ORCHESJOB_FLOW_OUTCOME"
    """How `steps` ended; for the steps of `finally`."""


_LONGEST_LIST = 65_536
"""Characters; the system passes no variable of more than 128 KiB, and all share one space."""


def run_variables(  # noqa: PLR0913 - what a step is told
    *,
    run_key: str,
    flow_id: str,
    step_id: str,
    attempt_no: int,
    failed: Iterable[str],
    outcome: str | None,
) -> dict[str, str]:
    """Return the variables that tell a step's process about its run (rules 9.13 and 10.1).

    `failed` are the ids of the steps that FAILED; the variable holds as many as fit. `outcome` is
    how `steps` ended, for a step of `finally`.
    """
    variables = {
        StepVariable.RUN_KEY: run_key,
        StepVariable.ID: flow_id,
        StepVariable.STEP: step_id,
        StepVariable.ATTEMPT: str(attempt_no),
        StepVariable.FAILED_STEPS: " ".join(_within(failed, _LONGEST_LIST)),
    }
    return variables if outcome is None else variables | {StepVariable.OUTCOME: outcome}


def _within(names: Iterable[str], length: int) -> Iterator[str]:
    for name in names:
        length -= len(name) + 1
        if length < 0:
            return
        yield name
