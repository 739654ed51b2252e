"""The names of the variables that tell a step's process about its run.

`FlowSpec.environment` gives most of them their values. The caller adds those that depend on where
the run is: `DIR`, `RUN_DIR` and `STARTED`.
"""

from collections.abc import Iterable


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


def joined_ids(names: Iterable[str]) -> str:
    """Return the names, separated by blanks; of many, as many as fit into a variable."""
    fitting, left = [], _LONGEST_LIST
    for name in names:
        left -= len(name) + 1
        if left < 0:
            break
        fitting.append(name)
    return " ".join(fitting)
